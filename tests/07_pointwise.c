/* Chapter 7, the operations on single elements. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "memory.h"
#include "ops.h"
#include "parallel.h"
#include "random.h"

#include "fails_with.h"
#include "in_scope.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-10, 1e-5)        /* of values and gradients, relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 2e-2)         /* of dl_gradcheck */
#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

/* ---- All operations, in the order of the oracle's ---------------------------------------------------------------- */

enum kind { ONE, NUMBER, NUMBERS, PAIR, WHERE, MASK };
enum domain { ANY = 0, POSITIVE = 1, LAST_NOT_ZERO = 2, LINEAR = 4, SAVES_RESULT = 8, SAVES_NOTHING = 16, TIES = 32 };
static const struct operation {
    const char *name;
    enum kind kind;
    union {
        dl_tensor *(*one)(dl_tensor *);
        dl_tensor *(*number)(dl_tensor *, dl_real);
        dl_tensor *(*numbers)(dl_tensor *, dl_real, dl_real);
        dl_tensor *(*pair)(dl_tensor *, dl_tensor *);
    };
    int properties;
    double numbers_of_test[2];
} operations[] = {
#define OF_ONE(f, ...) {#f, ONE, {.one = dl_##f}, __VA_ARGS__, {0}}
#define OF_PAIR(f, ...) {#f, PAIR, {.pair = dl_##f}, __VA_ARGS__, {0}}
#define OF_NUMBER(f, c, ...) {#f, NUMBER, {.number = dl_##f}, __VA_ARGS__, {c}}
    OF_ONE(neg, LINEAR | SAVES_NOTHING), OF_ONE(abs, ANY), OF_ONE(square, ANY), OF_ONE(sqrt, POSITIVE | SAVES_RESULT),
    OF_ONE(reciprocal, LAST_NOT_ZERO | SAVES_RESULT), OF_ONE(exp, SAVES_RESULT), OF_ONE(log, POSITIVE),
    OF_ONE(erf, ANY), OF_ONE(sin, ANY), OF_ONE(cos, ANY), OF_ONE(sigmoid, SAVES_RESULT), OF_ONE(relu, SAVES_RESULT),
    OF_ONE(gelu, ANY), OF_ONE(gelu_tanh, ANY), OF_ONE(silu, ANY), OF_NUMBER(add_scalar, 0.75, SAVES_NOTHING),
    OF_NUMBER(mul_scalar, -1.5, LINEAR | SAVES_NOTHING), OF_NUMBER(pow_scalar, 2.5, POSITIVE),
    {"clamp", NUMBERS, {.numbers = dl_clamp}, ANY, {-0.9, 0.9}}, OF_NUMBER(leaky_relu, 0.25, ANY),
    OF_NUMBER(elu, 1.5, ANY), OF_NUMBER(softplus, 2.5, ANY), OF_PAIR(sub, LINEAR | SAVES_NOTHING),
    OF_PAIR(div, LAST_NOT_ZERO), OF_PAIR(pow, POSITIVE), OF_PAIR(maximum, TIES), OF_PAIR(minimum, TIES),
    {"where", WHERE, {0}, LINEAR, {0}}, {"masked_fill", MASK, {0}, LINEAR, {0}},
};

static int inputs_of(const struct operation *o) { return o->kind == PAIR || o->kind == WHERE ? 2 : 1; }
static int tensors_of(const struct operation *o) { return inputs_of(o) + (o->kind == WHERE || o->kind == MASK); }

static dl_tensor *call(const struct operation *o, dl_tensor *const x[], const double c[])
{
    switch (o->kind) {
    case ONE: return o->one(x[0]);
    case NUMBER: return o->number(x[0], (dl_real)c[0]);
    case NUMBERS: return o->numbers(x[0], (dl_real)c[0], (dl_real)c[1]);
    case PAIR: return o->pair(x[0], x[1]);
    case WHERE: return dl_where(x[2], x[0], x[1]);
    default: return dl_masked_fill(x[0], x[1], (dl_real)c[0]);
    }
}

/* ---- Helpers ------------------------------------------------------------------------------------------------------ */

static void seed(void) { dl_random_seed(&source, 1); }

