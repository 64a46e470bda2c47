/* Exercise: conjugate gradients. */
#include "random.h"

extern int conjugate_gradients(int n, const double *a, const double *b, double *x, double tolerance);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

/* M'M + I for a random M, and b = A (1, 2, ..., n). */
static void make(int n, double *a, double *b)
{
    struct dl_random r;
    double m[64 * 64];
    dl_random_seed(&r, 4);
    for (int i = 0; i < n * n; i++)
        m[i] = dl_random_normal(&r);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            a[i * n + j] = i == j;
            for (int k = 0; k < n; k++)
                a[i * n + j] += m[k * n + i] * m[k * n + j];
        }
    for (int i = 0; i < n; i++) {
        b[i] = 0;
        for (int j = 0; j < n; j++)
            b[i] += a[i * n + j] * (j + 1);
    }
}

Test(conjugate, solves_in_n_steps)
{
    for (int n = 1; n <= 12; n++) {
        double a[64 * 64], b[64], x[64] = {0};
        make(n, a, b);
        int steps = conjugate_gradients(n, a, b, x, 0);
        cr_assert(steps <= n, "%d steps for %d", steps, n);
        for (int i = 0; i < n; i++)
            cr_assert(fabs(x[i] - (i + 1)) < 1e-7, "n = %d: x[%d] is %.12g", n, i, x[i]);
    }
}

Test(conjugate, two_curvatures_need_two_steps)
{
    enum { N = 20 };
    double a[N * N] = {0}, b[N], x[N];
    for (int i = 0; i < N; i++) {
        a[i * N + i] = i % 3 ? 1 : 1000;
        b[i] = i + 1;
        x[i] = -1;
    }
    cr_assert(conjugate_gradients(N, a, b, x, 1e-8) == 2);
    for (int i = 0; i < N; i++)
        cr_assert(fabs(x[i] * a[i * N + i] - (i + 1)) < 1e-8);
}

Test(conjugate, does_nothing_at_the_minimum)
{
    double a[4] = {2, 1, 1, 3}, b[2] = {4, 7}, x[2] = {1, 2};
    cr_assert(conjugate_gradients(2, a, b, x, 1e-12) == 0 && x[0] == 1 && x[1] == 2);
}
