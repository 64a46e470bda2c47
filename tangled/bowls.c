/* bowls.c - every rule of the library on three functions of two numbers. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

enum { BOWLS = 3, KAPPA = 20 };
struct bowl {
    const char *name;
    dl_real a[4];               /* (x, y) A (x, y)' / 2; Rosenbrock: 0 */
    dl_real from[2];
};

/* Curvatures 1 and 20, along the axes and turned by 30 degrees. */
static const struct bowl bowls[BOWLS] = {
    {"along", {1, 0, 0, KAPPA}, {-4, 1.5f}},
    {"turned", {5.75f, -8.2272413f, -8.2272413f, 15.25f},
     {-4.2141016f, -0.7009619f}},
    {"valley", {0}, {-1.2f, 1}},
};

static dl_tensor *square(dl_tensor *x) { return dl_mul(x, x); }

static dl_tensor *value_of(const struct bowl *bowl, dl_tensor *p)
{
    if (bowl->a[0] != 0) {
        dl_tensor *a = dl_from_array(DL_SHAPE(2, 2), bowl->a);
        return dl_mul(dl_scalar(0.5f), dl_sum(dl_mul(p, dl_matmul(p, a))));
    }
    dl_tensor *v = dl_view(p, DL_SHAPE(2)), *minus = dl_scalar(-1);
    dl_tensor *x = dl_select(v, 0), *y = dl_select(v, 1);
    dl_tensor *bend = dl_add(y, dl_mul(minus, square(x)));
    dl_tensor *along = dl_add(dl_scalar(1), dl_mul(minus, x));
    return dl_add(square(along), dl_mul(dl_scalar(100), square(bend)));
}

static const struct method {
    const char *name;
    const struct dl_update *update;
    double momentum;
    bool nesterov;
} methods[] = {
    {"sgd", &dl_sgd, 0, false}, {"momentum", &dl_sgd, 0.9, false},
    {"nesterov", &dl_sgd, 0.9, true}, {"adagrad", &dl_adagrad, 0, false},
    {"rmsprop", &dl_rmsprop, 0, false}, {"adadelta", &dl_adadelta, 0, false},
    {"adam", &dl_adam, 0, false}, {"adamw", &dl_adamw, 0, false},
    {"lamb", &dl_lamb, 0, false}, {"muon", &dl_muon, 0.95, true},
    {"newton", NULL, 0, false}, {"lbfgs", NULL, 0, false},
};
enum { METHODS = sizeof methods / sizeof *methods };

enum { LIMIT = 3000 };
struct path { int n; double value[LIMIT + 1], x[LIMIT + 1], y[LIMIT + 1]; };

static void note(struct path *path, double value, double x, double y)
{
    int k = path->n++;
    path->value[k] = value;
    path->x[k] = x;
    path->y[k] = y;
}

/* Arrived, or lost? */
static bool is_over(const struct path *path)
{
    double now = path->value[path->n - 1], first = path->value[0];
    return !(now > 1e-6 * first && now < 1e6 * first);
}

/* Up to `limit` steps of a rule of the library. */
static void descend(const struct bowl *bowl, const struct dl_update *update,
                    struct dl_hyper h, int limit, struct path *path)
{
    struct dl_params params = {0};
    dl_tensor *p = dl_param(&params, "p", DL_SHAPE(1, 2));
    memcpy(dl_data(p), bowl->from, sizeof bowl->from);
    struct dl_optimizer o;
    dl_optimizer_init(&o, update, &params, h);
    path->n = 0;
    for (int t = 0; t <= limit && (t == 0 || !is_over(path)); t++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *f = value_of(bowl, p);
        note(path, dl_item(f), dl_data(p)[0], dl_data(p)[1]);
        dl_zero_grad(&params);
        dl_backward(f);
        dl_optimizer_step(&o);
        dl_scope_leave(scope);
    }
    dl_zero_grad(&params);
    dl_optimizer_free(&o);
    dl_params_free(&params);
}

