/* least_squares.c - the closed form against gradient descent, on wines. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

enum { K = 14, CLASSES = 3 };       /* 13 features and the constant */

/* L L' = A; only the lower triangles are used. false if A is not positive
   definite. */
static bool cholesky(const double A[K][K], double L[K][K])
{
    for (int j = 0; j < K; j++)
        for (int i = j; i < K; i++) {
            double rest = A[i][j];
            for (int p = 0; p < j; p++)
                rest -= L[i][p] * L[j][p];
            if (i == j && !(rest > 0))
                return false;
            L[i][j] = i == j ? sqrt(rest) : rest / L[j][j];
        }
    return true;
}

/* Let b become the solution of L L' w = b. */
static void substitute(const double L[K][K], double b[K])
{
    for (int i = 0; i < K; i++) {
        for (int p = 0; p < i; p++)
            b[i] -= L[i][p] * b[p];
        b[i] /= L[i][i];
    }
    for (int i = K - 1; i >= 0; i--) {
        for (int p = i + 1; p < K; p++)
            b[i] -= L[p][i] * b[p];
        b[i] /= L[i][i];
    }
}

struct problem {
    double A[K][K];                 /* X' X / n */
    double B[CLASSES][K];           /* X' T / n, a row for each class */
    double W[CLASSES][K];           /* the solution */
};

static bool set_up(struct problem *q, const struct dl_dataset *d)
{
    memset(q, 0, sizeof *q);
    for (int m = 0; m < d->n; m++) {
        double x[K];
        for (int i = 0; i < K; i++)
            x[i] = i < K - 1 ? (double)d->x[m * (K - 1) + i] : 1;
        for (int i = 0; i < K; i++) {
            for (int j = 0; j < K; j++)
                q->A[i][j] += x[i] * x[j] / d->n;
            q->B[d->label[m]][i] += x[i] / d->n;
        }
    }
    double L[K][K];
    if (!cholesky(q->A, L))
        return dl_error("the features depend on one another");
    memcpy(q->W, q->B, sizeof q->W);
    for (int c = 0; c < CLASSES; c++)
        substitute(L, q->W[c]);
    return true;
}

static double share_right(const struct problem *q, const struct dl_dataset *d)
{
    int right = 0;
    for (int m = 0; m < d->n; m++) {
        int best = 0;
        double z[CLASSES];
        for (int c = 0; c < CLASSES; c++) {
            z[c] = q->W[c][K - 1];
            for (int i = 0; i < K - 1; i++)
                z[c] += q->W[c][i] * d->x[m * (K - 1) + i];
            best = z[c] > z[best] ? c : best;
        }
        right += best == d->label[m];
    }
    return (double)right / d->n;
}

static double eigenvalue(const struct problem *q, bool smallest)
{
    double L[K][K], v[K], length = 0;
    cholesky(q->A, L);
    for (int i = 0; i < K; i++)
        v[i] = 1 + i;
    for (int times = 0; times < 1000; times++) {
        double u[K] = {0};
        for (int i = 0; i < K && !smallest; i++)
            for (int j = 0; j < K; j++)
                u[i] += q->A[i][j] * v[j];
        if (smallest)
            memcpy(u, v, sizeof u), substitute(L, u);
        length = 0;
        for (int i = 0; i < K; i++)
            length += u[i] * u[i];
        length = sqrt(length);
        for (int i = 0; i < K; i++)
            v[i] = u[i] / length;
    }
    return smallest ? 1 / length : length;
}

/* Relative to the length of b. */
static double distance(const double a[CLASSES][K], const double b[CLASSES][K])
{
    double difference = 0, length = 0;
    for (int c = 0; c < CLASSES; c++)
        for (int i = 0; i < K; i++) {
            difference += pow(a[c][i] - b[c][i], 2);
            length += b[c][i] * b[c][i];
        }
    return sqrt(difference / length);
}

/* The distance from the solution after 1, 10, ..., 1,000,000 steps. */
static void descend(const char *name, const struct problem *q, double rate,
                    double condition, double right)
{
    double W[CLASSES][K] = {{0}};
    for (int step = 0, next = 1; step <= 1000000; step++) {
        if (step == next) {
            printf("%s-%d\t%.3g\t%.4f\t%d\t%.3g\n", name, step, condition,
                   right, step, distance(W, q->W));
            next *= 10;
        }
        for (int c = 0; c < CLASSES; c++) {
            double g[K];
            for (int i = 0; i < K; i++) {
                g[i] = -q->B[c][i];
                for (int j = 0; j < K; j++)
                    g[i] += q->A[i][j] * W[c][j];
            }
            for (int i = 0; i < K; i++)
                W[c][i] -= rate * g[i];
        }
    }
}

static bool compare(const char *name, const struct dl_dataset *d)
{
    struct problem q;
    if (!set_up(&q, d))
        return false;
    double largest = eigenvalue(&q, false), least = eigenvalue(&q, true);
    descend(name, &q, 1 / largest, largest / least, share_right(&q, d));
    return true;
}

static bool print_comparison(struct dl_dataset *wine)
{
    printf("# build/least_squares; threads 1\n");
    printf("data\tcondition\tright\tsteps\tdistance\n");
    bool good = compare("raw", wine);
    dl_dataset_standardize(wine, wine);
    return good && compare("standardised", wine);
}

static const char *read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    const char *folder = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
        if (c == '?')
            exit(2);
        if (c == 'h') {
            puts("usage: least_squares [--data DIR]\n"
                 "The least-squares solution for 178 wines, and how far\n"
                 "gradient descent is from it after up to a million steps.");
            exit(0);
        }
        if (folder != NULL) {
            fputs("least_squares: --data is given twice\n", stderr);
            exit(2);
        }
        if (*optarg == '\0') {
            fputs("least_squares: --data wants a folder\n", stderr);
            exit(2);
        }
        folder = optarg;
    }
    if (optind < argc) {
        fprintf(stderr, "least_squares: unknown argument '%s'\n",
                argv[optind]);
        exit(2);
    }
    return folder;
}

int main(int argc, char **argv)
{
    struct dl_dataset wine = {0};
    const char *dir = dl_data_dir(read_options(argc, argv),
                                  "/usr/lib/python3/dist-packages/sklearn/"
                                  "datasets/data", "wine_data.csv");
    char path[4096];
    bool fits = snprintf(path, sizeof path, "%s/wine_data.csv", dir)
                < (int)sizeof path
             || dl_error("the name of the folder is too long");
    fits = fits && dl_read_csv(&wine, path, 1, CLASSES)
        && (wine.sample.dim[0] == K - 1
            || dl_error("%s: %d columns, not %d: these are not the wines",
                        path, wine.sample.dim[0] + 1, K));
    bool good = fits && print_comparison(&wine)
        && ((fflush(stdout) == 0 && !ferror(stdout))
            || dl_error("standard output could not be written"));
    if (!good)
        fprintf(stderr, "least_squares: %s\n", dl_error_text());
    dl_dataset_free(&wine);
    return good ? 0 : fits ? 1 : 2;
}
