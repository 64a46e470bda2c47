/* Exercise: where gradient descent arrives that did not start at zero. */
#include "qr.h"
#include "random.h"
#include <stdbool.h>

extern bool nearest(int n, int N, const double *a, const double *y, const double *start, double *w);

#include <criterion/criterion.h>
#include <math.h>

enum { n = 4, N = 9 };

static double a[n * N], y[n], start[N], w[N];

static void draw(void)
{
    struct dl_random r;
    dl_random_seed(&r, 21);
    for (int i = 0; i < n * N; i++)
        a[i] = dl_random_normal(&r);
    for (int i = 0; i < n; i++)
        y[i] = dl_random_normal(&r);
    for (int j = 0; j < N; j++)
        start[j] = dl_random_normal(&r);
}

Test(nearest, is_where_gradient_descent_arrives)
{
    draw();
    cr_assert(nearest(n, N, a, y, start, w));
    double v[N];
    for (int j = 0; j < N; j++)
        v[j] = start[j];
    for (int step = 0; step < 20000; step++)
        for (int i = 0; i < n; i++) {           /* one example at a time: still combinations of the rows */
            double rest = -y[i];
            for (int j = 0; j < N; j++)
                rest += a[i * N + j] * v[j];
            for (int j = 0; j < N; j++)
                v[j] -= 0.02 * rest * a[i * N + j];
        }
    for (int j = 0; j < N; j++)
        cr_assert(fabs(v[j] - w[j]) < 1e-9, "%d: %g, not %g", j, w[j], v[j]);
}

Test(nearest, from_zero_is_the_shortest)
{
    draw();
    double zero[N] = {0}, shortest[N];
    struct dl_qr q;
    cr_assert(nearest(n, N, a, y, zero, w));
    cr_assert(dl_qr_init(&q, n, N, a, 0));
    dl_qr_solve(&q, y, shortest);
    for (int j = 0; j < N; j++)
        cr_assert(fabs(shortest[j] - w[j]) < 1e-14);
    dl_qr_free(&q);
}

Test(nearest, stays_where_everything_fits_already)
{
    draw();
    double again[N];
    cr_assert(nearest(n, N, a, y, start, w));
    cr_assert(nearest(n, N, a, y, w, again));
    for (int j = 0; j < N; j++)
        cr_assert(fabs(again[j] - w[j]) < 1e-13);
}

Test(nearest, says_no_if_the_rows_depend_on_one_another)
{
    draw();
    for (int j = 0; j < N; j++)
        a[N + j] = 2 * a[j];
    cr_assert(!nearest(n, N, a, y, start, w));
}
