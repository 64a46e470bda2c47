/* Chapter 7: products of matrices, and the linear layer. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "products.h"
#include "random.h"

#include "fails_with.h"
#include "operands.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

TestSuite(bmm, .init = open_scope, .fini = close_scope);
TestSuite(linear, .init = open_scope, .fini = close_scope);

static void are(size_t n, const dl_real *got, const double *wanted, double times, const char *what, int k)
{
    double largest = 0;
    cr_assert(got != NULL || n == 0, "case %d: there is no %s", k, what);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(times * wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - times * wanted[i]) <= TOLERANCE * largest, "case %d, %s: element %zu is %.17g, not %.17g", k, what,
                  i, (double)got[i], times * wanted[i]);
}

static bool same(const dl_real *a, const dl_real *b, size_t n) { return n == 0 || memcmp(a, b, n * sizeof *a) == 0; }

/* The same numbers, as the middle of a larger tensor, to which gradients are added. */
static dl_tensor *inside(dl_tensor *x)
{
    dl_tensor *larger = leaf(normal(DL_SHAPE(3, (int)x->size)));
    dl_tensor *middle = dl_view(dl_select(larger, 1), x->shape);
    dl_copy(middle, x);
    return middle;
}

/* ---- PyTorch's values and gradients ---------------------------------------------------------------------------- */

static void compare_bmm(const struct oracle *o, int k, bool view)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    bool ta = *oracle_get(o, "bmm.%d.flags", k).u8 & 1, tb = *oracle_get(o, "bmm.%d.flags", k).u8 & 2;
    dl_tensor *a = leaf(from_oracle(oracle_get(o, "bmm.%d.a", k))), *b = leaf(from_oracle(oracle_get(o, "bmm.%d.b", k)));
    dl_tensor *a0 = dl_clone(a), *b0 = dl_clone(b), *g = from_oracle(oracle_get(o, "bmm.%d.g", k));
    if (view)
        a = inside(a), b = inside(b);
    struct oracle_tensor y = oracle_get(o, "bmm.%d.y", k);
    for (int pass = 1; pass <= 2; pass++) {
        dl_tensor *c = dl_bmm(ta, tb, a, b);
        cr_assert(dl_shape_equal(c->shape, g->shape));
        are(y.count, dl_data(c), y.f64, 1, "product", k);
        dl_backward_from(c, g);
        are(a->size, dl_grad(a), oracle_get(o, "bmm.%d.da", k).f64, pass, "gradient of a", k);
        are(b->size, dl_grad(b), oracle_get(o, "bmm.%d.db", k).f64, pass, "gradient of b", k);
    }
    cr_assert(same(dl_data(a), dl_data(a0), a->size) && same(dl_data(b), dl_data(b0), b->size), "case %d changes a factor", k);
    dl_scope_leave(scope);
}

Test(bmm, values_and_gradients_are_pytorchs)
{
    struct oracle o = oracle_open("07_products.safetensors");
    int cases = *oracle_get(&o, "bmm").i32;
    for (int k = 0; k < cases; k++)
        for (int view = 0; view < 2; view++)
            compare_bmm(&o, k, view);
    oracle_close(&o);
}

enum { ACTIVATIONS = 4 };

static dl_tensor *layer(dl_tensor *x, dl_tensor *w, dl_tensor *bias, int f)
{
    return f < 0 ? dl_linear(x, w, bias) : dl_linear_act(x, w, bias, (enum dl_activation)f);
}

