/* Chapter 7: operations that move numbers. Compiled for float and, with -DDL_DOUBLE, for double. What is only moved, or
   is a sum of small integers, must come out exactly. */
#include "autograd.h"
#include "axes.h"
#include "base.h"
#include "basic.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "random.h"
#include "rearrange.h"

#include "fails_with.h"
#include "in_scope.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-13, 1e-5)        /* of gradients that are sums, relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 2e-2)         /* of dl_gradcheck */
#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

static dl_tensor *array(struct dl_shape s, const dl_real *x) { return dl_from_array(s, x); }
#define TENSOR(shape, ...) array(shape, (dl_real[]){__VA_ARGS__})

static dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

static int below(int n) { return (int)(dl_random_uniform(&source) * (float)n) % n; }

static void seed(void) { dl_random_seed(&source, 7); }

TestSuite(rearrange, .init = open_scope, .fini = close_scope);
TestSuite(misuse, .init = open_scope, .fini = close_scope);
TestSuite(axes, .init = open_scope, .fini = close_scope);
TestSuite(outside, .init = seed);

/* ---- One way to call them all ---------------------------------------------------------------------------------- */

enum operation { PERMUTE, TRANSPOSE, SLICE, CAT, STACK, EXPAND, FLIP, INDEX_SELECT, GATHER, EMBEDDING, OPERATIONS };
static const char *const name_of[] = {"permute", "transpose", "slice",  "cat",     "stack", "expand",
                                      "flip",    "index_select", "gather", "embedding"};

enum { MANY = 20000 };
struct call {
    enum operation operation;
    int inputs, n;
    dl_tensor *x[12];
    int at[MANY];                       /* the n arguments, as in oracle/07_rearrange.py */
};

static struct dl_shape shape_of(int rank, const int *dim)
{
    struct dl_shape s = {.rank = rank};
    for (int k = 0; k < rank; k++)
        s.dim[k] = dim[k];
    return s;
}

static dl_tensor *apply(const struct call *c)
{
    dl_tensor *x = c->x[0], *list[64];
    const int *at = c->at;
    int rank = x->shape.rank;
    struct dl_axes axes = {.n = c->n};
    switch (c->operation) {
    case PERMUTE:
        for (int k = 0; k < c->n; k++)
            axes.at[k] = at[k];
        return dl_permute(x, axes);
    case TRANSPOSE:
        return dl_transpose(x, at[0], at[1]);
    case SLICE:
        return dl_slice(x, at[0], at[1], at[2]);
    case CAT: case STACK:
        for (int k = 1; k < c->n; k++)
            list[k - 1] = c->x[at[k]];
        return (c->operation == CAT ? dl_cat : dl_stack)(c->n - 1, list, at[0]);
    case EXPAND:
        return dl_expand(x, shape_of(c->n, at));
    case FLIP:
        return dl_flip(x, at[0]);
    case INDEX_SELECT:
        return dl_index_select(x, at[0], (struct dl_ints){c->n - 1, at + 1});
    case GATHER:
        return dl_gather(x, at[0], shape_of(rank, at + 1), (struct dl_ints){c->n - 1 - rank, at + 1 + rank});
    default:
        return dl_embedding(x, (struct dl_ints){c->n, at});
    }
}

