/* Chapter 10: optimisers, schedules, clipping, L-BFGS. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "kernels.h"
#include "lbfgs.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "random.h"
#include "schedule.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <sys/wait.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-12, 1e-6)        /* relative to the largest element */

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

/* As if a backward pass had left this gradient. */
static void give(dl_tensor *t, const float *g)
{
    if (t->storage->grad == NULL)
        t->storage->grad = dl_pool_get(t->size * sizeof(dl_real));
    for (size_t i = 0; i < t->size; i++)
        t->storage->grad[i] = g[i];
}

static void set(dl_tensor *t, const float *x)
{
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = x[i];
}

static void are(size_t n, const dl_real *got, const double *wanted, double tolerance, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - wanted[i]) <= tolerance * largest, "%s: element %zu is %.17g, not %.17g", what, i,
                  (double)got[i], wanted[i]);
}

/* n numbers, the same in every run. */
static float *draws(size_t n, uint64_t seed)
{
    struct dl_random r;
    dl_random_seed(&r, seed);
    float *x = malloc((n + 1) * sizeof *x);
    dl_random_fill_normal(&r, x, n, 0, 1);
    return x;
}

static const struct dl_update *const rules[] = {&dl_sgd, &dl_adagrad, &dl_adadelta, &dl_rmsprop,
                                                &dl_adam, &dl_adamw, &dl_lamb, &dl_muon};
enum { RULES = sizeof rules / sizeof *rules };

static struct dl_hyper hyper(const struct dl_update *u, double lr)
{
    struct dl_hyper h = dl_hyper_default(u);
    h.lr = lr;
    return h;
}

/* A list with one parameter, one optimiser for it. */
static struct dl_params params;
static struct dl_optimizer optimizer;

static dl_tensor *single(const struct dl_update *u, struct dl_hyper h, struct dl_shape shape, dl_real x)
{
    dl_tensor *p = dl_param(&params, "p", shape);
    dl_fill(p, x);
    dl_optimizer_init(&optimizer, u, &params, h);
    return p;
}

static void drop(void)
{
    dl_optimizer_free(&optimizer);
    dl_zero_grad(&params);
    dl_params_free(&params);
}

/* ---- Against PyTorch ------------------------------------------------------------------------------------------- */

enum { TENSORS = 3, STEPS = 100 };

static struct dl_hyper from_row(const double *x)
{
    return (struct dl_hyper){
        .lr = x[0], .momentum = x[1], .dampening = x[2], .beta1 = x[3], .beta2 = x[4], .alpha = x[5], .rho = x[6],
        .eps = x[7], .weight_decay = x[8], .lr_decay = x[9], .initial = x[10],
        .nesterov = x[11] != 0, .centered = x[12] != 0, .amsgrad = x[13] != 0};
}

static void start(const struct oracle *o)
{
    for (int k = 0; k < TENSORS; k++) {
        struct oracle_tensor t = oracle_get(o, "p.%d", k);
        struct dl_shape s = {.rank = t.rank};
        for (int i = 0; i < t.rank; i++)
            s.dim[i] = (int)t.shape[i];
        char name[8];
        snprintf(name, sizeof name, "p%d", k);
        set(dl_param(&params, name, s), t.f32);
    }
}

Test(pytorch, a_hundred_steps_of_every_rule)
{
    struct oracle o = oracle_open("10_optim.safetensors");
    struct oracle_tensor rule = oracle_get(&o, "rule"), rows = oracle_get(&o, "hyper"), g[TENSORS];
    for (int k = 0; k < TENSORS; k++)
        g[k] = oracle_get(&o, "g.%d", k);
    for (size_t c = 0; c < rule.count; c++) {
        start(&o);
        dl_optimizer_init(&optimizer, rules[rule.u8[c]], &params, from_row(rows.f64 + c * rows.shape[1]));
        for (int t = 0; t < STEPS; t++) {
            dl_zero_grad(&params);
            for (int k = 0; k < TENSORS; k++)
                if (k < 2 || t % 7 != 3)
                    give(params.list[k].tensor, g[k].f32 + (size_t)t * g[k].shape[1]);
            dl_optimizer_step(&optimizer);
            for (int k = 0; k < TENSORS && (t == 0 || t == 9 || t == 99); k++)
                are(params.list[k].tensor->size, dl_data(params.list[k].tensor),
                    oracle_get(&o, "%zu.%d.%d", c, t + 1, k).f64, TOLERANCE, "case %zu (%s), step %d, parameter %d", c,
                    rules[rule.u8[c]]->name, t + 1, k);
        }
        drop();
    }
    oracle_close(&o);
}

Test(pytorch, defaults)
{
    /* a case with no options of its own has PyTorch's defaults */
    static const int plain[] = {-1, 8, 11, 13, 18, 24};
    struct oracle o = oracle_open("10_optim.safetensors");
    struct oracle_tensor rows = oracle_get(&o, "hyper");
    for (int u = 1; u < 6; u++) {
        struct dl_hyper a = dl_hyper_default(rules[u]), b = from_row(rows.f64 + (size_t)plain[u] * rows.shape[1]);
        cr_assert(a.lr == b.lr && a.momentum == b.momentum && a.beta1 == b.beta1 && a.beta2 == b.beta2
                  && a.alpha == b.alpha && a.rho == b.rho && a.eps == b.eps && a.weight_decay == b.weight_decay
                  && a.lr_decay == b.lr_decay && a.initial == b.initial && a.centered == b.centered,
                  "%s", rules[u]->name);
    }
    oracle_close(&o);
}