static void compare_linear(const struct oracle *o, int k, int f, bool view)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    int like = f < 0 ? 0 : f;
    dl_tensor *x = leaf(from_oracle(oracle_get(o, "linear.%d.x", k))), *w = leaf(from_oracle(oracle_get(o, "linear.%d.w", k)));
    dl_tensor *bias = *oracle_get(o, "linear.%d.flags", k).u8 ? leaf(from_oracle(oracle_get(o, "linear.%d.bias", k))) : NULL;
    dl_tensor *g = from_oracle(oracle_get(o, "linear.%d.g", k)), *g0 = dl_clone(g), *w0 = dl_clone(w), *x0 = dl_clone(x);
    if (view) {
        x = inside(x), w = inside(w);
        bias = bias != NULL ? inside(bias) : NULL;
    }
    for (int pass = 1; pass <= 2; pass++) {
        dl_tensor *y = layer(x, w, bias, f);
        cr_assert(dl_shape_equal(y->shape, g->shape));
        are(y->size, dl_data(y), oracle_get(o, "linear.%d.y.%d", k, like).f64, 1, "result", k);
        dl_backward_from(y, g);
        are(x->size, dl_grad(x), oracle_get(o, "linear.%d.dx.%d", k, like).f64, pass, "gradient of x", k);
        are(w->size, dl_grad(w), oracle_get(o, "linear.%d.dw.%d", k, like).f64, pass, "gradient of w", k);
        if (bias != NULL)
            are(bias->size, dl_grad(bias), oracle_get(o, "linear.%d.dbias.%d", k, like).f64, pass, "gradient of the bias", k);
    }
    cr_assert(same(dl_data(x), dl_data(x0), x->size) && same(dl_data(w), dl_data(w0), w->size)
              && same(dl_data(g), dl_data(g0), g->size), "case %d changes an input", k);
    dl_scope_leave(scope);
}

Test(linear, values_and_gradients_are_pytorchs)
{
    struct oracle o = oracle_open("07_products.safetensors");
    int cases = *oracle_get(&o, "linear").i32;
    for (int k = 0; k < cases; k++)
        for (int f = -1; f < ACTIVATIONS; f++)
            for (int view = 0; view < 2; view++)
                compare_linear(&o, k, f, view);
    oracle_close(&o);
}

/* ---- The same numbers in other ways ---------------------------------------------------------------------------- */

Test(bmm, one_tensor_may_be_both_factors)
{
    for (int flags = 0; flags < 4; flags++) {
        dl_tensor *x = normal(DL_SHAPE(2, 3, 3)), *g = normal(DL_SHAPE(2, 3, 3));
        dl_tensor *a = leaf(dl_clone(x)), *b = leaf(dl_clone(x)), *both = leaf(dl_clone(x));
        dl_backward_from(dl_bmm(flags & 1, flags & 2, a, b), g);
        dl_backward_from(dl_bmm(flags & 1, flags & 2, both, both), g);
        double wanted[18];
        for (int i = 0; i < 18; i++)
            wanted[i] = (double)dl_grad(a)[i] + dl_grad(b)[i];
        are(18, dl_grad(both), wanted, 1, "gradient of both", flags);
    }
}

static dl_tensor *transposed(const dl_tensor *x)
{
    dl_tensor *t = dl_empty(DL_SHAPE(x->shape.dim[1], x->shape.dim[0]));
    dl_permute_copy(t, x, (int[]){1, 0});
    return t;
}

/* dl_linear_act against the operations of chapter 6: the same bits. */
static dl_tensor *twin(const dl_tensor *t) { return leaf(dl_clone(t)); }

Test(linear, fused_layer_is_the_composition_bit_for_bit)
{
    static const int sizes[][3] = {{1, 1, 1}, {5, 3, 2}, {100, 2, 16},
                                   {64, 784, 33}, {3, 1500, 70}, {33, 17, 1}};
    for EACH(i, sizes) {
        int m = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x1 = leaf(normal(DL_SHAPE(m, in))), *x2 = twin(x1);
        dl_tensor *w1 = leaf(normal(DL_SHAPE(out, in)));
        dl_tensor *w2 = leaf(transposed(w1));
        dl_tensor *b1 = leaf(normal(DL_SHAPE(out))), *b2 = twin(b1);
        dl_tensor *fused = dl_linear_act(x1, w1, b1, DL_TANH);
        dl_tensor *plain = dl_tanh(dl_add(dl_matmul(x2, w2), b2));
        dl_tensor *g = normal(fused->shape), *d = dl_clone(w1);
        cr_assert(same(dl_data(fused), dl_data(plain), g->size));
        dl_backward_from(fused, g);
        dl_backward_from(plain, g);
        memcpy(dl_data(d), dl_grad(w1), d->size * sizeof(dl_real));
        cr_assert(same(dl_grad(x1), dl_grad(x2), x1->size));
        cr_assert(same(dl_data(transposed(d)), dl_grad(w2), d->size));
        for (int j = 0; j < out; j++)
            cr_assert(lt(dbl, fabs(dl_grad(b1)[j] - dl_grad(b2)[j]),
                         20 * TOLERANCE));
        dl_scope_leave(scope);
    }
}

