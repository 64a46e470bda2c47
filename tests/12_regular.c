/* Chapter 12: dropout, early stopping, averaged weights. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "loss.h"
#include "memory.h"
#include "optim.h"
#include "pointwise.h"
#include "products.h"
#include "random.h"
#include "reduce.h"
#include "regular.h"

#include "fails_with.h"
#include "in_scope.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#define numbers_of(t) ((t).f64)
#define TYPE "d"
#else
#define IF_DOUBLE(a, b) (b)
#define numbers_of(t) ((t).f32)
#define TYPE "f"
#endif

/* ---- Dropout --------------------------------------------------------------------------------------------------- */

static struct dl_shape shape_of(struct oracle_tensor t)
{
    struct dl_shape s = {.rank = t.rank};
    for (int i = 0; i < t.rank; i++)
        s.dim[i] = (int)t.shape[i];
    return s;
}

static void same_bits(size_t n, const dl_real *got, const dl_real *wanted, const char *what, int s, int c)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(memcmp(&got[i], &wanted[i], sizeof *got) == 0, "%s of shape %d, case %d: element %zu is %.17g, "
                  "not %.17g", what, s, c, i, (double)got[i], (double)wanted[i]);
}

Test(pytorch, dropout_and_its_gradient_have_the_same_bits)
{
    struct oracle o = oracle_open("12_regular.safetensors");
    struct oracle_tensor p = oracle_get(&o, "p");
    for (int s = 0; s < 4; s++) {
        struct oracle_tensor x = oracle_get(&o, TYPE ".x.%d", s), g = oracle_get(&o, TYPE ".g.%d", s);
        struct dl_params params = {0};
        dl_tensor *w = dl_param(&params, "w", shape_of(x));
        memcpy(dl_data(w), x.data, x.count * sizeof(dl_real));
        struct dl_random r;
        dl_random_seed(&r, 12);
        for (int c = 0; c < (int)p.count; c++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *y = dl_dropout(w, p.f64[c], &r);
            same_bits(y->size, dl_data(y), numbers_of(oracle_get(&o, TYPE ".y.%d.%d", s, c)), "result", s, c);
            dl_zero_grad(&params);
            if (y != w && y->size > 0) {
                dl_backward_from(y, dl_from_array(w->shape, numbers_of(g)));
                same_bits(w->size, dl_grad(w), numbers_of(oracle_get(&o, TYPE ".dx.%d.%d", s, c)), "gradient", s, c);
            }
            dl_scope_leave(scope);
        }
        cr_assert(dl_random_uniform(&r) == *oracle_get(&o, TYPE ".next.%d", s).f32, "shape %d: the number of draws", s);
        dl_zero_grad(&params);
        dl_params_free(&params);
    }
    oracle_close(&o);
}

TestSuite(dropout, .init = open_scope, .fini = close_scope);

Test(dropout, an_element_is_zero_or_divided_by_what_stays)
{
    for (int k = 1; k < 10; k++) {
        double p = k / 10.0;
        dl_tensor *x = dl_normal(DL_SHAPE(50, 40), &source, 0, 1), *y = dl_dropout(x, p, &source);
        int zeros = 0;
        for (size_t i = 0; i < x->size; i++) {
            double a = dl_data(x)[i], b = dl_data(y)[i];
            zeros += b == 0;
            cr_assert(b == 0 || fabs(b - a / (1 - p)) <= IF_DOUBLE(1e-14, 1e-6) * fabs(b));
        }
        cr_assert(fabs(zeros - 2000 * p) < 5 * sqrt(2000 * p * (1 - p)), "%d of 2000 dropped at %g", zeros, p);
    }
}

Test(dropout, mean_and_variance_are_those_of_the_derivation)
{
    enum { N = 200000 };
    for (int k = 1; k < 10; k += 4) {
        double p = k / 10.0, sum = 0, squares = 0;
        dl_tensor *y = dl_dropout(dl_full(DL_SHAPE(N), 2), p, &source);
        for (int i = 0; i < N; i++) {
            sum += dl_data(y)[i];
            squares += (double)dl_data(y)[i] * dl_data(y)[i];
        }
        double mean = sum / N, variance = squares / N - mean * mean, wanted = 4 * p / (1 - p);
        cr_assert(fabs(mean - 2) < 5 * sqrt(wanted / N), "mean %g at %g", mean, p);
        cr_assert(fabs(variance - wanted) < 0.1 * wanted, "variance %g at %g, not %g", variance, p, wanted);
    }
}

