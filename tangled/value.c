/* value.c - scalars that remember how they were computed, and their
   derivatives of any order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "value.h"

struct dl_value_op {
    const char *name;
    /* hand g, the gradient at v, on to the inputs of v */
    void (*backward)(dl_value *v, dl_value *g);
};

static const struct dl_value_op leaf = {"leaf", NULL};

enum { PER_BLOCK = 1170 };

struct block {
    struct block *previous;
    size_t before;                  /* values in all earlier blocks */
    dl_value value[PER_BLOCK];
};

static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
    struct block *block;            /* the newest, or NULL */
    struct block *spare;            /* blocks to be used again */
    dl_value *next, *end;           /* where the next value goes */
    uint64_t pass;                  /* backward passes so far */
    dl_value *scratch;              /* where a visit puts its values */
    bool off;                       /* nothing is recorded */
    bool differentiable;            /* gradients are values, too */
} tape;

static void add_block(void)
{
    dl_check(tape.scratch == NULL, "a rule makes too many values");
    struct block *b = tape.spare;
    if (b != NULL)
        tape.spare = b->previous;
    else
        b = dl_alloc(1, sizeof *b);
    b->previous = tape.block;
    b->before = tape.block ? tape.block->before + PER_BLOCK : 0;
    tape.block = b;
    tape.next = b->value;
    tape.end = b->value + PER_BLOCK;
}

static dl_value *append(double data)
{
    if (tape.next == tape.end)
        add_block();
    dl_value *v = tape.next++;
    v->data = data;
    v->grad = 0;
    v->op = NULL;
    v->pass = 0;
    return v;
}

static dl_value *record(double data, const struct dl_value_op *op,
                        dl_value *a, dl_value *b)
{
    dl_value *v = append(data);
    if (!tape.off && (a->op != NULL || (b != NULL && b->op != NULL))) {
        v->op = op;
        v->in[0] = a;
        v->in[1] = b;
    }
    return v;
}

size_t dl_value_count(void)
{
    struct block *b = tape.block;
    return b ? b->before + (size_t)(tape.next - b->value) : 0;
}

void dl_value_release(size_t count)
{
    dl_check(count <= dl_value_count(),
             "%zu values are to stay, but there are only %zu",
             count, dl_value_count());
    while (tape.block && tape.block->before >= count) {
        struct block *b = tape.block;
        tape.block = b->previous;
        b->previous = tape.spare;
        tape.spare = b;
    }
    if (count == 0)
        while (tape.spare != NULL) {
            struct block *b = tape.spare;
            tape.spare = b->previous;
            free(b);
        }
    struct block *b = tape.block;
    tape.next = b ? b->value + (count - b->before) : NULL;
    tape.end = b ? b->value + PER_BLOCK : NULL;
}

dl_value *dl_value_new(double x)
{
    dl_value *v = append(x);
    v->op = &leaf;
    return v;
}

dl_value *dl_value_constant(double x)
{
    return append(x);
}

bool dl_value_set_grad_enabled(bool on)
{
    bool was_on = !tape.off;
    tape.off = !on;
    return was_on;
}

static bool wants_gradient(const dl_value *v)
{
    return v->op != NULL;
}

static void give(dl_value *v, dl_value *share)
{
    if (!wants_gradient(v))
        return;
    bool first = v->pass != tape.pass;
    v->pass = tape.pass;
    if (tape.differentiable)
        v->adjoint = first ? share : dl_value_add(v->adjoint, share);
    else if (first && v->op != &leaf)
        v->grad = share->data;
    else
        v->grad += share->data;
}

#define DEFINE_1(name, formula) \
    static const struct dl_value_op op_##name = {#name, back_##name}; \
    dl_value *dl_value_##name(dl_value *a) \
    { \
        dl_check(a != NULL, "the argument is NULL"); \
        double x = a->data; \
        return record(formula, &op_##name, a, NULL); \
    }

#define DEFINE_2(name, formula) \
    static const struct dl_value_op op_##name = {#name, back_##name}; \
    dl_value *dl_value_##name(dl_value *a, dl_value *b) \
    { \
        dl_check(a != NULL && b != NULL, "an argument is NULL"); \
        double x = a->data, y = b->data; \
        return record(formula, &op_##name, a, b); \
    }

static void back_neg(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_neg(g));
}

static void back_add(dl_value *v, dl_value *g)
{
    give(v->in[0], g);
    give(v->in[1], g);
}

static void back_sub(dl_value *v, dl_value *g)
{
    give(v->in[0], g);
    if (wants_gradient(v->in[1]))
        give(v->in[1], dl_value_neg(g));
}

DEFINE_1(neg, -x)
DEFINE_2(add, x + y)
DEFINE_2(sub, x - y)

static void back_mul(dl_value *v, dl_value *g)
{
    if (wants_gradient(v->in[0]))
        give(v->in[0], dl_value_mul(g, v->in[1]));
    if (wants_gradient(v->in[1]))
        give(v->in[1], dl_value_mul(g, v->in[0]));
}

DEFINE_2(mul, x * y)

static void back_div(dl_value *v, dl_value *g)
{
    dl_value *share = dl_value_div(g, v->in[1]);
    give(v->in[0], share);
    if (wants_gradient(v->in[1]))
        give(v->in[1], dl_value_neg(dl_value_mul(share, v)));
}

DEFINE_2(div, x / y)

static void back_exp(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_mul(g, v));
}

