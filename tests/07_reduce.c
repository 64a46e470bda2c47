/* Chapter 7: operations along axes. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "random.h"
#include "reduce.h"

#include "fails_with.h"
#include "operands.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

TestSuite(reduce, .init = open_scope, .fini = close_scope);
TestSuite(softmax, .init = open_scope, .fini = close_scope);

static dl_tensor *vector(int n, const dl_real *x) { return dl_from_array(DL_SHAPE(n), x); }
#define VECTOR(...) vector((int)(sizeof (dl_real[]){__VA_ARGS__} / sizeof(dl_real)), (dl_real[]){__VA_ARGS__})

/* The operations in the oracle's order: reductions, then those along one axis. */
enum { SUM, MEAN, VAR0, VAR1, VAR2, AMAX, AMIN, NORM, REDUCTIONS, CUMSUM = 0, SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, ALONG };

static dl_tensor *reduction(int op, dl_tensor *x, struct dl_axes axes, bool keep)
{
    switch (op) {
    case SUM:
        return dl_sum_over(x, axes, keep);
    case MEAN:
        return dl_mean_over(x, axes, keep);
    case VAR0:
    case VAR1:
    case VAR2:
        return dl_var_over(x, axes, op - VAR0, keep);
    case AMAX:
        return dl_amax(x, axes, keep);
    case AMIN:
        return dl_amin(x, axes, keep);
    default:
        return dl_norm(x, axes, keep);
    }
}

static dl_tensor *along(int op, dl_tensor *x, int axis)
{
    return op == CUMSUM ? dl_cumsum(x, axis) : op == SOFTMAX ? dl_softmax(x, axis)
         : op == LOG_SOFTMAX ? dl_log_softmax(x, axis) : dl_logsumexp(x, axis, false);
}

/* Any operation, by one number; the reductions over one axis. */
static dl_tensor *operation(int op, dl_tensor *x, int axis)
{
    return op < REDUCTIONS ? reduction(op, x, DL_AXES(axis), false) : along(op - REDUCTIONS, x, axis);
}
enum { OPERATIONS = REDUCTIONS + ALONG };

static const char *const names[OPERATIONS] = {"sum", "mean", "var0", "var1", "var2", "amax", "amin", "norm", "cumsum", "softmax",
                                              "log_softmax", "logsumexp"};

/* `times` what is wanted, relative to the largest finite number; what is not finite must be the same. */
static void are(size_t n, const dl_real *got, const double *wanted, double times, const char *what)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(wanted[i]))
            largest = fmax(largest, fabs(times * wanted[i]));
    for (size_t i = 0; i < n; i++) {
        double w = times * wanted[i];
        bool good = isnan(w) ? isnan(got[i]) : isinf(w) ? got[i] == w : fabs(got[i] - w) <= TOLERANCE * largest;
        cr_assert(good, "%s: element %zu is %.17g, not %.17g", what, i, (double)got[i], w);
    }
}

/* The same numbers, as the middle of a larger tensor. */
static dl_tensor *inside(const dl_tensor *x)
{
    dl_tensor *larger = normal(DL_SHAPE(3, (int)x->size));
    dl_tensor *middle = dl_view(dl_select(larger, 1), x->shape);
    dl_copy(middle, x);
    return middle;
}

static struct dl_axes axes_of_mask(int mask, int rank, int variant)
{
    struct dl_axes a = {0};
    for (int k = 0; k < rank; k++)
        if (mask >> k & 1)
            a.at[a.n++] = variant & 1 ? k - rank : k;
    for (int i = 0; variant & 2 && i < a.n / 2; i++) {
        int t = a.at[i];
        a.at[i] = a.at[a.n - 1 - i], a.at[a.n - 1 - i] = t;
    }
    if (a.n == rank && variant & 4)
        a.n = 0;
    return a;
}

/* ---- PyTorch's values and gradients ---------------------------------------------------------------------------- */

enum { SHAPES = 19 };

/* One operation on one shape: values, then gradients of one and of two backward passes, x unchanged. */
static void compare(const char *what, dl_tensor *y, dl_tensor *x, const struct oracle_tensor *g, const double *wanted_y,
                    const double *wanted_dx, dl_tensor *again)
{
    dl_tensor *t = dl_empty(y->shape);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = g->f32[i];
    are(y->size, dl_data(y), wanted_y, 1, what);
    if (wanted_dx == NULL)
        return;
    dl_backward_from(y, t);
    cr_assert(dl_grad(x) != NULL);
    are(x->size, dl_grad(x), wanted_dx, 1, what);
    dl_backward_from(again, t);
    are(x->size, dl_grad(x), wanted_dx, 2, what);
}

