/* transposes.c - transposing a matrix with two loops and in tiles. */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include "dlfs.h"

enum { ROUNDS = 15 };

static void by_loops(dl_tensor *to, const dl_tensor *from, const int axes[])
{
    size_t n = (size_t)to->shape.dim[axes[0]];
    dl_real *y = dl_data(to);
    const dl_real *x = dl_data(from);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            y[i * n + j] = x[j * n + i];
}

typedef void transposer(dl_tensor *to, const dl_tensor *from,
                        const int axes[]);

/* Nanoseconds for each number. */
static double time_of(transposer *transpose, dl_tensor *to,
                      const dl_tensor *from)
{
    int times = 1 + (1 << 21) / (int)to->size;
    clock_t start = clock();
    for (int i = 0; i < times; i++)
        transpose(to, from, (int[]){1, 0});
    double taken = (double)(clock() - start) / CLOCKS_PER_SEC / times;
    return taken / (double)to->size * 1e9;
}

int main(void)
{
    printf("# build/transposes; threads 1\n");
    printf("n\tloops\ttiles\tratio\n");
    for (int n = 64; n <= 4096; n *= 2) {
        dl_tensor *from = dl_full(DL_SHAPE(n, n), 1), *to = dl_clone(from);
        double loops = 1e9, tiles = 1e9;
        for (int round = 0; round < ROUNDS; round++) {
            loops = fmin(loops, time_of(by_loops, to, from));
            tiles = fmin(tiles, time_of(dl_permute_copy, to, from));
        }
        printf("%d\t%.3f\t%.3f\t%.2f\n", n, loops, tiles, loops / tiles);
        dl_tensor_free(from);
        dl_tensor_free(to);
    }
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
