/* Chapter 2: scalars that remember how they were computed. */
#include "base.h"
#include "random.h"
#include "value.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

/* In the order of OPERATIONS in tests/oracle/02_value.py. */
static const struct operation {
    const char *name;
    dl_value *(*leaf)(double x);
    dl_value *(*two)(dl_value *a, dl_value *b);
    dl_value *(*one)(dl_value *a);
} operations[] = {
    {.name = "leaf", .leaf = dl_value_new},
    {.name = "constant", .leaf = dl_value_constant},
    {.name = "add", .two = dl_value_add},
    {.name = "sub", .two = dl_value_sub},
    {.name = "mul", .two = dl_value_mul},
    {.name = "div", .two = dl_value_div},
    {.name = "pow", .two = dl_value_pow},
    {.name = "max", .two = dl_value_max},
    {.name = "neg", .one = dl_value_neg},
    {.name = "exp", .one = dl_value_exp},
    {.name = "log", .one = dl_value_log},
    {.name = "sqrt", .one = dl_value_sqrt},
    {.name = "tanh", .one = dl_value_tanh},
    {.name = "sigmoid", .one = dl_value_sigmoid},
    {.name = "relu", .one = dl_value_relu},
    {.name = "sin", .one = dl_value_sin},
    {.name = "cos", .one = dl_value_cos},
};

static dl_value *apply(const struct operation *o, dl_value *a, dl_value *b)
{
    return o->two ? o->two(a, b) : o->one(a);
}

/* Equal, both NaN, or as near as the tolerance says relative to b. */
static bool near(double a, double b, double tolerance)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * fabs(b);
}

#define cr_assert_near(a, b, tolerance, ...)                                  \
    do {                                                                      \
        double left = (a), right = (b);                                       \
        int are_near = near(left, right, tolerance);                          \
        cr_assert(are_near, #a " is %.17g, not %.17g: " CR_VA_HEAD(__VA_ARGS__), left, right, CR_VA_TAIL(__VA_ARGS__)); \
    } while (0)

/* ---- Graphs small enough for pencil and paper ------------------------------------------------------------------ */

Test(value, a_product_and_a_sine_know_how_they_depend_on_their_leaves)
{
    dl_value *a = dl_value_new(2), *b = dl_value_new(-3);
    dl_value *y = dl_value_add(dl_value_mul(a, b), dl_value_sin(a));
    dl_value_backward(y);
    cr_assert(eq(dbl, y->data, -6 + sin(2)));
    cr_assert(eq(dbl, a->grad, -3 + cos(2)));
    cr_assert(eq(dbl, b->grad, 2));
}

Test(value, the_second_derivative_of_a_sine_is_minus_the_sine)
{
    dl_value *x = dl_value_new(0.7), *first, *second;
    dl_value_grad(dl_value_sin(x), 1, &x, &first);
    dl_value_grad(first, 1, &x, &second);
    cr_assert(epsilon_eq(dbl, first->data, cos(0.7), 1e-15));
    cr_assert(epsilon_eq(dbl, second->data, -sin(0.7), 1e-15));
}

Test(value, the_mixed_derivative_of_a_power_is_the_same_in_both_orders)
{
    dl_value *a = dl_value_new(2), *b = dl_value_new(0), *by_a, *by_b, *mixed[2];
    dl_value *y = dl_value_pow(a, b);
    dl_value_grad(y, 1, &a, &by_a);
    dl_value_grad(y, 1, &b, &by_b);
    dl_value_grad(by_a, 1, &b, &mixed[0]);
    dl_value_grad(by_b, 1, &a, &mixed[1]);
    cr_assert(epsilon_eq(dbl, mixed[0]->data, 0.5, 1e-15));
    cr_assert(epsilon_eq(dbl, mixed[1]->data, 0.5, 1e-15));
}

Test(value, of_a_linear_function_all_higher_derivatives_are_zero)
{
    dl_value *x = dl_value_new(3), *d;
    dl_value_grad(dl_value_add(x, x), 1, &x, &d);
    cr_assert(eq(dbl, d->data, 2));
    for (int order = 2; order < 5; order++) {
        dl_value_grad(d, 1, &x, &d);
        cr_assert(eq(dbl, d->data, 0));
    }
}

Test(value, a_diamond_is_counted_once_per_path)
{
    dl_value *a = dl_value_new(1);
    dl_value *b = dl_value_add(a, a);
    dl_value *c = dl_value_add(b, b);
    dl_value_backward(c);
    cr_assert(eq(dbl, c->grad, 1));
    cr_assert(eq(dbl, b->grad, 2));
    cr_assert(eq(dbl, a->grad, 4));
}

Test(value, sixty_doublings_have_two_to_the_sixty_paths)
{
    dl_value *x = dl_value_new(1), *y = x;
    for (int i = 0; i < 60; i++)
        y = dl_value_add(y, y);
    dl_value_backward(y);
    cr_assert(eq(dbl, y->data, 0x1p60));
    cr_assert(eq(dbl, x->grad, 0x1p60));
}

Test(value, micrograds_example_gives_micrograds_three_numbers)
{
    dl_value *one = dl_value_constant(1), *two = dl_value_constant(2), *three = dl_value_constant(3);
    dl_value *a = dl_value_new(-4), *b = dl_value_new(2);
    dl_value *c = dl_value_add(a, b);
    dl_value *d = dl_value_add(dl_value_mul(a, b), dl_value_pow(b, three));
    c = dl_value_add(c, dl_value_add(c, one));
    c = dl_value_add(c, dl_value_add(dl_value_add(one, c), dl_value_neg(a)));
    d = dl_value_add(d, dl_value_add(dl_value_mul(d, two), dl_value_relu(dl_value_add(b, a))));
    d = dl_value_add(d, dl_value_add(dl_value_mul(three, d), dl_value_relu(dl_value_sub(b, a))));
    dl_value *e = dl_value_sub(c, d);
    dl_value *f = dl_value_pow(e, two);
    dl_value *g = dl_value_div(f, two);
    g = dl_value_add(g, dl_value_div(dl_value_constant(10), f));
    dl_value_backward(g);
    char text[100];
    snprintf(text, sizeof text, "%.4f %.4f %.4f", g->data, a->grad, b->grad);
    cr_assert(eq(str, text, "24.7041 138.8338 645.5773"));
}

Test(value, a_value_used_twice_by_one_operation_gets_both_shares)
{
    dl_value *x = dl_value_new(3);
    dl_value_backward(dl_value_mul(x, x));
    cr_assert(eq(dbl, x->grad, 6));
    dl_value_zero_grad(1, &x);
    dl_value_backward(dl_value_sub(x, x));
    cr_assert(eq(dbl, x->grad, 0));
    dl_value_backward(dl_value_div(x, x));
    cr_assert(eq(dbl, x->grad, 0));
    dl_value_backward(dl_value_max(x, x));
    cr_assert(eq(dbl, x->grad, 1));
}

Test(value, the_gradient_of_a_leaf_by_itself_is_one)
{
    dl_value *x = dl_value_new(3), *dx;
    dl_value_grad(x, 1, &x, &dx);
    cr_assert(eq(dbl, dx->data, 1));
    cr_assert(eq(dbl, x->grad, 0));
    dl_value_backward(x);
    cr_assert(eq(dbl, x->grad, 1));
}

Test(value, a_new_value_has_its_number_and_no_gradient)
{
    dl_value *x = dl_value_new(-2.5), *c = dl_value_constant(7);
    cr_assert(eq(dbl, x->data, -2.5));
    cr_assert(eq(dbl, x->grad, 0));
    cr_assert(eq(dbl, c->data, 7));
    cr_assert(eq(dbl, c->grad, 0));
}

Test(value, a_value_fits_into_a_cache_line)
{
    cr_assert(le(sz, sizeof(dl_value), 64));
}

/* ---- Passes ---------------------------------------------------------------------------------------------------- */

Test(value, backward_twice_doubles_the_leaves_and_not_what_is_between)
{
    dl_value *x = dl_value_new(2), *square = dl_value_mul(x, x), *y = dl_value_mul(square, dl_value_constant(5));
    for (int i = 1; i <= 3; i++) {
        dl_value_backward(y);
        cr_assert(eq(dbl, x->grad, i * 20));
        cr_assert(eq(dbl, square->grad, 5));
        cr_assert(eq(dbl, y->grad, 1));
    }
    dl_value_zero_grad(1, &x);
    cr_assert(eq(dbl, x->grad, 0));
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 20));
}

