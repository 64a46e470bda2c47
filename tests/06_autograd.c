/* Chapter 6: the tape of tensors. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "memory.h"
#include "random.h"
#include "value.h"

#include "fails_with.h"
#include "in_scope.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-13, 1e-5)        /* of values and gradients, relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 1e-3)         /* of dl_gradcheck */
#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

static dl_tensor *array(struct dl_shape s, const dl_real *x) { return dl_from_array(s, x); }
#define TENSOR(shape, ...) array(shape, (dl_real[]){__VA_ARGS__})
#define VECTOR(...) array(DL_SHAPE((int)(sizeof (dl_real[]){__VA_ARGS__} / sizeof(dl_real))), (dl_real[]){__VA_ARGS__})

static dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

static dl_tensor *normal(struct dl_shape s) { return dl_normal(s, &source, 0, 1); }

/* A parameter with normal draws. */
static dl_tensor *param(struct dl_params *p, const char *name, struct dl_shape s)
{
    dl_tensor *t = dl_param(p, name, s);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_copy(t, normal(s));
    dl_scope_leave(scope);
    return t;
}

static void are(size_t n, const dl_real *got, const double *wanted, double tolerance, const char *what)
{
    double largest = 0;
    cr_assert(got != NULL || n == 0, "%s: there is no gradient", what);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - wanted[i]) <= tolerance * largest, "%s: element %zu is %.17g, not %.17g", what, i,
                  (double)got[i], wanted[i]);
}

#define gradient_is(t, ...)                                                   \
    are((t)->size, dl_grad(t), (double[]){__VA_ARGS__}, TOLERANCE, "the gradient of " #t)

/* Within a scope that records; afterwards nothing may be left. */
static void seed(void) { dl_random_seed(&source, 1); }
TestSuite(gradcheck, .init = seed);
TestSuite(own, .init = seed);
TestSuite(memory, .init = seed);
TestSuite(basic, .init = open_scope, .fini = close_scope);
TestSuite(tape, .init = open_scope, .fini = close_scope);
TestSuite(hooks, .init = open_scope, .fini = close_scope);
TestSuite(checkpoint, .init = open_scope, .fini = close_scope);
TestSuite(misuse, .init = open_scope, .fini = close_scope);
TestSuite(anomaly, .init = open_scope, .fini = close_scope);
TestSuite(picture, .init = open_scope, .fini = close_scope);

/* ---- The five operations --------------------------------------------------------------------------------------- */

static dl_tensor *from_oracle(const struct oracle *o, size_t k, const char *name)
{
    struct oracle_tensor t = oracle_get(o, "%zu.%s", k, name);
    struct dl_shape s = {.rank = t.rank};
    for (int i = 0; i < t.rank; i++)
        s.dim[i] = (int)t.shape[i];
    dl_tensor *x = dl_empty(s);
    for (size_t i = 0; i < t.count; i++)
        dl_data(x)[i] = t.f32[i];
    return x;
}

/* Forward and backward, in a scope, the gradient added to what is already there if `twice`. */
static void compare(const struct oracle *o, size_t k, int operation, bool twice)
{
    static dl_tensor *(*const two[])(dl_tensor *, dl_tensor *) = {dl_add, dl_mul, dl_matmul};
    static dl_tensor *(*const one[])(dl_tensor *) = {dl_tanh, dl_sum};
    char name[2][32];
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x[2] = {leaf(from_oracle(o, k, "a")), operation < 3 ? leaf(from_oracle(o, k, "b")) : NULL}, *y = NULL;
    dl_tensor *g = from_oracle(o, k, "g");
    for (int pass = 0; pass <= twice; pass++) {
        y = operation < 3 ? two[operation](x[0], x[1]) : one[operation - 3](x[0]);
        dl_backward_from(y, g);
    }
    struct oracle_tensor values = oracle_get(o, "%zu.y", k);
    cr_assert(eq(int, y->shape.rank, values.rank));
    cr_assert(eq(sz, y->size, values.count));
    are(y->size, dl_data(y), values.f64, TOLERANCE, "y");
    for (int i = 0; i < 2 && x[i]; i++) {
        struct oracle_tensor d = oracle_get(o, "%zu.d%c", k, "ab"[i]);
        double *wanted = calloc(d.count + 1, sizeof *wanted);
        for (size_t j = 0; j < d.count; j++)
            wanted[j] = d.f64[j] * (1 + twice);
        snprintf(name[i], sizeof name[i], "case %zu, gradient of %c", k, "ab"[i]);
        are(x[i]->size, dl_grad(x[i]), wanted, TOLERANCE, name[i]);
        free(wanted);
    }
    dl_scope_leave(scope);
}

Test(basic, values_and_gradients_are_pytorchs)
{
    struct oracle o = oracle_open("06_autograd.safetensors");
    struct oracle_tensor operation = oracle_get(&o, "operation");
    for (size_t k = 0; k < operation.count; k++) {
        compare(&o, k, operation.u8[k], false);
        compare(&o, k, operation.u8[k], true);      /* the second share */
    }
    oracle_close(&o);
}

/* An expression in which each of the five is used, with two parameters of given shapes. */
struct pair {
    dl_tensor *a, *b;
    dl_tensor *(*f)(dl_tensor *a, dl_tensor *b);
};

static dl_tensor *mixed(dl_tensor *a, dl_tensor *b) { return dl_tanh(dl_add(dl_mul(a, b), dl_mul(b, b))); }
static dl_tensor *products(dl_tensor *a, dl_tensor *b) { return dl_matmul(dl_tanh(dl_matmul(a, b)), dl_add(b, b)); }
static dl_tensor *total(dl_tensor *a, dl_tensor *b) { return dl_mul(dl_sum(dl_mul(a, a)), dl_tanh(dl_sum(b))); }
static dl_tensor *shared(dl_tensor *a, dl_tensor *b) { return dl_mul(dl_add(a, a), dl_add(a, dl_sum(b))); }
static dl_tensor *apply(void *context)
{
    struct pair *p = context;
    return p->f(p->a, p->b);
}

Test(gradcheck, all_operations_pass_with_all_shapes)
{
    static const struct { struct dl_shape a, b; dl_tensor *(*f)(dl_tensor *, dl_tensor *); } cases[] = {
        {{1, {5}}, {1, {5}}, mixed}, {{2, {3, 4}}, {1, {4}}, mixed}, {{1, {4}}, {2, {3, 4}}, mixed},
        {{2, {3, 1}}, {2, {1, 4}}, mixed}, {{0, {0}}, {0, {0}}, mixed}, {{0, {0}}, {3, {2, 3, 4}}, mixed},
        {{4, {2, 1, 3, 1}}, {3, {4, 1, 5}}, mixed}, {{4, {2, 3, 4, 5}}, {4, {2, 3, 4, 5}}, mixed},
        {{2, {4, 3}}, {2, {3, 3}}, products}, {{3, {2, 4, 5}}, {2, {5, 5}}, products}, {{2, {1, 1}}, {2, {1, 1}}, products},
        {{2, {3, 2}}, {1, {4}}, total}, {{2, {3, 2}}, {1, {4}}, shared}, {{1, {0}}, {1, {1}}, mixed},
        {{2, {0, 3}}, {2, {3, 3}}, products}, {{1, {50}}, {1, {1}}, mixed},
    };
    for EACH(i, cases) {
        struct dl_params p = {0};
        struct pair pair = {param(&p, "a", cases[i].a), param(&p, "b", cases[i].b), cases[i].f};
        double error = dl_gradcheck(apply, &pair, &p), elements = dl_gradcheck_elements(apply, &pair, &p);
        cr_assert(error < CHECKED, "case %zu: %g", i, error);
        cr_assert(elements < CHECKED, "case %zu: %g by elements", i, elements);
        dl_params_free(&p);
    }
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}

/* ---- An operation of one's own --------------------------------------------------------------------------------- */

static void cube_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    const dl_real *x = dl_saved(node, 0), *g = dl_grad_out(node);
    for (size_t i = 0; to != NULL && i < node->out->size; i++)
        to[i] = 3 * x[i] * x[i] * g[i] + (beta == 0 ? 0 : to[i]);
}

