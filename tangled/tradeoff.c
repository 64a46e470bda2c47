/* tradeoff.c - what the error of a fitted curve is made of, as its degree,
   its weight decay, its number of steps, or its dropout changes. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

enum { POINTS = 20, K = 13, GRID = 201, SETS = 2000 };
static const double sigma = 0.3;        /* of the noise */

static double curve(double x)
{
    return sin(3.14159265358979324 * x);
}

/* Place i of n in [-1, 1]. */
static double place(int i, int n)
{
    return -1 + 2.0 * i / (n - 1);
}

static void draw_targets(double t[POINTS], struct dl_random *r)
{
    for (int i = 0; i < POINTS; i++)
        t[i] = curve(place(i, POINTS)) + sigma * dl_random_normal(r);
}

static double scale[K];

static void set_scales(void)
{
    for (int i = 0; i < K; i++) {
        double squares = 0;
        for (int m = 0; m < POINTS; m++)
            squares += pow(place(m, POINTS), 2 * i) / POINTS;
        scale[i] = 1 / sqrt(squares);
    }
}

static void features(double x, int k, double phi[])
{
    double power = 1;
    for (int i = 0; i < k; i++, power *= x)
        phi[i] = power * scale[i];
}

/* The columns of e are the eigenvectors of the k x k matrix A. */
struct eigen { int k; double value[K], largest, e[K][K]; };

static void rotate(double a[K][K], struct eigen *g, int p, int q)
{
    double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double s = copysign(1, theta) / (fabs(theta) + hypot(theta, 1));
    double c = 1 / hypot(s, 1), d = s * c;      /* cosine and sine */
    for (int i = 0; i < g->k; i++) {
        double u = a[i][p], v = a[i][q];
        a[i][p] = c * u - d * v, a[i][q] = d * u + c * v;
        u = g->e[i][p], v = g->e[i][q];
        g->e[i][p] = c * u - d * v, g->e[i][q] = d * u + c * v;
    }
    for (int i = 0; i < g->k; i++) {
        double u = a[p][i], v = a[q][i];
        a[p][i] = c * u - d * v, a[q][i] = d * u + c * v;
    }
}

