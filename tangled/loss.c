/* loss.c - losses, recorded. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <tgmath.h>
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "loss.h"
#include "memory.h"
#include "ops.h"
#include "parallel.h"

#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize ("O3", "no-trapping-math")
#endif

/* y[i] = a function of x[i] and t[i], and of the number c */
typedef void loop(size_t n, const dl_real *x, const dl_real *t, dl_real c,
                  dl_real *y);

struct pair_loss {
    struct dl_op op;
    loop *value, *by_x, *by_t;      /* by_t NULL: minus by_x */
    bool by_rows;                   /* divide by the rows, not elements */
};

static void pair_backward(struct dl_node *node)
{
    const struct pair_loss *loss = (const struct pair_loss *)node->op;
    size_t n = node->in[0]->size, bytes = n * sizeof(dl_real);
    for (int k = 0; k < 2; k++) {
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to == NULL)
            continue;
        bool minus = k == 1 && loss->by_t == NULL;
        loop *slope = k == 0 || minus ? loss->by_x : loss->by_t;
        dl_real share = *dl_grad_out(node) * node->x[1];
        dl_real *s = beta == 0 ? to : dl_pool_get(bytes);
        slope(n, dl_saved(node, 0), dl_saved(node, 1), node->x[0], s);
        if (beta == 0)
            dl_vscale(n, minus ? -share : share, s, to);
        else {
            dl_vaxpy(n, minus ? -share : share, s, to);
            dl_pool_put(s, bytes);
        }
    }
}

static dl_tensor *pair(const struct pair_loss *loss, dl_tensor *x,
                       dl_tensor *t, dl_real c)
{
    dl_check_tensor(x);
    dl_check_tensor(t);
    dl_check(dl_shape_equal(x->shape, t->shape),
             "%s: the shapes %s and %s differ", loss->op.name,
             DL_SHAPE_TEXT(x->shape), DL_SHAPE_TEXT(t->shape));
    dl_check(!loss->by_rows || x->shape.rank > 0,
             "%s: a single number has no rows", loss->op.name);
    size_t n = x->size, bytes = n * sizeof(dl_real);
    double count = loss->by_rows ? x->shape.dim[0] : (double)n;
    dl_real *each = dl_pool_get(bytes);
    loss->value(n, dl_data(x), dl_data(t), c, each);
    dl_tensor *y = dl_scalar((dl_real)(dl_vsum(n, each) / count));
    dl_pool_put(each, bytes);
    struct dl_node *node = dl_record(&loss->op, y, 2,
                                     (dl_tensor *[]){x, t});
    if (node != NULL) {
        node->x[0] = c;
        node->x[1] = (dl_real)(1 / count);
    }
    dl_save(node, x);
    dl_save(node, t);
    return y;
}

#define LOOP(name, expression) \
    static void name(size_t n, const dl_real *x, const dl_real *t, \
                     dl_real c, dl_real *y) \
    { \
        (void)c; \
        for (size_t i = 0; i < n; i++) { \
            dl_real d = x[i] - t[i], m = 1 - t[i] * x[i]; \
            (void)d, (void)m; \
            y[i] = (expression); \
        } \
    }

LOOP(mse, d * d)
LOOP(mse_by_x, 2 * d)
LOOP(l1, fabs(d))
LOOP(l1_by_x, (dl_real)((d > 0) - (d < 0)))
LOOP(huber, fabs(d) <= c ? d * d / 2 : c * (fabs(d) - c / 2))
LOOP(huber_by_x, d < -c ? -c : d > c ? c : d)
LOOP(hinge, m <= 0 ? 0 : m)
LOOP(hinge_by_x, m <= 0 ? 0 : -t[i])
LOOP(hinge_by_t, m <= 0 ? 0 : -x[i])

static void bce(size_t n, const dl_real *x, const dl_real *t, dl_real c,
                dl_real *y)
{
    (void)c;
    for (size_t i = 0; i < n; i++)
        y[i] = -fabs(x[i]);
    dl_vexp(n, y, y);
    for (size_t i = 0; i < n; i++)
        y[i] = log1p(y[i]) + (x[i] > 0 ? (1 - t[i]) * x[i]
                                       : -t[i] * x[i]);
}

