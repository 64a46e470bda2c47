/* Chapter 3: pool, scopes, tensors, printing, .npy files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "dlfs.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef DL_DOUBLE
#define TOLERANCE 1e-12
#define WORD "float64"
#else
#define TOLERANCE 1e-4
#define WORD "float32"
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define len(a) (sizeof(a) / sizeof *(a))

static struct dl_random r;

static void seed(void) { dl_random_seed(&r, 3); }
TestSuite(broadcast, .init = seed);
TestSuite(permute, .init = seed);
TestSuite(tensor, .init = seed);

static int below(int n) { return (int)dl_random_below(&r, (uint64_t)n); }

static size_t lent(void) { return dl_pool_use().blocks; }

/* A tensor with the numbers 0, 1, 2, ... */
static dl_tensor *counted(struct dl_shape s)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)i;
    return t;
}

/* ---- Shapes ----------------------------------------------------------------------------------------------------- */

Test(shape, the_macro_counts_its_arguments)
{
    cr_assert(eq(int, DL_SHAPE().rank, 0));
    struct dl_shape s = DL_SHAPE(2, 3, 5, 7);
    cr_assert(eq(int, s.rank, 4));
    cr_assert(s.dim[0] == 2 && s.dim[1] == 3 && s.dim[2] == 5 && s.dim[3] == 7);
    cr_assert(eq(int, DL_SHAPE(0).rank, 1));
}

Test(shape, size_is_the_product_and_1_for_rank_0)
{
    cr_assert(eq(sz, dl_shape_size(DL_SHAPE()), 1));
    cr_assert(eq(sz, dl_shape_size(DL_SHAPE(2, 3, 5, 7)), 210));
    cr_assert(eq(sz, dl_shape_size(DL_SHAPE(2, 0, 5)), 0));
    cr_assert(eq(sz, dl_shape_size(DL_SHAPE(INT_MAX, INT_MAX, INT_MAX, 0)), 0));
    cr_assert(eq(sz, dl_shape_size(DL_SHAPE(0, INT_MAX, INT_MAX, INT_MAX)), 0));
}

Test(shape, a_wrong_shape_is_refused)
{
    fails_with(dl_shape_size(DL_SHAPE(3, -1)), "dl_shape_size: the shape [3, -1] has a negative length");
    fails_with(dl_shape_size((struct dl_shape){5, {1}}), "a shape of rank 5");
    fails_with(dl_shape_size((struct dl_shape){-1, {1}}), "a shape of rank -1");
    fails_with(dl_shape_size(DL_SHAPE(INT_MAX, INT_MAX, INT_MAX)), "[2147483647, 2147483647, 2147483647]", "memory");
    fails_with(dl_shape_size(DL_SHAPE(INT_MAX, INT_MAX, 4)), "does not fit in memory");
    fails_with(dl_shape_size(DL_SHAPE(1 << 16, 1 << 16, 1 << 16, 1 << 16)), "does not fit in memory");  /* 2^64 */
    fails_with(dl_empty(DL_SHAPE(-2)), "[-2]");
    fails_with(dl_empty(DL_SHAPE(1 << 30, 1 << 30)), "[1073741824, 1073741824]");
}

Test(shape, text_of_the_longest_shape_fits)
{
    char text[64];
    cr_assert(eq(str, (char *)dl_shape_text(DL_SHAPE(), text), "[]"));
    cr_assert(eq(str, (char *)dl_shape_text(DL_SHAPE(7), text), "[7]"));
    cr_assert(eq(str, (char *)dl_shape_text(DL_SHAPE(64, 784), text), "[64, 784]"));
    cr_assert(eq(str, (char *)dl_shape_text(DL_SHAPE(INT_MIN, INT_MIN, INT_MIN, INT_MIN), text),
                 "[-2147483648, -2147483648, -2147483648, -2147483648]"));
}

Test(shape, equality_looks_at_rank_and_at_lengths_in_use_only)
{
    cr_assert(dl_shape_equal(DL_SHAPE(2, 3), DL_SHAPE(2, 3)));
    cr_assert(not(dl_shape_equal(DL_SHAPE(2, 3), DL_SHAPE(3, 2))));
    cr_assert(not(dl_shape_equal(DL_SHAPE(2), DL_SHAPE(2, 1))));
    cr_assert(not(dl_shape_equal(DL_SHAPE(2, 3), DL_SHAPE(2, 4))));
    cr_assert(not(dl_shape_equal(DL_SHAPE(2, 3), DL_SHAPE(1, 3))));
    cr_assert(dl_shape_equal((struct dl_shape){1, {2, 77}}, (struct dl_shape){1, {2, 88}}));
}

/* ---- The pool --------------------------------------------------------------------------------------------------- */

Test(pool, blocks_are_aligned_large_enough_and_do_not_overlap)
{
    enum { N = 400 };
    static unsigned char *block[N];
    for (int i = 0; i < N; i++) {
        block[i] = dl_pool_get((size_t)i * 7);
        cr_assert(eq(sz, (uintptr_t)block[i] % 64, 0));
        memset(block[i], i, (size_t)i * 7);
    }
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < (size_t)i * 7; k++)
            cr_assert(block[i][k] == (unsigned char)i, "block %d was overwritten at %zu", i, k);
    for (int i = 0; i < N; i++)
        dl_pool_put(block[i], (size_t)i * 7);
    cr_assert(eq(sz, lent(), 0));
    cr_assert(eq(sz, dl_pool_use().bytes, 0));
    dl_pool_drain();
}

Test(pool, at_most_a_quarter_and_less_than_a_line_is_wasted)
{
    for (size_t bytes = 1; bytes < (1 << 20); bytes += 1 + bytes / 300) {
        void *p = dl_pool_get(bytes);
        size_t size = dl_pool_use().bytes;
        cr_assert(size >= bytes && size < bytes + bytes / 4 + 64, "%zu bytes occupy %zu", bytes, size);
        cr_assert(eq(sz, size % 64, 0));
        dl_pool_put(p, bytes);
        dl_pool_drain();
    }
}

Test(pool, of_a_power_of_two_at_most_two_lines_are_wasted_with_and_without_a_header)
{
    for (int n = 64; n <= 1 << 20; n *= 2) {
        size_t numbers = (size_t)n * sizeof(dl_real);
        void *p = dl_pool_get(numbers);
        cr_assert(le(sz, dl_pool_use().bytes, numbers + 128), "%d numbers", n);
        dl_pool_put(p, numbers);
        dl_tensor *t = dl_empty(DL_SHAPE(n));
        cr_assert(eq(sz, dl_pool_use().bytes, numbers + 128), "a tensor of %d numbers", n);
        dl_tensor_free(t);
        dl_pool_drain();
    }
}

Test(pool, every_size_of_a_class_gets_the_same_block_again)
{
    void *p = dl_pool_get(1000);
    dl_pool_put(p, 1000);
    size_t misses = dl_pool_use().misses;
    for (size_t bytes = 897; bytes <= 1024; bytes++) {
        void *q = dl_pool_get(bytes);
        cr_assert(eq(ptr, q, p));
        dl_pool_put(q, bytes);
    }
    cr_assert(eq(sz, dl_pool_use().misses, misses));
    void *q = dl_pool_get(1025);
    cr_assert(ne(ptr, q, p));
    dl_pool_put(q, 1025);
    dl_pool_drain();
}

Test(pool, the_block_put_back_last_comes_first)
{
    void *a = dl_pool_get(64), *b = dl_pool_get(64);
    dl_pool_put(a, 64);
    dl_pool_put(b, 64);
    cr_assert(eq(ptr, dl_pool_get(64), b));
    cr_assert(eq(ptr, dl_pool_get(64), a));
    dl_pool_put(a, 64);
    dl_pool_put(b, 64);
    dl_pool_drain();
}

Test(pool, null_may_be_put_back_and_nonsense_is_refused)
{
    dl_pool_put(NULL, 12);
    cr_assert(dl_pool_try(SIZE_MAX) == NULL);
    cr_assert(dl_pool_try(PTRDIFF_MAX) == NULL);
    fails_with(dl_pool_get(SIZE_MAX), "dl_pool_get: out of memory");
    cr_assert(eq(sz, lent(), 0));
}

Test(pool, after_draining_the_system_is_asked_again)
{
    dl_pool_put(dl_pool_get(100), 100);
    size_t misses = dl_pool_use().misses;
    dl_pool_drain();
    dl_pool_put(dl_pool_get(100), 100);
    cr_assert(eq(sz, dl_pool_use().misses, misses + 1));
    dl_pool_drain();
}

static void *use_a_pool(void *number)
{
    for (int i = 0; i < 2000; i++) {
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *t = dl_full(DL_SHAPE(17, 5), *(int *)number);
        dl_tensor *u = dl_clone(t);
        if (!dl_equal(t, u) || *dl_at(u, 16, 4) != *(int *)number)
            *(int *)number = -1;
        dl_scope_leave(s);
    }
    if (lent() != 0 || dl_scope_is_open())
        *(int *)number = -1;
    dl_pool_drain();
    return NULL;
}

Test(pool, threads_have_pools_and_scopes_of_their_own)
{
    pthread_t thread[4];
    int number[4] = {1, 2, 3, 4};
    dl_scope s = dl_scope_enter(DL_RECORD);
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, use_a_pool, &number[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        cr_assert(eq(int, number[i], i + 1));
    }
    cr_assert(eq(int, dl_scope_mode(), DL_RECORD));
    dl_scope_leave(s);
    dl_pool_drain();
}