static double schedule_factor(int k, int64_t t)
{
    switch (k) {
    case 0: return dl_schedule_step(t, 7, 0.3);
    case 1: return dl_schedule_exponential(t, 0.93);
    case 2: return dl_schedule_cosine(t, 60, 0.05);
    case 3: return dl_schedule_warmup(t, 20, 0.1);
    case 4: return dl_schedule_one_cycle(t, 60, 0.3, 25, 1e4);
    default: return dl_schedule_one_cycle(t, 60, 0.1, 10, 100);
    }
}

Test(pytorch, schedules)
{
    static const char *const names[] = {"step", "exponential", "cosine", "warmup", "one_cycle", "one_cycle_early"};
    struct oracle o = oracle_open("10_optim.safetensors");
    for (int k = 0; k < 6; k++) {
        struct oracle_tensor lr = oracle_get(&o, "lr.%s", names[k]);
        for (int t = 0; t < (int)lr.count; t++)
            cr_assert(fabs(schedule_factor(k, t) - lr.f64[t]) <= 1e-12, "%s at step %d: %.17g, not %.17g", names[k], t,
                      schedule_factor(k, t), lr.f64[t]);
    }
    oracle_close(&o);
}

Test(pytorch, plateaus)
{
    struct oracle o = oracle_open("10_optim.safetensors");
    for (int k = 0; k < 2; k++) {
        const char *name = k == 0 ? "plateau" : "plateau_max";
        struct oracle_tensor lr = oracle_get(&o, "lr.%s", name), x = oracle_get(&o, "measured.%s", name);
        struct dl_plateau s;
        dl_plateau_init(&s, k == 1);
        s.patience = k == 0 ? 3 : 2;
        if (k == 1) {
            s.factor = 0.5;
            s.cooldown = 4;
            s.least = 0.05;
            s.threshold = 0.01;
        }
        for (size_t t = 0; t < lr.count; t++) {
            double got = dl_plateau_next(&s, x.f64[t]);
            cr_assert(fabs(got - lr.f64[t]) <= 1e-12 * lr.f64[t], "%s, %zu: %g, not %g", name, t, got, lr.f64[t]);
        }
        cr_assert(lr.f64[lr.count - 1] < 0.11, "the curve %s tests nothing", name);
    }
    oracle_close(&o);
}

/* ---- Against twins in double ----------------------------------------------------------------------------------- */

/* Gradients that depend on the parameters, and noise. */
static void bowl(dl_tensor *p, const float *noise, double *twin_g, const double *twin)
{
    float *g = malloc(p->size * sizeof *g);
    for (size_t i = 0; i < p->size; i++)
        g[i] = twin_g[i] = (float)(0.2 * twin[i] + noise[i]);
    give(p, g);
    free(g);
}

static double norm(size_t n, const double *x)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += x[i] * x[i];
    return sqrt(s);
}

static void lamb_twin(size_t n, double *p, const double *g, double *m, double *v, int t, const struct dl_hyper *h)
{
    double *u = calloc(n, sizeof *u);
    for (size_t i = 0; i < n; i++) {
        m[i] = h->beta1 * m[i] + (1 - h->beta1) * g[i];
        v[i] = h->beta2 * v[i] + (1 - h->beta2) * g[i] * g[i];
        u[i] = m[i] / (1 - pow(h->beta1, t)) / (sqrt(v[i] / (1 - pow(h->beta2, t))) + h->eps) + h->weight_decay * p[i];
    }
    double a = norm(n, p), b = norm(n, u), trust = a > 0 && b > 0 ? a / b : 1;
    for (size_t i = 0; i < n; i++)
        p[i] -= h->lr * trust * u[i];
    free(u);
}

/* U <- 3.4445 U - 4.7750 (U U') U + 2.0315 (U U')^2 U, always with the r x r matrix, element by element. */
static void schulz_twin(int r, int c, double *u)
{
    double *s = calloc((size_t)(r * r), sizeof *s), *w = calloc((size_t)(r * c), sizeof *w);
    double *w2 = calloc((size_t)(r * c), sizeof *w2);
    for (int i = 0; i < r; i++)
        for (int j = 0; j < r; j++)
            for (int k = 0; k < c; k++)
                s[i * r + j] += u[i * c + k] * u[j * c + k];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < r; i++)
            for (int k = 0; k < c; k++)
                for (int j = 0; j < r; j++)
                    (pass ? w2 : w)[i * c + k] += s[i * r + j] * (pass ? w : u)[j * c + k];
    for (int i = 0; i < r * c; i++)
        u[i] = 3.4445 * u[i] - 4.7750 * w[i] + 2.0315 * w2[i];
    free(s), free(w), free(w2);
}

static void muon_twin(int r, int c, double *p, const double *g, double *m, const struct dl_hyper *h)
{
    int n = r * c;
    double *u = calloc((size_t)n, sizeof *u);
    for (int i = 0; i < n; i++) {
        m[i] = h->momentum * m[i] + g[i];
        u[i] = h->nesterov ? g[i] + h->momentum * m[i] : m[i];
    }
    double length = norm((size_t)n, u) + h->eps;
    for (int i = 0; i < n; i++)
        u[i] /= length;
    for (int k = 0; k < 5; k++)
        schulz_twin(r, c, u);
    for (int i = 0; i < n; i++)
        p[i] = (1 - h->lr * h->weight_decay) * p[i] - h->lr * sqrt(fmax(1, (double)r / c)) * u[i];
    free(u);
}

