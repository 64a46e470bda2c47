/* draws.c - mean and variance of a million draws of each kind. */
#include <stdio.h>
#include <stdlib.h>
#include "dlfs.h"

enum { N = 1000000 };

static void print_moments(const char *kind, const float *x,
                          double mean_theory, double variance_theory)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < N; i++)
        mean += x[i];
    mean /= N;
    for (int i = 0; i < N; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    variance /= N;
    printf("%s\t%.5f\t%.5f\t%.5f\t%.5f\n", kind, mean, variance,
           mean_theory, variance_theory);
}

static void print_histogram(const float *x)
{
    enum { BINS = 80 };
    int count[BINS] = {0};
    for (int i = 0; i < N; i++) {
        int bin = (int)(x[i] * 10 + BINS / 2);
        if (x[i] * 10 + BINS / 2 >= 0 && bin < BINS)
            count[bin]++;
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
            printf("kind\tmean\tvariance\tmean_theory\tvariance_theory\n");
            dl_random_fill_uniform(&random, x, N, 0, 1);
            print_moments("uniform", x, 0.5, 1.0 / 12);
            dl_random_fill_bernoulli(&random, x, N, 0.25);
            print_moments("bernoulli", x, 0.25, 0.25 * 0.75);
            dl_random_fill_normal(&random, x, N, 3, 2);
            print_moments("normal", x, 3, 4);
            for (int i = 0; i < N; i++)
                x[i] = (float)(dl_random_below(&random, 6) + 1);
            print_moments("die", x, 3.5, 35.0 / 12);
        }
    free(x);
    return 0;
}
