/* Single elements, layers, sums along axes, softmax and products of many matrices, each forward and backward. PyTorch's are
   in 07_axes.py; `composed` is the layer as a matrix product, a sum and a tangent of chapter 6. One thread. */
#include "autograd.h"
#include "basic.h"
#include "memory.h"
#include "parallel.h"
#include "pointwise.h"
#include "products.h"
#include "reduce.h"

#include "speed.h"
#include <math.h>

/* Numbers without rhyme or reason, the same in Python. */
static dl_tensor *numbers(struct dl_shape s, int first)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)(0.5 * sin(1 + first + (double)i));
    t->requires_grad = true;
    return t;
}

static dl_tensor *x, *w, *bias, *g;

static void tensors(struct dl_shape sx, struct dl_shape sw, int out, struct dl_shape sg)
{
    dl_set_num_threads(1);
    x = numbers(sx, 0), w = numbers(sw, 1), bias = numbers(DL_SHAPE(out), 2), g = numbers(sg, 3);
    g->requires_grad = false;
}

static void make_small(void) { tensors(DL_SHAPE(100, 16), DL_SHAPE(16, 16), 16, DL_SHAPE(100, 16)); }
static void make_large(void) { tensors(DL_SHAPE(64, 784), DL_SHAPE(256, 784), 256, DL_SHAPE(64, 256)); }
static void make_first(void) { tensors(DL_SHAPE(64, 512), DL_SHAPE(), 0, DL_SHAPE(512)); }
static void make_last(void) { tensors(DL_SHAPE(64, 512), DL_SHAPE(), 0, DL_SHAPE(64)); }
static void make_middle(void) { tensors(DL_SHAPE(32, 16, 14, 14), DL_SHAPE(), 0, DL_SHAPE(16)); }
static void make_same(void) { tensors(DL_SHAPE(64, 512), DL_SHAPE(), 0, DL_SHAPE(64, 512)); }
static void make_flat(void) { tensors(DL_SHAPE(8192), DL_SHAPE(8192), 0, DL_SHAPE(8192)); }
static void make_heads(void) { tensors(DL_SHAPE(24, 64, 32), DL_SHAPE(24, 64, 32), 0, DL_SHAPE(24, 64, 64)); }

/* The layer of chapter 6 keeps its weights as [in, out]. */
static void turn_weights(void)
{
    dl_tensor *t = dl_empty(DL_SHAPE(w->shape.dim[1], w->shape.dim[0]));
    dl_permute_copy(t, w, (int[]){1, 0});
    t->requires_grad = true;
    w = t;
}
static void make_small_turned(void) { make_small(), turn_weights(); }
static void make_large_turned(void) { make_large(), turn_weights(); }

static double round3(double v) { return nearbyint(v * 1e2) / 1e2; }

static struct result finish(dl_scope scope, dl_tensor *y)
{
    struct dl_param list[] = {{.tensor = x}, {.tensor = w}, {.tensor = bias}};
    dl_zero_grad(&(struct dl_params){.n = 3, .list = list});
    dl_backward_from(y, g);
    struct result r = {round3(dl_data(y)[3]), round3(dl_grad(x)[5])};
    dl_scope_leave(scope);
    return r;
}

#define STEP(name, expression) \
    static struct result name(void) { dl_scope s = dl_scope_enter(DL_RECORD); return finish(s, expression); }
STEP(fused, dl_linear_act(x, w, bias, DL_TANH))
STEP(composed, dl_tanh(dl_add(dl_matmul(x, w), bias)))
STEP(square, dl_square(x))
STEP(clamp, dl_clamp(x, -0.25, 0.25))
STEP(leaky, dl_leaky_relu(x, 0.125))
STEP(maximum, dl_maximum(x, w))
STEP(sum_first, dl_sum_over(x, DL_AXES(0), false))
STEP(sum_last, dl_sum_over(x, DL_AXES(-1), false))
STEP(variance, dl_var_over(x, DL_AXES(0, 2, 3), 0, false))
STEP(softmax_last, dl_softmax(x, -1))
STEP(softmax_first, dl_softmax(x, 0))
STEP(scores, dl_bmm(false, true, x, w))

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *target, *peer;
        void (*prepare)(void), (*prepare_peer)(void);
        struct result (*ours)(void), (*theirs)(void);
    } workloads[] = {
        {"small-layer", "ratio>=1", "composed", make_small, make_small_turned, fused, composed},
        {"large-layer", "ratio>=0.9", "composed", make_large, make_large_turned, fused, composed},
        {"square", "ratio>=1", NULL, make_flat, NULL, square, NULL},
        {"clamp", "ratio>=1", NULL, make_flat, NULL, clamp, NULL},
        {"leaky", "ratio>=1", NULL, make_flat, NULL, leaky, NULL},
        {"maximum", "ratio>=1", NULL, make_flat, NULL, maximum, NULL},
        {"sum-first", "ratio>=1", NULL, make_first, NULL, sum_first, NULL},
        {"sum-last", "ratio>=1", NULL, make_last, NULL, sum_last, NULL},
        {"var-channels", "ratio>=1", NULL, make_middle, NULL, variance, NULL},
        {"softmax-last", "ratio>=1", NULL, make_same, NULL, softmax_last, NULL},
        {"softmax-first", "ratio>=1", NULL, make_same, NULL, softmax_first, NULL},
        {"scores", "ratio>=1", NULL, make_heads, NULL, scores, NULL},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (argc == 2)
            printf("%s\t1\tns/step\t%s%s%s\n", workloads[i].name, workloads[i].target, workloads[i].peer ? "\t" : "",
                   workloads[i].peer ? workloads[i].peer : "");
        else if (argc == 3 && strcmp(argv[1], workloads[i].name) == 0) {
            struct result r;
            bool ours = strcmp(argv[2], "ours") == 0;
            (ours ? workloads[i].prepare : workloads[i].prepare_peer)();
            double ns = median_nanoseconds(ours ? workloads[i].ours : workloads[i].theirs, &r);
            printf("%.6g %.17g %.17g\n", ns, r.value, r.check);
        }
    }
    return 0;
}
