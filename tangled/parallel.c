/* parallel.c - a loop divided among threads. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include "base.h"
#include "parallel.h"

enum { MOST = 64, SPINS = 2000, YIELDS = 10000 };

struct job {
    size_t n, grain, grains, shares;
    dl_range_function *body;
    void *context;
};

struct worker {
    _Alignas(64) atomic_int offer;
    atomic_bool asleep;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
};

enum { NONE, OPEN, TAKEN };             /* what an offer can be */

static struct {
    atomic_flag busy;
    atomic_int threads;                 /* 0: not chosen yet */
    int started;                        /* workers 1 ... started exist */
    struct job job;
    struct worker worker[MOST];         /* number 0 is the caller: unused */
} pool = {.busy = ATOMIC_FLAG_INIT};

static void do_share(const struct job *job, size_t share)
{
    size_t first = job->grains * share / job->shares;
    size_t after = job->grains * (share + 1) / job->shares;
    size_t end = after == job->grains ? job->n : after * job->grain;
    job->body(first * job->grain, end, job->context);
}

static bool take(struct worker *w, int new_state)
{
    int open = OPEN;
    return atomic_load(&w->offer) == OPEN
        && atomic_compare_exchange_strong(&w->offer, &open, new_state);
}

/* For the i-th time: spin first, then let others run. */
static void wait_a_little(int i)
{
    if (i >= SPINS)
        sched_yield();
#if defined __x86_64__ || defined __i386__
    else
        __builtin_ia32_pause();
#endif
}

static void sleep_until_called(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->asleep, true);
    if (atomic_load(&w->offer) != OPEN)
        pthread_cond_wait(&w->wake, &w->lock);
    atomic_store(&w->asleep, false);
    pthread_mutex_unlock(&w->lock);
}

static void offer_to(struct worker *w)
{
    atomic_store(&w->offer, OPEN);
    if (atomic_load(&w->asleep)) {
        pthread_mutex_lock(&w->lock);
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    for (;;) {
        int i = 0;
        for (; i < SPINS + YIELDS && !take(w, TAKEN); i++)
            wait_a_little(i);
        if (i == SPINS + YIELDS) {
            sleep_until_called(w);
            continue;
        }
        if (pool.job.body == NULL)                  /* time to go home */
            return NULL;
        do_share(&pool.job, (size_t)(w - pool.worker));
        atomic_store_explicit(&w->offer, NONE, memory_order_release);
    }
}

static void finish_share(struct worker *w)
{
    if (take(w, NONE)) {
        do_share(&pool.job, (size_t)(w - pool.worker));
        return;
    }
    for (int i = 0;
         atomic_load_explicit(&w->offer, memory_order_acquire) != NONE;
         i += i < SPINS)
        wait_a_little(i);
}

static void forget_workers(void)
{
    pool.started = 0;
    atomic_flag_clear(&pool.busy);
}

static void send_workers_home(void)
{
    if (atomic_flag_test_and_set(&pool.busy))
        return;                     /* exit() from within a loop */
    pool.job.body = NULL;
    for (int i = 1; i <= pool.started; i++)
        offer_to(&pool.worker[i]);
    for (int i = 1; i <= pool.started; i++)
        pthread_join(pool.worker[i].thread, NULL);
    forget_workers();
}

static void prepare_for_the_end(void)
{
    static bool prepared;
    if (!prepared) {
        pthread_atfork(NULL, NULL, forget_workers);
        atexit(send_workers_home);
    }
    prepared = true;
}

static void start_workers(int wanted)
{
    if (pool.started == 0)
        prepare_for_the_end();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.started < wanted) {
        struct worker *w = &pool.worker[pool.started + 1];
        *w = (struct worker){.offer = NONE};
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
        pool.started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void dl_parallel_for(size_t n, size_t grain, dl_range_function *body,
                     void *context)
{
    dl_check(grain > 0, "the grain is 0");
    dl_check(body != NULL, "there is no body");
    size_t grains = n > grain ? (n - 1) / grain + 1 : 1, shares = grains;
    if (shares > 1 && shares > (size_t)dl_get_num_threads())
        shares = (size_t)dl_get_num_threads();
    if (n == 0)
        return;
    if (shares == 1 || atomic_flag_test_and_set(&pool.busy)) {
        body(0, n, context);
        return;
    }
    pool.job = (struct job){n, grain, grains, shares, body, context};
    if (pool.started < (int)shares - 1)
        start_workers((int)shares - 1);
    int workers = pool.started < (int)shares - 1 ? pool.started
                                                 : (int)shares - 1;
    for (int i = 1; i <= workers; i++)
        offer_to(&pool.worker[i]);
    do_share(&pool.job, 0);
    for (size_t i = (size_t)workers + 1; i < shares; i++)
        do_share(&pool.job, i);
    for (int i = 1; i <= workers; i++)
        finish_share(&pool.worker[i]);
    atomic_flag_clear(&pool.busy);
}

void dl_set_num_threads(int threads)
{
    dl_check(threads >= 1 && threads <= MOST,
             "%d threads; there may be 1 to %d", threads, MOST);
    atomic_store(&pool.threads, threads);
}

int dl_get_num_threads(void)
{
    int threads = atomic_load_explicit(&pool.threads, memory_order_relaxed);
    if (threads == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        threads = online < 1 ? 1 : online > MOST ? MOST : (int)online;
        atomic_store(&pool.threads, threads);
    }
    return threads;
}