Test(value, gradients_of_several_roots_add_up_in_the_leaves)
{
    dl_value *x = dl_value_new(2), *shared = dl_value_mul(x, x);
    dl_value_backward(dl_value_mul(shared, x));                        /* 3 x^2 = 12 */
    dl_value_backward(dl_value_neg(shared));                           /* -2 x = -4 */
    cr_assert(eq(dbl, x->grad, 8));
    cr_assert(eq(dbl, shared->grad, -1));
}

Test(value, a_root_in_the_middle_of_the_tape_leaves_later_values_alone)
{
    dl_value *x = dl_value_new(2), *y = dl_value_mul(x, x), *later = dl_value_mul(y, x);
    later->grad = 77;
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 4));
    cr_assert(eq(dbl, later->grad, 77));
}

Test(value, a_gradient_set_by_hand_is_added_to)
{
    dl_value *x = dl_value_new(2);
    x->grad = 100;
    dl_value_backward(dl_value_mul(x, x));
    cr_assert(eq(dbl, x->grad, 104));
}

Test(value, a_leaf_with_new_data_counts_in_new_expressions)
{
    dl_value *x = dl_value_new(2);
    x->data = 5;
    dl_value_backward(dl_value_mul(x, x));
    cr_assert(eq(dbl, x->grad, 10));
}

Test(value, infinities_and_nans_elsewhere_on_the_tape_do_not_disturb)
{
    dl_value *x = dl_value_new(0), *z = dl_value_new(NAN), *dx[2];
    dl_value_log(x), dl_value_sqrt(x), dl_value_mul(x, z), dl_value_div(dl_value_constant(1), x);
    dl_value *y = dl_value_cos(dl_value_add(x, dl_value_constant(1)));
    dl_value *w = dl_value_log(x);
    dl_value_mul(dl_value_sqrt(w), y);
    dl_value *xz[] = {x, z};
    dl_value_backward(y);
    cr_assert_near(x->grad, -sin(1), 1e-15, "%s", "");
    cr_assert(eq(dbl, z->grad, 0));
    dl_value_grad(y, 2, xz, dx);
    cr_assert_near(dx[0]->data, -sin(1), 1e-15, "%s", "");
    cr_assert(eq(dbl, dx[1]->data, 0));
}

Test(value, a_gradient_of_zero_meets_an_infinite_slope_as_in_torch)
{
    dl_value *x = dl_value_new(0);                                     /* 0 times infinity is NaN there as well */
    dl_value_backward(dl_value_mul(dl_value_sqrt(x), dl_value_constant(0)));
    cr_assert(isnan(x->grad));
}

/* ---- Constants and no_grad ------------------------------------------------------------------------------------- */

Test(value, constants_get_no_gradient)
{
    dl_value *x = dl_value_new(3), *c = dl_value_constant(4);
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        if (o->two) {
            dl_value_backward(o->two(x, c));
            dl_value_backward(o->two(c, x));
        }
    }
    cr_assert(eq(dbl, c->grad, 0));
}

Test(value, an_expression_of_constants_is_a_constant)
{
    dl_value *c = dl_value_constant(3);
    for EACH(i, operations)
        if (!operations[i].leaf)
            fails_with(dl_value_backward(apply(&operations[i], c, c)), "dl_value_backward: ");
}

Test(value, a_constant_beside_a_leaf_spares_no_share_of_the_leaf)
{
    static const struct { const char *name; double by_a, by_b; } slopes[] = {       /* at a = 3, b = 2 */
        {"add", 1, 1}, {"sub", 1, -1}, {"mul", 2, 3}, {"div", 0.5, -0.75}, {"pow", 6, 9 * 1.0986122886681098}, {"max", 1, 0}};
    for EACH(s, slopes)
        for EACH(i, operations)
            if (strcmp(operations[i].name, slopes[s].name) == 0) {
                dl_value *a = dl_value_new(3), *b = dl_value_new(2);
                dl_value_backward(operations[i].two(a, dl_value_constant(2)));
                dl_value_backward(operations[i].two(dl_value_constant(3), b));
                cr_assert_near(a->grad, slopes[s].by_a, 1e-15, "%s", slopes[s].name);
                cr_assert_near(b->grad, slopes[s].by_b, 1e-15, "%s", slopes[s].name);
            }
}

