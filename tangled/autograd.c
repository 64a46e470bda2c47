/* autograd.c - a tape of operations on tensors, and gradients from it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "memory.h"
#include "random.h"

struct hook;

static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
    struct dl_node *last;           /* the newest operation */
    struct hook *hooks;             /* functions to be called, oldest first */
    bool anomaly;                   /* look for NaN */
} tape;

static size_t node_bytes(int inputs)
{
    return sizeof(struct dl_node) + (size_t)inputs * sizeof(dl_tensor *);
}

static void drop_node(void *what)
{
    struct dl_node *node = what;
    tape.last = node->previous;
    dl_pool_put(node, node_bytes(node->inputs));
}

static struct dl_node *append(const struct dl_op *op, dl_tensor *out,
                              int n, dl_tensor *const in[])
{
    dl_check(dl_scope_reserve(), "no memory to record %s", op->name);
    struct dl_node *node = dl_pool_get(node_bytes(n));
    node->op = op;
    node->out = out;
    for (int k = 0; k < n; k++)
        node->in[k] = in[k];
    node->inputs = n;
    node->saves = 0;
    node->context = NULL;
    node->previous = tape.last;
    node->spent = false;
    tape.last = node;
    dl_scope_defer(drop_node, node);
    out->requires_grad = true;
    return node;
}

bool dl_set_detect_anomaly(bool on)
{
    bool was_on = tape.anomaly;
    tape.anomaly = on;
    return was_on;
}

static bool has_nan(const dl_real *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]))
            return true;
    return false;
}

/* Do node's backward function, and complain if it makes a NaN. */
static void run_watched(struct dl_node *node)
{
    bool inherited = has_nan(dl_grad_out(node), node->out->size)
                     || has_nan(dl_data(node->out), node->out->size);
    node->op->backward(node);
    for (int k = 0; k < node->inputs && !inherited; k++) {
        const dl_tensor *x = node->in[k];
        const dl_real *g = x->requires_grad ? dl_grad(x) : NULL;
        dl_check(g == NULL || !has_nan(g, x->size),
                 "%s made the first NaN of the backward pass, in the "
                 "gradient of input %d, of shape %s", node->op->name, k,
                 DL_SHAPE_TEXT(x->shape));
    }
}

struct dl_node *dl_record(const struct dl_op *op, dl_tensor *out, int n,
                          dl_tensor *const in[])
{
    if (tape.anomaly)
        {
            bool inherited = !has_nan(dl_data(out), out->size);
            for (int k = 0; k < n; k++)
                inherited = inherited || has_nan(dl_data(in[k]), in[k]->size);
            dl_check(inherited, "%s made the first NaN, in its result of shape %s",
                     op->name, DL_SHAPE_TEXT(out->shape));
        }
    if (dl_scope_mode() != DL_RECORD)
        return NULL;
    for (int k = 0; k < n; k++)
        if (in[k]->requires_grad)
            return append(op, out, n, in);
    return NULL;
}

void dl_save(struct dl_node *node, dl_tensor *t)
{
    if (node == NULL)
        return;
    dl_check(node->saves < DL_MAX_SAVED, "%s saves more than %d tensors",
             node->op->name, DL_MAX_SAVED);
    node->saved[node->saves] = t;
    node->version[node->saves] = t->storage->owner->version;
    node->saves++;
}

const dl_real *dl_saved(const struct dl_node *node, int k)
{
    dl_check(k >= 0 && k < node->saves, "%s saved %d tensors, not %d",
             node->op->name, node->saves, k + 1);
    const dl_tensor *t = node->saved[k];
    dl_check_tensor(t);
    dl_check(t->storage->owner->version == node->version[k],
             "%s needs a tensor of shape %s as it was, but it was changed "
             "before the backward pass", node->op->name,
             DL_SHAPE_TEXT(t->shape));
    return dl_data(t);
}

