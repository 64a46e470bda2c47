/* Chapter 7: three networks of later chapters, put together from its operations, against PyTorch's. Compiled for float
   and, with -DDL_DOUBLE, for double. With COMPOSITIONS=1 in the environment, prints the largest differences. */
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "memory.h"
#include "ops.h"
#include "parallel.h"

#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-13, 1e-5)        /* relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 2e-2)         /* of dl_gradcheck */

/* ---- The networks ---------------------------------------------------------------------------------------------- */

enum { LARGEST = 12 };                          /* number of parameters and inputs */
struct network {
    const char *name;
    dl_tensor *(*forward)(dl_tensor *const p[]);
    const char *key[LARGEST];
};

/* x [T, B, I], the first h and c [B, H], weights [4 H, I] and [4 H, H]. */
static dl_tensor *lstm(dl_tensor *const p[])
{
    dl_tensor *x = p[0], *h = p[1], *c = p[2], *all[8];
    int T = x->shape.dim[0], H = h->shape.dim[1];
    for (int t = 0; t < T; t++) {
        dl_tensor *z = dl_add(dl_linear(dl_select(x, t), p[3], p[5]),
                              dl_linear(h, p[4], p[6]));
        dl_tensor *i = dl_sigmoid(dl_slice(z, 1, 0, H));
        dl_tensor *f = dl_sigmoid(dl_slice(z, 1, H, H));
        dl_tensor *g = dl_tanh(dl_slice(z, 1, 2 * H, H));
        dl_tensor *o = dl_sigmoid(dl_slice(z, 1, 3 * H, H));
        c = dl_add(dl_mul(f, c), dl_mul(i, g));
        h = dl_mul(o, dl_tanh(c));
        all[t] = h;
    }
    return dl_stack(T, all, 0);
}

/* Each row to mean 0 and variance 1, then scaled and shifted. */
static dl_tensor *layer_norm(dl_tensor *x, dl_tensor *w, dl_tensor *b)
{
    dl_tensor *v = dl_var_over(x, DL_AXES(-1), 0, true);
    dl_tensor *d = dl_sub(x, dl_mean_over(x, DL_AXES(-1), true));
    dl_tensor *y = dl_div(d, dl_sqrt(dl_add_scalar(v, (dl_real)1e-5)));
    return dl_add(dl_mul(y, w), b);
}

enum { HEADS = 3 };

/* Part k of [B, T, 3 D], as [B, heads, T, width]. */
static dl_tensor *heads(dl_tensor *qkv, int k)
{
    const int *d = qkv->shape.dim;
    int B = d[0], T = d[1], D = d[2] / 3;
    dl_tensor *part = dl_slice(qkv, -1, k * D, D);
    part = dl_view(part, DL_SHAPE(B, T, HEADS, D / HEADS));
    return dl_transpose(part, 1, 2);
}

/* x + attention(layer norm of x), where no one sees the future. */
static dl_tensor *attention(dl_tensor *const p[])
{
    dl_tensor *x = p[0], *qkv, *q, *k, *v, *a, *y;
    int T = x->shape.dim[1], D = x->shape.dim[2];
    dl_tensor *future = dl_zeros(DL_SHAPE(T, T));
    for (int i = 0; i < T; i++)
        for (int j = i + 1; j < T; j++)
            *dl_at(future, i, j) = 1;
    qkv = dl_linear(layer_norm(x, p[5], p[6]), p[1], p[2]);
    q = heads(qkv, 0);                          /* [B, heads, T, width] */
    k = heads(qkv, 1);
    v = heads(qkv, 2);
    a = dl_bmm(false, true, q, k);              /* [B, heads, T, T] */
    a = dl_mul_scalar(a, 1 / (dl_real)sqrt(D / HEADS));
    a = dl_softmax(dl_masked_fill(a, future, -INFINITY), -1);
    y = dl_transpose(dl_bmm(false, false, a, v), 1, 2);
    y = dl_view(y, x->shape);                   /* heads side by side */
    return dl_add(x, dl_linear(y, p[3], p[4]));
}

