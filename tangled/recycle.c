/* recycle.c - a training step's memory, from malloc and from the pool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "dlfs.h"

enum { BLOCKS = 16, ROUNDS = 15 };

static void *from_malloc(size_t bytes)
{
    return dl_alloc(bytes, 1);
}

static void to_malloc(void *block, size_t bytes)
{
    (void)bytes;
    free(block);
}

typedef void *getter(size_t bytes);
typedef void putter(void *block, size_t bytes);

static void step(getter *get, putter *put, size_t bytes)
{
    void *block[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = get(bytes);
        memset(block[i], i, bytes);
    }
    for (int i = BLOCKS - 1; i >= 0; i--)
        put(block[i], bytes);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long page_faults(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_minflt;
}

/* Microseconds of a step, and its page faults. */
static double measure(getter *get, putter *put, size_t bytes, long *faults)
{
    int steps = 1 + (1 << 20) / (int)bytes;
    *faults = page_faults();
    double start = seconds();
    for (int i = 0; i < steps; i++)
        step(get, put, bytes);
    double taken = seconds() - start;
    *faults = (page_faults() - *faults) / steps;
    return taken / steps * 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_line(size_t bytes)
{
    double theirs[ROUNDS], ours[ROUNDS], ratio[ROUNDS];
    long their_faults, our_faults;
    for (int i = -1; i < ROUNDS; i++) {
        int k = i < 0 ? 0 : i;              /* the first is not counted */
        theirs[k] = measure(from_malloc, to_malloc, bytes, &their_faults);
        ours[k] = measure(dl_pool_get, dl_pool_put, bytes, &our_faults);
        ratio[k] = theirs[k] / ours[k];
    }
    qsort(theirs, ROUNDS, sizeof *theirs, by_size);
    qsort(ours, ROUNDS, sizeof *ours, by_size);
    qsort(ratio, ROUNDS, sizeof *ratio, by_size);
    printf("%zu\t%.2f\t%.2f\t%.2f\t%ld\t%ld\n", bytes, theirs[ROUNDS / 2],
           ours[ROUNDS / 2], ratio[ROUNDS / 2], their_faults, our_faults);
}

int main(void)
{
    printf("# build/recycle; threads 1\n");
    printf("bytes\tmalloc\tpool\tratio\tmalloc_faults\tpool_faults\n");
    for (size_t bytes = 1 << 10; bytes <= 1 << 24; bytes *= 4)
        print_line(bytes);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
