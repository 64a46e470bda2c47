/* Exercise: maximum and sum of exponentials in one pass. */
#include <stddef.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern void max_and_sum(size_t n, const float *x, float *m, float *s);

static void check(size_t n, const float *x)
{
    float m = NAN, s = NAN;
    double largest = -INFINITY, sum = 0;
    max_and_sum(n, x, &m, &s);
    for (size_t i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (size_t i = 0; i < n; i++)
        sum += x[i] > -INFINITY ? exp(x[i] - largest) : 0;
    cr_assert(eq(dbl, m, largest));
    cr_assert(le(dbl, fabs(s - sum), 1e-5 * sum), "%g for %g", (double)s, sum);
}

Test(online, rows_that_rise_and_fall)
{
    float x[300];
    for (size_t n = 0; n <= 300; n++)
        for (int way = 0; way < 3; way++) {
            for (size_t i = 0; i < n; i++)
                x[i] = way == 0 ? (float)i / 8 : way == 1 ? -(float)i / 8 : (float)(i * 37 % 101) / 10;
            check(n, x);
        }
}

Test(online, large_numbers_do_not_overflow)
{
    check(3, (float[]){1000, 1001, 999});
    check(3, (float[]){-1000, -1001, -999});
    check(3, (float[]){-3e38f, 3e38f, 3e38f});
}

Test(online, minus_infinity_contributes_nothing)
{
    check(4, (float[]){-INFINITY, -INFINITY, 1, -INFINITY});
    check(3, (float[]){2, -INFINITY, 3});
    check(2, (float[]){-INFINITY, -INFINITY});
    check(0, NULL);
}
