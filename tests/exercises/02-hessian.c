/* Exercise: the Hessian times a vector. */
#include <stddef.h>
#include "value.h"
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <time.h>

extern void hessian_times(dl_value *y, size_t n, dl_value *const x[], const double v[], double result[]);

#define N(array) (sizeof (array) / sizeof *(array))

/* sum of c[i] x[i] */
static dl_value *combination(size_t n, dl_value *const x[], const double c[])
{
    dl_value *s = dl_value_constant(0);
    for (size_t i = 0; i < n; i++)
        s = dl_value_add(s, dl_value_mul(dl_value_constant(c[i]), x[i]));
    return s;
}

static void leaves(size_t n, dl_value *x[], const double at[])
{
    for (size_t i = 0; i < n; i++)
        x[i] = dl_value_new(at[i]);
}

static void expect(size_t n, const double result[], const double wanted[], const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(le(dbl, fabs(result[i] - wanted[i]), 1e-13 * fmax(1, fabs(wanted[i]))),
                  "%s: entry %zu is %.15g, wanted %.15g", what, i, result[i], wanted[i]);
}

/* a^2 b + b^3 + 5 a, whose Hessian is (2b, 2a; 2a, 6b) */
static dl_value *polynomial(dl_value *const x[])
{
    dl_value *a = x[0], *b = x[1], *bb = dl_value_mul(b, b);
    dl_value *y = dl_value_add(dl_value_mul(dl_value_mul(a, a), b), dl_value_mul(bb, b));
    return dl_value_add(y, dl_value_mul(dl_value_constant(5), a));
}

Test(hessian, of_a_polynomial_it_is_that_of_pencil_and_paper)
{
    static const double at[][2] = {{1, 2}, {-3, 0.5}, {0, 0}, {0.1, -7}};
    static const double v[][2] = {{1, 0}, {0, 1}, {1, 1}, {-2, 0.25}, {0, 0}};
    for (size_t i = 0; i < N(at); i++)
        for (size_t j = 0; j < N(v); j++) {
            double a = at[i][0], b = at[i][1], result[2] = {NAN, 77};
            dl_value *x[2];
            leaves(2, x, at[i]);
            hessian_times(polynomial(x), 2, x, v[j], result);
            expect(2, result, (double[]){2 * b * v[j][0] + 2 * a * v[j][1], 2 * a * v[j][0] + 6 * b * v[j][1]},
                   "a^2 b + b^3 + 5 a");
        }
}

Test(hessian, of_a_function_of_one_sum_it_is_an_outer_product)
{
    enum { SIZE = 7 };                                      /* y = exp(c x) has H = c c^T y */
    const double c[SIZE] = {0.5, -1, 0.25, 2, 0, -0.125, 1}, v[SIZE] = {1, 2, 3, -4, 5, 6, -7};
    const double at[SIZE] = {0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7};
    double result[SIZE], wanted[SIZE], cv = 0;
    dl_value *x[SIZE];
    leaves(SIZE, x, at);
    dl_value *y = dl_value_exp(combination(SIZE, x, c));
    for (int i = 0; i < SIZE; i++)
        cv += c[i] * v[i];
    for (int i = 0; i < SIZE; i++)
        wanted[i] = c[i] * cv * y->data;
    hessian_times(y, SIZE, x, v, result);
    expect(SIZE, result, wanted, "exp(c x)");
}

Test(hessian, each_operation_counts_with_its_second_derivative)
{
    const double at[4] = {0.7, 1.3, -0.4, 2}, v[4] = {2, -1, 3, 0.5};
    double result[4] = {NAN, NAN, NAN, NAN};
    dl_value *x[4];
    leaves(4, x, at);                                       /* sin a + ln b + tanh c + 1/d */
    dl_value *y = dl_value_add(dl_value_add(dl_value_sin(x[0]), dl_value_log(x[1])),
                               dl_value_add(dl_value_tanh(x[2]), dl_value_div(dl_value_constant(1), x[3])));
    hessian_times(y, 4, x, v, result);
    double t = tanh(at[2]);
    expect(4, result, (double[]){-2 * sin(at[0]), 1 / (at[1] * at[1]), -6 * t * (1 - t * t), 1 / pow(at[3], 3)},
           "sin a + ln b + tanh c + 1/d");
}

Test(hessian, of_a_linear_function_it_is_0)
{
    double result[3] = {NAN, 77, -1};
    dl_value *x[3];
    leaves(3, x, (double[]){1, 2, 3});
    hessian_times(combination(3, x, (double[]){4, -5, 6}), 3, x, (double[]){1, 1, 1}, result);
    expect(3, result, (double[]){0, 0, 0}, "4a - 5b + 6c");
    result[0] = NAN;
    hessian_times(x[0], 1, x, (double[]){3}, result);
    expect(1, result, (double[]){0}, "a");
}

Test(hessian, an_input_on_which_nothing_depends_has_a_0)
{
    double result[3] = {NAN, NAN, NAN};
    dl_value *x[3];
    leaves(3, x, (double[]){1.5, 2.5, 3.5});
    dl_value *y = dl_value_mul(dl_value_mul(x[1], x[1]), x[1]);
    hessian_times(y, 3, x, (double[]){1, 2, 3}, result);
    expect(3, result, (double[]){0, 30, 0}, "b^3");
    dl_value *z = dl_value_add(x[0], dl_value_mul(x[1], x[1]));     /* the first is there, but linear */
    hessian_times(z, 3, x, (double[]){5, 2, 3}, result);
    expect(3, result, (double[]){0, 4, 0}, "a + b^2");
}