Test(linear, activations_are_the_kernels_bit_for_bit)
{
    static void (*const map[])(size_t, const dl_real *, dl_real *) = {NULL, dl_vrelu, dl_vtanh, dl_vsigmoid};
    dl_tensor *x = normal(DL_SHAPE(19, 33)), *w = normal(DL_SHAPE(37, 33)), *bias = normal(DL_SHAPE(37));
    dl_tensor *y = dl_linear(x, w, bias);
    cr_assert(dl_equal(y, dl_linear_act(x, w, bias, DL_IDENTITY)));
    for (int f = DL_RELU; f < ACTIVATIONS; f++) {
        dl_tensor *z = dl_clone(y);
        map[f](z->size, dl_data(z), dl_data(z));
        cr_assert(dl_equal(z, dl_linear_act(x, w, bias, (enum dl_activation)f)), "activation %d", f);
    }
}

Test(linear, a_row_has_the_same_bits_alone_and_in_a_batch)
{
    static const int sizes[][3] = {{7, 3, 2}, {40, 300, 33}, {70, 1500, 10}, {33, 17, 1}, {100, 2, 16}};
    for EACH(i, sizes)
        for (int f = 0; f < ACTIVATIONS; f++) {
            dl_scope scope = dl_scope_enter(DL_NO_GRAD);
            int m = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
            dl_tensor *x = normal(DL_SHAPE(m, in)), *w = normal(DL_SHAPE(out, in)), *bias = normal(DL_SHAPE(out));
            dl_tensor *all = layer(x, w, bias, f);
            for (int k = 0; k < m; k++) {
                dl_tensor *one = layer(dl_select(x, k), w, bias, f);
                cr_assert(same(dl_data(one), dl_at(all, k, 0), (size_t)out), "case %zu, row %d", i, k);
            }
            dl_scope_leave(scope);
        }
    dl_tensor *a = normal(DL_SHAPE(5, 9, 40)), *b = normal(DL_SHAPE(5, 30, 40)), *all = dl_bmm(false, true, a, b);
    for (int k = 0; k < 5; k++) {
        dl_tensor *one = dl_bmm(false, true, dl_narrow(a, k, 1), dl_narrow(b, k, 1));
        cr_assert(same(dl_data(one), dl_at(all, k, 0, 0), one->size), "item %d", k);
    }
}

enum { MANY = 400000 };
static dl_real bits[2][MANY];

/* Values and gradients of both operations, one behind the other; returns how many. */
static size_t run(dl_real *to)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_random_seed(&source, 5);
    dl_tensor *t[16] = {leaf(normal(DL_SHAPE(7, 65, 90))), leaf(normal(DL_SHAPE(7, 90, 33)))};
    int n = 2;
    t[n++] = dl_bmm(true, true, t[1], t[0]);            /* [33, 90] [90, 65] */
    dl_backward_from(t[2], normal(t[2]->shape));
    t[n++] = leaf(normal(DL_SHAPE(64, 300)));
    t[n++] = leaf(normal(DL_SHAPE(130, 300)));
    t[n++] = leaf(normal(DL_SHAPE(130)));
    for (int f = 0; f < ACTIVATIONS; f++) {
        t[n] = layer(t[3], t[4], t[5], f);
        dl_backward_from(t[n], normal(t[n]->shape));
        n++;
    }
    size_t size = 0;
    for (int k = 0; k < n; k++) {
        const dl_real *grad = dl_grad(t[k]);
        const dl_real *x = grad ? grad : dl_data(t[k]);
        memcpy(to + size, x, t[k]->size * sizeof *to);
        size += t[k]->size;
        cr_assert(lt(sz, size, MANY));
    }
    dl_scope_leave(scope);
    return size;
}

