/* Exercise: forward mode in a dozen lines. */
#include "exercises/02-dual.h"
#include "random.h"
#include "value.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern struct dual dual_mul(struct dual x, struct dual y);
extern struct dual dual_div(struct dual x, struct dual y);
extern struct dual dual_sin(struct dual x);

#define D(a, b) ((struct dual){a, b})

static void expect(struct dual got, double a, double b, const char *what)
{
    cr_assert(le(dbl, fabs(got.a - a), 1e-12 * fmax(1, fabs(a))), "%s: a is %.15g, wanted %.15g", what, got.a, a);
    cr_assert(le(dbl, fabs(got.b - b), 1e-12 * fmax(1, fabs(b))), "%s: b is %.15g, wanted %.15g", what, got.b, b);
}

Test(dual, a_product_has_a_share_of_each_factor)
{
    expect(dual_mul(D(2, 3), D(5, 7)), 10, 29, "(2 + 3e) (5 + 7e)");
    expect(dual_mul(D(2, 1), D(5, 0)), 10, 5, "(2 + e) 5");
    expect(dual_mul(D(2, 0), D(5, 1)), 10, 2, "2 (5 + e)");
    expect(dual_mul(D(-3, 1), D(-3, 1)), 9, -6, "the square of -3 + e");
}

Test(dual, epsilon_squared_is_0)
{
    expect(dual_mul(D(0, 1), D(0, 1)), 0, 0, "e e");
    expect(dual_mul(D(0, 1e200), D(0, 1e200)), 0, 0, "1e200 e 1e200 e");
    expect(dual_mul(D(0, 1), D(4, 6)), 0, 4, "e (4 + 6e)");
}

Test(dual, a_quotient_has_the_rule_of_quotients)
{
    expect(dual_div(D(1, 0), D(4, 1)), 0.25, -0.0625, "1 / (4 + e)");
    expect(dual_div(D(6, 1), D(-2, 0)), -3, -0.5, "(6 + e) / -2");
    expect(dual_div(D(6, 5), D(-2, 3)), -3, -7, "(6 + 5e) / (-2 + 3e)");
    expect(dual_div(D(0, 3), D(2, 9)), 0, 1.5, "3e / (2 + 9e)");
    expect(dual_div(D(7, 3), D(7, 3)), 1, 0, "(7 + 3e) / (7 + 3e)");
}

Test(dual, dividing_undoes_multiplying)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    for (int i = 0; i < 1000; i++) {
        struct dual x = {dl_random_normal(&r), dl_random_normal(&r)}, y = {dl_random_normal(&r), dl_random_normal(&r)};
        y.a += copysign(0.5, y.a);
        expect(dual_div(dual_mul(x, y), y), x.a, x.b, "(x y) / y");
        expect(dual_mul(dual_div(x, y), y), x.a, x.b, "(x / y) y");
    }
}

Test(dual, the_sines_slope_is_the_cosine_times_that_of_its_argument)
{
    expect(dual_sin(D(0, 1)), 0, 1, "sin e");
    expect(dual_sin(D(0, -3)), 0, -3, "sin -3e");
    expect(dual_sin(D(M_PI, 2)), 0, -2, "sin (pi + 2e)");
    expect(dual_sin(D(M_PI / 2, 5)), 1, 0, "sin (pi/2 + 5e)");
    expect(dual_sin(D(-1.25, 0.5)), sin(-1.25), 0.5 * cos(1.25), "sin (-1.25 + e/2)");
}

Test(dual, constants_stay_constants)
{
    expect(dual_mul(D(3, 0), D(-4, 0)), -12, 0, "3 * -4");
    expect(dual_div(D(3, 0), D(-4, 0)), -0.75, 0, "3 / -4");
    expect(dual_sin(D(2, 0)), sin(2), 0, "sin 2");
}

Test(dual, a_long_expression_has_the_derivative_that_the_tape_has)
{
    struct dl_random r;
    dl_random_seed(&r, 2);
    for (int i = 0; i < 200; i++) {
        double at[2] = {dl_random_normal(&r), dl_random_normal(&r)};
        double h[2] = {dl_random_normal(&r), dl_random_normal(&r)};
        struct dual a = {at[0], h[0]}, b = {at[1], h[1]}, z = a;
        dl_value *x[2] = {dl_value_new(at[0]), dl_value_new(at[1])}, *y = x[0];
        for (int k = 0; k < 20; k++) {                      /* z becomes a sin(b z) / (2 + sin(b z)) */
            struct dual s = dual_sin(dual_mul(b, z));
            z = dual_div(dual_mul(s, a), D(2 + s.a, s.b));
            dl_value *t = dl_value_sin(dl_value_mul(x[1], y));
            y = dl_value_div(dl_value_mul(t, x[0]), dl_value_add(dl_value_constant(2), t));
        }
        dl_value_backward(y);
        double slope = x[0]->grad * h[0] + x[1]->grad * h[1];
        double size = fmax(1, fabs(x[0]->grad * h[0]) + fabs(x[1]->grad * h[1]));
        cr_assert(epsilon_eq(dbl, z.a, y->data, 1e-10 * fmax(1, fabs(y->data))));
        cr_assert(le(dbl, fabs(z.b - slope), 1e-9 * size), "b is %.12g, the tape has %.12g", z.b, slope);
        dl_value_release(0);
    }
}