static dl_tensor *cube(dl_tensor *x)
{
    static const struct dl_op op = {"cube", cube_backward};
    dl_tensor *y = dl_empty(x->shape);
    for (size_t i = 0; i < x->size; i++)
        dl_data(y)[i] = dl_data(x)[i] * dl_data(x)[i] * dl_data(x)[i];
    dl_save(dl_record(&op, y, 1, &x), x);
    return y;
}

static dl_tensor *cubes(dl_tensor *a, dl_tensor *b) { return cube(dl_tanh(dl_add(a, cube(dl_tanh(b))))); }

Test(own, operation_is_differentiated_like_the_librarys)
{
    struct dl_params p = {0};
    struct pair pair = {param(&p, "a", DL_SHAPE(3, 4)), param(&p, "b", DL_SHAPE(4)), cubes};
    cr_assert(lt(dbl, dl_gradcheck(apply, &pair, &p), CHECKED));
    cr_assert(lt(dbl, dl_gradcheck_elements(apply, &pair, &p), CHECKED));
    dl_params_free(&p);
}

/* The cube, computed into the second row of a tensor. */
static dl_tensor *cube_in_a_row(dl_tensor *x)
{
    static const struct dl_op op = {"cube_in_a_row", cube_backward};
    dl_tensor *y = dl_select(dl_full(DL_SHAPE(3, (int)x->size), 1), 1);
    for (size_t i = 0; i < x->size; i++)
        dl_data(y)[i] = dl_data(x)[i] * dl_data(x)[i] * dl_data(x)[i];
    dl_save(dl_record(&op, y, 1, &x), x);
    return y;
}

Test(own, result_may_be_a_part_of_a_tensor)
{
    open_scope();
    dl_tensor *a = leaf(VECTOR(1, 2)), *y = cube_in_a_row(a);
    dl_backward(dl_sum(dl_mul(y, VECTOR(1, 10))));
    gradient_is(a, 3, 120);
    close_scope();
}

/* The cube with a planted mistake. */
static int mistake;

static void wrong_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    const dl_real *x = dl_saved(node, 0), *g = dl_grad_out(node);
    for (size_t i = 0; to != NULL && i < node->out->size; i++) {
        dl_real share = 3 * x[i] * x[i] * g[i];
        if (mistake == 1)
            share = -share;
        if (mistake == 2 && i == 7)
            share = 0;
        if (mistake == 3)
            share *= (dl_real)1.1;
        if (mistake == 4 && i == 3)
            share = NAN;
        to[i] = share + (beta == 0 || mistake == 5 ? 0 : to[i]);
    }
}

static dl_tensor *wrong(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"wrong", wrong_backward};
    dl_tensor *y[2];
    (void)b;
    for (int k = 0; k < 2; k++) {
        y[k] = dl_clone(cube(dl_detach(a)));
        dl_save(dl_record(&op, y[k], 1, &a), a);
    }
    return dl_add(y[0], y[1]);
}

static dl_tensor *independent(dl_tensor *a, dl_tensor *b) { (void)b; return cube(a); }

Test(gradcheck, mistakes_are_found)
{
    struct dl_params p = {0};
    struct pair pair = {param(&p, "a", DL_SHAPE(4, 5)), NULL, wrong};
    for (mistake = 1; mistake <= 5; mistake++) {
        double error = dl_gradcheck(apply, &pair, &p), elements = dl_gradcheck_elements(apply, &pair, &p);
        if (mistake == 4) {
            cr_assert(isnan(error) && isnan(elements));
            continue;
        }
        cr_assert(gt(dbl, error, 2 * CHECKED), "mistake %d", mistake);
        cr_assert(gt(dbl, elements, 2 * CHECKED), "mistake %d", mistake);
    }
    dl_params_free(&p);
}

Test(gradcheck, a_parameter_that_is_not_used_has_the_gradient_0)
{
    struct dl_params p = {0};
    struct pair pair = {param(&p, "a", DL_SHAPE(3)), param(&p, "b", DL_SHAPE(2)), independent};
    cr_assert(lt(dbl, dl_gradcheck(apply, &pair, &p), CHECKED));
    dl_params_free(&p);
}