TestSuite(oracle, .init = open_scope, .fini = close_scope);
TestSuite(kinks, .init = open_scope, .fini = close_scope);
TestSuite(adjoint, .init = open_scope, .fini = close_scope);
TestSuite(tape, .init = open_scope, .fini = close_scope);
TestSuite(bits, .init = open_scope, .fini = close_scope);
TestSuite(accuracy, .init = open_scope, .fini = close_scope);
TestSuite(misuse, .init = open_scope, .fini = close_scope);
TestSuite(gradcheck, .init = seed);

#define VECTOR(...) dl_from_array(DL_SHAPE((int)(sizeof (dl_real[]){__VA_ARGS__} / sizeof(dl_real))), (dl_real[]){__VA_ARGS__})

static dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

/* Draws in the domain of input k of an operation, at least 0.05 from 0, where the kinks are, or 0.25 from each other. Conditions are 0 or not. */
static dl_tensor *draws(const struct operation *o, int k, struct dl_shape s)
{
    dl_tensor *x = dl_normal(s, &source, 0, 1);
    for (size_t i = 0; i < x->size; i++) {
        dl_real *v = &dl_data(x)[i];
        if (k >= inputs_of(o))
            *v = *v < 0 ? 0 : *v;
        else if (o->properties & TIES)
            *v = (dl_real)(round(2 * *v) / 2 + k * 0.25);
        else if ((o->properties & POSITIVE && k == 0) || (o->properties & LAST_NOT_ZERO && k == inputs_of(o) - 1))
            *v = (dl_real)fabs(*v) + (dl_real)0.3;
        else
            *v += *v < 0 ? (dl_real)-0.05 : (dl_real)0.05;
    }
    return x;
}

static void are(size_t n, const dl_real *got, const double *wanted, double tolerance, const char *name, size_t k,
                const char *what)
{
    double largest = 0;
    cr_assert(got != NULL || n == 0, "%s, case %zu: no %s", name, k, what);
    for (size_t i = 0; i < n; i++)
        if (isfinite(wanted[i]))
            largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(got[i] == wanted[i] || fabs(got[i] - wanted[i]) <= tolerance * largest,
                  "%s, case %zu: element %zu of %s is %.17g, not %.17g", name, k, i, what, (double)got[i], wanted[i]);
}

/* ---- PyTorch's values and gradients ------------------------------------------------------------------------------ */

static dl_tensor *from_oracle(struct oracle_tensor t)
{
    struct dl_shape s = {.rank = t.rank};
    for (int i = 0; i < t.rank; i++)
        s.dim[i] = (int)t.shape[i];
    dl_tensor *x = dl_empty(s);
    for (size_t i = 0; i < t.count; i++)
        dl_data(x)[i] = t.f32 ? (dl_real)t.f32[i] : (dl_real)t.f64[i];
    return x;
}

/* The same tensor as a view into a larger one. */
static dl_tensor *as_view(dl_tensor *t)
{
    struct dl_shape larger = {t->shape.rank > 0 ? t->shape.rank : 1, {3}};
    for (int i = 1; i < t->shape.rank; i++)
        larger.dim[i] = t->shape.dim[i];
    int rows = t->shape.rank > 0 ? t->shape.dim[0] : 1;
    larger.dim[0] = rows + 3;
    dl_tensor *base = leaf(dl_full(larger, 99)), *view = dl_narrow(base, 2, rows);
    if (t->shape.rank == 0)
        view = dl_view(view, DL_SHAPE());
    dl_copy(view, t);
    return view;
}

enum how { FRESH, TWICE, VIEWS };