static void race_twin(const struct dl_update *u, int r, int c, struct dl_hyper h)
{
    size_t n = (size_t)(r * c);
    double *p = calloc(n, sizeof *p), *g = calloc(n, sizeof *g), *m = calloc(n, sizeof *m), *v = calloc(n, sizeof *v);
    float *noise = draws(n * (STEPS + 1), 7);
    dl_tensor *q = single(u, h, DL_SHAPE(r, c), 0);
    set(q, noise + n * STEPS);
    for (size_t i = 0; i < n; i++)
        p[i] = noise[n * STEPS + i];
    for (int t = 1; t <= STEPS; t++) {
        bowl(q, noise + n * (size_t)(t - 1), g, p);
        dl_optimizer_step(&optimizer);
        if (u == &dl_lamb)
            lamb_twin(n, p, g, m, v, t, &h);
        else
            muon_twin(r, c, p, g, m, &h);
        if (t == 1 || t == 10 || t == STEPS)
            are(n, dl_data(q), p, u == &dl_muon ? IF_DOUBLE(1e-11, 1e-6) : TOLERANCE, "%s, %d x %d, step %d", u->name,
                r, c, t);
    }
    drop();
    free(p), free(g), free(m), free(v), free(noise);
}

Test(twin, lamb)
{
    struct dl_hyper h = hyper(&dl_lamb, 0.01);
    race_twin(&dl_lamb, 1, 1, h);
    race_twin(&dl_lamb, 7, 11, h);
    h.weight_decay = 0.1;
    race_twin(&dl_lamb, 7, 11, h);
}

Test(twin, lamb_trusts_a_parameter_of_zeros)
{
    dl_tensor *p = single(&dl_lamb, hyper(&dl_lamb, 0.5), DL_SHAPE(2), 0);
    give(p, (float[]){3, -2});
    dl_optimizer_step(&optimizer);
    are(2, dl_data(p), (double[]){-0.5, 0.5}, 1e-5, "the first step");
    drop();
}

Test(twin, muon)
{
    struct dl_hyper h = hyper(&dl_muon, 0.02);
    race_twin(&dl_muon, 1, 1, h);
    race_twin(&dl_muon, 5, 12, h);
    race_twin(&dl_muon, 12, 5, h);
    h.nesterov = false;
    h.weight_decay = 0.5;
    race_twin(&dl_muon, 9, 9, h);
}

/* ---- What each rule promises ----------------------------------------------------------------------------------- */

Test(rules, the_first_step_of_adam_is_the_rate_whatever_the_gradient)
{
    for (double scale = 1e-4; scale < 1e5; scale *= 100) {
        dl_tensor *p = single(&dl_adam, hyper(&dl_adam, 0.25), DL_SHAPE(2), 1);
        give(p, (float[]){(float)scale, (float)-scale});
        dl_optimizer_step(&optimizer);
        are(2, dl_data(p), (double[]){0.75, 1.25}, 1e-3, "gradients of %g", scale);
        drop();
    }
}

Test(rules, the_second_average_of_adam_has_no_bias_after_ten_thousand_steps)
{
    dl_tensor *p = single(&dl_adam, hyper(&dl_adam, 0), DL_SHAPE(1), 1);
    for (int t = 0; t < 10000; t++) {
        give(p, (float[]){1});
        dl_optimizer_step(&optimizer);
    }
    double v = *dl_data(dl_params_find(&optimizer.state, "exp_avg_sq.p")), wanted = 1 - pow(0.999, 10000);
    cr_assert(fabs(v - wanted) < IF_DOUBLE(1e-12, 3e-6), "%.9g, not %.9g", v, wanted);
    drop();
}

Test(rules, decay_of_adamw_does_not_pass_through_the_averages)
{
    struct dl_hyper h = hyper(&dl_adamw, 0.1);
    h.weight_decay = 0.5;
    dl_tensor *p = single(&dl_adamw, h, DL_SHAPE(1), 8);
    for (int t = 1; t <= 3; t++) {
        give(p, (float[]){0});
        dl_optimizer_step(&optimizer);
        double wanted = 8 * pow(1 - 0.1 * 0.5, t);
        cr_assert(fabs(dl_item(p) - wanted) <= 8 * TOLERANCE);
    }
    drop();
}

/* Without memory, v is the rounded square of g, and m is g: half of the differences are below 0. */
Test(rules, a_centered_variance_is_never_negative)
{
    struct dl_hyper h = hyper(&dl_rmsprop, 0.01);
    h.centered = true;
    h.alpha = 0;
    float *g = draws(100, 8);
    dl_tensor *p = single(&dl_rmsprop, h, DL_SHAPE(100), 1);
    give(p, g);
    dl_optimizer_step(&optimizer);
    for (int i = 0; i < 100; i++)
        cr_assert(isfinite(dl_data(p)[i]), "a gradient of %g", (double)g[i]);
    drop();
    free(g);
}