Test(gradcheck, parameters_are_as_before_and_have_no_gradient)
{
    struct dl_params p = {0};
    struct pair pair = {param(&p, "a", DL_SHAPE(3)), param(&p, "b", DL_SHAPE(3)), mixed};
    dl_tensor *a = dl_clone(pair.a);
    dl_gradcheck(apply, &pair, &p);
    dl_gradcheck_elements(apply, &pair, &p);
    cr_assert(dl_equal(a, pair.a));
    cr_assert(dl_grad(pair.a) == NULL);
    dl_tensor_free(a);
    dl_params_free(&p);
}

/* ---- The tape -------------------------------------------------------------------------------------------------- */

Test(tape, a_diamond_is_counted_once_per_path)
{
    dl_tensor *a = leaf(VECTOR(1)), *b = dl_add(a, a);
    dl_backward(dl_add(b, b));
    gradient_is(a, 4);
}

Test(tape, a_square_receives_both_shares)
{
    dl_tensor *a = leaf(VECTOR(3, -2));
    dl_backward(dl_sum(dl_mul(a, a)));
    gradient_is(a, 6, -4);
}

Test(tape, gradients_accumulate_in_leaves_until_forgotten)
{
    struct dl_param one = {.name = "a", .tensor = leaf(VECTOR(3, -2))};
    struct dl_params p = {.n = 1, .list = &one};
    for (int k = 1; k <= 3; k++) {
        dl_backward(dl_sum(dl_mul(one.tensor, one.tensor)));
        gradient_is(one.tensor, 6 * k, -4 * k);
    }
    dl_zero_grad(&p);
    cr_assert(dl_grad(one.tensor) == NULL);
    dl_backward(dl_sum(one.tensor));
    gradient_is(one.tensor, 1, 1);
}

Test(tape, the_root_may_be_a_leaf)
{
    dl_tensor *a = leaf(VECTOR(3));
    dl_backward(a);
    gradient_is(a, 1);
    dl_backward(a);
    gradient_is(a, 2);
}

Test(tape, backward_from_is_the_adjoint_of_the_derivative)
{
    dl_tensor *x = leaf(normal(DL_SHAPE(3, 4))), *w = normal(DL_SHAPE(4, 5)), *g = normal(DL_SHAPE(3, 5));
    dl_tensor *dx = normal(DL_SHAPE(3, 4)), *y = dl_matmul(x, w), *dy = dl_matmul(dx, w);
    double left = 0, right = 0;
    dl_backward_from(y, g);
    for (size_t i = 0; i < y->size; i++)
        left += (double)dl_data(g)[i] * dl_data(dy)[i];
    for (size_t i = 0; i < x->size; i++)
        right += (double)dl_grad(x)[i] * dl_data(dx)[i];
    cr_assert(epsilon_eq(dbl, left, right, 100 * TOLERANCE));
}

Test(tape, nothing_is_recorded_without_need)
{
    dl_tensor *a = leaf(VECTOR(1, 2)), *c = VECTOR(3, 4);
    cr_assert(not(dl_mul(c, c)->requires_grad));
    cr_assert(dl_mul(c, a)->requires_grad);
    dl_scope inner = dl_scope_enter(DL_NO_GRAD);
    cr_assert(not(dl_mul(a, a)->requires_grad));
    dl_scope again = dl_scope_enter(DL_RECORD);
    cr_assert(dl_mul(a, a)->requires_grad);
    dl_scope_leave(again);
    dl_scope_leave(inner);
    dl_backward(dl_sum(dl_mul(a, c)));
    gradient_is(a, 3, 4);
    cr_assert(dl_grad(c) == NULL);
}

Test(tape_outside, of_all_scopes_results_are_permanent_constants)
{
    dl_tensor *a = leaf(VECTOR(1, 2)), *y = dl_mul(a, a);
    cr_assert(not(y->requires_grad));
    dl_tensor_free(a);
    dl_tensor_free(y);
}

Test(tape, views_share_the_gradient)
{
    dl_tensor *w = leaf(TENSOR(DL_SHAPE(3, 2), 1, 2, 3, 4, 5, 6));
    dl_backward(dl_sum(dl_select(w, 1)));              /* the first share goes to a part */
    gradient_is(w, 0, 0, 1, 1, 0, 0);
    dl_backward(dl_sum(w));
    gradient_is(w, 1, 1, 2, 2, 1, 1);
    dl_tensor *last = dl_narrow(w, 1, 2);
    dl_backward(dl_sum(dl_mul(last, last)));
    gradient_is(w, 1, 1, 8, 10, 11, 13);
    dl_backward(dl_sum(dl_mul(dl_view(w, DL_SHAPE(6)), VECTOR(1, 0, 0, 0, 0, 2))));
    gradient_is(w, 2, 1, 8, 10, 11, 15);
    gradient_is(dl_select(w, 1), 8, 10);
}

Test(tape, views_of_inner_tensors_hand_on)
{
    dl_tensor *w = leaf(TENSOR(DL_SHAPE(2, 2), 1, 2, 3, 4)), *s = dl_mul(w, w);
    dl_backward(dl_sum(dl_mul(dl_select(s, 0), dl_select(s, 1))));      /* w0^2 w2^2 + w1^2 w3^2 */
    gradient_is(w, 2 * 9, 4 * 16, 6 * 1, 8 * 4);
    dl_tensor *v = leaf(TENSOR(DL_SHAPE(2, 2), 1, 2, 3, 4)), *t = dl_mul(v, v);
    dl_backward(dl_sum(dl_select(t, 1)));
    gradient_is(v, 0, 0, 6, 8);
}

Test(tape, detached_tensors_pass_no_gradient)
{
    dl_tensor *a = leaf(VECTOR(2, 3)), *s = dl_mul(a, a), *d = dl_detach(s);
    cr_assert(not(d->requires_grad));
    cr_assert(dl_data(d) == dl_data(s));
    dl_backward(dl_sum(dl_mul(a, d)));
    gradient_is(a, 4, 9);
    cr_assert(dl_grad(d) == NULL);
    dl_tensor *changed = VECTOR(1, 1), *b = leaf(VECTOR(1, 1));
    dl_fill(changed, 7);                                        /* before it is detached and saved: no harm */
    dl_backward(dl_sum(dl_mul(b, dl_detach(changed))));
    gradient_is(b, 7, 7);
}