static void compare(const struct oracle *file, size_t k, const struct operation *o, enum how how)
{
    dl_tensor *x[3] = {NULL}, *before[3];
    dl_scope scope = dl_scope_enter(DL_RECORD);
    for (int i = 0; i < tensors_of(o); i++) {
        x[i] = from_oracle(oracle_get(file, "%zu.%c", k, "abc"[i]));
        if (how == VIEWS)
            x[i] = as_view(x[i]);
        before[i] = dl_clone(x[i]);
        if (i < inputs_of(o))
            leaf(x[i]);
    }
    dl_tensor *g = from_oracle(oracle_get(file, "%zu.g", k)), *y = NULL;
    struct oracle_tensor numbers = oracle_get(file, "%zu.numbers", k), values = oracle_get(file, "%zu.y", k);
    for (int pass = 0; pass <= (how == TWICE); pass++) {
        y = call(o, x, numbers.f64);
        dl_backward_from(y, g);
    }
    cr_assert(eq(int, y->shape.rank, values.rank));
    cr_assert(eq(sz, y->size, values.count));
    are(y->size, dl_data(y), values.f64, TOLERANCE, o->name, k, "y");
    for (int i = 0; i < tensors_of(o); i++) {
        cr_assert(dl_equal(x[i], before[i]), "%s changes its input %d", o->name, i);
        if (i >= inputs_of(o)) {
            cr_assert(how == VIEWS || dl_grad(x[i]) == NULL);
            continue;
        }
        struct oracle_tensor d = oracle_get(file, "%zu.d%c", k, "ab"[i]);
        double *wanted = calloc(d.count + 1, sizeof *wanted);
        for (size_t j = 0; j < d.count; j++)
            wanted[j] = d.f64[j] * (1 + (how == TWICE));
        are(x[i]->size, dl_grad(x[i]), wanted, TOLERANCE, o->name, k, i == 0 ? "da" : "db");
        free(wanted);
        if (how == VIEWS && x[i]->size > 0)
            for (int edge = 0; edge < 2; edge++) {              /* the rest of the base has the gradient 0 */
                const dl_real *first = dl_grad(x[i]);
                cr_assert(eq(dbl, edge == 0 ? first[-1] : first[x[i]->size], 0), "%s writes beside a view", o->name);
            }
    }
    dl_scope_leave(scope);
}

static void compare_all(enum how how)
{
    struct oracle file = oracle_open("07_pointwise.safetensors");
    struct oracle_tensor operation = oracle_get(&file, "operation");
    bool seen[sizeof operations / sizeof *operations] = {false};
    for (size_t k = 0; k < operation.count; k++) {
        compare(&file, k, &operations[operation.u8[k]], how);
        seen[operation.u8[k]] = true;
    }
    for EACH(i, operations)
        cr_assert(seen[i], "%s was not compared", operations[i].name);
    oracle_close(&file);
}

Test(oracle, values_and_gradients_are_pytorchs) { compare_all(FRESH); }
Test(oracle, second_shares_are_added) { compare_all(TWICE); }
Test(oracle, views_are_read_and_their_gradients_go_to_the_base) { compare_all(VIEWS); }

/* Single operands, so that a special value cannot hide in a sum. */
static bool same_kind(double got, double wanted, double tolerance)
{
    if (isnan(wanted) || isinf(wanted))
        return isnan(wanted) ? isnan(got) : got == wanted;
    return fabs(got - wanted) <= tolerance * fabs(wanted) + IF_DOUBLE(1e-300, 2e-38);
}

/* What chapter 4 does better: x Phi(x) and its kin are 0 at -infinity, where PyTorch computes NaN; and e^x - 1 keeps the
   digits near 0. */
static bool exempt(const struct operation *o, double x, double wanted)
{
    const char *n = o->name;
    bool gate = !strcmp(n, "gelu") || !strcmp(n, "gelu_tanh") || !strcmp(n, "silu");
    if (!strcmp(n, "elu") && x <= 0 && fabs(x) < 1e-6)
        return true;
    return gate && (isnan(wanted) ? !isnan(x) : x < -5);
}

Test(oracle, special_values_give_pytorchs_values_and_gradients)
{
    struct oracle file = oracle_open("07_pointwise.safetensors");
    struct oracle_tensor operation = oracle_get(&file, "operation_of_special");
    double tolerance = IF_DOUBLE(1e-9, 3e-5);
    for (size_t k = 0; k < operation.count; k++) {
        const struct operation *o = &operations[operation.u8[k]];
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x[3] = {NULL};
        for (int i = 0; i < tensors_of(o); i++)
            x[i] = from_oracle(oracle_get(&file, "special.%zu.%c", k, "abc"[i]));
        for (int i = 0; i < inputs_of(o); i++)
            leaf(x[i]);
        struct oracle_tensor numbers = oracle_get(&file, "special.%zu.numbers", k);
        struct oracle_tensor values = oracle_get(&file, "special.%zu.y%d", k, IF_DOUBLE(64, 32));
        dl_tensor *y = call(o, x, numbers.f64);
        dl_backward_from(y, dl_full(y->shape, 1));
        for (size_t j = 0; j < y->size; j++) {
            double a = dl_data(x[0])[j], b = tensors_of(o) > 1 ? dl_data(x[1])[j] : 0;
            if (!exempt(o, a, values.f64[j]))
                cr_expect(same_kind(dl_data(y)[j], values.f64[j], tolerance), "%s(%g, %g; %g) is %.9g, not %.9g", o->name,
                          a, b, numbers.f64[0], (double)dl_data(y)[j], values.f64[j]);
            for (int i = 0; i < inputs_of(o); i++) {
                struct oracle_tensor d = oracle_get(&file, "special.%zu.d%c%d", k, "ab"[i], IF_DOUBLE(64, 32));
                if (!exempt(o, a, d.f64[j]))
                    cr_expect(same_kind(dl_grad(x[i])[j], d.f64[j], tolerance),
                              "%s(%g, %g; %g): the derivative by %c is %.9g, not %.9g", o->name, a, b, numbers.f64[0],
                              "ab"[i], (double)dl_grad(x[i])[j], d.f64[j]);
            }
        }
        dl_scope_leave(scope);
    }
    oracle_close(&file);
}