Test(linear, no_bit_depends_on_threads_or_instruction_set)
{
    enum dl_simd best = dl_get_simd();
    dl_set_num_threads(1);
    size_t n = run(bits[0]);
    for (int set = 0; set <= (int)best; set++)
        for (int threads = 1; threads <= 4; threads++) {
            dl_set_simd((enum dl_simd)set);
            dl_set_num_threads(threads);
            run(bits[1]);
            cr_assert(same(bits[0], bits[1], n), "set %d, %d threads", set, threads);
        }
}

/* ---- Gradients against differences, adjoints --------------------------------------------------------------------- */

struct check { int f; bool ta, tb; dl_tensor *a, *b, *c; };

static dl_tensor *product(void *context)
{
    struct check *c = context;
    return dl_tanh(dl_bmm(c->ta, c->tb, dl_tanh(c->a), c->b));
}

static dl_tensor *one_layer(void *context)
{
    struct check *c = context;
    return layer(dl_tanh(c->a), c->b, c->c, c->f);
}

static dl_tensor *param(struct dl_params *p, const char *name, struct dl_shape s)
{
    dl_tensor *t = dl_param(p, name, s);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_copy(t, dl_normal(s, &source, 0, 0.5));
    dl_scope_leave(scope);
    return t;
}

Test(bmm, gradients_are_those_of_differences)
{
    for (int flags = 0; flags < 4; flags++)
        for (int rank = 3; rank <= 4; rank++) {
            struct dl_params p = {0};
            struct check c = {.ta = flags & 1, .tb = flags & 2};
            int m = c.ta ? 4 : 3, k = c.ta ? 3 : 4, q = c.tb ? 2 : 4, n = c.tb ? 4 : 2;
            c.a = param(&p, "a", rank == 3 ? DL_SHAPE(2, m, k) : DL_SHAPE(2, 2, m, k));
            c.b = param(&p, "b", rank == 3 ? DL_SHAPE(2, q, n) : DL_SHAPE(2, 2, q, n));
            double error = dl_gradcheck(product, &c, &p), elements = dl_gradcheck_elements(product, &c, &p);
            cr_assert(error < CHECKED && elements < CHECKED, "flags %d: %g, %g", flags, error, elements);
            dl_params_free(&p);
        }
}

Test(linear, gradients_are_those_of_differences)
{
    for (int f = -1; f < ACTIVATIONS; f++)
        for (int bias = 0; bias < 2; bias++)
            for (int rank = 1; rank <= 4; rank++) {
                struct dl_params p = {0};
                struct check c = {.f = f};
                struct dl_shape s = {rank, {2, 2, 2, 2}};
                s.dim[rank - 1] = 3;
                c.a = param(&p, "x", s);
                c.b = param(&p, "w", DL_SHAPE(5, 3));
                c.c = bias ? param(&p, "bias", DL_SHAPE(5)) : NULL;
                double error = dl_gradcheck(one_layer, &c, &p), elements = dl_gradcheck_elements(one_layer, &c, &p);
                cr_assert(error < CHECKED && elements < CHECKED, "activation %d, rank %d: %g, %g", f, rank, error, elements);
                dl_params_free(&p);
            }
}

static double inner(size_t n, const dl_real *a, const dl_real *b)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += (double)a[i] * b[i];
    return s;
}