Test(rules, nan_reaches_the_parameter)
{
    for (int u = 0; u < RULES; u++) {
        dl_tensor *p = single(rules[u], hyper(rules[u], 0.1), DL_SHAPE(1, 3), 1);
        give(p, (float[]){1, NAN, 1});
        dl_optimizer_step(&optimizer);
        cr_assert(isnan(dl_data(p)[1]), "%s", rules[u]->name);
        if (u < 6)
            cr_assert(isfinite(dl_data(p)[0]) && isfinite(dl_data(p)[2]), "%s spreads it", rules[u]->name);
        drop();
    }
}

Test(rules, empty_and_scalar_parameters)
{
    for (int u = 0; u < RULES; u++) {
        dl_tensor *p = single(rules[u], hyper(rules[u], 0.1), DL_SHAPE(0, 3), 1);
        give(p, (float[]){0});
        dl_optimizer_step(&optimizer);
        drop();
        if (rules[u] == &dl_muon)
            continue;
        p = single(rules[u], hyper(rules[u], 0.1), DL_SHAPE(), 1);
        give(p, (float[]){1});
        dl_optimizer_step(&optimizer);
        cr_assert(dl_item(p) < 1, "%s", rules[u]->name);
        drop();
    }
}

/* ---- The same bits --------------------------------------------------------------------------------------------- */

static void five_steps(const struct dl_update *u, struct dl_hyper h, int rows, int cols, dl_real *out)
{
    size_t n = (size_t)rows * (size_t)cols;
    float *x = draws(n, 3);
    dl_tensor *p = single(u, h, DL_SHAPE(rows, cols), 0);
    set(p, x);
    for (int t = 0; t < 5; t++) {
        for (size_t i = 0; i < n; i++)
            x[i] = 0.5f * x[i] + (float)t;
        give(p, x);
        dl_optimizer_step(&optimizer);
    }
    memcpy(out, dl_data(p), n * sizeof *out);
    drop();
    free(x);
}

static void same_bits(const struct dl_update *u, struct dl_hyper h, int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols;
    dl_real *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    enum dl_simd best = dl_get_simd();
    dl_set_num_threads(1);
    five_steps(u, h, rows, cols, a);
    for (int threads = 1; threads <= 4; threads++)
        for (int set = 0; set <= (int)best; set++) {
            dl_set_simd((enum dl_simd)set);
            dl_set_num_threads(threads);
            five_steps(u, h, rows, cols, b);
            cr_assert(memcmp(a, b, n * sizeof *a) == 0, "%s, %d x %d: set %d, %d threads", u->name, rows, cols, set,
                      threads);
        }
    free(a), free(b);
}

Test(bits, do_not_depend_on_instruction_set_and_threads)
{
    for (int u = 0; u < RULES; u++)
        for (int variant = 0; variant < 4; variant++) {
            struct dl_hyper h = hyper(rules[u], 0.01);
            h.weight_decay = 0.1;
            h.centered = h.amsgrad = variant % 2;
            h.momentum = variant / 2 * 0.9;
            h.nesterov = variant == 3;
            same_bits(rules[u], h, 3, 13);
            if (u < 7 && variant == 3)
                same_bits(rules[u], h, 151, 331);       /* more than three grains */
            else if (variant == 0)
                same_bits(rules[u], h, 20, 900);
        }
}

Test(bits, every_length_up_to_forty)
{
    dl_real all[40], one[40];
    for (int u = 0; u < 6; u++)
        for (int n = 1; n <= 40; n++) {
            five_steps(rules[u], hyper(rules[u], 0.01), 1, n, one);
            if (n < 16)
                continue;                               /* other draws: fewer than 16 come from another formula */
            five_steps(rules[u], hyper(rules[u], 0.01), 1, 40, all);
            cr_assert(isfinite(one[n - 1]) && isfinite(all[n - 1]), "%s, %d", rules[u]->name, n);
        }
}

/* ---- The optimiser --------------------------------------------------------------------------------------------- */

Test(optimizer, skips_parameters_without_gradient)
{
    for (int u = 0; u < RULES; u++) {
        struct dl_hyper h = hyper(rules[u], 0.1);
        h.weight_decay = 0.5;
        dl_tensor *p = single(rules[u], h, DL_SHAPE(2, 2), 3);
        uint64_t version = p->storage->version;
        dl_optimizer_step(&optimizer);
        are(4, dl_data(p), (double[]){3, 3, 3, 3}, 0, "%s", rules[u]->name);
        cr_assert(dl_item(dl_params_find(&optimizer.state, "step.p")) == 0 && p->storage->version == version);
        give(p, (float[]){1, 2, 3, 5});
        dl_optimizer_step(&optimizer);
        cr_assert(dl_item(dl_params_find(&optimizer.state, "step.p")) == 1 && p->storage->version > version);
        cr_assert(optimizer.steps == 2 && dl_data(p)[3] < 3);
        drop();
    }
}

Test(optimizer, names_its_state_as_pytorch_does)
{
    struct dl_hyper h = hyper(&dl_adam, 0.1);
    h.amsgrad = true;
    single(&dl_adam, h, DL_SHAPE(2), 0);
    static const char *const names[] = {"step.p", "exp_avg.p", "exp_avg_sq.p", "max_exp_avg_sq.p"};
    cr_assert(optimizer.state.n == 4);
    for (int k = 0; k < 4; k++)
        cr_assert(strcmp(optimizer.state.list[k].name, names[k]) == 0 && !optimizer.state.list[k].tensor->requires_grad);
    drop();
    single(&dl_sgd, hyper(&dl_sgd, 0.1), DL_SHAPE(2), 0);
    cr_assert(optimizer.state.n == 1);
    drop();
}

