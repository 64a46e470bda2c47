/* memorise.c - the same network learns true labels, labels drawn by lot, and
   labels of noise drawn by lot. */
#include <stdio.h>
#include <stdlib.h>
#include "dlfs.h"

enum { PIXELS = 784, CLASSES = 10, SETS = 3, MAX_EPOCHS = 1000 };

struct options {
    int examples, width, epochs, batch, seed, threads;
    double lr;
    const char *data;
};

static void spoil(struct dl_dataset *d, bool pixels, struct dl_random *r)
{
    for (int i = 0; i < d->n; i++)
        d->label[i] = (int)dl_random_below(r, CLASSES);
    if (pixels)                     /* mean and deviation: Fashion-MNIST's */
        dl_random_fill_normal(r, d->x, (size_t)d->n * PIXELS, 0.286f,
                              0.353f);
}

struct network {
    struct dl_params params;
    struct dl_linear hidden, output;
};

static dl_tensor *forward(const struct network *m, dl_tensor *x)
{
    x = dl_view(x, DL_SHAPE(-1, PIXELS));
    x = dl_linear_forward_act(&m->hidden, x, DL_RELU);
    return dl_linear_forward(&m->output, x);
}

static double share_known(const struct network *m, const struct dl_dataset *d)
{
    struct dl_loader all;
    struct dl_ints rows;
    int right = 0;
    dl_loader_init(&all, d->n, 500, false, NULL);
    dl_loader_epoch(&all);
    while ((rows = dl_loader_next(&all)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        right += dl_correct(forward(m, x), dl_dataset_labels(d, rows));
        dl_scope_leave(scope);
    }
    dl_loader_free(&all);
    return (double)right / d->n;
}

static void go_through(struct network *m, struct dl_optimizer *o,
                       const struct dl_dataset *d, struct dl_loader *batches)
{
    struct dl_ints rows;
    dl_loader_epoch(batches);
    while ((rows = dl_loader_next(batches)).n > 0) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        struct dl_ints label = dl_dataset_labels(d, rows);
        dl_tensor *loss = dl_cross_entropy(forward(m, x), label);
        dl_zero_grad(&m->params);
        dl_backward(loss);
        dl_optimizer_step(o);
        dl_scope_leave(step);
    }
}

/* known[e]: the share of d that is known after epoch e + 1; *tested: that of
   the test set, at the end. */
static void learn(const struct options *p, const struct dl_dataset *d,
                  const struct dl_dataset *test, double known[],
                  double *tested)
{
    struct network m = {0};
    struct dl_random r;
    struct dl_optimizer o;
    struct dl_loader batches;
    struct dl_hyper h = dl_hyper_default(&dl_adam);
    h.lr = p->lr;
    dl_random_seed(&r, (uint64_t)p->seed);
    dl_linear_init(&m.hidden, &m.params, "fc1", PIXELS, p->width, &r);
    dl_linear_init(&m.output, &m.params, "fc2", p->width, CLASSES, &r);
    dl_optimizer_init(&o, &dl_adam, &m.params, h);
    dl_loader_init(&batches, d->n, p->batch, true, &r);
    for (int epoch = 0; epoch < p->epochs; epoch++) {
        go_through(&m, &o, d, &batches);
        known[epoch] = share_known(&m, d);
    }
    *tested = share_known(&m, test);
    dl_loader_free(&batches);
    dl_optimizer_free(&o);
    dl_params_free(&m.params);
}

static void print_known(const struct options *p,
                        double known[SETS][MAX_EPOCHS],
                        const double tested[SETS])
{
    printf("# build/memorise --examples %d --width %d --epochs %d --batch %d "
           "--lr %g --seed %d; threads any\n", p->examples, p->width,
           p->epochs, p->batch, p->lr, p->seed);
    printf("epoch\ttrue\trandom\tnoise\n");
    for (int epoch = 0; epoch < p->epochs; epoch++)
        printf("%d\t%.4f\t%.4f\t%.4f\n", epoch + 1, known[0][epoch],
               known[1][epoch], known[2][epoch]);
    printf("test\t%.4f\t%.4f\t%.4f\n", tested[0], tested[1], tested[2]);
    printf("needed");
    for (int k = 0; k < SETS; k++) {
        int epoch = 0;
        while (epoch < p->epochs && known[k][epoch] < 1)
            epoch++;
        if (epoch < p->epochs)
            printf("\t%d", epoch + 1);
        else
            printf("\t-");
    }
    printf("\n");
}

static bool fit(const struct options *p, const struct dl_dataset *train)
{
    if (dl_shape_size(train->sample) != PIXELS)
        return dl_error("the images are %s, not 28 by 28",
                        DL_SHAPE_TEXT(train->sample));
    if (p->examples > train->n)
        return dl_error("there are %d examples, not %d", train->n,
                        p->examples);
    return p->batch <= p->examples
           || dl_error("a batch of %d is more than the %d examples",
                       p->batch, p->examples);
}

static bool compare(const struct options *p, const struct dl_dataset *train,
                    const struct dl_dataset *test)
{
    static double known[SETS][MAX_EPOCHS];
    double tested[SETS];
    struct dl_dataset set, rest;
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)p->seed);
    for (int k = 0; k < SETS; k++) {
        dl_dataset_split(train, p->examples, NULL, &set, &rest);
        dl_dataset_free(&rest);
        if (k > 0)
            spoil(&set, k == 2, &r);
        learn(p, &set, test, known[k], &tested[k]);
        dl_dataset_free(&set);
    }
    print_known(p, known, tested);
    return (fflush(stdout) == 0 && !ferror(stdout))
           || dl_error("standard output could not be written");
}

int main(int argc, char *argv[])
{
    struct options p = {1000, 256, 150, 64, 0, 0, 1e-3, NULL};
    const struct dl_option table[] = {
        {"examples", DL_INT, &p.examples, 1, 60000, "images to be learned"},
        {"width", DL_INT, &p.width, 1, 4096, "neurons of the hidden layer"},
        {"epochs", DL_INT, &p.epochs, 1, MAX_EPOCHS, "times through them"},
        {"batch", DL_INT, &p.batch, 1, 60000, "images in a step"},
        {"lr", DL_NUMBER, &p.lr, 0, 10, "Adam's rate"},
        {"seed", DL_INT, &p.seed, 0, 1e9, "of all that is drawn"},
        {"threads", DL_INT, &p.threads, 0, 1024, "0: all"},
        {"data", DL_WORD, &p.data, 0, 0, "the folder with the images"},
        {0}
    };
    int status = dl_read_options(argc, argv, "true labels, random labels, "
                                 "and noise", table);
    if (status >= 0)
        return status;
    if (p.threads > 0)
        dl_set_num_threads(p.threads);
    struct dl_dataset train, test;
    bool read = dl_read_fashion(&train, &test, p.data);
    bool fits = read && fit(&p, &train);
    bool good = fits && compare(&p, &train, &test);
    if (!good)
        fprintf(stderr, "memorise: %s\n", dl_error_text());
    dl_dataset_free(&train);
    dl_dataset_free(&test);
    dl_pool_drain();
    return good ? 0 : fits ? 1 : 2;
}
