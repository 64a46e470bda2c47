/* Exercise: a reduction with the same bits for every number of threads. */
#include <stddef.h>
#include "base.h"
#include "parallel.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>

extern double mean_square(size_t n, const float *x);

Test(mean_square, small_cases)
{
    cr_assert(eq(dbl, mean_square(0, NULL), 0));
    cr_assert(eq(dbl, mean_square(1, (float[]){3}), 9));
    cr_assert(eq(dbl, mean_square(2, (float[]){1, -3}), 5));
}

Test(mean_square, right_and_with_the_same_bits_for_any_number_of_threads)
{
    float *x = dl_alloc(1000003, sizeof *x);
    for (size_t i = 0; i < 1000003; i++)
        x[i] = (float)((i * 7919) % 10007) / 997 - 3;
    for (size_t n = 1; n <= 1000003; n = n * 3 + 1) {
        long double exact = 0;
        for (size_t i = 0; i < n; i++)
            exact += (long double)x[i] * x[i];
        exact /= n;
        dl_set_num_threads(1);
        double one = mean_square(n, x);
        cr_assert(le(dbl, fabs(one - (double)exact), 1e-12 * (double)exact));
        for (int threads = 2; threads <= 7; threads++)
            for (int again = 0; again < 3; again++) {
                dl_set_num_threads(threads);
                cr_assert(mean_square(n, x) == one, "%zu numbers, %d threads", n, threads);
            }
    }
    free(x);
}
