/* draws.c - mean and variance of a million draws of each kind. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "dlfs.h"

enum { N = 1000000 };

/* mu, var and mu4 are mean, variance and fourth moment in theory */
static void print_moments(const char *kind, const float *x,
                          double mu, double var, double mu4)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < N; i++)
        mean += x[i];
    mean /= N;
    for (int i = 0; i < N; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    variance /= N;
    printf("%s\t%.5f\t%.2f\t%.5f\t%.2f\n", kind,
           mean, (mean - mu) / sqrt(var / N),
           variance, (variance - var) / sqrt((mu4 - var * var) / N));
}

static void print_histogram(const float *x)
{
    enum { BINS = 80 };
    int count[BINS] = {0};
    for (int i = 0; i < N; i++) {
        float place = x[i] * 10 + BINS / 2;
        if (place >= 0 && place < BINS)
            count[(int)place]++;
    }
    printf("# build/draws --histogram; seed 1; threads 1\n");
    printf("center\tdensity\n");
    for (int i = 0; i < BINS; i++)
        printf("%.2f\t%.5f\n", (i + 0.5 - BINS / 2) / 10,
               count[i] * 10.0 / N);
}

int main(int argc, char **argv)
{
    (void)argv;
    struct dl_random random;
    dl_random_seed(&random, 1);
    float *x = dl_alloc(N, sizeof *x);
    if (argc > 1)
        {
            dl_random_fill_normal(&random, x, N, 0, 1);
            print_histogram(x);
        }
    else
        {
            printf("# build/draws; seed 1; threads 1\n");
            printf("kind\tmean\tmean_z\tvariance\tvariance_z\n");
            dl_random_fill_uniform(&random, x, N, 0, 1);
            print_moments("uniform", x, 0.5, 1.0 / 12, 1.0 / 80);
            dl_random_fill_bernoulli(&random, x, N, 0.25);
            print_moments("bernoulli", x, 0.25, 3.0 / 16, 21.0 / 256);
            dl_random_fill_normal(&random, x, N, 3, 2);
            print_moments("normal", x, 3, 4, 48);
            for (int i = 0; i < N; i++)
                x[i] = (float)(dl_random_below(&random, 6) + 1);
            print_moments("die", x, 3.5, 35.0 / 12, 707.0 / 48);
        }
    free(x);
    return 0;
}