/* <y, g> = <a, da> = <b, db>, since the product is linear in each. */
Test(bmm, backward_function_is_the_adjoint_in_each_factor)
{
    for (int flags = 0; flags < 5; flags++) {
        dl_tensor *a = leaf(normal(flags & 1 ? DL_SHAPE(3, 40, 33) : DL_SHAPE(3, 33, 40)));
        dl_tensor *b = leaf(normal(flags & 2 ? DL_SHAPE(3, 17, 40) : DL_SHAPE(3, 40, 17)));
        if (flags == 4)
            a = leaf(normal(DL_SHAPE(3, 33, 40))), b = leaf(normal(DL_SHAPE(17, 40)));
        dl_tensor *y = flags == 4 ? dl_linear(a, b, NULL) : dl_bmm(flags & 1, flags & 2, a, b), *g = normal(y->shape);
        dl_backward_from(y, g);
        double wanted = inner(y->size, dl_data(y), dl_data(g));
        double scale = sqrt(inner(y->size, dl_data(y), dl_data(y)) * inner(y->size, dl_data(g), dl_data(g)));
        cr_assert(lt(dbl, fabs(inner(a->size, dl_data(a), dl_grad(a)) - wanted), TOLERANCE * scale));
        cr_assert(lt(dbl, fabs(inner(b->size, dl_data(b), dl_grad(b)) - wanted), TOLERANCE * scale));
    }
}

/* ---- Who gets a gradient, and who is needed ---------------------------------------------------------------------- */

Test(linear, only_inputs_that_want_a_gradient_get_one)
{
    for (int who = 0; who < 8; who++)
        for (int kind = 0; kind < 3; kind++) {
            dl_tensor *x[3] = {normal(DL_SHAPE(2, 4, 3)), normal(kind < 2 ? DL_SHAPE(5, 3) : DL_SHAPE(2, 3, 4)), normal(DL_SHAPE(5))};
            int inputs = kind < 2 ? 3 : 2;
            for (int k = 0; k < 3; k++)
                x[k]->requires_grad = who >> k & 1;
            dl_tensor *y = kind == 0 ? dl_linear(x[0], x[1], x[2]) : kind == 1 ? dl_linear_act(x[0], x[1], x[2], DL_RELU)
                                                                             : dl_bmm(false, false, x[0], x[1]);
            cr_assert(eq(int, y->requires_grad, (who & ((1 << inputs) - 1)) != 0));
            if (y->requires_grad)
                dl_backward_from(y, normal(y->shape));
            for (int k = 0; k < inputs; k++)
                cr_assert(eq(int, dl_grad(x[k]) != NULL, who >> k & 1), "inputs %d, gradient of %d", who, k);
        }
}

Test(linear, a_factor_that_was_changed_is_reported_where_it_is_needed)
{
    for (int changed = 0; changed < 3; changed++)       /* x, w, result */
        for (int who = 1; who < 4; who++)
            for (int kind = 0; kind < 3; kind++) {
                dl_scope scope = dl_scope_enter(DL_RECORD);
                dl_tensor *x = normal(DL_SHAPE(2, 3, 3)), *w = normal(kind < 2 ? DL_SHAPE(3, 3) : DL_SHAPE(2, 3, 3));
                x->requires_grad = who & 1, w->requires_grad = who & 2;
                dl_tensor *y = kind == 0 ? dl_linear(x, w, NULL) : kind == 1 ? dl_linear_act(x, w, NULL, DL_TANH) : dl_bmm(false, true, x, w);
                dl_tensor *g = normal(y->shape);
                dl_touch(changed == 0 ? x : changed == 1 ? w : y);
                bool needed = changed == 0 ? who & 2 : changed == 1 ? who & 1 : kind == 1;
                if (needed)
                    fails_with(dl_backward_from(y, g), ((const char *[]){"linear", "linear_act", "bmm"})[kind], "[", "changed");
                else
                    dl_backward_from(y, g);
                dl_scope_leave(scope);
            }
}