Test(hessian, gradients_tape_and_numbers_are_left_as_they_were)
{
    double result[2] = {0, 0}, again[2];
    const double v[2] = {3, -1};
    dl_value *x[2], *unused = dl_value_new(8);
    leaves(2, x, (double[]){0.5, 2});
    dl_value *square = dl_value_mul(x[0], x[0]), *y = dl_value_exp(dl_value_mul(square, x[1]));
    dl_value_backward(y);
    dl_value *watched[] = {unused, x[0], x[1], square, y};
    double grads[N(watched)], data[N(watched)];
    x[0]->grad = 7, x[1]->grad = -8, unused->grad = 9;
    for (size_t i = 0; i < N(watched); i++)
        grads[i] = watched[i]->grad, data[i] = watched[i]->data;
    size_t count = dl_value_count();
    hessian_times(y, 2, x, v, result);
    cr_assert(ne(dbl, result[0], 0));
    cr_assert(eq(sz, dl_value_count(), count), "values were left on the tape, or taken from it");
    for (size_t i = 0; i < N(watched); i++) {
        cr_assert(eq(dbl, watched[i]->grad, grads[i]), "the gradient of value %zu", i);
        cr_assert(eq(dbl, watched[i]->data, data[i]), "the number of value %zu", i);
    }
    hessian_times(y, 2, x, v, again);
    cr_assert(again[0] == result[0] && again[1] == result[1], "a second call has another result");
    cr_assert(dl_value_set_grad_enabled(true), "the recorder was switched off");
    dl_value_zero_grad(2, x);
    dl_value_backward(y);                                   /* still works */
    cr_assert(epsilon_eq(dbl, x[1]->grad, 0.25 * exp(0.5), 1e-14));
}

Test(hessian, it_is_symmetric_and_linear)
{
    enum { SIZE = 20 };
    struct dl_random r;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        double at[SIZE], u[SIZE], v[SIZE], w[SIZE], hu[SIZE], hv[SIZE], hw[SIZE], wanted[SIZE];
        double uhv = 0, vhu = 0, largest = 0;
        dl_value *x[SIZE], *y = dl_value_constant(0);
        dl_random_seed(&r, seed);
        for (int i = 0; i < SIZE; i++) {
            at[i] = dl_random_uniform_double(&r);
            u[i] = dl_random_normal(&r), v[i] = dl_random_normal(&r), w[i] = 2 * u[i] - 3 * v[i];
        }
        leaves(SIZE, x, at);
        for (int i = 0; i < 3 * SIZE; i++) {
            dl_value *a = x[dl_random_below(&r, SIZE)], *b = x[dl_random_below(&r, SIZE)];
            y = dl_value_add(dl_value_tanh(y), dl_value_mul(dl_value_sin(a), dl_value_exp(dl_value_mul(a, b))));
        }
        hessian_times(y, SIZE, x, u, hu);
        hessian_times(y, SIZE, x, v, hv);
        hessian_times(y, SIZE, x, w, hw);
        for (int i = 0; i < SIZE; i++) {
            uhv += u[i] * hv[i], vhu += v[i] * hu[i];
            wanted[i] = 2 * hu[i] - 3 * hv[i];
            largest = fmax(largest, fabs(hw[i]));
        }
        cr_assert(gt(dbl, largest, 0.1));
        cr_assert(le(dbl, fabs(uhv - vhu), 1e-12 * SIZE * largest), "u H v is %.15g, v H u is %.15g", uhv, vhu);
        for (int i = 0; i < SIZE; i++)
            cr_assert(epsilon_eq(dbl, hw[i], wanted[i], 1e-12 * largest), "seed %d, entry %d", (int)seed, i);
    }
}

Test(hessian, it_has_the_price_of_a_few_gradients_not_of_n)
{
    enum { SIZE = 600 };                                    /* (c x)^3: no entry of H is 0 */
    static double c[SIZE], v[SIZE], result[SIZE];
    dl_value *x[SIZE], *dx[SIZE];
    for (int i = 0; i < SIZE; i++)
        x[i] = dl_value_new(0.01), c[i] = v[i] = 1;
    dl_value *s = combination(SIZE, x, c), *y = dl_value_mul(dl_value_mul(s, s), s);
    clock_t gradient = 0, times = 0;                        /* the least of seven; clock() counts our own time */
    for (int k = 0; k < 7; k++) {
        size_t mark = dl_value_count();
        clock_t start = clock();
        dl_value_grad(y, SIZE, x, dx);
        clock_t middle = clock();
        dl_value_release(mark);
        clock_t resumed = clock();
        hessian_times(y, SIZE, x, v, result);
        clock_t taken = clock() - resumed;
        gradient = k == 0 || middle - start < gradient ? middle - start : gradient;
        times = k == 0 || taken < times ? taken : times;
    }
    cr_assert(epsilon_eq(dbl, result[SIZE - 1], 6 * 6 * SIZE, 1e-7));
    cr_assert(lt(dbl, times, 100.0 * (gradient + 20)), "it took %ld clocks, a gradient %ld",
              (long)times, (long)gradient);
}