/* For each of the 9 places of the window and each pixel (i, j), where to
   look in an image of H x W pixels that is followed by a zero. */
static void windows(int H, int W, int *at)
{
    for (int di = -1; di <= 1; di++)
        for (int dj = -1; dj <= 1; dj++)
            for (int i = di; i < H + di; i++)
                for (int j = dj; j < W + dj; j++)
                    *at++ = i >= 0 && i < H && j >= 0 && j < W ? i * W + j
                                                               : H * W;
}

/* x [N, C, H, W], weight [O, C, 3, 3], bias [O]; zeros around the image. */
static dl_tensor *conv(dl_tensor *const p[])
{
    const int *d = p[0]->shape.dim;
    int N = d[0], C = d[1], H = d[2], W = d[3], O = p[2]->shape.dim[0];
    int at[9 * 64];
    windows(H, W, at);
    dl_tensor *x = dl_view(p[0], DL_SHAPE(N, C, H * W));
    dl_tensor *pair[] = {x, dl_zeros(DL_SHAPE(N, C, 1))};
    x = dl_index_select(dl_cat(2, pair, 2), 2,
                        (struct dl_ints){9 * H * W, at});
    x = dl_view(x, DL_SHAPE(N, 9 * C, H * W));
    dl_tensor *w = dl_expand(dl_view(p[1], DL_SHAPE(O, 9 * C)),
                             DL_SHAPE(N, O, 9 * C));
    dl_tensor *y = dl_bmm(false, false, w, x);
    y = dl_add(y, dl_view(p[2], DL_SHAPE(O, 1)));
    return dl_view(y, DL_SHAPE(N, O, H, W));
}

