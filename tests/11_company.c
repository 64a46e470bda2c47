/* Chapter 11: the same run in PyTorch. */
#include "dlfs.h"

#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* CRC-32 of a tensor's numbers as floats. */
static int64_t checksum(const dl_tensor *t)
{
    float *x = malloc(t->size * sizeof *x);
    for (size_t i = 0; i < t->size; i++)
        x[i] = (float)dl_data(t)[i];
    int64_t crc = (int64_t)crc32(0, (const unsigned char *)x, (unsigned)(t->size * sizeof *x));
    free(x);
    return crc;
}

/* From one seed: PyTorch's initial weights to the bit, its batches, and its first 20 losses to 1e-5. */
Test(company, of_pytorch_for_20_steps)
{
    static const int width[] = {784, 256, 128, 10};
    struct oracle o = oracle_open("11_company.safetensors");
    struct dl_dataset train, test;
    struct dl_params params = {0};
    struct dl_linear layer[3];
    struct dl_random random;
    struct dl_optimizer optimizer;
    struct dl_loader loader;
    cr_assert(dl_read_fashion(&train, &test, NULL), "%s", dl_error_text());
    dl_random_seed(&random, 7);
    for (int l = 0; l < 3; l++) {
        char name[8];
        sprintf(name, "fc%d", l + 1);
        dl_linear_init(&layer[l], &params, name, width[l], width[l + 1], &random);
    }
    struct oracle_tensor crc = oracle_get(&o, "crc");               /* by name: the biases first */
    cr_assert(crc.count == 6 && params.n == 6);
    for (int k = 0; k < params.n; k++) {
        const dl_tensor *t = params.list[k].tensor;
        cr_assert(checksum(t) == crc.i64[k ^ 1], "%s", params.list[k].name);
        struct oracle_tensor want = oracle_get(&o, "%s", params.list[k].name);
        int every = want.count < t->size ? 16 : 1, columns = t->shape.dim[t->shape.rank - 1];
        cr_assert(eq(sz, want.count * (size_t)every, t->size));
        for (size_t i = 0; i < want.count; i++) {
            size_t at = every == 1 ? i : i / (size_t)columns * 16 * (size_t)columns + i % (size_t)columns;
            cr_assert(dl_data(t)[at] == (dl_real)want.f32[i], "%s[%zu]", params.list[k].name, at);
        }
    }
    struct dl_hyper h = dl_hyper_default(&dl_adam);
    h.lr = 1e-3;
    dl_optimizer_init(&optimizer, &dl_adam, &params, h);
    dl_loader_init(&loader, train.n, 64, true, &random);
    dl_loader_epoch(&loader);
    struct oracle_tensor label = oracle_get(&o, "label"), loss = oracle_get(&o, "loss");
    for (int step = 0; step < 20; step++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        struct dl_ints rows = dl_loader_next(&loader), y = dl_dataset_labels(&train, rows);
        for (int i = 0; i < 64; i++)
            cr_assert(eq(int, y.at[i], label.u8[64 * step + i]), "step %d, example %d", step, i);
        dl_tensor *x = dl_view(dl_dataset_rows(&train, rows), DL_SHAPE(64, 784));
        x = dl_linear_forward_act(&layer[0], x, DL_RELU);
        x = dl_linear_forward_act(&layer[1], x, DL_RELU);
        dl_tensor *l = dl_cross_entropy(dl_linear_forward(&layer[2], x), y);
        double got = (double)dl_item(l), want = loss.f64[step];
        cr_assert(fabs(got - want) <= 1e-5 * want, "step %d: %.9g, PyTorch %.9g", step, got, want);
        dl_zero_grad(&params);
        dl_backward(l);
        dl_optimizer_step(&optimizer);
        dl_scope_leave(scope);
    }
    dl_loader_free(&loader);
    dl_optimizer_free(&optimizer);
    dl_params_free(&params);
    dl_dataset_free(&train);
    dl_dataset_free(&test);
    dl_pool_drain();
    oracle_close(&o);
}
