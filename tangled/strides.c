/* strides.c - the time to sum a matrix along its rows and its columns. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "dlfs.h"

enum { SMALLEST = 5, LARGEST = 12, PADDING = 16, ROUNDS = 7 };

static volatile float sink;

static __attribute__((noinline))
float sum_by_strides(const float *x, size_t rows, size_t columns,
                     size_t row, size_t column)
{
    float s[8] = {0};
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += 8)
            for (size_t k = 0; k < 8; k++)
                s[k] += x[i * row + (j + k) * column];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Nanoseconds for each of the n n numbers. */
static double time_of(const float *x, size_t n, size_t row, size_t column)
{
    size_t times = 1 + ((size_t)1 << 22) / (n * n);
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        for (size_t i = 0; i < times; i++)
            sink = sum_by_strides(x, n, n, row, column);
        double taken = (seconds() - start) / (double)times;
        best = taken < best ? taken : best;
    }
    return best / (double)(n * n) * 1e9;
}

int main(void)
{
    printf("# build/strides; threads 1\n");
    printf("n\tkilobytes\trows\tcolumns\tpadded\tcolumns_ratio"
           "\tpadded_ratio\n");
    for (int k = SMALLEST; k <= LARGEST; k++)
        {
            size_t n = (size_t)1 << k, row = n + PADDING;
            float *x = dl_alloc(n * row, sizeof *x);
            for (size_t i = 0; i < n * row; i++)
                x[i] = 1;
            double rows = time_of(x, n, n, 1);
            double columns = time_of(x, n, 1, n);
            double padded = time_of(x, n, 1, row);
            printf("%zu\t%zu\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\n", n, n * n / 256,
                   rows, columns, padded, columns / rows, padded / rows);
            free(x);
        }
    return fflush(stdout) == 0 ? 0 : 1;
}
