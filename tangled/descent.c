/* descent.c - test error as random features are added, beyond the number of
   examples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

enum { MAX_COUNTS = 100, MAX_DRAWS = 1000 };

struct plan {
    int examples, inputs, draws, tests, seed;
    double noise, ridge;
    const char *features;
    int counts, count[MAX_COUNTS];  /* from the text `features` */
};

struct task {
    double *x, *truth, *noise;      /* of the examples, then of the tests */
    double *weight;                 /* of the features, [most, inputs] */
};

static void draw_task(struct task *t, const struct plan *p, int most,
                      uint64_t seed)
{
    struct dl_random r;
    dl_random_seed(&r, seed);
    int n = p->examples + p->tests, d = p->inputs;
    size_t room = ((size_t)n + (size_t)most + 1) * (size_t)d + 2 * (size_t)n;
    t->x = dl_alloc(room, sizeof *t->x);
    t->truth = t->x + (size_t)n * (size_t)d;
    t->noise = t->truth + n;
    t->weight = t->noise + n;
    double *u = t->weight + (size_t)most * (size_t)d;
    for (size_t i = 0; i < (size_t)n * (size_t)d; i++)
        t->x[i] = dl_random_normal(&r);
    for (int i = 0; i < n; i++)
        t->noise[i] = p->noise * dl_random_normal(&r);
    double length = 0;
    for (int j = 0; j < d; j++) {
        u[j] = dl_random_normal(&r);
        length += u[j] * u[j];
    }
    for (int i = 0; i < n; i++) {
        t->truth[i] = 0;
        for (int j = 0; j < d; j++)
            t->truth[i] += t->x[(size_t)i * (size_t)d + (size_t)j] * u[j]
                           / sqrt(length);
    }
    for (size_t i = 0; i < (size_t)most * (size_t)d; i++)
        t->weight[i] = dl_random_normal(&r) / sqrt(d);
}

/* Let f be max(0, a x) for the first N features of example i. */
static void features_of(const struct task *t, const struct plan *p, int i,
                        int N, double *f)
{
    size_t d = (size_t)p->inputs;
    const double *x = t->x + (size_t)i * d, *a = t->weight;
    for (int k = 0; k < N; k++, a += d) {
        double sum = 0;
        for (size_t j = 0; j < d; j++)
            sum += a[j] * x[j];
        f[k] = fmax(0, sum);
    }
}

enum { TRAIN, TEST, CLEAN, NOISE, LENGTH, SMALLEST, MEASURES };

static bool measure(const struct plan *p, const struct task *t, int N,
                    double result[MEASURES])
{
    int n = p->examples;
    struct dl_qr q;
    double *f = dl_alloc((size_t)n * (size_t)N, sizeof *f);
    double *y = dl_alloc((size_t)n, sizeof *y);
    double *w = dl_alloc(3 * (size_t)N, sizeof *w), *w_noise = w + N;
    for (int i = 0; i < n; i++) {
        features_of(t, p, i, N, f + (size_t)i * (size_t)N);
        y[i] = t->truth[i] + t->noise[i];
    }
    bool good = dl_qr_init(&q, n, N, f, p->ridge);
    if (good) {
        dl_qr_solve(&q, y, w);
        dl_qr_solve(&q, t->noise, w_noise);
        result[SMALLEST] = dl_qr_smallest(&q);
        dl_qr_free(&q);
        double *g = w + 2 * N;
        result[TRAIN] = result[TEST] = result[CLEAN] = result[NOISE] = 0;
        for (int i = 0; i < n + p->tests; i++) {
            features_of(t, p, i, N, g);
            double answer = 0, of_noise = 0;
            for (int k = 0; k < N; k++) {
                answer += g[k] * w[k];
                of_noise += g[k] * w_noise[k];
            }
            double wrong = answer - t->truth[i] - t->noise[i];
            double clean = answer - of_noise - t->truth[i];
            result[i < n ? TRAIN : TEST] += wrong * wrong / (i < n ? n : p->tests);
            if (i >= n) {
                result[CLEAN] += clean * clean / p->tests;
                result[NOISE] += of_noise * of_noise / p->tests;
            }
        }
        result[LENGTH] = 0;
        for (int k = 0; k < N; k++)
            result[LENGTH] += w[k] * w[k];
        result[LENGTH] = sqrt(result[LENGTH]);
    }
    free(f);
    free(y);
    free(w);
    return good;
}