/* ---- Scopes ----------------------------------------------------------------------------------------------------- */

static char said[200];

static void say(void *word) { strcat(said, word); }

Test(scope, leaving_undoes_newest_first)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_scope_defer(say, "a");
    dl_scope_defer(say, "b");
    dl_scope inner = dl_scope_enter(DL_NO_GRAD);
    dl_scope_defer(say, "c");
    dl_scope_leave(inner);
    cr_assert(eq(str, said, "c"));
    dl_scope_defer(say, "d");
    dl_scope_leave(s);
    cr_assert(eq(str, said, "cdba"));
    dl_pool_drain();
}

Test(scope, inner_scopes_left_open_are_left_too)
{
    dl_scope s = dl_scope_enter(DL_RECORD);
    dl_scope_defer(say, "a");
    dl_scope_enter(DL_NO_GRAD);
    dl_scope_defer(say, "b");
    dl_scope_enter(DL_RECORD);
    dl_scope_defer(say, "c");
    dl_scope_leave(s);
    cr_assert(eq(str, said, "cba"));
    cr_assert(not(dl_scope_is_open()));
    cr_assert(eq(int, dl_scope_mode(), DL_NO_GRAD));
    dl_pool_drain();
}

Test(scope, modes_nest)
{
    cr_assert(eq(int, dl_scope_mode(), DL_NO_GRAD));
    dl_scope a = dl_scope_enter(DL_RECORD);
    cr_assert(eq(int, dl_scope_mode(), DL_RECORD));
    dl_scope b = dl_scope_enter(DL_NO_GRAD);
    cr_assert(eq(int, dl_scope_mode(), DL_NO_GRAD));
    dl_scope_leave(b);
    cr_assert(eq(int, dl_scope_mode(), DL_RECORD));
    cr_assert(dl_scope_is_open());
    dl_scope_leave(a);
    cr_assert(eq(int, dl_scope_mode(), DL_NO_GRAD));
    dl_pool_drain();
}

Test(scope, leaving_twice_is_refused_even_if_another_took_its_place)
{
    dl_scope a = dl_scope_enter(DL_RECORD);
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_scope_leave(inner);
    fails_with(dl_scope_leave(inner), "dl_scope_leave: this scope was left before");
    dl_scope other = dl_scope_enter(DL_RECORD);
    fails_with(dl_scope_leave(inner), "was left before");
    dl_scope_leave(other);
    dl_scope_leave(a);
    fails_with(dl_scope_leave(a), "was left before");
    fails_with(dl_scope_leave((dl_scope){0}), "never entered");
    dl_pool_drain();
}

Test(scope, deferring_outside_of_scopes_is_refused)
{
    fails_with(dl_scope_defer(say, "x"), "dl_scope_defer: no scope is open");
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    fails_with(dl_scope_defer(NULL, "x"), "dl_scope_defer: there is no function");
    dl_scope_leave(s);
    cr_assert(eq(str, said, ""));
    dl_pool_drain();
}

static void fail(void *what) { dl_check(false, "%s", (char *)what); }

Test(scope, an_undo_that_fails_is_not_called_again)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_scope_defer(say, "a");
    dl_scope_defer(fail, "cannot undo");
    dl_scope_defer(say, "b");
    fails_with(dl_scope_leave(s), "cannot undo");
    cr_assert(eq(str, said, "b"));
    dl_scope_leave(s);
    cr_assert(eq(str, said, "ba"));
    dl_pool_drain();
}

Test(scope, a_hundred_thousand_things_are_undone)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    for (int i = 0; i < 100000; i++)
        dl_scalar((dl_real)i);
    cr_assert(eq(sz, lent(), 100000));
    dl_scope_leave(s);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(scope, steps_after_the_first_take_nothing_from_the_system)
{
    size_t misses = 0;
    for (int step = 0; step < 1000; step++) {
        dl_scope s = dl_scope_enter(DL_RECORD);
        for (int i = 1; i < 40; i++) {
            dl_tensor *t = dl_zeros(DL_SHAPE(i, i, 3));
            dl_narrow(dl_view(t, DL_SHAPE(-1)), i, i);
        }
        dl_scope_leave(s);
        if (step == 0)
            misses = dl_pool_use().misses;
    }
    cr_assert(eq(sz, dl_pool_use().misses, misses));
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(scope, a_handler_that_jumps_leaves_nothing_behind)
{
    static dl_scope s;
    s = dl_scope_enter(DL_RECORD);
    fails_with(
        dl_tensor *t = dl_zeros(DL_SHAPE(3, 4));
        dl_scope_enter(DL_NO_GRAD);
        dl_view(t, DL_SHAPE(4, 3));
        dl_view(t, DL_SHAPE(5, 3)),
        "dl_view: a tensor of shape [3, 4] cannot be viewed as [5, 3]");
    dl_scope_leave(s);
    cr_assert(eq(sz, lent(), 0));
    cr_assert(not(dl_scope_is_open()));
    dl_pool_drain();
}

/* ---- Memory that runs out ---------------------------------------------------------------------------------------- */

#if !(defined __clang__ && defined __SANITIZE_ADDRESS__)

static long grants = -1;       /* how many requests will be granted; -1: all */

static bool granted(void)
{
    if (grants > 0)
        grants--;
    return grants != 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    static void *(*real)(size_t, size_t);
    if (!real)
        real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
    return granted() ? real(alignment, size) : NULL;
}

void *realloc(void *p, size_t size)
{
    static void *(*real)(void *, size_t);
    if (!real)
        real = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    return granted() ? real(p, size) : NULL;
}

#ifndef __SANITIZE_ADDRESS__
void *malloc(size_t size)
{
    static void *(*real)(size_t);
    if (!real)
        real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    return granted() ? real(size) : NULL;
}
#endif

static int undone;

static void count_undone(void *what)
{
    (void)what;
    undone++;
}

/* Fills the stack of what is to be undone to its last place. */
static void fill_the_stack(void)
{
    for (bool full = false; !full;) {
        grants = 0;
        full = !dl_scope_reserve();
        grants = -1;
        if (!full)
            dl_scope_defer(count_undone, NULL);
    }
}

Test(memory, a_stack_that_cannot_grow_is_named_by_whoever_needed_it)
{
    if (under_valgrind())
        cr_skip_test("valgrind has its own malloc");
    dl_pool_put(dl_pool_get(4096), 4096);                   /* the pool has what is asked for below */
    dl_scope s = dl_scope_enter(DL_RECORD);
    dl_tensor *t = dl_zeros(DL_SHAPE(2, 3));
    fill_the_stack();
    fails_with(grants = 0; dl_scope_enter(DL_NO_GRAD), "memory.c:", "out of memory", "to be undone");
    fails_with(grants = 0; dl_scope_defer(count_undone, NULL), "memory.c:", "out of memory", "to be undone");
    fails_with(grants = 0; dl_view(t, DL_SHAPE(6)), "no memory for a view");
    fails_with(grants = 0; dl_empty(DL_SHAPE(2, 3)), ": dl_empty: ", "no memory for a tensor of shape [2, 3]");
    grants = 0;
    cr_assert(dl_try_empty(DL_SHAPE(2, 3)) == NULL);
    grants = -1;
    cr_assert(dl_scope_mode() == DL_RECORD && undone == 0);
    dl_scope_defer(count_undone, NULL);                     /* now it grows */
    dl_scope_leave(s);
    cr_assert(undone > 60);
}

static int files_open(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static struct dl_params some_params;
static dl_tensor *some_permanent;
static bool file_refused;

/* Everything that takes memory. */
static void use_everything(void)
{
    some_permanent = dl_zeros(DL_SHAPE(3, 5));
    dl_scope_enter(DL_RECORD);
    for (int i = 0; i < 70; i++) {
        char name[20];
        sprintf(name, "layer%d.weight", i);
        dl_fill(dl_param(&some_params, name, DL_SHAPE(i, 3)), 1);
        dl_view(dl_full(DL_SHAPE(i, 2), 1), DL_SHAPE(2, i));
        if (i == 40)
            dl_scalar(1);          /* so that the stack grows once for a view and once for a tensor of its own */
    }
    dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_uniform(DL_SHAPE(20, 30), &r, 0, 1), *b = dl_normal(DL_SHAPE(30, 20), &r, 0, 1);
    dl_permute_copy(b, a, (int[]){1, 0});
    dl_select(dl_narrow(dl_clone(a), 2, 3), 1);
    dl_detach(a);
    dl_scalar(1);
    dl_view(some_permanent, DL_SHAPE(-1));
    FILE *null = fopen("/dev/null", "w");
    if (null) {
        dl_print(null, a);
        fclose(null);
    }
    if (!dl_npy_write("/tmp/dlfs-memory.npy", a) || !dl_npy_read("/tmp/dlfs-memory.npy"))
        file_refused = true;
}

Test(memory, each_request_that_fails_gives_one_line_and_leaves_nothing_behind)
{
    if (under_valgrind())
        cr_skip_test("valgrind has its own malloc");
    static int n, files;
    static bool done;
    seed();
    files = files_open();
    for (n = 0; !done && n < 10000; n++) {
        static dl_scope s;
        static bool entered;
        entered = file_refused = false;
        dl_error("nothing");
        const char *line = report_of({
            grants = n;
            s = dl_scope_enter(DL_RECORD);
            entered = true;
            dl_scope_leave(s);
            use_everything();
        });
        done = grants != 0;
        grants = -1;
        if (!done && !file_refused && strcmp(dl_error_text(), "nothing") == 0)
            cr_assert(strstr(line, "memory") && !strchr(line, '\n'), "request %d: \"%s\"", n, line);
        else
            cr_assert(eq(str, (char *)line, ""));
        if (dl_scope_is_open()) {                  /* the outermost stands where the stack begins */
            dl_scope outer = {0, s.number + 1, 0, DL_NO_GRAD};
            dl_scope_leave(outer);
        }
        cr_assert(entered || n < 2);
        dl_tensor_free(some_permanent);
        some_permanent = NULL;
        dl_params_free(&some_params);
        cr_assert(lent() == 0, "after request %d failed, %zu blocks are missing", n, lent());
        dl_pool_drain();
        cr_assert(eq(int, files_open(), files));
    }
    cr_assert(done && n > 150, "only %d requests", n);
    unlink("/tmp/dlfs-memory.npy");
}

#endif

/* ---- The debug build: memory.c once more, with DL_DEBUG ----------------------------------------------------------- */

#define DL_DEBUG
#define dl_pool_get debug_get
#define dl_pool_try debug_try
#define dl_pool_put debug_put
#define dl_pool_drain debug_drain
#define dl_pool_use(...) debug_use(__VA_ARGS__)
#define dl_scope_enter debug_enter
#define dl_scope_leave debug_leave
#define dl_scope_defer debug_defer
#define dl_scope_reserve debug_reserve
#define dl_scope_is_open debug_is_open
#define dl_scope_mode debug_mode
void *debug_get(size_t bytes);
void *debug_try(size_t bytes);
void debug_put(void *block, size_t bytes);
void debug_drain(void);
bool debug_reserve(void);
#include "memory.c"
#undef dl_pool_get
#undef dl_pool_try
#undef dl_pool_put
#undef dl_pool_drain
#undef dl_pool_use
#undef dl_scope_enter
#undef dl_scope_leave
#undef dl_scope_defer
#undef dl_scope_reserve
#undef dl_scope_is_open
#undef dl_scope_mode

Test(debug, lent_blocks_are_nan)
{
    for (int round = 0; round < 2; round++) {
        dl_real *x = debug_get(1000 * sizeof *x);
        for (int i = 0; i < 1000; i++)
            cr_assert(isnan(x[i]), "number %d of a %s block", i, round ? "used" : "new");
        for (int i = 0; i < 1000; i++)
            x[i] = 7;
        debug_put(x, 1000 * sizeof *x);
    }
    debug_drain();
}

#ifndef __SANITIZE_ADDRESS__
Test(debug, a_block_put_back_reads_as_nan)
{
    dl_real *x = debug_get(1000 * sizeof *x);
    for (int i = 0; i < 1000; i++)
        x[i] = 7;
    debug_put(x, 1000 * sizeof *x);
    for (int i = 16; i < 1000; i++)
        cr_assert(isnan(x[i]), "number %d", i);
    cr_assert(isnan(x[0]));
    debug_drain();
}
#else
static int after_a_read(const volatile char *place)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        _exit(*place == 'x');
    }
    waitpid(child, &status, 0);
    return status;
}

