/* mnist1d.c - models learn the ten shapes of MNIST-1D. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

enum { INPUTS = DL_MNIST1D_LENGTH, MOST_LAYERS = 3, KINDS = 10 };

struct choice {
    int epochs, batch, seed, seeds, data_seed, each, threads;
    double lr, decay;
    const char *model, *schedule;
    bool scramble, show;
};

struct model {
    int layers;
    struct dl_params params;
    struct dl_linear layer[MOST_LAYERS];
};

static void model_init(struct model *m, const char *name,
                       struct dl_random *r)
{
    static const int width[] = {INPUTS, 100, 100};
    *m = (struct model){.layers = strcmp(name, "linear") == 0 ? 1 : 3};
    for (int l = 0; l < m->layers; l++) {
        char label[16];
        snprintf(label, sizeof label, "fc%d", l + 1);
        dl_linear_init(&m->layer[l], &m->params, label, width[l],
                       l + 1 < m->layers ? width[l + 1] : KINDS, r);
    }
}

static dl_tensor *model_forward(const struct model *m, dl_tensor *x)
{
    for (int l = 0; l + 1 < m->layers; l++)
        x = dl_linear_forward_act(&m->layer[l], x, DL_RELU);
    return dl_linear_forward(&m->layer[m->layers - 1], x);
}

static double accuracy(const struct model *m, const struct dl_dataset *d)
{
    struct dl_loader all;
    dl_loader_init(&all, d->n, d->n, false, NULL);
    dl_loader_epoch(&all);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    struct dl_ints rows = dl_loader_next(&all);
    double right = dl_correct(model_forward(m, dl_dataset_rows(d, rows)),
                              dl_dataset_labels(d, rows));
    dl_scope_leave(scope);
    dl_loader_free(&all);
    return right / d->n;
}

struct result { double loss, training, test; };

static double go_through(struct model *m, struct dl_optimizer *o,
                         const struct dl_dataset *d, struct dl_loader *l)
{
    double sum = 0;
    struct dl_ints rows;
    dl_loader_epoch(l);
    while ((rows = dl_loader_next(l)).n > 0) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        dl_tensor *loss = dl_cross_entropy(model_forward(m, x),
                                           dl_dataset_labels(d, rows));
        dl_zero_grad(&m->params);
        dl_backward(loss);
        dl_optimizer_step(o);
        sum += rows.n * (double)dl_item(loss) / d->n;
        dl_scope_leave(step);
    }
    return sum;
}

static struct result train(const struct choice *c, int seed,
                           const struct dl_dataset *training,
                           const struct dl_dataset *test)
{
    struct model m;
    struct dl_random r;
    struct dl_optimizer o;
    struct dl_loader batches;
    struct dl_hyper h = dl_hyper_default(&dl_adamw);
    h.lr = c->lr;
    h.weight_decay = c->decay;
    dl_random_seed(&r, (uint64_t)seed);
    model_init(&m, c->model, &r);
    dl_optimizer_init(&o, &dl_adamw, &m.params, h);
    dl_loader_init(&batches, training->n, c->batch, true, &r);
    struct result last = {NAN, 0, 0};
    for (int epoch = 0; epoch < c->epochs; epoch++) {
        if (strcmp(c->schedule, "cosine") == 0)
            dl_optimizer_scale(&o, dl_schedule_cosine(epoch, c->epochs, 0));
        last.loss = go_through(&m, &o, training, &batches);
    }
    last.training = accuracy(&m, training);
    last.test = accuracy(&m, test);
    dl_loader_free(&batches);
    dl_optimizer_free(&o);
    dl_params_free(&m.params);
    return last;
}

/* Let point j of every example be what was point order[j]. */
static void scramble(struct dl_dataset *d, const int order[INPUTS])
{
    for (int i = 0; i < d->n; i++) {
        float *x = d->x + i * INPUTS, old[INPUTS];
        memcpy(old, x, sizeof old);
        for (int j = 0; j < INPUTS; j++)
            x[j] = old[order[j]];
    }
}

static void show(const struct choice *c)
{
    double shape[KINDS][DL_MNIST1D_SHAPE], signal[KINDS][INPUTS];
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)c->data_seed);
    printf("# build/mnist1d --show --data-seed %d; threads 1\npoint",
           c->data_seed);
    for (int k = 0; k < KINDS; k++) {
        dl_mnist1d_shape(k, shape[k]);
        dl_mnist1d_signal(k, signal[k], &r);
        printf("\tshape%d\tsignal%d", k, k);
    }
    for (int i = 0; i < INPUTS; i++) {
        printf("\n%d", i);
        for (int k = 0; k < KINDS; k++)
            if (i < DL_MNIST1D_SHAPE)
                printf("\t%.4f\t%.4f", shape[k][i], signal[k][i]);
            else
                printf("\tnan\t%.4f", signal[k][i]);
    }
    printf("\n");
}