static dl_real *place_of_gradient(dl_tensor *t, dl_real *beta)
{
    struct dl_storage *s = t->storage;
    *beta = 1;
    if (s->grad == NULL) {
        s->grad = dl_pool_get(s->size * sizeof *s->grad);
        if (t->size < s->size)
            memset(s->grad, 0, s->size * sizeof *s->grad);
        else
            *beta = 0;
    }
    return s->grad + t->offset;
}

const dl_real *dl_grad_out(const struct dl_node *node)
{
    return node->out->storage->grad + node->out->offset;
}

dl_real *dl_grad_in(struct dl_node *node, int k, dl_real *beta)
{
    dl_check(k >= 0 && k < node->inputs, "%s has %d inputs, not %d",
             node->op->name, node->inputs, k + 1);
    if (!node->in[k]->requires_grad)
        return NULL;
    return place_of_gradient(node->in[k], beta);
}

struct hook {
    dl_tensor *tensor;
    dl_hook *function;
    void *context;
    dl_real *aside;                 /* the gradient of earlier passes */
    struct hook *next;
};

/* Call the hooks of the tensors in s. */
static void call_hooks(struct dl_storage *s)
{
    for (struct hook *h = tape.hooks; h != NULL; h = h->next)
        if (h->tensor->storage == s)
            h->function(h->tensor, s->grad + h->tensor->offset, h->context);
}

static void set_leaf_gradients_aside(void)
{
    for (struct hook *h = tape.hooks; h != NULL; h = h->next) {
        h->aside = h->tensor->storage->grad;
        h->tensor->storage->grad = NULL;
    }
}

static void call_hooks_of_leaves(void)
{
    for (struct hook *h = tape.hooks; h != NULL; h = h->next)
        if (h->tensor->storage->grad != NULL)
            h->function(h->tensor, h->tensor->storage->grad
                                   + h->tensor->offset, h->context);
    for (struct hook *h = tape.hooks; h != NULL; h = h->next)
        if (h->aside != NULL) {
            struct dl_storage *s = h->tensor->storage;
            if (s->grad != NULL)
                dl_vadd(s->size, h->aside, s->grad, h->aside);
            dl_pool_put(s->grad, s->size * sizeof *s->grad);
            s->grad = h->aside;
            h->aside = NULL;
        }
}

static struct hook **end_of_hooks(const struct hook *end)
{
    struct hook **at = &tape.hooks;
    while (*at != end)
        at = &(*at)->next;
    return at;
}

static void drop_hook(void *what)
{
    struct hook *h = what;
    *end_of_hooks(h) = NULL;
    dl_pool_put(h->aside, h->tensor->storage->size * sizeof *h->aside);
    dl_pool_put(h, sizeof *h);
}

void dl_register_hook(dl_tensor *t, dl_hook *hook, void *context)
{
    dl_check_tensor(t);
    dl_check(hook != NULL, "there is no function to call");
    dl_check(dl_scope_is_open() && dl_scope_reserve(),
             "no scope is open, or no memory is left");
    struct hook *h = dl_pool_get(sizeof *h);
    *h = (struct hook){t, hook, context, NULL, NULL};
    *end_of_hooks(NULL) = h;
    dl_scope_defer(drop_hook, h);
}

static void forget_gradient(struct dl_storage *s)
{
    dl_pool_put(s->grad, s->size * sizeof *s->grad);
    s->grad = NULL;
}

void dl_zero_grad(struct dl_params *p)
{
    dl_check(p != NULL, "the argument is NULL");
    for (int k = 0; k < p->n; k++)
        forget_gradient(p->list[k].tensor->storage);
}

const dl_real *dl_grad(const dl_tensor *t)
{
    dl_check_tensor(t);
    dl_real *grad = t->storage->grad;
    return grad != NULL ? grad + t->offset : NULL;
}

static void check_unspent(const struct dl_node *node)
{
    dl_check(!node->spent, "%s of shape %s was differentiated before; the "
             "first pass must be dl_backward_keep if there is a second",
             node->op->name, DL_SHAPE_TEXT(node->out->shape));
}

