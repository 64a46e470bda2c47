/* simd_optim.c - the loops of the optimisers' rules, compiled once for each
   instruction set; the macro SIMD is its name. */
#include <stdbool.h>
#include "optim_table.h"
#include "simd.h"

typedef const struct update_numbers numbers;

/* Moves the parameters p, given d, their gradient with decay; a, b and c
   are the states. Returns the new parameters. */
typedef vec rule(vec p, vec d, vec *a, vec *b, vec *c, numbers *k);

enum { A = 1, B = 2, C = 4 };           /* which states there are */
struct places { dl_real *p; const dl_real *g; dl_real *a, *b, *c; };

INLINE void update_some(struct places at, size_t i, size_t left, int uses,
                        numbers *k, rule f)
{
    vec p = vec_load_some(at.p + i, left, 0), a = {0}, b = {0}, c = {0};
    vec g = vec_load_some(at.g + i, left, 0);
    if (uses & A)
        a = vec_load_some(at.a + i, left, 0);
    if (uses & B)
        b = vec_load_some(at.b + i, left, 0);
    if (uses & C)
        c = vec_load_some(at.c + i, left, 0);
    p = f(p, vec_fma(vec_all(k->decay), p, g), &a, &b, &c, k);
    vec_store_some(at.p + i, p, left);
    if (uses & A)
        vec_store_some(at.a + i, a, left);
    if (uses & B)
        vec_store_some(at.b + i, b, left);
    if (uses & C)
        vec_store_some(at.c + i, c, left);
}

INLINE void update(size_t n, struct places at, int uses, numbers *given,
                   rule f)
{
    numbers k = *given;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        update_some(at, i, LANES, uses, &k, f);
    if (i < n)
        update_some(at, i, n - i, uses, &k, f);
}

/* (1 - lose) p - rate d */
INLINE vec descend(vec p, vec d, numbers *k)
{
    p = vec_fma(vec_all(-k->lose), p, p);
    return vec_fma(vec_all(-k->rate), d, p);
}

#define MAYBE __attribute__((unused))
#define RULE(name) \
    INLINE vec rule_##name(vec p, vec d, vec *a MAYBE, vec *b MAYBE, \
                           vec *c MAYBE, numbers *k)

RULE(sgd)
{
    return descend(p, d, k);
}

RULE(momentum)
{
    *a = vec_fma(vec_all(k->keep), *a, vec_all(k->take) * d);
    return descend(p, *a, k);
}

RULE(nesterov)
{
    *a = vec_fma(vec_all(k->keep), *a, vec_all(k->take) * d);
    return descend(p, vec_fma(vec_all(k->ahead), *a, d), k);
}

RULE(adagrad)
{
    *a = vec_fma(d, d, *a);
    return descend(p, d / (vec_sqrt(*a) + vec_all(k->eps)), k);
}

/* average + share (x - average) */
INLINE vec mixed(vec average, dl_real share, vec x)
{
    return vec_fma(vec_all(share), x - average, average);
}

INLINE vec by_root(vec p, vec d, vec *square, vec *buffer, vec *mean,
                   numbers *k, bool moving, bool centered)
{
    *square = mixed(*square, k->mix2, d * d);
    vec variance = *square;
    if (centered) {
        *mean = mixed(*mean, k->mix2, d);
        variance = vec_max(vec_all(0), vec_fma(-*mean, *mean, variance));
    }
    vec step = d / (vec_sqrt(variance) + vec_all(k->eps));
    if (!moving)
        return descend(p, step, k);
    *buffer = vec_fma(vec_all(k->keep), *buffer, step);
    return descend(p, *buffer, k);
}

RULE(rmsprop) { return by_root(p, d, a, b, c, k, false, false); }
RULE(rmsprop_momentum) { return by_root(p, d, a, b, c, k, true, false); }
RULE(rmsprop_centered) { return by_root(p, d, a, b, c, k, false, true); }
RULE(rmsprop_both) { return by_root(p, d, a, b, c, k, true, true); }

RULE(adadelta)
{
    const vec eps = vec_all(k->eps);
    *a = mixed(*a, k->mix2, d * d);
    vec step = vec_sqrt(*b + eps) / vec_sqrt(*a + eps) * d;
    *b = mixed(*b, k->mix2, step * step);
    return descend(p, step, k);
}

/* m / (sqrt(v) scale + eps) */
INLINE vec quotient(vec m, vec v, numbers *k)
{
    return m / vec_fma(vec_sqrt(v), vec_all(k->scale), vec_all(k->eps));
}

RULE(adam)
{
    *a = mixed(*a, k->mix1, d);
    *b = mixed(*b, k->mix2, d * d);
    return descend(p, quotient(*a, *b, k), k);
}

RULE(amsgrad)
{
    *a = mixed(*a, k->mix1, d);
    *b = mixed(*b, k->mix2, d * d);
    *c = vec_max(*c, *b);
    return descend(p, quotient(*a, *c, k), k);
}

/* The direction goes to c; p stays as it is. */
RULE(lamb)
{
    *a = mixed(*a, k->mix1, d);
    *b = mixed(*b, k->mix2, d * d);
    vec u = quotient(vec_all(k->first) * *a, *b, k);
    *c = vec_fma(vec_all(k->rate), p, u);
    return p;
}

RULE(muon)
{
    *a = vec_fma(vec_all(k->keep), *a, d);
    *c = vec_fma(vec_all(k->ahead), *a, vec_all(k->take) * d);
    return p;
}

static void clamp(size_t n, dl_real limit, dl_real *x)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec v = vec_load_some(x + i, n - i, 0);
        v = vec_max(vec_all(-limit), vec_min(vec_all(limit), v));
        vec_store_some(x + i, v, n - i);
    }
}

#define DEFINE_UPDATE(name, uses) \
    static void name(size_t n, dl_real *p, const dl_real *g, \
                     dl_real *const s[], numbers *k) \
    { \
        update(n, (struct places){p, g, s[0], s[1], s[2]}, uses, k, \
               rule_##name); \
    }
DEFINE_UPDATE(sgd, 0)
DEFINE_UPDATE(momentum, A)
DEFINE_UPDATE(nesterov, A)
DEFINE_UPDATE(adagrad, A)
DEFINE_UPDATE(adadelta, A | B)
DEFINE_UPDATE(rmsprop, A)
DEFINE_UPDATE(rmsprop_momentum, A | B)
DEFINE_UPDATE(rmsprop_centered, A | C)
DEFINE_UPDATE(rmsprop_both, A | B | C)
DEFINE_UPDATE(adam, A | B)
DEFINE_UPDATE(amsgrad, A | B | C)
DEFINE_UPDATE(lamb, A | B | C)
DEFINE_UPDATE(muon, A | C)

#define PASTE(a, b) a##b
#define TABLE(set) PASTE(dl_updates_, set)
#define ENTRY_UPDATE(name) .name = name,
const struct update_table TABLE(SIMD) = {
    EACH_UPDATE(ENTRY_UPDATE)
    .clamp = clamp,
};