Test(tape, inner_gradients_are_given_back)
{
    dl_tensor *a = leaf(normal(DL_SHAPE(1000))), *y = a;
    for (int k = 0; k < 20; k++)
        y = dl_tanh(y);
    y = dl_sum(y);
    size_t before = dl_pool_use().blocks;
    dl_backward(y);
    cr_assert(eq(sz, dl_pool_use().blocks, before + 1));       /* that of a */
    cr_assert(dl_grad(y) == NULL);
}

Test(tape, outer_operations_are_reached_from_an_inner_scope)
{
    dl_tensor *a = leaf(VECTOR(2)), *s = dl_mul(a, a);
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_tensor *y = dl_mul(s, a);
    dl_backward_keep(y);
    dl_scope_leave(inner);
    gradient_is(a, 12);
    dl_backward(s);
    gradient_is(a, 16);
}

Test(tape, a_second_pass_must_be_announced)
{
    dl_tensor *a = leaf(VECTOR(2)), *s = dl_mul(a, a), *y = dl_tanh(dl_sum(s));
    dl_backward_keep(y);
    double once = dl_grad(a)[0];
    dl_backward(y);
    gradient_is(a, 2 * once);
    fails_with(dl_backward(y), "tanh", "[]", "dl_backward_keep");
}

Test(tape, a_part_shared_with_an_earlier_pass_is_noticed)
{
    dl_tensor *a = leaf(VECTOR(2, 1)), *s = dl_mul(a, a), *y = dl_sum(s), *z = dl_sum(dl_tanh(s));
    dl_backward(y);
    fails_with(dl_backward(z), "mul", "[2]", "dl_backward_keep");
}

Test(tape, changed_values_are_noticed_and_named)
{
    dl_tensor *a = leaf(VECTOR(2, 1)), *b = leaf(VECTOR(5, 7)), *w = leaf(TENSOR(DL_SHAPE(2, 2), 1, 2, 3, 4));
    dl_tensor *y = dl_sum(dl_mul(a, b));
    dl_fill(b, 0);
    fails_with(dl_backward(y), "mul", "[2]", "changed");
    y = dl_tanh(a);
    dl_tensor *sum = dl_sum(y);
    dl_copy(y, b);
    fails_with(dl_backward(sum), "tanh", "[2]", "changed");
    y = dl_sum(dl_matmul(TENSOR(DL_SHAPE(1, 2), 1, 1), dl_mul(w, w)));
    dl_fill(dl_select(w, 1), 0);                               /* through a view */
    fails_with(dl_backward(y), "mul", "[2, 2]", "changed");
    y = dl_sum(dl_mul(a, a));
    dl_fill(dl_detach(a), 3);                                  /* through a detached one */
    fails_with(dl_backward(y), "mul", "[2]", "changed");
    dl_tensor *x = normal(DL_SHAPE(1, 2));
    y = dl_sum(dl_matmul(x, w));
    dl_data(x)[0] = 9;
    dl_touch(x);
    fails_with(dl_backward(y), "matmul", "[1, 2]", "changed");
}

Test(tape, changes_of_what_is_not_needed_do_no_harm)
{
    dl_tensor *a = leaf(VECTOR(2, 1)), *b = VECTOR(5, 7);
    dl_tensor *s = dl_add(a, b), *t = dl_tanh(s), *y = dl_sum(t), *z = dl_mul(a, b);
    dl_fill(b, 1);
    dl_fill(s, 1);
    dl_backward(y);
    double wanted[2] = {1 - pow(tanh(7), 2), 1 - pow(tanh(8), 2)};
    are(2, dl_grad(a), wanted, IF_DOUBLE(1e-9, 2e-1), "a");
    dl_tensor *c = leaf(VECTOR(1, 2)), *d = VECTOR(3, 4);      /* only d is needed: d is a constant */
    y = dl_sum(dl_mul(c, d));
    dl_fill(c, 0);
    dl_backward(y);
    gradient_is(c, 3, 4);
    fails_with(dl_backward_from(z, b), "mul", "changed");
}

static void *other_thread(void *unused)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    for (int k = 0; k < 200; k++) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *a = leaf(VECTOR(3, 1)), *y = dl_sum(dl_mul(a, dl_mul(a, a)));
        dl_backward(y);
        if (dl_grad(a)[0] != 27 || dl_grad(a)[1] != 3)
            return "wrong";
        dl_scope_leave(step);
    }
    dl_scope_leave(scope);
    dl_pool_drain();
    return unused;
}

Test(tape, threads_have_tapes_of_their_own)
{
    pthread_t thread[4];
    dl_tensor *a = leaf(VECTOR(2)), *y = dl_mul(a, a);
    for (int k = 0; k < 4; k++)
        pthread_create(&thread[k], NULL, other_thread, NULL);
    for (int k = 0; k < 4; k++) {
        void *result;
        pthread_join(thread[k], &result);
        cr_assert(result == NULL);
    }
    dl_backward(y);
    gradient_is(a, 4);
}

/* The network of chapter 2, 2-5-1 with tanh, on both tapes. */
Test(tape, gradients_are_those_of_the_scalar_tape)
{
    enum { IN = 2, H = 5, N = 7 };
    dl_tensor *x = normal(DL_SHAPE(N, IN)), *w1 = leaf(normal(DL_SHAPE(IN, H))), *b1 = leaf(normal(DL_SHAPE(H)));
    dl_tensor *w2 = leaf(normal(DL_SHAPE(H, 1))), *all[] = {w1, b1, w2};
    dl_tensor *y = dl_sum(dl_tanh(dl_matmul(dl_tanh(dl_add(dl_matmul(x, w1), b1)), w2)));
    dl_backward(y);
    dl_value *v[3][IN * H], *total = dl_value_constant(0);
    for EACH(k, all)
        for (size_t i = 0; i < all[k]->size; i++)
            v[k][i] = dl_value_new(dl_data(all[k])[i]);
    for (int n = 0; n < N; n++) {
        dl_value *out = dl_value_constant(0);
        for (int j = 0; j < H; j++) {
            dl_value *sum = v[1][j];
            for (int i = 0; i < IN; i++)
                sum = dl_value_add(sum, dl_value_mul(v[0][i * H + j], dl_value_constant(dl_data(x)[n * IN + i])));
            out = dl_value_add(out, dl_value_mul(v[2][j], dl_value_tanh(sum)));
        }
        total = dl_value_add(total, dl_value_tanh(out));
    }
    dl_value_backward(total);
    cr_assert(epsilon_eq(dbl, dl_item(y), total->data, IF_DOUBLE(1e-13, 1e-5)));
    for EACH(k, all) {
        double wanted[IN * H];
        for (size_t i = 0; i < all[k]->size; i++)
            wanted[i] = v[k][i]->grad;
        are(all[k]->size, dl_grad(all[k]), wanted, IF_DOUBLE(1e-13, 1e-5), "a parameter");
    }
    dl_value_release(0);
}

