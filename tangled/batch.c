/* batch.c - a network separates two half moons, all points at once. */
#include <math.h>
#include <stdio.h>
#include "dlfs.h"

enum { POINTS = 100, LAYERS = 3, STEPS = 200 };

static void relu_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)
        dl_vrelu_backward(node->out->size, dl_saved(node, 0),
                          dl_grad_out(node), to, beta != 0);
}

static dl_tensor *relu(dl_tensor *x)
{
    static const struct dl_op op = {"relu", relu_backward};
    dl_tensor *y = dl_empty(x->shape);
    dl_vrelu(x->size, dl_data(x), dl_data(y));
    dl_save(dl_record(&op, y, 1, &x), y);
    return y;
}

struct net {
    struct dl_params params;
    dl_tensor *w[LAYERS], *b[LAYERS];
};

static void net_init(struct net *net, struct dl_random *r)
{
    const int width[LAYERS + 1] = {2, 16, 16, 1};
    const char *const w[LAYERS] = {"w1", "w2", "w3"};
    const char *const b[LAYERS] = {"b1", "b2", "b3"};
    for (int l = 0; l < LAYERS; l++) {
        int k = width[l], n = width[l + 1];
        net->w[l] = dl_param(&net->params, w[l], DL_SHAPE(k, n));
        net->b[l] = dl_param(&net->params, b[l], DL_SHAPE(n));
        float bound = 1 / sqrtf((float)k), x;
        for (int i = 0; i < n; i++)
            for (int j = -1; j < k; j++) {
                dl_random_fill_uniform(r, &x, 1, -bound, bound);
                *(j < 0 ? dl_data(net->b[l]) + i
                        : dl_data(net->w[l]) + j * n + i) = x;
            }
    }
}

static dl_tensor *net_forward(const struct net *net, dl_tensor *x)
{
    for (int l = 0; l < LAYERS; l++) {
        x = dl_add(dl_matmul(x, net->w[l]), net->b[l]);
        if (l < LAYERS - 1)
            x = relu(x);
    }
    return x;
}

struct moons {
    dl_tensor *x;                   /* [POINTS, 2] */
    dl_tensor *minus;               /* [POINTS, 1], the labels' negatives */
};

static void moons_draw(struct moons *m, struct dl_random *r)
{
    m->x = dl_empty(DL_SHAPE(POINTS, 2));
    m->minus = dl_empty(DL_SHAPE(POINTS, 1));
    for (int i = 0; i < POINTS; i++) {
        float t = (float)M_PI * dl_random_uniform(r), noise[2];
        dl_random_fill_normal(r, noise, 2, 0, 0.1f);
        bool upper = i % 2 == 0;
        dl_data(m->minus)[i] = upper ? -1 : 1;
        dl_real *x = dl_data(m->x) + 2 * i;
        x[0] = (upper ? cosf(t) : 1 - cosf(t)) + noise[0];
        x[1] = (upper ? sinf(t) : 0.5f - sinf(t)) + noise[1];
    }
}

struct outcome {
    double loss;
    int right;
};

static struct outcome learn(struct net *net, const struct moons *m)
{
    struct outcome all = {0, 0};
    dl_scope step = dl_scope_enter(DL_RECORD);
    dl_tensor *score = net_forward(net, m->x);
    dl_tensor *hinge = relu(dl_add(dl_scalar(1), dl_mul(m->minus, score)));
    dl_tensor *loss = dl_mul(dl_sum(hinge), dl_scalar((dl_real)1 / POINTS));
    dl_zero_grad(&net->params);
    dl_backward(loss);
    all.loss = dl_item(loss);
    for (int i = 0; i < POINTS; i++)
        all.right += dl_data(score)[i] * dl_data(m->minus)[i] < 0;
    dl_scope_leave(step);
    for (int k = 0; k < net->params.n; k++) {
        const dl_tensor *p = net->params.list[k].tensor;
        for (size_t i = 0; i < p->size; i++)
            all.loss += 1e-4 * dl_data(p)[i] * dl_data(p)[i];
    }
    return all;
}

static void net_descend(struct net *net, double rate)
{
    for (int k = 0; k < net->params.n; k++) {
        dl_tensor *p = net->params.list[k].tensor;
        const dl_real *g = dl_grad(p);
        for (size_t i = 0; i < p->size; i++)
            dl_data(p)[i] -= (dl_real)(rate
                                       * (g[i] + 2e-4 * dl_data(p)[i]));
        dl_touch(p);
    }
}

int main(void)
{
    struct dl_random random;
    dl_set_num_threads(1);
    dl_random_seed(&random, 1);
    struct moons moons;
    moons_draw(&moons, &random);
    struct net net = {0};
    net_init(&net, &random);
    printf("# build/batch; threads 1\nstep\tloss\taccuracy\n");
    for (int step = 0; step <= STEPS; step++) {
        struct outcome now = learn(&net, &moons);
        if (step % 10 == 0)
            printf("%d\t%.4f\t%.2f\n", step, now.loss,
                   (double)now.right / POINTS);
        net_descend(&net, 1 - 0.9 * step / STEPS);
    }
    dl_params_free(&net.params);
    dl_tensor_free(moons.x);
    dl_tensor_free(moons.minus);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