static const struct network networks[] = {
    {"lstm", lstm, {"x", "h", "c", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}},
    {"attention", attention, {"x", "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias", "norm.weight",
                              "norm.bias"}},
    {"conv", conv, {"x", "weight", "bias"}},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* ---- Against PyTorch ------------------------------------------------------------------------------------------- */

static struct dl_params params;
static dl_tensor *list[LARGEST];

/* The inputs and parameters, all as parameters. */
static int load(const struct oracle *o, const struct network *n)
{
    int count = 0;
    params = (struct dl_params){0};
    for (; n->key[count] != NULL; count++) {
        struct oracle_tensor t = oracle_get(o, "%s.%s", n->name, n->key[count]);
        struct dl_shape s = {.rank = t.rank};
        for (int i = 0; i < t.rank; i++)
            s.dim[i] = (int)t.shape[i];
        list[count] = dl_param(&params, n->key[count], s);
        for (size_t i = 0; i < t.count; i++)
            dl_data(list[count])[i] = t.f32[i];
        dl_touch(list[count]);
    }
    return count;
}

static void backward(const struct oracle *o, const struct network *n, dl_tensor *y)
{
    struct oracle_tensor g = oracle_get(o, "%s.g", n->name);
    dl_tensor *at_y = dl_empty(y->shape);
    cr_assert(eq(sz, y->size, g.count));
    for (size_t i = 0; i < g.count; i++)
        dl_data(at_y)[i] = g.f32[i];
    dl_backward_from(y, at_y);
}

/* The largest difference, relative to the largest element. */
static double difference(const dl_real *got, struct oracle_tensor wanted, const char *what)
{
    double largest = 0, worst = 0;
    cr_assert(got != NULL, "%s: no gradient", what);
    for (size_t i = 0; i < wanted.count; i++) {
        largest = fmax(largest, fabs(wanted.f64[i]));
        worst = fabs(got[i] - wanted.f64[i]) > worst || isnan(got[i]) ? fabs(got[i] - wanted.f64[i]) : worst;
    }
    cr_assert(worst <= TOLERANCE * largest, "%s: %g", what, worst / largest);
    return worst / largest;
}

static void compare(const struct network *n)
{
    struct oracle o = oracle_open("07_compositions.safetensors");
    int count = load(&o, n);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *y = n->forward(list);
    double value = difference(dl_data(y), oracle_get(&o, "%s.y", n->name), n->name), gradient = 0;
    backward(&o, n, y);
    for (int k = 0; k < count; k++)
        gradient = fmax(gradient, difference(dl_grad(list[k]), oracle_get(&o, "%s.d.%s", n->name, n->key[k]), n->key[k]));
    if (getenv("COMPOSITIONS") != NULL) {
        printf("%s-%s\t%.2g\t%.2g\n", n->name, IF_DOUBLE("double", "float"), value, gradient);
        fflush(stdout);
    }
    dl_scope_leave(scope);
    dl_params_free(&params);
    oracle_close(&o);
    struct dl_pool_use use = dl_pool_use();
    cr_assert(eq(sz, use.blocks, 0));
    dl_pool_drain();
}

Test(compositions, lstm_of_eight_steps_is_pytorchs) { compare(&networks[0]); }
Test(compositions, causal_attention_with_layer_norm_is_pytorchs) { compare(&networks[1]); }
Test(compositions, convolution_by_index_and_product_is_pytorchs) { compare(&networks[2]); }

/* ---- Against differences, and in other circumstances ------------------------------------------------------------ */

static dl_tensor *forward(void *context) { return ((const struct network *)context)->forward(list); }

Test(compositions, gradients_agree_with_differences)
{
    struct oracle o = oracle_open("07_compositions.safetensors");
    for (int k = 0; k < NETWORKS; k++) {
        load(&o, &networks[k]);
        double error = dl_gradcheck(forward, (void *)&networks[k], &params);
        cr_assert(error <= CHECKED, "%s: %g", networks[k].name, error);
        dl_params_free(&params);
    }
    oracle_close(&o);
    dl_pool_drain();
}

static uint64_t hash(const struct oracle *o, const struct network *n)
{
    uint64_t h = 14695981039346656037u;
    int count = load(o, n);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    backward(o, n, n->forward(list));
    for (int k = 0; k < count; k++)
        for (size_t i = 0; i < list[k]->size * sizeof(dl_real); i++)
            h = (h ^ ((const unsigned char *)dl_grad(list[k]))[i]) * 1099511628211u;
    dl_scope_leave(scope);
    dl_params_free(&params);
    return h;
}

Test(compositions, no_bit_depends_on_threads_or_instruction_set)
{
    struct oracle o = oracle_open("07_compositions.safetensors");
    enum dl_simd best = dl_get_simd();
    for (int k = 0; k < NETWORKS; k++) {
        dl_set_simd(best);
        dl_set_num_threads(1);
        uint64_t first = hash(&o, &networks[k]);
        for (int set = DL_SIMD_PLAIN; set <= (int)best; set++)
            for (int threads = 1; threads <= 4; threads++) {
                dl_set_simd((enum dl_simd)set);
                dl_set_num_threads(threads);
                cr_assert(eq(u64, hash(&o, &networks[k]), first), "%s, set %d, %d threads", networks[k].name, set, threads);
            }
    }
    oracle_close(&o);
    dl_pool_drain();
}

Test(compositions, third_step_needs_nothing_from_the_system)
{
    struct oracle o = oracle_open("07_compositions.safetensors");
    for (int k = 0; k < NETWORKS; k++) {
        size_t misses = 0;
        load(&o, &networks[k]);
        for (int step = 0; step < 4; step++) {
            dl_scope scope = dl_scope_enter(DL_RECORD);
            dl_zero_grad(&params);
            backward(&o, &networks[k], networks[k].forward(list));
            dl_scope_leave(scope);
            if (step >= 2)
                cr_assert(eq(sz, dl_pool_use().misses, misses), "%s, step %d", networks[k].name, step);
            misses = dl_pool_use().misses;
        }
        dl_params_free(&params);
    }
    oracle_close(&o);
    dl_pool_drain();
}