/* ---- Hooks ----------------------------------------------------------------------------------------------------- */

static int calls;
static double seen[8];

static void look(dl_tensor *t, dl_real *grad, void *context)
{
    seen[calls++] = grad[0];
    cr_assert(context == NULL || context == t);
    cr_assert(dl_grad(t) == grad);
}
static void halve(dl_tensor *t, dl_real *grad, void *context)
{
    (void)context;
    calls++;
    for (size_t i = 0; i < t->size; i++)
        grad[i] /= 2;
}

Test(hooks, inner_gradients_are_seen_when_complete_and_may_be_changed)
{
    dl_tensor *a = leaf(VECTOR(3, 1)), *s = dl_mul(a, a);
    dl_register_hook(s, look, s);
    dl_register_hook(s, halve, NULL);
    dl_register_hook(s, look, NULL);
    dl_backward(dl_sum(dl_add(s, dl_add(s, s))));
    cr_assert(eq(int, calls, 3));
    cr_assert(seen[0] == 3 && seen[2] == 1.5, "%g, then %g", seen[0], seen[2]);
    gradient_is(a, 9, 3);
}

Test(hooks, of_leaves_see_one_pass)
{
    dl_tensor *a = leaf(VECTOR(3, 1));
    dl_backward(dl_sum(dl_mul(a, a)));                          /* 6, 2 */
    dl_register_hook(a, look, a);
    dl_register_hook(a, halve, NULL);
    for (int k = 1; k <= 2; k++) {
        dl_backward(dl_sum(dl_add(a, a)));                      /* 2, 2; halved: 1, 1 */
        gradient_is(a, 6 + k, 2 + k);
    }
    cr_assert(eq(int, calls, 4));
    cr_assert(seen[0] == 2 && seen[2] == 2);
}

Test(hooks, are_not_called_where_no_gradient_arrives)
{
    dl_tensor *a = leaf(VECTOR(3, 1)), *b = leaf(VECTOR(3, 1)), *s = dl_mul(b, b);
    dl_backward(dl_sum(dl_mul(b, b)));
    dl_register_hook(b, look, NULL);
    dl_register_hook(s, look, NULL);
    dl_backward(dl_sum(a));
    cr_assert(eq(int, calls, 0));
    gradient_is(b, 6, 2);
}

Test(hooks, of_views_get_their_part)
{
    dl_tensor *a = leaf(VECTOR(1, 2, 3)), *s = dl_mul(a, a), *v = dl_narrow(s, 1, 1);
    dl_register_hook(v, halve, NULL);
    dl_backward(dl_sum(s));
    gradient_is(a, 2, 2, 6);
}

Test(hooks, are_dropped_with_their_scope)
{
    dl_tensor *a = leaf(VECTOR(3, 1));
    dl_register_hook(a, look, NULL);
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_register_hook(a, halve, NULL);
    dl_backward(dl_sum(a));
    gradient_is(a, 0.5, 0.5);
    dl_scope_leave(inner);
    dl_backward(dl_sum(a));
    gradient_is(a, 1.5, 1.5);
    cr_assert(eq(int, calls, 3));
}

/* ---- Anomaly mode ---------------------------------------------------------------------------------------------- */

static void nan_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    for (size_t i = 0; i < node->out->size; i++)
        to[i] = i == 1 ? NAN : 1;
}

static dl_tensor *nan_behind(dl_tensor *x)
{
    static const struct dl_op op = {"nan_behind", nan_backward};
    dl_tensor *y = dl_clone(x);
    dl_record(&op, y, 1, &x);
    return y;
}

Test(anomaly, the_operation_with_the_first_nan_is_named)
{
    dl_tensor *a = leaf(VECTOR(INFINITY, 1)), *zero = VECTOR(0, 0);
    cr_assert(not(dl_set_detect_anomaly(true)));
    fails_with(dl_tanh(dl_add(dl_mul(a, zero), a)), "mul", "NaN", "[2]");
    dl_scope inner = dl_scope_enter(DL_NO_GRAD);                /* also where nothing is recorded */
    fails_with(dl_add(a, VECTOR(-INFINITY, 0)), "add", "NaN", "[2]");
    dl_scope_leave(inner);
    cr_assert(dl_set_detect_anomaly(false));
    cr_assert(isnan(dl_data(dl_mul(a, zero))[0]));
}

Test(anomaly, a_nan_that_came_in_is_nobodys_fault)
{
    dl_tensor *a = leaf(VECTOR(NAN, 1));
    dl_set_detect_anomaly(true);
    dl_tensor *y = dl_sum(dl_tanh(dl_mul(a, a)));
    dl_backward(y);                                             /* the gradient of tanh is NaN: y is */
    cr_assert(isnan(dl_grad(a)[0]) && !isnan(dl_grad(a)[1]));
    dl_set_detect_anomaly(false);
}

Test(anomaly, backward_the_operation_is_named_too)
{
    dl_tensor *a = leaf(VECTOR(2, 1));
    dl_tensor *y = dl_sum(dl_add(nan_behind(dl_add(a, a)), a));
    dl_set_detect_anomaly(true);
    fails_with(dl_backward(y), "nan_behind", "NaN", "input 0", "[2]");
    dl_set_detect_anomaly(false);
}

/* ---- Checkpoints ----------------------------------------------------------------------------------------------- */

static dl_tensor *hidden[3];
static int computed;

static dl_tensor *layers(int n, dl_tensor *const x[], void *context)
{
    dl_tensor *h = n > 0 ? x[0] : context;
    computed++;
    for EACH(k, hidden)
        h = dl_tanh(dl_matmul(h, hidden[k]));
    return n > 1 ? dl_add(h, x[1]) : h;
}

