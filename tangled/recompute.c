/* recompute.c - memory and time of a deep network with checkpoints. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "dlfs.h"

enum { LAYERS = 64, BATCH = 512, WIDTH = 32, ROUNDS = 21 };

static dl_tensor *x, *weight[LAYERS];
static size_t most;                 /* bytes lent at the same time */

struct part { int first, layers; };

static dl_tensor *compute(int n, dl_tensor *const in[], void *context)
{
    const struct part *part = context;
    dl_tensor *h = n > 0 ? in[0] : x;
    for (int l = 0; l < part->layers; l++) {
        h = dl_tanh(dl_matmul(h, weight[part->first + l]));
        size_t lent = dl_pool_use().bytes;
        most = lent > most ? lent : most;
    }
    return h;
}

/* Forward and backward; 0 segments stands for no checkpoints at all.
   Returns the seconds that it took. */
static double step(int segments, struct dl_params *params)
{
    struct timespec from, to;
    struct part part[LAYERS], all = {0, LAYERS};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *h = segments == 0 ? compute(0, NULL, &all) : x;
    for (int k = 0; k < segments; k++) {
        int layers = LAYERS / segments;
        part[k] = (struct part){k * layers, layers};
        h = dl_checkpoint(compute, &part[k], 1, &h);
    }
    dl_zero_grad(params);
    dl_backward(dl_sum(h));
    dl_scope_leave(scope);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec)
         + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_line(int segments, struct dl_params *params)
{
    double ratio[ROUNDS], gradient = 0;
    for (int r = 0; r < ROUNDS; r++) {
        double plain = step(0, params);
        most = 0;
        ratio[r] = step(segments, params) / plain;
    }
    qsort(ratio, ROUNDS, sizeof *ratio, by_size);
    for (int l = 0; l < LAYERS; l++)
        for (size_t i = 0; i < weight[l]->size; i++)
            gradient += dl_grad(weight[l])[i];
    printf("%d\t%.2f\t%.2f\t%.9g\n", segments, (double)most / 1e6,
           ratio[ROUNDS / 2], gradient);
}

int main(void)
{
    struct dl_params params = {0};
    struct dl_random random;
    dl_set_num_threads(1);
    dl_random_seed(&random, 1);
    x = dl_normal(DL_SHAPE(BATCH, WIDTH), &random, 0, 1);
    for (int l = 0; l < LAYERS; l++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", l);
        weight[l] = dl_param(&params, name, DL_SHAPE(WIDTH, WIDTH));
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_copy(weight[l], dl_normal(weight[l]->shape, &random, 0,
                                     1 / sqrtf(WIDTH)));
        dl_scope_leave(scope);
    }
    printf("# build/recompute; threads 1\n");
    printf("segments\tmegabytes\ttime\tgradient\n");
    for (int segments = 0; segments <= LAYERS;
         segments = segments > 0 ? 2 * segments : 1)
        print_line(segments, &params);
    dl_params_free(&params);
    dl_tensor_free(x);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