/* Random arguments for random tensors with axes of length 1 to 5, sometimes 0. The tensors are given. */
static void draw_arguments(struct call *c, struct dl_shape s)
{
    int rank = s.rank, axis = rank > 0 ? below(rank) : 0, length = rank > 0 ? s.dim[axis] : 0, count;
    int signed_axis = below(2) ? axis : axis - rank;
    c->n = 0;
    switch (c->operation) {
    case PERMUTE:
        for (int k = 0; k < rank; k++)
            c->at[c->n++] = k;
        for (int k = rank - 1; k > 0; k--) {
            int other = below(k + 1), was = c->at[k];
            c->at[k] = c->at[other];
            c->at[other] = was;
        }
        break;
    case TRANSPOSE:
        c->at[c->n++] = signed_axis;
        c->at[c->n++] = below(rank);
        break;
    case SLICE:
        c->at[c->n++] = signed_axis;
        c->at[c->n++] = below(length + 1);
        c->at[c->n++] = below(length + 1 - c->at[1]);
        break;
    case CAT: case STACK:
        c->at[c->n++] = c->operation == CAT ? signed_axis : below(rank + 1);
        for (int k = 0; k < 5; k++)
            c->at[c->n++] = below(c->inputs);
        break;
    case FLIP:
        c->at[c->n++] = signed_axis;
        break;
    case INDEX_SELECT: case EMBEDDING:
        if (c->operation == INDEX_SELECT)
            c->at[c->n++] = signed_axis;
        count = c->operation == EMBEDDING ? s.dim[0] > 0 ? 9 : 0 : length > 0 ? 7 : 0;
        for (int k = 0; k < count; k++)
            c->at[c->n++] = below(c->operation == EMBEDDING ? s.dim[0] : length);
        break;
    case GATHER:
        c->at[c->n++] = signed_axis;
        count = 1;
        for (int k = 0; k < rank; k++) {
            c->at[c->n] = k == axis ? (length > 0 ? below(6) : 0) : below(s.dim[k] + 1);
            count *= c->at[c->n++];
        }
        for (int k = 0; k < count; k++)
            c->at[c->n++] = below(length);
        break;
    case EXPAND: default:
        break;
    }
}

static struct call *random_call(enum operation operation)
{
    static struct call c;
    int lowest = operation == EXPAND || operation == PERMUTE || operation == STACK ? 0 : 1;
    int highest = operation == STACK ? 3 : 4;
    struct dl_shape s = {.rank = operation == EMBEDDING ? 2 : lowest + below(highest - lowest + 1)}, wide = s;
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = below(12) == 0 ? 0 : below(8) == 0 ? 11 : 1 + below(5);
    c.operation = operation;
    c.inputs = operation == CAT || operation == STACK ? 3 : 1;
    if (operation == EXPAND) {
        wide = s;
        for (int k = 0; k < s.rank; k++)
            if (below(2))
                s.dim[k] = 1;
        c.n = below(DL_MAX_RANK - s.rank + 1);
        for (int k = 0; k < c.n; k++)
            c.at[k] = 1 + below(3);
        for (int k = 0; k < wide.rank; k++)
            c.at[c.n++] = wide.dim[k];
    } else
        draw_arguments(&c, s);
    for (int k = 0; k < c.inputs; k++) {
        if (operation == CAT)
            s.dim[c.at[0] < 0 ? c.at[0] + s.rank : c.at[0]] = below(4);
        c.x[k] = dl_empty(s);
        leaf(c.x[k]);
    }
    return &c;
}

/* ---- Against PyTorch ------------------------------------------------------------------------------------------- */

static struct dl_shape oracle_shape(const struct oracle_tensor *t)
{
    struct dl_shape s = {.rank = t->rank};
    for (int i = 0; i < t->rank; i++)
        s.dim[i] = (int)t->shape[i];
    return s;
}

static dl_tensor *from_oracle(const struct oracle_tensor *t)
{
    dl_tensor *x = dl_empty(oracle_shape(t));
    for (size_t i = 0; i < t->count; i++)
        dl_data(x)[i] = t->f32[i];
    return x;
}

static void are(size_t n, const dl_real *got, const double *wanted, double factor, double tolerance, const char *what,
                size_t k)
{
    double largest = 0;
    cr_assert(got != NULL, "case %zu: there is no %s", k, what);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(factor * wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - factor * wanted[i]) <= tolerance * largest, "case %zu: %s: element %zu is %.17g, not %.17g",
                  k, what, i, (double)got[i], factor * wanted[i]);
}

/* Can several shares arrive at one place? */
static bool adds(enum operation o) { return o == EXPAND || o == CAT || o == STACK || o >= INDEX_SELECT; }

