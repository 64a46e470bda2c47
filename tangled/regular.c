/* regular.c - dropout, early stopping, averaged weights. */
#include <math.h>
#include "base.h"
#include "basic.h"
#include "memory.h"
#include "pointwise.h"
#include "regular.h"

dl_tensor *dl_dropout(dl_tensor *x, double p, struct dl_random *r)
{
    dl_check_tensor(x);
    dl_check(p >= 0 && p <= 1, "dropout with a probability of %g", p);
    dl_check(r != NULL || p == 0 || p == 1, "the generator is NULL");
    dl_check(dl_scope_is_open(), "dropout outside of all scopes");
    if (p == 0)
        return x;
    if (p == 1)
        return dl_mul_scalar(x, 0);
    dl_tensor *mask = dl_empty(x->shape);
    dl_real *m = dl_data(mask), scale = 1 / (dl_real)(1 - p);
    for (size_t i = 0; i < mask->size; i++)
        m[i] = dl_random_uniform_double(r) < 1 - p ? scale : 0;
    return dl_mul(x, mask);
}

void dl_early_stopping_init(struct dl_early_stopping *e, int patience,
                            bool larger_is_better)
{
    dl_check(patience > 0, "a patience of %d checks", patience);
    *e = (struct dl_early_stopping){
        .patience = patience, .larger_is_better = larger_is_better,
        .best = larger_is_better ? -INFINITY : INFINITY, .where = -1};
}

bool dl_early_stopping_check(struct dl_early_stopping *e, double measured)
{
    if (e->larger_is_better ? measured > e->best + e->min_delta
                            : measured < e->best - e->min_delta) {
        e->best = measured;
        e->where = e->checks;
    }
    e->checks++;
    return e->checks - 1 - e->where >= e->patience;
}

void dl_average_init(struct dl_average *a, struct dl_params *params,
                     double decay)
{
    dl_check(a != NULL && params != NULL, "%s", a == NULL
             ? "the average is NULL" : "the list of parameters is NULL");
    dl_check(decay >= 0 && decay < 1, "averages with a decay of %g", decay);
    *a = (struct dl_average){.params = params, .decay = decay};
    for (int k = 0; k < params->n; k++) {
        const struct dl_param *p = &params->list[k];
        dl_tensor *m = dl_param(&a->mean, p->name, p->tensor->shape);
        m->requires_grad = false;
        dl_fill(m, 0);
    }
}

void dl_average_free(struct dl_average *a)
{
    dl_check(a != NULL, "the average is NULL");
    dl_params_free(&a->mean);
}

static void check_average(const struct dl_average *a)
{
    dl_check(a != NULL && a->params != NULL, "the average is %s",
             a == NULL ? "NULL" : "not initialised");
    dl_check(a->mean.n == a->params->n, "%d parameters, but %d when the "
             "average was initialised", a->params->n, a->mean.n);
}

void dl_average_update(struct dl_average *a)
{
    check_average(a);
    dl_check(!a->swapped, "the parameters are swapped with their mean");
    double share = a->n == 0 || a->decay == 0 ? 1.0 / (double)(a->n + 1)
                                              : 1 - a->decay;
    for (int k = 0; k < a->mean.n; k++) {
        const dl_real *p = dl_data(a->params->list[k].tensor);
        dl_real *m = dl_data(a->mean.list[k].tensor);
        for (size_t i = 0; i < a->mean.list[k].tensor->size; i++)
            m[i] = a->n == 0 ? p[i] : m[i] + (dl_real)share * (p[i] - m[i]);
        dl_touch(a->mean.list[k].tensor);
    }
    a->n++;
}

void dl_average_swap(struct dl_average *a)
{
    check_average(a);
    dl_check(a->n > 0, "nothing was averaged yet");
    for (int k = 0; k < a->mean.n; k++) {
        dl_tensor *p = a->params->list[k].tensor;
        dl_tensor *m = a->mean.list[k].tensor;
        for (size_t i = 0; i < p->size; i++) {
            dl_real x = dl_data(p)[i];
            dl_data(p)[i] = dl_data(m)[i];
            dl_data(m)[i] = x;
        }
        dl_touch(p);
        dl_touch(m);
    }
    a->swapped = !a->swapped;
}
