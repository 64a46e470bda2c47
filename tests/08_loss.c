/* Chapter 8: losses and metrics. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "loss.h"
#include "memory.h"
#include "metrics.h"
#include "parallel.h"
#include "random.h"
#include "ops.h"

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
#define TOLERANCE IF_DOUBLE(1e-13, 1e-5)        /* of values and gradients, relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 2e-2)         /* of dl_gradcheck */

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

static dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

static dl_tensor *array(struct dl_shape s, const dl_real *x) { return dl_from_array(s, x); }
#define TENSOR(shape, ...) array(shape, (dl_real[]){__VA_ARGS__})
#define VECTOR(...) array(DL_SHAPE((int)(sizeof (dl_real[]){__VA_ARGS__} / sizeof(dl_real))), (dl_real[]){__VA_ARGS__})

static double at_least;                         /* ... but not to less than this: p - t cancels for a confident p */

static void are(size_t n, const dl_real *got, const double *wanted, double factor, const char *what)
{
    double largest = at_least;
    cr_assert(got != NULL || n == 0, "%s: there is no gradient", what);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(factor * wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - factor * wanted[i]) <= TOLERANCE * largest, "%s: element %zu is %.17g, not %.17g", what,
                  i, (double)got[i], factor * wanted[i]);
}

static dl_tensor *tensor_of(struct oracle_tensor t)
{
    struct dl_shape s = {.rank = t.rank};
    for (int i = 0; i < t.rank; i++)
        s.dim[i] = (int)t.shape[i];
    dl_tensor *x = dl_empty(s);
    for (size_t i = 0; i < t.count; i++)
        dl_data(x)[i] = t.f32[i];
    return x;
}

static void seed(void) { dl_random_seed(&source, 1); }
TestSuite(loss, .init = open_scope, .fini = close_scope);
TestSuite(metrics, .init = open_scope, .fini = close_scope);
TestSuite(misuse, .init = open_scope, .fini = close_scope);
TestSuite(gradcheck, .init = seed);

static double item(dl_tensor *y) { return (double)dl_item(y); }

/* ---- Against PyTorch ------------------------------------------------------------------------------------------- */

static dl_tensor *pair_loss(int which, dl_tensor *x, dl_tensor *t, dl_real c)
{
    static dl_tensor *(*const f[])(dl_tensor *, dl_tensor *) = {dl_mse_loss, dl_l1_loss, NULL, dl_hinge_loss,
                                                                dl_bce_with_logits, dl_kl_div};
    return which == 2 ? dl_huber_loss(x, t, c) : f[which](x, t);
}

Test(loss, losses_of_two_numbers_are_pytorchs)
{
    struct oracle o = oracle_open("08_loss.safetensors");
    struct oracle_tensor which = oracle_get(&o, "loss");
    cr_assert(ge(sz, which.count, 80));
    for (size_t k = 0; k < which.count; k++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = leaf(tensor_of(oracle_get(&o, "%zu.x", k))), *t = leaf(tensor_of(oracle_get(&o, "%zu.t", k)));
        dl_real c = oracle_get(&o, "%zu.c", k).f32[0];
        char what[64];
        snprintf(what, sizeof what, "loss %d, case %zu", which.u8[k], k);
        struct oracle_tensor dx = oracle_get(&o, "%zu.dx", k), dt = oracle_get(&o, "%zu.dt", k);
        for (int times = 1; times <= 2; times++) {      /* the second is added */
            dl_tensor *y = pair_loss(which.u8[k], x, t, c);
            dl_backward_from(y, dl_scalar(1.5));
            at_least = which.u8[k] == 4 ? 0.01 : 0;     /* PyTorch's logarithm of 1 + e loses digits of a small e */
            are(1, dl_data(y), oracle_get(&o, "%zu.y", k).f64, 1, what);
            at_least = which.u8[k] == 4 ? 1.5 / (double)x->size : 0;
            are(x->size, dl_grad(x), dx.f64, times, what);
            are(t->size, dl_grad(t), dt.f64, times, what);
            at_least = 0;
        }
        dl_scope_leave(scope);
    }
    oracle_close(&o);
}