static void over(const struct oracle *o, int i, int mask, int variant)
{
    struct oracle_tensor input = oracle_get(o, "%d.x", i), g = oracle_get(o, "%d.%d.g", i, mask);
    struct oracle_tensor y = oracle_get(o, "%d.%d.y", i, mask), dx = oracle_get(o, "%d.%d.dx", i, mask);
    for (int op = 0; op < REDUCTIONS; op++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = from_oracle(input), *copy = dl_clone(x);
        struct dl_axes axes = axes_of_mask(mask, x->shape.rank, variant);
        size_t count = 1;
        for (int k = 0; k < x->shape.rank; k++)
            count *= mask >> k & 1 ? (size_t)x->shape.dim[k] : 1;
        char what[80];
        snprintf(what, sizeof what, "%s of %s, axes %d", names[op], DL_SHAPE_TEXT(x->shape), mask);
        x = leaf(variant & 1 ? inside(x) : x);
        if (count == 0 && (op == AMAX || op == AMIN)) {
            fails_with(reduction(op, x, axes, false), op == AMAX ? "dl_amax" : "dl_amin", "no elements");
        } else {
            bool skip = op >= VAR0 && op <= VAR2 && count <= (size_t)(op - VAR0);
            dl_tensor *t = reduction(op, x, axes, variant & 2);
            int rank = x->shape.rank;
            for (int k = 0; k < x->shape.rank && !(variant & 2); k++)
                rank -= mask >> k & 1;
            cr_assert(eq(int, t->shape.rank, rank), "%s", what);
            cr_assert(eq(sz, t->size, g.count), "%s", what);
            for (int k = 0, at = 0; k < x->shape.rank; k++)
                if (variant & 2 || !(mask >> k & 1)) {
                    cr_assert(eq(int, t->shape.dim[at], mask >> k & 1 ? 1 : x->shape.dim[k]), "%s", what);
                    at++;
                }
            compare(what, t, x, &g, y.f64 + (size_t)op * t->size, skip ? NULL : dx.f64 + (size_t)op * x->size,
                    reduction(op, x, axes, variant & 2));
        }
        cr_assert(memcmp(dl_data(x), dl_data(copy), x->size * sizeof(dl_real)) == 0, "%s changes x", what);
        dl_scope_leave(scope);
    }
}

Test(reduce, all_sets_of_axes_give_pytorchs_values_and_gradients)
{
    struct oracle o = oracle_open("07_reduce.safetensors");
    for (int i = 0; i < SHAPES; i++) {
        int rank = oracle_get(&o, "%d.x", i).rank;
        for (int mask = rank > 0; mask < 1 << rank; mask++)
            for (int variant = 0; variant < 8; variant++)
                over(&o, i, mask, variant);
    }
    oracle_close(&o);
}

static void along_axis(const struct oracle *o, int i, int axis, bool negative)
{
    struct oracle_tensor input = oracle_get(o, "%d.x", i), g = oracle_get(o, "%d.axis.%d.g", i, axis);
    struct oracle_tensor y = oracle_get(o, "%d.axis.%d.y", i, axis), dx = oracle_get(o, "%d.axis.%d.dx", i, axis);
    for (int op = 0; op < ALONG; op++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = from_oracle(input), *copy = dl_clone(x);
        x = leaf(negative ? inside(x) : x);
        char what[80];
        snprintf(what, sizeof what, "%s of %s, axis %d", names[REDUCTIONS + op], DL_SHAPE_TEXT(x->shape), axis);
        int a = negative ? axis - x->shape.rank : axis;
        dl_tensor *t = along(op, x, a);
        cr_assert(eq(int, t->shape.rank, x->shape.rank - (op == LOGSUMEXP)), "%s", what);
        compare(what, t, x, &g, y.f64 + (size_t)op * g.count, dx.f64 + (size_t)op * x->size, along(op, x, a));
        cr_assert(memcmp(dl_data(x), dl_data(copy), x->size * sizeof(dl_real)) == 0, "%s changes x", what);
        if (op == LOGSUMEXP) {
            dl_tensor *kept = dl_logsumexp(x, a, true);
            cr_assert(eq(int, kept->shape.rank, x->shape.rank));
            cr_assert(eq(int, kept->shape.dim[axis], 1));
            cr_assert(memcmp(dl_data(kept), dl_data(t), t->size * sizeof(dl_real)) == 0);
        }
        dl_scope_leave(scope);
    }
    dl_tensor *x = from_oracle(input);
    int at[1000];
    if (x->shape.dim[axis] == 0) {
        fails_with(dl_argmax(x, axis, at), "dl_argmax", "no elements");
        return;
    }
    struct oracle_tensor place = oracle_get(o, "%d.axis.%d.argmax", i, axis);
    dl_argmax(x, negative ? axis - x->shape.rank : axis, at);
    for (size_t k = 0; k < place.count; k++)
        cr_assert(eq(int, at[k], place.i32[k]), "argmax of shape %d, axis %d, place %zu", i, axis, k);
}

