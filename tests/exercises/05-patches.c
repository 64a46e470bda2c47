/* Exercise: a matrix that does not exist. */
#include "real.h"
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>

extern void convolve(int t, const dl_real *x, int f, int w, const dl_real *h, dl_real *y);

static struct dl_random r;

static dl_real *numbers(size_t n)
{
    dl_real *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (dl_real)(2 * dl_random_uniform_double(&r) - 1);
    return x;
}

static void check(int t, int f, int w)
{
    int n = t - w + 1;
    dl_real *x = numbers((size_t)t), *h = numbers((size_t)(f * w)), *y = numbers((size_t)(f * n));
    convolve(t, x, f, w, h, y);
    for (int j = 0; j < f; j++)
        for (int i = 0; i < n; i++) {
            double sum = 0, size = 0;
            for (int p = 0; p < w; p++) {
                sum += (double)h[j * w + p] * x[i + p];
                size += fabs((double)h[j * w + p] * x[i + p]);
            }
            cr_assert(fabs(y[j * n + i] - sum) <= 1e-6 * (w + 2) * size,
                      "filter %d at %d is %g, wanted %g (t = %d, f = %d, w = %d)", j, i, (double)y[j * n + i], sum, t, f, w);
        }
    free(x), free(h), free(y);
}

Test(convolve, sounds_and_filters_of_many_lengths_are_right)
{
    dl_random_seed(&r, 1);
    for (int t = 1; t <= 40; t++)
        for (int w = 1; w <= t && w < 12; w++)
            check(t, 1 + (t + w) % 9, w);
}

Test(convolve, long_sounds_are_right)
{
    dl_random_seed(&r, 2);
    check(5000, 3, 16);
    check(3000, 40, 25);
    check(1500, 2, 700);
}

Test(convolve, the_first_filter_value_meets_the_earlier_sample)
{
    dl_real x[4] = {1, 2, 3, 4}, h[2] = {10, 1}, y[3];
    convolve(4, x, 1, 2, h, y);
    cr_assert(y[0] == 12 && y[1] == 23 && y[2] == 34);
}