Test(loss, cross_entropy_with_all_its_options_is_pytorchs)
{
    struct oracle o = oracle_open("08_loss.safetensors");
    int cases = oracle_get(&o, "ce").i32[0];
    cr_assert(ge(int, cases, 100));
    for (int k = 0; k < cases; k++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = leaf(tensor_of(oracle_get(&o, "ce.%d.x", k)));
        struct oracle_tensor label = oracle_get(&o, "ce.%d.label", k), dx = oracle_get(&o, "ce.%d.dx", k);
        const double *options = oracle_get(&o, "ce.%d.options", k).f64;
        struct dl_cross_entropy_options with = {.label_smoothing = options[0], .ignore = options[1] < 1e8};
        char what[64], name[32];
        snprintf(name, sizeof name, "ce.%d.weight", k);
        if (with.ignore)
            with.ignore_index = (int)options[1];
        if (json_object_get(o.header, name))
            with.weight = dl_data(tensor_of(oracle_get(&o, "%s", name)));
        snprintf(what, sizeof what, "cross-entropy, case %d", k);
        for (int times = 1; times <= 2; times++) {
            int *copy = dl_keep_ints((struct dl_ints){(int)label.count, label.i32});
            dl_tensor *y = dl_cross_entropy_with(x, (struct dl_ints){(int)label.count, copy}, with);
            for (size_t i = 0; i < label.count; i++)
                copy[i] = 12345;                        /* they were copied */
            dl_backward_from(y, dl_scalar(1.5));
            are(1, dl_data(y), oracle_get(&o, "ce.%d.y", k).f64, 1, what);
            at_least = 1.5 / (double)label.count;
            are(x->size, dl_grad(x), dx.f64, times, what);
            at_least = 0;
            if (with.label_smoothing == 0 && !with.weight && !with.ignore)
                cr_assert(eq(int, item(y) == item(dl_cross_entropy(x, (struct dl_ints){(int)label.count, label.i32})), 1));
        }
        dl_scope_leave(scope);
    }
    oracle_close(&o);
}

Test(loss, nll_is_pytorchs)
{
    struct oracle o = oracle_open("08_loss.safetensors");
    for (int k = 0; k < 3; k++) {
        dl_tensor *x = leaf(tensor_of(oracle_get(&o, "nll.%d.x", k)));
        struct oracle_tensor label = oracle_get(&o, "nll.%d.label", k);
        for (int times = 1; times <= 2; times++) {
            dl_tensor *y = dl_nll_loss(x, (struct dl_ints){(int)label.count, label.i32});
            dl_backward_from(y, dl_scalar(1.5));
            are(1, dl_data(y), oracle_get(&o, "nll.%d.y", k).f64, 1, "nll");
            are(x->size, dl_grad(x), oracle_get(&o, "nll.%d.dx", k).f64, times, "gradient of nll");
        }
    }
    oracle_close(&o);
}

Test(loss, cosines_are_pytorchs)
{
    struct oracle o = oracle_open("08_loss.safetensors");
    for (int k = 0; k < 6; k++) {
        dl_tensor *a = leaf(tensor_of(oracle_get(&o, "cos.%d.a", k))), *b = leaf(tensor_of(oracle_get(&o, "cos.%d.b", k)));
        for (int times = 1; times <= 2; times++) {
            dl_tensor *y = dl_cosine_similarity(a, b);
            dl_backward_from(y, tensor_of(oracle_get(&o, "cos.%d.g", k)));
            are(y->size, dl_data(y), oracle_get(&o, "cos.%d.y", k).f64, 1, "cosine");
            if (k > 0) {                                /* in one dimension the gradient is 0, and the rest rounding */
                are(a->size, dl_grad(a), oracle_get(&o, "cos.%d.da", k).f64, times, "gradient of a");
                are(b->size, dl_grad(b), oracle_get(&o, "cos.%d.db", k).f64, times, "gradient of b");
            }
        }
    }
    oracle_close(&o);
}

/* ---- By hand --------------------------------------------------------------------------------------------------- */

Test(loss, the_gradient_of_the_cross_entropy_is_p_minus_t)
{
    dl_tensor *z = leaf(TENSOR(DL_SHAPE(1, 3), 1, 2, 3));
    dl_backward(dl_cross_entropy(z, DL_INTS(2)));
    double sum = exp(1) + exp(2) + exp(3);
    are(3, dl_grad(z), (double[]){exp(1) / sum, exp(2) / sum, exp(3) / sum - 1}, 1, "p - t");
}

