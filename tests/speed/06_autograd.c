/* The tape of tensors: a step of the moons' network on all points at once, against the scalar tape of chapter 2; and
   a recorded operation on single numbers. PyTorch's are in 06_autograd.py. */
#include "autograd.h"
#include "basic.h"
#include "memory.h"
#include "value.h"

#include "speed.h"
#include <math.h>

/* Numbers without rhyme or reason, the same in Python. */
static double number(int k) { return 0.5 * sin(1 + k); }

/* What single precision cannot blur. */
static struct result rounded(double value, double check)
{
    return (struct result){nearbyint(value * 1e3) / 1e3, nearbyint(check * 1e2) / 1e2};
}

/* ---- 100 points, 2-16-16-1 neurons, tanh, sum of squared scores -------------------------------------------------- */

enum { N = 100, IN = 2, H = 16 };
static const struct dl_shape shapes[] = {{2, {IN, H}}, {1, {H}}, {2, {H, H}}, {1, {H}}, {2, {H, 1}}, {1, {1}}};
enum { TENSORS = sizeof shapes / sizeof *shapes };

static struct dl_params params;
static dl_tensor *points;

static void make_tensors(void)
{
    static const char *const names[] = {"w1", "b1", "w2", "b2", "w3", "b3"};
    int k = 0;
    for (int l = 0; l < TENSORS; l++) {
        dl_tensor *t = dl_param(&params, names[l], shapes[l]);
        for (size_t i = 0; i < t->size; i++)
            dl_data(t)[i] = (dl_real)number(k++);
    }
    points = dl_empty(DL_SHAPE(N, IN));
    for (int i = 0; i < N * IN; i++)
        dl_data(points)[i] = (dl_real)number(7 * i);
}

static struct result step_tensors(void)
{
    struct dl_param *p = params.list;
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *h = dl_tanh(dl_add(dl_matmul(points, p[0].tensor), p[1].tensor));
    h = dl_tanh(dl_add(dl_matmul(h, p[2].tensor), p[3].tensor));
    dl_tensor *y = dl_add(dl_matmul(h, p[4].tensor), p[5].tensor);
    dl_tensor *loss = dl_sum(dl_mul(y, y));
    dl_zero_grad(&params);
    dl_backward(loss);
    struct result r = rounded(dl_item(loss), dl_grad(p[0].tensor)[3] + dl_grad(p[2].tensor)[5]);
    dl_scope_leave(scope);
    return r;
}

static dl_value *scalars[IN * H + H + H * H + H + H + 1];

static void make_scalars(void)
{
    for (size_t k = 0; k < sizeof scalars / sizeof *scalars; k++)
        scalars[k] = dl_value_new((float)number((int)k));
}

static struct result step_scalars(void)
{
    size_t mark = dl_value_count();
    double total = 0;
    dl_value_zero_grad(sizeof scalars / sizeof *scalars, scalars);
    for (int i = 0; i < N; i++) {
        dl_value *x[H], *h[H], **w = scalars;
        static const int width[] = {IN, H, H, 1};
        for (int j = 0; j < IN; j++)
            x[j] = dl_value_constant((float)number(7 * (i * IN + j)));
        for (int l = 0; l < 3; l++) {
            int in = width[l], out = width[l + 1];
            for (int j = 0; j < out; j++) {
                dl_value *sum = w[in * out + j];
                for (int k = 0; k < in; k++)
                    sum = dl_value_add(sum, dl_value_mul(w[k * out + j], x[k]));
                h[j] = l < 2 ? dl_value_tanh(sum) : sum;
            }
            memcpy(x, h, sizeof x);
            w += in * out + out;
        }
        dl_value *loss = dl_value_mul(x[0], x[0]);
        dl_value_backward(loss);
        total += loss->data;
        dl_value_release(mark);
    }
    return rounded(total, scalars[3]->grad + scalars[IN * H + H + 5]->grad);
}

/* ---- A chain of 500 sums and 500 products of single numbers ------------------------------------------------------ */

enum { LINKS = 500 };
static dl_tensor *one, *factor, *term;

static void make_chain(void)
{
    one = dl_full(DL_SHAPE(1), 1);
    factor = dl_full(DL_SHAPE(1), 0.5);
    term = dl_full(DL_SHAPE(1), 0.25);
    one->requires_grad = factor->requires_grad = true;
}

static struct result chain(void)
{
    struct dl_param list[] = {{.tensor = one}, {.tensor = factor}};
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *y = one;
    for (int k = 0; k < LINKS; k++)
        y = dl_add(dl_mul(y, factor), term);
    dl_zero_grad(&(struct dl_params){.n = 2, .list = list});
    dl_backward(y);
    struct result r = rounded(dl_item(y), *dl_grad(factor));
    dl_scope_leave(scope);
    return r;
}

static struct result chain_scalars(void)
{
    static dl_value *x[3];
    if (x[0] == NULL)
        x[0] = dl_value_new(1), x[1] = dl_value_new(0.5), x[2] = dl_value_constant(0.25);
    size_t mark = dl_value_count();
    dl_value *y = x[0];
    for (int k = 0; k < LINKS; k++)
        y = dl_value_add(dl_value_mul(y, x[1]), x[2]);
    dl_value_zero_grad(2, x);
    dl_value_backward(y);
    struct result r = rounded(y->data, x[1]->grad);
    dl_value_release(mark);
    return r;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *unit, *target, *peer;
        int units;
        void (*prepare)(void), (*prepare_peer)(void);
        struct result (*ours)(void), (*theirs)(void);
    } workloads[] = {
        {"moons-step", "ns/step", "ratio>=2", "scalar-tape", 1, make_tensors, make_scalars, step_tensors, step_scalars},
        {"tape-operation", "ns/operation", "ours<=120", "scalar-tape", 2 * LINKS, make_chain, make_chain, chain, chain_scalars},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (argc == 2)
            printf("%s\t%d\t%s\t%s\t%s\n", workloads[i].name, workloads[i].units, workloads[i].unit, workloads[i].target,
                   workloads[i].peer);
        else if (argc == 3 && strcmp(argv[1], workloads[i].name) == 0) {
            struct result r;
            bool ours = strcmp(argv[2], "ours") == 0;
            (ours ? workloads[i].prepare : workloads[i].prepare_peer)();
            double ns = median_nanoseconds(ours ? workloads[i].ours : workloads[i].theirs, &r);
            printf("%.6g %.17g %.17g\n", ns / workloads[i].units, r.value, r.check);
        }
    }
    return 0;
}