static void back_log(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_div(g, v->in[0]));
}

static void back_sqrt(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_div(g, dl_value_add(v, v)));
}

DEFINE_1(exp, exp(x))
DEFINE_1(log, log(x))
DEFINE_1(sqrt, sqrt(x))

static void back_sin(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_mul(g, dl_value_cos(v->in[0])));
}

static void back_cos(dl_value *v, dl_value *g)
{
    give(v->in[0], dl_value_neg(dl_value_mul(g, dl_value_sin(v->in[0]))));
}

DEFINE_1(sin, sin(x))
DEFINE_1(cos, cos(x))

static void back_tanh(dl_value *v, dl_value *g)
{
    dl_value *one = dl_value_constant(1);
    dl_value *slope = dl_value_sub(one, dl_value_mul(v, v));
    give(v->in[0], dl_value_mul(g, slope));
}

static void back_sigmoid(dl_value *v, dl_value *g)
{
    dl_value *one = dl_value_constant(1);
    dl_value *slope = dl_value_mul(v, dl_value_sub(one, v));
    give(v->in[0], dl_value_mul(g, slope));
}

DEFINE_1(tanh, tanh(x))

static double stable_sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

DEFINE_1(sigmoid, stable_sigmoid(x))

static void back_pow(dl_value *v, dl_value *g)
{
    dl_value *a = v->in[0], *b = v->in[1], *zero = dl_value_constant(0);
    if (wants_gradient(a))
        give(a, b->data == 0 && (a->data == 0 || isnan(a->data)) ? zero :
             dl_value_mul(g, dl_value_mul(b,
                 dl_value_pow(a, dl_value_sub(b, dl_value_constant(1))))));
    if (wants_gradient(b))
        give(b, a->data == 0 && b->data >= 0 ? zero :
             dl_value_mul(g, dl_value_mul(v, dl_value_log(a))));
}

DEFINE_2(pow, pow(x, y))

static void back_relu(dl_value *v, dl_value *g)
{
    give(v->in[0], v->in[0]->data <= 0 ? dl_value_constant(0) : g);
}

DEFINE_1(relu, x <= 0 ? 0 : x)

static void back_max(dl_value *v, dl_value *g)
{
    dl_value *a = v->in[0], *b = v->in[1];
    dl_value *zero = dl_value_constant(0);
    if (a->data == b->data)
        g = dl_value_mul(g, dl_value_constant(0.5));
    give(a, a->data < b->data ? zero : g);
    give(b, b->data < a->data ? zero : g);
}

DEFINE_2(max, x > y || isnan(x) ? x : y)

static struct block *block_of(const dl_value *v)
{
    struct block *b = tape.block;
    while (b != NULL
           && (uintptr_t)v - (uintptr_t)b->value >= sizeof b->value)
        b = b->previous;
    dl_check(b != NULL, "the value is not on the tape of this thread");
    return b;
}

static void run_backwards(dl_value *y, struct block *b,
                          void (*visit)(dl_value *v))
{
    tape.pass++;
    give(y, dl_value_constant(1));
    for (ptrdiff_t i = y - b->value; b != NULL; i = PER_BLOCK - 1) {
        for (; i >= 0; i--) {
            dl_value *v = &b->value[i];
            if (v->pass == tape.pass && v->op->backward != NULL)
                visit(v);
        }
        b = b->previous;
    }
}

enum { SCRATCH = 16 };

static void visit_with_numbers(dl_value *v)
{
    tape.next = tape.scratch;
    v->op->backward(v, dl_value_constant(v->grad));
}

void dl_value_backward(dl_value *y)
{
    dl_check(y != NULL, "the argument is NULL");
    struct block *b = block_of(y);
    dl_check(wants_gradient(y), "the value does not depend on any leaf");
    bool was_on = dl_value_set_grad_enabled(false);
    dl_value scratch[SCRATCH], *next = tape.next, *end = tape.end;
    tape.next = tape.scratch = scratch;
    tape.end = scratch + SCRATCH;
    tape.differentiable = false;
    run_backwards(y, b, visit_with_numbers);
    tape.scratch = NULL;
    tape.next = next;
    tape.end = end;
    dl_value_set_grad_enabled(was_on);
}