/* The value, the gradient and the second derivatives h[] in double. */
static double derivatives(const struct bowl *bowl, const double p[2],
                          double g[2], double h[3])
{
    double x = p[0], y = p[1], bend = y - x * x;
    if (bowl->a[0] == 0) {
        g[0] = 2 * (x - 1) - 400 * x * bend;
        g[1] = 200 * bend;
        h[0] = 2 - 400 * bend + 800 * x * x;
        h[1] = -400 * x;
        h[2] = 200;
        return (1 - x) * (1 - x) + 100 * bend * bend;
    }
    h[0] = bowl->a[0], h[1] = bowl->a[1], h[2] = bowl->a[3];
    g[0] = h[0] * x + h[1] * y;
    g[1] = h[1] * x + h[2] * y;
    return 0.5 * (x * g[0] + y * g[1]);
}

static void newton(const struct bowl *bowl, struct path *path)
{
    double p[2] = {bowl->from[0], bowl->from[1]}, g[2], h[3];
    path->n = 0;
    do {
        double value = derivatives(bowl, p, g, h);
        note(path, value, p[0], p[1]);
        double det = h[0] * h[2] - h[1] * h[1];
        p[0] -= (h[2] * g[0] - h[1] * g[1]) / det;
        p[1] -= (h[0] * g[1] - h[1] * g[0]) / det;
    } while (!is_over(path) && path->n < LIMIT);
}

static double objective(int n, const double x[], double g[], void *context)
{
    double h[3];
    (void)n;
    return derivatives(context, x, g, h);
}

static void lbfgs(const struct bowl *bowl, struct path *path)
{
    struct dl_lbfgs l;
    dl_lbfgs_init(&l, objective, (void *)bowl, 2,
                  (double[]){bowl->from[0], bowl->from[1]}, 5);
    path->n = 0;
    do
        note(path, l.value, l.x[0], l.x[1]);
    while (!is_over(path) && path->n < LIMIT && dl_lbfgs_step(&l));
    dl_lbfgs_free(&l);
}

static struct dl_hyper hyper_of(const struct method *m, double lr)
{
    struct dl_hyper h = dl_hyper_default(m->update);
    h.lr = lr;
    h.momentum = m->momentum;
    h.nesterov = m->nesterov;
    return h;
}

/* The path that needs the fewest steps, or at least ends lowest, among the
   rates 10^(k/8) from 0.0001 to 1, for Adadelta to 100. Returns the rate. */
static double best_path(const struct method *m, const struct bowl *bowl,
                        struct path *best)
{
    static struct path path;
    double best_rate = 0;
    if (m->update == NULL) {
        (strcmp(m->name, "newton") == 0 ? newton : lbfgs)(bowl, best);
        return 0;
    }
    best->n = 0;
    int largest = m->update == &dl_adadelta ? 16 : 0;
    for (int k = -32; k <= largest; k++) {
        double rate = pow(10, k / 8.0);
        int limit = best->n > 0 ? best->n - 1 : LIMIT;
        descend(bowl, m->update, hyper_of(m, rate), limit, &path);
        double last = path.value[path.n - 1];
        if (!(last < path.value[0]))
            continue;
        if (best->n == 0 || path.n < best->n
            || last < best->value[best->n - 1])
            {
                *best = path;
                best_rate = rate;
            }
    }
    return best_rate;
}

/* Every method on every bowl: its best rate, the steps to a millionth of
   the first value (or none), and the value after 50 steps. */
