/* pointwise.c - recorded operations on single elements. */
#include <stdbool.h>
#include <tgmath.h>
#include "autograd.h"
#include "base.h"
#include "broadcast.h"
#include "kernels.h"
#include "parallel.h"
#include "pointwise.h"

#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize ("O3", "no-trapping-math")
#endif

enum { GRAIN = 16384 };

/* What a loop works on. It is a dl_range_function, and writes to[i], or
   adds to it, for a range of i. */
struct arrays {
    const dl_real *a, *b;           /* operands; a map has only a */
    const dl_real *g;               /* the gradient of the result */
    dl_real *to, c[2];
    bool add;
};

/* A loop by the name of `name` that computes an expression in x or y
   (whichever was saved), g and the numbers c, d. */
#define MAP_LOOP(name, expression) \
    static void name(size_t begin, size_t end, void *context) \
    { \
        const struct arrays s = *(const struct arrays *)context; \
        const dl_real c = s.c[0], d = s.c[1]; \
        (void)c, (void)d; \
        for (size_t i = begin; i < end; i++) { \
            dl_real x = s.a[i], y = x, g = s.g[i]; \
            (void)y, (void)g; \
            dl_real e = (expression); \
            s.to[i] = s.add ? s.to[i] + e : e; \
        } \
    }

/* The same in a, b and g. */
#define PAIR_LOOP(name, expression) \
    static void name(size_t begin, size_t end, void *context) \
    { \
        const struct arrays s = *(const struct arrays *)context; \
        for (size_t i = begin; i < end; i++) { \
            dl_real a = s.a[i], b = s.b[i], g = s.g[i]; \
            (void)a, (void)b, (void)g; \
            dl_real e = (expression); \
            s.to[i] = s.add ? s.to[i] + e : e; \
        } \
    }

/* One tensor in, one out. The rule begins with its op, so that a node's op
   leads to the rule. */
struct map {
    struct dl_op op;
    dl_range_function *forward, *backward;
    enum { NOTHING, INPUT, OUTPUT } saves;
};

static void map_backward(struct dl_node *node)
{
    const struct map *map = (const struct map *)node->op;
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    struct arrays s = {.g = dl_grad_out(node), .to = to, .add = beta != 0,
                       .c = {node->x[0], node->x[1]}};
    s.a = map->saves == NOTHING ? s.g : dl_saved(node, 0);
    dl_parallel_for(node->out->size, GRAIN, map->backward, &s);
}

static dl_tensor *apply(const struct map *map, dl_tensor *x,
                        dl_real c, dl_real d)
{
    dl_tensor *y = dl_empty(x->shape);
    struct arrays s = {.a = dl_data(x), .g = dl_data(x), .to = dl_data(y),
                       .c = {c, d}};
    dl_parallel_for(x->size, GRAIN, map->forward, &s);
    struct dl_node *node = dl_record(&map->op, y, 1, &x);
    if (node != NULL) {
        node->x[0] = c;
        node->x[1] = d;
    }
    if (map->saves != NOTHING)
        dl_save(node, map->saves == INPUT ? x : y);
    return y;
}

/* The public function for a map without numbers. */
#define DEFINE_MAP(name, saved) \
    dl_tensor *dl_##name(dl_tensor *x) \
    { \
        static const struct map map = {{#name, map_backward}, \
                                       name##_forward, name##_backward, \
                                       saved}; \
        dl_check_tensor(x); \
        return apply(&map, x, 0, 0); \
    }

#define MAP_OF_KERNELS(name, saved) \
    static void name##_forward(size_t begin, size_t end, void *context) \
    { \
        const struct arrays *s = context; \
        dl_v##name(end - begin, s->a + begin, s->to + begin); \
    } \
    static void name##_backward(size_t begin, size_t end, void *context) \
    { \
        const struct arrays *s = context; \
        dl_v##name##_backward(end - begin, s->a + begin, s->g + begin, \
                              s->to + begin, s->add); \
    } \
    DEFINE_MAP(name, saved)