static dl_tensor *nested(int n, dl_tensor *const x[], void *context)
{
    dl_tensor *h = dl_checkpoint(layers, context, n, x);
    return dl_checkpoint(layers, context, 1, &h);
}

static void make_layers(void)
{
    for EACH(k, hidden)
        hidden[k] = leaf(normal(DL_SHAPE(6, 6)));
}

/* Gradients of four tensors, with and without checkpoint, are the same to the last bit. */
static void same_gradients(dl_segment *f, int n, dl_tensor *x, dl_tensor *b)
{
    dl_real kept[4][36];
    dl_tensor *all[] = {x, hidden[0], hidden[1], hidden[2]};
    for (int pass = 0; pass < 2; pass++) {
        for EACH(k, all) {
            struct dl_param one = {.tensor = all[k]};
            dl_zero_grad(&(struct dl_params){.n = 1, .list = &one});
        }
        dl_tensor *in[2] = {dl_mul(x, x), b};
        dl_tensor *y = pass == 0 ? f(n, in, NULL) : dl_checkpoint(f, NULL, n, in);
        dl_backward(dl_sum(dl_mul(y, dl_add(y, in[0]))));
        for EACH(k, all) {
            if (pass == 0)
                memcpy(kept[k], dl_grad(all[k]), all[k]->size * sizeof(dl_real));
            else
                cr_assert(memcmp(kept[k], dl_grad(all[k]), all[k]->size * sizeof(dl_real)) == 0, "tensor %zu", k);
        }
    }
}

Test(checkpoint, gradients_have_the_same_bits)
{
    make_layers();
    same_gradients(layers, 1, leaf(normal(DL_SHAPE(5, 6))), NULL);
    same_gradients(layers, 2, leaf(normal(DL_SHAPE(5, 6))), normal(DL_SHAPE(6)));
    same_gradients(nested, 1, leaf(normal(DL_SHAPE(5, 6))), NULL);
}

Test(checkpoint, parameters_get_gradients_though_no_input_needs_one)
{
    make_layers();
    dl_tensor *x = normal(DL_SHAPE(5, 6));
    dl_backward(dl_sum(dl_checkpoint(layers, NULL, 1, &x)));
    cr_assert(dl_grad(hidden[0]) != NULL && dl_grad(hidden[0])[0] != 0);
    cr_assert(dl_grad(x) == NULL);
    dl_backward(dl_sum(dl_checkpoint(layers, x, 0, NULL)));
}

Test(checkpoint, in_a_scope_that_does_not_record_it_is_a_call)
{
    make_layers();
    dl_tensor *x = normal(DL_SHAPE(5, 6));
    dl_scope inner = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *y = dl_checkpoint(layers, NULL, 1, &x);
    cr_assert(not(y->requires_grad));
    cr_assert(eq(int, computed, 1));
    dl_scope_leave(inner);
}

static bool recorded[2];

static dl_tensor *watching(int n, dl_tensor *const x[], void *context)
{
    (void)n, (void)context;
    recorded[computed++] = dl_scope_mode() == DL_RECORD;
    return dl_mul(x[0], x[0]);
}

Test(checkpoint, records_only_when_called_again)
{
    dl_tensor *x = leaf(VECTOR(1, 2)), *y = dl_sum(dl_checkpoint(watching, NULL, 1, &x));
    dl_backward(y);
    cr_assert(computed == 2 && !recorded[0] && recorded[1]);
}

Test(checkpoint, keeps_only_the_result)
{
    make_layers();
    dl_tensor *x = leaf(normal(DL_SHAPE(50, 6)));
    size_t before = dl_pool_use().bytes;
    dl_tensor *y = layers(1, &x, NULL);
    size_t plain = dl_pool_use().bytes - before;
    before = dl_pool_use().bytes;
    y = dl_checkpoint(layers, NULL, 1, &x);
    size_t lean = dl_pool_use().bytes - before;
    cr_assert(lt(sz, 3 * lean, plain), "%zu bytes, without checkpoint %zu", lean, plain);
    dl_backward(dl_sum(y));
    cr_assert(eq(int, computed, 3));
}

static dl_tensor *fickle(int n, dl_tensor *const x[], void *context)
{
    (void)n, (void)context;
    return dl_mul(x[0], normal(x[0]->shape));
}

Test(checkpoint, a_function_that_changes_its_mind_is_noticed)
{
    dl_tensor *x = leaf(normal(DL_SHAPE(3))), *y = dl_sum(dl_checkpoint(fickle, NULL, 1, &x));
    fails_with(dl_backward(y), "same again", "[3]");
}

static dl_tensor *first(int n, dl_tensor *const x[], void *context)
{
    (void)n, (void)context;
    return x[0];
}

static dl_tensor *nothing(int n, dl_tensor *const x[], void *context)
{
    return (*(int *)context)-- > 0 ? first(n, x, NULL) : NULL;
}

Test(checkpoint, a_function_that_returns_null_is_noticed)
{
    static int times;
    dl_tensor *x = leaf(VECTOR(1, 2));
    dl_scope inner = dl_scope_enter(DL_RECORD);
    fails_with(dl_checkpoint(nothing, &times, 1, &x), "NULL");
    dl_scope_leave(inner);                                      /* and the one that the checkpoint opened */
    times = 1;
    dl_tensor *y = dl_sum(dl_checkpoint(nothing, &times, 1, &x));
    fails_with(dl_backward(y), "NULL");
}

Test(checkpoint, a_changed_input_is_noticed)
{
    make_layers();
    dl_tensor *x = leaf(normal(DL_SHAPE(2, 6))), *y = dl_sum(dl_checkpoint(layers, NULL, 1, &x));
    dl_fill(x, 1);
    fails_with(dl_backward(y), "checkpoint", "[2, 6]", "changed");
}

Test(checkpoint, may_return_its_input_and_take_one_twice)
{
    dl_tensor *x = leaf(VECTOR(1, 2));
    dl_backward(dl_sum(dl_checkpoint(first, NULL, 2, (dl_tensor *[]){x, x})));
    gradient_is(x, 1, 1);
}

