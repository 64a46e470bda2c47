/* Exercise: many products in one call. */
#include "real.h"
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>

extern void compare(int t, int h, int d, const dl_real *q, const dl_real *k, dl_real *s);

static struct dl_random r;

static dl_real *numbers(size_t n)
{
    dl_real *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (dl_real)(2 * dl_random_uniform_double(&r) - 1);
    return x;
}

static void check(int t, int h, int d)
{
    size_t size = (size_t)(h * t * t);
    dl_real *q = numbers((size_t)(t * h * d)), *k = numbers((size_t)(t * h * d)), *s = malloc((size + 1) * sizeof *s);
    for (size_t i = 0; i <= size; i++)
        s[i] = NAN;
    compare(t, h, d, q, k, s);
    for (int g = 0; g < h; g++)
        for (int i = 0; i < t; i++)
            for (int j = 0; j < t; j++) {
                double sum = 0, got = s[(g * t + i) * t + j];
                for (int p = 0; p < d; p++)
                    sum += (double)q[(i * h + g) * d + p] * k[(j * h + g) * d + p];
                cr_assert(fabs(got - sum / sqrt(d)) <= 1e-6 * (d + 2),
                          "group %d, (%d, %d) is %g, wanted %g (t = %d, h = %d, d = %d)", g, i, j, got, sum / sqrt(d), t, h, d);
            }
    cr_assert(isnan(s[size]), "something was written beyond the last matrix");
    free(q), free(k), free(s);
}

Test(compare, groups_of_many_sizes_are_right)
{
    dl_random_seed(&r, 1);
    for (int t = 1; t < 12; t++)
        for (int h = 1; h < 5; h++)
            for (int d = 1; d < 9; d++)
                check(t, h, d);
}

Test(compare, large_groups_are_right)
{
    dl_random_seed(&r, 2);
    check(70, 6, 64);
    check(128, 2, 33);
}

Test(compare, rows_are_those_of_the_first_table)
{
    dl_real q[4] = {1, 2, 10, 20}, k[4] = {1, 1, 3, 3}, s[8];        /* two rows, two groups of one column */
    compare(2, 2, 1, q, k, s);
    dl_real wanted[8] = {1, 3, 10, 30, 2, 6, 20, 60};
    for (int i = 0; i < 8; i++)
        cr_assert(s[i] == wanted[i], "s[%d] is %g, wanted %g", i, (double)s[i], (double)wanted[i]);
}
