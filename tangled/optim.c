/* optim.c - rules that change parameters by their gradients. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "autograd.h"
#include "base.h"
#include "gemm.h"
#include "kernels.h"
#include "memory.h"
#include "optim.h"
#include "optim_table.h"
#include "parallel.h"

static const struct update_table *loops(void)
{
#if defined __x86_64__ && !defined DL_DOUBLE
    enum dl_simd set = dl_get_simd();
    if (set != DL_SIMD_PLAIN)
        return set == DL_SIMD_AVX2 ? &dl_updates_avx2 : &dl_updates_avx512;
#endif
    return &dl_updates_plain;
}

enum { GRAIN = 16384 };

struct work {
    update_kernel *loop;
    const struct update_numbers *numbers;
    const dl_real *g;
    dl_real *p, *state[DL_MAX_STATES];
};

static void run_part(size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    dl_real *s[DL_MAX_STATES];
    for (int k = 0; k < DL_MAX_STATES; k++)
        s[k] = w->state[k] != NULL ? w->state[k] + begin : NULL;
    w->loop(end - begin, w->p + begin, w->g + begin, s, w->numbers);
}

static void run(update_kernel *loop, const struct dl_change *x,
                const struct update_numbers *numbers)
{
    if (x->n <= GRAIN) {
        loop(x->n, x->p, x->g, x->state, numbers);
        return;
    }
    struct work w = {loop, numbers, x->g, x->p,
                     {x->state[0], x->state[1], x->state[2]}};
    dl_parallel_for(x->n, GRAIN, run_part, &w);
}

static bool sgd_uses(const struct dl_hyper *h, int k)
{
    (void)k;
    return h->momentum > 0;
}

static void sgd_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    const struct update_table *f = loops();
    struct update_numbers c = {
        .rate = (dl_real)h->lr,
        .decay = (dl_real)h->weight_decay,
        .keep = x->t == 1 ? 0 : (dl_real)h->momentum,
        .take = x->t == 1 ? 1 : (dl_real)(1 - h->dampening),
        .ahead = (dl_real)h->momentum,
    };
    run(h->momentum == 0 ? f->sgd : h->nesterov ? f->nesterov : f->momentum,
        x, &c);
}

const struct dl_update dl_sgd = {
    .name = "sgd", .usual = {.lr = 0.001},
    .state = {"momentum_buffer"}, .uses = sgd_uses, .apply = sgd_apply,
};

static void adagrad_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    double rate = h->lr / (1 + (double)(x->t - 1) * h->lr_decay);
    run(loops()->adagrad, x, &(struct update_numbers){
        .rate = (dl_real)rate, .eps = (dl_real)h->eps,
        .decay = (dl_real)h->weight_decay});
}

const struct dl_update dl_adagrad = {
    .name = "adagrad", .usual = {.lr = 0.01, .eps = 1e-10},
    .state = {"sum"}, .apply = adagrad_apply,
};

static bool rmsprop_uses(const struct dl_hyper *h, int k)
{
    return k == 0 || (k == 1 ? h->momentum > 0 : h->centered);
}

static void rmsprop_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    const struct update_table *f = loops();
    update_kernel *loop =
        h->centered ? h->momentum > 0 ? f->rmsprop_both : f->rmsprop_centered
                    : h->momentum > 0 ? f->rmsprop_momentum : f->rmsprop;
    run(loop, x, &(struct update_numbers){
        .rate = (dl_real)h->lr, .eps = (dl_real)h->eps,
        .decay = (dl_real)h->weight_decay,
        .keep = (dl_real)h->momentum, .mix2 = (dl_real)(1 - h->alpha)});
}

const struct dl_update dl_rmsprop = {
    .name = "rmsprop", .usual = {.lr = 0.01, .alpha = 0.99, .eps = 1e-8},
    .state = {"square_avg", "momentum_buffer", "grad_avg"},
    .uses = rmsprop_uses, .apply = rmsprop_apply,
};

static void adadelta_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    run(loops()->adadelta, x, &(struct update_numbers){
        .rate = (dl_real)h->lr, .eps = (dl_real)h->eps,
        .decay = (dl_real)h->weight_decay,
        .mix2 = (dl_real)(1 - h->rho)});
}

const struct dl_update dl_adadelta = {
    .name = "adadelta", .usual = {.lr = 1, .rho = 0.9, .eps = 1e-6},
    .state = {"square_avg", "acc_delta"}, .apply = adadelta_apply,
};

static bool adam_uses(const struct dl_hyper *h, int k)
{
    return k < 2 || h->amsgrad;
}

static void adam_step(const struct dl_change *x, double decay, double lose)
{
    const struct dl_hyper *h = x->h;
    double first = 1 / (1 - pow(h->beta1, (double)x->t));
    double second = 1 / (1 - pow(h->beta2, (double)x->t));
    struct update_numbers c = {
        .rate = (dl_real)(h->lr * first), .lose = (dl_real)lose,
        .decay = (dl_real)decay, .eps = (dl_real)h->eps,
        .mix1 = (dl_real)(1 - h->beta1), .mix2 = (dl_real)(1 - h->beta2),
        .scale = (dl_real)sqrt(second),
    };
    run(h->amsgrad ? loops()->amsgrad : loops()->adam, x, &c);
}

static void adam_apply(const struct dl_change *x)
{
    adam_step(x, x->h->weight_decay, 0);
}

static void adamw_apply(const struct dl_change *x)
{
    adam_step(x, 0, x->h->lr * x->h->weight_decay);
}

const struct dl_update dl_adam = {
    .name = "adam",
    .usual = {.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
    .state = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .uses = adam_uses, .apply = adam_apply,
};

const struct dl_update dl_adamw = {
    .name = "adamw",
    .usual = {.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8,
              .weight_decay = 0.01},
    .state = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .uses = adam_uses, .apply = adamw_apply,
};

/* p = (1 - lose) p - rate u */
static void move(const struct dl_change *x, const dl_real *u, double rate,
                 double lose)
{
    struct dl_change y = {.n = x->n, .p = x->p, .g = u};
    run(loops()->sgd, &y, &(struct update_numbers){
        .rate = (dl_real)rate, .lose = (dl_real)lose});
}