Test(checkpoint, can_be_run_twice_if_announced)
{
    make_layers();
    dl_tensor *x = leaf(normal(DL_SHAPE(1, 6))), *y = dl_sum(dl_checkpoint(layers, NULL, 1, &x));
    dl_backward_keep(y);
    double once = dl_grad(x)[0];
    dl_backward(y);
    cr_assert(epsilon_eq(dbl, dl_grad(x)[0], 2 * once, 1e-6));
    fails_with(dl_backward(y), "sum", "dl_backward_keep");
}

/* ---- Misuse ---------------------------------------------------------------------------------------------------- */

Test(misuse, backward_of_many_numbers)
{
    dl_tensor *a = leaf(VECTOR(1, 2)), *y = dl_mul(a, a);
    fails_with(dl_backward(y), "dl_backward_from");
    fails_with(dl_backward(y), "[2]");
    fails_with(dl_backward_keep(dl_mul(a, dl_zeros(DL_SHAPE(0, 1)))), "[0, 2]");
}

Test(misuse, backward_of_what_was_not_recorded)
{
    dl_tensor *c = VECTOR(1);
    fails_with(dl_backward(dl_mul(c, c)), "[1]", "requires a gradient");
    fails_with(dl_backward_from(dl_mul(c, c), c), "[1]", "requires a gradient");
}

Test(misuse, a_gradient_of_another_shape)
{
    dl_tensor *a = leaf(VECTOR(1, 2));
    fails_with(dl_backward_from(dl_mul(a, a), VECTOR(1, 2, 3)), "[2]", "[3]");
}

Test(misuse, shapes_that_do_not_fit)
{
    dl_tensor *a = dl_zeros(DL_SHAPE(2, 3)), *b = dl_zeros(DL_SHAPE(2, 4)), *v = dl_zeros(DL_SHAPE(3));
    fails_with(dl_add(a, b), "dl_add", "[2, 3]", "[2, 4]");
    fails_with(dl_add(a, dl_zeros(DL_SHAPE(3, 2))), "dl_add", "[2, 3]", "[3, 2]");
    fails_with(dl_mul(a, b), "dl_mul", "[2, 3]", "[2, 4]");
    fails_with(dl_matmul(a, b), "dl_matmul", "[2, 3]", "[2, 4]");
    fails_with(dl_matmul(a, v), "dl_matmul", "[2, 3]", "[3]");
    fails_with(dl_matmul(v, a), "dl_matmul", "[3]", "[2, 3]");
    fails_with(dl_matmul(dl_zeros(DL_SHAPE(65536, 32768, 0)), dl_zeros(DL_SHAPE(0, 0))), "dl_matmul", "[65536, 32768, 0]", "rows");
}

Test(misuse, null_and_released_tensors)
{
    dl_tensor *a = VECTOR(1, 2);
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_tensor *gone = VECTOR(1, 2);
    dl_scope_leave(inner);
    for (int k = 0; k < 2; k++) {
        dl_tensor *bad = k == 0 ? NULL : gone;
        const char *word = k == 0 ? "NULL" : "released";
        fails_with(dl_add(bad, a), "dl_add", word);
        fails_with(dl_add(a, bad), "dl_add", word);
        fails_with(dl_mul(bad, a), "dl_mul", word);
        fails_with(dl_mul(a, bad), "dl_mul", word);
        fails_with(dl_matmul(bad, a), "dl_matmul", word);
        fails_with(dl_matmul(a, bad), "dl_matmul", word);
        fails_with(dl_tanh(bad), "dl_tanh", word);
        fails_with(dl_sum(bad), "dl_sum", word);
        fails_with(dl_backward(bad), word);
        fails_with(dl_backward_keep(bad), word);
        fails_with(dl_backward_from(bad, a), word);
        fails_with(dl_backward_from(a, bad), word);
        fails_with(dl_grad(bad), "dl_grad", word);
        fails_with(dl_register_hook(bad, look, NULL), "dl_register_hook", word);
        fails_with(dl_checkpoint(first, NULL, 1, &bad), "dl_checkpoint", word);
        fails_with(dl_write_graph(stdout, bad, NULL), "dl_write_graph", word);
    }
}

Test(misuse, missing_functions_and_too_many_saved_tensors)
{
    static const struct dl_op op = {"many", cube_backward};
    dl_tensor *a = leaf(VECTOR(1, 2)), *in[5] = {a, a, a, a, a};
    fails_with(dl_register_hook(a, NULL, NULL), "dl_register_hook");
    fails_with(dl_checkpoint(NULL, NULL, 1, &a), "dl_checkpoint", "NULL");
    fails_with(dl_checkpoint(first, NULL, 5, in), "dl_checkpoint", "5", "4");
    fails_with(dl_checkpoint(first, NULL, -1, in), "dl_checkpoint", "-1", "4");
    struct dl_node *node = dl_record(&op, dl_zeros(a->shape), 1, in);
    for (int k = 0; k < 4; k++)
        dl_save(node, a);
    fails_with(dl_save(node, a), "many", "4");
    fails_with(dl_saved(node, 4), "many", "4");
    dl_real beta;
    fails_with(dl_grad_in(node, 1, &beta), "many", "1");
    fails_with(dl_zero_grad(NULL), "dl_zero_grad", "NULL");
    fails_with(dl_gradcheck(NULL, NULL, &(struct dl_params){0}), "NULL");
    fails_with(dl_gradcheck_elements(apply, NULL, NULL), "NULL");
    fails_with(dl_checkpoint(first, NULL, 1, NULL), "dl_checkpoint", "NULL");
    fails_with(dl_write_graph(NULL, a, NULL), "dl_write_graph", "no file");
    dl_save(NULL, a);
}

Test(misuse, a_saved_tensor_that_went_with_an_inner_scope)
{
    static const struct dl_op op = {"short_of_memory", cube_backward};
    dl_tensor *a = leaf(VECTOR(1)), *y = dl_clone(a);
    struct dl_node *node = dl_record(&op, y, 1, &a);
    dl_scope inner = dl_scope_enter(DL_RECORD);
    dl_save(node, VECTOR(1));
    dl_scope_leave(inner);
    fails_with(dl_backward(y), "dl_saved", "released");
}