Test(loss, huber_is_a_square_inside_and_a_line_outside)
{
    dl_tensor *x = leaf(VECTOR(0.5, -1, 1, 3, -5)), *t = VECTOR(0, 0, 0, 0, 0);
    dl_tensor *y = dl_huber_loss(x, t, 1);
    are(1, dl_data(y), (double[]){(0.125 + 0.5 + 0.5 + 2.5 + 4.5) / 5}, 1, "huber");
    dl_backward(y);
    are(5, dl_grad(x), (double[]){0.1, -0.2, 0.2, 0.2, -0.2}, 1, "slopes");
}

Test(loss, hinge_has_the_slope_0_at_and_behind_its_kink)
{
    dl_tensor *x = leaf(VECTOR(1, -1, 0, 2)), *t = VECTOR(1, -1, 1, 1);
    dl_backward(dl_hinge_loss(x, t));
    are(4, dl_grad(x), (double[]){0, 0, -0.25, 0}, 1, "slopes");
}

Test(loss, l1_has_the_slope_0_at_0)
{
    dl_tensor *x = leaf(VECTOR(1, 2, 3, 4));
    dl_backward(dl_l1_loss(x, VECTOR(1, 3, 2, 4)));
    are(4, dl_grad(x), (double[]){0, -0.25, 0.25, 0}, 1, "slopes");
}

Test(loss, great_confidence_costs_what_it_should_and_nothing_overflows)
{
    for (double z = 1; z < 1e30; z *= 7) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = leaf(VECTOR((dl_real)z, (dl_real)-z, (dl_real)z, (dl_real)-z));
        dl_tensor *y = dl_bce_with_logits(x, VECTOR(0, 1, 1, 0));
        double wrong = z + log1p(exp(-z)), right = log1p(exp(-z));
        are(1, dl_data(y), (double[]){(wrong + right) / 2}, 1, "bce");
        dl_backward(y);
        double s = 1 / (1 + exp(-z)) / 4;
        are(4, dl_grad(x), (double[]){s, -s, s - 0.25, 0.25 - s}, 1, "slopes of bce");
        dl_tensor *logits = leaf(TENSOR(DL_SHAPE(1, 2), (dl_real)z, (dl_real)-z));
        dl_tensor *e = dl_cross_entropy(logits, DL_INTS(1));
        are(1, dl_data(e), (double[]){2 * z + log1p(exp(-2 * z))}, 1, "cross-entropy");
        dl_backward(e);
        cr_assert(isfinite((double)dl_grad(logits)[0]));
        dl_scope_leave(scope);
    }
}

Test(loss, a_confident_and_right_logit_loses_no_digits)
{
    dl_tensor *y = dl_bce_with_logits(VECTOR(30), VECTOR(1)), *n = dl_bce_with_logits(VECTOR(-30), VECTOR(0));
    are(1, dl_data(y), (double[]){log1p(exp(-30))}, 1, "bce of a yes");
    are(1, dl_data(n), (double[]){log1p(exp(-30))}, 1, "bce of a no");
}

Test(loss, cross_entropy_of_two_classes_is_the_logistic_loss)
{
    dl_tensor *x = dl_normal(DL_SHAPE(50), &source, 0, 3), *z = dl_zeros(DL_SHAPE(50, 2)), *t = dl_zeros(DL_SHAPE(50));
    int label[50];
    for (int i = 0; i < 50; i++) {
        *dl_at(z, i, 1) = dl_data(x)[i];
        dl_data(t)[i] = (dl_real)(label[i] = i % 3 == 0);
    }
    double a = item(dl_bce_with_logits(x, t)), b = item(dl_cross_entropy(z, (struct dl_ints){50, label}));
    cr_assert(fabs(a - b) <= TOLERANCE * b, "%.9g, %.9g", a, b);
}

Test(loss, fused_equals_its_parts)
{
    dl_tensor *x = leaf(dl_normal(DL_SHAPE(64, 10), &source, 0, 2)), *z = leaf(dl_clone(x));
    int label[64];
    for (int i = 0; i < 64; i++)
        label[i] = i * 7 % 10;
    struct dl_ints y = {64, label};
    dl_tensor *fused = dl_cross_entropy(x, y), *parts = dl_nll_loss(dl_log_softmax(z, 1), y);
    dl_backward(fused);
    dl_backward(parts);
    double wanted[640];
    for (int i = 0; i < 640; i++)
        wanted[i] = dl_grad(z)[i];
    cr_assert(item(fused) == item(parts));
    are(640, dl_grad(x), wanted, 1, "fused");
}