Test(debug, reading_a_block_put_back_stops_the_program)
{
    char *x = debug_get(1000);
    memset(x, 'y', 1000);
    cr_assert(eq(int, after_a_read(x + 500), 0));
    debug_put(x, 1000);
    cr_assert(ne(int, after_a_read(x), 0));
    cr_assert(ne(int, after_a_read(x + 40), 0));
    cr_assert(ne(int, after_a_read(x + 64), 0));
    cr_assert(ne(int, after_a_read(x + 999), 0));
    debug_drain();
}

Test(debug, reading_the_numbers_of_a_tensor_after_its_scope_stops_the_program)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = dl_full(DL_SHAPE(100), 1);
    const char *x = (const char *)dl_data(t);
    cr_assert(eq(int, after_a_read(x), 0));
    dl_scope_leave(s);
    cr_assert(ne(int, after_a_read(x), 0));
    cr_assert(ne(int, after_a_read(x + 399), 0));
    cr_assert(ne(int, after_a_read((const char *)&t->storage), 0));
    dl_pool_drain();
}
#endif

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

Test(tensor, makers_fill_what_they_say)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *z = dl_zeros(DL_SHAPE(3, 4)), *f = dl_full(DL_SHAPE(2, 2), 2.5), *n = dl_scalar(-7);
    dl_tensor *a = dl_from_array(DL_SHAPE(2, 3), (dl_real[]){1, 2, 3, 4, 5, 6});
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            cr_assert(dl_at(z, i, j)[0] == 0);
    cr_assert(dl_at(f, 1, 1)[0] == 2.5 && *dl_at(f, 0, 0) == 2.5);
    cr_assert(n->shape.rank == 0 && dl_item(n) == -7 && *dl_at(n) == -7);
    cr_assert(dl_at(a, 0, 2)[0] == 3 && *dl_at(a, 1, 0) == 4);
    cr_assert(eq(sz, dl_empty(DL_SHAPE(0, 5))->size, 0));
    cr_assert(eq(sz, dl_from_array(DL_SHAPE(0), NULL)->size, 0));
    cr_assert(eq(sz, (uintptr_t)dl_data(a) % 64, 0));
    cr_assert(not(a->requires_grad));
    cr_assert(a->storage->grad == NULL && a->storage->version == 0);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(tensor, random_makers_draw_what_the_generator_draws)
{
    for (int n = 0; n < 70; n++) {
        float u[70], v[70];
        struct dl_random a, b;
        dl_random_seed(&a, 9);
        dl_random_seed(&b, 9);
        dl_random_fill_uniform(&a, u, (size_t)n, -2, 3);
        dl_random_fill_normal(&a, v, (size_t)n, 1, 0.5f);
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_uniform(DL_SHAPE(n), &b, -2, 3), *y = dl_normal(DL_SHAPE(n), &b, 1, 0.5f);
        for (int i = 0; i < n; i++)
            cr_assert(dl_at(x, i)[0] == u[i] && *dl_at(y, i) == v[i], "draw %d of %d", i, n);
        cr_assert(eq(u32, dl_random_u32(&a), dl_random_u32(&b)));
        dl_scope_leave(s);
    }
    dl_pool_drain();
}

Test(tensor, wrong_arguments_of_the_makers_are_refused_before_memory_is_taken)
{
    fails_with(dl_uniform(DL_SHAPE(3), &r, 2, 1), "dl_uniform: the interval from 2 to 1 is empty");
    fails_with(dl_uniform(DL_SHAPE(3), &r, NAN, 1), "dl_uniform:");
    fails_with(dl_uniform(DL_SHAPE(3), NULL, 0, 1), "dl_uniform: the generator is NULL");
    fails_with(dl_normal(DL_SHAPE(3), &r, 0, -1), "dl_normal: the standard deviation -1 is negative");
    fails_with(dl_normal(DL_SHAPE(3), NULL, 0, 1), "dl_normal: the generator is NULL");
    fails_with(dl_from_array(DL_SHAPE(3), NULL), "dl_from_array: no values for a tensor of shape [3]");
    fails_with(dl_clone(NULL), "dl_clone: the tensor t is NULL");
    cr_assert(eq(sz, lent(), 0));
}

Test(tensor, elements_are_found_in_row_major_order)
{
    dl_tensor *t = counted(DL_SHAPE(3, 4, 5, 6));
    for (int i = 0, n = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 5; k++)
                for (int l = 0; l < 6; l++, n++)
                    cr_assert(dl_at(t, i, j, k, l)[0] == n);
    dl_tensor_free(t);
    dl_pool_drain();
}

Test(tensor, wrong_indices_are_refused)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(3, 4));
    fails_with(dl_at(t, 3, 0), "dl_element: index 3 of axis 0 is outside of shape [3, 4]");
    fails_with(dl_at(t, 0, 4), "index 4 of axis 1", "[3, 4]");
    fails_with(dl_at(t, 0, -1), "index -1 of axis 1", "[3, 4]");
    fails_with(dl_at(t, 1), "1 indices for a tensor of shape [3, 4]");
    fails_with(dl_at(t), "0 indices for a tensor of shape [3, 4]");
    fails_with(dl_item(t), "dl_item: a tensor of shape [3, 4] is not a single number");
    dl_tensor_free(t);
    dl_pool_drain();
}

Test(tensor, in_a_scope_it_is_temporary_and_outside_permanent)
{
    dl_tensor *p = dl_zeros(DL_SHAPE(5));
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = dl_zeros(DL_SHAPE(5));
    cr_assert(p->permanent && !t->permanent);
    fails_with(dl_tensor_free(t), "dl_tensor_free: the tensor of shape [5] is freed by its scope");
    dl_scope_leave(s);
    cr_assert(eq(sz, lent(), 1));
    dl_tensor_free(p);
    dl_tensor_free(NULL);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(tensor, use_after_the_scope_is_reported_in_one_line)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    static dl_tensor *t, *v, *p;
    t = dl_zeros(DL_SHAPE(1));
    v = dl_view(t, DL_SHAPE(1, 1));
    dl_scope_leave(s);
    fails_with(dl_item(t), "dl_item: the tensor t was released, with its scope or by hand");
    fails_with(dl_fill(v, 1), "dl_fill: the tensor t was released");
    fails_with(dl_view(t, DL_SHAPE(1)), "dl_view: the tensor t was released");
    fails_with(dl_print(stdout, t), "dl_print: the tensor t was released");
    fails_with(dl_npy_write("/dev/null", t), "dl_npy_write: the tensor t was released");
    p = dl_zeros(DL_SHAPE(100, 100));
    dl_tensor_free(p);
    fails_with(dl_tensor_free(p), "dl_tensor_free: the tensor t was released");
    dl_pool_drain();
}

