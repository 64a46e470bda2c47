/* Exercise: a smooth relu. */
#include "value.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern dl_value *softplus(dl_value *x);

static double exact(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* softplus at a, and its derivative there. */
static double at(double a, double *slope)
{
    dl_value *x = dl_value_new(a), *y = softplus(x);
    cr_assert(y != NULL, "there is no result");
    dl_value_backward(y);
    double result = y->data;
    *slope = x->grad;
    dl_value_release(0);
    return result;
}

Test(softplus, at_0_it_is_ln_2_and_its_slope_one_half)
{
    double slope, y = at(0, &slope);
    cr_assert(epsilon_eq(dbl, y, M_LN2, 0x1p-52));
    cr_assert(epsilon_eq(dbl, slope, 0.5, 0x1p-52));
    y = at(-0.0, &slope);
    cr_assert(epsilon_eq(dbl, y, M_LN2, 0x1p-52));
    cr_assert(epsilon_eq(dbl, slope, 0.5, 0x1p-52));
}

Test(softplus, nothing_overflows_far_from_0)
{
    static const double far[] = {50, 700, 710, 1000, 1e6, 1e300};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        double slope, y = at(far[i], &slope);
        cr_assert(ieee_ulp_eq(dbl, y, far[i], 2), "x = %g", far[i]);
        cr_assert(epsilon_eq(dbl, slope, 1, 0x1p-51), "the slope at x = %g", far[i]);
        y = at(-far[i], &slope);
        cr_assert(epsilon_eq(dbl, y, 0, 0x1p-52), "x = %g", -far[i]);
        cr_assert(epsilon_eq(dbl, slope, 0, 0x1p-51), "the slope at x = %g", -far[i]);
    }
}

Test(softplus, at_minus_30_no_more_is_lost_than_one_rounding_of_1_plus_e)
{
    double slope, y = at(-30, &slope);                      /* 9.36e-14; three digits can be had */
    cr_assert(epsilon_eq(dbl, y, exact(-30), 0x1p-52));
    cr_assert(epsilon_eq(dbl, slope, sigmoid(-30), 0x1p-52));
}

Test(softplus, the_value_is_right_everywhere)
{
    for (double a = -60; a <= 60; a += 0x1p-5) {
        double slope, y = at(a, &slope), wanted = exact(a);
        cr_assert(le(dbl, fabs(y - wanted), 0x1p-52 * fmax(1, wanted)), "x = %g: %.17g, wanted %.17g", a, y, wanted);
    }
}

Test(softplus, the_derivative_is_the_sigmoid_everywhere)
{
    for (double a = -60; a <= 60; a += 0x1p-5) {
        double slope;
        at(a, &slope);
        cr_assert(epsilon_eq(dbl, slope, sigmoid(a), 0x1p-51), "x = %g", a);
    }
}

static dl_value *scaled(size_t n, dl_value *const x[], void *context)
{
    (void)n, (void)context;
    dl_value *inside = dl_value_mul(x[0], x[1]);
    return dl_value_mul(x[2], softplus(inside));
}

Test(softplus, it_takes_its_place_in_a_larger_expression)
{
    cr_assert(softplus(dl_value_constant(1)) != NULL, "there is no result");
    static const double points[][3] = {{1.5, 2, -1}, {-1.5, 2, 3}, {0.01, 1, 1}, {-4, 3, 2}, {20, 1, 0.5}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        cr_assert(le(dbl, dl_value_gradcheck(scaled, NULL, 3, points[i]), 1e-7), "point %zu", i);
}

Test(softplus, away_from_0_its_second_derivative_is_right_too)
{
    static const double points[] = {-20, -3, -0.5, 0.25, 1, 7, 20};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        dl_value *x = dl_value_new(points[i]), *y = softplus(x), *d;
        cr_assert(y != NULL, "there is no result");
        dl_value_grad(y, 1, &x, &d);
        dl_value_grad(d, 1, &x, &d);
        double s = sigmoid(points[i]);
        cr_assert(epsilon_eq(dbl, d->data, s * (1 - s), 1e-14), "x = %g", points[i]);
    }
}
