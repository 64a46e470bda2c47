/* Exercise: waiting for a success. Statistics may be off by five standard deviations. */
#include <stdint.h>
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

extern uint64_t geometric(struct dl_random *r, double p);

static struct dl_random r;

static const double probabilities[] = {0.9, 0.5, 0.25, 0.01, 1e-6};

#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

Test(geometric, mean_and_variance_are_those_of_the_distribution)
{
    enum { N = 200000 };
    for (uint64_t seed = 1; seed <= 3; seed++)
        for EACH(i, probabilities) {
            double p = probabilities[i], mean = (1 - p) / p, variance = (1 - p) / (p * p), s1 = 0, s2 = 0;
            dl_random_seed(&r, seed);
            for (int k = 0; k < N; k++) {
                double d = geometric(&r, p) - mean;
                s1 += d, s2 += d * d;
            }
            /* the fourth central moment is (9 + p^2 / (1 - p)) times the square of the variance */
            double off1 = s1 / N / sqrt(variance / N);
            double off2 = (s2 / N - variance) / (variance * sqrt((8 + p * p / (1 - p)) / N));
            cr_assert(le(dbl, fabs(off1), 5), "p = %g, seed %d: the mean is %g standard deviations off",
                      p, (int)seed, off1);
            cr_assert(le(dbl, fabs(off2), 5), "p = %g, seed %d: the variance is %g standard deviations off",
                      p, (int)seed, off2);
        }
}

Test(geometric, each_number_is_as_frequent_as_it_is_likely)
{
    enum { N = 200000, KINDS = 12 };
    for (uint64_t seed = 1; seed <= 3; seed++)
        for EACH(i, probabilities) {
            double p = probabilities[i];
            int count[KINDS] = {0};
            dl_random_seed(&r, seed);
            for (int k = 0; k < N; k++) {
                uint64_t g = geometric(&r, p);
                if (g < KINDS)
                    count[g]++;
            }
            for (int g = 0; g < KINDS; g++) {
                double q = p * pow(1 - p, g), tolerance = 5 * sqrt(N * q * (1 - q)) + 1;
                cr_assert(le(dbl, fabs(count[g] - N * q), tolerance), "p = %g, seed %d: %d of %d draws are %d, "
                          "%.1f expected", p, (int)seed, count[g], N, g, N * q);
            }
        }
}

Test(geometric, with_p_1_the_first_toss_is_a_head)
{
    dl_random_seed(&r, 1);
    for (int i = 0; i < 100000; i++)
        cr_assert(eq(u64, geometric(&r, 1), 0));
}

Test(geometric, the_tiniest_probabilities_have_the_right_mean)
{
    static const double tiny[] = {1e-9, 1e-12, 1e-15, 1e-16, 1e-17};
    enum { N = 10000 };
    for EACH(i, tiny) {
        double mean = 0;
        dl_random_seed(&r, i);
        for (int k = 0; k < N; k++)
            mean += geometric(&r, tiny[i]) * tiny[i] / N;
        cr_assert(le(dbl, fabs(mean - 1), 5 / sqrt(N)), "p = %g: the mean is %g/p, not 1/p", tiny[i], mean);
    }
}

Test(geometric, each_draw_takes_one_uniform_number)
{
    static const double all[] = {1, 0.9, 0.5, 0.01, 1e-6, 1e-12};
    for EACH(i, all) {
        dl_random_seed(&r, 6);
        struct dl_random other = r;
        for (int k = 0; k < 1000; k++) {
            geometric(&r, all[i]);
            dl_random_uniform_double(&other);
            cr_assert(r.at == other.at && memcmp(r.state, other.state, sizeof r.state) == 0,
                      "p = %g: after %d calls the generator is not where as many uniform numbers leave it",
                      all[i], k + 1);
        }
    }
}

Test(geometric, the_same_seed_gives_the_same_numbers_and_others_give_others)
{
    uint64_t first[100];
    int same = 0;
    dl_random_seed(&r, 7);
    for EACH(i, first)
        first[i] = geometric(&r, 1e-6);
    dl_random_seed(&r, 7);
    for EACH(i, first)
        cr_assert(eq(u64, geometric(&r, 1e-6), first[i]));
    dl_random_seed(&r, 8);
    for EACH(i, first)
        same += geometric(&r, 1e-6) == first[i];
    cr_assert(lt(int, same, 5));
}

/* The state's word that is handed out as y: the tempering undone. */
static uint32_t before_tempering(uint32_t y)
{
    uint32_t x;
    y ^= y >> 18;
    y ^= y << 15 & 0xefc60000u;
    x = y;
    for (int i = 0; i < 5; i++)
        x = y ^ (x << 7 & 0x9d2c5680u);
    return x ^ x >> 11 ^ x >> 22;
}

static uint64_t geometric_from(uint32_t word, double p, double u)
{
    dl_random_seed(&r, 1);
    for (int i = 0; i < 624; i++)
        r.state[i] = before_tempering(word);
    r.at = 0;
    struct dl_random copy = r;
    cr_assert(eq(dbl, dl_random_uniform_double(&copy), u));
    return geometric(&r, p);
}

Test(geometric, neither_the_least_nor_the_greatest_uniform_number_leads_to_infinity)
{
    static const double p[] = {1, 0.999999, 0.5, 0.01, 1e-6};
    for EACH(i, p) {
        double most = p[i] < 1 ? 80 / -log1p(-p[i]) + 1 : 0;  /* e^-80 is far below 2^-53 */
        cr_assert(le(dbl, geometric_from(0, p[i], 0), most), "p = %g, and the uniform number is 0", p[i]);
        cr_assert(le(dbl, geometric_from(UINT32_MAX, p[i], 1 - 0x1p-53), most),
                  "p = %g, and the uniform number is 1 - 2^-53", p[i]);
    }
}