Test(tensor, every_function_refuses_null)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(1));
    fails_with(dl_item(NULL), "dl_item: the tensor t is NULL");
    fails_with(dl_at(NULL, 1), "dl_element: the tensor t is NULL");
    fails_with(dl_fill(NULL, 1), "dl_fill:", "NULL");
    fails_with(dl_copy(NULL, t), "dl_copy: the tensor to is NULL");
    fails_with(dl_copy(t, NULL), "dl_copy: the tensor from is NULL");
    fails_with(dl_view(NULL, DL_SHAPE(1)), "dl_view:", "NULL");
    fails_with(dl_narrow(NULL, 0, 1), "dl_narrow:", "NULL");
    fails_with(dl_select(NULL, 0), "dl_select:", "NULL");
    fails_with(dl_detach(NULL), "dl_detach:", "NULL");
    fails_with(dl_broadcast_copy(t, NULL), "dl_broadcast_copy:", "from is NULL");
    fails_with(dl_sum_to(NULL, t), "dl_sum_to:", "to is NULL");
    fails_with(dl_permute_copy(t, NULL, (int[]){0}), "dl_permute_copy:", "NULL");
    fails_with(dl_clone(NULL), "dl_clone:", "NULL");
    fails_with(dl_allclose(t, NULL, 0, 0), "dl_allclose:", "b is NULL");
    fails_with(dl_allclose(NULL, t, 0, 0), "dl_allclose:", "a is NULL");
    fails_with(dl_equal(NULL, t), "dl_equal:", "a is NULL");
    fails_with(dl_equal(t, NULL), "dl_equal:", "b is NULL");
    fails_with(dl_print(NULL, t), "dl_print: the file is NULL");
    fails_with(dl_npy_read(NULL), "dl_npy_read: the path is NULL");
    fails_with(dl_npy_write(NULL, t), "dl_npy_write: the path is NULL");
    fails_with(dl_params_find(NULL, "x"), "dl_params_find:", "NULL");
    fails_with(dl_params_count(NULL), "dl_params_count:", "NULL");
    fails_with(dl_params_free(NULL), "dl_params_free:", "NULL");
    fails_with(dl_param(NULL, "x", DL_SHAPE()), "NULL");
    fails_with(dl_param(&(struct dl_params){0}, NULL, DL_SHAPE()), "NULL");
    dl_tensor_free(t);
    dl_pool_drain();
}

Test(tensor, changes_in_place_count_as_versions)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(4)), *u = dl_full(DL_SHAPE(4), 3), *v = dl_narrow(t, 1, 2), *d = dl_detach(v);
    cr_assert(t->storage->version == 0);
    dl_fill(v, 2);
    cr_assert(t->storage->version == 1);
    dl_fill(d, 5);
    cr_assert(t->storage->version == 2);
    dl_copy(t, u);
    cr_assert(t->storage->version == 3 && u->storage->version == 0);
    dl_touch(t);
    dl_broadcast_copy(t, u);
    dl_sum_to(t, u);
    dl_permute_copy(t, u, (int[]){0});
    cr_assert(t->storage->version == 7);
    dl_tensor *all[] = {t, d, v, u};
    for (size_t i = 0; i < len(all); i++)
        dl_tensor_free(all[i]);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(tensor, copy_wants_equal_shapes_and_may_overlap)
{
    dl_tensor *t = counted(DL_SHAPE(6)), *m = dl_zeros(DL_SHAPE(2, 3));
    fails_with(dl_copy(m, t), "dl_copy: shape [6] cannot be copied to shape [2, 3]");
    dl_tensor *a = dl_narrow(t, 0, 4), *b = dl_narrow(t, 2, 4);
    dl_copy(b, a);
    cr_assert(dl_at(t, 1)[0] == 1 && *dl_at(t, 2) == 0 && *dl_at(t, 5) == 3);
    dl_tensor *all[] = {t, m, a, b};
    for (size_t i = 0; i < len(all); i++)
        dl_tensor_free(all[i]);
    dl_pool_drain();
}

/* ---- Views ------------------------------------------------------------------------------------------------------ */

Test(view, a_view_shares_data_and_gradient)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(4, 6));
    t->requires_grad = true;
    dl_tensor *v = dl_view(t, DL_SHAPE(2, 2, 6)), *n = dl_narrow(v, 1, 1), *row = dl_select(t, 3);
    cr_assert(dl_at(n, 0, 1, 5)[0] == 23 && *dl_at(row, 5) == 23);
    *dl_at(n, 0, 1, 5) = -1;
    cr_assert(dl_at(t, 3, 5)[0] == -1 && *dl_at(row, 5) == -1);
    cr_assert(v->storage == t->storage && n->storage == t->storage);
    cr_assert(n->offset == 12 && row->offset == 18 && row->size == 6 && n->size == 12);
    cr_assert(n->requires_grad && row->requires_grad);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(view, the_clone_of_a_part_is_that_part)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(4, 3)), *c = dl_clone(dl_narrow(t, 1, 2));
    cr_assert(c->storage != t->storage && dl_shape_equal(c->shape, DL_SHAPE(2, 3)));
    for (int i = 0; i < 6; i++)
        cr_assert(dl_data(c)[i] == 3 + i);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(view, an_open_length_is_computed)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(4, 6));
    cr_assert(dl_shape_equal(dl_view(t, DL_SHAPE(-1))->shape, DL_SHAPE(24)));
    cr_assert(dl_shape_equal(dl_view(t, DL_SHAPE(3, -1, 2))->shape, DL_SHAPE(3, 4, 2)));
    cr_assert(dl_shape_equal(dl_view(t, DL_SHAPE(24, -1))->shape, DL_SHAPE(24, 1)));
    cr_assert(dl_shape_equal(dl_view(dl_scalar(1), DL_SHAPE(-1, 1))->shape, DL_SHAPE(1, 1)));
    cr_assert(dl_shape_equal(dl_view(dl_zeros(DL_SHAPE(0, 3)), DL_SHAPE(-1, 5))->shape, DL_SHAPE(0, 5)));
    cr_assert(dl_shape_equal(dl_view(dl_scalar(1), DL_SHAPE())->shape, DL_SHAPE()));
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(view, impossible_views_are_refused_with_both_shapes)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(4, 6)), *e = dl_zeros(DL_SHAPE(0, 3)), *n = dl_scalar(1);
    fails_with(dl_view(t, DL_SHAPE(5, 5)), "dl_view: a tensor of shape [4, 6] cannot be viewed as [5, 5]");
    fails_with(dl_view(t, DL_SHAPE(5, -1)), "[4, 6]", "[5, -1]");
    fails_with(dl_view(t, DL_SHAPE(0, -1)), "[4, 6]", "[0, -1]");
    fails_with(dl_view(t, DL_SHAPE()), "[4, 6]", "[]");
    fails_with(dl_view(t, DL_SHAPE(-1, -1)), "negative");
    fails_with(dl_view(t, DL_SHAPE(-2, 12)), "negative");
    fails_with(dl_view(e, DL_SHAPE(-1, 0)), "[0, 3]", "[-1, 0]");
    fails_with(dl_narrow(t, 3, 2), "dl_narrow: there are no 2 rows from row 3 on in shape [4, 6]");
    fails_with(dl_narrow(t, -1, 2), "from row -1");
    fails_with(dl_narrow(t, 0, -1), "no -1 rows");
    fails_with(dl_narrow(t, INT_MAX, INT_MAX), "[4, 6]");
    fails_with(dl_narrow(t, 5, 0), "[4, 6]");
    fails_with(dl_narrow(n, 0, 1), "dl_narrow: a single number has no rows");
    fails_with(dl_select(t, 4), "dl_select: there is no row 4 in shape [4, 6]");
    fails_with(dl_select(t, -1), "no row -1");
    fails_with(dl_select(e, 0), "no row 0 in shape [0, 3]");
    fails_with(dl_select(n, 0), "dl_select: a single number has no rows");
    dl_tensor_free(t), dl_tensor_free(e), dl_tensor_free(n);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(view, empty_ranges_are_allowed)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(4, 6));
    cr_assert(eq(sz, dl_narrow(t, 4, 0)->size, 0));
    cr_assert(eq(sz, dl_narrow(dl_zeros(DL_SHAPE(0, 3)), 0, 0)->size, 0));
    cr_assert(eq(sz, dl_narrow(t, 0, 4)->size, 24));
    cr_assert(dl_item(dl_select(dl_select(t, 2), 3)) == 15);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(view, permanent_views_and_bases_may_be_freed_in_any_order)
{
    static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int k = 0; k < 6; k++)
        for (int detached = 0; detached < 2; detached++) {
            dl_tensor *t[3] = {counted(DL_SHAPE(4, 6))};
            t[1] = detached ? dl_detach(t[0]) : dl_select(t[0], 1);
            t[2] = dl_view(t[1], DL_SHAPE(3, -1));
            dl_tensor_free(t[order[k][0]]);
            if (order[k][0] != 2)
                cr_assert(dl_at(t[2], 0, 0)[0] == (detached ? 0 : 6));
            dl_tensor_free(t[order[k][1]]);
            dl_tensor_free(t[order[k][2]]);
            cr_assert(eq(sz, lent(), 0));
            cr_assert(eq(sz, dl_pool_use().bytes, 0));
        }
    dl_pool_drain();
}