Test(value, without_recording_the_numbers_are_the_same_and_the_results_constants)
{
    dl_value *x = dl_value_new(3), *recorded = dl_value_mul(x, x);
    cr_assert(dl_value_set_grad_enabled(false));
    dl_value *y = dl_value_mul(x, x);
    cr_assert(not(dl_value_set_grad_enabled(true)));
    cr_assert(eq(dbl, y->data, 9));
    fails_with(dl_value_backward(y), "dl_value_backward: ");
    dl_value_backward(dl_value_mul(recorded, y));                      /* 9 x^2, the 9 a constant */
    cr_assert(eq(dbl, x->grad, 54));
}

Test(value, the_switch_gives_its_old_setting)
{
    cr_assert(dl_value_set_grad_enabled(true));
    cr_assert(dl_value_set_grad_enabled(false));
    cr_assert(not(dl_value_set_grad_enabled(false)));
    cr_assert(not(dl_value_set_grad_enabled(true)));
    cr_assert(dl_value_set_grad_enabled(true));
}

Test(value, a_leaf_made_without_recording_is_still_a_leaf)
{
    dl_value_set_grad_enabled(false);
    dl_value *x = dl_value_new(3);
    dl_value_set_grad_enabled(true);
    dl_value_backward(dl_value_mul(x, x));
    cr_assert(eq(dbl, x->grad, 6));
}

Test(value, backward_runs_while_recording_is_off_and_leaves_it_off)
{
    dl_value *x = dl_value_new(3), *y = dl_value_mul(x, x), *dx;
    dl_value_set_grad_enabled(false);
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 6));
    dl_value_grad(y, 1, &x, &dx);
    cr_assert(eq(dbl, dx->data, 6));
    cr_assert(not(dl_value_set_grad_enabled(true)));
}

Test(value, backward_makes_no_values_that_stay)
{
    dl_value *x = dl_value_new(3), *y = dl_value_pow(dl_value_tanh(x), dl_value_sigmoid(x));
    size_t count = dl_value_count();
    dl_value_backward(y);
    cr_assert(eq(sz, dl_value_count(), count));
    dl_value *z = dl_value_exp(y);
    cr_assert(eq(sz, dl_value_count(), count + 1));
    dl_value_backward(z);                                              /* and the tape goes on where it was */
}

/* ---- Every operation against PyTorch --------------------------------------------------------------------------- */

static struct oracle torch(void)
{
    struct oracle o = oracle_open("02_value.safetensors");
    char names[200] = "";
    for EACH(i, operations)
        sprintf(names + strlen(names), "%s%s", i ? " " : "", operations[i].name);
    cr_assert(eq(str, names, (char *)oracle_text(&o, "operations")));
    return o;
}

Test(value, every_operation_has_pytorchs_values_and_slopes_at_edges_kinks_infinities_and_nan)
{
    struct oracle o = torch();
    struct oracle_tensor op = oracle_get(&o, "point.op"), at = oracle_get(&o, "point.at");
    struct oracle_tensor result = oracle_get(&o, "point.result");
    for (size_t i = 0; i < op.count; i++) {
        const struct operation *f = &operations[op.u8[i]];
        dl_value *a = dl_value_new(at.f64[2 * i]), *b = dl_value_new(at.f64[2 * i + 1]);
        dl_value *y = apply(f, a, b);
        dl_value_backward(y);
        const double *want = result.f64 + 3 * i;
        cr_assert_near(y->data, want[0], 1e-14, "%s(%g, %g)", f->name, a->data, b->data);
        cr_assert_near(a->grad, want[1], 1e-13, "%s(%g, %g)", f->name, a->data, b->data);
        cr_assert_near(b->grad, want[2], 1e-13, "%s(%g, %g)", f->name, a->data, b->data);
    }
    cr_assert(gt(sz, op.count, 800));
    dl_value_release(0);
    oracle_close(&o);
}

/* An expression of the oracle, rebuilt. */
struct expression {
    size_t nodes, leaves;
    dl_value *node[256], *leaf[256];       /* leaf: those that are no constants */
};

static struct expression rebuild(const struct oracle *o, const char *set, size_t which, size_t *next_number)
{
    struct expression e = {0};
    struct oracle_tensor start = oracle_get(o, "%s.start", set), op = oracle_get(o, "%s.op", set);
    struct oracle_tensor in = oracle_get(o, "%s.in", set), data = oracle_get(o, "%s.data", set);
    for (int i = start.i32[which]; i < start.i32[which + 1]; i++) {
        const struct operation *f = &operations[op.u8[i]];
        e.node[e.nodes++] = f->leaf ? f->leaf(data.f64[(*next_number)++])
                                    : apply(f, e.node[in.u8[2 * i]], e.node[in.u8[2 * i + 1]]);
        if (f->leaf == dl_value_new)
            e.leaf[e.leaves++] = e.node[e.nodes - 1];
    }
    return e;
}

/* 1e-12, relative: the oracle keeps expressions whose gradients PyTorch has right to 1e-13. */
Test(value, three_hundred_random_expressions_have_pytorchs_values_and_gradients)
{
    struct oracle o = torch();
    struct oracle_tensor root = oracle_get(&o, "expr.root"), grad = oracle_get(&o, "expr.grad");
    struct oracle_tensor value = oracle_get(&o, "expr.value"), start = oracle_get(&o, "expr.start");
    size_t number = 0, leaf = 0;
    for (size_t i = 0; i < root.count; i++) {
        struct expression e = rebuild(&o, "expr", i, &number);
        for (size_t k = 0; k < e.nodes; k++) {
            double want = value.f32[start.i32[i] + k];
            cr_assert_near(e.node[k]->data, want, 1e-6, "expression %zu, node %zu of %zu", i, k, e.nodes);
        }
        dl_value *y = e.node[e.nodes - 1];
        cr_assert_near(y->data, root.f64[i], 1e-12, "root of expression %zu with %zu nodes", i, e.nodes);
        dl_value_backward(y);
        for (size_t k = 0; k < e.leaves; k++)
            cr_assert_near(e.leaf[k]->grad, grad.f64[leaf++], 1e-12, "leaf %zu of expression %zu", k, i);
        dl_value_release(0);
    }
    cr_assert(eq(sz, root.count, 300));
    cr_assert(eq(sz, leaf, grad.count));
    oracle_close(&o);
}

