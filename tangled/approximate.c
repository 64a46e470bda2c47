/* approximate.c - networks of one hidden layer draw a curve. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

enum { POINTS = 201, STEPS = 20000, SEEDS = 5, WIDTHS = 6 };
static const int widths[WIDTHS] = {2, 4, 8, 16, 32, 64};

static double curve(double x)
{
    return x / 2 + sin(5 * x);
}

/* y = sum of v_i relu(w_i x + b_i), plus c */
struct net {
    struct dl_params params;
    struct dl_linear hidden, output;
};

static dl_tensor *forward(const struct net *net, dl_tensor *x)
{
    return dl_linear_forward(&net->output,
                             dl_linear_forward_act(&net->hidden, x, DL_RELU));
}

static void init(struct net *net, int width, int seed)
{
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)seed);
    *net = (struct net){0};
    dl_linear_init(&net->hidden, &net->params, "hidden", 1, width, &r);
    dl_linear_init(&net->output, &net->params, "output", width, 1, &r);
}

static dl_tensor *points(void)
{
    dl_tensor *x = dl_empty(DL_SHAPE(POINTS, 1));
    for (int i = 0; i < POINTS; i++)
        dl_data(x)[i] = (dl_real)(2.0 * i / (POINTS - 1) - 1);
    return x;
}

/* The largest distance from the curve. */
static double error(const struct net *net)
{
    double worst = 0;
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = points(), *y = forward(net, x);
    for (int i = 0; i < POINTS; i++)
        if (!(fabs(dl_data(y)[i] - curve(dl_data(x)[i])) <= worst))
            worst = fabs(dl_data(y)[i] - curve(dl_data(x)[i]));
    dl_scope_leave(scope);
    return worst;
}

static void construct(struct net *net)
{
    int n = net->hidden.bias->shape.dim[0];
    double h = 2.0 / n, before = 0;
    for (int i = 0; i < n; i++) {
        double from = -1 + i * h;
        double slope = (curve(from + h) - curve(from)) / h;
        *dl_at(net->hidden.weight, i, 0) = 1;
        *dl_at(net->hidden.bias, i) = (dl_real)-from;
        *dl_at(net->output.weight, 0, i) = (dl_real)(slope - before);
        before = slope;
    }
    *dl_at(net->output.bias, 0) = (dl_real)curve(-1);
    dl_touch(net->hidden.weight);
}

static void learn(struct net *net)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = points(), *y = dl_empty(x->shape);
    for (int i = 0; i < POINTS; i++)
        dl_data(y)[i] = (dl_real)curve(dl_data(x)[i]);
    for (int i = 0; i < STEPS; i++) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *loss = dl_mse_loss(forward(net, x), y);
        dl_zero_grad(&net->params);
        dl_backward(loss);
        for (int k = 0; k < net->params.n; k++) {
            dl_tensor *w = net->params.list[k].tensor;
            dl_vaxpy(w->size, (dl_real)-0.05, dl_grad(w), dl_data(w));
            dl_touch(w);
        }
        dl_scope_leave(step);
    }
    dl_scope_leave(scope);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_errors(void)
{
    printf("# build/approximate; seeds 1 to %d; threads any\n"
           "width\tbound\tconstructed\tlearned\tlearned_low\tlearned_high\n",
           SEEDS);
    for (int k = 0; k < WIDTHS; k++) {
        double constructed = 0, learned[SEEDS];
        for (int seed = 0; seed < SEEDS; seed++) {
            struct net net;
            init(&net, widths[k], seed + 1);
            learn(&net);
            learned[seed] = error(&net);
            construct(&net);
            constructed = error(&net);
            dl_params_free(&net.params);
        }
        qsort(learned, SEEDS, sizeof *learned, by_size);
        printf("%d\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\n", widths[k],
               12.5 / widths[k] / widths[k], constructed,
               learned[SEEDS / 2], learned[0], learned[SEEDS - 1]);
    }
}

static void print_curves(void)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = points(), *y[2 * WIDTHS];
    for (int k = 0; k < 2 * WIDTHS; k++) {
        struct net net;
        init(&net, widths[k / 2], 1);
        k % 2 == 0 ? construct(&net) : learn(&net);
        y[k] = forward(&net, x);
        dl_params_free(&net.params);
    }
    printf("# build/approximate --curves; seed 1; threads any\nx\tcurve");
    for (int k = 0; k < 2 * WIDTHS; k++)
        printf("\t%s%d", k % 2 ? "learned" : "constructed", widths[k / 2]);
    for (int i = 0; i < POINTS; i++) {
        printf("\n%.2f\t%.4f", dl_data(x)[i], curve(dl_data(x)[i]));
        for (int k = 0; k < 2 * WIDTHS; k++)
            printf("\t%.4f", dl_data(y[k])[i]);
    }
    printf("\n");
    dl_scope_leave(scope);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        print_errors();
    else if (argc == 2 && strcmp(argv[1], "--curves") == 0)
        print_curves();
    else {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs("usage: approximate [--curves]\n", help ? stdout : stderr);
        return help ? 0 : 2;
    }
    dl_pool_drain();
    bool lost = ferror(stdout);
    if (fflush(stdout) == 0 && !lost)
        return 0;
    fputs("depth: standard output could not be written\n", stderr);
    return 1;
}