void dl_value_zero_grad(size_t n, dl_value *const x[])
{
    for (size_t i = 0; i < n; i++) {
        dl_check(x != NULL && x[i] != NULL, "value %zu is NULL", i);
        x[i]->grad = 0;
    }
}

static void visit_with_values(dl_value *v)
{
    v->op->backward(v, v->adjoint);
}

void dl_value_grad(dl_value *y, size_t n, dl_value *const x[],
                   dl_value *dx[])
{
    dl_check(y != NULL, "the value to differentiate is NULL");
    struct block *b = block_of(y);
    for (size_t i = 0; i < n; i++)
        dl_check(x != NULL && x[i] != NULL && dx != NULL,
                 "value %zu, or the place of its gradient, is NULL", i);
    bool was_on = dl_value_set_grad_enabled(true);
    tape.differentiable = true;
    run_backwards(y, b, visit_with_values);
    dl_value_set_grad_enabled(was_on);
    for (size_t i = 0; i < n; i++)
        dx[i] = x[i]->pass == tape.pass ? x[i]->adjoint
                                        : dl_value_constant(0);
}

static double evaluate(dl_value_function *f, void *context,
                       size_t n, dl_value *const x[])
{
    size_t before = dl_value_count();
    bool was_on = dl_value_set_grad_enabled(false);
    double y = f(n, x, context)->data;
    dl_value_set_grad_enabled(was_on);
    dl_value_release(before);
    return y;
}

double dl_value_gradcheck(dl_value_function *f, void *context,
                          size_t n, const double at[])
{
    dl_check(f != NULL && (at != NULL || n == 0), "an argument is NULL");
    size_t before = dl_value_count();
    bool was_on = dl_value_set_grad_enabled(true);
    dl_value **x = dl_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = dl_value_new(at[i]);
    dl_value_backward(f(n, x, context));
    double worst = 0;
    for (size_t i = 0; i < n && !isnan(worst); i++) {
        double h = 0x1p-17 * fmax(1, fabs(at[i]));
        double right = at[i] + h, left = at[i] - h;
        x[i]->data = right;
        double above = evaluate(f, context, n, x);
        x[i]->data = left;
        double below = evaluate(f, context, n, x);
        x[i]->data = at[i];
        double numeric = (above - below) / (right - left);
        double error = fabs(numeric - x[i]->grad)
                     / fmax(1, fabs(x[i]->grad));
        if (error > worst || isnan(error))
            worst = error;
    }
    free(x);
    dl_value_release(before);
    dl_value_set_grad_enabled(was_on);
    return worst;
}

static size_t number_of(const dl_value *v)
{
    struct block *b = block_of(v);
    return b->before + (size_t)(v - b->value);
}

static void write_node(FILE *f, dl_value *v)
{
    fprintf(f, "%s|%.4f", v->op ? v->op->name : "constant", v->data);
    if (wants_gradient(v))
        fprintf(f, "|grad %.4f", v->grad);
    fprintf(f, "\"];\n");
    if (v->op == NULL || v->op->backward == NULL)
        return;
    for (int k = 0; k < 2 && v->in[k] != NULL; k++) {
        v->in[k]->pass = tape.pass;
        fprintf(f, "    v%zu -> v%zu;\n", number_of(v->in[k]), number_of(v));
    }
}

void dl_value_write_dot(FILE *f, dl_value *y, size_t n,
                        dl_value *const v[], const char *const name[])
{
    dl_check(f != NULL && y != NULL, "an argument is NULL");
    dl_check(n == 0 || (v != NULL && name != NULL), "an array is NULL");
    struct block *b = block_of(y);
    y->pass = ++tape.pass;
    fprintf(f, "digraph {\n    rankdir=LR;\n    node [shape=Mrecord];\n");
    for (ptrdiff_t i = y - b->value; b != NULL; i = PER_BLOCK - 1) {
        for (; i >= 0; i--)
            if (b->value[i].pass == tape.pass) {
                dl_value *node = &b->value[i];
                fprintf(f, "    v%zu [label=\"", number_of(node));
                for (size_t k = 0; k < n; k++)
                    if (v[k] == node) {
                        for (const char *c = name[k]; *c != '\0'; c++)
                            fprintf(f, strchr("{}|<>\"\\", *c) ? "\\%c" : "%c", *c);
                        fprintf(f, ": ");
                    }
                write_node(f, node);
            }
        b = b->previous;
    }
    fprintf(f, "}\n");
}