static void bce_by_x(size_t n, const dl_real *x, const dl_real *t,
                     dl_real c, dl_real *y)
{
    (void)c;
    dl_vsigmoid(n, x, y);
    dl_vsub(n, y, t, y);
}

LOOP(bce_by_t, -x[i])

static void kl(size_t n, const dl_real *x, const dl_real *t, dl_real c,
               dl_real *y)
{
    (void)c;
    dl_vlog(n, t, y);
    for (size_t i = 0; i < n; i++)
        y[i] = t[i] == 0 ? 0 : t[i] * (y[i] - x[i]);
}

static void kl_by_t(size_t n, const dl_real *x, const dl_real *t, dl_real c,
                    dl_real *y)
{
    (void)c;
    dl_vlog(n, t, y);
    for (size_t i = 0; i < n; i++)
        y[i] += 1 - x[i];
}

LOOP(kl_by_x, -t[i])

#define LOSS(function, name, ...) \
    dl_tensor *function(dl_tensor *x, dl_tensor *t) \
    { \
        static const struct pair_loss loss = \
            {{#name, pair_backward}, name, name##_by_x, __VA_ARGS__}; \
        return pair(&loss, x, t, 0); \
    }

LOSS(dl_mse_loss, mse, NULL, false)
LOSS(dl_l1_loss, l1, NULL, false)
LOSS(dl_hinge_loss, hinge, hinge_by_t, false)
LOSS(dl_bce_with_logits, bce, bce_by_t, false)
LOSS(dl_kl_div, kl, kl_by_t, true)

dl_tensor *dl_huber_loss(dl_tensor *x, dl_tensor *t, dl_real delta)
{
    static const struct pair_loss loss = {{"huber", pair_backward}, huber,
                                          huber_by_x, NULL, false};
    dl_check(delta > 0, "delta is %g, not positive", (double)delta);
    return pair(&loss, x, t, delta);
}

enum { IGNORED = -1 };              /* stands for the label of such a row */

/* Row i counts sum_c a_c (-log p_c), where a_c is `label` for the label's
   class, and for each class spread weight[c] in addition. */
struct row_weights { double label, spread, all; };

static struct row_weights weights_of(int y, int classes, double smoothing,
                                     const dl_real *weight)
{
    double w = weight == NULL ? 1 : weight[y], sum = classes;
    if (weight != NULL && smoothing > 0) {
        sum = 0;
        for (int c = 0; c < classes; c++)
            sum += weight[c];
    }
    struct row_weights a = {w * (1 - smoothing), smoothing / classes, 0};
    a.all = a.label + a.spread * sum;
    return a;
}

static void check_labels(const dl_tensor *x, struct dl_ints label,
                         struct dl_cross_entropy_options o)
{
    dl_check_tensor(x);
    dl_check(x->shape.rank == 2 && label.n == x->shape.dim[0],
             "%d labels for the shape %s: it should be [%d, classes]",
             label.n, DL_SHAPE_TEXT(x->shape), label.n);
    dl_check(label.at != NULL || label.n == 0, "the labels are NULL");
    for (int i = 0; i < label.n; i++) {
        int y = label.at[i];
        dl_check((y >= 0 && y < x->shape.dim[1])
                 || (o.ignore && y == o.ignore_index),
                 "label %d, of row %d, is not one of %d classes", y, i,
                 x->shape.dim[1]);
    }
}

static double total(const dl_tensor *log_p, struct dl_ints label,
                    struct dl_cross_entropy_options o, double *count)
{
    int classes = log_p->shape.dim[1];
    const dl_real *row = dl_data(log_p);
    double sum = *count = 0;
    for (int i = 0; i < label.n; i++, row += classes) {
        int y = label.at[i];
        if (o.ignore && y == o.ignore_index)
            continue;
        struct row_weights a = weights_of(y, classes, o.label_smoothing,
                                          o.weight);
        sum -= a.label * row[y];
        for (int c = 0; c < classes && a.spread > 0; c++)
            sum -= a.spread * (o.weight ? o.weight[c] : 1) * row[c];
        *count += o.weight ? o.weight[y] : 1;
    }
    return sum;
}

struct entropy {
    size_t classes;
    const int *label;
    const dl_real *log_p, *weight;
    double smoothing, share;
    dl_real *p, *to;                /* the same, or p is to be added */
};

static void pull(const struct entropy *e, int y, dl_real *p)
{
    int classes = (int)e->classes;
    struct row_weights a = weights_of(y, classes, e->smoothing, e->weight);
    dl_vscale(e->classes, (dl_real)(a.all * e->share), p, p);
    p[y] -= (dl_real)(a.label * e->share);
    for (int c = 0; c < classes && a.spread > 0; c++)
        p[c] -= (dl_real)(a.spread * e->share
                          * (e->weight ? e->weight[c] : 1));
}

static void entropy_rows(size_t begin, size_t end, void *context)
{
    const struct entropy *e = context;
    size_t at = begin * e->classes, n = (end - begin) * e->classes;
    dl_vexp(n, e->log_p + at, e->p + at);
    for (size_t i = begin; i < end; i++)
        if (e->label[i] == IGNORED)
            dl_vfill(e->classes, 0, e->p + i * e->classes);
        else
            pull(e, e->label[i], e->p + i * e->classes);
    if (e->p != e->to)
        dl_vadd(n, e->to + at, e->p + at, e->to + at);
}

static void entropy_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    size_t rows = (size_t)node->in[0]->shape.dim[0];
    size_t classes = (size_t)node->in[0]->shape.dim[1];
    size_t bytes = rows * classes * sizeof *to;
    struct entropy e = {
        .classes = classes, .label = node->context,
        .log_p = dl_saved(node, 0),
        .weight = node->saves > 1 ? dl_saved(node, 1) : NULL,
        .smoothing = node->x[0],
        .share = (double)*dl_grad_out(node) * node->x[1],
        .p = beta == 0 ? to : dl_pool_get(bytes), .to = to
    };
    dl_parallel_for(rows, 8192 / (classes + 1) + 1, entropy_rows, &e);
    if (e.p != to)
        dl_pool_put(e.p, bytes);
}

dl_tensor *dl_cross_entropy_with(dl_tensor *logits, struct dl_ints label,
                                 struct dl_cross_entropy_options o)
{
    static const struct dl_op op = {"cross_entropy", entropy_backward};
    check_labels(logits, label, o);
    dl_check(o.label_smoothing >= 0 && o.label_smoothing <= 1,
             "label smoothing of %g is not in [0, 1]", o.label_smoothing);
    int n = label.n, classes = logits->shape.dim[1];
    dl_tensor *log_p = dl_empty(logits->shape);
    dl_vlog_softmax((size_t)n, (size_t)classes, dl_data(logits),
                    dl_data(log_p));
    double count, sum = total(log_p, label, o, &count);
    dl_tensor *y = dl_scalar((dl_real)(sum / count));
    struct dl_node *node = dl_record(&op, y, 1, &logits);
    if (node != NULL) {
        int *kept = dl_keep_ints(label);
        for (int i = 0; i < n; i++)
            if (o.ignore && kept[i] == o.ignore_index)
                kept[i] = IGNORED;
        node->context = kept;
        node->x[0] = (dl_real)o.label_smoothing;
        node->x[1] = (dl_real)(1 / count);
        dl_save(node, log_p);
        if (o.weight != NULL)
            dl_save(node, dl_from_array(DL_SHAPE(classes), o.weight));
    }
    if (node == NULL)
        {
            if (log_p->permanent)
                dl_tensor_free(log_p);
        }
    return y;
}

dl_tensor *dl_cross_entropy(dl_tensor *logits, struct dl_ints label)
{
    struct dl_cross_entropy_options nothing = {0};
    return dl_cross_entropy_with(logits, label, nothing);
}

static void nll_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    const int *label = node->context;
    int n = node->in[0]->shape.dim[0], classes = node->in[0]->shape.dim[1];
    if (to == NULL)
        return;
    if (beta == 0)
        dl_vfill(node->in[0]->size, 0, to);
    for (int i = 0; i < n; i++)
        to[(size_t)i * (size_t)classes + (size_t)label[i]] -=
            *dl_grad_out(node) / (dl_real)n;
}