Test(linear, two_losses_of_one_graph_are_independent)
{
    dl_tensor *x = leaf(normal(DL_SHAPE(4, 3))), *w = normal(DL_SHAPE(5, 3)), *y = dl_linear_act(x, w, NULL, DL_TANH);
    dl_tensor *loss = dl_sum(dl_mul(y, y));
    dl_backward_keep(loss);
    dl_tensor *first = dl_from_array(x->shape, dl_grad(x));
    dl_backward(loss);
    for (int i = 0; i < 12; i++)
        cr_assert(eq(dbl, dl_grad(x)[i], 2 * dl_data(first)[i]));
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

Test(bmm, factors_that_do_not_fit_are_refused_with_both_shapes)
{
    dl_tensor *a = normal(DL_SHAPE(2, 3, 4)), *gone;
    dl_scope scope = dl_scope_enter(DL_RECORD);
    gone = normal(DL_SHAPE(2, 3, 4));
    dl_scope_leave(scope);
    fails_with(dl_bmm(false, false, a, gone), "dl_bmm", "released");
    fails_with(dl_bmm(false, false, a, a), "dl_bmm", "[2, 3, 4]", "[2, 3, 4]");
    fails_with(dl_bmm(true, true, a, a), "dl_bmm", "[2, 3, 4] (transposed)", "[2, 3, 4] (transposed)");
    fails_with(dl_bmm(false, true, a, normal(DL_SHAPE(3, 3, 4))), "dl_bmm", "[2, 3, 4]", "[3, 3, 4] (transposed)");
    fails_with(dl_bmm(false, true, normal(DL_SHAPE(2, 1, 3, 4)), normal(DL_SHAPE(2, 2, 3, 4))), "[2, 1, 3, 4]", "[2, 2, 3, 4]");
    fails_with(dl_bmm(false, true, a, normal(DL_SHAPE(1, 2, 3, 4))), "[2, 3, 4]", "[1, 2, 3, 4]");
    fails_with(dl_bmm(false, true, a, normal(DL_SHAPE(2, 3, 4, 5))), "[2, 3, 4]", "[2, 3, 4, 5]");
    fails_with(dl_bmm(false, false, normal(DL_SHAPE(3, 4)), normal(DL_SHAPE(4, 3))), "[3, 4]", "[4, 3]");
    fails_with(dl_bmm(false, false, NULL, a), "dl_bmm", "NULL");
}

Test(linear, tensors_that_do_not_fit_are_refused_with_their_shapes)
{
    dl_tensor *x = normal(DL_SHAPE(2, 3)), *w = normal(DL_SHAPE(5, 3)), *bias = normal(DL_SHAPE(5));
    for (int f = -1; f < ACTIVATIONS; f++) {
        const char *name = f < 0 ? "dl_linear:" : "dl_linear_act:";
        fails_with(layer(normal(DL_SHAPE(2, 5)), w, bias, f), name, "[2, 5]", "[5, 3]");
        fails_with(layer(normal(DL_SHAPE()), w, bias, f), name, "[]", "[5, 3]");
        fails_with(layer(x, bias, bias, f), name, "[2, 3]", "[5]");
        fails_with(layer(x, w, normal(DL_SHAPE(3)), f), name, "bias", "[3]", "[5, 3]");
        fails_with(layer(x, w, normal(DL_SHAPE(1, 5)), f), name, "bias", "[1, 5]", "[5, 3]");
        fails_with(layer(NULL, w, bias, f), name, "NULL");
        fails_with(layer(x, NULL, bias, f), name, "NULL");
    }
    fails_with(layer(x, w, bias, 4), "dl_linear_act", "activation 4");
    fails_with(dl_linear_act(x, w, bias, (enum dl_activation)-1), "dl_linear_act", "activation -1");
}

Test(own_scope, outside_of_all_scopes_only_the_results_stay)
{
    dl_random_seed(&source, 1);
    dl_tensor *x = leaf(normal(DL_SHAPE(2, 4, 3))), *w = normal(DL_SHAPE(5, 3)), *y = dl_linear_act(x, w, NULL, DL_TANH);
    dl_tensor *z = dl_bmm(true, false, x, x);
    dl_tensor_free(x), dl_tensor_free(y), dl_tensor_free(z), dl_tensor_free(w);
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}