/* ---- Kinks -------------------------------------------------------------------------------------------------------- */

/* The derivative at one point, by a gradient of 1. */
static double slope(const char *name, double x, double c, double d)
{
    for EACH(i, operations)
        if (!strcmp(operations[i].name, name)) {
            dl_tensor *t = leaf(dl_scalar((dl_real)x));
            dl_backward(call(&operations[i], &t, (double[]){c, d}));
            return dl_grad(t)[0];
        }
    cr_fatal("no operation %s", name);
}

static double slope_of_pair(dl_tensor *f(dl_tensor *, dl_tensor *), double a, double b, int k)
{
    dl_tensor *t[2] = {leaf(dl_scalar((dl_real)a)), leaf(dl_scalar((dl_real)b))};
    dl_backward(f(t[0], t[1]));
    return dl_grad(t[k])[0];
}

Test(kinks, derivatives_are_those_of_the_books_table)
{
    static const struct { const char *name; double x, c, d, wanted; } cases[] = {
        {"abs", 0, 0, 0, 0}, {"abs", -0.0, 0, 0, 0}, {"relu", 0, 0, 0, 0}, {"leaky_relu", 0, 0.25, 0, 0.25},
        {"elu", 0, 1.5, 0, 1.5}, {"clamp", -1, -1, 2, 1}, {"clamp", 2, -1, 2, 1}, {"clamp", 2.5, -1, 2, 0},
        {"clamp", -1.5, -1, 2, 0}, {"clamp", 1, 1, 1, 1}, {"sqrt", 0, 0, 0, INFINITY}, {"log", 0, 0, 0, INFINITY},
        {"reciprocal", 0, 0, 0, -INFINITY}, {"pow_scalar", 0, 0, 0, 0}, {"pow_scalar", 0, 1, 0, 1},
        {"pow_scalar", 0, 2, 0, 0}, {"pow_scalar", 0, 0.5, 0, INFINITY}, {"pow_scalar", -2, 3, 0, 12},
    };
    for EACH(i, cases)
        cr_assert(eq(dbl, slope(cases[i].name, cases[i].x, cases[i].c, cases[i].d), cases[i].wanted), "%s at %g",
                  cases[i].name, cases[i].x);
    cr_assert(isnan(slope("pow_scalar", -2, 0.5, 0)));
    for (int k = 0; k < 2; k++) {
        cr_assert(eq(dbl, slope_of_pair(dl_maximum, 3, 3, k), 0.5));
        cr_assert(eq(dbl, slope_of_pair(dl_minimum, 3, 3, k), 0.5));
        cr_assert(eq(dbl, slope_of_pair(dl_maximum, 2, 3, k), k));
        cr_assert(eq(dbl, slope_of_pair(dl_minimum, 2, 3, k), 1 - k));
        cr_assert(eq(dbl, slope_of_pair(dl_pow, 0, 0, k), 0));
    }
    cr_assert(eq(dbl, slope_of_pair(dl_pow, 0, 2, 1), 0));
    cr_assert(eq(dbl, slope_of_pair(dl_pow, 0, -2, 1), -INFINITY));
    cr_assert(isnan(slope_of_pair(dl_pow, -2, 2, 1)));
}