/* Visit the nodes after `bottom`, newest first. */
static void run(struct dl_node *bottom, bool keep)
{
    for (struct dl_node *n = tape.last; n != bottom; n = n->previous) {
        struct dl_storage *s = n->out->storage;
        if (s->grad == NULL)
            continue;
        check_unspent(n);
        call_hooks(s);
        if (tape.anomaly)
            run_watched(n);
        else
            n->op->backward(n);
        n->spent = !keep;
        forget_gradient(s);
    }
}

/* Add g, or 1 if it is NULL, to the gradient of y. */
static void start(dl_tensor *y, const dl_real *g)
{
    dl_real beta, *to = place_of_gradient(y, &beta);
    for (size_t i = 0; i < y->size; i++)
        to[i] = (g != NULL ? g[i] : 1) + (beta == 0 ? 0 : to[i]);
}

static void backward(dl_tensor *y, const dl_real *g, bool keep)
{
    dl_check(y->requires_grad, "nothing that y, of shape %s, depends on "
             "requires a gradient, or it was not recorded",
             DL_SHAPE_TEXT(y->shape));
    set_leaf_gradients_aside();
    start(y, g);
    run(NULL, keep);
    call_hooks_of_leaves();
}

static void check_number(const dl_tensor *y)
{
    dl_check_tensor(y);
    dl_check(y->size == 1, "y has the shape %s; a gradient is that of one "
             "number (or see dl_backward_from)", DL_SHAPE_TEXT(y->shape));
}

void dl_backward(dl_tensor *y)
{
    check_number(y);
    backward(y, NULL, false);
}

void dl_backward_keep(dl_tensor *y)
{
    check_number(y);
    backward(y, NULL, true);
}

void dl_backward_from(dl_tensor *y, const dl_tensor *g)
{
    dl_check_tensor(y);
    dl_check_tensor(g);
    dl_check(dl_shape_equal(y->shape, g->shape),
             "y has the shape %s, its gradient %s",
             DL_SHAPE_TEXT(y->shape), DL_SHAPE_TEXT(g->shape));
    backward(y, dl_data(g), false);
}

struct recall {
    dl_segment *f;
    void *context;
    dl_real *carried;
    size_t bytes;
};

static void drop_recall(void *what)
{
    struct recall *r = what;
    dl_pool_put(r->carried, r->bytes);
    dl_pool_put(r, sizeof *r);
}

static dl_tensor *compute_once(struct recall *r, int n,
                               dl_tensor *const x[])
{
    dl_scope inner = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *y = r->f(n, x, r->context);
    dl_check_tensor(y);
    struct dl_shape shape = y->shape;
    size_t bytes = y->size * sizeof(dl_real);
    r->carried = dl_pool_get(bytes);
    r->bytes = bytes;
    memcpy(r->carried, dl_data(y), bytes);
    dl_scope_leave(inner);
    dl_tensor *out = dl_from_array(shape, r->carried);
    dl_pool_put(r->carried, bytes);
    r->carried = NULL;
    return out;
}

static void checkpoint_backward(struct dl_node *node)
{
    const struct recall *r = node->context;
    struct dl_node *bottom = tape.last;
    dl_tensor *x[DL_MAX_SAVED];
    dl_scope scope = dl_scope_enter(DL_RECORD);
    for (int k = 0; k < node->inputs; k++) {
        dl_saved(node, k);
        x[k] = dl_detach(node->in[k]);
        x[k]->requires_grad = node->in[k]->requires_grad;
    }
    dl_tensor *y = r->f(node->inputs, x, r->context);
    dl_check_tensor(y);
    dl_check(dl_shape_equal(y->shape, node->out->shape)
             && memcmp(dl_data(y), dl_data(node->out),
                       y->size * sizeof(dl_real)) == 0,
             "the function of the checkpoint did not compute the same again, "
             "shape %s", DL_SHAPE_TEXT(node->out->shape));
    if (y->requires_grad) {
        start(y, dl_grad_out(node));
        run(bottom, false);
    }
    for (int k = 0; k < node->inputs; k++)
        if (dl_grad(x[k]) != NULL) {
            dl_real beta, *to = dl_grad_in(node, k, &beta);
            if (beta == 0)
                memcpy(to, dl_grad(x[k]), x[k]->size * sizeof *to);
            else
                dl_vadd(x[k]->size, dl_grad(x[k]), to, to);
        }
    dl_scope_leave(scope);
}