/* State copied into a new optimiser after 5 steps: the same bits as without the break. */
Test(optimizer, goes_on_from_a_copy_of_its_state)
{
    for (int u = 0; u < RULES; u++) {
        struct dl_hyper h = hyper(rules[u], 0.05);
        float *g = draws(12 * 10, 5);
        dl_real wanted[12];
        for (int broken = 0; broken < 2; broken++) {
            dl_tensor *p = single(rules[u], h, DL_SHAPE(3, 4), 1);
            for (int t = 0; t < 10; t++) {
                if (broken && t == 5) {
                    struct dl_optimizer fresh;
                    dl_optimizer_init(&fresh, rules[u], &params, h);
                    for (int k = 0; k < fresh.state.n; k++)
                        dl_copy(fresh.state.list[k].tensor, dl_params_find(&optimizer.state, fresh.state.list[k].name));
                    dl_optimizer_free(&optimizer);
                    optimizer = fresh;
                }
                give(p, g + 12 * t);
                dl_optimizer_step(&optimizer);
            }
            if (!broken)
                memcpy(wanted, dl_data(p), sizeof wanted);
            else
                cr_assert(memcmp(wanted, dl_data(p), sizeof wanted) == 0, "%s", rules[u]->name);
            drop();
        }
        free(g);
    }
}

Test(optimizer, groups_have_their_own_rules_and_rates)
{
    for (int k = 0; k < 3; k++)
        dl_fill(dl_param(&params, (const char *[]){"a", "b", "c"}[k], DL_SHAPE(2, 2)), 1);
    dl_optimizer_init(&optimizer, &dl_sgd, &params, hyper(&dl_sgd, 1));
    cr_assert(dl_optimizer_group(&optimizer, 1, 1, &dl_sgd, hyper(&dl_sgd, 10)) == 1);
    cr_assert(dl_optimizer_group(&optimizer, 2, 1, &dl_adam, hyper(&dl_adam, 0.5)) == 2);
    cr_assert(optimizer.state.n == 5 && dl_params_find(&optimizer.state, "exp_avg.c") != NULL);
    dl_optimizer_scale(&optimizer, 0.5);
    for (int k = 0; k < 3; k++)
        give(params.list[k].tensor, (float[]){0.1f, 0.1f, 0.1f, 0.1f});
    dl_optimizer_step(&optimizer);
    are(1, dl_data(params.list[0].tensor), (double[]){0.95}, 1e-6, "a");
    are(1, dl_data(params.list[1].tensor), (double[]){0.5}, 1e-6, "b");
    are(1, dl_data(params.list[2].tensor), (double[]){0.75}, 1e-6, "c");
    dl_optimizer_scale(&optimizer, 1);
    cr_assert(optimizer.group[1].hyper.lr == 10, "the factor is that of the first rate");
    drop();
}

static bool is_momentum(const struct dl_hyper *h, int k) { return k == 0 && h->momentum > 0; }
static void sign_apply(const struct dl_change *x)
{
    for (size_t i = 0; i < x->n; i++)
        x->p[i] -= (dl_real)x->h->lr * (dl_real)((x->g[i] > 0) - (x->g[i] < 0));
}

Test(optimizer, takes_a_users_rule)
{
    static const struct dl_update sign = {.name = "sign", .usual = {.lr = 0.5}, .state = {"memory"},
                                          .uses = is_momentum, .apply = sign_apply};
    dl_tensor *p = single(&sign, dl_hyper_default(&sign), DL_SHAPE(3), 1);
    cr_assert(optimizer.state.n == 1);
    give(p, (float[]){7, -0.1f, 0});
    dl_optimizer_step(&optimizer);
    are(3, dl_data(p), (double[]){0.5, 1.5, 1}, 0, "signs");
    drop();
}

/* The mean over 12 rows at once, and over 3 times 4 rows with a third of each loss. */
Test(optimizer, gradients_accumulate_over_small_batches)
{
    float *x = draws(12 * 5, 9);
    dl_real whole[5];
    for (int parts = 1; parts <= 3; parts += 2) {
        dl_tensor *w = single(&dl_sgd, hyper(&dl_sgd, 0.1), DL_SHAPE(5, 1), 0.5);
        dl_zero_grad(&params);
        for (int k = 0; k < parts; k++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_tensor *rows = dl_empty(DL_SHAPE(12 / parts, 5));
            set(rows, x + 60 / parts * k);
            dl_tensor *y = dl_tanh(dl_matmul(rows, w));
            dl_backward(dl_mul(dl_sum(dl_mul(y, y)), dl_scalar((dl_real)1 / 12)));
            dl_scope_leave(scope);
        }
        dl_optimizer_step(&optimizer);
        if (parts == 1)
            memcpy(whole, dl_data(w), sizeof whole);
        else
            for (int i = 0; i < 5; i++)
                cr_assert(fabs(dl_data(w)[i] - whole[i]) < IF_DOUBLE(1e-15, 1e-7));
        drop();
    }
    free(x);
}

