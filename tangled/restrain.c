/* restrain.c - a network that could learn its 400 digits by heart, left to
   itself and held back in several ways. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

enum { TRAIN = 400, CHOICE = 400, HIDDEN = 256, BATCH = 20, EPOCHS = 200,
       SEEDS = 5, PATIENCE = 10, MAX_TEST = 1000 };

struct way {
    const char *name;
    double decay, dropout, average;     /* 0: not in this way */
    bool early;
};
static const struct way ways[] = {
    {.name = "nothing"},
    {.name = "decay", .decay = 0.3},
    {.name = "dropout", .dropout = 0.5},
    {.name = "early", .early = true},
    {.name = "average", .average = 0.99},
    {.name = "dropout+average", .dropout = 0.5, .average = 0.99},
};
enum { WAYS = sizeof ways / sizeof *ways };

struct run {
    struct dl_dataset train, choice, test;
    struct dl_random random;
    struct dl_params params;
    struct dl_linear hidden, output;
    struct dl_optimizer optimizer;
    struct dl_average average;
    struct dl_loader loader;
    int epochs;
};

static void split(struct run *r, const struct dl_dataset *digits)
{
    struct dl_dataset rest;
    dl_dataset_split(digits, TRAIN, &r->random, &r->train, &rest);
    dl_dataset_split(&rest, CHOICE, &r->random, &r->choice, &r->test);
    dl_dataset_free(&rest);
}

static void begin(struct run *r, const struct dl_dataset *digits,
                  const struct way *way, int seed)
{
    struct dl_hyper h = dl_hyper_default(&dl_adamw);
    *r = (struct run){.epochs = 0};
    dl_random_seed(&r->random, (uint64_t)seed);
    split(r, digits);
    dl_linear_init(&r->hidden, &r->params, "hidden", 64, HIDDEN, &r->random);
    dl_linear_init(&r->output, &r->params, "output", HIDDEN, 10, &r->random);
    h.weight_decay = way->decay;
    dl_optimizer_init(&r->optimizer, &dl_adamw, &r->params, h);
    dl_average_init(&r->average, &r->params, way->average);
    dl_loader_init(&r->loader, TRAIN, BATCH, true, &r->random);
}

static void end(struct run *r)
{
    dl_loader_free(&r->loader);
    dl_average_free(&r->average);
    dl_optimizer_free(&r->optimizer);
    dl_zero_grad(&r->params);
    dl_params_free(&r->params);
    dl_dataset_free(&r->train);
    dl_dataset_free(&r->choice);
    dl_dataset_free(&r->test);
}

static dl_tensor *forward(struct run *r, dl_tensor *x, double p)
{
    x = dl_view(x, DL_SHAPE(x->shape.dim[0], -1));
    x = dl_linear_forward_act(&r->hidden, x, DL_RELU);
    return dl_linear_forward(&r->output, dl_dropout(x, p, &r->random));
}

struct judgement { double loss, accuracy; };

static struct judgement judge(struct run *r, const struct dl_dataset *d)
{
    int at[MAX_TEST];
    struct dl_ints all = {d->n, at};
    for (int i = 0; i < d->n; i++)
        at[i] = i;
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *z = forward(r, dl_dataset_rows(d, all), 0);
    struct dl_ints label = dl_dataset_labels(d, all);
    struct judgement j = {dl_item(dl_cross_entropy(z, label)),
                          (double)dl_correct(z, label) / d->n};
    dl_scope_leave(scope);
    return j;
}

static void train_epoch(struct run *r, const struct way *way)
{
    struct dl_ints rows;
    dl_loader_epoch(&r->loader);
    while ((rows = dl_loader_next(&r->loader)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_dataset_rows(&r->train, rows);
        dl_tensor *z = forward(r, x, way->dropout);
        struct dl_ints label = dl_dataset_labels(&r->train, rows);
        dl_tensor *loss = dl_cross_entropy(z, label);
        dl_zero_grad(&r->params);
        dl_backward(loss);
        dl_optimizer_step(&r->optimizer);
        dl_scope_leave(scope);
        if (way->average > 0)
            dl_average_update(&r->average);
    }
    r->epochs++;
}

/* The validation set says whether to stop; the best weights are kept. */
static bool is_time(struct run *r, struct dl_early_stopping *e)
{
    bool stop = dl_early_stopping_check(e, judge(r, &r->choice).loss);
    if (e->where == e->checks - 1) {
        r->average.n = 0;
        dl_average_update(&r->average);
    }
    return stop;
}

static struct judgement train(struct run *r, const struct way *way)
{
    struct dl_early_stopping e;
    bool stop = false;
    dl_early_stopping_init(&e, PATIENCE, false);
    while (r->epochs < EPOCHS && !stop) {
        train_epoch(r, way);
        stop = way->early && is_time(r, &e);
    }
    if (r->average.n > 0)
        dl_average_swap(&r->average);
    return judge(r, &r->test);
}

static void compare(const struct dl_dataset *digits)
{
    printf("way\tloss\taccuracy\tdeviation\tepochs\n");
    for (int w = 0; w < WAYS; w++) {
        double loss = 0, sum = 0, squares = 0, epochs = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            struct run r;
            begin(&r, digits, &ways[w], seed);
            struct judgement j = train(&r, &ways[w]);
            loss += j.loss / SEEDS;
            sum += j.accuracy;
            squares += j.accuracy * j.accuracy;
            epochs += (double)r.epochs / SEEDS;
            end(&r);
        }
        double variance = (squares - sum * sum / SEEDS) / (SEEDS - 1);
        printf("%s\t%.4f\t%.4f\t%.4f\t%.1f\n", ways[w].name, loss,
               sum / SEEDS, sqrt(fmax(variance, 0)), epochs);
    }
}

static void print_curves(const struct dl_dataset *digits)
{
    struct run r[3];
    printf("epoch");
    for (int w = 0; w < 3; w++) {
        printf("\t%s-train\t%s-test", ways[w].name, ways[w].name);
        begin(&r[w], digits, &ways[w], 0);
    }
    printf("\n");
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        printf("%d", epoch);
        for (int w = 0; w < 3; w++) {
            train_epoch(&r[w], &ways[w]);
            printf("\t%.5f\t%.5f", judge(&r[w], &r[w].train).loss,
                   judge(&r[w], &r[w].test).loss);
        }
        printf("\n");
    }
    for (int w = 0; w < 3; w++)
        end(&r[w]);
}

int main(int argc, char *argv[])
{
    struct dl_dataset digits;
    bool curves = argc == 2 && strcmp(argv[1], "curves") == 0;
    if (argc > 1 && !curves) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr, "usage: restrain [curves]\n");
        return help ? 0 : 2;
    }
    dl_set_num_threads(1);
    if (!dl_read_digits(&digits, NULL)) {
        fprintf(stderr, "restrain: %s\n", dl_error_text());
        return 2;
    }
    printf("# build/restrain%s; threads 1\n", curves ? " curves" : "");
    if (curves)
        print_curves(&digits);
    else
        compare(&digits);
    dl_dataset_free(&digits);
    dl_pool_drain();
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "restrain: standard output could not be written\n");
    return 1;
}