static void decompose(struct eigen *g, int k)
{
    double a[K][K] = {{0}}, phi[K];
    *g = (struct eigen){.k = k};
    for (int m = 0; m < POINTS; m++) {
        features(place(m, POINTS), k, phi);
        for (int i = 0; i < k; i++)
            for (int j = 0; j < k; j++)
                a[i][j] += phi[i] * phi[j] / POINTS;
    }
    for (int i = 0; i < k; i++)
        g->e[i][i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (int p = 0; p < k; p++)
            for (int q = p + 1; q < k; q++)
                if (fabs(a[p][q]) > 1e-300)
                    rotate(a, g, p, q);
    for (int i = 0; i < k; i++) {
        g->value[i] = a[i][i];
        g->largest = fmax(g->largest, a[i][i]);
    }
}

struct method { double decay, steps; };     /* both 0: least squares */

static double kept(struct method f, const struct eigen *g, int i)
{
    if (f.steps > 0)
        return -expm1(f.steps * log1p(-g->value[i] / g->largest));
    return g->value[i] / (g->value[i] + f.decay);
}

static void fit(const struct eigen *g, struct method f,
                const double t[POINTS], double w[K])
{
    double b[K] = {0}, phi[K];
    for (int m = 0; m < POINTS; m++) {
        features(place(m, POINTS), g->k, phi);
        for (int i = 0; i < g->k; i++)
            b[i] += t[m] * phi[i] / POINTS;
    }
    memset(w, 0, K * sizeof *w);
    for (int j = 0; j < g->k; j++) {
        double part = 0;
        for (int i = 0; i < g->k; i++)
            part += g->e[i][j] * b[i];
        part *= kept(f, g, j) / g->value[j];
        for (int i = 0; i < g->k; i++)
            w[i] += part * g->e[i][j];
    }
}

static double value_at(const double w[K], int k, double x)
{
    double phi[K], y = 0;
    features(x, k, phi);
    for (int i = 0; i < k; i++)
        y += w[i] * phi[i];
    return y;
}

struct sums { double y[GRID], yy[GRID], test, train; };

static void judge(struct sums *s, const double w[K], int k,
                  const double t[POINTS], struct dl_random *r)
{
    for (int m = 0; m < POINTS; m++)
        s->train += pow(value_at(w, k, place(m, POINTS)) - t[m], 2);
    for (int m = 0; m < GRID; m++) {
        double x = place(m, GRID), y = value_at(w, k, x);
        s->y[m] += y;
        s->yy[m] += y * y;
        s->test += pow(y - curve(x) - sigma * dl_random_normal(r), 2);
    }
}

static void print_parts(const char *key, const struct sums *s,
                        double numbers)
{
    double bias = 0, variance = 0;
    for (int m = 0; m < GRID; m++) {
        double mean = s->y[m] / SETS;
        bias += pow(mean - curve(place(m, GRID)), 2) / GRID;
        variance += (s->yy[m] / SETS - mean * mean) / GRID;
    }
    printf("%s\t%.5f\t%.5f\t%.5f\t%.5f\t%.5f\t%.4f\n", key, bias, variance,
           bias + variance + sigma * sigma, s->test / SETS / GRID,
           s->train / SETS / POINTS, numbers);
}

static void measure(const char *key, const struct eigen *g, struct method f)
{
    struct dl_random r;
    struct sums s = {.test = 0};
    double numbers = 0;
    dl_random_seed(&r, 0);
    for (int set = 0; set < SETS; set++) {
        double t[POINTS], w[K];
        draw_targets(t, &r);
        fit(g, f, t, w);
        judge(&s, w, g->k, t, &r);
    }
    for (int i = 0; i < g->k; i++)
        numbers += kept(f, g, i);
    print_parts(key, &s, numbers);
}

enum { FEW = 6, COPIES = 8, STEPS = 40000 };

/* Each training point COPIES times, so that a step sees as many masks. */
static void fill(dl_tensor *x, dl_tensor *target, const double t[POINTS])
{
    for (int m = 0; m < POINTS * COPIES; m++) {
        double phi[FEW];
        features(place(m % POINTS, POINTS), FEW, phi);
        for (int i = 0; i < FEW; i++)
            *dl_at(x, m, i) = (dl_real)phi[i];
        *dl_at(target, m, 0) = (dl_real)t[m % POINTS];
    }
}

static void step(struct dl_optimizer *o, dl_tensor *x, dl_tensor *target,
                 double p, struct dl_random *r)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *w = o->params->list[0].tensor;
    dl_tensor *z = dl_linear(dl_dropout(x, p, r), w, NULL);
    dl_tensor *loss = dl_mse_loss(z, target);
    dl_zero_grad(o->params);
    dl_backward(loss);
    dl_optimizer_step(o);
    dl_scope_leave(scope);
}

static void train(struct dl_params *params, struct dl_average *mean,
                  const double t[POINTS], double p, struct dl_random *r)
{
    struct dl_optimizer o;
    dl_tensor *x = dl_empty(DL_SHAPE(POINTS * COPIES, FEW));
    dl_tensor *target = dl_empty(DL_SHAPE(POINTS * COPIES, 1));
    dl_fill(dl_param(params, "w", DL_SHAPE(1, FEW)), 0);
    dl_optimizer_init(&o, &dl_sgd, params, (struct dl_hyper){.lr = 0.05});
    dl_average_init(mean, params, 0);
    fill(x, target, t);
    for (int s = 0; s < STEPS; s++) {
        step(&o, x, target, p, r);
        if (s >= STEPS / 2)
            dl_average_update(mean);
    }
    dl_tensor_free(x);
    dl_tensor_free(target);
    dl_optimizer_free(&o);
}

