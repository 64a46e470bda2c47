/* depth.c - how signals and gradients grow or shrink from layer to
   layer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

enum { WIDTH = 512, LAYERS = 20, SAMPLES = 256, SEEDS = 21, SCHEMES = 7 };

static void small(dl_tensor *w, struct dl_random *r)
{
    dl_init_normal(w, r, 0, 0.01);
}

static void large(dl_tensor *w, struct dl_random *r)
{
    dl_init_normal(w, r, 0, 0.1);
}

static void xavier(dl_tensor *w, struct dl_random *r)
{
    dl_init_xavier_normal(w, r, 1);
}

static void he(dl_tensor *w, struct dl_random *r)
{
    dl_init_kaiming_normal(w, r, 0, DL_FAN_IN);
}

static void torch(dl_tensor *w, struct dl_random *r)
{
    dl_init_kaiming_uniform(w, r, sqrt(5), DL_FAN_IN);
}

static const struct scheme {
    const char *name;
    void (*draw)(dl_tensor *w, struct dl_random *r);
    enum dl_activation f;
} scheme[SCHEMES] = {
    {"small_tanh", small, DL_TANH}, {"large_tanh", large, DL_TANH},
    {"xavier_tanh", xavier, DL_TANH}, {"xavier_sigmoid", xavier, DL_SIGMOID},
    {"xavier_relu", xavier, DL_RELU}, {"he_relu", he, DL_RELU},
    {"torch_relu", torch, DL_RELU},
};

static double deviation(const dl_real *x, size_t n)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    for (size_t i = 0; i < n; i++)
        square += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    return sqrt(square / (double)n);
}

static void measure(dl_tensor *t, dl_real *grad, void *result)
{
    *(double *)result = deviation(grad, t->size);
}

/* Outputs of the layers, and deviations of signals and of gradients. The
   outputs last until the scope around it is left. */
struct pass {
    dl_tensor *h[LAYERS + 1];
    double signal[LAYERS + 1], gradient[LAYERS + 1];
};

static void run(struct pass *p, const struct scheme *s, int seed)
{
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)seed);
    p->h[0] = dl_normal(DL_SHAPE(SAMPLES, WIDTH), &r, 0, 1);
    p->h[0]->requires_grad = true;
    for (int l = 0; l <= LAYERS; l++) {
        if (l > 0) {
            dl_tensor *w = dl_empty(DL_SHAPE(WIDTH, WIDTH));
            s->draw(w, &r);
            p->h[l] = dl_linear_act(p->h[l - 1], w, NULL, s->f);
        }
        p->signal[l] = deviation(dl_data(p->h[l]), p->h[l]->size);
        dl_register_hook(p->h[l], measure, &p->gradient[l]);
    }
    dl_backward_from(p->h[LAYERS],
                     dl_normal(p->h[LAYERS]->shape, &r, 0, 1));
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_deviations(void)
{
    static double d[2 * SCHEMES][LAYERS + 1][SEEDS];
    for (int s = 0; s < SCHEMES; s++)
        for (int k = 0; k < SEEDS; k++) {
            struct pass p;
            dl_scope scope = dl_scope_enter(DL_RECORD);
            run(&p, &scheme[s], k + 1);
            dl_scope_leave(scope);
            for (int l = 0; l <= LAYERS; l++) {
                d[2 * s][l][k] = p.signal[l];
                d[2 * s + 1][l][k] = p.gradient[l];
            }
        }
    printf("# build/depth; seeds 1 to %d; threads any\nlayer", SEEDS);
    for (int s = 0; s < 2 * SCHEMES; s++) {
        const char *name = scheme[s / 2].name, *what = s % 2 ? "_gradient" : "";
        printf("\t%s%s\t%s%s_low\t%s%s_high", name, what, name, what,
               name, what);
    }
    for (int l = 0; l <= LAYERS; l++) {
        printf("\n%d", l);
        for (int s = 0; s < 2 * SCHEMES; s++) {
            double *x = d[s][l];
            qsort(x, SEEDS, sizeof *x, by_size);
            printf("\t%.4g\t%.4g\t%.4g", x[SEEDS / 2], x[0], x[SEEDS - 1]);
        }
    }
    printf("\n");
}

enum { BINS = 60, SHOWN = 4 };
static const int shown[SHOWN] = {1, 5, 10, 20};

static void print_histograms(void)
{
    static double share[SCHEMES][SHOWN][BINS];
    for (int s = 0; s < SCHEMES; s++) {
        struct pass p;
        dl_scope scope = dl_scope_enter(DL_RECORD);
        run(&p, &scheme[s], 1);
        for (int k = 0; k < SHOWN; k++)
            {
                dl_tensor *h = p.h[shown[k]];
                double low = scheme[s].f == DL_TANH ? -1 : 0;
                double high = scheme[s].f == DL_RELU ? 3 : 1;
                for (size_t i = 0; i < h->size; i++) {
                    double at = (dl_data(h)[i] - low) / (high - low) * BINS;
                    int b = at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at;
                    share[s][k][b] += 1.0 / (double)h->size;
                }
            }
        dl_scope_leave(scope);
    }
    printf("# build/depth --histograms; seed 1; threads any\nbin");
    for (int s = 0; s < SCHEMES; s++)
        for (int k = 0; k < SHOWN; k++)
            printf("\t%s_%d", scheme[s].name, shown[k]);
    for (int b = 0; b < BINS; b++) {
        printf("\n%d", b);
        for (int s = 0; s < SCHEMES; s++)
            for (int k = 0; k < SHOWN; k++)
                printf("\t%.5f", share[s][k][b]);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc == 1)
        print_deviations();
    else if (argc == 2 && strcmp(argv[1], "--histograms") == 0)
        print_histograms();
    else {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs("usage: depth [--histograms]\n", help ? stdout : stderr);
        return help ? 0 : 2;
    }
    dl_pool_drain();
    bool lost = ferror(stdout);
    if (fflush(stdout) == 0 && !lost)
        return 0;
    fputs("approximate: standard output could not be written\n", stderr);
    return 1;
}