static int in_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share of the n sorted numbers lies. */
static double quantile(const double *x, int n, double share)
{
    double at = share * (n - 1);
    int k = (int)at;
    return k + 1 < n ? x[k] + (at - k) * (x[k + 1] - x[k]) : x[k];
}

static void print_row(const struct plan *p, int N,
                      double result[MEASURES][MAX_DRAWS])
{
    for (int k = 0; k < MEASURES; k++)
        qsort(result[k], (size_t)p->draws, sizeof(double), in_order);
    printf("%d", N);
    for (int k = 0; k < MEASURES; k++) {
        printf("\t%.4g", quantile(result[k], p->draws, 0.5));
        if (k == TEST)
            printf("\t%.4g\t%.4g", quantile(result[k], p->draws, 0.25),
                   quantile(result[k], p->draws, 0.75));
    }
    printf("\n");
}

static bool read_counts(struct plan *p)
{
    const char *at = p->features;
    for (p->counts = 0; ; at++) {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at || *at < '0' || *at > '9' || n < 1 || n > 10000
            || (*end != ',' && *end != '\0') || p->counts == MAX_COUNTS)
            return dl_error("--features wants up to %d whole numbers from 1 "
                            "to 10000, with commas between them, not '%s'",
                            MAX_COUNTS, p->features);
        p->count[p->counts++] = (int)n;
        at = end;
        if (*at == '\0')
            return true;
    }
}

static bool run(const struct plan *p)
{
    static double result[MAX_COUNTS][MEASURES][MAX_DRAWS];
    int most = 0;
    for (int c = 0; c < p->counts; c++)
        most = p->count[c] > most ? p->count[c] : most;
    for (int draw = 0; draw < p->draws; draw++) {
        struct task t;
        draw_task(&t, p, most, (uint64_t)(p->seed + draw));
        bool good = true;
        for (int c = 0; c < p->counts && good; c++) {
            double one[MEASURES];
            good = measure(p, &t, p->count[c], one);
            for (int k = 0; k < MEASURES && good; k++)
                result[c][k][draw] = one[k];
        }
        free(t.x);
        if (!good)
            return false;
    }
    printf("# build/descent --examples %d --inputs %d --noise %g --draws %d "
           "--tests %d --ridge %g --seed %d; threads 1\n", p->examples, p->inputs,
           p->noise, p->draws, p->tests, p->ridge, p->seed);
    printf("features\ttrain\ttest\tlow\thigh\tclean\tnoise\tlength\tsmallest\n");
    for (int c = 0; c < p->counts; c++)
        print_row(p, p->count[c], result[c]);
    return (fflush(stdout) == 0 && !ferror(stdout))
           || dl_error("standard output could not be written");
}

int main(int argc, char *argv[])
{
    static struct plan p = {100, 20, 20, 1000, 1, 0.5, 0,
        "5,10,15,20,30,40,50,60,70,80,85,90,95,98,100,102,105,110,115,120,"
        "140,170,200,300,400,800,1600,3200", 0, {0}};
    const struct dl_option table[] = {
        {"examples", DL_INT, &p.examples, 1, 2000, "examples"},
        {"inputs", DL_INT, &p.inputs, 1, 1000, "numbers of an example"},
        {"noise", DL_NUMBER, &p.noise, 0, 1000, "deviation of the noise"},
        {"features", DL_WORD, &p.features, 0, 0, "how many: N,N,..."},
        {"ridge", DL_NUMBER, &p.ridge, 0, 1e9, "weight decay"},
        {"draws", DL_INT, &p.draws, 1, MAX_DRAWS, "median of so many"},
        {"tests", DL_INT, &p.tests, 1, 100000, "test examples"},
        {"seed", DL_INT, &p.seed, 0, 1e9, "of the first draw"},
        {0}
    };
    int status = dl_read_options(argc, argv, "test error against the number "
                                 "of random features", table);
    if (status >= 0)
        return status;
    status = !read_counts(&p) ? 2 : run(&p) ? 0 : 1;
    if (status > 0)
        fprintf(stderr, "descent: %s\n", dl_error_text());
    return status;
}