Test(loss, the_divergence_of_equal_distributions_is_0_and_of_others_positive)
{
    dl_tensor *p = TENSOR(DL_SHAPE(2, 3), 0.5, 0.25, 0.25, 0, 0.5, 0.5), *log_q = TENSOR(DL_SHAPE(2, 3), (dl_real)log(0.5),
        (dl_real)log(0.25), (dl_real)log(0.25), (dl_real)-INFINITY, (dl_real)log(0.5), (dl_real)log(0.5));
    cr_assert(fabs(item(dl_kl_div(log_q, p))) < 1e-7);
    dl_tensor *r = TENSOR(DL_SHAPE(1, 2), 0, 1), *q = leaf(TENSOR(DL_SHAPE(1, 2), (dl_real)log(0.75), (dl_real)log(0.25)));
    dl_tensor *d = dl_kl_div(q, r);
    cr_assert(fabs(item(d) - log(4)) < 1e-6);
    dl_backward(d);
    are(2, dl_grad(q), (double[]){0, -1}, 1, "slopes of the divergence");
}

Test(loss, a_gradient_is_at_a_right_angle_to_its_vector)
{
    dl_tensor *a = leaf(dl_normal(DL_SHAPE(8), &source, 0, 1)), *b = dl_normal(DL_SHAPE(8), &source, 0, 1);
    dl_backward(dl_cosine_similarity(a, b));
    cr_assert(fabs((double)dl_vdot(8, dl_data(a), dl_grad(a))) < 1e-6);
}

Test(loss, a_vector_of_length_0_has_cosine_0_and_gradients_without_nan)
{
    dl_tensor *a = leaf(VECTOR(0, 0)), *b = leaf(VECTOR(3, 4));
    dl_tensor *y = dl_cosine_similarity(a, b);
    cr_assert(item(y) == 0);
    dl_backward(y);
    are(2, dl_grad(a), (double[]){0.6e8, 0.8e8}, 1, "a");
    cr_assert(dl_grad(b)[0] == 0 && dl_grad(b)[1] == 0);
}

Test(loss, the_penalty_on_squares_is_their_sum_over_all_parameters)
{
    struct dl_params p = {0};
    dl_tensor *a = dl_param(&p, "a", DL_SHAPE(3)), *b = dl_param(&p, "b", DL_SHAPE(1, 1)), *c = dl_param(&p, "c", DL_SHAPE(0));
    dl_copy(a, VECTOR(1, -2, 3));
    dl_fill(b, 4);
    dl_tensor *y = dl_square_penalty(&p, (dl_real)0.5);
    cr_assert(item(y) == 15);
    dl_backward(dl_mul_scalar(y, 3));
    are(3, dl_grad(a), (double[]){3, -6, 9}, 1, "a");
    are(1, dl_grad(b), (double[]){12}, 1, "b");
    dl_backward(dl_square_penalty(&p, 1));
    are(3, dl_grad(a), (double[]){5, -10, 15}, 1, "a, twice");
    cr_assert(c->size == 0 && item(dl_square_penalty(&p, 0)) == 0);
    y = dl_square_penalty(&p, 1);
    dl_fill(b, 4);
    fails_with(dl_backward(y), "square_penalty", "3", "changed");
    fails_with(dl_square_penalty(&p, -1), "dl_square_penalty", "-1");
    fails_with(dl_square_penalty(NULL, 1), "NULL");
    dl_params_free(&p);
}

Test(loss, nothing_to_average_is_nan)
{
    cr_assert(isnan(item(dl_mse_loss(dl_zeros(DL_SHAPE(0)), dl_zeros(DL_SHAPE(0))))));
    cr_assert(isnan(item(dl_cross_entropy(dl_zeros(DL_SHAPE(0, 3)), DL_INTS()))));
    cr_assert(isnan(item(dl_cross_entropy_with(dl_zeros(DL_SHAPE(1, 3)), DL_INTS(7),
                                               (struct dl_cross_entropy_options){.ignore = true, .ignore_index = 7}))));
}