Test(optimizer, gives_everything_back)
{
    for (int u = 0; u < RULES; u++) {
        struct dl_pool_use before = dl_pool_use();
        dl_tensor *p = single(rules[u], hyper(rules[u], 0.1), DL_SHAPE(4, 4), 1);
        float *g = draws(16, 1);
        for (int t = 0; t < 3; t++) {
            give(p, g);
            dl_optimizer_step(&optimizer);
        }
        drop();
        free(g);
        cr_assert(dl_pool_use().blocks == before.blocks, "%s", rules[u]->name);
    }
}

Test(optimizer, asks_the_system_for_nothing_after_the_first_step)
{
    for (int u = 0; u < RULES; u++) {
        dl_tensor *p = single(rules[u], hyper(rules[u], 0.1), DL_SHAPE(30, 40), 1);
        float *g = draws(1200, 1);
        size_t misses = 0;
        for (int t = 0; t < 20; t++) {
            give(p, g);
            dl_optimizer_step(&optimizer);
            if (t == 0)
                misses = dl_pool_use().misses;
        }
        cr_assert(dl_pool_use().misses == misses, "%s", rules[u]->name);
        drop();
        free(g);
    }
}

/* ---- Clipping -------------------------------------------------------------------------------------------------- */

Test(clipping, by_norm)
{
    dl_tensor *a = dl_param(&params, "a", DL_SHAPE(2)), *b = dl_param(&params, "b", DL_SHAPE(1));
    dl_tensor *none = dl_param(&params, "none", DL_SHAPE(3));
    give(a, (float[]){3, 0});
    give(b, (float[]){-4});
    cr_assert(fabs(dl_clip_grad_norm(&params, 6) - 5) < 1e-6);
    are(2, dl_grad(a), (double[]){3, 0}, 0, "short enough");
    cr_assert(fabs(dl_clip_grad_norm(&params, 1) - 5) < 1e-6);
    are(2, dl_grad(a), (double[]){0.6, 0}, 1e-6, "a");
    are(1, dl_grad(b), (double[]){-0.8}, 1e-6, "b");
    cr_assert(dl_grad(none) == NULL);
    cr_assert(fabs(dl_clip_grad_norm(&params, 0) - 1) < 1e-6);
    are(2, dl_grad(a), (double[]){0, 0}, 0, "clipped to nothing");
    cr_assert(dl_clip_grad_norm(&params, 0) == 0);
    drop();
}

Test(clipping, by_norm_beyond_the_range_of_squares)
{
    dl_tensor *a = dl_param(&params, "a", DL_SHAPE(2));
    give(a, (float[]){3e30f, 4e30f});
    double got = dl_clip_grad_norm(&params, 1);
    cr_assert(fabs(got / 5e30 - 1) < 1e-6, "%g", got);
    are(2, dl_grad(a), (double[]){0.6, 0.8}, 1e-6, "large");
    give(a, (float[]){3e-30f, 4e-30f});
    cr_assert(fabs(dl_clip_grad_norm(&params, 1) / 5e-30 - 1) < 1e-6);
    give(a, (float[]){1, NAN});
    cr_assert(isnan(dl_clip_grad_norm(&params, 0.5)) && dl_grad(a)[0] == 1);
    give(a, (float[]){1, -INFINITY});
    cr_assert(isinf(dl_clip_grad_norm(&params, 0.5)) && dl_grad(a)[0] == 1);
    drop();
}

Test(clipping, by_value)
{
    dl_tensor *a = dl_param(&params, "a", DL_SHAPE(37));
    float *g = draws(37, 2);
    g[3] = INFINITY;
    g[5] = -INFINITY;
    g[6] = NAN;
    give(a, g);
    dl_clip_grad_value(&params, 0.5);
    for (int i = 0; i < 37; i++)
        cr_assert(i == 6 ? isnan(dl_grad(a)[i]) : dl_grad(a)[i] == (dl_real)fmax(-0.5, fmin(0.5, g[i])), "%d", i);
    drop();
    free(g);
}

/* ---- Schedules ------------------------------------------------------------------------------------------------- */

Test(schedules, stay_at_their_ends)
{
    cr_assert(dl_schedule_cosine(0, 10, 0.1) == 1 && dl_schedule_cosine(10, 10, 0.1) == 0.1);
    cr_assert(dl_schedule_cosine(15, 10, 0.1) == 0.1 && dl_schedule_cosine(999, 10, 0.1) == 0.1);
    cr_assert(dl_schedule_warmup(0, 0, 0.1) == 1 && dl_schedule_warmup(5, 5, 0.1) == 1);
    cr_assert(dl_schedule_warmup_cosine(0, 4, 20, 0) == 0.25 && dl_schedule_warmup_cosine(3, 4, 20, 0) == 1);
    cr_assert(dl_schedule_warmup_cosine(4, 4, 20, 0) == 1 && dl_schedule_warmup_cosine(20, 4, 20, 0) == 0);
    cr_assert(fabs(dl_schedule_warmup_cosine(12, 4, 20, 0) - 0.5) < 1e-15);
    cr_assert(fabs(dl_schedule_one_cycle(500, 60, 0.3, 25, 1e4) - 1 / 25e4) < 1e-18);
    cr_assert(dl_schedule_one_cycle(0, 2, 0.3, 25, 1e4) == 1, "no step is left for the way up");
}