Test(value, derivatives_as_values_equal_those_as_numbers_for_leaves_and_inner_values)
{
    struct oracle o = torch();
    size_t number = 0;
    for (size_t i = 0; i < 300; i++) {
        struct expression e = rebuild(&o, "expr", i, &number);
        dl_value *dx[256];
        for (size_t k = 0; k < e.nodes; k++)
            e.node[k]->grad = 0;
        dl_value_grad(e.node[e.nodes - 1], e.nodes, e.node, dx);
        for (size_t k = 0; k < e.nodes; k++)
            cr_assert(eq(dbl, e.node[k]->grad, 0), "node %zu of expression %zu was touched", k, i);
        dl_value_backward(e.node[e.nodes - 1]);
        for (size_t k = 0; k < e.nodes; k++)
            cr_assert_near(dx[k]->data, e.node[k]->grad, 1e-13, "node %zu of expression %zu", k, i);
        dl_value_release(0);
    }
    oracle_close(&o);
}

/* ---- Higher derivatives ---------------------------------------------------------------------------------------- */

Test(value, derivatives_to_the_third_order_are_pytorchs)
{
    struct oracle o = torch();
    struct oracle_tensor want = oracle_get(&o, "higher.derivatives");  /* fx fy, fxx fxy fyx fyy, fxxx ... fyyy */
    size_t number = 0;
    for (size_t i = 0; i < want.shape[0]; i++) {
        struct expression e = rebuild(&o, "higher", i, &number);
        dl_value *d[15] = {e.node[e.nodes - 1]};                       /* d[2k+1], d[2k+2]: d[k] by x and y */
        for (int k = 0; k < 7; k++)
            dl_value_grad(d[k], 2, e.leaf, &d[2 * k + 1]);
        for (int k = 1; k < 15; k++)
            cr_assert_near(d[k]->data, want.f64[14 * i + k - 1], 1e-9, "derivative %d of expression %zu", k, i);
        cr_assert_near(d[4]->data, d[5]->data, 1e-9, "mixed partials of expression %zu", i);
        cr_assert(eq(dbl, e.leaf[0]->grad, 0));
        cr_assert(eq(dbl, e.leaf[1]->grad, 0));
        dl_value_release(0);
    }
    cr_assert(eq(sz, want.shape[0], 40));
    oracle_close(&o);
}

Test(value, derivatives_by_inner_values_are_pytorchs)
{
    struct oracle o = torch();
    struct oracle_tensor inner = oracle_get(&o, "higher.inner"), want = oracle_get(&o, "higher.by_inner");
    size_t number = 0;
    for (size_t i = 0; i < inner.count; i++) {
        struct expression e = rebuild(&o, "higher", i, &number);
        dl_value *z = e.node[inner.i32[i]], *fz, *d[3];
        dl_value_grad(e.node[e.nodes - 1], 1, &z, &fz);
        dl_value_grad(fz, 3, (dl_value *[]){e.leaf[0], e.leaf[1], z}, d);
        cr_assert_near(fz->data, want.f64[4 * i], 1e-11, "expression %zu by node %d", i, inner.i32[i]);
        for (int k = 0; k < 3; k++)
            cr_assert_near(d[k]->data, want.f64[4 * i + 1 + k], 1e-9, "expression %zu, that by %d", i, k);
        dl_value_release(0);
    }
    oracle_close(&o);
}

/* x, and the first, second and third derivative of f(x). */
static void three_times(dl_value *f(dl_value *x), double x, double want1, double want2, double want3)
{
    dl_value *at = dl_value_new(x), *y = f(at), *d1, *d2, *d3;
    dl_value_grad(y, 1, &at, &d1);
    dl_value_grad(d1, 1, &at, &d2);
    dl_value_grad(d2, 1, &at, &d3);
    cr_assert_near(d1->data, want1, 1e-13, "first, at %g", x);
    cr_assert_near(d2->data, want2, 1e-13, "second, at %g", x);
    cr_assert_near(d3->data, want3, 1e-13, "third, at %g", x);
}

static dl_value *cube(dl_value *x) { return dl_value_mul(dl_value_mul(x, x), x); }
static dl_value *power(dl_value *x) { return dl_value_pow(x, dl_value_constant(3.5)); }
static dl_value *inverse(dl_value *x) { return dl_value_div(dl_value_constant(1), x); }
static dl_value *two_to_the(dl_value *x) { return dl_value_pow(dl_value_constant(2), x); }

Test(value, first_second_and_third_derivatives_have_their_closed_forms)
{
    double x = 0.7, e = exp(x), s = sin(x), c = cos(x), t = tanh(x), t1 = 1 - t * t, l = log(2);
    double g = 1 / (1 + exp(-x)), g1 = g * (1 - g);
    three_times(cube, x, 3 * x * x, 6 * x, 6);
    three_times(power, x, 3.5 * pow(x, 2.5), 8.75 * pow(x, 1.5), 13.125 * sqrt(x));
    three_times(two_to_the, x, l * exp2(x), l * l * exp2(x), l * l * l * exp2(x));
    three_times(inverse, x, -1 / (x * x), 2 / (x * x * x), -6 / (x * x * x * x));
    three_times(dl_value_exp, x, e, e, e);
    three_times(dl_value_log, x, 1 / x, -1 / (x * x), 2 / (x * x * x));
    three_times(dl_value_sqrt, x, 0.5 / sqrt(x), -0.25 * pow(x, -1.5), 0.375 * pow(x, -2.5));
    three_times(dl_value_sin, x, c, -s, -c);
    three_times(dl_value_cos, x, -s, -c, s);
    three_times(dl_value_tanh, x, t1, -2 * t * t1, (6 * t * t - 2) * t1);
    three_times(dl_value_sigmoid, x, g1, g1 * (1 - 2 * g), g1 * (1 - 6 * g + 6 * g * g));
}

Test(value, the_tenth_derivative_of_sine_is_minus_sine)
{
    dl_value *x = dl_value_new(0.3), *d = dl_value_sin(x);
    for (int i = 0; i < 10; i++)
        dl_value_grad(d, 1, &x, &d);
    cr_assert_near(d->data, -sin(0.3), 1e-12, "%s", "");
}