/* Case k of the file: the operation once, or twice on the same tensors; or on views of larger leaves. */
static void compare(const struct oracle *o, size_t k, int passes, bool views)
{
    static struct call c;
    enum { BEFORE = 3, BEHIND = 2 };
    dl_tensor *base[12] = {0}, *y = NULL;
    dl_scope scope = dl_scope_enter(DL_RECORD);
    struct oracle_tensor args = oracle_get(o, "%zu.args", k), wanted = oracle_get(o, "%zu.y", k);
    struct oracle_tensor gradient = oracle_get(o, "%zu.g", k);
    c.operation = oracle_get(o, "operation").u8[k];
    c.inputs = oracle_get(o, "inputs").u8[k];
    c.n = (int)args.count;
    memcpy(c.at, args.data, args.count * sizeof *c.at);
    for (int i = 0; i < c.inputs; i++) {
        struct oracle_tensor x = oracle_get(o, "%zu.x%d", k, i);
        c.x[i] = leaf(from_oracle(&x));
        if (views) {
            base[i] = leaf(dl_full(DL_SHAPE((int)x.count + BEFORE + BEHIND), 77));
            dl_tensor *part = dl_view(dl_narrow(base[i], BEFORE, (int)x.count), c.x[i]->shape);
            dl_copy(part, c.x[i]);
            c.x[i] = part;
        }
    }
    for (int pass = 0; pass < passes; pass++) {
        y = apply(&c);
        dl_backward_from(y, from_oracle(&gradient));
    }
    cr_assert(dl_shape_equal(y->shape, oracle_shape(&wanted)), "case %zu, %s: shape %s", k, name_of[c.operation],
              DL_SHAPE_TEXT(y->shape));
    are(y->size, dl_data(y), wanted.f64, 1, 0, name_of[c.operation], k);
    for (int i = 0; i < c.inputs; i++) {
        struct oracle_tensor d = oracle_get(o, "%zu.d%d", k, i);
        bool exact = !adds(c.operation) && passes <= 2;
        are(c.x[i]->size, dl_grad(c.x[i]), d.f64, passes, exact ? 0 : TOLERANCE, "gradient", k);
        for (size_t j = 0; views && j < base[i]->size; j++)
            if (j < BEFORE || j >= base[i]->size - BEHIND)
                cr_assert(dl_grad(base[i])[j] == 0, "case %zu: beside the view", k);
    }
    dl_scope_leave(scope);
}

Test(rearrange, values_and_gradients_are_pytorchs)
{
    struct oracle o = oracle_open("07_rearrange.safetensors");
    size_t cases = oracle_get(&o, "operation").count;
    cr_assert(gt(sz, cases, 100));
    for (size_t k = 0; k < cases; k++) {
        compare(&o, k, 1, false);
        compare(&o, k, 2, false);
        compare(&o, k, 1, true);
        compare(&o, k, 3, true);
    }
    oracle_close(&o);
}

/* ---- Against the definition ------------------------------------------------------------------------------------ */

/* The numbers of the places, counted through all inputs, tell which element of the result is from where. The gradient,
   of small integers, must then be what is sent back there, exactly. */
static void check_adjoint(const struct call *c, int passes)
{
    double *expected, g_dot_y = 0, x_dot_dx = 0;
    size_t all = 0, at = 0;
    for (int k = 0; k < c->inputs; k++) {
        for (size_t i = 0; i < c->x[k]->size; i++)
            dl_data(c->x[k])[i] = (dl_real)(++at);
        all += c->x[k]->size;
    }
    expected = calloc(all + 1, sizeof *expected);
    for (int pass = 0; pass < passes; pass++) {
        dl_tensor *y = apply(c), *g = dl_empty(y->shape);
        for (size_t j = 0; j < y->size; j++) {
            dl_data(g)[j] = (dl_real)(below(17) - 8);
            double from = dl_data(y)[j];
            cr_assert(from >= 1 && from <= (double)all && from == floor(from), "%s: %g", name_of[c->operation], from);
            expected[(size_t)from - 1] += dl_data(g)[j];
            g_dot_y += (double)dl_data(g)[j] * dl_data(y)[j];
        }
        dl_backward_from(y, g);
    }
    at = 0;
    for (int k = 0; k < c->inputs; k++)
        for (size_t i = 0; i < c->x[k]->size; i++, at++) {
            double d = dl_grad(c->x[k]) ? dl_grad(c->x[k])[i] : 0;
            cr_assert(d == expected[at], "%s of %s: gradient %zu of input %d is %g, not %g", name_of[c->operation],
                      DL_SHAPE_TEXT(c->x[k]->shape), i, k, d, expected[at]);
            x_dot_dx += d * dl_data(c->x[k])[i];
        }
    cr_assert(g_dot_y == x_dot_dx, "%s: <g, Px> is %g, <P'g, x> %g", name_of[c->operation], g_dot_y, x_dot_dx);
    free(expected);
}