Test(schedules, a_plateau_counts_nan_as_bad)
{
    struct dl_plateau s;
    dl_plateau_init(&s, false);
    for (int t = 0; t < 11; t++)
        cr_assert(dl_plateau_next(&s, t == 0 ? 1 : NAN) == 1);
    cr_assert(dl_plateau_next(&s, NAN) == 0.1);
}

/* ---- L-BFGS ---------------------------------------------------------------------------------------------------- */

static double rosenbrock(int n, const double x[], double g[], void *context)
{
    double f = 0;
    memset(g, 0, (size_t)n * sizeof *g);
    for (int i = 0; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        f += 100 * a * a + b * b;
        g[i] += -400 * a * x[i] - 2 * b;
        g[i + 1] += 200 * a;
    }
    if (context != NULL)
        ++*(long *)context;
    return f;
}

/* H, n x n, from the definition: H <- (I - rho s y') H (I - rho y s') + rho s s'. */
static void widen(int n, double *h, const double *s, const double *y)
{
    double sy = 0, a[16 * 16], b[16 * 16] = {0}, out[16 * 16] = {0};
    for (int i = 0; i < n; i++)
        sy += s[i] * y[i];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            a[i * n + j] = (i == j) - s[i] * y[j] / sy;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                b[i * n + j] += a[i * n + k] * h[k * n + j];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            for (int k = 0; k < n; k++)
                out[i * n + j] += b[i * n + k] * a[j * n + k];
            h[i * n + j] = out[i * n + j] + s[i] * s[j] / sy;
        }
}

/* Each step lies on -H g, with H from the last `memory` pairs. */
Test(lbfgs, steps_along_the_inverse_hessian_of_its_definition)
{
    enum { N = 6, MEMORY = 4 };
    double x[N] = {-1.2, 1, -0.5, 0.3, 2, -1}, s[100][N], y[100][N];
    int pairs = 0;
    struct dl_lbfgs l;
    dl_lbfgs_init(&l, rosenbrock, NULL, N, x, MEMORY);
    for (int t = 0; t < 40; t++) {
        double before[N], g[N], h[N * N] = {0}, d[N] = {0};
        memcpy(before, l.x, sizeof before);
        memcpy(g, l.g, sizeof g);
        cr_assert(dl_lbfgs_step(&l), "step %d", t);
        if (pairs > 0) {
            double sy = 0, yy = 0;
            for (int i = 0; i < N; i++) {
                sy += s[pairs - 1][i] * y[pairs - 1][i];
                yy += y[pairs - 1][i] * y[pairs - 1][i];
            }
            for (int i = 0; i < N; i++)
                h[i * N + i] = sy / yy;
            for (int k = pairs > MEMORY ? pairs - MEMORY : 0; k < pairs; k++)
                widen(N, h, s[k], y[k]);
            double dd = 0, dm = 0, mm = 0;
            for (int i = 0; i < N; i++) {
                for (int j = 0; j < N; j++)
                    d[i] -= h[i * N + j] * g[j];
                double moved = l.x[i] - before[i];
                dd += d[i] * d[i], dm += d[i] * moved, mm += moved * moved;
            }
            cr_assert(dm / sqrt(dd * mm) > 1 - 1e-9, "step %d: cosine %.12g", t, dm / sqrt(dd * mm));
            double share = sqrt(mm / dd), power = log2(share);
            cr_assert(fabs(power - nearbyint(power)) < 1e-6 && power < 1e-6, "step %d: %g of it", t, share);
        }
        double curvature = 0;
        for (int i = 0; i < N; i++) {
            s[pairs][i] = l.x[i] - before[i];
            y[pairs][i] = l.g[i] - g[i];
            curvature += s[pairs][i] * y[pairs][i];
        }
        double changed = 0;
        for (int i = 0; i < N; i++)
            changed += y[pairs][i] * y[pairs][i];
        if (curvature > 1e-10 * changed)
            pairs++;
    }
    dl_lbfgs_free(&l);
}

Test(lbfgs, finds_the_minimum_of_rosenbrocks_function)
{
    long calls = 0;
    double x[2] = {-1.2, 1};
    struct dl_lbfgs l;
    dl_lbfgs_init(&l, rosenbrock, &calls, 2, x, 8);
    int steps = 0;
    while (steps < 200 && dl_lbfgs_step(&l))
        steps++;
    cr_assert(l.value < 1e-20 && fabs(l.x[0] - 1) < 1e-9 && steps < 60 && calls == l.calls, "%d steps, %g", steps,
              l.value);
    cr_assert(x[0] == -1.2, "the first point is copied");
    dl_lbfgs_free(&l);
}

/* ---- Misuse ---------------------------------------------------------------------------------------------------- */