Test(dropout, with_probability_0_is_the_tensor_itself_and_with_1_zero_and_neither_draws)
{
    struct dl_random before = source;
    dl_tensor *x = dl_full(DL_SHAPE(3), 5);
    cr_assert(dl_dropout(x, 0, &source) == x);
    cr_assert(dl_dropout(x, 0, NULL) == x);
    dl_tensor *y = dl_dropout(x, 1, NULL);
    for (int i = 0; i < 3; i++)
        cr_assert(dl_data(y)[i] == 0);
    cr_assert(memcmp(&before, &source, sizeof source) == 0);
}

Test(dropout, keeps_nan_and_infinity_visible)
{
    dl_tensor *y = dl_dropout(dl_full(DL_SHAPE(64), INFINITY), 0.5, &source);
    for (int i = 0; i < 64; i++)
        cr_assert(isinf(dl_data(y)[i]) || isnan(dl_data(y)[i]));
}

Test(dropout, of_a_scalar_and_of_nothing)
{
    struct dl_random before = source;
    cr_assert(dl_dropout(dl_empty(DL_SHAPE(0, 3)), 0.5, &source)->size == 0);
    cr_assert(memcmp(&before, &source, sizeof source) == 0);
    double y = dl_item(dl_dropout(dl_scalar(3), 0.5, &source));
    cr_assert(y == 0 || y == 6);
}

Test(dropout, refuses_what_is_no_probability)
{
    dl_tensor *x = dl_full(DL_SHAPE(3), 5);
    fails_with(dl_dropout(x, -0.1, &source), "probability", "-0.1");
    fails_with(dl_dropout(x, 1.1, &source), "probability", "1.1");
    fails_with(dl_dropout(x, NAN, &source), "probability", "nan");
    fails_with(dl_dropout(x, 0.5, NULL), "generator", "NULL");
    fails_with(dl_dropout(NULL, 0.5, &source), "NULL");
}

Test(no_scope, dropout_needs_one)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    dl_tensor *x = dl_full(DL_SHAPE(3), 5);
    fails_with(dl_dropout(x, 0.5, &r), "outside of all scopes");
    dl_tensor_free(x);
}

struct masked { dl_tensor *w; struct dl_random r; double p; };

static dl_tensor *masked(void *context)
{
    struct masked *m = context;
    struct dl_random r = m->r;                      /* the same mask each time */
    return dl_square(dl_dropout(m->w, m->p, &r));
}

Test(gradcheck, dropout)
{
    struct dl_random r;
    dl_random_seed(&r, 3);
    for (int k = 1; k < 10; k++) {
        struct dl_params params = {0};
        struct masked m = {dl_param(&params, "w", DL_SHAPE(4, 5)), r, k / 10.0};
        for (int i = 0; i < 20; i++)
            dl_data(m.w)[i] = (dl_real)dl_random_normal(&r);
        double error = dl_gradcheck_elements(masked, &m, &params);
        cr_assert(error < IF_DOUBLE(1e-7, 2e-2), "p = %g: error %g", m.p, error);
        dl_params_free(&params);
    }
}

/* The mean loss over masks is the loss with a penalty p/(1-p) sum of w_i^2 x_i^2: all 2^5 masks of one example. */
Test(derivation, dropout_on_the_inputs_of_a_linear_model_is_a_penalty)
{
    const double w[5] = {1, -2, 0.5, 3, 0.25}, x[5] = {0.3, 1, -2, 0.1, 4}, t = 0.7;
    for (double p = 0.1; p < 0.95; p += 0.2) {
        double mean = 0, z = 0, penalty = 0;
        for (int mask = 0; mask < 32; mask++) {
            double chance = 1, y = 0;
            for (int i = 0; i < 5; i++) {
                chance *= mask >> i & 1 ? 1 - p : p;
                y += mask >> i & 1 ? w[i] * x[i] / (1 - p) : 0;
            }
            mean += chance * (y - t) * (y - t);
        }
        for (int i = 0; i < 5; i++) {
            z += w[i] * x[i];
            penalty += w[i] * w[i] * x[i] * x[i];
        }
        cr_assert(fabs(mean - (z - t) * (z - t) - p / (1 - p) * penalty) < 1e-12 * mean);
    }
}

/* ---- Weight decay ---------------------------------------------------------------------------------------------- */

static dl_tensor *parameter(struct dl_params *params, struct oracle_tensor t)
{
    dl_tensor *w = dl_param(params, "w", shape_of(t));
    for (size_t i = 0; i < t.count; i++)
        dl_data(w)[i] = t.f32[i];
    return w;
}

static dl_tensor *constant(struct oracle_tensor t)
{
    dl_tensor *x = dl_empty(shape_of(t));
    for (size_t i = 0; i < t.count; i++)
        dl_data(x)[i] = t.f32[i];
    return x;
}