Test(kinks, a_closed_gate_stops_even_nan)
{
    dl_tensor *a = leaf(VECTOR(1, 2)), *b = leaf(VECTOR(NAN, INFINITY)), *c = VECTOR(1, 1);
    dl_tensor *y = dl_where(c, a, b);
    dl_backward_from(y, VECTOR(NAN, 3));
    cr_assert(eq(dbl, dl_data(y)[1], 2));
    cr_assert(isnan(dl_grad(a)[0]) && dl_grad(a)[1] == 3);
    cr_assert(dl_grad(b)[0] == 0 && dl_grad(b)[1] == 0);
}

/* ---- Differences, adjoints ---------------------------------------------------------------------------------------- */

struct trial {
    const struct operation *o;
    dl_tensor *x[3];
};

static dl_tensor *expression(void *context)
{
    struct trial *t = context;
    return call(t->o, t->x, t->o->numbers_of_test);
}

static const struct dl_shape threes[][3] = {
    {{0, {0}}, {0, {0}}, {0, {0}}}, {{1, {7}}, {1, {7}}, {1, {7}}}, {{2, {3, 4}}, {1, {4}}, {2, {3, 1}}},
    {{2, {3, 1}}, {2, {1, 4}}, {1, {4}}}, {{1, {4}}, {3, {2, 3, 4}}, {0, {0}}}, {{4, {2, 3, 2, 3}}, {4, {2, 1, 2, 1}}, {1, {1}}},
    {{2, {1, 600}}, {2, {2, 1}}, {1, {600}}}, {{1, {0}}, {1, {1}}, {1, {0}}}, {{2, {1, 1}}, {0, {0}}, {1, {1}}},
};

/* Shapes of the operands: the mask must fit its tensor. */
static struct dl_shape shape_of(const struct operation *o, size_t i, int k)
{
    static const struct dl_shape mask[] = {{0, {0}}, {1, {7}}, {1, {4}}, {2, {3, 1}}, {1, {1}}, {4, {2, 1, 2, 1}},
                                           {1, {600}}, {1, {1}}, {0, {0}}};
    return o->kind == MASK && k == 1 ? mask[i] : threes[i][k];
}

Test(gradcheck, all_operations_pass_with_all_shapes)
{
    for EACH(i, operations)
        for EACH(j, threes) {
            const struct operation *o = &operations[i];
            struct dl_params p = {0};
            struct trial t = {.o = o};
            for (int k = 0; k < tensors_of(o); k++) {
                dl_tensor *from = draws(o, k, shape_of(o, j, k));
                t.x[k] = from;
                if (k < inputs_of(o)) {
                    t.x[k] = dl_param(&p, k == 0 ? "a" : "b", from->shape);
                    dl_copy(t.x[k], from);
                    dl_tensor_free(from);
                }
            }
            double error = dl_gradcheck(expression, &t, &p);
            cr_expect(error < CHECKED, "%s, case %zu: %g", o->name, j, error);
            if (t.x[0]->size < 100) {
                error = dl_gradcheck_elements(expression, &t, &p);
                cr_expect(error < CHECKED, "%s, case %zu: %g by elements", o->name, j, error);
            }
            for (int k = inputs_of(o); k < tensors_of(o); k++)
                dl_tensor_free(t.x[k]);
            dl_params_free(&p);
        }
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}

static double inner(const dl_real *a, const dl_tensor *b)
{
    double sum = 0;
    for (size_t i = 0; i < b->size; i++)
        sum += (double)a[i] * dl_data(b)[i];
    return sum;
}

/* A shape that can be broadcast to s: some axes of length 1, some leading ones left out. */
static struct dl_shape narrower(struct dl_shape s)
{
    struct dl_shape t = {.rank = s.rank - (int)dl_random_below(&source, (uint64_t)s.rank + 1)};
    for (int i = 0; i < t.rank; i++)
        t.dim[i] = dl_random_below(&source, 2) ? s.dim[s.rank - t.rank + i] : 1;
    return t;
}

static double inner_products(const struct operation *o, struct dl_shape s,
                             double *right)
{
    dl_tensor *x[3] = {NULL};
    for (int k = 0; k < tensors_of(o); k++)
        x[k] = draws(o, k, inputs_of(o) == 1 && k == 0 ? s : narrower(s));
    for (int k = 0; k < inputs_of(o); k++)
        leaf(x[k]);
    dl_tensor *y = call(o, x, (double[2]){o->kind == MASK ? 0 : -1.5, 0});
    dl_tensor *g = dl_normal(y->shape, &source, 0, 1);
    dl_backward_from(y, g);
    *right = 0;
    for (int k = 0; k < inputs_of(o); k++)
        *right += inner(dl_grad(x[k]), x[k]);
    return inner(dl_data(y), g);
}

