/* moons.c - a network of single numbers separates two half moons. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dlfs.h"

enum { MAX_LAYERS = 3, MAX_WIDTH = 16 };

struct net {
    int layers;
    int width[MAX_LAYERS + 1];      /* of the inputs, then of each layer */
    dl_value *(*activation)(dl_value *);
    size_t n;                       /* the number of parameters */
    dl_value *p[MAX_LAYERS * MAX_WIDTH * (MAX_WIDTH + 1)];
};

static void net_init(struct net *net, struct dl_random *r)
{
    net->n = 0;
    for (int l = 0; l < net->layers; l++) {
        int count = net->width[l + 1] * (net->width[l] + 1);
        float bound = 1 / sqrtf((float)net->width[l]);
        for (int i = 0; i < count; i++) {
            float x;
            dl_random_fill_uniform(r, &x, 1, -bound, bound);
            net->p[net->n++] = dl_value_new(x);
        }
    }
}

static void net_forward(const struct net *net, dl_value *const input[],
                        dl_value *output[])
{
    dl_value *x[MAX_WIDTH];
    dl_value *const *p = net->p;
    memcpy(x, input, sizeof *x * (size_t)net->width[0]);
    for (int l = 0; l < net->layers; l++) {
        for (int i = 0; i < net->width[l + 1]; i++) {
            dl_value *sum = *p++;
            for (int j = 0; j < net->width[l]; j++)
                sum = dl_value_add(sum, dl_value_mul(*p++, x[j]));
            output[i] = l < net->layers - 1 ? net->activation(sum) : sum;
        }
        memcpy(x, output, sizeof *x * (size_t)net->width[l + 1]);
    }
}

static void net_descend(struct net *net, double rate)
{
    for (size_t i = 0; i < net->n; i++)
        net->p[i]->data -= rate * net->p[i]->grad;
}

/* The whole number in text, from low to high; anything else ends the
   program with one line and exit status 2. */
static int whole_number(const char *program, const char *option,
                        const char *text, int low, int high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0'
        || value < low || value > high) {
        fprintf(stderr, "%s: --%s takes a whole number from %d to %d, "
                "not '%s'\n", program, option, low, high, text);
        exit(2);
    }
    return (int)value;
}

enum { POINTS = 100 };

struct moons {
    float x[POINTS][2];
    int label[POINTS];
};

static void moons_draw(struct moons *m, struct dl_random *r)
{
    for (int i = 0; i < POINTS; i++) {
        float t = (float)M_PI * dl_random_uniform(r), noise[2];
        dl_random_fill_normal(r, noise, 2, 0, 0.1f);
        bool upper = i % 2 == 0;
        m->label[i] = upper ? 1 : -1;
        m->x[i][0] = (upper ? cosf(t) : 1 - cosf(t)) + noise[0];
        m->x[i][1] = (upper ? sinf(t) : 0.5f - sinf(t)) + noise[1];
    }
}

struct outcome {
    double loss;
    int right;
};

static struct outcome collect(struct net *net, const struct moons *m)
{
    struct outcome all = {0, 0};
    dl_value_zero_grad(net->n, net->p);
    size_t mark = dl_value_count();
    for (int i = 0; i < POINTS; i++) {
        dl_value *score[MAX_WIDTH];
        dl_value *x[2] = {dl_value_constant(m->x[i][0]),
                          dl_value_constant(m->x[i][1])};
        net_forward(net, x, score);
        all.right += score[0]->data * m->label[i] > 0;
        dl_value *margin = dl_value_mul(dl_value_constant(m->label[i]), score[0]);
        dl_value *hinge = dl_value_relu(dl_value_sub(dl_value_constant(1), margin));
        dl_value *loss = dl_value_mul(hinge, dl_value_constant(1.0 / POINTS));
        dl_value_backward(loss);
        all.loss += loss->data;
        dl_value_release(mark);
    }
    for (size_t i = 0; i < net->n; i++) {
        double p = net->p[i]->data;
        all.loss += 1e-4 * p * p;
        net->p[i]->grad += 2e-4 * p;
    }
    return all;
}