static double length(size_t n, const dl_real *x)
{
    return sqrt((double)dl_vdot(n, x, x));
}

static void lamb_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    double second = 1 / (1 - pow(h->beta2, (double)x->t));
    dl_real *u = dl_pool_get(x->n * sizeof *u);
    struct dl_change y = *x;
    y.state[2] = u;
    run(loops()->lamb, &y, &(struct update_numbers){
        .mix1 = (dl_real)(1 - h->beta1), .mix2 = (dl_real)(1 - h->beta2),
        .first = (dl_real)(1 / (1 - pow(h->beta1, (double)x->t))),
        .scale = (dl_real)sqrt(second), .eps = (dl_real)h->eps,
        .rate = (dl_real)h->weight_decay});
    double size = length(x->n, x->p), step = length(x->n, u);
    double trust = size > 0 && step > 0 ? size / step : 1;
    move(x, u, h->lr * trust, 0);
    dl_pool_put(u, x->n * sizeof *u);
}

const struct dl_update dl_lamb = {
    .name = "lamb",
    .usual = {.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-6},
    .state = {"exp_avg", "exp_avg_sq"}, .apply = lamb_apply,
};

/* Make the singular values of u, rows x cols, nearly 1: five times
   U = a U + (b S + c S^2) U with S = U U^T, after division by the length.
   Of the two products U U^T and U^T U the smaller one serves. */
static void orthogonalise(dl_real *u, int rows, int cols, double eps)
{
    const dl_real a = (dl_real)3.4445, b = (dl_real)-4.7750,
                  c = (dl_real)2.0315;
    size_t n = (size_t)rows * (size_t)cols;
    bool wide = rows <= cols;
    int m = wide ? rows : cols;
    size_t mm = (size_t)m * (size_t)m;
    dl_real *s = dl_pool_get(mm * sizeof *s);
    dl_real *q = dl_pool_get(mm * sizeof *q);
    dl_real *next = dl_pool_get(n * sizeof *next);
    dl_vscale(n, (dl_real)(1 / (length(n, u) + eps)), u, u);
    for (int k = 0; k < 5; k++)
        {
            dl_gemm(!wide, wide, m, m, wide ? cols : rows,
                    1, u, cols, u, cols, 0, s, m);
            dl_vscale(mm, b, s, q);
            dl_gemm(false, false, m, m, m, c, s, m, s, m, 1, q, m);
            dl_vscale(n, a, u, next);
            if (wide)
                dl_gemm(false, false, rows, cols, m,
                        1, q, m, u, cols, 1, next, cols);
            else
                dl_gemm(false, false, rows, cols, m,
                        1, u, cols, q, m, 1, next, cols);
            dl_vscale(n, 1, next, u);
        }
    dl_pool_put(next, n * sizeof *next);
    dl_pool_put(q, mm * sizeof *q);
    dl_pool_put(s, mm * sizeof *s);
}