Test(misuse_outside, of_scopes_hooks_have_no_end)
{
    dl_tensor *a = leaf(VECTOR(1, 2));
    fails_with(dl_register_hook(a, look, NULL), "dl_register_hook", "scope");
    dl_tensor_free(a);
}

/* ---- An operation with any number of inputs --------------------------------------------------------------------- */

static void total_backward(struct dl_node *node)
{
    for (int k = 0; k < node->inputs; k++) {
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to != NULL)
            *to = (1 + k) * *dl_grad_out(node) + (beta == 0 ? 0 : *to);
    }
}

Test(tape, an_operation_may_have_hundreds_of_inputs)
{
    enum { N = 1000 };
    static const struct dl_op op = {"total", total_backward};
    static dl_tensor *x[N];
    static const int counts[] = {0, 1, 2, 7, 8, 9, 300, N};
    for EACH(c, counts) {
        int n = counts[c];
        size_t lent = dl_pool_use().bytes;
        dl_scope inner = dl_scope_enter(DL_RECORD);
        for (int k = 0; k < n; k++)
            x[k] = k % 5 == 3 ? x[k - 1] : k % 7 == 6 ? dl_scalar(1) : leaf(dl_scalar(1));
        dl_tensor *y = dl_scalar(2);
        struct dl_node *node = dl_record(&op, y, n, x);
        cr_assert(eq(int, node == NULL, n == 0));
        if (n > 0)
            dl_backward(dl_mul(y, dl_scalar(3)));
        for (int k = 0; k < n; k++) {
            if (x[k]->requires_grad && k + 1 < n && x[k + 1] == x[k])
                gradient_is(x[k], 3 * (1 + k + 2 + k));
            else if (x[k]->requires_grad && !(k > 0 && x[k - 1] == x[k]))
                gradient_is(x[k], 3 * (1 + k));
        }
        dl_scope_leave(inner);
        cr_assert(eq(sz, dl_pool_use().bytes, lent), "%d inputs", n);
    }
}

/* ---- The picture ----------------------------------------------------------------------------------------------- */

Test(picture, shows_operations_leaves_and_names_and_nothing_else)
{
    struct dl_param one = {.name = "w \"1\"", .tensor = leaf(dl_zeros(DL_SHAPE(2, 3)))};
    struct dl_params p = {.n = 1, .list = &one};
    dl_tensor *x = dl_zeros(DL_SHAPE(4, 2)), *b = leaf(dl_zeros(DL_SHAPE(3)));
    dl_mul(b, b);                                               /* has nothing to do with y */
    dl_tensor *h = dl_add(dl_matmul(x, one.tensor), b), *y = dl_sum(dl_mul(h, h));
    dl_tanh(y);
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    dl_write_graph(f, y, &p);
    fclose(f);
    static const char *const wanted[] = {"\"sum|[]\"", "\"mul|[4, 3]\"", "\"add|[4, 3]\"", "\"matmul|[4, 3]\"",
                                         "\"constant\\n[4, 2]\"", "\"w \\\"1\\\"\\n[2, 3]\"", "\"leaf\\n[3]\""};
    for EACH(k, wanted)
        cr_assert(strstr(text, wanted[k]) != NULL, "no %s in\n%s", wanted[k], text);
    cr_assert(strstr(text, "tanh") == NULL && strstr(text, "mul|[3]") == NULL, "%s", text);
    int arrows = 0;
    for (const char *c = text; (c = strstr(c, "->")); c += 2)
        arrows++;
    cr_assert(eq(int, arrows, 7));
    int boxes = 0;
    for (const char *c = text; (c = strstr(c, "label=")); c += 6)
        boxes++;
    cr_assert(eq(int, boxes, 7), "%s", text);
    free(text);
}

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

#if !ADDRESS_SANITIZER
static long countdown = -1;                                     /* requests until one is refused; never if negative */

void *aligned_alloc(size_t alignment, size_t size)
{
    void *p;
    if (countdown >= 0 && countdown-- == 0)
        return NULL;
    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}

static struct dl_params net;

static void train(void)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    make_layers();
    dl_tensor *x = dl_full(DL_SHAPE(9, 6), 1), *y = dl_matmul(dl_checkpoint(first, NULL, 1, &x), net.list[0].tensor);
    dl_register_hook(net.list[0].tensor, halve, NULL);
    y = dl_mul(dl_checkpoint(layers, NULL, 1, &y), dl_tanh(dl_add(y, net.list[1].tensor)));
    dl_zero_grad(&net);
    dl_backward_keep(dl_sum(y));
    dl_backward(dl_sum(y));
    dl_scope_leave(scope);
}

Test(memory, no_request_reaches_the_system_after_the_second_step)
{
    param(&net, "w", DL_SHAPE(6, 6)), param(&net, "b", DL_SHAPE(6));
    for (int k = 0; k < 2; k++)
        train();
    size_t misses = dl_pool_use().misses, blocks = dl_pool_use().blocks;
    for (int k = 0; k < 1000; k++)
        train();
    cr_assert(eq(sz, dl_pool_use().misses, misses));
    cr_assert(eq(sz, dl_pool_use().blocks, blocks));
    dl_params_free(&net);
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}

Test(memory, exhaustion_at_any_request_is_one_line_and_leaves_nothing_behind)
{
    static long k;
    static size_t blocks;
    if (under_valgrind())
        cr_skip_test("valgrind has its own malloc");
    param(&net, "w", DL_SHAPE(6, 6)), param(&net, "b", DL_SHAPE(6));
    dl_zero_grad(&net);
    blocks = dl_pool_use().blocks;
    for (k = 0; k < 1000; k++) {
        static dl_scope scope;
        dl_pool_drain();
        scope = dl_scope_enter(DL_RECORD);
        countdown = k;
        const char *report = report_of(train());
        bool done = countdown >= 0;
        countdown = -1;
        dl_scope_leave(scope);
        dl_zero_grad(&net);
        cr_assert(eq(sz, dl_pool_use().blocks, blocks), "request %ld: %s", k, report);
        if (done)
            break;
        cr_assert(strstr(report, "memory") != NULL && strchr(report, '\n') == NULL, "request %ld: \"%s\"", k, report);
    }
    cr_assert(gt(int, (int)k, 20));
    cr_assert(lt(int, (int)k, 1000));
    dl_params_free(&net);
}
#endif
