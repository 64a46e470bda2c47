/* mnist1d_data.c - the data set MNIST-1D: ten shapes in signals of 40
   points. */
#include "mnist1d.h"
#include "base.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONG = 72, SHIFTS = 48, DIGITS = 10, REACH = 8 };

static double uniform(struct dl_random *r)
{
    double high = dl_random_u32(r) >> 5, low = dl_random_u32(r) >> 6;
    return (high * 0x1p26 + low) * 0x1p-53;
}

static int below(struct dl_random *r, int n)
{
    uint32_t mask = 0, got;
    while (mask < (uint32_t)n - 1)
        mask = 2 * mask + 1;
    do
        got = dl_random_u32(r) & mask;
    while (got >= (uint32_t)n);
    return (int)got;
}

/* n is even. */
static void fill_normal(struct dl_random *r, int n, double *x, double scale)
{
    for (int i = 0; i < n; i += 2) {
        double a, b, s;
        do {
            a = 2 * uniform(r) - 1;
            b = 2 * uniform(r) - 1;
            s = a * a + b * b;
        } while (s >= 1 || s == 0);
        double f = scale * sqrt(-2 * log(s) / s);
        x[i] = f * b;
        x[i + 1] = f * a;
    }
}

static const double drawn[DIGITS][DL_MNIST1D_SHAPE] = {
    {5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5},
    {5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5},
    {5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5},
    {5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5},
    {5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5},
    {5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5},
    {5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5},
    {5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5},
    {5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5},
    {5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5}
};

void dl_mnist1d_shape(int digit, double x[DL_MNIST1D_SHAPE])
{
    dl_check(digit >= 0 && digit < DIGITS, "%d is no digit", digit);
    const double *from = drawn[digit], n = DL_MNIST1D_SHAPE;
    double mean = 0, square = 0;
    for (int i = 0; i < DL_MNIST1D_SHAPE; i++)
        mean += from[i] / n;
    for (int i = 0; i < DL_MNIST1D_SHAPE; i++)
        square += (from[i] - mean) * (from[i] - mean) / n;
    for (int i = 0; i < DL_MNIST1D_SHAPE; i++)
        x[i] = (from[i] - from[0]) / sqrt(square) / 6;
}

static void stretch(int n, const double *x, int m, double *to)
{
    for (int i = 0; i < m; i++) {
        double at = i * (n - 1) / (double)(m - 1);
        int k = (int)at;
        to[i] = k < n - 1 ? x[k] + (at - k) * (x[k + 1] - x[k]) : x[n - 1];
    }
}

static void smooth(const double x[LONG], double to[LONG])
{
    double sum = 0;
    for (int j = -REACH; j <= REACH; j++)
        sum += exp(-j * j / 8.0);
    for (int i = 0; i < LONG; i++) {
        to[i] = 0;
        for (int j = -REACH; j <= REACH; j++) {
            int k = i + j;
            k = k < 0 ? -1 - k : k >= LONG ? 2 * LONG - 1 - k : k;
            to[i] += exp(-j * j / 8.0) / sum * x[k];
        }
    }
}

void dl_mnist1d_signal(int digit, double x[DL_MNIST1D_LENGTH],
                       struct dl_random *r)
{
    double padded[LONG] = {0}, wide[LONG], shifted[LONG], noise[LONG];
    bool background[LONG];
    dl_mnist1d_shape(digit, padded);
    for (int i = 0; i < DL_MNIST1D_SHAPE; i++)
        padded[i] += 1e-8;
    int n = DL_MNIST1D_SHAPE + 36 + (int)(25 * uniform(r));
    stretch(n, padded, LONG, wide);
    double scale = 1 + 0.4 * (uniform(r) - 0.5);
    int shift = below(r, SHIFTS);
    for (int i = 0; i < LONG; i++) {
        int to = (i + shift) % LONG;
        shifted[to] = scale * wide[i];
        background[to] = i * (n - 1) >= DL_MNIST1D_SHAPE * (LONG - 1);
    }
    fill_normal(r, LONG, noise, 0.25);
    smooth(noise, wide);
    fill_normal(r, LONG, noise, 0.02);
    double slope = 0.75 * (uniform(r) - 0.5);
    for (int i = 0; i < LONG; i++)
        shifted[i] = (background[i] ? wide[i] : shifted[i]) + noise[i]
                     - slope * (i / (double)(LONG - 1) - 0.5);
    stretch(LONG, shifted, DL_MNIST1D_LENGTH, x);
}

static void put_in_order(struct dl_random *r, int n, int *order)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = below(r, i + 1), other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

static void standardise(int n, double *x)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(square);
}

void dl_mnist1d(struct dl_dataset *train, struct dl_dataset *test, int each,
                struct dl_random *r)
{
    dl_check(each >= 1 && each <= 100000, "%d examples of each digit", each);
    int n = DIGITS * each, size = n * DL_MNIST1D_LENGTH;
    double *x = dl_alloc((size_t)size, sizeof *x);
    int *order = dl_alloc((size_t)n, sizeof *order);
    for (int i = 0; i < n; i++)
        dl_mnist1d_signal(i / each, x + i * DL_MNIST1D_LENGTH, r);
    put_in_order(r, n, order);
    standardise(size, x);
    struct dl_dataset all = {n, DIGITS, DL_SHAPE(DL_MNIST1D_LENGTH),
        dl_alloc((size_t)size, sizeof *all.x),
        dl_alloc((size_t)n, sizeof *all.label)};
    for (int i = 0; i < n; i++) {
        all.label[i] = order[i] / each;
        for (int j = 0; j < DL_MNIST1D_LENGTH; j++)
            all.x[i * DL_MNIST1D_LENGTH + j] =
                (float)x[order[i] * DL_MNIST1D_LENGTH + j];
    }
    dl_dataset_split(&all, n / 5 * 4, NULL, train, test);
    dl_dataset_free(&all);
    free(order);
    free(x);
}