static void print_seeds(const struct choice *c,
                        const struct dl_dataset *training,
                        const struct dl_dataset *test)
{
    double loss = 0, known = 0, sum = 0, squares = 0, n = c->seeds;
    printf("# build/mnist1d --model %s --epochs %d --batch %d --lr %g "
           "--schedule %s --decay %g --each %d --data-seed %d%s --seed %d "
           "--seeds %d; threads any\n", c->model, c->epochs, c->batch, c->lr,
           c->schedule, c->decay, c->each, c->data_seed,
           c->scramble ? " --scramble" : "", c->seed, c->seeds);
    printf("seed\tloss\ttraining\ttest\n");
    for (int seed = c->seed; seed < c->seed + c->seeds; seed++) {
        struct result got = train(c, seed, training, test);
        printf("%d\t%.4f\t%.4f\t%.4f\n", seed, got.loss, got.training,
               got.test);
        loss += got.loss / n;
        known += got.training / n;
        sum += got.test;
        squares += got.test * got.test;
    }
    printf("mean\t%.4f\t%.4f\t%.4f\n", loss, known, sum / n);
    if (c->seeds > 1)
        printf("deviation\t\t\t%.4f\n",
               sqrt(fmax(0, (squares - sum * sum / n) / (n - 1))));
}

static void run(const struct choice *c)
{
    struct dl_dataset training, test;
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)c->data_seed);
    dl_mnist1d(&training, &test, c->each, &r);
    int order[INPUTS];
    dl_random_permutation(&r, order, INPUTS);
    if (c->scramble) {
        scramble(&training, order);
        scramble(&test, order);
    }
    print_seeds(c, &training, &test);
    dl_dataset_free(&training);
    dl_dataset_free(&test);
    dl_pool_drain();
}

static bool is_possible(const struct choice *c)
{
    if (strcmp(c->model, "linear") != 0 && strcmp(c->model, "mlp") != 0)
        return dl_error("--model wants linear or mlp, not '%s'", c->model);
    if (strcmp(c->schedule, "constant") != 0
        && strcmp(c->schedule, "cosine") != 0)
        return dl_error("--schedule wants constant or cosine, not '%s'",
                        c->schedule);
    int training = 8 * c->each;             /* four fifths of ten digits */
    return c->show || c->batch <= training
           || dl_error("a batch of %d is more than the %d examples",
                       c->batch, training);
}

int main(int argc, char *argv[])
{
    struct choice c = {150, 100, 0, 5, 42, 500, 0, 0.01, 0,
                       "mlp", "constant", false, false};
    const struct dl_option table[] = {
        {"model", DL_WORD, &c.model, 0, 0, "linear or mlp"},
        {"epochs", DL_INT, &c.epochs, 1, 100000, "times through the data"},
        {"batch", DL_INT, &c.batch, 1, 1e6, "examples in a step"},
        {"lr", DL_NUMBER, &c.lr, 0, 10, "Adam's rate"},
        {"schedule", DL_WORD, &c.schedule, 0, 0, "constant or cosine"},
        {"decay", DL_NUMBER, &c.decay, 0, 100, "weight decay (AdamW's)"},
        {"seed", DL_INT, &c.seed, 0, 1e9, "of the first model"},
        {"seeds", DL_INT, &c.seeds, 1, 1000, "how many models"},
        {"data-seed", DL_INT, &c.data_seed, 0, 1e9, "of the data"},
        {"each", DL_INT, &c.each, 1, 100000, "examples of each digit"},
        {"scramble", DL_FLAG, &c.scramble, 0, 0, "permute the 40 points"},
        {"show", DL_FLAG, &c.show, 0, 0, "print shapes and examples"},
        {"threads", DL_INT, &c.threads, 0, 1024, "0: all"},
        {0}
    };
    int status = dl_read_options(argc, argv, "models for MNIST-1D", table);
    if (status >= 0)
        return status;
    if (!is_possible(&c)) {
        fprintf(stderr, "mnist1d: %s\n", dl_error_text());
        return 2;
    }
    if (c.threads > 0)
        dl_set_num_threads(c.threads);
    if (c.show)
        show(&c);
    else
        run(&c);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "mnist1d: standard output could not be written\n");
    return 1;
}
