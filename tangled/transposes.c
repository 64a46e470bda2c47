/* transposes.c - transposing a matrix with two loops and in tiles. */
#include <stdio.h>
#include <time.h>
#include "dlfs.h"

enum { ROUNDS = 9 };

static void by_loops(dl_tensor *to, const dl_tensor *from)
{
    size_t n = (size_t)to->shape.dim[0];
    dl_real *y = dl_data(to);
    const dl_real *x = dl_data(from);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            y[i * n + j] = x[j * n + i];
}

static void by_tiles(dl_tensor *to, const dl_tensor *from)
{
    dl_permute_copy(to, from, (int[]){1, 0});
}

/* The shortest time for each number, in nanoseconds. */
static double time_of(void transpose(dl_tensor *to, const dl_tensor *from),
                      dl_tensor *to, const dl_tensor *from)
{
    double best = 1e9;
    int times = 1 + (1 << 21) / (int)to->size;
    for (int round = 0; round < ROUNDS; round++) {
        clock_t start = clock();
        for (int i = 0; i < times; i++)
            transpose(to, from);
        double taken = (double)(clock() - start) / CLOCKS_PER_SEC / times;
        best = taken < best ? taken : best;
    }
    return best / (double)to->size * 1e9;
}

static void print_line(int n)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *from = dl_full(DL_SHAPE(n, n), 1), *to = dl_clone(from);
    double loops = time_of(by_loops, to, from);
    double tiles = time_of(by_tiles, to, from);
    printf("%d\t%.3f\t%.3f\t%.2f\n", n, loops, tiles, loops / tiles);
    dl_scope_leave(scope);
}

int main(void)
{
    printf("# build/transposes; threads 1\n");
    printf("n\tloops\ttiles\tratio\n");
    for (int n = 64; n <= 4096; n *= 2)
        print_line(n);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