Test(view, a_gradient_goes_with_the_storage)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(4, 6)), *v = dl_select(t, 1), *d = dl_detach(v);
    t->storage->grad = dl_pool_get(24 * sizeof(dl_real));
    d->storage->grad = dl_pool_get(6 * sizeof(dl_real));
    cr_assert(v->storage->grad == t->storage->grad);
    dl_tensor_free(t), dl_tensor_free(v), dl_tensor_free(d);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

Test(view, detached_tensors_share_data_and_want_no_gradient)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(4, 6));
    t->requires_grad = true;
    dl_tensor *d = dl_detach(dl_narrow(t, 2, 2)), *e = dl_detach(d);
    cr_assert(dl_data(d) == dl_data(t) + 12 && dl_data(e) == dl_data(d));
    cr_assert(d->storage != t->storage && e->storage->owner == t->storage);
    cr_assert(d->storage->size == 12 && d->offset == 0 && !d->requires_grad);
    cr_assert(dl_shape_equal(e->shape, DL_SHAPE(2, 6)));
    dl_scope_leave(s);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

/* ---- Broadcasting ------------------------------------------------------------------------------------------------ */

static struct dl_shape random_shape(int largest)
{
    struct dl_shape s = {.rank = below(5)};
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = below(3) == 0 ? 1 : below(20) == 0 ? 0 : 1 + below(largest);
    return s;
}

/* A shape that broadcasts to s. */
static struct dl_shape random_operand(struct dl_shape s)
{
    struct dl_shape t = {.rank = below(s.rank + 1)};
    for (int k = 0; k < t.rank; k++)
        t.dim[k] = below(2) == 0 ? 1 : s.dim[s.rank - t.rank + k];
    return t;
}

/* The indices of element number n of shape s, filled up to four at the left. */
static void indices_of(size_t n, struct dl_shape s, int index[4])
{
    for (int k = 3, axis = s.rank - 1; k >= 0; k--, axis--) {
        index[k] = axis >= 0 ? (int)(n % (size_t)s.dim[axis]) : 0;
        n = axis >= 0 ? n / (size_t)s.dim[axis] : n;
    }
}

/* beta: the number of the operand's element that stands at these indices of the result. */
static size_t source_of(const int index[4], struct dl_shape s)
{
    size_t place = 0;
    for (int k = 0; k < s.rank; k++)
        place = place * (size_t)s.dim[k] + (size_t)(s.dim[k] == 1 ? 0 : index[4 - s.rank + k]);
    return place;
}

static double inner(const dl_tensor *a, const dl_tensor *b)
{
    double sum = 0;
    for (size_t i = 0; i < a->size; i++)
        sum += (double)dl_data(a)[i] * dl_data(b)[i];
    return sum;
}

Test(broadcast, shapes_follow_numpys_rule)
{
    static const struct { struct dl_shape a, b; int fits; struct dl_shape out; } cases[] = {
        {{0, {0}}, {0, {0}}, 1, {0, {0}}},
        {{0, {0}}, {2, {3, 4}}, 1, {2, {3, 4}}},
        {{1, {4}}, {2, {3, 4}}, 1, {2, {3, 4}}},
        {{1, {3}}, {2, {3, 4}}, 0, {0, {0}}},
        {{2, {3, 1}}, {2, {1, 4}}, 1, {2, {3, 4}}},
        {{2, {3, 1}}, {3, {5, 1, 4}}, 1, {3, {5, 3, 4}}},
        {{4, {8, 1, 6, 1}}, {3, {7, 1, 5}}, 1, {4, {8, 7, 6, 5}}},
        {{1, {1}}, {1, {0}}, 1, {1, {0}}},
        {{1, {2}}, {1, {0}}, 0, {0, {0}}},
        {{2, {2, 1}}, {3, {8, 4, 3}}, 0, {0, {0}}},
        {{2, {5, 0}}, {2, {1, 1}}, 1, {2, {5, 0}}},
    };
    for (size_t i = 0; i < len(cases); i++) {
        struct dl_shape out = {3, {77, 77, 77}};
        cr_assert(eq(int, dl_broadcast_shapes(cases[i].a, cases[i].b, &out), cases[i].fits), "case %zu", i);
        cr_assert(dl_shape_equal(out, cases[i].fits ? cases[i].out : out), "case %zu: %s", i, DL_SHAPE_TEXT(out));
        cr_assert(eq(int, dl_broadcast_shapes(cases[i].b, cases[i].a, &out), cases[i].fits), "case %zu", i);
        cr_assert(dl_shape_equal(out, cases[i].fits ? cases[i].out : out), "case %zu: %s", i, DL_SHAPE_TEXT(out));
    }
}

Test(broadcast, the_walk_finds_every_element_of_three_operands)
{
    for (int round = 0; round < 3000; round++) {
        struct dl_shape out = random_shape(5), s[3];
        int n = below(4);
        for (int k = 0; k < n; k++)
            s[k] = below(4) ? random_operand(out) : out;
        struct dl_walk w;
        size_t place = 0;
        dl_walk_begin(&w, out, n, s);
        while (dl_walk_next(&w)) {
            cr_assert(w.length > 0);
            for (size_t i = 0; i < w.length; i++, place++) {
                int index[4];
                indices_of(place, out, index);
                for (int k = 0; k < n; k++) {
                    cr_assert(w.step[k] == 0 || w.step[k] == 1);
                    cr_assert(w.at[k] + i * (size_t)w.step[k] == source_of(index, s[k]),
                              "round %d: operand %s in %s at %zu", round, DL_SHAPE_TEXT(s[k]), DL_SHAPE_TEXT(out), place);
                }
            }
        }
        cr_assert(eq(sz, place, dl_shape_size(out)));
        cr_assert(not(dl_walk_next(&w)));
    }
}

Test(broadcast, equal_shapes_are_one_run)
{
    struct dl_walk w;
    struct dl_shape s = DL_SHAPE(3, 4, 5, 6), bias = DL_SHAPE(6), rows = DL_SHAPE(3, 4, 5, 1);
    dl_walk_begin(&w, s, 2, (struct dl_shape[]){s, s});
    cr_assert(dl_walk_next(&w) && w.length == 360 && !dl_walk_next(&w));
    dl_walk_begin(&w, s, 2, (struct dl_shape[]){s, DL_SHAPE()});
    cr_assert(dl_walk_next(&w) && w.length == 360 && w.step[1] == 0 && !dl_walk_next(&w));
    dl_walk_begin(&w, s, 2, (struct dl_shape[]){s, bias});
    cr_assert(dl_walk_next(&w) && w.length == 6 && w.step[1] == 1);
    cr_assert(eq(int, w.axes, 2));
    dl_walk_begin(&w, s, 2, (struct dl_shape[]){s, rows});
    cr_assert(dl_walk_next(&w) && w.length == 6 && w.step[1] == 0);
    cr_assert(eq(int, w.axes, 2));
}

Test(broadcast, summation_is_the_adjoint_of_repetition)
{
    for (int i = 0; i < 1000; i++) {
        struct dl_shape large = random_shape(6);
        struct dl_shape small = random_operand(large);
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_normal(small, &r, 0, 1), *Bx = dl_empty(large);
        dl_tensor *y = dl_normal(large, &r, 0, 1), *By = dl_empty(small);
        dl_broadcast_copy(Bx, x);
        dl_sum_to(By, y);
        cr_assert(epsilon_eq(dbl, inner(Bx, y), inner(x, By), TOLERANCE));
        dl_scope_leave(s);
    }
    dl_pool_drain();
}

Test(broadcast, copy_and_sum_do_what_four_loops_do)
{
    for (int round = 0; round < 500; round++) {
        struct dl_shape large = random_shape(round % 50 == 0 ? 40 : 6), small = random_operand(large);
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_normal(small, &r, 0, 1), *y = dl_normal(large, &r, 0, 1);
        dl_tensor *Bx = dl_empty(large), *By = dl_full(small, NAN);
        double *sum = calloc(x->size + 1, sizeof *sum);
        dl_broadcast_copy(Bx, x);
        dl_sum_to(By, y);
        for (size_t i = 0; i < y->size; i++) {
            int index[4];
            indices_of(i, large, index);
            cr_assert(dl_data(Bx)[i] == dl_data(x)[source_of(index, small)]);
            sum[source_of(index, small)] += dl_data(y)[i];
        }
        for (size_t i = 0; i < x->size; i++)
            cr_assert(fabs(dl_data(By)[i] - sum[i]) <= TOLERANCE * (1 + fabs(sum[i])));
        free(sum);
        dl_scope_leave(s);
    }
    dl_pool_drain();
}

