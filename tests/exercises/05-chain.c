/* Exercise: where to put the parentheses. */
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <unistd.h>

extern long chain(int n, const int d[]);

/* All ways, by recursion. */
static long brute(int n, const int d[])
{
    long best = n == 1 ? 0 : -1;
    for (int s = 1; s < n; s++) {
        long cost = brute(s, d) + brute(n - s, d + s) + (long)d[0] * d[s] * d[n];
        if (best < 0 || cost < best)
            best = cost;
    }
    return best;
}

Test(chain, one_matrix_costs_nothing_and_two_one_product)
{
    cr_assert(eq(long, chain(1, (int[]){3, 4}), 0));
    cr_assert(eq(long, chain(2, (int[]){3, 4, 5}), 60));
}

Test(chain, a_row_at_the_left_is_multiplied_from_the_left)
{
    cr_assert(eq(long, chain(4, (int[]){1, 100, 100, 100, 100}), 30000));
    cr_assert(eq(long, chain(4, (int[]){100, 100, 100, 100, 1}), 30000));
}

Test(chain, random_chains_cost_what_all_ways_tried_say)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    for (int t = 0; t < 300; t++) {
        int n = 1 + (int)dl_random_below(&r, 9), d[10];
        for (int i = 0; i <= n; i++)
            d[i] = 1 + (int)dl_random_below(&r, t % 2 ? 10 : 1000);
        cr_assert(eq(long, chain(n, d), brute(n, d)));
    }
}

Test(chain, a_hundred_matrices_take_no_time_and_do_not_overflow)
{
    alarm(5);
    int d[101];
    for (int i = 0; i <= 100; i++)
        d[i] = 10000;
    cr_assert(eq(long, chain(100, d), 99 * 1000000000000L));
    d[0] = 1;
    cr_assert(eq(long, chain(100, d), 99 * 100000000L));
}