MAP_OF_KERNELS(exp, OUTPUT)
MAP_OF_KERNELS(log, INPUT)
MAP_OF_KERNELS(sqrt, OUTPUT)
MAP_OF_KERNELS(erf, INPUT)
MAP_OF_KERNELS(sigmoid, OUTPUT)
MAP_OF_KERNELS(relu, OUTPUT)
MAP_OF_KERNELS(gelu, INPUT)
MAP_OF_KERNELS(gelu_tanh, INPUT)
MAP_OF_KERNELS(silu, INPUT)

#define MAP_OF_FORMULAS(name, saved, value, share) \
    MAP_LOOP(name##_forward, value) \
    MAP_LOOP(name##_backward, share) \
    DEFINE_MAP(name, saved)

MAP_OF_FORMULAS(neg, NOTHING, -x, -g)
MAP_OF_FORMULAS(abs, INPUT, fabs(x), x > 0 ? g : x < 0 ? -g : 0)
MAP_OF_FORMULAS(square, INPUT, x * x, g * (2 * x))
MAP_OF_FORMULAS(reciprocal, OUTPUT, 1 / x, -g * (y * y))
MAP_OF_FORMULAS(sin, INPUT, sin(x), g * cos(x))
MAP_OF_FORMULAS(cos, INPUT, cos(x), g * -sin(x))

#define DEFINE_MAP_WITH_NUMBER(name, c, saved) \
    dl_tensor *dl_##name(dl_tensor *x, dl_real c) \
    { \
        static const struct map map = {{#name, map_backward}, \
                                       name##_forward, name##_backward, \
                                       saved}; \
        dl_check_tensor(x); \
        return apply(&map, x, c, 0); \
    }

MAP_LOOP(add_scalar_forward, x + c)
MAP_LOOP(add_scalar_backward, g)
DEFINE_MAP_WITH_NUMBER(add_scalar, c, NOTHING)

MAP_LOOP(mul_scalar_forward, c * x)
MAP_LOOP(mul_scalar_backward, c * g)
DEFINE_MAP_WITH_NUMBER(mul_scalar, c, NOTHING)

MAP_LOOP(pow_scalar_forward, pow(x, c))
MAP_LOOP(pow_scalar_backward, c == 0 ? 0 : g * (c * pow(x, c - 1)))
DEFINE_MAP_WITH_NUMBER(pow_scalar, p, INPUT)

MAP_LOOP(leaky_relu_forward, x > 0 ? x : c * x)
MAP_LOOP(leaky_relu_backward, x > 0 ? g : c * g)
DEFINE_MAP_WITH_NUMBER(leaky_relu, slope, INPUT)

MAP_LOOP(clamp_forward, x < c ? c : x > d ? d : x)
MAP_LOOP(clamp_backward, x >= c && x <= d ? g : 0)

dl_tensor *dl_clamp(dl_tensor *x, dl_real low, dl_real high)
{
    static const struct map map = {{"clamp", map_backward}, clamp_forward,
                                   clamp_backward, INPUT};
    dl_check_tensor(x);
    dl_check(low <= high, "there is no number from %g to %g",
             (double)low, (double)high);
    return apply(&map, x, low, high);
}

enum { BLOCK = 512 };

/* The part of a range that begins at i and has at most BLOCK elements. */
static size_t part(size_t i, size_t end)
{
    return end - i < BLOCK ? end - i : BLOCK;
}

/* y = e^x - 1 for n <= BLOCK numbers x <= 0; not in place. */
static void exp_minus_one(size_t n, const dl_real *x, dl_real *y)
{
    dl_real u[BLOCK];
    dl_vexp(n, x, u);
    dl_vlog(n, u, y);
    for (size_t i = 0; i < n; i++)
        y[i] = u[i] == 1 ? x[i]
               : u[i] - 1 == -1 ? -1 : (u[i] - 1) * (x[i] / y[i]);
}

/* y = log(1 + e) for n <= BLOCK numbers 0 <= e <= 1; not in place. */
static void log_of_one_plus(size_t n, const dl_real *e, dl_real *y)
{
    dl_real u[BLOCK];
    for (size_t i = 0; i < n; i++)
        u[i] = 1 + e[i];
    dl_vlog(n, u, y);
    for (size_t i = 0; i < n; i++)
        y[i] = u[i] == 1 ? e[i] : y[i] * (e[i] / (u[i] - 1));
}

static void softplus_forward(size_t begin, size_t end, void *context)
{
    const struct arrays *s = context;
    dl_real e[BLOCK], l[BLOCK], beta = s->c[0];
    for (size_t i = begin, n; i < end; i += n) {
        n = part(i, end);
        for (size_t j = 0; j < n; j++)
            e[j] = -fabs(beta * s->a[i + j]);
        dl_vexp(n, e, e);
        log_of_one_plus(n, e, l);
        for (size_t j = 0; j < n; j++) {
            dl_real x = s->a[i + j];
            s->to[i + j] = (x > 0 ? x : 0) + l[j] / beta;
        }
    }
}

static void softplus_backward(size_t begin, size_t end, void *context)
{
    const struct arrays *s = context;
    dl_real p[BLOCK];
    for (size_t i = begin, n; i < end; i += n) {
        n = part(i, end);
        dl_vscale(n, s->c[0], s->a + i, p);
        dl_vsigmoid(n, p, p);
        if (s->add)
            dl_vmuladd(n, s->g + i, p, s->to + i);
        else
            dl_vmul(n, s->g + i, p, s->to + i);
    }
}

dl_tensor *dl_softplus(dl_tensor *x, dl_real beta)
{
    static const struct map map = {{"softplus", map_backward},
                                   softplus_forward, softplus_backward,
                                   INPUT};
    dl_check_tensor(x);
    dl_check(beta > 0, "beta is %g, not positive", (double)beta);
    return apply(&map, x, beta, 0);
}

static void elu_forward(size_t begin, size_t end, void *context)
{
    const struct arrays *s = context;
    dl_real below[BLOCK], v[BLOCK];
    for (size_t i = begin, n; i < end; i += n) {
        n = part(i, end);
        for (size_t j = 0; j < n; j++)
            below[j] = s->a[i + j] > 0 ? 0 : s->a[i + j];
        exp_minus_one(n, below, v);
        for (size_t j = 0; j < n; j++) {
            dl_real x = s->a[i + j];
            s->to[i + j] = x > 0 ? x : s->c[0] * v[j];
        }
    }
}

static void elu_backward(size_t begin, size_t end, void *context)
{
    const struct arrays *s = context;
    dl_real v[BLOCK];
    for (size_t i = begin, n; i < end; i += n) {
        n = part(i, end);
        for (size_t j = 0; j < n; j++)
            v[j] = s->a[i + j] > 0 ? 0 : s->a[i + j];
        dl_vexp(n, v, v);
        for (size_t j = 0; j < n; j++) {
            dl_real x = s->a[i + j], g = s->g[i + j], *to = &s->to[i + j];
            dl_real e = x > 0 ? g : g * (s->c[0] * v[j]);
            *to = s->add ? *to + e : e;
        }
    }
}

DEFINE_MAP_WITH_NUMBER(elu, alpha, INPUT)

/* The n operands from number i of a run on: themselves, or the one number
   of a run without steps, repeated in `spread`. */
static const dl_real *at_block(const dl_real *run, int step, size_t i,
                               size_t n, dl_real *spread)
{
    if (step == 1)
        return run + i;
    for (size_t j = 0; j < n; j++)
        spread[j] = *run;
    return spread;
}

/* Run a loop for the shares of an operand of shape st: s->a, of shape sa,
   s->b, of shape sb, and s->g, of the given shape, lead to s->to. */
static void hand_shares(dl_range_function *loop, struct arrays *s,
                        struct dl_shape shape, struct dl_shape sa,
                        struct dl_shape sb, struct dl_shape st)
{
    bool once = dl_shape_equal(st, shape);
    if (once && dl_shape_equal(sa, shape) && dl_shape_equal(sb, shape)) {
        dl_parallel_for(dl_shape_size(shape), GRAIN, loop, s);
        return;
    }
    if (!once && !s->add)
        dl_vfill(dl_shape_size(st), 0, s->to);
    s->add |= !once;
    struct dl_walk w;
    dl_walk_begin(&w, shape, 3, (struct dl_shape[]){sa, sb, st});
    for (; dl_walk_next(&w); s->g += w.length)
        for (size_t i = 0, n; i < w.length; i += n) {
            n = part(i, w.length);
            dl_real spread[2][BLOCK], share[BLOCK], *to = s->to + w.at[2];
            struct arrays block = {.g = s->g + i};
            block.a = at_block(s->a + w.at[0], w.step[0], i, n, spread[0]);
            block.b = at_block(s->b + w.at[1], w.step[1], i, n, spread[1]);
            block.add = s->add && w.step[2] == 1;
            block.to = w.step[2] == 1 ? to + i : share;
            loop(0, n, &block);
            if (w.step[2] == 0)
                *to = s->add ? *to + dl_vsum(n, share) : dl_vsum(n, share);
        }
}

struct pair {
    struct dl_op op;
    dl_range_function *share[2];    /* of a, of b */
};

static void pair_backward(struct dl_node *node)
{
    const struct pair *pair = (const struct pair *)node->op;
    struct dl_shape sa = node->in[0]->shape, sb = node->in[1]->shape;
    for (int k = 0; k < 2; k++) {
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to == NULL)
            continue;
        struct arrays s = {.a = dl_saved(node, 0), .b = dl_saved(node, 1),
                           .g = dl_grad_out(node), .to = to,
                           .add = beta != 0};
        hand_shares(pair->share[k], &s, node->out->shape, sa, sb,
                    k == 0 ? sa : sb);
    }
}

#define DEFINE_PAIR(name, kernel, share_a, share_b) \
    PAIR_LOOP(name##_share_a, share_a) \
    PAIR_LOOP(name##_share_b, share_b) \
    dl_tensor *dl_##name(dl_tensor *a, dl_tensor *b) \
    { \
        static const struct pair pair = {{#name, pair_backward}, \
                                         {name##_share_a, name##_share_b}}; \
        dl_check_tensor(a); \
        dl_check_tensor(b); \
        dl_tensor *y = dl_combine("dl_" #name, kernel, a, b); \
        struct dl_node *node = dl_record(&pair.op, y, 2, \
                                         (dl_tensor *[]){a, b}); \
        dl_save(node, a); \
        dl_save(node, b); \
        return y; \
    }

/* A loop as a kernel for dl_combine. */
#define KERNEL_OF_LOOP(name, value) \
    PAIR_LOOP(name##_values, value) \
    static void v##name(size_t n, const dl_real *a, const dl_real *b, \
                        dl_real *y) \
    { \
        struct arrays s = {.a = a, .b = b, .g = a, .to = y}; \
        dl_parallel_for(n, GRAIN, name##_values, &s); \
    }

KERNEL_OF_LOOP(pow, pow(a, b))
KERNEL_OF_LOOP(maximum, a >= b || a != a ? a : b)
KERNEL_OF_LOOP(minimum, a <= b || a != a ? a : b)

DEFINE_PAIR(div, dl_vdiv, g / b, -g * (a / b / b))
DEFINE_PAIR(pow, vpow, b == 0 ? 0 : g * (b * pow(a, b - 1)),
            a == 0 && b >= 0 ? 0 : g * (pow(a, b) * log(a)))
DEFINE_PAIR(maximum, vmaximum, a < b ? 0 : a == b ? g / 2 : g,
            b < a ? 0 : a == b ? g / 2 : g)
DEFINE_PAIR(minimum, vminimum, a > b ? 0 : a == b ? g / 2 : g,
            b > a ? 0 : a == b ? g / 2 : g)

static void sub_backward(struct dl_node *node)
{
    const dl_tensor *y = node->out;
    for (int k = 0; k < 2; k++) {
        struct dl_shape s = node->in[k]->shape;
        dl_real beta, *to = dl_grad_in(node, k, &beta), sign = 1 - 2 * k;
        if (to != NULL && beta == 0 && dl_shape_equal(s, y->shape))
            dl_vscale(y->size, sign, dl_grad_out(node), to);
        else if (to != NULL)
            dl_hand_over(to, s, beta, sign, dl_grad_out(node), y->shape);
    }
}

dl_tensor *dl_sub(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"sub", sub_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    dl_tensor *y = dl_combine("dl_sub", dl_vsub, a, b);
    dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    return y;
}

static void pick(size_t n, const dl_real *condition, const dl_real *a,
                 const dl_real *b, dl_real *to)
{
    for (size_t i = 0; i < n; i++) {
        dl_real x = a[i], y = b[i];
        to[i] = condition[i] != 0 ? x : y;
    }
}

struct choice {
    const dl_real *at[3];           /* the condition, a, b */
    int step[3];
    dl_real *to;
};

static void choose_range(size_t begin, size_t end, void *context)
{
    const struct choice *c = context;
    dl_real spread[3][BLOCK];
    for (size_t i = begin, n; i < end; i += n) {
        const dl_real *at[3];
        n = part(i, end);
        for (int k = 0; k < 3; k++)
            at[k] = at_block(c->at[k], c->step[k], i, n, spread[k]);
        pick(n, at[0], at[1], at[2], c->to + i);
    }
}

/* y = condition != 0 ? a : b, with shapes s[0], s[1], s[2]. */
static void choose(dl_tensor *y, const dl_real *condition, const dl_real *a,
                   const dl_real *b, const struct dl_shape s[3])
{
    struct dl_walk w;
    dl_real *to = dl_data(y);
    dl_walk_begin(&w, y->shape, 3, s);
    for (; dl_walk_next(&w); to += w.length) {
        struct choice c = {{condition + w.at[0], a + w.at[1], b + w.at[2]},
                           {w.step[0], w.step[1], w.step[2]}, to};
        dl_parallel_for(w.length, GRAIN, choose_range, &c);
    }
}

PAIR_LOOP(share_if, a != 0 ? g : 0)
PAIR_LOOP(share_unless, a != 0 ? 0 : g)

/* The share of input k, which was chosen by `loop`. */
static void hand_chosen(struct dl_node *node, int k, dl_range_function *loop)
{
    dl_real beta, *to = dl_grad_in(node, k, &beta);
    if (to == NULL)
        return;
    struct dl_shape condition = node->saved[0]->shape;
    struct arrays s = {.a = dl_saved(node, 0), .b = dl_saved(node, 0),
                       .g = dl_grad_out(node), .to = to, .add = beta != 0};
    hand_shares(loop, &s, node->out->shape, condition, condition,
                node->in[k]->shape);
}

static void where_backward(struct dl_node *node)
{
    hand_chosen(node, 0, share_if);
    hand_chosen(node, 1, share_unless);
}

dl_tensor *dl_where(const dl_tensor *condition, dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"where", where_backward};
    dl_check_tensor(condition);
    dl_check_tensor(a);
    dl_check_tensor(b);
    struct dl_shape s[3] = {condition->shape, a->shape, b->shape}, shape;
    dl_check(dl_broadcast_shapes(s[1], s[2], &shape)
             && dl_broadcast_shapes(s[0], shape, &shape),
             "the shapes %s, %s and %s do not fit", DL_SHAPE_TEXT(s[0]),
             DL_SHAPE_TEXT(s[1]), DL_SHAPE_TEXT(s[2]));
    dl_tensor *y = dl_empty(shape);
    choose(y, dl_data(condition), dl_data(a), dl_data(b), s);
    struct dl_node *node = dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    dl_save(node, (dl_tensor *)condition);
    return y;
}

static void masked_fill_backward(struct dl_node *node)
{
    hand_chosen(node, 0, share_unless);
}

dl_tensor *dl_masked_fill(dl_tensor *x, const dl_tensor *mask, dl_real value)
{
    static const struct dl_op op = {"masked_fill", masked_fill_backward};
    dl_check_tensor(x);
    dl_check_tensor(mask);
    struct dl_shape s[3] = {mask->shape, DL_SHAPE(), x->shape};
    dl_check(dl_broadcasts_to(s[0], s[2]), "a mask of shape %s does not fit "
             "the shape %s", DL_SHAPE_TEXT(s[0]), DL_SHAPE_TEXT(s[2]));
    dl_tensor *y = dl_empty(x->shape);
    choose(y, dl_data(mask), &value, dl_data(x), s);
    dl_save(dl_record(&op, y, 1, &x), (dl_tensor *)mask);
    return y;
}