Test(softmax, all_axes_give_pytorchs_values_and_gradients)
{
    struct oracle o = oracle_open("07_reduce.safetensors");
    for (int i = 0; i < SHAPES; i++)
        for (int axis = 0; axis < oracle_get(&o, "%d.x", i).rank; axis++)
            for (int negative = 0; negative < 2; negative++)
                along_axis(&o, i, axis, negative);
    oracle_close(&o);
}

/* The special rows as columns or as rows. */
Test(reduce, infinities_nan_and_huge_numbers_are_treated_as_by_pytorch)
{
    struct oracle o = oracle_open("07_reduce.safetensors");
    struct oracle_tensor input = oracle_get(&o, "special.x"), g = oracle_get(&o, "special.g");
    struct oracle_tensor y = oracle_get(&o, "special.y"), dx = oracle_get(&o, "special.dx");
    int rows = (int)input.shape[0], n = (int)input.shape[1];
    for (int op = 0; op < OPERATIONS; op++)
        for (int r = 0; r < rows; r++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *x[2] = {dl_empty(DL_SHAPE(n)), dl_empty(DL_SHAPE(n, 2))};
            bool small = op >= REDUCTIONS && op < REDUCTIONS + LOGSUMEXP;
            for (int k = 0; k < 2; k++) {
                for (int i = 0; i < n; i++)
                    for (int c = 0; c <= k; c++)
                        dl_data(x[k])[i * (k + 1) + c] = input.f32[r * n + i];
                dl_tensor *t = operation(op, leaf(x[k]), 0), *gt = dl_empty(t->shape);
                dl_real got[8];
                for (int i = 0; i < (small ? n : 1); i++) {
                    got[i] = dl_data(t)[i * (k + 1) + k];
                    for (int c = 0; c <= k; c++)
                        dl_data(gt)[i * (k + 1) + c] = small ? g.f32[r * n + i] : g.f32[r];
                }
                if (op >= VAR0 && op <= VAR2 && (r == 7 || r == 8))
                    continue;               /* the squares of 1e30 and 1e-30 are no floats */
                char what[80];
                snprintf(what, sizeof what, "%s of special row %d, as %s", names[op], r, k ? "columns" : "a row");
                are(small ? n : 1, got, y.f64 + (size_t)op * rows * n + r * (small ? n : 1), 1, what);
                dl_backward_from(t, gt);
                for (int i = 0; i < n; i++)
                    got[i] = dl_grad(x[k])[i * (k + 1) + k];
                double nan[] = {NAN, NAN, NAN, NAN};    /* where PyTorch's logsumexp has some numbers, ours has none */
                bool infinite = op == REDUCTIONS + LOGSUMEXP && (r == 0 || r == 2 || r == 4);
                are(n, got, infinite ? nan : dx.f64 + (size_t)op * rows * n + r * n, 1, what);
            }
            dl_scope_leave(scope);
        }
    struct oracle_tensor place = oracle_get(&o, "special.argmax");
    for (int r = 0; r < rows; r++) {
        int at;
        dl_argmax(dl_select(from_oracle(input), r), 0, &at);
        cr_assert(eq(int, at, place.i32[r]), "row %d", r);
    }
    oracle_close(&o);
}