Test(value, a_value_on_which_nothing_depends_has_the_derivative_zero)
{
    dl_value *x = dl_value_new(2), *before = dl_value_new(3), *y = dl_value_mul(x, x), *after = dl_value_exp(y);
    dl_value *c = dl_value_constant(3), *of[] = {before, after, c, x}, *d[4];
    dl_value_grad(y, 4, of, d);
    cr_assert(eq(dbl, d[0]->data, 0));
    cr_assert(eq(dbl, d[1]->data, 0));
    cr_assert(eq(dbl, d[2]->data, 0));
    cr_assert(eq(dbl, d[3]->data, 4));
}

Test(value, a_derivative_can_be_part_of_a_loss)
{
    dl_value *x = dl_value_new(2), *w = dl_value_new(3), *dx;          /* y = w x^2, loss = (dy/dx)^2 = 4 w^2 x^2 */
    dl_value_grad(dl_value_mul(w, dl_value_mul(x, x)), 1, &x, &dx);
    dl_value_backward(dl_value_mul(dx, dx));
    cr_assert(eq(dbl, w->grad, 8 * 3 * 4));
    cr_assert(eq(dbl, x->grad, 8 * 9 * 2));
}

Test(value, derivatives_by_no_values_are_none)
{
    dl_value *x = dl_value_new(2);
    dl_value_grad(dl_value_exp(x), 0, NULL, NULL);
    dl_value_zero_grad(0, NULL);
}

/* ---- Gradient checking ----------------------------------------------------------------------------------------- */

static dl_value *smooth(size_t n, dl_value *const x[], void *calls)
{
    dl_value *y = dl_value_constant(1);
    for (size_t i = 0; i < n; i++)
        y = dl_value_mul(y, dl_value_tanh(dl_value_add(x[i], dl_value_sin(y))));
    ++*(int *)calls;
    return y;
}

/* One factor is cut off from the graph, as a wrong rule would. */
static dl_value *cut(size_t n, dl_value *const x[], void *context)
{
    (void)n, (void)context;
    return dl_value_mul(x[0], dl_value_constant(x[0]->data));
}

static dl_value *cut_last(size_t n, dl_value *const x[], void *context)
{
    return dl_value_mul(x[0], cut(1, &x[n - 1], context));
}

static dl_value *one_operation(size_t n, dl_value *const x[], void *operation)
{
    return apply(operation, x[0], x[n - 1]);
}

Test(value, the_check_passes_a_right_gradient)
{
    int calls = 0;
    cr_assert(lt(dbl, dl_value_gradcheck(smooth, &calls, 4, (double[]){0.3, -1, 2, 100}), 1e-9));
    cr_assert(eq(int, calls, 9));
}

Test(value, the_check_catches_a_wrong_gradient)
{
    double error = dl_value_gradcheck(cut, NULL, 1, (double[]){3});    /* 3 instead of 6 */
    cr_assert(epsilon_eq(dbl, error, 1, 1e-6));
}

Test(value, the_check_catches_a_gradient_wrong_in_one_input_only_and_nan)
{
    cr_assert(gt(dbl, dl_value_gradcheck(cut_last, NULL, 3, (double[]){1, 3, 2}), 0.5));
    cr_assert(gt(dbl, dl_value_gradcheck(cut, NULL, 3, (double[]){3, 1, 2}), 0.5));
    cr_assert(isnan(dl_value_gradcheck(cut, NULL, 2, (double[]){NAN, 1})));
}

struct watched { size_t before, recorded, calls; };

static dl_value *watch(size_t n, dl_value *const x[], void *context)
{
    struct watched *w = context;
    bool on = dl_value_set_grad_enabled(true);
    dl_value_set_grad_enabled(on);
    cr_assert(eq(sz, dl_value_count(), w->before + n + w->recorded));  /* the leaves, and the expression of the first call */
    w->recorded += on;
    w->calls++;
    return dl_value_mul(x[0], x[n - 1]);
}

Test(value, the_check_records_once_and_takes_two_steps_in_each_direction)
{
    struct watched w = {.before = dl_value_count()};
    cr_assert(lt(dbl, dl_value_gradcheck(watch, &w, 3, (double[]){1, 2, 3}), 1e-9));
    cr_assert(eq(sz, w.calls, 7));
    cr_assert(eq(sz, w.recorded, 1));
}

Test(value, the_checks_step_grows_with_the_input)
{
    struct watched w = {.before = dl_value_count()};
    cr_assert(lt(dbl, dl_value_gradcheck(watch, &w, 2, (double[]){1e9, 1e-9}), 1e-9));
}

Test(value, the_check_leaves_tape_and_recording_as_they_were)
{
    int calls = 0;
    dl_value *x = dl_value_new(2);
    size_t count = dl_value_count();
    dl_value_gradcheck(smooth, &calls, 2, (double[]){1, 2});
    cr_assert(eq(sz, dl_value_count(), count));
    cr_assert(eq(dbl, x->grad, 0));
    cr_assert(dl_value_set_grad_enabled(false));
    cr_assert(lt(dbl, dl_value_gradcheck(smooth, &calls, 2, (double[]){1, 2}), 1e-9));
    cr_assert(not(dl_value_set_grad_enabled(true)));
}

Test(value, the_check_passes_every_operation)
{
    for EACH(i, operations)
        for (double a = 0.15; !operations[i].leaf && a < 3; a += 0.35) {
            double at[] = {a, 1.3}, turned[] = {1.3, a};
            size_t n = operations[i].two ? 2 : 1;
            double error = dl_value_gradcheck(one_operation, (void *)&operations[i], n, at);
            cr_assert(lt(dbl, error, 1e-8), "%s at %g", operations[i].name, a);
            error = dl_value_gradcheck(one_operation, (void *)&operations[i], n, turned);
            cr_assert(lt(dbl, error, 1e-8), "%s at 1.3, %g", operations[i].name, a);
        }
}

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

enum { TEN_MILLION = 10000000 };