/* Where f is linear in its inputs, as masked_fill is with 0: <f(x), g> = <x, f'(g)>. */
Test(adjoint, of_every_linear_operation_is_its_backward_function)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        for (int trial = 0; o->properties & LINEAR && trial < 200; trial++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            struct dl_shape s = {.rank = (int)dl_random_below(&source, 5)};
            for (int k = 0; k < s.rank; k++)
                s.dim[k] = 1 + (int)dl_random_below(&source, 6);
            double right, left = inner_products(o, s, &right);
            cr_assert(epsilon_eq(dbl, left, right, IF_DOUBLE(1e-12, 1e-3)), "%s", o->name);
            dl_scope_leave(scope);
        }
    }
}

/* ---- On the tape -------------------------------------------------------------------------------------------------- */

static void inputs(const struct operation *o, struct dl_shape s, dl_tensor *x[3])
{
    for (int k = 0; k < tensors_of(o); k++)
        x[k] = draws(o, k, s);
}

Test(tape, constants_and_no_grad_scopes_record_nothing)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        dl_tensor *x[3] = {NULL}, *c[3] = {NULL};
        inputs(o, DL_SHAPE(3), x);
        cr_assert(not(call(o, x, o->numbers_of_test)->requires_grad), "%s", o->name);
        for (int k = 0; k < inputs_of(o); k++)
            leaf(x[k]);
        dl_scope inner = dl_scope_enter(DL_NO_GRAD);
        cr_assert(not(call(o, x, o->numbers_of_test)->requires_grad), "%s", o->name);
        dl_scope_leave(inner);
        for (int k = 0; k < inputs_of(o); k++) {            /* one input requires a gradient, the other does not */
            for (int j = 0; j < tensors_of(o); j++)
                c[j] = j == k || j >= inputs_of(o) ? x[j] : dl_detach(x[j]);
            dl_tensor *y = call(o, c, o->numbers_of_test);
            dl_backward_from(y, dl_full(y->shape, 1));
            cr_assert(dl_grad(c[k]) != NULL, "%s, input %d", o->name, k);
            for (int j = 0; j < inputs_of(o); j++)
                cr_assert(j == k || dl_grad(c[j]) == NULL, "%s, input %d of %d", o->name, j, k);
        }
    }
}

/* f(x, x) against the sum of f's two shares. */
Test(tape, one_tensor_may_be_both_inputs)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        if (inputs_of(o) < 2)
            continue;
        dl_tensor *x[3] = {NULL}, *twin[3];
        inputs(o, DL_SHAPE(4, 5), x);
        if (o->kind == PAIR)
            x[0] = draws(&operations[6], 0, DL_SHAPE(4, 5));        /* positive, as log wants it */
        x[1] = x[0];
        for (int k = 0; k < 3; k++)
            twin[k] = k < 2 ? leaf(dl_clone(x[0])) : x[2];
        leaf(x[0]);
        dl_tensor *g = dl_normal(DL_SHAPE(4, 5), &source, 0, 1);
        dl_backward_from(call(o, x, o->numbers_of_test), g);
        dl_backward_from(call(o, twin, o->numbers_of_test), g);
        for (size_t j = 0; j < 20; j++)
            cr_assert(epsilon_eq(dbl, dl_grad(x[0])[j], dl_grad(twin[0])[j] + dl_grad(twin[1])[j], 1e-5), "%s", o->name);
    }
}

Test(tape, what_was_saved_and_changed_is_reported_by_name)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        for (int victim = -1; victim < tensors_of(o); victim++) {       /* -1: the result */
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *x[3];
            inputs(o, DL_SHAPE(3), x);
            for (int k = 0; k < inputs_of(o); k++)
                leaf(x[k]);
            dl_tensor *volatile y = call(o, x, o->numbers_of_test), *g = dl_full(DL_SHAPE(3), 1);
            dl_fill(victim < 0 ? y : x[victim], 1);
            bool needed = (o->kind == WHERE || o->kind == MASK) ? victim == tensors_of(o) - 1
                          : !(o->properties & SAVES_NOTHING) && (victim < 0) == !!(o->properties & SAVES_RESULT);
            if (needed)
                fails_with(dl_backward_from(y, g), o->name, "[3]", "changed");
            else
                dl_backward_from(y, g);
            dl_scope_leave(scope);
        }
    }
}