Test(reduce, mean_of_all_is_one_number_and_of_nothing_nan)
{
    dl_tensor *x = leaf(VECTOR(1, 2, 6, 7)), *y = dl_mean(x);
    cr_assert(eq(int, y->shape.rank, 0));
    cr_assert(eq(dbl, dl_item(y), 4));
    dl_backward(y);
    are(4, dl_grad(x), (double[]){0.25, 0.25, 0.25, 0.25}, 1, "mean");
    cr_assert(isnan(dl_item(dl_mean(dl_empty(DL_SHAPE(0, 3))))));
}

Test(reduce, variance_divides_by_0_where_no_degree_of_freedom_is_left)
{
    cr_assert(isnan(dl_item(dl_var_over(VECTOR(3), DL_AXES(), 1, false))));
    cr_assert(eq(dbl, dl_item(dl_var_over(VECTOR(3, 4), DL_AXES(), 3, false)), INFINITY));
    cr_assert(isnan(dl_item(dl_var_over(VECTOR(4, 4), DL_AXES(), 2, false))));
}

Test(reduce, equal_extremes_share_the_gradient)
{
    dl_tensor *x = leaf(VECTOR(3, 1, 3, 1, 3, 2));
    dl_tensor *wide = dl_amax(x, DL_AXES(0), true);
    dl_backward_from(wide, dl_full(wide->shape, 6));
    are(6, dl_grad(x), (double[]){2, 0, 2, 0, 2, 0}, 1, "amax");
    dl_backward_from(dl_amin(x, DL_AXES(), false), dl_full(DL_SHAPE(), 4));
    are(6, dl_grad(x), (double[]){2, 2, 2, 2, 2, 0}, 1, "amin");
}

Test(reduce, norm_neither_overflows_nor_vanishes_in_single_precision)
{
    for (int huge = 0; huge < 2; huge++)
        for (int n = 3; n < 6000; n *= 40) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_real unit = huge ? (dl_real)1e30 : (dl_real)1e-30;
            dl_tensor *x = leaf(dl_full(DL_SHAPE(n, 2), unit));
            for (int axis = 0; axis < 2; axis++) {
                dl_tensor *y = dl_norm(x, DL_AXES(axis), false);
                double wanted = (double)unit * sqrt(axis ? 2 : n);
                cr_assert(lt(dbl, fabs(*dl_data(y) - wanted), 1e-6 * wanted));
            }
            dl_scope_leave(scope);
        }
    dl_tensor *zero = leaf(dl_zeros(DL_SHAPE(3)));
    dl_backward(dl_norm(zero, DL_AXES(), false));
    are(3, dl_grad(zero), (double[]){0, 0, 0}, 1, "gradient at 0");
}

Test(reduce, sums_and_variances_are_accurate_along_every_axis)
{
    int n = 200000;
    dl_tensor *x = dl_full(DL_SHAPE(n, 3), (dl_real)0.1), *t = dl_full(DL_SHAPE(3, n), (dl_real)0.1);
    double sum = (double)(dl_real)0.1 * n;
    for (int i = 0; i < 3; i++) {
        cr_assert(lt(dbl, fabs(dl_data(dl_sum_over(x, DL_AXES(0), false))[i] - sum), 1e-6 * sum));
        cr_assert(lt(dbl, fabs(dl_data(dl_sum_over(t, DL_AXES(1), false))[i] - sum), 1e-6 * sum));
        cr_assert(lt(dbl, fabs(dl_data(dl_cumsum(x, 0))[3 * (n - 1) + i] - sum), 1e-6 * sum));
        cr_assert(lt(dbl, fabs(dl_data(dl_cumsum(t, 1))[(size_t)n * (i + 1) - 1] - sum), 1e-6 * sum));
    }
    for (int k = 0; k < 2 * 1500; k++)      /* far from 0: what one pass in single precision gets wrong */
        dl_data(x)[k] = (dl_real)(10000 + (k / 2 % 3 - 1));
    dl_tensor *far = dl_view(dl_narrow(x, 0, 1000), DL_SHAPE(1500, 2));
    for (int i = 0; i < 2; i++) {
        double v = *dl_data(dl_var_over(dl_narrow(dl_view(far, DL_SHAPE(2, 1500)), i, 1), DL_AXES(1), 0, false));
        cr_assert(lt(dbl, fabs(v - 2. / 3), 1e-5));
        cr_assert(lt(dbl, fabs(dl_data(dl_var_over(far, DL_AXES(0), 0, false))[i] - 2. / 3), 1e-6));
    }
}