static void print_steps(bool paths)
{
    static struct path path;
    puts(paths ? "path\tbowl\tmethod\tx\ty"
               : "run\trate\tsteps\tvalue50");
    for (int b = 0; b < BOWLS; b++)
        for (int m = 0; m < METHODS; m++) {
            double rate = best_path(&methods[m], &bowls[b], &path);
            if (paths)
                for (int t = 0; t < path.n && t <= 120; t++)
                    printf("%s-%s-%d\t%s\t%s\t%.5f\t%.5f\n", bowls[b].name,
                           methods[m].name, t, bowls[b].name, methods[m].name,
                           path.x[t], path.y[t]);
            else
                {
                    double last = path.value[path.n - 1];
                    bool arrived = last <= 1e-6 * path.value[0];
                    printf("%s-%s\t%.4g\t", bowls[b].name, methods[m].name, rate);
                    printf(arrived ? "%d\t" : "-\t", path.n - 1);
                    printf("%.3e\n", path.value[path.n > 50 ? 50 : path.n - 1]);
                }
        }
}

/* How much the distance shrinks per step, at rates 0 to 2.2 / L. */
static void print_rates(void)
{
    static struct path path;
    puts("k\trate\tmeasured\tpredicted");
    for (int k = 1; k <= 44; k++) {
        double rate = 0.05 * k / KAPPA;
        struct dl_hyper h = dl_hyper_default(&dl_sgd);
        h.lr = rate;
        descend(&bowls[0], &dl_sgd, h, 60, &path);
        int n = path.n - 1;
        double share = pow(path.value[n] / path.value[n / 2],
                           0.5 / (n - n / 2));
        printf("%d\t%.4f\t%.4f\t%.4f\n", k, rate, share,
               fmax(fabs(1 - rate), fabs(1 - KAPPA * rate)));
    }
}

static int steps_at(double kappa, double rate, double beta, bool nesterov)
{
    static struct path path;
    struct bowl bowl = {"", {1, 0, 0, (dl_real)kappa},
                        {1, (dl_real)(1 / sqrt(kappa))}};
    struct dl_hyper h = dl_hyper_default(&dl_sgd);
    h.lr = rate;
    h.momentum = beta;
    h.nesterov = nesterov;
    descend(&bowl, &dl_sgd, h, LIMIT, &path);
    return path.value[path.n - 1] <= 1e-6 * path.value[0] ? path.n - 1 : -1;
}

/* Steps to a millionth of the first value, each method at its best rate. */
static void print_conditions(void)
{
    puts("kappa\tdescent\tmomentum\tnesterov");
    for (int kappa = 2; kappa <= 512; kappa *= 2) {
        double root = sqrt(kappa), beta = (root - 1) / (root + 1);
        printf("%d\t%d\t%d\t%d\n", kappa,
               steps_at(kappa, 2 / (kappa + 1.0), 0, false),
               steps_at(kappa, 4 / ((root + 1) * (root + 1)), beta * beta,
                        false),
               steps_at(kappa, 1.0 / kappa, beta, true));
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"paths", no_argument, NULL, 'p'},
        {"rates", no_argument, NULL, 'r'},
        {"conditions", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    int what = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; )
        switch (c) {
        case 'h':
            puts("usage: bowls [--paths | --rates | --conditions]\n"
                 "Descend three functions by every rule; print the steps.\n"
                 "--paths: points passed; --rates: gradient descent by its\n"
                 "rate; --conditions: steps by the condition number.");
            return 0;
        case '?':
            return 2;
        default:
            if (what != 0) {
                fputs("bowls: only one of --paths, --rates, --conditions\n", stderr);
                return 2;
            }
            what = c;
        }
    if (optind < argc) {
        fprintf(stderr, "bowls: unknown argument '%s'\n", argv[optind]);
        return 2;
    }
    printf("# build/bowls%s; threads 1\n", what == 'p' ? " --paths"
           : what == 'r' ? " --rates" : what == 'c' ? " --conditions" : "");
    if (what == 'r')
        print_rates();
    else if (what == 'c')
        print_conditions();
    else
        print_steps(what == 'p');
    dl_pool_drain();
    bool lost = ferror(stdout);
    if (fflush(stdout) != 0 || lost) {
        fputs("bowls: standard output could not be written\n", stderr);
        return 1;
    }
    return 0;
}