Test(tape, a_gradient_of_zero_size_and_of_rank_0_is_possible)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        for (int rank = 0; rank < 2; rank++) {
            dl_tensor *x[3];
            inputs(o, rank == 0 ? DL_SHAPE() : DL_SHAPE(2, 0, 3), x);
            leaf(x[0]);
            dl_tensor *y = call(o, x, o->numbers_of_test);
            dl_backward_from(y, dl_full(y->shape, 1));
            cr_assert(dl_shape_equal(y->shape, x[0]->shape), "%s", o->name);
        }
    }
}

Test(tape_outside, of_all_scopes_only_the_result_remains)
{
    dl_random_seed(&source, 1);
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        dl_tensor *x[3];
        inputs(o, DL_SHAPE(3), x);
        size_t blocks = dl_pool_use().blocks;
        dl_tensor *y = call(o, x, o->numbers_of_test);
        dl_tensor_free(y);
        cr_assert(eq(sz, dl_pool_use().blocks, blocks), "%s", o->name);
        for (int k = 0; k < tensors_of(o); k++)
            dl_tensor_free(x[k]);
    }
}

/* ---- Same bits, right digits -------------------------------------------------------------------------------------- */

static void same_bits(const struct operation *o, struct dl_shape s, struct dl_shape t)
{
    static const enum dl_simd sets[] = {DL_SIMD_PLAIN, DL_SIMD_AVX2, DL_SIMD_AVX512};
    enum dl_simd best = dl_get_simd();
    dl_tensor *x[3], *first = NULL, *d[2] = {NULL};
    for (int k = 0; k < tensors_of(o); k++)
        x[k] = draws(o, k, k == 1 ? t : s);
    for (int k = 0; k < inputs_of(o); k++)
        leaf(x[k]);
    dl_tensor *g = dl_normal(o->kind == PAIR || o->kind == WHERE ? s : x[0]->shape, &source, 0, 1);
    for EACH(j, sets)
        for (int threads = 1; threads <= 4; threads++) {
            if (sets[j] > best)
                continue;
            dl_set_simd(sets[j]);
            dl_set_num_threads(threads);
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *y = call(o, x, o->numbers_of_test);
            dl_backward_from(y, g);
            if (first != NULL)
                cr_assert(memcmp(dl_data(first), dl_data(y), y->size * sizeof(dl_real)) == 0, "%s", o->name);
            const dl_real *grad[2] = {dl_grad(x[0]), inputs_of(o) == 2 ? dl_grad(x[1]) : NULL};
            for (int k = 0; k < inputs_of(o); k++)
                if (d[k] != NULL)
                    cr_assert(memcmp(dl_data(d[k]), grad[k], x[k]->size * sizeof(dl_real)) == 0, "%s", o->name);
            dl_scope_leave(scope);
            if (first == NULL) {
                for (int k = 0; k < inputs_of(o); k++)
                    d[k] = dl_from_array(x[k]->shape, dl_grad(x[k]));
                first = call(o, x, o->numbers_of_test);
            }
            for (int k = 0; k < inputs_of(o); k++) {
                struct dl_param one = {.tensor = x[k]};
                dl_zero_grad(&(struct dl_params){.n = 1, .list = &one});
            }
        }
    dl_set_simd(best);
}

Test(bits, do_not_depend_on_instruction_set_or_threads)
{
    for EACH(i, operations) {
        const struct operation *o = &operations[i];
        dl_scope scope = dl_scope_enter(DL_RECORD);
        same_bits(o, DL_SHAPE(1), DL_SHAPE(1));
        same_bits(o, DL_SHAPE(3, 333), DL_SHAPE(3, 333));
        same_bits(o, DL_SHAPE(70001), DL_SHAPE(70001));
        same_bits(o, DL_SHAPE(3, 20001), DL_SHAPE(20001));
        same_bits(o, DL_SHAPE(3, 20001), DL_SHAPE(3, 1));
        dl_scope_leave(scope);
    }
}