Test(loss, nan_in_gives_nan_out)
{
    dl_tensor *x = VECTOR(1, NAN), *t = VECTOR(0, 1);
    for (int k = 0; k < 5; k++)
        cr_assert(isnan(item(pair_loss(k, x, t, 1))), "loss %d", k);
    cr_assert(isnan(item(dl_cross_entropy(TENSOR(DL_SHAPE(1, 2), 1, NAN), DL_INTS(0)))));
}

Test(loss, ignored_rows_may_hold_anything_and_get_gradient_0)
{
    dl_tensor *x = leaf(TENSOR(DL_SHAPE(3, 2), 1, 2, NAN, INFINITY, 3, 4));
    dl_tensor *y = dl_cross_entropy_with(x, DL_INTS(0, -100, 1),
                                         (struct dl_cross_entropy_options){.ignore = true, .ignore_index = -100});
    cr_assert(isfinite(item(y)));
    dl_backward(y);
    cr_assert(dl_grad(x)[2] == 0 && dl_grad(x)[3] == 0);
    cr_assert(dl_grad(x)[0] < 0 && dl_grad(x)[5] < 0);
}

Test(loss, outside_of_all_scopes_nothing_is_left_behind)
{
    dl_scope_leave(opened);
    dl_tensor *x = dl_full(DL_SHAPE(4, 3), 1);
    size_t before = dl_pool_use().blocks;
    dl_tensor *y = dl_cross_entropy(x, DL_INTS(0, 1, 2, 0)), *z = dl_mse_loss(x, x), *c = dl_cosine_similarity(x, x);
    size_t each = before / 1;                           /* a tensor's own blocks */
    dl_tensor_free(y), dl_tensor_free(z), dl_tensor_free(c);
    cr_assert(eq(sz, dl_pool_use().blocks, each));
    dl_tensor_free(x);
    opened = dl_scope_enter(DL_RECORD);
}

/* ---- Gradients checked by differences -------------------------------------------------------------------------- */

static struct dl_params leaves;
static int labels[12] = {0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 2, 2};
static const dl_real weight[5] = {1, 2, 0.5, 3, 0.25};
static int case_number;

static dl_tensor *expression(void *context)
{
    (void)context;
    dl_tensor *x = leaves.list[0].tensor, *t = leaves.list[1].tensor;
    struct dl_ints y = {12, labels};
    switch (case_number) {
    case 0: return dl_mse_loss(x, t);
    case 1: return dl_l1_loss(x, t);
    case 2: return dl_huber_loss(x, t, (dl_real)0.7);
    case 3: return dl_hinge_loss(x, t);
    case 4: return dl_bce_with_logits(x, t);
    case 5: return dl_kl_div(x, t);
    case 6: return dl_cross_entropy(x, y);
    case 7: return dl_cross_entropy_with(x, y, (struct dl_cross_entropy_options){weight, 0.1, true, 3});
    case 8: return dl_nll_loss(x, y);
    case 9: return dl_cosine_similarity(x, t);
    case 10: return dl_mse_loss(x, x);
    case 11: return dl_square_penalty(&leaves, (dl_real)0.125);
    case 12: return dl_mul(dl_square_penalty(&leaves, 1), dl_add(dl_mse_loss(x, t), dl_square_penalty(&leaves, 2)));
    default: return dl_add(dl_cross_entropy(x, y), dl_mul(dl_mse_loss(x, t), dl_cross_entropy(x, y)));
    }
}

Test(gradcheck, every_loss)
{
    for (int i = 0; i < 2; i++) {
        dl_tensor *p = dl_param(&leaves, i ? "t" : "x", DL_SHAPE(12, 5));
        for (size_t j = 0; j < p->size; j++)            /* away from kinks, and t positive */
            dl_data(p)[j] = (dl_real)(0.013 * (double)(j * 37 % 101) + (i ? 0.25 : -0.6171));
    }
    for (case_number = 0; case_number < 14; case_number++) {
        double error = dl_gradcheck(expression, NULL, &leaves), each = dl_gradcheck_elements(expression, NULL, &leaves);
        cr_assert(error < CHECKED && each < CHECKED, "case %d: %g, %g", case_number, error, each);
    }
    dl_params_free(&leaves);
    dl_pool_drain();
}

/* ---- The same bits --------------------------------------------------------------------------------------------- */