static void muon_apply(const struct dl_change *x)
{
    const struct dl_hyper *h = x->h;
    dl_check(x->shape.rank == 2, "muon takes matrices, not a parameter of "
             "shape %s: give that to a group with another rule",
             DL_SHAPE_TEXT(x->shape));
    if (x->n == 0)
        return;
    int rows = x->shape.dim[0], cols = x->shape.dim[1];
    dl_real *u = dl_pool_get(x->n * sizeof *u);
    struct dl_change y = *x;
    y.state[2] = u;
    run(loops()->muon, &y, &(struct update_numbers){
        .keep = (dl_real)h->momentum, .take = h->nesterov,
        .ahead = h->nesterov ? (dl_real)h->momentum : 1});
    orthogonalise(u, rows, cols, h->eps);
    move(x, u, h->lr * sqrt(fmax(1, (double)rows / cols)),
         h->lr * h->weight_decay);
    dl_pool_put(u, x->n * sizeof *u);
}

const struct dl_update dl_muon = {
    .name = "muon",
    .usual = {.lr = 0.02, .momentum = 0.95, .nesterov = true, .eps = 1e-7},
    .state = {"momentum_buffer"}, .apply = muon_apply,
};

#define FIELD(name, end) {#name, offsetof(struct dl_hyper, name), end}
static const struct { const char *name; size_t at; double end; } fields[] = {
    FIELD(lr, INFINITY), FIELD(momentum, INFINITY),
    FIELD(dampening, INFINITY), FIELD(beta1, 1), FIELD(beta2, 1),
    FIELD(alpha, 1), FIELD(rho, 1), FIELD(eps, INFINITY),
    FIELD(weight_decay, INFINITY), FIELD(lr_decay, INFINITY),
    FIELD(initial, INFINITY),
};

static void check_hyper(const struct dl_update *update,
                        const struct dl_hyper *h)
{
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        double x = *(const double *)((const char *)h + fields[k].at);
        dl_check(x >= 0 && x < fields[k].end, "%s: %s is %g, which is not "
                 "at least 0 and less than %g", update->name, fields[k].name,
                 x, fields[k].end);
    }
    dl_check(update != &dl_sgd || !h->nesterov
             || (h->momentum > 0 && h->dampening == 0), "sgd: nesterov needs "
             "a momentum (it is %g) and no dampening (it is %g)",
             h->momentum, h->dampening);
}

struct dl_slot {
    dl_tensor *t, *state[DL_MAX_STATES];
    int group;
};

struct dl_hyper dl_hyper_default(const struct dl_update *update)
{
    dl_check(update != NULL, "the rule is NULL");
    return update->usual;
}

static dl_tensor *new_state(struct dl_optimizer *o, const char *what,
                            const struct dl_param *p, struct dl_shape shape,
                            dl_real x)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", what, p->name);
    dl_tensor *t = dl_param(&o->state, name, shape);
    t->requires_grad = false;
    dl_fill(t, x);
    return t;
}

static void make_state(struct dl_optimizer *o)
{
    dl_params_free(&o->state);
    for (int k = 0; k < o->slots; k++) {
        const struct dl_param *p = &o->params->list[k];
        struct dl_slot *slot = &o->slot[k];
        const struct dl_update *u = o->group[slot->group].update;
        const struct dl_hyper *h = &o->group[slot->group].hyper;
        slot->t = new_state(o, "step", p, DL_SHAPE(), 0);
        for (int s = 0; s < DL_MAX_STATES; s++)
            slot->state[s] =
                u->state[s] == NULL || (u->uses != NULL && !u->uses(h, s))
                ? NULL : new_state(o, u->state[s], p, p->tensor->shape,
                                   (dl_real)h->initial);
    }
}

static void set_group(struct dl_optimizer *o, int k,
                      const struct dl_update *update, struct dl_hyper h)
{
    o->group[k] = (struct dl_group){update, h, h.lr};
}