Test(misuse, numbers_out_of_range_are_refused_by_name)
{
    struct dl_hyper good = dl_hyper_default(&dl_adam), h;
    dl_param(&params, "p", DL_SHAPE(1));
#define REFUSED(update, field, value)                                         \
    h = good;                                                                 \
    h.field = value;                                                          \
    fails_with(dl_optimizer_init(&optimizer, &update, &params, h), update.name, #field)
    REFUSED(dl_sgd, lr, -1);
    REFUSED(dl_sgd, lr, NAN);
    REFUSED(dl_sgd, lr, INFINITY);
    REFUSED(dl_sgd, momentum, -0.1);
    REFUSED(dl_sgd, weight_decay, -0.1);
    REFUSED(dl_adam, beta1, 1);
    REFUSED(dl_adam, beta1, -0.1);
    REFUSED(dl_adamw, beta2, 1.5);
    REFUSED(dl_adamw, eps, -1);
    REFUSED(dl_rmsprop, alpha, 1);
    REFUSED(dl_adadelta, rho, -1);
    REFUSED(dl_adagrad, lr_decay, -1);
    REFUSED(dl_adagrad, initial, -1);
    REFUSED(dl_sgd, nesterov, true);
    h = good;
    h.nesterov = true;
    h.momentum = 0.9;
    h.dampening = 0.1;
    fails_with(dl_optimizer_init(&optimizer, &dl_sgd, &params, h), "nesterov", "dampening");
    dl_params_free(&params);
}

Test(misuse, of_the_optimiser)
{
    fails_with(dl_optimizer_init(&optimizer, NULL, &params, hyper(&dl_sgd, 1)), "rule is NULL");
    fails_with(dl_optimizer_init(&optimizer, &dl_sgd, NULL, hyper(&dl_sgd, 1)), "parameters is NULL");
    fails_with(dl_hyper_default(NULL), "rule is NULL");
    dl_tensor *p = single(&dl_sgd, hyper(&dl_sgd, 1), DL_SHAPE(2), 0);
    fails_with(dl_optimizer_group(&optimizer, 0, 2, &dl_sgd, hyper(&dl_sgd, 1)), "parameters 0 to 1 of 1");
    fails_with(dl_optimizer_group(&optimizer, -1, 1, &dl_sgd, hyper(&dl_sgd, 1)), "parameters -1");
    fails_with(dl_optimizer_group(&optimizer, 0, 1, &dl_sgd, hyper(&dl_sgd, -1)), "lr");
    fails_with(dl_optimizer_scale(&optimizer, -1), "factor");
    fails_with(dl_optimizer_scale(&optimizer, NAN), "factor");
    give(p, (float[]){1, 1});
    dl_optimizer_step(&optimizer);
    fails_with(dl_optimizer_group(&optimizer, 0, 1, &dl_sgd, hyper(&dl_sgd, 1)), "after 1 steps");
    dl_param(&params, "late", DL_SHAPE(2));
    fails_with(dl_optimizer_step(&optimizer), "2 parameters, but 1");
    drop();
    fails_with(dl_optimizer_step(&optimizer), "freed");
    p = single(&dl_muon, hyper(&dl_muon, 1), DL_SHAPE(4), 0);
    give(p, (float[]){1, 1, 1, 1});
    fails_with(dl_optimizer_step(&optimizer), "muon", "[4]");
    fails_with(dl_clip_grad_norm(&params, -1), "length is -1");
    fails_with(dl_clip_grad_value(&params, NAN), "limit");
    drop();
}

Test(misuse, of_schedules_and_lbfgs)
{
    struct dl_lbfgs l;
    fails_with(dl_schedule_step(-1, 1, 0.5), "step -1");
    fails_with(dl_schedule_step(1, 0, 0.5), "every 0");
    fails_with(dl_schedule_cosine(1, 0, 0.5), "of 0");
    fails_with(dl_schedule_warmup(1, -1, 0.5), "-1 steps");
    fails_with(dl_schedule_warmup_cosine(1, 5, 5, 0), "5 in all");
    fails_with(dl_schedule_one_cycle(1, 10, 1, 25, 1e4), "share 1");
    fails_with(dl_lbfgs_init(&l, NULL, NULL, 1, (double[]){1}, 3), "function is NULL");
    fails_with(dl_lbfgs_init(&l, rosenbrock, NULL, 2, (double[]){1, 1}, 0), "0 steps");
}

/* ---- The program ----------------------------------------------------------------------------------------------- */

/* Exit status of the program; the number of lines that it wrote on stderr. */
static int status_of(const char *arguments, int *lines)
{
    char command[300];
    snprintf(command, sizeof command, "%s/bowls %s 2>&1 >/dev/null </dev/null", BUILD, arguments);
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    *lines = 0;
    for (int c; (c = fgetc(f)) != EOF; )
        *lines += c == '\n';
    int status = pclose(f);
    bool exited = WIFEXITED(status);
    cr_assert(exited, "%s", command);
    return WEXITSTATUS(status);
}

Test(bowls, wrong_arguments_are_refused_in_one_line)
{
    const char *wrong[] = {"--unknown", "word", "--paths=1", "--help=1", "--paths --rates", "--rates --rates",
                           "--conditions x", "-p", "''", "--paths --conditions", "--paths=", "-", "-- x", "--paths --unknown"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int lines, status = status_of(wrong[i], &lines);
        cr_assert(status == 2 && lines == 1, "bowls %s: status %d, %d lines", wrong[i], status, lines);
    }
}

Test(bowls, runs_and_notices_a_full_device)
{
    int lines, status = status_of("--help", &lines);
    cr_assert(status == 0 && lines == 0);
    status = status_of("--conditions", &lines);
    cr_assert(status == 0 && lines == 0);
    char command[300];
    snprintf(command, sizeof command, "%s/bowls --rates 2>/dev/null >/dev/full </dev/null", BUILD);
    status = system(command);
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    cr_assert(refused);
}
