/* Exercise: the lasso by coordinate descent. */
#include "random.h"

extern void lasso(int n, int k, const double *x, const double *t, double gamma, int sweeps, double *w);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

enum { N = 40, COLUMNS = 6 };
static double x[N * COLUMNS], t[N], w[COLUMNS];

static void make(void)
{
    struct dl_random r;
    dl_random_seed(&r, 2);
    for (int m = 0; m < N; m++) {
        for (int j = 0; j < COLUMNS; j++)
            x[m * COLUMNS + j] = dl_random_normal(&r) + (j > 0 ? 0.5 * x[m * COLUMNS + j - 1] : 0);
        t[m] = 2 * x[m * COLUMNS] - 3 * x[m * COLUMNS + 3] + 0.1 * dl_random_normal(&r);
    }
}

/* The derivative of the squared error by w[j]. */
static double slope(int j)
{
    double g = 0;
    for (int m = 0; m < N; m++) {
        double rest = -t[m];
        for (int i = 0; i < COLUMNS; i++)
            rest += x[m * COLUMNS + i] * w[i];
        g += x[m * COLUMNS + j] * rest / N;
    }
    return g;
}

TestSuite(lasso, .init = make);

Test(lasso, at_the_minimum_no_direction_leads_down)
{
    for (double gamma = 0.01; gamma < 10; gamma *= 2) {
        lasso(N, COLUMNS, x, t, gamma, 2000, w);
        for (int j = 0; j < COLUMNS; j++)
            if (w[j] == 0)
                cr_assert(fabs(slope(j)) <= gamma + 1e-9, "gamma %g: w[%d] should not be 0", gamma, j);
            else
                cr_assert(fabs(slope(j) + copysign(gamma, w[j])) < 1e-9, "gamma %g: w[%d] is %g", gamma, j, w[j]);
    }
}

Test(lasso, selects_the_features_that_matter)
{
    lasso(N, COLUMNS, x, t, 0.3, 2000, w);
    for (int j = 0; j < COLUMNS; j++)
        cr_assert(w[j] == 0 ? j != 0 && j != 3 : j == 0 || j == 3, "w[%d] is %g", j, w[j]);
}

Test(lasso, without_penalty_is_least_squares)
{
    lasso(N, COLUMNS, x, t, 0, 5000, w);
    for (int j = 0; j < COLUMNS; j++)
        cr_assert(fabs(slope(j)) < 1e-9);
}

Test(lasso, a_strong_penalty_or_a_column_of_zeros_or_no_sweep_leaves_zeros)
{
    lasso(N, COLUMNS, x, t, 1000, 10, w);
    for (int j = 0; j < COLUMNS; j++)
        cr_assert(w[j] == 0);
    for (int m = 0; m < N; m++)
        x[m * COLUMNS + 3] = 0;
    lasso(N, COLUMNS, x, t, 0.1, 100, w);
    cr_assert(w[3] == 0 && w[0] > 0);
    lasso(N, COLUMNS, x, t, 0.1, 0, w);
    cr_assert(w[0] == 0);
}

Test(lasso, one_sweep_of_one_column)
{
    double u[2] = {1, 3}, s[2] = {2, 4}, v[1];
    lasso(2, 1, u, s, 1, 1, v);
    cr_assert(fabs(v[0] - (7 - 1) / 5.0) < 1e-12, "%g", v[0]);
    s[0] = -2, s[1] = -4;
    lasso(2, 1, u, s, 1, 1, v);
    cr_assert(fabs(v[0] + (7 - 1) / 5.0) < 1e-12, "%g", v[0]);
}
