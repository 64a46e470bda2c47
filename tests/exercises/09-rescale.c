/* Exercise 09-rescale: weights scaled by data, layer by layer. */
#include "dlfs.h"
#include <criterion/criterion.h>
#include <math.h>

extern void rescale(int n, struct dl_linear layer[], enum dl_activation f, dl_tensor *x);

static double deviation(const dl_tensor *t)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < t->size; i++)
        sum += dl_data(t)[i] / (double)t->size;
    for (size_t i = 0; i < t->size; i++)
        square += (dl_data(t)[i] - sum) * (dl_data(t)[i] - sum) / (double)t->size;
    return sqrt(square);
}

static void try(enum dl_activation f, double first)
{
    enum { LAYERS = 6 };
    struct dl_random r;
    dl_random_seed(&r, 3);
    struct dl_params p = {0};
    struct dl_linear layer[LAYERS];
    const int width[LAYERS + 1] = {30, 50, 20, 70, 40, 40, 10};
    for (int l = 0; l < LAYERS; l++) {
        char name[10];
        snprintf(name, sizeof name, "fc%d", l);
        dl_linear_init(&layer[l], &p, name, width[l], width[l + 1], &r);
        dl_init_normal(layer[l].weight, &r, 0, first);
        dl_fill(layer[l].bias, l == 2 ? (dl_real)0.3 : 0);
    }
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = dl_normal(DL_SHAPE(200, 30), &r, 1, 2);
    struct dl_pool_use before = dl_pool_use();
    rescale(LAYERS, layer, f, x);
    cr_assert(dl_pool_use().blocks == before.blocks, "temporary tensors are left behind");
    for (int l = 0; l < LAYERS; l++) {
        dl_tensor *z = dl_linear_forward(&layer[l], x);
        cr_assert(fabs(deviation(z) - 1) < 1e-3, "layer %d: %g", l, deviation(z));       /* or with the correction */
        x = dl_linear_forward_act(&layer[l], x, f);
    }
    dl_scope_leave(scope);
    dl_params_free(&p);
}

Test(rescale, every_layer_has_outputs_of_deviation_one)
{
    try(DL_RELU, 0.01);
    try(DL_RELU, 3);
    try(DL_TANH, 1);
    try(DL_SIGMOID, 0.5);
    try(DL_IDENTITY, 1e-3);
}
