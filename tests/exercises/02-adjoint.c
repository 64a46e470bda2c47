/* Exercise: adjoints by hand. */
#include "random.h"
#include "value.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern double adjoint(const double x[2], double dx[2]);

static double f(double x0, double x1)
{
    return (x0 * x1 + sin(x0)) * exp(x1);
}

/* Random points of the square from -3 to 3. */
static void next_point(struct dl_random *r, double x[2])
{
    for (int i = 0; i < 2; i++)
        x[i] = 6 * dl_random_uniform_double(r) - 3;
}

static bool near(double got, double wanted, double tolerance)
{
    return fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted));
}

Test(adjoint, the_value_is_returned)
{
    struct dl_random r;
    double x[2], dx[2];
    dl_random_seed(&r, 1);
    for (int i = 0; i < 1000; i++) {
        next_point(&r, x);
        double y = adjoint(x, dx), wanted = f(x[0], x[1]);
        cr_assert(near(y, wanted, 1e-14), "y(%g, %g) is %.15g, wanted %.15g", x[0], x[1], y, wanted);
    }
}

Test(adjoint, the_derivatives_are_those_of_the_formula)
{
    struct dl_random r;
    double x[2], dx[2];
    dl_random_seed(&r, 2);
    for (int i = 0; i < 1000; i++) {
        next_point(&r, x);
        double wanted0 = (x[1] + cos(x[0])) * exp(x[1]);
        double wanted1 = x[0] * exp(x[1]) + f(x[0], x[1]);
        adjoint(x, dx);
        cr_assert(near(dx[0], wanted0, 1e-13), "dy/dx0 at (%g, %g) is %.15g, wanted %.15g",
                  x[0], x[1], dx[0], wanted0);
        cr_assert(near(dx[1], wanted1, 1e-13), "dy/dx1 at (%g, %g) is %.15g, wanted %.15g",
                  x[0], x[1], dx[1], wanted1);
    }
}

Test(adjoint, the_derivatives_are_those_of_the_tape)
{
    struct dl_random r;
    double x[2], dx[2];
    dl_random_seed(&r, 3);
    for (int i = 0; i < 1000; i++) {
        next_point(&r, x);
        dl_value *a = dl_value_new(x[0]), *b = dl_value_new(x[1]);
        dl_value *y = dl_value_mul(dl_value_add(dl_value_mul(a, b), dl_value_sin(a)), dl_value_exp(b));
        dl_value_backward(y);
        cr_assert(near(adjoint(x, dx), y->data, 1e-14));
        cr_assert(near(dx[0], a->grad, 1e-13), "dy/dx0: %.15g, the tape has %.15g", dx[0], a->grad);
        cr_assert(near(dx[1], b->grad, 1e-13), "dy/dx1: %.15g, the tape has %.15g", dx[1], b->grad);
        dl_value_release(0);
    }
}

Test(adjoint, each_use_of_an_input_counts)
{
    double dx[2];
    adjoint((double[]){0, 0}, dx);                          /* of x0 in the sine alone */
    cr_assert(epsilon_eq(dbl, dx[0], 1, 1e-15));
    cr_assert(epsilon_eq(dbl, dx[1], 0, 1e-15));
    adjoint((double[]){M_PI / 2, 1}, dx);                   /* of x0 in the product alone; of x1 in both */
    cr_assert(epsilon_eq(dbl, dx[0], M_E, 1e-14));
    cr_assert(epsilon_eq(dbl, dx[1], (M_PI + 1) * M_E, 1e-14));
    adjoint((double[]){M_PI, -1}, dx);                      /* of x1: the two cancel */
    cr_assert(epsilon_eq(dbl, dx[0], -2 / M_E, 1e-14));
    cr_assert(epsilon_eq(dbl, dx[1], 0, 1e-14));
}

Test(adjoint, derivatives_are_stored_not_added)
{
    double x[2] = {0.5, -0.25}, first[2] = {0, 0}, dx[4] = {77, 1e300, NAN, 77};
    double y = adjoint(x, first);
    cr_assert(ne(dbl, first[0], 0));
    cr_assert(eq(dbl, adjoint(x, dx + 1), y));
    cr_assert(eq(dbl, dx[1], first[0]), "what stood in dx[0] matters");
    cr_assert(eq(dbl, dx[2], first[1]), "what stood in dx[1] matters");
    cr_assert(dx[0] == 77 && dx[3] == 77, "a neighbour of dx was written");
}

Test(adjoint, where_the_exponential_is_tiny_so_are_the_derivatives)
{
    double dx[2], e = exp(-50);
    double y = adjoint((double[]){2, -50}, dx);
    cr_assert(epsilon_eq(dbl, y / e, -100 + sin(2), 1e-12));
    cr_assert(epsilon_eq(dbl, dx[0] / e, -50 + cos(2), 1e-12));
    cr_assert(epsilon_eq(dbl, dx[1] / e, -98 + sin(2), 1e-12));
}
