/* softmax.c - a linear model learns to classify small images. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dlfs.h"

struct options {
    const char *set, *data, *plot;  /* fashion or digits; folders */
    int epochs, batch, seed, seeds, split;
    double rate;
    bool quiet;
};

struct model {
    struct dl_params params;
    dl_tensor *weight, *bias;       /* [classes, pixels], [classes] */
};

static void model_init(struct model *m, const struct dl_dataset *d)
{
    int pixels = (int)dl_shape_size(d->sample);
    *m = (struct model){0};
    m->weight = dl_param(&m->params, "weight", DL_SHAPE(d->classes, pixels));
    m->bias = dl_param(&m->params, "bias", DL_SHAPE(d->classes));
    dl_fill(m->weight, 0);
    dl_fill(m->bias, 0);
}

static dl_tensor *model_forward(const struct model *m,
                                const struct dl_dataset *d,
                                struct dl_ints rows)
{
    dl_tensor *x = dl_dataset_rows(d, rows);
    int pixels = m->weight->shape.dim[1];
    return dl_linear(dl_view(x, DL_SHAPE(rows.n, pixels)), m->weight,
                     m->bias);
}

static double step(struct model *m, const struct dl_dataset *d,
                   struct dl_ints rows, double rate)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *loss = dl_cross_entropy(model_forward(m, d, rows),
                                       dl_dataset_labels(d, rows));
    dl_zero_grad(&m->params);
    dl_backward(loss);
    for (int k = 0; k < m->params.n; k++) {
        dl_tensor *p = m->params.list[k].tensor;
        dl_vaxpy(p->size, (dl_real)-rate, dl_grad(p), dl_data(p));
        dl_touch(p);
    }
    double value = dl_item(loss);
    dl_scope_leave(scope);
    return value;
}

struct judgement {
    struct dl_confusion confusion;
    struct dl_calibration calibration;
};

static void judge(struct judgement *j, const struct model *m,
                  const struct dl_dataset *d)
{
    struct dl_loader rows;
    dl_loader_init(&rows, d->n, 1000, false, NULL);
    dl_confusion_init(&j->confusion, d->classes);
    j->calibration = (struct dl_calibration){.bins = 15};
    dl_loader_epoch(&rows);
    for (struct dl_ints b; (b = dl_loader_next(&rows)).n > 0; ) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *logits = model_forward(m, d, b);
        struct dl_ints label = dl_dataset_labels(d, b);
        dl_confusion_add(&j->confusion, logits, label);
        dl_calibration_add(&j->calibration, logits, label);
        dl_scope_leave(scope);
    }
    dl_loader_free(&rows);
}

static double accuracy(const struct model *m, const struct dl_dataset *d)
{
    struct judgement j;
    judge(&j, m, d);
    double share = dl_accuracy(&j.confusion);
    dl_confusion_free(&j.confusion);
    return share;
}

struct outcome { double loss, training, test; };

static void show_progress(int seed, int epoch, const struct options *o,
                          int batch, int batches)
{
    if (!o->quiet && isatty(STDERR_FILENO)
        && (batch % 100 == 0 || batch == batches))
        fprintf(stderr, "\rseed %d  epoch %d/%d  batch %d/%d ", seed, epoch,
                o->epochs, batch, batches);
}

static void print_row(int epoch, struct outcome now)
{
    printf("%d\t%.4f\t%.4f\t%.4f\n", epoch, now.loss, now.training,
           now.test);
    fflush(stdout);
}

static void print_head(const struct options *o, const char *key)
{
    printf("# build/softmax --set %s --epochs %d --batch %d --lr %g",
           o->set, o->epochs, o->batch, o->rate);
    printf(o->seeds > 1 ? " --seed %d --seeds %d" : " --seed %d",
           o->seed, o->seeds);
    if (o->split > 0)
        printf(" --split %d", o->split);
    printf("\n");
    printf("%s\tloss\ttraining\ttest\n", key);
}

static struct outcome train_model(struct model *m, const struct options *o,
                                  int seed, bool table,
                                  const struct dl_dataset *train,
                                  const struct dl_dataset *test)
{
    struct dl_random random;
    struct dl_loader loader;
    struct outcome now = {NAN, NAN, NAN};
    model_init(m, train);
    dl_random_seed(&random, (uint64_t)seed);
    dl_loader_init(&loader, train->n, o->batch, true, &random);
    for (int epoch = 1; epoch <= o->epochs; epoch++) {
        int batches = dl_loader_batches(&loader), batch = 0;
        double sum = 0;
        dl_loader_epoch(&loader);
        for (struct dl_ints b; (b = dl_loader_next(&loader)).n > 0; ) {
            sum += b.n * step(m, train, b, o->rate);
            show_progress(seed, epoch, o, ++batch, batches);
        }
        now.loss = sum / train->n;
        if (!o->quiet && isatty(STDERR_FILENO))
            fprintf(stderr, "\r%40s\r", "");
        if (table || epoch == o->epochs) {
            now.training = accuracy(m, train);
            now.test = accuracy(m, test);
        }
        if (table)
            print_row(epoch, now);
    }
    dl_loader_free(&loader);
    return now;
}