dl_tensor *dl_nll_loss(dl_tensor *log_p, struct dl_ints label)
{
    static const struct dl_op op = {"nll_loss", nll_backward};
    struct dl_cross_entropy_options nothing = {0};
    double count, sum;
    check_labels(log_p, label, nothing);
    sum = total(log_p, label, nothing, &count);
    dl_tensor *y = dl_scalar((dl_real)(sum / count));
    struct dl_node *node = dl_record(&op, y, 1, &log_p);
    if (node != NULL)
        node->context = dl_keep_ints(label);
    return y;
}

struct lengths { dl_real a, b, ab; bool a_counts; };

static struct lengths measure(size_t n, const dl_real *a, const dl_real *b)
{
    const dl_real least = (dl_real)1e-8;
    dl_real la = sqrt(dl_vdot(n, a, a)), lb = sqrt(dl_vdot(n, b, b));
    return (struct lengths){la < least ? least : la, lb < least ? least : lb,
                            dl_vdot(n, a, b), la >= least};
}

static void cosine_backward(struct dl_node *node)
{
    size_t rows = node->out->size;
    size_t n = rows > 0 ? node->in[0]->size / rows : 0;
    for (int k = 0; k < 2; k++) {
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        const dl_real *a = dl_saved(node, k), *b = dl_saved(node, 1 - k);
        for (size_t i = 0; i < rows && to != NULL; i++) {
            struct lengths l = measure(n, a + i * n, b + i * n);
            dl_real g = dl_grad_out(node)[i], s = l.ab / l.a / l.b;
            dl_real along = l.a_counts ? s / l.a / l.a : 0, across = 1 / l.a / l.b;
            for (size_t j = i * n; j < (i + 1) * n; j++) {
                dl_real d = g * (across * b[j] - along * a[j]);
                to[j] = beta == 0 ? d : to[j] + d;
            }
        }
    }
}

