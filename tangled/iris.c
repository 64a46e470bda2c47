/* iris.c - a network of single numbers learns the species of irises. */
#include <errno.h>
#include <getopt.h>
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

enum { FLOWERS = 150, FEATURES = 4, SPECIES = 3, TRAINING = 100 };

struct flowers {
    float x[FLOWERS][FEATURES];     /* in centimetres, then standardised */
    int species[FLOWERS];
};

/* Open a file of data: in the given folder or, if that is NULL, where
   Debian's package puts it, or in data/. The path tried last goes to
   path. */
static FILE *open_data(const char *folder, const char *name,
                       char *path, size_t size)
{
    const char *place[] = {
        "/usr/lib/python3/dist-packages/sklearn/datasets/data", "data"
    };
    FILE *f = NULL;
    for (int i = 0; i < 2 && f == NULL; i++) {
        snprintf(path, size, "%s/%s", folder ? folder : place[i], name);
        f = fopen(path, "r");
    }
    if (f == NULL)
        dl_error("%s: %s (`make deps` fetches the data, --data names "
                 "another folder)", path, strerror(errno));
    return f;
}

static bool flowers_read(struct flowers *all, const char *folder)
{
    char path[512], line[256];
    FILE *f = open_data(folder, "iris.csv", path, sizeof path);
    if (f == NULL)
        return false;
    int n = 0;
    bool good = true;
    if (fgets(line, sizeof line, f))
        while (good && n < FLOWERS && fgets(line, sizeof line, f))
            {
                float *x = all->x[n];
                int end = 0;
                sscanf(line, "%f,%f,%f,%f,%d %n", &x[0], &x[1], &x[2], &x[3],
                       &all->species[n], &end);
                bool finite = end > 0 && isfinite(x[0] + x[1] + x[2] + x[3]);
                if (!finite || line[end] != '\0'
                    || all->species[n] < 0 || all->species[n] >= SPECIES)
                    good = dl_error("%s:%d: not four numbers and a species 0, 1 or 2",
                                    path, n + 2);
                n++;
            }
    fclose(f);
    if (good && n < FLOWERS)
        good = dl_error("%s: %d flowers instead of %d", path, n, FLOWERS);
    return good;
}

static void flowers_split(const struct flowers *all, struct dl_random *r,
                          struct flowers *split)
{
    int order[FLOWERS];
    dl_random_permutation(r, order, FLOWERS);
    for (int i = 0; i < FLOWERS; i++)
        split->species[i] = all->species[order[i]];
    for (int j = 0; j < FEATURES; j++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < TRAINING; i++)
            mean += all->x[order[i]][j] / TRAINING;
        for (int i = 0; i < TRAINING; i++)
            variance += pow(all->x[order[i]][j] - mean, 2) / TRAINING;
        for (int i = 0; i < FLOWERS; i++)
            split->x[i][j] = (float)((all->x[order[i]][j] - mean)
                                     / sqrt(variance));
    }
}

static dl_value *cross_entropy(dl_value *const z[], int truth)
{
    double largest = fmax(z[0]->data, fmax(z[1]->data, z[2]->data));
    dl_value *m = dl_value_constant(largest);
    dl_value *sum = dl_value_constant(0);
    for (int k = 0; k < SPECIES; k++)
        sum = dl_value_add(sum, dl_value_exp(dl_value_sub(z[k], m)));
    return dl_value_sub(dl_value_add(m, dl_value_log(sum)), z[truth]);
}

static void ask(const struct net *net, const float x[FEATURES],
                dl_value *z[])
{
    dl_value *input[FEATURES];
    for (int j = 0; j < FEATURES; j++)
        input[j] = dl_value_constant(x[j]);
    net_forward(net, input, z);
}