static size_t resident(void)               /* bytes of this process in memory */
{
    size_t total = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%zu %zu", &total, &pages) != 2)
        cr_fatal("no /proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static size_t allocated(void)              /* bytes taken from malloc and not given back; 0 under AddressSanitizer */
{
    struct mallinfo2 m = mallinfo2();
    return ADDRESS_SANITIZER ? 0 : m.uordblks + m.hblkhd;
}

/* Runs f on a stack of 64 kB: an f that went as deep as a graph would not return. */
static void on_a_small_stack(void *f(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    cr_assert(eq(int, pthread_attr_setstacksize(&attributes, 65536), 0));
    cr_assert(eq(int, pthread_create(&thread, &attributes, f, NULL), 0));
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static struct { size_t bytes, count, count_after, bytes_after; double value, grad; } seen;

static void *sum_ten_million_terms(void *unused)
{
    size_t before = resident(), allocated_before = allocated();
    dl_value *x = dl_value_new(0.5), *y = x;
    for (int i = 1; i < TEN_MILLION; i++)
        y = dl_value_add(y, x);
    dl_value_backward(y);
    seen.value = y->data, seen.grad = x->grad;
    seen.bytes = resident() - before;
    seen.count = dl_value_count();
    dl_value_release(0);
    seen.count_after = dl_value_count();
    size_t allocated_after = allocated();
    seen.bytes_after = allocated_after > allocated_before ? allocated_after - allocated_before : 0;
    return unused;
}

Test(value, ten_million_terms_are_summed_on_a_small_stack_in_64_bytes_each)
{
    on_a_small_stack(sum_ten_million_terms);
    cr_assert(eq(dbl, seen.value, TEN_MILLION / 2));
    cr_assert(eq(dbl, seen.grad, TEN_MILLION));
    cr_assert(eq(sz, seen.count, TEN_MILLION));
    if (!ADDRESS_SANITIZER)
        cr_assert(le(dbl, seen.bytes / (double)TEN_MILLION, 64));
    cr_assert(eq(sz, seen.count_after, 0));
    cr_assert(lt(sz, seen.bytes_after, 16384), "releasing everything gives all memory back");
}

static void *share_one_leaf_ten_million_times(void *unused)
{
    dl_value *x = dl_value_new(2), *y = dl_value_constant(0);
    for (int i = 0; i < TEN_MILLION / 2; i++)
        y = dl_value_add(y, dl_value_neg(x));
    dl_value_backward(y);
    seen.value = y->data, seen.grad = x->grad;
    dl_value_release(0);
    return unused;
}

Test(value, five_million_values_may_share_a_leaf)
{
    on_a_small_stack(share_one_leaf_ten_million_times);
    cr_assert(eq(dbl, seen.value, -TEN_MILLION));
    cr_assert(eq(dbl, seen.grad, -TEN_MILLION / 2));
}

static void *differentiate_a_long_chain_twice(void *unused)
{
    dl_value *x = dl_value_new(1), *y = dl_value_mul(x, x), *dx, *dxx;
    for (int i = 0; i < 300000; i++)
        y = dl_value_add(y, x);
    dl_value_grad(y, 1, &x, &dx);
    dl_value_grad(dx, 1, &x, &dxx);
    seen.value = dx->data, seen.grad = dxx->data;
    dl_value_release(0);
    return unused;
}

Test(value, second_derivatives_of_a_long_chain_need_no_deep_stack)
{
    on_a_small_stack(differentiate_a_long_chain_twice);
    cr_assert(eq(dbl, seen.value, 300002));
    cr_assert(eq(dbl, seen.grad, 2));
}

Test(value, values_are_counted_and_released_at_every_length_around_a_block)
{
    static const size_t counts[] = {0, 1, 2, 1022, 1023, 1024, 1025, 1168, 1169, 1170, 1171, 1172, 2046, 2047, 2048, 2339, 2340, 2341,
                                    3070, 3509, 3510, 3511, 4096, 10000};
    for EACH(i, counts)
        for EACH(j, counts) {
            dl_value *x = NULL, *last = NULL;
            if (counts[j] > counts[i] || counts[j] == 0)
                continue;
            for (size_t k = 0; k < counts[i]; k++) {
                last = k == 0 ? x = dl_value_new(1) : dl_value_add(last, x);
                cr_assert(eq(sz, dl_value_count(), k + 1));
            }
            dl_value_release(counts[j]);
            cr_assert(eq(sz, dl_value_count(), counts[j]));
            for (size_t k = 0; k < 3000; k++)
                last = k == 0 ? dl_value_mul(x, x) : dl_value_add(last, x);
            cr_assert(eq(sz, dl_value_count(), counts[j] + 3000));
            dl_value_backward(last);
            cr_assert(eq(dbl, x->grad, 3001), "from %zu to %zu values", counts[i], counts[j]);
            dl_value_release(0);
            cr_assert(eq(sz, dl_value_count(), 0));
        }
}

Test(value, what_is_kept_survives_a_release)
{
    dl_value *kept[1500];
    for (int i = 0; i < 1500; i++) {
        kept[i] = dl_value_new(i);
        kept[i]->grad = -i;
    }
    dl_value *y = dl_value_mul(kept[7], kept[1400]);
    size_t mark = dl_value_count();
    for (int i = 0; i < 5000; i++)
        dl_value_exp(kept[3]);
    dl_value_release(mark);
    for (int i = 0; i < 1500; i++) {
        cr_assert(eq(dbl, kept[i]->data, i));
        cr_assert(eq(dbl, kept[i]->grad, -i));
    }
    dl_value_backward(y);
    cr_assert(eq(dbl, kept[7]->grad, 1400 - 7));
}

Test(value, a_reused_place_remembers_nothing)
{
    dl_value *x = dl_value_new(3);
    size_t mark = dl_value_count();
    dl_value *y = dl_value_mul(x, x);
    dl_value_backward(y);
    dl_value_release(mark);
    dl_value *z = dl_value_new(5);
    cr_assert(eq(dbl, z->grad, 0));
    dl_value_release(mark);
    dl_value *c = dl_value_constant(5);
    cr_assert(eq(dbl, c->grad, 0));
    fails_with(dl_value_backward(c), "dl_value_backward: ");
}

Test(value, ten_thousand_training_steps_need_no_more_memory_than_a_hundred)
{
    dl_value *w = dl_value_new(0.5);
    size_t mark = dl_value_count(), after = 0, resident_after = 0;
    for (int step = 0; step < 10000; step++) {
        dl_value *y = w;
        for (int i = 0; i < 1000 + step % 100; i++)
            y = dl_value_tanh(dl_value_mul(y, w));
        dl_value_zero_grad(1, &w);
        dl_value_backward(y);
        dl_value_release(mark);
        if (step == 99)
            after = allocated(), resident_after = resident();
    }
    cr_assert(lt(sz, allocated(), after + 16384));
    if (!ADDRESS_SANITIZER)
        cr_assert(le(sz, resident(), resident_after + (1 << 20)));
}

Test(value, releasing_nothing_is_allowed)
{
    dl_value_release(0);
    dl_value_release(0);
    dl_value_new(1);
    dl_value_release(1);
    cr_assert(eq(sz, dl_value_count(), 1));
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

struct run { double start, first_count, recording; double grad[40]; };

/* Forty passes over a chain, each with its own number. */
static void *run_in_a_thread(void *run)
{
    struct run *r = run;
    r->first_count = dl_value_count();
    for (int k = 0; k < 40; k++) {
        dl_value *x = dl_value_new(r->start + k), *y = x;
        for (int i = 0; i < 5000; i++)
            y = dl_value_sin(dl_value_add(y, x));
        dl_value_backward(y);
        r->grad[k] = x->grad;
    }
    r->recording = dl_value_set_grad_enabled(false);
    dl_value_release(0);
    return NULL;
}

Test(value, every_thread_has_a_tape_of_its_own)
{
    enum { N = 4 };
    pthread_t thread[N];
    struct run together[N] = {{.start = 0.1}, {.start = 0.2}, {.start = 0.3}, {.start = 0.4}}, alone[N];
    memcpy(alone, together, sizeof alone);
    dl_value *x = dl_value_new(1), *y = dl_value_exp(x);
    for (int i = 0; i < N; i++)
        cr_assert(eq(int, pthread_create(&thread[i], NULL, run_in_a_thread, &together[i]), 0));
    for (int i = 0; i < N; i++)
        pthread_join(thread[i], NULL);
    cr_assert(eq(sz, dl_value_count(), 2));
    cr_assert(dl_value_set_grad_enabled(true));
    dl_value_backward(y);
    cr_assert_near(x->grad, exp(1), 1e-15, "%s", "");
    dl_value_release(0);
    for (int i = 0; i < N; i++) {
        run_in_a_thread(&alone[i]);
        dl_value_set_grad_enabled(true);
        cr_assert(eq(dbl, together[i].first_count, 0));
        cr_assert(eq(dbl, together[i].recording, 1));
        for (int k = 0; k < 40; k++)
            cr_assert(eq(dbl, together[i].grad[k], alone[i].grad[k]), "thread %d, pass %d", i, k);
    }
}

static void *a_pass_beside_an_infinite_slope(void *marks)
{
    dl_value *zero = dl_value_new(0), *x = dl_value_new(3);
    dl_value *y = dl_value_mul(dl_value_sqrt(zero), x);
    dl_value *root = dl_value_mul(x, x);
    if (!*(bool *)marks)
        dl_value_backward(root);
    else
        dl_value_backward(y);
    seen.grad = x->grad + zero->grad;
    dl_value_release(0);
    return NULL;
}

/* The first thread's pass marks values whose memory the second gets, which counts its passes from one again. */
Test(value, memory_that_another_thread_gave_back_remembers_no_pass)
{
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        bool marks = i == 0;
        cr_assert(eq(int, pthread_create(&thread, NULL, a_pass_beside_an_infinite_slope, &marks), 0));
        pthread_join(thread, NULL);
    }
    cr_assert(eq(dbl, seen.grad, 6));
}

static pthread_barrier_t made, done;
static dl_value *foreign;

static void *make_a_value(void *unused)
{
    foreign = dl_value_exp(dl_value_new(1));
    pthread_barrier_wait(&made);
    pthread_barrier_wait(&done);
    dl_value_release(0);
    return unused;
}

Test(value, a_value_of_another_thread_is_refused_and_the_tape_still_works)
{
    pthread_t thread;
    dl_value *dx, *x = dl_value_new(3), *y = dl_value_mul(x, x);
    size_t count = dl_value_count();
    pthread_barrier_init(&made, NULL, 2);
    pthread_barrier_init(&done, NULL, 2);
    cr_assert(eq(int, pthread_create(&thread, NULL, make_a_value, NULL), 0));
    pthread_barrier_wait(&made);
    fails_with(dl_value_backward(foreign), "not on the tape");
    cr_assert(eq(sz, dl_value_count(), count));
    fails_with(dl_value_grad(foreign, 1, &x, &dx), "not on the tape");
    cr_assert(eq(sz, dl_value_count(), count));
    pthread_barrier_wait(&done);
    pthread_join(thread, NULL);
    cr_assert(dl_value_set_grad_enabled(true));
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 6));
    y = dl_value_mul(y, x);
    dl_value_grad(y, 1, &x, &dx);
    cr_assert(eq(dbl, dx->data, 27));
    cr_assert(eq(dbl, x->grad, 6));
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 33));
}

