/* mlp_first.c - a first network learns to tell pieces of clothing apart. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dlfs.h"

enum { PIXELS = 784, CLASSES = 10, MAX_LAYERS = 8 };

struct mlp {
    int layers, width[MAX_LAYERS + 1];
    enum dl_activation activation;
    struct dl_params params;
    struct dl_linear layer[MAX_LAYERS];
};

static void mlp_init(struct mlp *m, struct dl_random *r)
{
    for (int l = 0; l < m->layers; l++) {
        char name[16];
        snprintf(name, sizeof name, "fc%d", l + 1);
        dl_linear_init(&m->layer[l], &m->params, name,
                       m->width[l], m->width[l + 1], r);
    }
}

static dl_tensor *mlp_forward(const struct mlp *m, dl_tensor *x)
{
    x = dl_view(x, DL_SHAPE(-1, m->width[0]));
    int last = m->layers - 1;
    for (int l = 0; l < last; l++)
        x = dl_linear_forward_act(&m->layer[l], x, m->activation);
    return dl_linear_forward(&m->layer[last], x);
}

static void descend(struct dl_params *p, double rate)
{
    for (int k = 0; k < p->n; k++) {
        dl_tensor *w = p->list[k].tensor;
        dl_vaxpy(w->size, (dl_real)-rate, dl_grad(w), dl_data(w));
        dl_touch(w);
    }
}

static double learn(struct mlp *m, const struct dl_dataset *d,
                    struct dl_loader *batches, double rate)
{
    double sum = 0;
    struct dl_ints rows;
    dl_loader_epoch(batches);
    while ((rows = dl_loader_next(batches)).n > 0) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        struct dl_ints label = dl_dataset_labels(d, rows);
        dl_tensor *loss = dl_cross_entropy(mlp_forward(m, x), label);
        dl_zero_grad(&m->params);
        dl_backward(loss);
        descend(&m->params, rate);
        sum += rows.n * (double)dl_item(loss);
        dl_scope_leave(step);
    }
    return sum / d->n;
}

struct verdict {
    double accuracy;
    int dead;                       /* neurons of the first layer */
};

static struct verdict judge(const struct mlp *m, const struct dl_dataset *d)
{
    struct verdict v = {0, 0};
    bool *alive = dl_alloc((size_t)m->width[1], sizeof *alive);
    memset(alive, 0, (size_t)m->width[1]);
    struct dl_loader all;
    struct dl_ints rows;
    dl_loader_init(&all, d->n, 500, false, NULL);
    dl_loader_epoch(&all);
    while ((rows = dl_loader_next(&all)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        v.accuracy += dl_correct(mlp_forward(m, x),
                                 dl_dataset_labels(d, rows));
        x = dl_view(x, DL_SHAPE(-1, m->width[0]));
        dl_tensor *z = dl_linear_forward(&m->layer[0], x);
        for (size_t i = 0; i < z->size; i++)
            if (dl_data(z)[i] > 0)
                alive[i % (size_t)m->width[1]] = true;
        dl_scope_leave(scope);
    }
    for (int j = 0; j < m->width[1]; j++)
        v.dead += !alive[j];
    v.accuracy /= d->n;
    dl_loader_free(&all);
    free(alive);
    return v;
}

static _Noreturn void complain(const char *what, const char *got)
{
    fprintf(stderr, "mlp_first: %s, not '%s'\n", what, got);
    exit(2);
}

static double number(const char *text, double low, double high,
                     bool whole, const char *complaint)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)
        || (whole && value != floor(value)))
        complain(complaint, text);
    return value;
}

/* Which of the words, which are separated by commas, is this? */
static int choice(const char *text, const char *words, const char *complaint)
{
    size_t length = strlen(text);
    for (int k = 0; ; k++) {
        size_t word = strcspn(words, ",");
        if (word == length && strncmp(text, words, length) == 0)
            return k;
        if (words[word] == '\0')
            complain(complaint, text);
        words += word + 1;
    }
}

struct plan {
    int epochs, batch, seed, seeds, threads, start;
    double rate;
    const char *data, *weights;
    const char *hidden;             /* "128", "256,128", "none" */
    enum dl_activation activation;
};

/* The widths of the layers, from the text of --hidden. */
static void set_widths(struct mlp *m, const char *hidden)
{
    static const char complaint[] = "--hidden takes widths from 1 to 4096 "
        "with commas between them, at most 7, or none";
    m->layers = 0;
    m->width[0] = PIXELS;
    for (const char *at = hidden; strcmp(hidden, "none") != 0; at++) {
        char width[8] = "", *end;
        size_t length = strcspn(at, ",");
        if (length >= sizeof width || m->layers == MAX_LAYERS - 1)
            complain(complaint, hidden);
        memcpy(width, at, length);
        long n = strtol(width, &end, 10);
        if (*end != '\0' || n < 1 || n > 4096)
            complain(complaint, hidden);
        m->width[++m->layers] = (int)n;
        at += length;
        if (*at == '\0')
            break;
    }
    m->width[++m->layers] = CLASSES;
}