/* In units of the last place of the exact value, computed in double (or long double). */
static double worst(dl_tensor *f(dl_tensor *, dl_real), dl_real c, long double exact(long double, long double), bool gradient)
{
    double largest = 0;
    for (double x = 1e-30; x < 90; x *= 1.01)
        for (int sign = -1; sign <= 1; sign += 2) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_real at = (dl_real)(sign * x);
            dl_tensor *t = leaf(dl_scalar(at)), *y = f(t, c);
            dl_backward(y);
            long double wanted = exact(at, c), got = gradient ? dl_grad(t)[0] : dl_item(y);
            if (fabsl(wanted) > IF_DOUBLE(1e-300, 1e-37))
                largest = fmax(largest, (double)(fabsl(got - wanted) / fabsl(wanted)));
            dl_scope_leave(scope);
        }
    return largest / IF_DOUBLE(0x1p-53, 0x1p-24);
}

static long double elu(long double x, long double a) { return x > 0 ? x : a * expm1l(x); }
static long double elu_slope(long double x, long double a) { return x > 0 ? 1 : a * expl(x); }
static long double softplus(long double x, long double b) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(b * x))) / b; }
static long double softplus_slope(long double x, long double b) { return 1 / (1 + expl(-b * x)); }

Test(accuracy, of_elu_and_softplus_is_a_few_units_in_the_last_place)
{
    cr_expect(lt(dbl, worst(dl_elu, 1, elu, false), 5));
    cr_expect(lt(dbl, worst(dl_elu, 1, elu_slope, true), 5));
    cr_expect(lt(dbl, worst(dl_softplus, 1, softplus, false), 5));
    cr_expect(lt(dbl, worst(dl_softplus, 1, softplus_slope, true), 5));
}

Test(accuracy, softplus_neither_overflows_nor_vanishes_early)
{
    dl_tensor *x = VECTOR(88, 1e4, 3e38f, -80, -1e4, -3e38f), *y = dl_softplus(x, 1);
    for (int i = 0; i < 3; i++)
        cr_assert(eq(dbl, dl_data(y)[i], dl_data(x)[i]));
    cr_assert(epsilon_eq(dbl, dl_data(y)[3] / 1.8048513878454153e-35, 1, 1e-5));
    cr_assert(eq(dbl, dl_data(y)[4], 0));
    cr_assert(eq(dbl, dl_data(y)[5], 0));
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------- */

Test(misuse, shapes_that_do_not_fit_are_named)
{
    dl_tensor *a = dl_zeros(DL_SHAPE(2, 3)), *b = dl_zeros(DL_SHAPE(2, 4)), *v = dl_zeros(DL_SHAPE(3)), *x[3];
    for EACH(i, operations)
        if (operations[i].kind == PAIR) {
            char name[32];
            snprintf(name, sizeof name, "dl_%s", operations[i].name);
            x[0] = a, x[1] = b;
            fails_with(call(&operations[i], x, NULL), name, "[2, 3]", "[2, 4]");
        }
    fails_with(dl_where(a, v, b), "dl_where", "[2, 3]", "[3]", "[2, 4]");
    fails_with(dl_where(b, v, a), "dl_where", "[2, 4]", "[3]", "[2, 3]");
    fails_with(dl_masked_fill(a, b, 0), "dl_masked_fill", "[2, 4]", "[2, 3]");
    fails_with(dl_masked_fill(v, a, 0), "dl_masked_fill", "[2, 3]", "[3]");     /* x is not broadcast */
}

Test(misuse, numbers_without_sense_are_named)
{
    dl_tensor *x = VECTOR(1, 2);
    fails_with(dl_clamp(x, 2, 1), "dl_clamp", "2", "1");
    fails_with(dl_clamp(x, NAN, 1), "dl_clamp", "nan");
    fails_with(dl_softplus(x, 0), "dl_softplus", "0");
    fails_with(dl_softplus(x, -1), "dl_softplus", "-1");
    fails_with(dl_softplus(x, NAN), "dl_softplus", "nan");
}

Test(misuse, null_and_released_tensors_are_named)
{
    dl_tensor *good = VECTOR(1, 2), *x[3];
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_tensor *gone = VECTOR(1, 2);
    dl_scope_leave(inner);
    for EACH(i, operations)
        for (int k = 0; k < 2 * tensors_of(&operations[i]); k++) {
            const struct operation *o = &operations[i];
            char name[32];
            x[0] = x[1] = x[2] = good;
            x[k / 2] = k % 2 ? gone : NULL;
            snprintf(name, sizeof name, "dl_%s", o->name);
            fails_with(call(o, x, (double[]){1, 1}), name, k % 2 ? "released" : "NULL");
        }
}