static FILE *begin(const char *folder, const char *what, const char *heads)
{
    char path[4096];
    FILE *f = NULL;
    errno = ENAMETOOLONG;
    if (snprintf(path, sizeof path, "%s/softmax-%s.tsv", folder, what)
        < (int)sizeof path)
        f = fopen(path, "w");
    if (f == NULL)
        fprintf(stderr, "softmax: %s: %s\n", path, strerror(errno));
    else
        fprintf(f, "# build/softmax\n%s\n", heads);
    return f;
}

static bool end(FILE *f)
{
    bool lost = ferror(f);
    if (fclose(f) == 0 && !lost)
        return true;
    fprintf(stderr, "softmax: a file for a plot could not be written\n");
    return false;
}

static bool write_weights(const char *folder, const struct model *m,
                          const struct dl_dataset *d)
{
    FILE *f = begin(folder, "weights", "pixel\tx\ty\tweights");
    int pixels = m->weight->shape.dim[1], width = d->sample.dim[1];
    for (int i = 0; f != NULL && i < pixels; i++) {
        fprintf(f, "%d\t%d\t%d", i, i % width, i / width);
        for (int c = 0; c < d->classes; c++)
            fprintf(f, "\t%.4f", (double)*dl_at(m->weight, c, i));
        fprintf(f, "\n");
    }
    return f != NULL && end(f);
}

static bool write_confusion(const char *folder, const struct dl_confusion *c)
{
    FILE *f = begin(folder, "confusion", "cell\ttruth\tanswer\tcount");
    for (int t = 0; f != NULL && t < c->classes; t++)
        for (int p = 0; p < c->classes; p++)
            fprintf(f, "%d-%d\t%d\t%d\t%ld\n", t, p, t, p,
                    c->count[t * c->classes + p]);
    return f != NULL && end(f);
}

static bool write_scores(const char *folder, const struct judgement *j)
{
    FILE *f = begin(folder, "scores", "class\tprecision\trecall\tf1\terror");
    for (int k = 0; f != NULL && k < j->confusion.classes; k++) {
        struct dl_scores s = dl_class_scores(&j->confusion, k);
        fprintf(f, "%d\t%.4f\t%.4f\t%.4f\t\n", k, s.precision, s.recall,
                s.f1);
    }
    struct dl_scores mean = dl_mean_scores(&j->confusion);
    if (f != NULL)
        fprintf(f, "all\t%.4f\t%.4f\t%.4f\t%.4f\n", mean.precision,
                mean.recall, mean.f1, dl_calibration_error(&j->calibration));
    return f != NULL && end(f);
}

static bool write_calibration(const char *folder,
                              const struct dl_calibration *c)
{
    FILE *f = begin(folder, "calibration", "bin\tn\tconfidence\tright");
    for (int b = 0; f != NULL && b < c->bins; b++) {
        double n = (double)c->bin[b].n;
        if (n > 0)
            fprintf(f, "%d\t%ld\t%.4f\t%.4f\n", b, c->bin[b].n,
                    c->bin[b].confidence / n, (double)c->bin[b].right / n);
    }
    return f != NULL && end(f);
}

static bool write_plots(const char *folder, const struct model *m,
                        const struct judgement *j,
                        const struct dl_dataset *d)
{
    return write_weights(folder, m, d)
        && write_confusion(folder, &j->confusion)
        && write_scores(folder, j)
        && write_calibration(folder, &j->calibration);
}

static bool written(void)
{
    bool lost = ferror(stdout);
    if (fflush(stdout) == 0 && !lost)
        return true;
    fprintf(stderr, "softmax: standard output could not be written\n");
    return false;
}

static bool run_one(const struct options *o, const struct dl_dataset *train,
                    const struct dl_dataset *test)
{
    struct model m;
    struct judgement j;
    print_head(o, "epoch");
    struct outcome last = train_model(&m, o, o->seed, !o->quiet, train,
                                      test);
    if (o->quiet)
        print_row(o->epochs, last);
    judge(&j, &m, test);
    struct dl_scores s = dl_mean_scores(&j.confusion);
    printf("# precision %.4f, recall %.4f, F1 %.4f, calibration error %.4f\n",
           s.precision, s.recall, s.f1, dl_calibration_error(&j.calibration));
    bool good = o->plot == NULL || write_plots(o->plot, &m, &j, test);
    dl_confusion_free(&j.confusion);
    dl_params_free(&m.params);
    return good && written();
}