Test(rearrange, what_gathers_forwards_sums_backwards)
{
    for (enum operation o = 0; o < OPERATIONS; o++)
        for (int k = 0; k < 300; k++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            check_adjoint(random_call(o), 1 + k % 2);
            dl_scope_leave(scope);
        }
}

Test(rearrange, sign_of_zero_nan_and_infinity_are_moved_unchanged)
{
    const dl_real odd[] = {-0.0f, NAN, INFINITY, -INFINITY, 0};
    for (enum operation o = 0; o < OPERATIONS; o++)
        for (int k = 0; k < 20; k++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            struct call *c = random_call(o);
            dl_real plain[5] = {0};
            for (int i = 0; i < c->inputs; i++)
                dl_fill(c->x[i], odd[k % 5]);
            dl_tensor *y = apply(c);
            plain[0] = odd[k % 5];
            for (size_t j = 0; j < y->size; j++)
                cr_assert(isnan(plain[0]) ? isnan(dl_data(y)[j])
                          : dl_data(y)[j] == plain[0] && !signbit(dl_data(y)[j]) == !signbit(plain[0]),
                          "%s: %g", name_of[o], (double)dl_data(y)[j]);
            dl_scope_leave(scope);
        }
}

Test(rearrange, large_transpositions_and_long_runs)
{
    static const struct { struct dl_shape s; struct dl_axes a; } cases[] = {
        {{2, {301, 517}}, {2, {1, 0}}}, {{3, {3, 65, 129}}, {3, {0, 2, 1}}}, {{4, {2, 33, 4, 50}}, {4, {0, 2, 1, 3}}},
        {{4, {5, 17, 3, 35}}, {4, {3, 1, 0, 2}}}, {{2, {1, 4000}}, {2, {1, 0}}}, {{2, {4000, 1}}, {2, {1, 0}}},
    };
    static struct call c;
    for EACH(k, cases) {
        c = (struct call){PERMUTE, 1, cases[k].a.n, {leaf(dl_empty(cases[k].s))}, {0}};
        memcpy(c.at, cases[k].a.at, sizeof cases[k].a.at);
        check_adjoint(&c, 1);
        check_adjoint(&(struct call){SLICE, 1, 3, {leaf(dl_empty(cases[k].s))}, {0, 0, 1}}, 2);
        check_adjoint(&(struct call){FLIP, 1, 1, {leaf(dl_empty(cases[k].s))}, {1}}, 2);
        check_adjoint(&(struct call){CAT, 1, 4, {leaf(dl_empty(cases[k].s))}, {-1, 0, 0, 0}}, 1);
    }
}

static dl_tensor *wave(int rows, int columns)
{
    dl_tensor *x = dl_empty(DL_SHAPE(rows, columns));
    for (size_t i = 0; i < x->size; i++)
        dl_data(x)[i] = (dl_real)sin(0.1 * (double)i) * 3;
    return x;
}