/* ---- Mistakes -------------------------------------------------------------------------------------------------- */

Test(value, every_operation_refuses_null_by_name)
{
    dl_value *x = dl_value_new(1);
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        char name[32];
        snprintf(name, sizeof name, ": dl_value_%s: ", o->name);
        if (o->two) {
            fails_with(o->two(NULL, x), name, "NULL");
            fails_with(o->two(x, NULL), name, "NULL");
        }
        if (o->one)
            fails_with(o->one(NULL), name, "NULL");
    }
    cr_assert(eq(sz, dl_value_count(), 1));
}

Test(value, every_other_function_refuses_null_by_name)
{
    dl_value *x = dl_value_new(1), *dx, *none = NULL;
    double at = 1;
    fails_with(dl_value_backward(NULL), ": dl_value_backward: ", "NULL");
    fails_with(dl_value_grad(NULL, 1, &x, &dx), ": dl_value_grad: ", "NULL");
    fails_with(dl_value_grad(x, 1, NULL, &dx), ": dl_value_grad: ", "NULL");
    fails_with(dl_value_grad(x, 1, &x, NULL), ": dl_value_grad: ", "NULL");
    fails_with(dl_value_grad(x, 1, &none, &dx), ": dl_value_grad: ", "NULL");
    fails_with(dl_value_zero_grad(1, NULL), ": dl_value_zero_grad: ", "NULL");
    fails_with(dl_value_zero_grad(1, &none), ": dl_value_zero_grad: ", "NULL");
    fails_with(dl_value_write_dot(NULL, x, 0, NULL, NULL), ": dl_value_write_dot: ", "NULL");
    fails_with(dl_value_write_dot(stdout, NULL, 0, NULL, NULL), ": dl_value_write_dot: ", "NULL");
    fails_with(dl_value_write_dot(stdout, x, 1, NULL, (const char *[]){"x"}), ": dl_value_write_dot: ", "NULL");
    fails_with(dl_value_write_dot(stdout, x, 1, &x, NULL), ": dl_value_write_dot: ", "NULL");
    fails_with(dl_value_gradcheck(NULL, NULL, 1, &at), ": dl_value_gradcheck: ", "NULL");
    fails_with(dl_value_gradcheck(cut, NULL, 1, NULL), ": dl_value_gradcheck: ", "NULL");
    cr_assert(eq(sz, dl_value_count(), 1));
    cr_assert(dl_value_set_grad_enabled(true));
}