static void entropy_of(int n, int classes, const dl_real *x, const int *label, dl_real *loss, dl_real *grad)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *z = leaf(dl_from_array(DL_SHAPE(n, classes), x));
    dl_tensor *y = dl_cross_entropy(z, (struct dl_ints){n, label});
    dl_backward_from(y, dl_scalar((dl_real)n));
    *loss = dl_item(y);
    memcpy(grad, dl_grad(z), z->size * sizeof *grad);
    dl_scope_leave(scope);
}

Test(loss, a_row_has_the_same_bits_with_any_threads_and_alone_or_in_a_batch)
{
    enum { N = 512, CLASSES = 117 };                    /* n a power of two, so that n * (1/n) is exact */
    dl_real *x = dl_alloc(N * CLASSES, sizeof *x), *first = dl_alloc(N * CLASSES, sizeof *x),
            *again = dl_alloc(N * CLASSES, sizeof *x), loss, other;
    int label[N];
    for (int i = 0; i < N * CLASSES; i++)
        x[i] = (dl_real)(5 * dl_random_normal(&source));
    for (int i = 0; i < N; i++)
        label[i] = (int)dl_random_below(&source, CLASSES);
    dl_set_num_threads(1);
    entropy_of(N, CLASSES, x, label, &loss, first);
    for (enum dl_simd best = dl_get_simd(), set = DL_SIMD_PLAIN; set <= best; set++) {
        dl_set_simd(set);
        for (int threads = 1; threads <= 4; threads++) {
            dl_set_num_threads(threads);
            entropy_of(N, CLASSES, x, label, &other, again);
            cr_assert(memcmp(&loss, &other, sizeof loss) == 0, "set %d, %d threads", set, threads);
            cr_assert(memcmp(first, again, N * CLASSES * sizeof *x) == 0, "set %d, %d threads", set, threads);
        }
    }
    for (int i = 0; i < N; i++) {
        entropy_of(1, CLASSES, x + i * CLASSES, label + i, &other, again);
        cr_assert(memcmp(first + i * CLASSES, again, CLASSES * sizeof *x) == 0, "row %d", i);
    }
    free(x), free(first), free(again);
    dl_set_num_threads(1);
}

/* ---- Metrics --------------------------------------------------------------------------------------------------- */

Test(metrics, right_answers_are_counted_and_ties_go_to_the_first)
{
    dl_tensor *z = TENSOR(DL_SHAPE(5, 3), 1, 2, 3, 3, 3, 1, 5, 5, 5, NAN, 1, 2, 0, 0, -1);
    cr_assert(eq(int, dl_correct(z, DL_INTS(2, 0, 0, 0, 1)), 3));
    cr_assert(eq(int, dl_correct(z, DL_INTS(0, 1, 1, 2, 0)), 1));
    cr_assert(eq(int, dl_correct(dl_zeros(DL_SHAPE(0, 3)), DL_INTS()), 0));
}

Test(metrics, confusion_precision_recall_and_f1)
{
    struct dl_confusion c;
    dl_confusion_init(&c, 3);
    cr_assert(isnan(dl_accuracy(&c)));
    /* truths 0 0 0 0 1 1, answers 0 0 0 1 1 0 */
    dl_tensor *z = TENSOR(DL_SHAPE(6, 3), 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0);
    dl_confusion_add(&c, z, DL_INTS(0, 0, 0, 0, 1, 1));
    cr_assert(c.count[0] == 3 && c.count[1] == 1 && c.count[3] == 1 && c.count[4] == 1);
    struct dl_scores a = dl_class_scores(&c, 0), b = dl_class_scores(&c, 1), none = dl_class_scores(&c, 2);
    cr_assert(a.precision == 0.75 && a.recall == 0.75 && a.f1 == 0.75);
    cr_assert(b.precision == 0.5 && b.recall == 0.5 && b.f1 == 0.5);
    cr_assert(none.precision == 0 && none.recall == 0 && none.f1 == 0);
    cr_assert(fabs(dl_mean_scores(&c).f1 - 1.25 / 3) < 1e-15);
    cr_assert(fabs(dl_mean_scores(&c).recall - 1.25 / 3) < 1e-15 && fabs(dl_mean_scores(&c).precision - 1.25 / 3) < 1e-15);
    cr_assert(fabs(dl_accuracy(&c) - 4.0 / 6) < 1e-15);
    dl_confusion_add(&c, TENSOR(DL_SHAPE(1, 3), 1, 0, 0), DL_INTS(2));     /* row 2, column 0 */
    cr_assert(eq(long, c.count[6], 1));
    a = dl_class_scores(&c, 0);
    cr_assert(a.precision == 0.6 && a.recall == 0.75 && fabs(a.f1 - 2 * 0.6 * 0.75 / 1.35) < 1e-15);
    dl_confusion_free(&c);
}