Test(rearrange, hundreds_of_tensors_in_one_row)
{
    enum { STEPS = 700 };
    static dl_tensor *x[STEPS];
    for (int n = 1; n <= STEPS; n += 233) {
        for (int t = 0; t < n; t++)
            x[t] = leaf(dl_full(DL_SHAPE(2, 3), (dl_real)t));
        for (int k = 0; k < 2; k++) {
            dl_tensor *y = k == 0 ? dl_cat(n, x, 1) : dl_stack(n, x, 1);
            cr_assert(dl_shape_equal(y->shape, k == 0 ? DL_SHAPE(2, 3 * n) : DL_SHAPE(2, n, 3)));
            for (size_t j = 0; j < y->size; j++)
                cr_assert(dl_data(y)[j] == (dl_real)(j / 3 % (size_t)n));
            dl_backward_from(y, dl_view(wave(6, n), y->shape));
            for (int t = 0; t < n; t++)
                for (size_t i = 0; i < 6; i++) {
                    double one = (dl_real)sin(0.1 * (double)((i / 3 * (size_t)n + (size_t)t) * 3 + i % 3)) * 3;
                    cr_assert(fabs(dl_grad(x[t])[i] - (k + 1) * one) < 1e-6, "%d of %d", t, n);
                }
        }
    }
}

Test(rearrange, operations_compose_and_undo_each_other)
{
    dl_tensor *x = leaf(dl_view(wave(6, 20), DL_SHAPE(2, 3, 4, 5)));
    cr_assert(dl_equal(dl_permute(dl_permute(x, DL_AXES(2, 0, 3, 1)), DL_AXES(1, 3, 0, 2)), x));
    cr_assert(dl_equal(dl_transpose(dl_transpose(x, 1, 3), -1, -3), x));
    cr_assert(dl_equal(dl_flip(dl_flip(x, 2), 2), x));
    dl_tensor *parts[] = {dl_slice(x, 2, 0, 1), dl_slice(x, 2, 1, 2), dl_slice(x, 2, 3, 1)};
    cr_assert(dl_equal(dl_cat(3, parts, 2), x));
    dl_tensor *rows[] = {dl_select(x, 0), dl_select(x, 1)};
    cr_assert(dl_equal(dl_stack(2, rows, 0), x));
    cr_assert(dl_equal(dl_flip(x, 1), dl_index_select(x, 1, DL_INTS(2, 1, 0))));
    cr_assert(dl_equal(dl_slice(x, 0, 1, 1), dl_narrow(x, 1, 1)));
    cr_assert(dl_equal(dl_slice(x, 3, 1, 3), dl_index_select(x, 3, DL_INTS(1, 2, 3))));
    dl_tensor *sum = dl_sum(dl_mul(dl_cat(3, parts, 2), dl_scalar(2)));
    dl_backward(sum);
    for (size_t i = 0; i < x->size; i++)
        cr_assert(dl_grad(x)[i] == 2);
}

/* ---- Gradients against differences ----------------------------------------------------------------------------- */

static struct call *checked;
static dl_tensor *tanh_of_it(void *context) { return dl_tanh(dl_mul(apply(context), dl_scalar((dl_real)0.5))); }

Test(outside, gradients_agree_with_differences)
{
    for (enum operation o = 0; o < OPERATIONS; o++)
        for (int k = 0; k < 12; k++) {
            struct dl_params p = {0};
            dl_scope scope = dl_scope_enter(DL_NO_GRAD);
            checked = random_call(o);
            for (int i = 0; i < checked->inputs; i++) {
                char name[4] = {'x', (char)('0' + i), 0};
                dl_tensor *x = dl_param(&p, name, checked->x[i]->shape);
                dl_copy(x, dl_normal(x->shape, &source, 0, 1));
                checked->x[i] = x;
            }
            dl_scope_leave(scope);
            double error = dl_gradcheck(tanh_of_it, checked, &p);
            cr_assert(error <= CHECKED, "%s: %g", name_of[o], error);
            dl_params_free(&p);
        }
    dl_pool_drain();
}

/* ---- Same bits ------------------------------------------------------------------------------------------------- */

