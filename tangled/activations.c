/* activations.c - activations and their derivatives; with --near-zero, the
   error of e^x - 1 near zero. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

static dl_tensor *leaky(dl_tensor *x) { return dl_leaky_relu(x, 0.1f); }
static dl_tensor *elu(dl_tensor *x) { return dl_elu(x, 1); }
static dl_tensor *softplus(dl_tensor *x) { return dl_softplus(x, 1); }

enum { CURVES = 6, POINTS = 161 };
static dl_tensor *(*const curve[CURVES])(dl_tensor *x) = {
    dl_relu, leaky, elu, softplus, dl_silu, dl_gelu};

static void print_curves(void)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x[CURVES], *y[CURVES];
    for (int k = 0; k < CURVES; k++)
        {
            x[k] = dl_empty(DL_SHAPE(POINTS));
            for (int i = 0; i < POINTS; i++)
                dl_data(x[k])[i] = (dl_real)(i - POINTS / 2) / 20;
            x[k]->requires_grad = true;
            y[k] = curve[k](x[k]);
            dl_backward_from(y[k], dl_full(y[k]->shape, 1));
        }
    printf("# build/activations\nx\trelu\tleaky\telu\tsoftplus\tsilu\tgelu"
           "\tdrelu\tdleaky\tdelu\tdsoftplus\tdsilu\tdgelu\n");
    for (int i = 0; i < POINTS; i++) {
        printf("%g", (double)dl_data(x[0])[i]);
        for (int k = 0; k < CURVES; k++)
            printf("\t%.5f", (double)dl_data(y[k])[i]);
        for (int k = 0; k < CURVES; k++)
            printf("\t%.5f", (double)dl_grad(x[k])[i]);
        printf("\n");
    }
    dl_scope_leave(scope);
}

static double error(double got, double wanted)
{
    return fabs(got - wanted) / fabs(wanted);
}

/* The largest errors for x from `from` to 1.02 from, in `worst`: of the
   difference, of elu, of softplus (for numbers above 2^-126). */
static void try_points(double from, double worst[3])
{
    enum { N = 1000 };
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_empty(DL_SHAPE(N));
    for (int i = 0; i < N; i++)
        dl_data(x)[i] = (dl_real)(-from * (1 + 0.02 * i / N));
    dl_tensor *e = dl_exp(x), *ours = dl_elu(x, 1), *s = dl_softplus(x, 1);
    for (int i = 0; i < N; i++) {
        double t = dl_data(x)[i], e1 = expm1(t);
        worst[0] = fmax(worst[0], error(dl_data(e)[i] - 1, e1));
        worst[1] = fmax(worst[1], error(dl_data(ours)[i], e1));
        if (t > -87)
            worst[2] = fmax(worst[2], error(dl_data(s)[i], log1p(exp(t))));
    }
    dl_scope_leave(scope);
}

static void print_errors(void)
{
    double largest[3] = {0};
    printf("# build/activations --near-zero; errors in units of 2^-24\n"
           "x\tdifference\tours\tsoftplus\n");
    for (double x = 1e-6; x < 100; x *= 1.02) {
        double worst[3] = {0};
        try_points(x, worst);
        printf("%.4g", x);
        for (int k = 0; k < 3; k++) {
            printf("\t%.3f", 0x1p24 * worst[k]);
            largest[k] = fmax(largest[k], worst[k]);
        }
        printf("\n");
    }
    printf("largest\t%.3f\t%.3f\t%.3f\n", 0x1p24 * largest[0],
           0x1p24 * largest[1], 0x1p24 * largest[2]);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--near-zero") == 0)
        print_errors();
    else
        print_curves();
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
