/* Exercise: variance in one pass. */
#include <stddef.h>
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

extern double variance(const float *x, size_t n);

enum { N = 100000 };

static float x[N];

/* The definition, in two passes and extended precision. */
static double in_two_passes(size_t n)
{
    long double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= n;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / n;
}

static void expect_accurate(size_t n, const char *what)
{
    double v = variance(x, n), wanted = in_two_passes(n);
    cr_assert(le(dbl, fabs(v - wanted), 1e-9 * wanted), "%s: %.12g, wanted %.12g", what, v, wanted);
}

static void fill_normal(uint64_t seed, float mean, float deviation)
{
    struct dl_random r;
    dl_random_seed(&r, seed);
    dl_random_fill_normal(&r, x, N, mean, deviation);
}

Test(variance, of_nothing_and_of_one_number_it_is_0)
{
    cr_assert(eq(dbl, variance(NULL, 0), 0));
    cr_assert(eq(dbl, variance((float[]){12345.678f}, 1), 0));
}

Test(variance, the_sum_of_squares_is_divided_by_n)
{
    cr_assert(epsilon_eq(dbl, variance((float[]){0, 1}, 2), 0.25, 1e-15));
    cr_assert(epsilon_eq(dbl, variance((float[]){1, 2, 3, 4}, 4), 1.25, 1e-15));
    cr_assert(epsilon_eq(dbl, variance((float[]){-3, 3, 3, -3, 0}, 5), 7.2, 1e-14));
}

Test(variance, it_is_accurate_beside_a_mean_of_ten_thousand)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        fill_normal(seed, 1e4f, 1);
        expect_accurate(N, "mean 1e4, deviation 1");
        fill_normal(seed, -1e4f, 1);
        expect_accurate(N, "mean -1e4, deviation 1");
    }
}

Test(variance, it_is_accurate_beside_a_mean_of_ten_million)
{
    for (int i = 0; i < N; i++)
        x[i] = 1e7f + i % 2 * 2;
    expect_accurate(N, "10,000,000 and 10,000,002 in turn");
    for (int i = 0; i < N; i++)
        x[i] = 1e7f + i % 1000;
    expect_accurate(N, "1000 steps from 10,000,000");
}

Test(variance, numbers_that_are_all_alike_have_none)
{
    for (int i = 0; i < N; i++)
        x[i] = 0.1f;
    cr_assert(epsilon_eq(dbl, variance(x, N), 0, 1e-20));
}

Test(variance, squares_may_be_larger_than_a_float_and_smaller)
{
    for (int i = 0; i < 100; i++)
        x[i] = i % 2 ? 1e30f : -3e30f;
    expect_accurate(100, "numbers like 1e30");
    for (int i = 0; i < 100; i++)
        x[i] = i % 2 ? 1e-30f : -3e-30f;
    expect_accurate(100, "numbers like 1e-30");
}

Test(variance, at_every_length_it_is_that_of_two_passes_and_later_numbers_are_not_read)
{
    fill_normal(4, 3, 2);
    for (size_t n = 2; n < 200; n++) {
        float next = x[n];
        x[n] = NAN;
        expect_accurate(n, "mean 3, deviation 2");
        x[n] = next;
    }
}

Test(variance, a_first_number_far_from_all_others_does_no_harm)
{
    fill_normal(5, 0, 1);
    x[0] = 1e6f;
    expect_accurate(1000, "a million, then numbers near zero");
    fill_normal(5, 1e4f, 1);
    x[0] = 0;
    expect_accurate(1000, "zero, then numbers near ten thousand");
}