Test(broadcast, a_long_sum_is_accurate)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *y = dl_full(DL_SHAPE(1 << 25), 1), *sum = dl_empty(DL_SHAPE());
    dl_sum_to(sum, y);
    cr_assert(dl_item(sum) == 1 << 25);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(broadcast, nan_and_infinity_go_where_they_belong)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_from_array(DL_SHAPE(3), (dl_real[]){NAN, INFINITY, 1}), *m = dl_empty(DL_SHAPE(2, 3));
    dl_broadcast_copy(m, x);
    cr_assert(isnan(*dl_at(m, 1, 0)) && *dl_at(m, 1, 1) == INFINITY && *dl_at(m, 1, 2) == 1);
    dl_sum_to(x, m);
    cr_assert(isnan(*dl_at(x, 0)) && *dl_at(x, 1) == INFINITY && *dl_at(x, 2) == 2);
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(broadcast, what_does_not_fit_is_refused_with_both_shapes)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_zeros(DL_SHAPE(3, 4)), *b = dl_zeros(DL_SHAPE(3)), *row = dl_select(a, 1);
    fails_with(dl_broadcast_copy(a, b), "dl_broadcast_copy: shape [3] cannot be broadcast to shape [3, 4]");
    fails_with(dl_broadcast_copy(b, a), "shape [3, 4] cannot be broadcast to shape [3]");
    fails_with(dl_sum_to(b, a), "dl_sum_to: shape [3] cannot be broadcast to shape [3, 4]");
    fails_with(dl_broadcast_copy(a, row), "dl_broadcast_copy: shapes [3, 4] and [4] share numbers");
    fails_with(dl_sum_to(row, a), "dl_sum_to: shapes [4] and [3, 4] share numbers");
    fails_with(dl_broadcast_copy(dl_zeros(DL_SHAPE(1)), b), "shape [3] cannot be broadcast to shape [1]");
    fails_with(dl_sum_to(b, dl_zeros(DL_SHAPE(1))), "shape [3] cannot be broadcast to shape [1]");
    cr_assert(not(dl_broadcasts_to(DL_SHAPE(3), DL_SHAPE(1))));
    cr_assert(dl_broadcasts_to(DL_SHAPE(1), DL_SHAPE(3)));
    struct dl_walk w;
    fails_with(dl_walk_begin(&w, a->shape, 4, &a->shape), "dl_walk_begin: 4 operands");
    fails_with(dl_walk_begin(&w, a->shape, 1, &b->shape), "dl_walk_begin: shape [3] cannot be broadcast to shape [3, 4]");
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(broadcast, the_walk_counts_beyond_two_to_the_31)
{
    struct dl_shape s = DL_SHAPE(1 << 16, 1 << 16);
    struct dl_walk w;
    size_t runs = 0;
    for (dl_walk_begin(&w, s, 1, &s); dl_walk_next(&w); runs++)
        cr_assert(w.length <= INT_MAX && w.at[0] == runs * w.length);
    cr_assert(eq(sz, runs * w.length, (size_t)1 << 32));
}

/* ---- Permuting copies --------------------------------------------------------------------------------------------- */

Test(permute, copies_do_what_four_loops_do)
{
    for (int round = 0; round < 1500; round++) {
        struct dl_shape from = random_shape(round % 30 == 0 ? 37 : 6), to = {.rank = from.rank};
        int axes[4] = {0, 1, 2, 3};
        dl_random_permutation(&r, axes, from.rank);
        for (int k = 0; k < from.rank; k++)
            to.dim[k] = from.dim[axes[k]];
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = counted(from), *y = dl_full(to, NAN);
        dl_permute_copy(y, x, axes);
        for (size_t i = 0; i < y->size; i++) {
            int j[4], source[4] = {0};
            indices_of(i, to, j);
            for (int k = 0; k < from.rank; k++)
                source[4 - from.rank + axes[k]] = j[4 - from.rank + k];
            cr_assert(dl_data(y)[i] == (dl_real)source_of(source, from), "round %d: %s to %s at %zu", round,
                      DL_SHAPE_TEXT(from), DL_SHAPE_TEXT(to), i);
        }
        dl_scope_leave(s);
    }
    dl_pool_drain();
}

Test(permute, the_inverse_permutation_is_the_adjoint)
{
    for (int round = 0; round < 100; round++) {
        int axes[4], inverse[4];
        dl_random_permutation(&r, axes, 4);
        for (int k = 0; k < 4; k++)
            inverse[axes[k]] = k;
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        struct dl_shape from = DL_SHAPE(2, 3, 4, 5), to = from;
        for (int k = 0; k < 4; k++)
            to.dim[k] = from.dim[axes[k]];
        dl_tensor *x = dl_normal(from, &r, 0, 1), *y = dl_normal(to, &r, 0, 1), *Px = dl_empty(to), *Py = dl_empty(from);
        dl_permute_copy(Px, x, axes);
        dl_permute_copy(Py, y, inverse);
        cr_assert(epsilon_eq(dbl, inner(Px, y), inner(x, Py), TOLERANCE));
        dl_scope_leave(s);
    }
    dl_pool_drain();
}

Test(permute, wrong_axes_and_shapes_are_refused)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_zeros(DL_SHAPE(3, 4)), *b = dl_zeros(DL_SHAPE(4, 3));
    fails_with(dl_permute_copy(b, a, (int[]){1, 1}), "dl_permute_copy: the axes [1, 1] are not a permutation");
    fails_with(dl_permute_copy(b, a, (int[]){0, 2}), "the axes [0, 2] are not a permutation of the 2 axes of shape [3, 4]");
    fails_with(dl_permute_copy(b, a, (int[]){-1, 0}), "[-1, 0]");
    fails_with(dl_permute_copy(b, a, (int[]){0, 1}), "shape [3, 4], permuted by [0, 1], is not shape [4, 3]");
    fails_with(dl_permute_copy(dl_view(b, DL_SHAPE(12)), a, (int[]){1, 0}), "[3, 4]", "[12]");
    fails_with(dl_permute_copy(dl_view(a, DL_SHAPE(4, 3)), a, (int[]){1, 0}), "share numbers");
    dl_scope_leave(s);
    dl_pool_drain();
}

/* ---- Comparison, parameters --------------------------------------------------------------------------------------- */

static bool numbers_close(dl_real a, dl_real b, double rtol, double atol)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    bool close = dl_allclose(dl_scalar(a), dl_scalar(b), rtol, atol);
    dl_scope_leave(s);
    return close;
}

Test(compare, allclose_is_pytorchs)
{
    cr_assert(numbers_close(1, 1, 0, 0));
    cr_assert(numbers_close(1, 1.0625, 0.0625, 0));
    cr_assert(not(numbers_close(1.0625, 1, 0.06, 0)));
    cr_assert(numbers_close(-1, -1.5, 0, 0.5));
    cr_assert(not(numbers_close(1, -1, 0.1, 0.1)));
    cr_assert(numbers_close(0, -0.0, 0, 0));
    cr_assert(not(numbers_close(NAN, NAN, 1, 1)));
    cr_assert(not(numbers_close(1, NAN, 1, 1)));
    cr_assert(numbers_close(INFINITY, INFINITY, 0, 0));
    cr_assert(not(numbers_close(INFINITY, -INFINITY, 1, 1)));
    cr_assert(not(numbers_close(1, INFINITY, 1, 1)));
    cr_assert(not(numbers_close(INFINITY, 1, 1, 1)));
    dl_pool_drain();
}

Test(compare, one_element_that_differs_is_found_wherever_it_is)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = counted(DL_SHAPE(3, 5)), *b = dl_clone(a);
    cr_assert(dl_equal(a, b) && dl_allclose(a, b, 0, 0));
    for (size_t i = 0; i < a->size; i++) {
        dl_data(b)[i] += 1;
        cr_assert(dl_allclose(a, b, 0, 1) && !dl_allclose(a, b, 0, 0.5) && !dl_equal(a, b));
        dl_data(b)[i] -= 1;
    }
    cr_assert(not(dl_equal(a, dl_view(b, DL_SHAPE(5, 3)))));
    fails_with(dl_allclose(a, dl_view(b, DL_SHAPE(5, 3)), 0, 0), "dl_allclose: shapes [3, 5] and [5, 3] cannot be compared");
    cr_assert(dl_equal(dl_zeros(DL_SHAPE(0)), dl_zeros(DL_SHAPE(0))));
    *dl_at(a, 2, 4) = *dl_at(b, 2, 4) = NAN;
    cr_assert(not(dl_equal(a, b)));
    dl_scope_leave(s);
    dl_pool_drain();
}

Test(params, are_permanent_named_in_order_and_want_gradients)
{
    struct dl_params p = {0};
    dl_scope s = dl_scope_enter(DL_RECORD);
    dl_tensor *w = dl_param(&p, "fc1.weight", DL_SHAPE(10, 7)), *b = dl_param(&p, "fc1.bias", DL_SHAPE(10));
    for (int i = 0; i < 100; i++) {
        char name[20];
        sprintf(name, "p%d", i);
        dl_param(&p, name, DL_SHAPE());
    }
    dl_scope_leave(s);
    cr_assert(dl_params_find(&p, "fc1.weight") == w && dl_params_find(&p, "fc1.bias") == b);
    cr_assert(dl_params_find(&p, "fc1") == NULL);
    cr_assert(eq(int, p.n, 102));
    cr_assert(eq(str, p.list[1].name, "fc1.bias"));
    cr_assert(eq(str, p.list[101].name, "p99"));
    cr_assert(eq(sz, dl_params_count(&p), 180));
    cr_assert(w->requires_grad && w->permanent && dl_is_alive(w));
    fails_with(dl_param(&p, "p7", DL_SHAPE()), "dl_param: there is a parameter \"p7\" already");
    dl_params_free(&p);
    cr_assert(p.n == 0 && p.list == NULL && dl_params_count(&p) == 0);
    cr_assert(eq(sz, lent(), 0));
    dl_params_free(&p);
    dl_pool_drain();
}