Test(pytorch, decay_in_the_step_is_the_penalty_in_the_loss)
{
    struct oracle o = oracle_open("12_regular.safetensors");
    for (int penalty = 0; penalty < 2; penalty++) {
        struct dl_params params = {0};
        dl_tensor *w = parameter(&params, oracle_get(&o, "start"));
        struct dl_optimizer sgd;
        struct dl_hyper h = {.lr = 0.1, .momentum = 0.5, .weight_decay = penalty ? 0 : 0.3};
        dl_optimizer_init(&sgd, &dl_sgd, &params, h);
        for (int step = 1; step <= 50; step++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *y = dl_linear(constant(oracle_get(&o, "inputs")), w, NULL);
            dl_tensor *loss = dl_mse_loss(y, constant(oracle_get(&o, "targets")));
            if (penalty)
                loss = dl_add(loss, dl_mul_scalar(dl_sum(dl_square(w)), (dl_real)0.15));
            dl_zero_grad(&params);
            dl_backward(loss);
            dl_optimizer_step(&sgd);
            dl_scope_leave(scope);
            if (step != 1 && step != 10 && step != 50)
                continue;
            const double *wanted = oracle_get(&o, "%s.%d", penalty ? "penalty" : "w", step).f64;
            for (size_t i = 0; i < w->size; i++)
                cr_assert(fabs(dl_data(w)[i] - wanted[i]) < IF_DOUBLE(1e-12, 1e-6), "%s, step %d, element %zu: %.17g, "
                          "not %.17g", penalty ? "penalty" : "decay", step, i, (double)dl_data(w)[i], wanted[i]);
        }
        dl_optimizer_free(&sgd);
        dl_zero_grad(&params);
        dl_params_free(&params);
    }
    oracle_close(&o);
}

/* ---- Early stopping -------------------------------------------------------------------------------------------- */

/* The check (from 1) that says stop, or 0. */
static int stops_at(struct dl_early_stopping *e, int n, const double x[])
{
    for (int i = 0; i < n; i++)
        if (dl_early_stopping_check(e, x[i]))
            return i + 1;
    return 0;
}

Test(early_stopping, waits_for_as_many_checks_as_it_has_patience)
{
    const double x[] = {5, 4, 4.5, 3, 3.5, 3, 3.1, 2.9};
    for (int patience = 1; patience < 5; patience++) {
        struct dl_early_stopping e;
        dl_early_stopping_init(&e, patience, false);
        const int wanted[] = {0, 3, 6, 7, 0};
        cr_expect(stops_at(&e, 8, x) == wanted[patience], "patience %d", patience);
        cr_expect(e.best == (patience == 1 ? 4 : patience == 4 ? 2.9 : 3));
        cr_expect(e.where == (patience == 1 ? 1 : patience == 4 ? 7 : 3));
        cr_expect(e.checks == (wanted[patience] ? wanted[patience] : 8));
    }
}

Test(early_stopping, larger_can_be_better)
{
    const double x[] = {0.5, 0.7, 0.6, 0.65, 0.9};
    struct dl_early_stopping e;
    dl_early_stopping_init(&e, 2, true);
    cr_assert(stops_at(&e, 5, x) == 4);
    cr_assert(e.best == 0.7 && e.where == 1);
}

Test(early_stopping, an_equal_is_not_better_and_a_little_is_not_enough)
{
    const double x[] = {1, 1, 0.995, 0.99, 0.98};
    for (int larger = 0; larger < 2; larger++) {
        double y[5];
        for (int i = 0; i < 5; i++)
            y[i] = larger ? -x[i] : x[i];
        struct dl_early_stopping e;
        dl_early_stopping_init(&e, 3, larger);
        cr_assert(stops_at(&e, 5, y) == 0);
        cr_assert(e.where == 4);
        dl_early_stopping_init(&e, 3, larger);
        e.min_delta = 0.015;
        cr_assert(stops_at(&e, 5, y) == 4);
        cr_assert(e.where == 0);
    }
}

Test(early_stopping, nan_is_never_better)
{
    const double x[] = {NAN, NAN, 3, NAN, NAN};
    struct dl_early_stopping e;
    dl_early_stopping_init(&e, 2, false);
    cr_assert(stops_at(&e, 5, x) == 2 && e.where == -1);
    dl_early_stopping_init(&e, 3, false);
    cr_assert(stops_at(&e, 5, x) == 0 && e.where == 2 && e.best == 3);
}

Test(early_stopping, needs_patience)
{
    struct dl_early_stopping e;
    fails_with(dl_early_stopping_init(&e, 0, false), "patience", "0");
}

/* ---- Averaged weights ------------------------------------------------------------------------------------------ */