dl_tensor *dl_cosine_similarity(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"cosine_similarity", cosine_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    dl_check(a->shape.rank > 0 && dl_shape_equal(a->shape, b->shape),
             "the shapes are %s and %s: they must be equal, of rank 1 or "
             "more", DL_SHAPE_TEXT(a->shape), DL_SHAPE_TEXT(b->shape));
    struct dl_shape s = a->shape;
    size_t n = (size_t)s.dim[--s.rank];
    dl_tensor *y = dl_empty(s);
    for (size_t i = 0; i < y->size; i++) {
        struct lengths l = measure(n, dl_data(a) + i * n,
                                   dl_data(b) + i * n);
        dl_data(y)[i] = l.ab / l.a / l.b;
    }
    struct dl_node *node = dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    dl_save(node, a);
    dl_save(node, b);
    return y;
}

/* How often the inputs were changed so far. */
static int changes(const struct dl_node *node)
{
    uint64_t sum = 0;
    for (int k = 0; k < node->inputs; k++)
        sum += node->in[k]->storage->owner->version;
    return (int)(sum & INT_MAX);
}

static void penalty_backward(struct dl_node *node)
{
    dl_check(node->i[0] == changes(node), "square_penalty needs the %d "
             "parameters as they were, but one was changed before the "
             "backward pass", node->inputs);
    dl_real share = 2 * node->x[0] * *dl_grad_out(node);
    for (int k = 0; k < node->inputs; k++) {
        const dl_tensor *w = node->in[k];
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to != NULL && beta == 0)
            dl_vscale(w->size, share, dl_data(w), to);
        else if (to != NULL)
            dl_vaxpy(w->size, share, dl_data(w), to);
    }
}

dl_tensor *dl_square_penalty(const struct dl_params *p, dl_real lambda)
{
    static const struct dl_op op = {"square_penalty", penalty_backward};
    dl_check(p != NULL, "the list of parameters is NULL");
    dl_check(lambda >= 0, "lambda is %g, not 0 or more", (double)lambda);
    size_t bytes = (size_t)p->n * sizeof(dl_tensor *);
    dl_tensor **in = dl_pool_get(bytes);
    double sum = 0;
    for (int k = 0; k < p->n; k++) {
        in[k] = p->list[k].tensor;
        sum += (double)dl_vdot(in[k]->size, dl_data(in[k]), dl_data(in[k]));
    }
    dl_tensor *y = dl_scalar((dl_real)(lambda * sum));
    struct dl_node *node = dl_record(&op, y, p->n, in);
    dl_pool_put(in, bytes);
    if (node != NULL) {
        node->i[0] = changes(node);
        node->x[0] = lambda;
    }
    return y;
}