static double distance(const dl_tensor *a, const double w[K])
{
    double d = 0, length = 0;
    for (int i = 0; i < FEW; i++) {
        d += pow((double)dl_data(a)[i] - w[i], 2);
        length += w[i] * w[i];
    }
    return sqrt(d / length);
}

static void compare_dropout(void)
{
    struct eigen g;
    struct dl_random r;
    double t[POINTS], w[K];
    dl_random_seed(&r, 0);
    draw_targets(t, &r);
    decompose(&g, FEW);
    printf("p\tdecay\tlength\tlast\tmean\n");
    for (int e = 1; e < 10; e += 2) {
        struct dl_params params = {0};
        struct dl_average mean;
        double p = e / 10.0, length = 0;
        train(&params, &mean, t, p, &r);
        fit(&g, (struct method){.decay = p / (1 - p)}, t, w);
        for (int i = 0; i < FEW; i++)
            length += w[i] * w[i];
        printf("%.1f\t%.4f\t%.4f\t%.4f\t%.4f\n", p, p / (1 - p),
               sqrt(length), distance(params.list[0].tensor, w),
               distance(mean.mean.list[0].tensor, w));
        dl_average_free(&mean);
        dl_zero_grad(&params);
        dl_params_free(&params);
    }
}

/* The curve, and ten fits of degrees 1, 5 and 12 to the same ten sets. */
static void print_fits(void)
{
    static const int degrees[] = {1, 5, 12};
    struct eigen g[3];
    double w[30][K], t[POINTS];
    struct dl_random r;
    dl_random_seed(&r, 0);
    for (int d = 0; d < 3; d++)
        decompose(&g[d], degrees[d] + 1);
    for (int set = 0; set < 10; set++) {
        draw_targets(t, &r);
        for (int d = 0; d < 3; d++)
            fit(&g[d], (struct method){.decay = 0}, t, w[10 * d + set]);
    }
    printf("x\tcurve");
    for (int i = 0; i < 30; i++)
        printf("\td%d-%d", degrees[i / 10], i % 10);
    for (int m = 0; m < GRID; m++) {
        printf("\n%.2f\t%.4f", place(m, GRID), curve(place(m, GRID)));
        for (int i = 0; i < 30; i++)
            printf("\t%.4f", value_at(w[i], degrees[i / 10] + 1,
                                      place(m, GRID)));
    }
    printf("\n");
}

static void compare(const char *what)
{
    struct eigen g;
    char key[40];
    printf("%s\tbias\tvariance\tsum\ttest\ttrain\tnumbers\n", what);
    decompose(&g, K);
    for (int d = 0; d < K && strcmp(what, "degree") == 0; d++) {
        decompose(&g, d + 1);
        snprintf(key, sizeof key, "%d", d);
        measure(key, &g, (struct method){.decay = 0});
    }
    for (int e = 0; e <= 16 && strcmp(what, "decay") == 0; e++) {
        struct method f = {.decay = pow(10, 1 - e / 2.0)};
        snprintf(key, sizeof key, "%.3g", f.decay);
        measure(key, &g, f);
    }
    for (int e = 0; e <= 16 && strcmp(what, "steps") == 0; e++) {
        struct method f = {.steps = round(pow(10, e / 2.0))};
        snprintf(key, sizeof key, "%.0f", f.steps);
        measure(key, &g, f);
    }
}

int main(int argc, char *argv[])
{
    static const char *const words[] = {"degree", "decay", "steps",
                                        "dropout", "fits"};
    int word = 0;
    while (argc == 2 && word < 5 && strcmp(argv[1], words[word]) != 0)
        word++;
    if (argc != 2 || word == 5) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr,
                "usage: tradeoff degree|decay|steps|dropout|fits\n");
        return help ? 0 : 2;
    }
    printf("# build/tradeoff %s; seed 0; threads 1\n", words[word]);
    set_scales();
    if (word < 3)
        compare(words[word]);
    else if (word == 3)
        compare_dropout();
    else
        print_fits();
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "tradeoff: standard output could not be written\n");
    return 1;
}