dl_tensor *dl_checkpoint(dl_segment *f, void *context,
                         int n, dl_tensor *const x[])
{
    static const struct dl_op op = {"checkpoint", checkpoint_backward};
    dl_check(f != NULL && (x != NULL || n == 0), "an argument is NULL");
    dl_check(n >= 0 && n <= DL_MAX_SAVED, "a checkpoint has %d inputs, not "
             "0 to %d", n, DL_MAX_SAVED);
    for (int k = 0; k < n; k++)
        dl_check_tensor(x[k]);
    if (dl_scope_mode() != DL_RECORD)
        return f(n, x, context);
    dl_check(dl_scope_reserve(), "no memory for a checkpoint");
    struct recall *r = dl_pool_get(sizeof *r);
    *r = (struct recall){f, context, NULL, 0};
    dl_scope_defer(drop_recall, r);
    dl_tensor *y = compute_once(r, n, x);
    struct dl_node *node = append(&op, y, n, x);
    node->context = r;
    for (int k = 0; k < n; k++)
        dl_save(node, x[k]);
    return y;
}

struct probe {
    dl_expression *f;
    void *context;
    dl_tensor *u;                   /* weights of the elements of f */
    dl_tensor *x, *old;             /* a parameter, and its old value */
};

static double evaluate(const struct probe *q)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *y = q->f(q->context);
    double sum = 0;
    for (size_t i = 0; i < y->size; i++)
        sum += (double)dl_data(q->u)[i] * dl_data(y)[i];
    dl_scope_leave(scope);
    return sum;
}

/* Set x to old + h v. */
static void move(const struct probe *q, const dl_real *v, double h)
{
    dl_real *x = dl_data(q->x), *old = dl_data(q->old);
    for (size_t i = 0; i < q->x->size; i++)
        x[i] = (dl_real)(old[i] + h * v[i]);
    dl_touch(q->x);
}

/* The error of the gradient along v, for a step h. */
static double error_along(const struct probe *q, const dl_real *v, double h)
{
    const dl_real *x = dl_data(q->x), *g = dl_grad(q->x);
    double expected = 0, difference;
    move(q, v, h);
    for (size_t i = 0; g != NULL && i < q->x->size; i++)
        expected += (double)g[i] * x[i];
    difference = evaluate(q);
    move(q, v, -h);
    for (size_t i = 0; g != NULL && i < q->x->size; i++)
        expected -= (double)g[i] * x[i];
    difference -= evaluate(q);
    dl_copy(q->x, q->old);
    return fabs(difference - expected) / (2 * h);
}

static double step_size(size_t n)
{
    double h = sizeof(dl_real) == sizeof(double) ? 0x1p-17 : 0x1p-8;
    return h / sqrt(n > 0 ? (double)n : 1);
}

static double length(const dl_real *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; g != NULL && i < n; i++)
        sum += (double)g[i] * g[i];
    return sqrt(sum);
}