void dl_optimizer_init(struct dl_optimizer *o, const struct dl_update *update,
                       struct dl_params *params, struct dl_hyper h)
{
    dl_check(o != NULL && update != NULL && params != NULL, "%s is NULL",
             o == NULL ? "the optimiser" : update == NULL ? "the rule"
             : "the list of parameters");
    check_hyper(update, &h);
    *o = (struct dl_optimizer){.params = params, .update = update,
                               .groups = 1, .slots = params->n};
    set_group(o, 0, update, h);
    o->slot = dl_alloc((size_t)params->n, sizeof *o->slot);
    for (int k = 0; k < o->slots; k++)
        o->slot[k].group = 0;
    make_state(o);
}

void dl_optimizer_free(struct dl_optimizer *o)
{
    dl_check(o != NULL, "the optimiser is NULL");
    dl_params_free(&o->state);
    free(o->slot);
    o->slot = NULL;
    o->slots = 0;
}

int dl_optimizer_group(struct dl_optimizer *o, int first, int n,
                       const struct dl_update *update, struct dl_hyper h)
{
    dl_check(update != NULL, "the rule is NULL");
    dl_check(o->steps == 0, "a group after %lld steps: groups are made "
             "before the first", (long long)o->steps);
    dl_check(o->groups < DL_MAX_GROUPS, "more than %d groups", DL_MAX_GROUPS);
    dl_check(first >= 0 && n >= 0 && n <= o->slots - first, "parameters %d "
             "to %d of %d", first, first + n - 1, o->slots);
    check_hyper(update, &h);
    set_group(o, o->groups, update, h);
    for (int k = first; k < first + n; k++)
        o->slot[k].group = o->groups;
    make_state(o);
    return o->groups++;
}

void dl_optimizer_scale(struct dl_optimizer *o, double factor)
{
    dl_check(factor >= 0 && factor < INFINITY, "the factor is %g", factor);
    for (int k = 0; k < o->groups; k++)
        o->group[k].hyper.lr = factor * o->group[k].base_lr;
}

void dl_optimizer_step(struct dl_optimizer *o)
{
    dl_check(o != NULL && o->slot != NULL, "the optimiser is %s",
             o == NULL ? "NULL" : "not initialised, or was freed");
    dl_check(o->params->n == o->slots, "%d parameters, but %d when the "
             "optimiser was initialised", o->params->n, o->slots);
    o->steps++;
    for (int k = 0; k < o->slots; k++) {
        dl_tensor *p = o->params->list[k].tensor;
        const dl_real *g = dl_grad(p);
        if (g != NULL)
            {
                const struct dl_slot *slot = &o->slot[k];
                const struct dl_group *group = &o->group[slot->group];
                dl_real *t = dl_data(slot->t);
                *t += 1;
                struct dl_change x = {
                    .h = &group->hyper, .t = (int64_t)*t,
                    .shape = p->shape, .n = p->size, .p = dl_data(p), .g = g};
                for (int s = 0; s < DL_MAX_STATES; s++)
                    if (slot->state[s] != NULL)
                        x.state[s] = dl_data(slot->state[s]);
                group->update->apply(&x);
                dl_touch(p);
            }
    }
}

static dl_real *gradient(const struct dl_params *p, int k)
{
    return (dl_real *)dl_grad(p->list[k].tensor);
}

/* The sum of squares, in double where float would overflow. */
static double squares(size_t n, const dl_real *x)
{
    double sum = (double)dl_vdot(n, x, x);
    if (sum > 1e-30 && sum < 1e30)
        return sum;
    sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double dl_clip_grad_norm(struct dl_params *p, double max)
{
    dl_check(p != NULL, "the list of parameters is NULL");
    dl_check(max >= 0, "the largest length is %g", max);
    double sum = 0;
    for (int k = 0; k < p->n; k++)
        if (gradient(p, k) != NULL)
            sum += squares(p->list[k].tensor->size, gradient(p, k));
    double norm = sqrt(sum);
    if (!(norm > max && norm < INFINITY))
        return norm;
    dl_real factor = (dl_real)(max / norm);
    for (int k = 0; k < p->n; k++)
        if (gradient(p, k) != NULL)
            dl_vscale(p->list[k].tensor->size, factor, gradient(p, k),
                      gradient(p, k));
    return norm;
}

void dl_clip_grad_value(struct dl_params *p, double limit)
{
    dl_check(p != NULL, "the list of parameters is NULL");
    dl_check(limit >= 0, "the limit is %g", limit);
    for (int k = 0; k < p->n; k++)
        if (gradient(p, k) != NULL)
            loops()->clamp(p->list[k].tensor->size, (dl_real)limit,
                           gradient(p, k));
}