/* Everything, with many shares at one place, and numbers that round. */
static uint64_t hash(void)
{
    static int index[3000];
    uint64_t h = 14695981039346656037u;
    for (int k = 0; k < 3000; k++)
        index[k] = k % 7 == 0 ? 2 : k * k % 40;
    for (int k = 0; k < 6; k++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = leaf(wave(40, k < 2 ? 300 : 64)), *y;
        y = k == 0 ? dl_embedding(x, (struct dl_ints){3000, index})
            : k == 1 ? dl_transpose(x, 0, 1)
            : k == 2 ? dl_index_select(x, 1, (struct dl_ints){3000, index})
            : k == 3 ? dl_index_select(dl_view(x, DL_SHAPE(1, 40, 64)), 1, (struct dl_ints){300, index})
            : k == 4 ? dl_gather(x, 0, DL_SHAPE(60, 50), (struct dl_ints){3000, index})
                     : dl_expand(x, DL_SHAPE(9, 40, 64));
        dl_backward_from(y, dl_view(wave(1, (int)y->size), y->shape));
        const unsigned char *bytes = (const void *)dl_grad(x);
        for (size_t i = 0; i < x->size * sizeof(dl_real); i++)
            h = (h ^ bytes[i]) * 1099511628211u;
        dl_scope_leave(scope);
    }
    return h;
}

Test(outside, no_bit_depends_on_threads_or_instruction_set)
{
    enum dl_simd best = dl_get_simd();
    dl_set_num_threads(1);
    uint64_t first = hash();
    for (int set = DL_SIMD_PLAIN; set <= (int)best; set++)
        for (int threads = 1; threads <= 4; threads++) {
            dl_set_simd((enum dl_simd)set);
            dl_set_num_threads(threads);
            for (int again = 0; again < 3; again++)
                cr_assert(eq(u64, hash(), first), "set %d, %d threads", set, threads);
        }
    dl_pool_drain();
}

/* ---- Indices --------------------------------------------------------------------------------------------------- */

Test(rearrange, callers_array_may_change_after_the_call)
{
    int ids[] = {2, 0, 2}, which[] = {1, 1};
    dl_tensor *w = leaf(TENSOR(DL_SHAPE(3, 2), 1, 2, 3, 4, 5, 6));
    dl_tensor *x = leaf(TENSOR(DL_SHAPE(2, 2), 1, 2, 3, 4));
    dl_tensor *y = dl_embedding(w, (struct dl_ints){3, ids}), *z = dl_gather(x, 1, DL_SHAPE(2, 1), (struct dl_ints){2, which});
    ids[0] = ids[1] = ids[2] = 1000000;
    which[0] = which[1] = -1000000;
    dl_backward(dl_add(dl_sum(y), dl_sum(z)));
    const dl_real dw[] = {1, 1, 0, 0, 2, 2}, dx[] = {0, 1, 0, 1};
    cr_assert(memcmp(dl_grad(w), dw, sizeof dw) == 0 && memcmp(dl_grad(x), dx, sizeof dx) == 0);
}

Test(outside, of_scopes_and_without_recording_nothing_is_kept)
{
    dl_tensor *w = leaf(wave(5, 3)), *one = dl_embedding(w, DL_INTS(4, 4)), *two = dl_gather(w, 1, DL_SHAPE(5, 1), DL_INTS(0, 1, 2, 1, 0));
    cr_assert(eq(int, one->requires_grad || two->requires_grad, 0));
    dl_tensor_free(one);
    dl_tensor_free(two);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    struct dl_pool_use before = dl_pool_use();
    one = dl_index_select(w, 1, DL_INTS(0, 0, 2));
    size_t blocks = dl_pool_use().blocks - before.blocks;
    two = dl_slice(w, 1, 0, 2);
    cr_assert(eq(sz, dl_pool_use().blocks - before.blocks, 2 * blocks), "as many blocks as an operation without indices");
    dl_scope_leave(scope);
    dl_tensor_free(w);
    dl_pool_drain();
}