/* The larger one; NaN if there is one. */
static double worse(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

static double error_of_elements(const struct probe *q, dl_tensor *v)
{
    double worst = 0;
    dl_fill(v, 0);
    for (size_t i = 0; i < v->size; i++) {
        dl_data(v)[i] = 1;
        worst = worse(error_along(q, dl_data(v), step_size(1)), worst);
        dl_data(v)[i] = 0;
    }
    return worst;
}

static double check(dl_expression *f, void *context, struct dl_params *p,
                    bool elements)
{
    dl_check(f != NULL && p != NULL, "an argument is NULL");
    dl_scope scope = dl_scope_enter(DL_RECORD);
    struct probe q = {f, context, NULL, NULL, NULL};
    struct dl_random random;
    dl_random_seed(&random, 6);
    double worst = 0;
    dl_zero_grad(p);
    dl_tensor *y = f(context);
    q.u = dl_normal(y->shape, &random, 0, 1);
    dl_backward_from(y, q.u);
    for (int k = 0; k < p->n; k++) {
        q.x = p->list[k].tensor;
        q.old = dl_clone(q.x);
        size_t n = q.x->size;
        dl_tensor *v = dl_normal(q.x->shape, &random, 0, 1);
        double error = elements ? error_of_elements(&q, v)
                     : error_along(&q, dl_data(v), step_size(n));
        worst = worse(error / fmax(length(dl_grad(q.x), n), 1e-3), worst);
    }
    dl_zero_grad(p);
    dl_scope_leave(scope);
    return worst;
}

double dl_gradcheck(dl_expression *f, void *context, struct dl_params *p)
{
    return check(f, context, p, false);
}

double dl_gradcheck_elements(dl_expression *f, void *context,
                             struct dl_params *p)
{
    return check(f, context, p, true);
}

struct met {
    const dl_tensor *tensor;
    bool computed;
};

/* The number of t's storage among those met so far, of which it becomes
   the last if it is new. */
static size_t number_of(struct met *met, size_t *count, const dl_tensor *t)
{
    for (size_t i = 0; i < *count; i++)
        if (met[i].tensor->storage == t->storage)
            return i;
    met[*count] = (struct met){t, false};
    return (*count)++;
}

static void draw_operation(FILE *f, const struct dl_node *n, size_t at,
                           struct met *met, size_t *count)
{
    met[at].computed = true;
    fprintf(f, "    t%zu [label=\"%s|%s\"];\n", at, n->op->name,
            DL_SHAPE_TEXT(n->out->shape));
    for (int k = 0; k < n->inputs; k++) {
        size_t from = number_of(met, count, n->in[k]);
        fprintf(f, "    t%zu -> t%zu;\n", from, at);
    }
}

static void draw_leaf(FILE *f, size_t at, const dl_tensor *t,
                      const struct dl_params *names)
{
    const char *name = t->requires_grad ? "leaf" : "constant";
    for (int k = 0; names != NULL && k < names->n; k++)
        if (names->list[k].tensor->storage == t->storage)
            name = names->list[k].name;
    fprintf(f, "    t%zu [shape=box, label=\"", at);
    for (const char *c = name; *c != '\0'; c++)
        fprintf(f, strchr("\"\\", *c) ? "\\%c" : "%c", *c);
    fprintf(f, "\\n%s\"];\n", DL_SHAPE_TEXT(t->shape));
}

void dl_write_graph(FILE *f, const dl_tensor *y,
                    const struct dl_params *names)
{
    dl_check(f != NULL, "there is no file");
    dl_check_tensor(y);
    size_t room = 1, count = 0;
    for (struct dl_node *n = tape.last; n != NULL; n = n->previous)
        room += 1 + (size_t)n->inputs;
    struct met *met = dl_alloc(room, sizeof *met);
    number_of(met, &count, y);
    fprintf(f, "digraph {\n    rankdir=LR;\n    node [shape=Mrecord];\n");
    for (struct dl_node *n = tape.last; n != NULL; n = n->previous)
        {
            size_t before = count, at = number_of(met, &count, n->out);
            if (at < before)
                draw_operation(f, n, at, met, &count);
            else
                count = before;
        }
    for (size_t i = 0; i < count; i++)
        if (!met[i].computed)
            draw_leaf(f, i, met[i].tensor, names);
    fprintf(f, "}\n");
    free(met);
}