Test(reduce, sum_of_rows_is_added_to_or_overwrites_the_result)
{
    for (int rows = 0; rows < 40; rows += 13)
        for (int n = 0; n < 40; n += 13) {
            dl_scope scope = dl_scope_enter(DL_NO_GRAD);
            dl_tensor *x = normal(DL_SHAPE(rows, n)), *y = normal(DL_SHAPE(n));
            for (int k = 0; k < 3; k++) {
                dl_tensor *z = dl_clone(y);
                if (k == 0)
                    dl_fill(z, NAN);
                dl_sum_rows((size_t)rows, (size_t)n, dl_data(x), (dl_real[]){0, 1, -0.5}[k], dl_data(z));
                for (int j = 0; j < n; j++) {
                    double sum = (double[]){0, 1, -0.5}[k] * dl_data(y)[j];
                    for (int i = 0; i < rows; i++)
                        sum += *dl_at(x, i, j);
                    cr_assert(lt(dbl, fabs(dl_data(z)[j] - sum), TOLERANCE * 30), "%d rows of %d, beta %d", rows, n, k);
                }
            }
            dl_scope_leave(scope);
        }
}

/* ---- Gradients against differences, adjoints --------------------------------------------------------------------- */

struct check { int op; struct dl_axes axes; dl_tensor *x, *w; };

static dl_tensor *checked(void *context)
{
    struct check *c = context;
    dl_tensor *x = dl_mul(dl_tanh(c->x), c->w);
    dl_tensor *y = c->op < REDUCTIONS ? reduction(c->op, x, c->axes, true) : along(c->op - REDUCTIONS, x, c->axes.at[0]);
    return c->op == REDUCTIONS + LOGSUMEXP || c->op < REDUCTIONS ? y : dl_mul(y, x);
}

Test(reduce, gradients_are_those_of_differences)
{
    static const struct { struct dl_shape s; struct dl_axes a; } cases[] = {
        {{1, {5}}, {1, {0}}}, {{2, {3, 4}}, {1, {0}}}, {{2, {3, 4}}, {1, {1}}}, {{2, {2, 18}}, {2, {1, 0}}}, {{2, {19, 2}}, {1, {0}}},
        {{3, {2, 3, 4}}, {2, {0, 2}}}, {{3, {2, 3, 4}}, {1, {1}}}, {{4, {2, 3, 2, 3}}, {2, {1, 3}}}, {{4, {2, 3, 2, 3}}, {2, {2, 0}}},
        {{4, {2, 3, 2, 2}}, {3, {0, 2, 3}}}, {{4, {2, 1, 2, 3}}, {1, {2}}}, {{2, {3, 17}}, {1, {0}}},
    };
    for EACH(i, cases)
        for (int op = 0; op < OPERATIONS; op++) {
            if (op == VAR2 && cases[i].a.n == 1 && cases[i].s.dim[cases[i].a.at[0]] == 2)
                continue;                       /* divides by 0 */
            struct dl_params p = {0};
            struct check c = {op, cases[i].a, dl_param(&p, "x", cases[i].s), dl_param(&p, "w", cases[i].s)};
            dl_scope scope = dl_scope_enter(DL_NO_GRAD);
            dl_copy(c.x, normal(cases[i].s));
            dl_copy(c.w, dl_uniform(cases[i].s, &source, 1, 2));
            dl_scope_leave(scope);
            double error = dl_gradcheck(checked, &c, &p), elements = dl_gradcheck_elements(checked, &c, &p);
            cr_assert(error < CHECKED, "%s, case %zu: %g", names[op], i, error);
            cr_assert(elements < CHECKED, "%s, case %zu: %g by elements", names[op], i, elements);
            dl_params_free(&p);
        }
}

static double inner(const dl_tensor *a, const dl_real *b)
{
    double s = 0;
    for (size_t i = 0; i < a->size; i++)
        s += (double)dl_data(a)[i] * b[i];
    return s;
}