Test(params, names_have_at_most_119_characters)
{
    struct dl_params p = {0};
    char name[121];
    memset(name, 'n', 120);
    name[120] = '\0';
    fails_with(dl_param(&p, name, DL_SHAPE()), "dl_param: the name \"nnn", "is too long");
    name[119] = '\0';
    cr_assert(dl_param(&p, name, DL_SHAPE()) == dl_params_find(&p, name));
    fails_with(dl_param(&p, "bad", DL_SHAPE(-1)), "[-1]");
    cr_assert(eq(int, p.n, 1));
    dl_params_free(&p);
    cr_assert(eq(sz, lent(), 0));
    dl_pool_drain();
}

/* ---- Printing ----------------------------------------------------------------------------------------------------- */

static dl_tensor *from_oracle(const struct oracle_tensor *o)
{
    struct dl_shape s = {.rank = o->rank};
    for (int k = 0; k < o->rank; k++)
        s.dim[k] = (int)o->shape[k];
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = o->f32 ? (dl_real)o->f32[i] : (dl_real)o->f64[i];
    return t;
}

static char *printed(const dl_tensor *t)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    dl_print(f, t);
    fclose(f);
    return text;
}

Test(print, a_number_from_1e16_on_has_an_exponent)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    char *large = printed(dl_scalar((dl_real)1e16)), *smaller = printed(dl_scalar((dl_real)9e15));
    cr_assert(eq(str, large, "1e+16\n"));
    cr_assert(eq(str, smaller, "9000000000000000.0\n"));
    free(large), free(smaller);
    dl_scope_leave(scope);
    dl_pool_drain();
}

Test(print, every_case_looks_as_in_numpy)
{
    struct oracle o = oracle_open("03_print.safetensors");
    int cases = atoi(oracle_text(&o, "cases")), wrong = 0;
    for (int i = 0; i < cases; i++) {
        char name[40];
        struct oracle_tensor data = oracle_get(&o, "case.%d", i);
        sprintf(name, WORD ".%d", i);
        const char *wanted = oracle_text(&o, name);
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        char *got = printed(from_oracle(&data));
        dl_scope_leave(s);
        if (strncmp(got, wanted, strlen(wanted)) != 0 || strcmp(got + strlen(wanted), "\n") != 0) {
            fprintf(stderr, "case %d: we print\n%.600s\nNumPy\n%.600s\n", i, got, wanted);
            wrong++;
        }
        free(got);
    }
    cr_assert(wrong == 0 && cases > 100, "%d of %d cases differ", wrong, cases);
    oracle_close(&o);
    dl_pool_drain();
}

Test(print, numbers_from_all_over_the_floats_look_as_in_numpy)
{
    struct oracle o = oracle_open("03_print.safetensors");
    struct oracle_tensor data = oracle_get(&o, "patterns");
    const char *wanted = oracle_text(&o, "patterns." WORD);
    for (size_t i = 0; i < data.count; i++) {
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        char *got = printed(dl_scalar(data.f32[i]));
        size_t n = strcspn(wanted, "\n");
        got[strlen(got) - 1] = '\0';
        cr_assert(strlen(got) == n && strncmp(got, wanted, n) == 0, "%.9g: %s, wanted %.*s", data.f32[i], got, (int)n, wanted);
        wanted += n + 1;
        free(got);
        dl_scope_leave(s);
    }
    oracle_close(&o);
    dl_pool_drain();
}

#ifndef DL_DOUBLE
Test(print, the_program_prints_what_its_first_lines_say)
{
    char source[4000] = "", output[4000] = "";
    FILE *f = fopen("tangled/shapes.c", "r"), *g = popen(BUILD "/shapes", "r");
    cr_assert(f && g && fread(source, 1, sizeof source - 1, f) > 0);
    cr_assert(fread(output, 1, sizeof output - 1, g) > 100 && pclose(g) == 0);
    cr_assert(strstr(source, output) != NULL, "it prints\n%s", output);
    fclose(f);
}
#endif

/* ---- .npy files ---------------------------------------------------------------------------------------------------- */

static char folder[64], path[128];

static void make_folder(void)
{
    seed();
    strcpy(folder, "/tmp/dlfs-npy-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    sprintf(path, "%s/x.npy", folder);
}

static void remove_folder(void)
{
    unlink(path);
    cr_assert(rmdir(folder) == 0, "files were left in %s", folder);
    dl_pool_drain();
}

TestSuite(npy, .init = make_folder, .fini = remove_folder);

static void write_bytes(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static char *read_bytes(size_t *n)
{
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL);
    char *bytes = malloc(1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

/* The file must be refused, in one line with its name and these words, and nothing may be kept. */
static void refused(const char *words, const char *what)
{
    size_t before = lent();
    dl_error("nothing");
    dl_tensor *t = dl_npy_read(path);
    const char *line = dl_error_text();
    cr_assert(t == NULL, "%s: accepted", what);
    cr_assert(strstr(line, path) == line && strstr(line, words) && !strchr(line, '\n'),
              "%s: \"%s\" lacks \"%s\"", what, line, words);
    cr_assert(eq(sz, lent(), before));
}

Test(npy, what_numpy_wrote_is_read)
{
    struct oracle o = oracle_open("03_npy.safetensors");
    int cases = atoi(oracle_text(&o, "cases"));
    for (int i = 0; i < cases; i++) {
        struct oracle_tensor file = oracle_get(&o, "file.%d", i), values = oracle_get(&o, "values.%d", i);
        write_bytes(file.u8, file.count);
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *t = dl_npy_read(path);
        cr_assert(t != NULL, "case %d: %s", i, dl_error_text());
        cr_assert(eq(int, t->shape.rank, values.rank));
        for (int k = 0; k < values.rank; k++)
            cr_assert(eq(sz, (size_t)t->shape.dim[k], values.shape[k]));
        for (size_t k = 0; k < t->size; k++) {
            dl_real wanted = (dl_real)values.f64[k], got = dl_data(t)[k];
            cr_assert(got == wanted || (isnan(got) && isnan(wanted)), "case %d at %zu: %g, wanted %g", i, k, got, wanted);
        }
        dl_scope_leave(s);
    }
    cr_assert(cases > 80);
    oracle_close(&o);
}

Test(npy, what_we_write_has_numpys_bytes)
{
    struct oracle o = oracle_open("03_npy.safetensors");
    int written = atoi(oracle_text(&o, "written"));
    for (int i = 0; i < written; i++) {
        struct oracle_tensor values = oracle_get(&o, "values.%d", i);
        struct oracle_tensor file = sizeof(dl_real) == 4 ? oracle_get(&o, "file.%d", i) : oracle_get(&o, "wide.%d", i);
        dl_tensor *t = from_oracle(&values);
        cr_assert(dl_npy_write(path, t), "case %d: %s", i, dl_error_text());
        dl_tensor_free(t);
        size_t n;
        char *bytes = read_bytes(&n);
        cr_assert(n == file.count && memcmp(bytes, file.u8, n) == 0, "case %d", i);
        free(bytes);
    }
    oracle_close(&o);
}

Test(npy, a_view_is_written_as_it_looks)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(5, 4)), *v = dl_view(dl_narrow(t, 1, 3), DL_SHAPE(2, 6));
    cr_assert(dl_npy_write(path, v));
    cr_assert(dl_equal(dl_npy_read(path), v));
    dl_scope_leave(s);
}

Test(npy, outside_of_scopes_the_result_is_permanent)
{
    dl_tensor *t = counted(DL_SHAPE(5, 4));
    cr_assert(dl_npy_write(path, t));
    dl_tensor *u = dl_npy_read(path);
    cr_assert(u->permanent && dl_equal(t, u));
    dl_tensor_free(t), dl_tensor_free(u);
}

Test(npy, every_truncation_every_extra_byte_and_every_wrong_bit_of_the_header_is_refused)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    cr_assert(dl_npy_write(path, counted(DL_SHAPE(3, 4))));
    size_t n;
    char *bytes = read_bytes(&n), what[40];
    bytes[n] = 0;
    for (size_t cut = 0; cut <= n + 1; cut++) {
        write_bytes(bytes, cut);
        sprintf(what, "%zu of %zu bytes", cut, n);
        if (cut != n)
            refused(cut < 128 ? "it ends within its header" : "bytes of numbers do not make the shape [3, 4]", what);
    }
    for (size_t bit = 0; bit < 8 * 128; bit++) {            /* any one bit of the header */
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(bytes, n);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        sprintf(what, "bit %zu", bit);
        dl_tensor *t = dl_npy_read(path);
        if (t == NULL)
            refused("", what);
        else                                                /* a blank that became a leading zero */
            cr_assert(dl_equal(t, counted(DL_SHAPE(3, 4))), "%s", what);
    }
    free(bytes);
    dl_scope_leave(s);
}

/* A file with this version, header and so many zero bytes. */
static void write_file(int major, int minor, const char *header, size_t numbers)
{
    static unsigned char bytes[70000];
    size_t n = strlen(header), at = 0;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)major;
    bytes[7] = (unsigned char)minor;
    bytes[8] = n & 255;
    bytes[9] = n >> 8 & 255;
    at = major > 1 ? 12 : 10;
    memcpy(bytes + at, header, n);
    write_bytes(bytes, at + n + numbers);
}