Test(axes, are_counted_from_either_end)
{
    struct dl_shape s = DL_SHAPE(2, 3, 4);
    for (int k = 0; k < 3; k++) {
        cr_assert(eq(int, dl_resolve_axis(s, k), k));
        cr_assert(eq(int, dl_resolve_axis(s, k - 3), k));
    }
    struct dl_around a = dl_around(s, 1), b = dl_around(DL_SHAPE(7), 0), c = dl_around(DL_SHAPE(0, 5), 1);
    cr_assert(a.before == 2 && a.n == 3 && a.after == 4);
    cr_assert(b.before == 1 && b.n == 7 && b.after == 1);
    cr_assert(c.before == 0 && c.n == 5 && c.after == 1);
    struct dl_axes none = DL_AXES(), two = DL_AXES(-1, 0);
    cr_assert(none.n == 0 && two.n == 2 && two.at[0] == -1 && two.at[1] == 0);
    struct dl_ints empty = DL_INTS(), three = DL_INTS(5, 6, 7);
    cr_assert(empty.n == 0 && three.n == 3 && three.at[0] == 5 && three.at[2] == 7);
}

/* ---- Mistakes -------------------------------------------------------------------------------------------------- */

Test(misuse, wrong_axes)
{
    dl_tensor *x = dl_zeros(DL_SHAPE(2, 3)), *n = dl_scalar(1), *list[] = {x, x};
    struct dl_ints none = {0, NULL};
    fails_with(dl_permute(x, DL_AXES(0)), "dl_permute", "1 axes", "[2, 3]");
    fails_with(dl_permute(x, DL_AXES(0, 0)), "dl_permute", "axis 0", "[2, 3]", "twice");
    fails_with(dl_permute(x, DL_AXES(1, -1)), "dl_permute", "axis 1", "[2, 3]", "twice");
    fails_with(dl_permute(x, DL_AXES(0, 2)), "dl_permute", "axis 2", "[2, 3]");
    fails_with(dl_transpose(x, 0, 2), "dl_transpose", "axis 2", "[2, 3]");
    fails_with(dl_transpose(x, -3, 0), "dl_transpose", "axis -3", "[2, 3]");
    fails_with(dl_slice(x, 2, 0, 1), "dl_slice", "axis 2", "[2, 3]");
    fails_with(dl_slice(n, 0, 0, 1), "dl_slice", "axis 0", "[]");
    fails_with(dl_cat(2, list, 2), "dl_cat", "axis 2", "[2, 3]");
    fails_with(dl_cat(1, &n, 0), "dl_cat", "axis 0", "[]");
    fails_with(dl_stack(2, list, 3), "dl_stack", "axis 3");
    fails_with(dl_stack(2, list, -4), "dl_stack", "axis -4");
    fails_with(dl_flip(x, -3), "dl_flip", "axis -3", "[2, 3]");
    fails_with(dl_index_select(x, 2, none), "dl_index_select", "axis 2", "[2, 3]");
    fails_with(dl_gather(x, 5, x->shape, none), "dl_gather", "axis 5", "[2, 3]");
}

Test(misuse, wrong_shapes)
{
    dl_tensor *x = dl_zeros(DL_SHAPE(2, 3)), *y = dl_zeros(DL_SHAPE(2, 4)), *z = dl_zeros(DL_SHAPE(3));
    dl_tensor *wide = dl_zeros(DL_SHAPE(1, 1, 1, 1)), *list[] = {x, x, y}, *ranks[] = {x, z};
    fails_with(dl_slice(x, 1, 2, 2), "dl_slice", "2 members from 2 on along axis 1", "[2, 3]");
    fails_with(dl_slice(x, 1, -1, 2), "dl_slice", "from -1");
    fails_with(dl_slice(x, 1, 0, -1), "dl_slice", "-1 members");
    fails_with(dl_slice(x, 1, INT32_MAX, INT32_MAX), "dl_slice", "[2, 3]");
    fails_with(dl_cat(3, list, 0), "dl_cat", "tensor 2", "[2, 4]", "[2, 3]", "axis 0");
    fails_with(dl_cat(2, ranks, 0), "dl_cat", "tensor 1", "[3]", "[2, 3]");
    fails_with(dl_cat(0, list, 0), "dl_cat", "0 tensors");
    fails_with(dl_cat(2, NULL, 0), "dl_cat");
    fails_with(dl_stack(3, list, 0), "dl_stack", "tensor 2", "[2, 4]", "[2, 3]");
    fails_with(dl_stack(-1, list, 0), "dl_stack", "-1 tensors");
    fails_with(dl_stack(1, &wide, 0), "dl_stack", "[1, 1, 1, 1]", "no room");
    fails_with(dl_expand(x, DL_SHAPE(3)), "dl_expand", "[2, 3]", "[3]");
    fails_with(dl_expand(x, DL_SHAPE(4, 3)), "dl_expand", "[2, 3]", "[4, 3]");
    fails_with(dl_embedding(z, DL_INTS(0)), "dl_embedding", "[3]");
    fails_with(dl_gather(x, 1, DL_SHAPE(3, 1), DL_INTS(0, 0, 0)), "dl_gather", "[3, 1]", "axis 1", "[2, 3]");
    fails_with(dl_gather(x, 1, DL_SHAPE(2), DL_INTS(0, 0)), "dl_gather", "[2]", "[2, 3]");
    fails_with(dl_gather(x, 1, DL_SHAPE(-1, 2), DL_INTS(0, 0)), "-1");
    dl_tensor *huge[] = {dl_zeros(DL_SHAPE(INT32_MAX, 0)), dl_zeros(DL_SHAPE(1, 0))};
    fails_with(dl_cat(2, huge, 0), "dl_cat", "2147483648");
}