Test(reduce, backward_functions_of_linear_operations_are_adjoints)
{
    static const struct dl_shape shapes[] = {{2, {7, 300}}, {3, {5, 33, 8}}, {4, {2, 5, 3, 17}}, {1, {5000}}};
    for EACH(i, shapes)
        for (int k = 0; k < 3; k++)
            for (int axis = 0; axis < shapes[i].rank; axis++) {
                dl_scope scope = dl_scope_enter(DL_RECORD);
                dl_tensor *x = leaf(normal(shapes[i]));
                dl_tensor *y = k == 0 ? dl_sum_over(x, DL_AXES(axis), false) : k == 1 ? dl_mean_over(x, DL_AXES(axis), true)
                                                                               : dl_cumsum(x, axis);
                dl_tensor *g = normal(y->shape);
                dl_backward_from(y, g);
                double left = inner(y, dl_data(g)), right = inner(x, dl_grad(x));
                double scale = sqrt(inner(y, dl_data(y)) * inner(g, dl_data(g))) + 1e-3;
                cr_assert(lt(dbl, fabs(left - right), 2 * TOLERANCE * scale), "operation %d, shape %zu, axis %d", k, i, axis);
                dl_scope_leave(scope);
            }
}

/* ---- The same bits ----------------------------------------------------------------------------------------------- */

enum { MANY = 200000 };
static dl_real bits[2][2 * MANY];

/* Values and gradient, one behind the other; returns how many. */
static size_t run(int op, dl_tensor *x, struct dl_axes axes, dl_real *to)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *t = leaf(dl_detach(x));
    dl_tensor *y = op < REDUCTIONS ? reduction(op, t, axes, false) : along(op - REDUCTIONS, t, axes.at[0]);
    dl_tensor *g = dl_empty(y->shape);
    for (size_t i = 0; i < g->size; i++)
        dl_data(g)[i] = (dl_real)sin(1 + (double)i);
    dl_backward_from(y, g);
    size_t n = y->size;
    memcpy(to, dl_data(y), n * sizeof *to);
    memcpy(to + n, dl_grad(t), t->size * sizeof *to);
    n += t->size;
    dl_scope_leave(scope);
    return n;
}

Test(reduce, no_bit_depends_on_threads_or_instruction_set)
{
    static const struct { struct dl_shape s; struct dl_axes a; } cases[] = {
        {{1, {150001}}, {1, {0}}}, {{2, {64, 512}}, {1, {0}}}, {{2, {512, 65}}, {1, {1}}}, {{2, {9, 9001}}, {1, {1}}},
        {{2, {9001, 9}}, {1, {0}}}, {{4, {6, 17, 20, 21}}, {3, {0, 2, 3}}}, {{3, {10, 33, 129}}, {1, {1}}},
    };
    enum dl_simd best = dl_get_simd();
    for EACH(i, cases)
        for (int op = 0; op < OPERATIONS; op++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *x = normal(cases[i].s);
            dl_set_num_threads(1);
            size_t n = run(op, x, cases[i].a, bits[0]);
            for (int set = 0; set <= (int)best; set++)
                for (int threads = 1; threads <= 4; threads++) {
                    dl_set_simd((enum dl_simd)set);
                    dl_set_num_threads(threads);
                    run(op, x, cases[i].a, bits[1]);
                    cr_assert(memcmp(bits[0], bits[1], n * sizeof **bits) == 0, "%s, case %zu, set %d, %d threads",
                              names[op], i, set, threads);
                }
            dl_set_simd(best);
            dl_scope_leave(scope);
        }
}