Test(value, a_constant_has_no_gradient_to_ask_for)
{
    dl_value *x = dl_value_new(1), *c = dl_value_constant(1), *dx;
    fails_with(dl_value_backward(c), ": dl_value_backward: ");
    dl_value_grad(c, 1, &x, &dx);
    cr_assert(eq(dbl, dx->data, 0));
    cr_assert(dx->op == NULL);
    dl_value_backward(dl_value_exp(x));
    cr_assert_near(x->grad, exp(1), 1e-15, "%s", "");
}

/* What somebody would write who adds a rule to value.c. */
struct dl_value_op {
    const char *name;
    void (*backward)(dl_value *v, dl_value *g);
};

static int rule_makes;

static void make_values(dl_value *v, dl_value *g)
{
    (void)v;
    for (int i = 0; i < rule_makes; i++)
        dl_value_neg(g);
}

Test(value, a_rule_that_makes_too_many_values_is_refused)
{
    static const struct dl_value_op rule = {"rule", make_values};
    dl_value *x = dl_value_new(1), *y = dl_value_neg(x);
    y->op = &rule;
    rule_makes = 15;
    dl_value_backward(y);
    rule_makes = 16;
    fails_with(dl_value_backward(y), "value.c:", "a rule makes too many values");
}

Test(value, more_values_than_there_are_cannot_be_kept)
{
    dl_value_new(1);
    fails_with(dl_value_release(12), ": dl_value_release: ", "12", "1");
    cr_assert(eq(sz, dl_value_count(), 1));
}

/* ---- Pictures -------------------------------------------------------------------------------------------------- */

static char *picture(dl_value *y, size_t n, dl_value *const v[], const char *const name[])
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    dl_value_write_dot(f, y, n, v, name);
    fclose(f);
    return text;
}

/* Does Graphviz read it without a word? (Yes, where it is not installed.) */
static bool dot_accepts(const char *text)
{
    char path[] = "/tmp/dlfs-XXXXXX", command[200];
    int descriptor = mkstemp(path);
    FILE *f = fdopen(descriptor, "w");
    fputs(text, f);
    fclose(f);
    snprintf(command, sizeof command, "! command -v dot >/dev/null || test -z \"$(dot -Tsvg -o /dev/null %s 2>&1)\"", path);
    int status = system(command);
    remove(path);
    return status == 0;
}

Test(value, the_picture_has_names_numbers_gradients_operations_and_is_read_by_dot)
{
    dl_value *a = dl_value_new(2.5), *b = dl_value_new(-3.25), *product = dl_value_mul(a, b);
    dl_value_new(987.5);                                               /* not in the picture */
    dl_value *y = dl_value_relu(dl_value_add(product, dl_value_constant(10.125)));
    dl_value_exp(y);
    dl_value_backward(y);
    char *text = picture(y, 2, (dl_value *[]){product, a}, (const char *[]){"product", "alpha"});
    static const char *const words[] = {"digraph", "->", "alpha", "product", "2.5", "-3.25", "-8.125", "10.1", "mul", "add", "relu"};
    for EACH(i, words)
        cr_assert(strstr(text, words[i]) != NULL, "no %s in\n%s", words[i], text);
    cr_assert(strstr(text, "987.5") == NULL, "%s", text);
    cr_assert(strstr(text, "exp") == NULL, "%s", text);
    int arrows = 0;
    for (const char *p = text; (p = strstr(p, "->")) != NULL; p += 2)
        arrows++;
    cr_assert(ge(int, arrows, 5));
    cr_assert(dot_accepts(text), "%s", text);
    free(text);
}

Test(value, drawing_changes_nothing)
{
    dl_value *x = dl_value_new(3), *y = dl_value_mul(x, x);
    dl_value_backward(y);
    size_t count = dl_value_count();
    char *before = picture(y, 0, NULL, NULL), *after = picture(y, 0, NULL, NULL);
    cr_assert(eq(str, before, after));
    cr_assert(eq(sz, dl_value_count(), count));
    cr_assert(eq(dbl, x->grad, 6));
    dl_value_backward(y);
    cr_assert(eq(dbl, x->grad, 12));
    free(before);
    free(after);
}

Test(value, names_and_numbers_of_every_kind_are_read_by_dot)
{
    dl_value *x = dl_value_new(NAN), *y = dl_value_mul(x, dl_value_constant(-INFINITY));
    char *text = picture(y, 2, (dl_value *[]){x, y}, (const char *[]){"a \"quoted\" {name} | with <all> \\ of it %n", ""});
    cr_assert(dot_accepts(text), "%s", text);
    free(text);
    text = picture(dl_value_constant(3), 0, NULL, NULL);
    cr_assert(dot_accepts(text), "%s", text);
    free(text);
}

Test(value, a_graph_over_many_blocks_is_drawn_whole)
{
    dl_value *x = dl_value_new(1), *y = x;
    for (int i = 0; i < 3000; i++)
        y = dl_value_sin(y);
    char *text = picture(y, 0, NULL, NULL);
    int sines = 0;
    for (const char *p = text; (p = strstr(p, "sin")) != NULL; p += 3)
        sines++;
    cr_assert(eq(int, sines, 3000));
    free(text);
}
