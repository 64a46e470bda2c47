/* overhead.c - what a recorded operation costs beyond its arithmetic. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "dlfs.h"

enum { OPERATIONS = 64, LARGEST = 1 << 16, ROUNDS = 31 };

static void on_tape(dl_tensor *x, dl_tensor *a, dl_tensor *g)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *y = x;
    for (int k = 0; k < OPERATIONS; k++)
        y = dl_mul(y, a);
    dl_backward_from(y, g);
    dl_scope_leave(scope);
}

static dl_real *scratch;            /* OPERATIONS + 2 arrays of n numbers */

static void bare(dl_tensor *x, dl_tensor *a, dl_tensor *g)
{
    size_t n = x->size;
    const dl_real *y = dl_data(x), *from = dl_data(g);
    dl_real *to[2] = {scratch, scratch + n};
    for (int k = 0; k < OPERATIONS; k++) {
        dl_real *next = scratch + (size_t)(k + 2) * n;
        dl_vmul(n, y, dl_data(a), next);
        y = next;
    }
    for (int k = 0; k < OPERATIONS; k++) {
        dl_vmul(n, from, dl_data(a), to[k % 2]);
        from = to[k % 2];
    }
}

static double time_of(void work(dl_tensor *x, dl_tensor *a, dl_tensor *g),
                      dl_tensor *x, dl_tensor *a, dl_tensor *g)
{
    struct timespec from, to;
    int times = 1 + LARGEST / (32 + (int)x->size);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < times; i++)
        work(x, a, g);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (1e9 * (double)(to.tv_sec - from.tv_sec)
            + (double)(to.tv_nsec - from.tv_nsec)) / times / OPERATIONS;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds of an operation, medians over the rounds. */
static void print_line(int n)
{
    double tape[ROUNDS], kernels[ROUNDS], beyond[ROUNDS], ratio[ROUNDS];
    double *column[] = {tape, kernels, beyond, ratio};
    dl_tensor *x = dl_full(DL_SHAPE(n), 1), *a = dl_full(DL_SHAPE(n), 1);
    dl_tensor *g = dl_full(DL_SHAPE(n), 1);
    x->requires_grad = true;
    scratch = dl_pool_get((OPERATIONS + 2) * (size_t)n * sizeof *scratch);
    for (int r = 0; r < ROUNDS; r++) {
        tape[r] = time_of(on_tape, x, a, g);
        kernels[r] = time_of(bare, x, a, g);
        beyond[r] = tape[r] - kernels[r];
        ratio[r] = tape[r] / kernels[r];
    }
    printf("%d", n);
    for (int c = 0; c < 4; c++) {
        qsort(column[c], ROUNDS, sizeof(double), by_size);
        printf("\t%.4g", column[c][ROUNDS / 2]);
    }
    printf("\n");
    dl_pool_put(scratch, (OPERATIONS + 2) * (size_t)n * sizeof *scratch);
    dl_tensor_free(x);
    dl_tensor_free(a);
    dl_tensor_free(g);
}

int main(void)
{
    printf("# build/overhead; threads 1\n");
    printf("elements\ttape\tbare\tbeyond\tratio\n");
    dl_set_num_threads(1);
    for (int n = 1; n <= LARGEST; n *= 4)
        print_line(n);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
