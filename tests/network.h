/* A network of three layers with chapter 6's operations, and its training; also for the programs in tests/tsan. */
#ifndef DLFS_TESTS_NETWORK_H
#define DLFS_TESTS_NETWORK_H

#include "autograd.h"
#include "basic.h"
#include "kernels.h"
#include "memory.h"
#include "random.h"
#include <string.h>

enum { N = 600, IN = 24, H1 = 64, H2 = 32, OUT = 10 };      /* samples; more than gemm.h's 512; numbers of each layer */

struct network {
    struct dl_params params;
    dl_tensor *x, *wanted;
};

__attribute__((unused))
static void make_network(struct network *net)
{
    static const struct dl_shape shapes[] = {{2, {IN, H1}}, {1, {H1}}, {2, {H1, H2}}, {1, {H2}}, {2, {H2, OUT}}, {1, {OUT}}};
    static const char *const names[] = {"w1", "b1", "w2", "b2", "w3", "b3"};
    struct dl_random random;
    dl_random_seed(&random, 3);
    net->params = (struct dl_params){0};
    for (int k = 0; k < 6; k++) {
        dl_tensor *t = dl_param(&net->params, names[k], shapes[k]);
        dl_tensor *draws = dl_uniform(shapes[k], &random, -0.25f, 0.25f);   /* the same bits with any libm */
        dl_copy(t, draws);
        dl_tensor_free(draws);
    }
    net->x = dl_uniform(DL_SHAPE(N, IN), &random, -1, 1);
    net->wanted = dl_uniform(DL_SHAPE(N, OUT), &random, -1, 1);
}

__attribute__((unused))
static void free_network(struct network *net)
{
    dl_params_free(&net->params);
    dl_tensor_free(net->x);
    dl_tensor_free(net->wanted);
}

__attribute__((unused))
static dl_tensor *output(struct network *net, dl_tensor *x)
{
    for (int k = 0; k < 6; k += 2) {
        x = dl_add(dl_matmul(x, net->params.list[k].tensor), net->params.list[k + 1].tensor);
        x = k < 4 ? dl_tanh(x) : x;
    }
    return x;
}

/* One step of gradient descent on the first n samples; returns the loss. */
__attribute__((unused))
static dl_real train_step(struct network *net, int n)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *wanted = dl_narrow(net->wanted, 0, n), *y = output(net, dl_narrow(net->x, 0, n));
    dl_tensor *error = dl_add(y, dl_mul(wanted, dl_scalar(-1))), *loss = dl_sum(dl_mul(error, error));
    dl_real value = dl_item(loss);
    dl_zero_grad(&net->params);
    dl_backward(loss);
    for (int k = 0; k < net->params.n; k++) {
        dl_tensor *w = net->params.list[k].tensor;
        dl_vaxpy(w->size, (dl_real)-0x1p-12, dl_grad(w), dl_data(w));
        dl_touch(w);
    }
    dl_scope_leave(scope);
    return value;
}

/* The bits of all weights after 50 steps (FNV-1a). */
__attribute__((unused))
static uint64_t hash_after_training(void)
{
    struct network net;
    uint64_t hash = 14695981039346656037u;
    make_network(&net);
    for (int k = 0; k < 50; k++)
        train_step(&net, N);
    for (int k = 0; k < net.params.n; k++) {
        const unsigned char *bytes = (const unsigned char *)dl_data(net.params.list[k].tensor);
        for (size_t i = 0; i < net.params.list[k].tensor->size * sizeof(dl_real); i++)
            hash = (hash ^ bytes[i]) * 1099511628211u;
    }
    free_network(&net);
    return hash;
}

/* What it is in float, on every machine. A change of any bit of the arithmetic changes it. */
#define TRAINED 0x9689f29a4e864e4fu

#endif