Test(npy, every_truth_but_0_is_1)
{
    write_bytes("\x93NUMPY\1\0\x3c\0{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }  \n\0\1\7", 10 + 60 + 3);
    dl_tensor *t = dl_npy_read(path);
    cr_assert(t != NULL, "%s", dl_error_text());
    cr_assert(dl_at(t, 0)[0] == 0 && dl_at(t, 1)[0] == 1 && dl_at(t, 2)[0] == 1);
    dl_tensor_free(t);
}

#define F4 "{'descr': '<f4', 'fortran_order': False, 'shape': "

Test(npy, unusual_but_correct_headers_are_read)
{
    static const char *headers[] = {
        F4 "(3,)}\n", F4 "(3,), }\n", F4 "( 3 , ) , }      \n", F4 "(3,1)}\n", F4 "(3,1,)}\n",
        "{\"shape\":(3,),\"descr\":\"<f4\",\"fortran_order\":False}\n", "{'fortran_order': True, 'descr': '<f4', 'shape': (1, 3)}\n",
        F4 "(0000000000000003,)}\n"};
    for (size_t i = 0; i < len(headers); i++)
        for (int major = 1; major <= 3; major++) {
            write_file(major, 0, headers[i], 12);
            dl_tensor *t = dl_npy_read(path);
            cr_assert(t != NULL && t->size == 3, "%s: %s", headers[i], dl_error_text());
            dl_tensor_free(t);
        }
}

Test(npy, forty_bad_headers_are_refused_each_in_one_line)
{
    static const struct { const char *header; size_t numbers; const char *words; } bad[] = {
        {"", 0, "is not a dictionary"},
        {"\n", 0, "is not a dictionary"},
        {"[]\n", 0, "is not a dictionary"},
        {"{}\n", 0, "lacks 'descr'"},
        {"{'descr': '<f4'}\n", 0, "lacks 'shape'"},
        {"{'descr': '<f4', 'shape': (1,)}\n", 4, "lacks 'fortran_order'"},
        {"{'fortran_order': False, 'shape': (1,)}\n", 4, "lacks 'descr'"},
        {"{'descr': '<f4', 'fortran_order': False}\n", 4, "lacks 'shape'"},
        {F4 "(1,)", 4, "lacks a comma or a brace"},
        {F4 "(1,)}", 4, "does not end with a new line"},
        {F4 "(1,)}\n\n", 4, "does not end with a new line"},
        {F4 "(1,)} x\n", 4, "does not end with a new line"},
        {F4 "(1,) 'x': 1}\n", 4, "lacks a comma or a brace"},
        {F4 "(1,), 'x': 1}\n", 4, "has an entry 'x'"},
        {F4 "(1,), 'shape': (1,)}\n", 4, "'shape' is there twice"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "'descr' is there twice"},
        {"{'fortran_order': False, 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "is there twice"},
        {"{'descr' '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "a colon is missing behind 'descr'"},
        {"{descr: '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "not a dictionary of"},
        {"{'descr: '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "'descr: '"},
        {"{'descr\": '<f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "'descr\": '"},
        {"{'a_very_long_key_without_an_end", 4, "not a dictionary of"},
        {"{'descr': <f4, 'fortran_order': False, 'shape': (1,)}\n", 4, "'descr': a short string in quotes is missing"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}\n", 4, "numbers of type '>f4' are not read"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}\n", 2, "'<f2'"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}\n", 8, "'<c8'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", 8, "'|O'"},
        {"{'descr': '<U3', 'fortran_order': False, 'shape': (1,)}\n", 12, "'<U3'"},
        {"{'descr': '', 'fortran_order': False, 'shape': (1,)}\n", 4, "''"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}\n", 4, "'descr': a short string"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}\n", 4, "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': true, 'shape': (1,)}\n", 4, "neither True nor False"},
        {F4 "1}\n", 4, "'shape' is not a tuple"},
        {F4 "(1)}\n", 4, "'shape' is not a tuple"},
        {F4 "[1]}\n", 4, "'shape' is not a tuple"},
        {F4 "(,)}\n", 4, "'shape' is not a tuple of lengths"},
        {F4 "(1,,1)}\n", 4, "'shape' is not a tuple of lengths"},
        {F4 "(-1,)}\n", 4, "'shape' is not a tuple of lengths"},
        {F4 "(1.0,)}\n", 4, "lacks a comma or a parenthesis"},
        {F4 "(1L,)}\n", 4, "lacks a comma or a parenthesis"},
        {F4 "(1 1)}\n", 4, "lacks a comma or a parenthesis"},
        {F4 "(1,\n", 4, "'shape' is not a tuple of lengths"},
        {F4 "(1, 1, 1, 1, 1)}\n", 4, "more than 4 axes"},
        {F4 "(2147483648,)}\n", 4, "a length above 2147483647"},
        {F4 "(99999999999999999999999999,)}\n", 4, "a length above 2147483647"},
        {F4 "(2147483647, 2147483647, 2147483647, 2147483647)}\n", 4, "do not make the shape"},
        {F4 "(65536, 65536, 65536, 65536)}\n", 0, "do not make the shape"},
        {F4 "(2, 3)}\n", 20, "20 bytes of numbers do not make the shape [2, 3]"},
        {F4 "(2, 3)}\n", 25, "25 bytes of numbers do not make the shape [2, 3]"},
        {F4 "(0, 3)}\n", 4, "4 bytes of numbers do not make the shape [0, 3]"},
        {F4 "()}\n", 0, "0 bytes of numbers do not make the shape []"},
    };
    for (size_t i = 0; i < len(bad); i++)
        for (int major = 1; major <= 3; major++) {
            write_file(major, 0, bad[i].header, bad[i].numbers);
            refused(bad[i].words, bad[i].header);
        }
    cr_assert(ge(sz, len(bad), 40));
}

Test(npy, bad_beginnings_are_refused)
{
    write_bytes("", 0);
    refused("ends within its header", "an empty file");
    write_bytes("PK\3\4 a zip archive, of course", 20);
    refused("is not a .npy file", "another magic");
    write_file(0, 0, F4 "(1,)}\n", 4);
    refused("version 0.0", "version 0");
    write_file(4, 0, F4 "(1,)}\n", 4);
    refused("version 4.0", "version 4");
    write_file(1, 1, F4 "(1,)}\n", 4);
    refused("version 1.1", "version 1.1");
    char header[2000];
    memset(header, ' ', sizeof header);
    header[1999] = '\0';
    write_file(1, 0, header, 4);
    refused("a header of 1999 bytes is too long", "a long header");
    write_bytes("\x93NUMPY\2\0\377\377\377\377{'descr'", 20);
    refused("a header of 4294967295 bytes", "a header of four gigabytes");
    write_bytes("\x93NUMPY\1\0\4\0{}\0\n", 14);
    refused("has a zero byte", "a zero in the header");
    unlink(path);
    refused("No such file", "no file");
    mkdir(path, 0700);
    refused("not a regular file", "a folder");
    rmdir(path);
}

Test(npy, a_claim_of_a_terabyte_is_refused_before_memory_is_taken)
{
    write_file(1, 0, F4 "(512, 1024, 1024, 512)}\n", 64);
    size_t misses = dl_pool_use().misses;
    refused("64 bytes of numbers do not make the shape [512, 1024,",
            "a terabyte");
    cr_assert(eq(sz, dl_pool_use().misses, misses));
}

Test(npy, writing_that_fails_leaves_the_old_file)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *t = counted(DL_SHAPE(3)), *u = counted(DL_SHAPE(4));
    char other[200];
    cr_assert(dl_npy_write(path, t));
    sprintf(other, "%s/missing/x.npy", folder);
    cr_assert(not(dl_npy_write(other, u)));
    cr_assert(strstr(dl_error_text(), "No such file") != NULL);
    cr_assert(not(dl_npy_write(folder, u)));
    cr_assert(strstr(dl_error_text(), "not a regular file") != NULL);
    cr_assert(not(dl_npy_write("/dev/null", u)));
    char longest[PATH_MAX + 10];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert(not(dl_npy_write(longest, u)));
    cr_assert(strstr(dl_error_text(), "too long") != NULL);
    cr_assert(dl_equal(dl_npy_read(path), t));
    cr_assert(dl_npy_write(path, u));
    cr_assert(dl_equal(dl_npy_read(path), u));
    dl_scope_leave(s);
}

Test(npy, a_disk_that_is_full_is_reported_and_nothing_is_left)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    struct rlimit limit = {20000, 20000};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    cr_assert(not(dl_npy_write(path, dl_zeros(DL_SHAPE(100, 100)))));
    cr_assert(strstr(dl_error_text(), "File too large") != NULL);
    cr_assert(rmdir(folder) == 0, "files were left in %s", folder);
    mkdir(folder, 0700);
    dl_scope_leave(s);
}

Test(npy, what_was_written_is_read_for_random_shapes)
{
    for (int i = 0; i < 100; i++) {
        dl_scope s = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *t = dl_normal(random_shape(9), &r, 0, 1);
        cr_assert(dl_npy_write(path, t));
        dl_tensor *u = dl_npy_read(path);
        cr_assert(u && dl_equal(t, u));
        dl_scope_leave(s);
    }
}