static void read_options(struct plan *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"epochs", required_argument, NULL, 'e'},
        {"batch", required_argument, NULL, 'b'},
        {"lr", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 't'},
        {"hidden", required_argument, NULL, 'w'},
        {"activation", required_argument, NULL, 'a'},
        {"start", required_argument, NULL, 'i'},
        {"weights", required_argument, NULL, 'f'},
        {"data", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    unsigned given = 0;                 /* a bit for each letter */
    int k;
    for (int c; (c = getopt_long(argc, argv, "", options, &k)) != -1; ) {
        if (c == '?')
            exit(2);
        if (given & 1u << (c - 'a')) {
            fprintf(stderr, "mlp_first: --%s is given twice\n", options[k].name);
            exit(2);
        }
        if (optarg != NULL && *optarg == '\0') {
            fprintf(stderr, "mlp_first: --%s is empty\n", options[k].name);
            exit(2);
        }
        given |= 1u << (c - 'a');
        switch (c) {
        case 'e':
            p->epochs = (int)number(optarg, 0, 10000, true,
                                    "--epochs takes a whole number up to 10000");
            break;
        case 'b':
            p->batch = (int)number(optarg, 1, 60000, true,
                                   "--batch takes a whole number from 1 to 60000");
            break;
        case 'l':
            p->rate = number(optarg, 0, 1e6, false,
                             "--lr takes a number from 0 to 1e6");
            break;
        case 's':
            p->seed = (int)number(optarg, 0, INT_MAX, true,
                                  "--seed takes a whole number below 2^31");
            break;
        case 'n':
            p->seeds = (int)number(optarg, 1, 100, true,
                                   "--seeds takes a whole number from 1 to 100");
            break;
        case 't':
            p->threads = (int)number(optarg, 1, 64, true,
                                     "--threads takes a whole number from 1 to 64");
            break;
        case 'w':
            p->hidden = optarg;
            break;
        case 'a':
            p->activation = (enum dl_activation)choice(optarg,
                "none,relu,tanh,sigmoid",
                "--activation takes none, relu, tanh or sigmoid");
            break;
        case 'i':
            p->start = choice(optarg, "random,zero,equal",
                              "--start takes random, zero or equal");
            break;
        case 'f':
            p->weights = optarg;
            break;
        case 'd':
            p->data = optarg;
            break;
        case 'h':
            puts("usage: mlp_first [options]\n"
                 "Train a network on Fashion-MNIST; print loss and test accuracy.\n"
                 "  --epochs N        times to go through the images (5)\n"
                 "  --batch N         images in a step (64)\n"
                 "  --lr X            length of a step: X times the gradient (0.1)\n"
                 "  --hidden N,N      widths of the hidden layers, or none (128)\n"
                 "  --activation F    none, relu, tanh or sigmoid (relu)\n"
                 "  --start HOW       first weights: random, zero, or equal: 0.01\n"
                 "  --seed N          of the generator (1)\n"
                 "  --seeds N         train N networks, from the seeds 1 to N\n"
                 "  --threads N       (all processors)\n"
                 "  --weights FILE    write weights of the first 16 neurons\n"
                 "  --data DIR        where the images are");
            exit(0);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mlp_first: unknown argument '%s'\n", argv[optind]);
        exit(2);
    }
    if (p->seeds > 0 && (given & 1u << ('s' - 'a') || p->weights != NULL)) {
        fputs("mlp_first: --seeds takes the seeds from 1 on and writes no "
              "weights: neither --seed nor --weights goes with it\n", stderr);
        exit(2);
    }
}

static bool write_weights(const struct mlp *m, const char *path)
{
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return dl_error("%s: %s", path, strerror(errno));
    int n = m->width[1] < 16 ? m->width[1] : 16;
    fprintf(f, "# build/mlp_first --weights FILE\nneuron\tx\ty\tweight\n");
    for (int j = 0; j < n; j++)
        for (int i = 0; i < PIXELS; i++)
            fprintf(f, "%s%d\t%d\t%d\t%.2f\n",
                    i == 0 ? "\n\n" : i % 28 == 0 ? "\n" : "", j, i % 28,
                    i / 28, (double)*dl_at(m->layer[0].weight, j, i));
    bool good = !ferror(f);
    return (fclose(f) == 0 && good)
           || dl_error("%s could not be written", path);
}

struct outcome {
    double loss;
    struct verdict test;
};

static struct outcome train(struct mlp *m, const struct plan *p, int seed,
                            const struct dl_dataset *training,
                            const struct dl_dataset *test)
{
    struct dl_random random;
    dl_random_seed(&random, (uint64_t)seed);
    mlp_init(m, &random);
    for (int k = 0; k < m->params.n && p->start != 0; k++)
        dl_fill(m->params.list[k].tensor, p->start == 1 ? 0 : (dl_real)0.01);
    struct dl_loader batches;
    dl_loader_init(&batches, training->n, p->batch, true, &random);
    struct outcome now = {NAN, {0, 0}};
    for (int epoch = 1; epoch <= p->epochs; epoch++) {
        now.loss = learn(m, training, &batches, p->rate);
        if (p->seeds == 0 || epoch == p->epochs)
            now.test = judge(m, test);
        if (p->seeds == 0)
            printf("%d\t%.4f\t%.4f\t%d\n", epoch, now.loss, now.test.accuracy,
                   now.test.dead);
        if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
            fprintf(stderr, "\rseed %d  epoch %d/%d  loss %.4f%s", seed, epoch,
                    p->epochs, now.loss, epoch == p->epochs ? "\n" : "");
    }
    dl_loader_free(&batches);
    return now;
}

static bool run(struct plan *p, const struct dl_dataset *training,
                const struct dl_dataset *test)
{
    struct mlp m = {.activation = p->activation};
    set_widths(&m, p->hidden);
    bool good = true;
    if (p->seeds == 0) {
        train(&m, p, p->seed, training, test);
        good = p->weights == NULL || write_weights(&m, p->weights);
        dl_params_free(&m.params);
        return good;
    }
    double loss = 0, sum = 0, squares = 0, dead = 0, n = p->seeds;
    for (int seed = 1; seed <= p->seeds; seed++) {
        struct outcome o = train(&m, p, seed, training, test);
        printf("%d\t%.4f\t%.4f\t%d\n", seed, o.loss, o.test.accuracy,
               o.test.dead);
        loss += o.loss / n;
        sum += o.test.accuracy;
        squares += o.test.accuracy * o.test.accuracy;
        dead += o.test.dead / n;
        dl_params_free(&m.params);
    }
    printf("mean\t%.4f\t%.4f\t%.1f\n", loss, sum / n, dead);
    if (p->seeds > 1)
        printf("deviation\t\t%.4f\t\n",
               sqrt(fmax(0, (squares - sum * sum / n) / (n - 1))));
    return good;
}

static bool read_data(const struct plan *p, struct dl_dataset *training,
                      struct dl_dataset *test)
{
    if (!dl_read_fashion(training, test, p->data))
        return false;
    bool fit = dl_shape_size(training->sample) == PIXELS
               || dl_error("the images are %s, not 28 by 28",
                           DL_SHAPE_TEXT(training->sample));
    fit = fit && (p->batch <= training->n
                  || dl_error("a batch of %d is more than the %d examples",
                              p->batch, training->n));
    if (!fit) {
        dl_dataset_free(training);
        dl_dataset_free(test);
    }
    return fit;
}

int main(int argc, char **argv)
{
    struct plan plan = {5, 64, 1, 0, 0, 0, 0.1, NULL, NULL, "128", DL_RELU};
    read_options(&plan, argc, argv);
    set_widths(&(struct mlp){0}, plan.hidden);
    if (plan.threads > 0)
        dl_set_num_threads(plan.threads);
    struct dl_dataset training, test;
    if (!read_data(&plan, &training, &test)) {
        fprintf(stderr, "mlp_first: %s\n", dl_error_text());
        return 2;
    }
    static const char *const activation[] = {"none", "relu", "tanh", "sigmoid"};
    static const char *const start[] = {"random", "zero", "equal"};
    printf("# build/mlp_first --epochs %d --batch %d --lr %g --hidden %s "
           "--activation %s --start %s", plan.epochs, plan.batch, plan.rate,
           plan.hidden, activation[plan.activation], start[plan.start]);
    printf(plan.seeds > 0 ? " --seeds %d" : " --seed %d",
           plan.seeds > 0 ? plan.seeds : plan.seed);
    printf("; threads any\n%s\tloss\taccuracy\tdead\n",
           plan.seeds > 0 ? "seed" : "epoch");
    bool good = run(&plan, &training, &test);
    if (!good)
        fprintf(stderr, "mlp_first: %s\n", dl_error_text());
    dl_dataset_free(&training);
    dl_dataset_free(&test);
    dl_pool_drain();
    bool lost = ferror(stdout);
    if (fflush(stdout) != 0 || lost) {
        fprintf(stderr, "mlp_first: standard output could not be written\n");
        return 1;
    }
    return good ? 0 : 1;
}