static bool write_map(const char *folder, const struct net *net,
                      int k, int step)
{
    char path[512];
    snprintf(path, sizeof path, "%s/moons-map%d.tsv", folder, k);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return dl_error("%s: %s", path, strerror(errno));
    bool was_on = dl_value_set_grad_enabled(false);
    fprintf(f, "# build/moons --plot DIR; step %d; threads 1\n", step);
    fprintf(f, "x\ty\tscore\n");
    for (int i = 0; i < 61; i++, fputc('\n', f))
        for (int j = 0; j < 91; j++)
            {
                double x = -1.75 + 0.05 * j, y = -1.25 + 0.05 * i;
                size_t mark = dl_value_count();
                dl_value *point[2] = {dl_value_constant(x), dl_value_constant(y)};
                dl_value *score[MAX_WIDTH];
                net_forward(net, point, score);
                fprintf(f, "%.2f\t%.2f\t%.2f\n", x, y, score[0]->data);
                dl_value_release(mark);
            }
    dl_value_set_grad_enabled(was_on);
    bool good = !ferror(f);
    return (fclose(f) == 0 && good)
           || dl_error("%s could not be written", path);
}

static bool write_points(const char *folder, const struct moons *m)
{
    char path[512];
    snprintf(path, sizeof path, "%s/moons-points.tsv", folder);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return dl_error("%s: %s", path, strerror(errno));
    fprintf(f, "# build/moons --plot DIR; threads 1\nx\ty\tlabel\n");
    for (int i = 0; i < POINTS; i++)
        fprintf(f, "%.4f\t%.4f\t%d\n", m->x[i][0], m->x[i][1],
                m->label[i]);
    bool good = !ferror(f);
    return (fclose(f) == 0 && good)
           || dl_error("%s could not be written", path);
}

static bool write_maps(const char *folder, const struct net *net,
                       const struct moons *m, int step, int steps)
{
    const int moment[4] = {0, steps / 20, steps / 5, steps};
    bool good = step > 0 || write_points(folder, m);
    for (int k = 0; k < 4 && good; k++)
        if (step == moment[k])
            good = write_map(folder, net, k, step);
    return good;
}

int main(int argc, char **argv)
{
    int steps = 200, seed = 1;
    const char *folder = NULL;
    static const struct option options[] = {
        {"steps", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"plot", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; )
        switch (c) {
        case 't':
            steps = whole_number("moons", "steps", optarg, 0, 1000000);
            break;
        case 's':
            seed = whole_number("moons", "seed", optarg, 0, INT_MAX);
            break;
        case 'p':
            folder = optarg;
            break;
        case 'h':
            puts("usage: moons [--steps N] [--seed N] [--plot DIR]\n"
                 "Train a network of scalars to tell two half moons apart; print\n"
                 "step, loss and accuracy. --plot writes maps of the plane to DIR.");
            return 0;
        default:
            return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "%s: unknown argument '%s'\n", argv[0], argv[optind]);
        return 2;
    }
    struct dl_random random;
    dl_random_seed(&random, (uint64_t)seed);
    struct moons moons;
    moons_draw(&moons, &random);
    struct net net = {3, {2, 16, 16, 1}, dl_value_relu, 0, {NULL}};
    net_init(&net, &random);
    printf("# build/moons --steps %d --seed %d; threads 1\n", steps, seed);
    printf("step\tloss\taccuracy\n");
    for (int step = 0; step <= steps; step++) {
        struct outcome now = collect(&net, &moons);
        if (step % 10 == 0 || step == steps)
            printf("%d\t%.4f\t%.2f\n", step, now.loss,
                   (double)now.right / POINTS);
        if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
            fprintf(stderr, "\rstep %d/%d  loss %.4f%s", step, steps, now.loss,
                    step == steps ? "\n" : "");
        if (folder && !write_maps(folder, &net, &moons, step, steps)) {
            fprintf(stderr, "moons: %s\n", dl_error_text());
            return 1;
        }
        net_descend(&net, 1 - 0.9 * step / (steps ? steps : 1));
    }
    dl_value_release(0);
    bool lost = ferror(stdout);
    if (fflush(stdout) != 0 || lost) {
        fprintf(stderr, "%s: standard output could not be written\n", argv[0]);
        return 1;
    }
    return 0;
}