Test(metrics, calibration_error_by_hand)
{
    struct dl_calibration c = {.bins = 10};
    dl_real z = (dl_real)log(3);                        /* p = 3/4 */
    dl_tensor *x = TENSOR(DL_SHAPE(4, 2), z, 0, z, 0, 0, z, 100, 0);
    dl_calibration_add(&c, x, DL_INTS(0, 1, 1, 0));
    cr_assert(c.bin[7].n == 3 && c.bin[7].right == 2 && c.bin[9].n == 1 && c.bin[9].right == 1);
    double wanted = (fabs(2 - 3 * 0.75) + fabs(1 - 1.0)) / 4;
    cr_assert(fabs(dl_calibration_error(&c) - wanted) < 1e-6, "%g", dl_calibration_error(&c));
}

/* ---- Mistakes -------------------------------------------------------------------------------------------------- */

Test(misuse, is_refused_by_name)
{
    dl_tensor *x = dl_zeros(DL_SHAPE(2, 3)), *y = dl_zeros(DL_SHAPE(3, 2));
    struct dl_cross_entropy_options o = {.label_smoothing = 1.5};
    struct dl_confusion c;
    fails_with(dl_mse_loss(x, y), "mse", "[2, 3]", "[3, 2]");
    fails_with(dl_kl_div(dl_scalar(1), dl_scalar(1)), "kl", "rows");
    fails_with(dl_huber_loss(x, x, 0), "delta", "0");
    fails_with(dl_mse_loss(NULL, x), "x", "NULL");
    fails_with(dl_mse_loss(x, NULL), "t", "NULL");
    fails_with(dl_cross_entropy(x, DL_INTS(0, 3)), "label 3", "row 1", "3 classes");
    fails_with(dl_cross_entropy(x, DL_INTS(0, -1)), "label -1", "row 1", "3 classes");
    fails_with(dl_cross_entropy(x, DL_INTS(0)), "1 labels", "[2, 3]");
    fails_with(dl_cross_entropy(dl_zeros(DL_SHAPE(2)), DL_INTS(0, 0)), "[2]");
    fails_with(dl_cross_entropy(x, (struct dl_ints){2, NULL}), "NULL");
    fails_with(dl_cross_entropy(NULL, DL_INTS(0)), "NULL");
    fails_with(dl_cross_entropy_with(x, DL_INTS(0, 0), o), "smoothing", "1.5");
    fails_with(dl_nll_loss(x, DL_INTS(0, 5)), "label 5");
    fails_with(dl_cosine_similarity(x, y), "[2, 3]", "[3, 2]");
    fails_with(dl_cosine_similarity(dl_scalar(1), dl_scalar(1)), "[]");
    fails_with(dl_correct(x, DL_INTS(0, 3)), "3");
    fails_with(dl_correct(dl_zeros(DL_SHAPE(2, 0)), DL_INTS(0, 0)), "[2, 0]");
    fails_with(dl_confusion_init(&c, 0), "0 classes");
    dl_confusion_init(&c, 2);
    fails_with(dl_confusion_add(&c, x, DL_INTS(0, 0)), "[2, 3]", "2 classes");
    fails_with(dl_class_scores(&c, 2), "class 2 of 2");
    fails_with(dl_confusion_add(&c, TENSOR(DL_SHAPE(1, 2), NAN, 0), DL_INTS(0)), "row 0", "NaN");
    dl_confusion_free(&c);
    struct dl_calibration none = {.bins = 0};
    fails_with(dl_calibration_add(&none, x, DL_INTS(0, 0)), "0 bins");
}

Test(misuse, a_target_that_was_changed_is_noticed)
{
    dl_tensor *x = leaf(dl_zeros(DL_SHAPE(2, 3))), *t = dl_zeros(DL_SHAPE(2, 3));
    dl_tensor *y = dl_mse_loss(x, t);
    dl_fill(t, 1);
    fails_with(dl_backward(y), "mse", "changed");
}