Test(reduce, a_sample_has_the_same_numbers_alone_and_in_a_batch)
{
    static const struct { struct dl_shape s; struct dl_axes a; } cases[] = {     /* axis 0 is the batch */
        {{2, {7, 5}}, {1, {1}}}, {{2, {7, 5000}}, {1, {-1}}}, {{3, {5, 19, 33}}, {1, {1}}}, {{3, {5, 19, 33}}, {1, {2}}},
        {{4, {3, 4, 5, 17}}, {2, {1, 3}}}, {{4, {3, 4, 5, 17}}, {2, {2, 3}}}, {{4, {3, 1, 5, 1}}, {1, {2}}}, {{2, {40, 17}}, {1, {1}}},
    };
    for EACH(i, cases)
        for (int op = 0; op < OPERATIONS; op++) {
            if (op >= REDUCTIONS && cases[i].a.n > 1)
                continue;
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *x = normal(cases[i].s);
            dl_tensor *all = op < REDUCTIONS ? reduction(op, x, cases[i].a, false) : along(op - REDUCTIONS, x, cases[i].a.at[0]);
            for (int k = 0; k < x->shape.dim[0]; k++) {
                dl_tensor *one = dl_narrow(x, k, 1), *wanted = dl_narrow(all, k, 1);
                dl_tensor *y = op < REDUCTIONS ? reduction(op, one, cases[i].a, false) : along(op - REDUCTIONS, one, cases[i].a.at[0]);
                cr_assert(memcmp(dl_data(y), dl_data(wanted), y->size * sizeof(dl_real)) == 0, "%s, case %zu, row %d",
                          names[op], i, k);
            }
            dl_scope_leave(scope);
        }
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

Test(reduce, wrong_axes_and_tensors_are_refused_by_name)
{
    static const char *const called[] = {"dl_sum_over", "dl_mean_over", "dl_var_over", "dl_var_over", "dl_var_over", "dl_amax",
                                         "dl_amin", "dl_norm", "dl_cumsum", "dl_softmax", "dl_log_softmax", "dl_logsumexp"};
    dl_tensor *x = normal(DL_SHAPE(2, 3)), *one = normal(DL_SHAPE()), *gone;
    dl_scope scope = dl_scope_enter(DL_RECORD);
    gone = normal(DL_SHAPE(2));
    dl_scope_leave(scope);
    for (int op = 0; op < OPERATIONS; op++) {
        fails_with(operation(op, x, 2), called[op], "axis 2", "[2, 3]");
        fails_with(operation(op, x, -3), called[op], "axis -3", "[2, 3]");
        fails_with(operation(op, one, 0), called[op], "axis 0", "[]");
        fails_with(operation(op, NULL, 0), called[op], "NULL");
        fails_with(operation(op, gone, 0), called[op], "released");
        if (op < REDUCTIONS)
            fails_with(reduction(op, x, DL_AXES(1, -1), false), called[op], "axis 1", "[2, 3]", "twice");
    }
    fails_with(dl_mean(NULL), "dl_mean", "NULL");
    fails_with(dl_argmax(x, 2, NULL), "dl_argmax", "axis 2", "[2, 3]");
    fails_with(dl_argmax(NULL, 0, NULL), "dl_argmax", "NULL");
}

Test(reduce, a_saved_tensor_that_was_changed_is_reported)
{
    static const char *const called[] = {NULL, NULL, "var_over", "var_over", "var_over", "amax", "amin", "norm", NULL, "softmax",
                                         "log_softmax", "logsumexp"};
    for (int op = 0; op < OPERATIONS; op++)
        for (int result = 0; result < 2; result++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *x = leaf(normal(DL_SHAPE(4, 3))), *y = operation(op, x, 0);
            bool saved = called[op] != NULL && (op == REDUCTIONS + SOFTMAX || op == REDUCTIONS + LOG_SOFTMAX ? result
                       : op < AMAX || op == REDUCTIONS + LOGSUMEXP ? !result : true);
            dl_touch(result ? y : x);
            dl_tensor *g = dl_zeros(y->shape);
            if (saved)
                fails_with(dl_backward_from(y, g), called[op], "[", "changed");
            else
                dl_backward_from(y, g);
            dl_scope_leave(scope);
        }
}

Test(reduce, nothing_is_recorded_where_no_gradient_is_wanted)
{
    for (int op = 0; op < OPERATIONS; op++) {
        dl_tensor *x = normal(DL_SHAPE(4, 3)), *y = operation(op, x, 1);
        cr_assert(not(y->requires_grad));
        fails_with(dl_backward_from(y, dl_zeros(y->shape)), "requires a gradient");
        cr_assert(dl_grad(x) == NULL);
    }
}

Test(own_scope, outside_of_all_scopes_only_the_results_stay)
{
    dl_random_seed(&source, 1);
    for (int op = 0; op < OPERATIONS; op++)
        for (int axis = 0; axis < 2; axis++) {
            dl_tensor *x = leaf(normal(DL_SHAPE(4, 3))), *y = operation(op, x, axis);
            dl_tensor_free(y);
            dl_tensor_free(x);
            cr_assert(eq(sz, dl_pool_use().blocks, 0), "%s", names[op]);
        }
}