static bool run_several(const struct options *o,
                        const struct dl_dataset *train,
                        const struct dl_dataset *test)
{
    double sum[3] = {0}, square[3] = {0};
    print_head(o, "seed");
    for (int k = 0; k < o->seeds; k++) {
        struct model m;
        struct outcome last = train_model(&m, o, o->seed + k, false, train,
                                          test);
        dl_params_free(&m.params);
        print_row(o->seed + k, last);
        const double x[3] = {last.loss, last.training, last.test};
        for (int i = 0; i < 3; i++) {
            sum[i] += x[i];
            square[i] += x[i] * x[i];
        }
    }
    printf("mean");
    for (int i = 0; i < 3; i++)
        printf("\t%.4f", sum[i] / o->seeds);
    printf("\ndeviation");
    for (int i = 0; i < 3; i++)
        printf("\t%.4f", sqrt(fmax(0, (square[i] - sum[i] * sum[i] / o->seeds)
                                      / (o->seeds - 1))));
    printf("\n");
    return written();
}

static _Noreturn __attribute__((format(printf, 1, 2)))
void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("softmax: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    exit(2);
}

static const char *name_of(const struct option *o, int c)
{
    while (o->val != c)
        o++;
    return o->name;
}

static int whole(const char *option, const char *text, int low, int high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0'
        || value < low || value > high)
        refuse("--%s takes a whole number from %d to %d, not '%s'", option,
               low, high, text);
    return (int)value;
}

static double rate_of(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= 1000))
        refuse("--lr takes a number above 0, up to 1000, not '%s'", text);
    return value;
}

static void read_options(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"set", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'f'},
        {"epochs", required_argument, NULL, 'e'},
        {"batch", required_argument, NULL, 'b'},
        {"lr", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"split", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'},
        {"plot", required_argument, NULL, 'p'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}
    };
    unsigned given = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
        if (c == '?')
            exit(2);
        if (given & 1u << (c - 'a'))
            refuse("--%s is given twice", name_of(options, c));
        if (optarg != NULL && *optarg == '\0')
            refuse("--%s wants something that is not empty", name_of(options, c));
        given |= 1u << (c - 'a');
        switch (c) {
        case 'd': o->set = optarg; break;
        case 'f': o->data = optarg; break;
        case 'p': o->plot = optarg; break;
        case 'q': o->quiet = true; break;
        case 'e': o->epochs = whole("epochs", optarg, 1, 100000); break;
        case 'b': o->batch = whole("batch", optarg, 1, 1 << 20); break;
        case 's': o->seed = whole("seed", optarg, 0, 1 << 30); break;
        case 'n': o->seeds = whole("seeds", optarg, 1, 1000); break;
        case 'i': o->split = whole("split", optarg, 0, 1 << 30); break;
        case 't': dl_set_num_threads(whole("threads", optarg, 1, 64)); break;
        case 'l': o->rate = rate_of(optarg); break;
        default: puts("usage: softmax [--set fashion|digits] [--epochs N] [--batch N]\n"
                      "               [--lr RATE] [--seed N] [--seeds N] [--split N]\n"
                      "               [--threads N] [--data DIR] [--plot DIR] [--quiet]\n"
                      "Train a linear model on small images, and test it. With --seeds,\n"
                      "for so many seeds, from --seed on; a line for each. --split is the\n"
                      "seed that draws the test set of the digits. The files are sought in\n"
                      "--data or $DLFS_DATA, else where Debian puts them, else in data/.\n"
                      "--plot writes weights, confusion matrix, scores and calibration.\n"
                      "--quiet prints the last epoch alone.");
                 exit(0);
        }
    }
    if (optind < argc)
        refuse("unknown argument '%s'", argv[optind]);
    if (o->seeds > 1 && o->plot != NULL)
        refuse("--plot draws one seed, but --seeds is %d", o->seeds);
    if (o->split != 0 && strcmp(o->set, "digits") != 0)
        refuse("--split is for --set digits: %s has a test set", o->set);
}

static bool read_data(const struct options *o, struct dl_dataset *train,
                      struct dl_dataset *test)
{
    struct dl_dataset all;
    struct dl_random fixed;
    if (strcmp(o->set, "fashion") == 0)
        return dl_read_fashion(train, test, o->data);
    if (strcmp(o->set, "digits") != 0)
        refuse("--set takes fashion or digits, not '%s'", o->set);
    if (!dl_read_digits(&all, o->data))
        return false;
    dl_random_seed(&fixed, (uint64_t)o->split);
    dl_dataset_split(&all, all.n - (all.n + 4) / 5, &fixed, train, test);
    dl_dataset_free(&all);
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.set = "fashion", .epochs = 40, .batch = 256,
                        .rate = 0.1, .seed = 1, .seeds = 1};
    struct dl_dataset train, test;
    read_options(&o, argc, argv);
    if (!read_data(&o, &train, &test)) {
        fprintf(stderr, "softmax: %s\n", dl_error_text());
        return 2;
    }
    int status = 2;
    if (o.batch > train.n)
        fprintf(stderr, "softmax: a batch of %d, but there are only %d "
                "examples\n", o.batch, train.n);
    else if (o.seeds == 1)
        status = run_one(&o, &train, &test) ? 0 : 1;
    else
        status = run_several(&o, &train, &test) ? 0 : 1;
    dl_dataset_free(&train);
    dl_dataset_free(&test);
    dl_pool_drain();
    return status;
}