Test(misuse, wrong_indices)
{
    dl_tensor *x = dl_zeros(DL_SHAPE(5, 3)), *empty = dl_zeros(DL_SHAPE(0, 3));
    fails_with(dl_embedding(x, DL_INTS(0, 4, 5)), "dl_embedding", "index 5", "position 2", "5 along", "[5, 3]");
    fails_with(dl_embedding(x, DL_INTS(-1)), "dl_embedding", "index -1", "position 0", "[5, 3]");
    fails_with(dl_embedding(empty, DL_INTS(0)), "dl_embedding", "index 0", "0 along", "[0, 3]");
    fails_with(dl_index_select(x, 1, DL_INTS(2, 3)), "dl_index_select", "index 3", "position 1", "3 along", "[5, 3]");
    fails_with(dl_index_select(x, 0, ((struct dl_ints){2, NULL})), "dl_index_select", "list");
    fails_with(dl_index_select(x, 0, ((struct dl_ints){-2, NULL})), "dl_index_select", "list", "-2");
    fails_with(dl_gather(x, 1, DL_SHAPE(2, 1), DL_INTS(0, 3)), "dl_gather", "index 3", "position 1", "3 along", "[5, 3]");
    fails_with(dl_gather(x, 1, DL_SHAPE(2, 1), DL_INTS(0)), "dl_gather", "1 indices instead of 2", "[5, 3]");
    fails_with(dl_gather(x, 0, DL_SHAPE(2, 1), DL_INTS(4, -2)), "dl_gather", "index -2", "position 1");
}

Test(misuse, missing_and_released_tensors)
{
    dl_tensor *x = dl_zeros(DL_SHAPE(2, 3));
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_tensor *gone = dl_zeros(DL_SHAPE(2, 3));
    dl_scope_leave(inner);
    for (int k = 0; k < 2; k++) {
        dl_tensor *bad = k == 0 ? NULL : gone, *list[] = {x, bad};
        const char *word = k == 0 ? "NULL" : "released";
        fails_with(dl_permute(bad, DL_AXES(0, 1)), "dl_permute", word);
        fails_with(dl_transpose(bad, 0, 1), "dl_transpose", word);
        fails_with(dl_slice(bad, 0, 0, 1), "dl_slice", word);
        fails_with(dl_cat(2, list, 0), "dl_cat", word);
        fails_with(dl_stack(2, list, 0), "dl_stack", word);
        fails_with(dl_expand(bad, DL_SHAPE(2, 3)), "dl_expand", word);
        fails_with(dl_flip(bad, 0), "dl_flip", word);
        fails_with(dl_index_select(bad, 0, DL_INTS(0)), "dl_index_select", word);
        fails_with(dl_gather(bad, 0, DL_SHAPE(1, 1), DL_INTS(0)), "dl_gather", word);
        fails_with(dl_embedding(bad, DL_INTS(0)), "dl_embedding", word);
    }
}