static void compare_average(const char *name, double decay)
{
    struct oracle o = oracle_open("12_regular.safetensors");
    struct oracle_tensor step = oracle_get(&o, "step"), wanted = oracle_get(&o, "%s", name);
    struct dl_params params = {0};
    dl_tensor *w = dl_param(&params, "w", DL_SHAPE(3, 4)), *m;
    struct dl_average a;
    dl_average_init(&a, &params, decay);
    m = a.mean.list[0].tensor;
    cr_assert_str_eq(a.mean.list[0].name, "w");
    for (size_t t = 0; t < step.shape[0]; t++) {
        for (int i = 0; i < 12; i++)
            dl_data(w)[i] = step.f32[12 * t + i];
        dl_average_update(&a);
        cr_assert(a.n == (int64_t)t + 1);
        for (int i = 0; i < 12; i++)
            cr_assert(fabs(dl_data(m)[i] - wanted.f32[12 * t + i]) < 1e-6, "%s, update %zu, element %d: %.9g, not %.9g",
                      name, t + 1, i, (double)dl_data(m)[i], wanted.f32[12 * t + i]);
    }
    dl_average_free(&a);
    dl_params_free(&params);
    oracle_close(&o);
}

Test(pytorch, averaged_weights)
{
    compare_average("mean", 0);
    compare_average("ema.0", 0.5);
    compare_average("ema.1", 0.9);
    compare_average("ema.2", 0.999);
}

static struct dl_params params;
static struct dl_average average;
static dl_tensor *w, *b;

static void two_parameters(void)
{
    w = dl_param(&params, "w", DL_SHAPE(2));
    b = dl_param(&params, "b", DL_SHAPE());
    dl_fill(w, 1);
    dl_fill(b, 7);
}

static void free_all(void)
{
    dl_average_free(&average);
    dl_params_free(&params);
    dl_pool_drain();
}

TestSuite(average, .init = two_parameters, .fini = free_all);

Test(average, a_constant_is_its_own_mean_to_the_bit)
{
    dl_average_init(&average, &params, 0.999);
    *dl_at(w, 0) = (dl_real)0.1;
    *dl_at(w, 1) = (dl_real)1.875;
    for (int t = 0; t < 100000; t++)
        dl_average_update(&average);
    cr_assert(dl_equal(average.mean.list[0].tensor, w));
}

Test(average, swap_exchanges_and_swaps_back)
{
    dl_average_init(&average, &params, 0);
    dl_average_update(&average);
    dl_fill(w, 3);
    dl_fill(b, 9);
    dl_average_update(&average);
    uint64_t version = w->storage->version;
    dl_average_swap(&average);
    cr_assert(dl_data(w)[0] == 2 && dl_data(w)[1] == 2 && dl_item(b) == 8);
    cr_assert(w->storage->version != version, "the tape must notice");
    fails_with(dl_average_update(&average), "swapped");
    dl_average_swap(&average);
    cr_assert(dl_data(w)[0] == 3 && dl_data(w)[1] == 3 && dl_item(b) == 9);
    dl_average_update(&average);
    cr_assert(fabs(*dl_at(average.mean.list[0].tensor, 1) - 7.0 / 3) < 1e-6);
}

Test(average, begins_again_when_n_is_0)
{
    dl_average_init(&average, &params, 0.9);
    dl_fill(w, NAN);
    dl_average_update(&average);
    average.n = 0;
    dl_fill(w, 5);
    dl_average_update(&average);
    dl_fill(w, 6);
    dl_average_swap(&average);
    cr_assert(dl_data(w)[0] == 5 && dl_data(w)[1] == 5);
}

Test(average, does_not_want_gradients_and_of_an_empty_list_is_empty)
{
    dl_average_init(&average, &params, 0);
    cr_assert(average.mean.list[0].tensor->requires_grad == false);
    struct dl_params none = {0};
    struct dl_average nothing;
    dl_average_init(&nothing, &none, 0);
    dl_average_update(&nothing);
    dl_average_swap(&nothing);
    dl_average_free(&nothing);
}

Test(average, refuses_misuse)
{
    struct dl_average a = {0};
    fails_with(dl_average_update(&a), "not initialised");
    fails_with(dl_average_init(&a, &params, 1), "decay", "1");
    fails_with(dl_average_init(&a, &params, -0.1), "decay", "-0.1");
    fails_with(dl_average_init(&a, &params, NAN), "decay", "nan");
    fails_with(dl_average_init(&a, NULL, 0), "NULL");
    dl_average_init(&average, &params, 0);
    fails_with(dl_average_swap(&average), "nothing was averaged");
    dl_param(&params, "late", DL_SHAPE(1));
    fails_with(dl_average_update(&average), "3 parameters", "2");
}