static double learn(struct net *net, const struct flowers *data)
{
    double total = 0;
    dl_value_zero_grad(net->n, net->p);
    size_t mark = dl_value_count();
    for (int i = 0; i < TRAINING; i++) {
        dl_value *z[MAX_WIDTH];
        ask(net, data->x[i], z);
        dl_value *loss = dl_value_mul(cross_entropy(z, data->species[i]),
                                      dl_value_constant(1.0 / TRAINING));
        dl_value_backward(loss);
        total += loss->data;
        dl_value_release(mark);
    }
    net_descend(net, 0.5);
    return total;
}

static bool is_right(dl_value *const z[], int truth)
{
    for (int k = 0; k < SPECIES; k++)
        if (k != truth && !(z[truth]->data > z[k]->data))
            return false;
    return true;
}

static double accuracy(const struct net *net, const struct flowers *data,
                       int from, int to)
{
    bool was_on = dl_value_set_grad_enabled(false);
    size_t mark = dl_value_count();
    int right = 0;
    for (int i = from; i < to; i++) {
        dl_value *z[MAX_WIDTH];
        ask(net, data->x[i], z);
        right += is_right(z, data->species[i]);
        dl_value_release(mark);
    }
    dl_value_set_grad_enabled(was_on);
    return (double)right / (to - from);
}

int main(int argc, char **argv)
{
    int epochs = 200, seeds = 5;
    const char *folder = getenv("DLFS_DATA");
    static const struct option options[] = {
        {"epochs", required_argument, NULL, 'e'},
        {"seeds", required_argument, NULL, 's'},
        {"data", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; )
        switch (c) {
        case 'e':
            epochs = whole_number("iris", "epochs", optarg, 1, 1000000);
            break;
        case 's':
            seeds = whole_number("iris", "seeds", optarg, 1, 1000);
            break;
        case 'd':
            folder = optarg;
            break;
        case 'h':
            puts("usage: iris [--epochs N] [--seeds N] [--data DIR]\n"
                 "Train a network of scalars on 100 irises and test it on 50; print\n"
                 "loss and accuracies for the seeds 1 to N, and their mean. The file\n"
                 "iris.csv is sought in DIR or, without --data, in $DLFS_DATA; if that\n"
                 "is not set, where Debian's package puts it, and then in data/.");
            return 0;
        default:
            return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "%s: unknown argument '%s'\n", argv[0], argv[optind]);
        return 2;
    }
    struct flowers flowers;
    if (!flowers_read(&flowers, folder)) {
        fprintf(stderr, "iris: %s\n", dl_error_text());
        return 1;
    }
    double mean_training = 0, mean_test = 0;
    printf("# build/iris --epochs %d --seeds %d; threads 1\n", epochs, seeds);
    printf("seed\tloss\ttraining\ttest\n");
    for (int seed = 1; seed <= seeds; seed++) {
        struct dl_random random;
        dl_random_seed(&random, (uint64_t)seed);
        struct flowers split;
        flowers_split(&flowers, &random, &split);
        struct net net = {2, {FEATURES, 10, SPECIES}, dl_value_tanh, 0, {NULL}};
        net_init(&net, &random);
        double loss = 0;
        for (int epoch = 1; epoch <= epochs; epoch++) {
            loss = learn(&net, &split);
            if (isatty(STDERR_FILENO) && (epoch % 10 == 0 || epoch == epochs))
                fprintf(stderr, "\rseed %d  epoch %d/%d  loss %.4f%s", seed,
                        epoch, epochs, loss, epoch == epochs ? "\n" : "");
        }
        double training = accuracy(&net, &split, 0, TRAINING);
        double test = accuracy(&net, &split, TRAINING, FLOWERS);
        printf("%d\t%.4f\t%.3f\t%.3f\n", seed, loss, training, test);
        mean_training += training / seeds;
        mean_test += test / seeds;
        dl_value_release(0);
    }
    printf("mean\t\t%.3f\t%.3f\n", mean_training, mean_test);
    bool lost = ferror(stdout);
    if (fflush(stdout) != 0 || lost) {
        fprintf(stderr, "%s: standard output could not be written\n", argv[0]);
        return 1;
    }
    return 0;
}
