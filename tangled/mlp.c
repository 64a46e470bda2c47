/* mlp.c - a network learns to tell pieces of clothing apart, and can be
   interrupted at any moment. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "dlfs.h"

struct options {
    struct dl_train_options common;
    const char *schedule;           /* cosine or constant */
    int examples;                   /* of the training set; 0: all */
    int trace;                      /* so many steps' losses are logged */
};

struct run {
    struct options o;
    struct dl_dataset train, test;
    struct dl_params params;
    struct dl_linear layer[3];
    struct dl_optimizer optimizer;
    struct dl_random random;
    struct dl_loader loader;
    int64_t step;                   /* steps taken */
    double sum;                     /* of this epoch's losses */
    struct dl_text log;
    size_t printed;                 /* bytes of the log */
    char picture[DL_PATH_MAX];      /* the file that --plot wants */
    bool saved;                     /* at least once */
    struct dl_state state;
};

static int64_t all_steps(const struct run *r)
{
    return (int64_t)r->o.common.epochs * dl_loader_batches(&r->loader);
}

static dl_tensor *forward(const struct run *r, dl_tensor *x)
{
    x = dl_view(x, DL_SHAPE(x->shape.dim[0], -1));
    x = dl_linear_forward_act(&r->layer[0], x, DL_RELU);
    x = dl_linear_forward_act(&r->layer[1], x, DL_RELU);
    return dl_linear_forward(&r->layer[2], x);
}

static double step(struct run *r, struct dl_ints rows)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = dl_dataset_rows(&r->train, rows);
    struct dl_ints label = dl_dataset_labels(&r->train, rows);
    dl_tensor *loss = dl_cross_entropy(forward(r, x), label);
    double value = (double)dl_item(loss);
    if (isfinite(value)) {
        dl_zero_grad(&r->params);
        dl_backward(loss);
        if (strcmp(r->o.schedule, "cosine") == 0)
            dl_optimizer_scale(&r->optimizer, dl_schedule_cosine(
                                   r->step, all_steps(r), 0));
        dl_optimizer_step(&r->optimizer);
        r->sum += value * rows.n;
        if (r->step++ < r->o.trace)
            dl_text_add(&r->log, "# %lld\t%.9g\n", (long long)r->step,
                        value);
    }
    dl_scope_leave(scope);
    return value;
}

static double judge(const struct run *r, struct dl_confusion *c)
{
    struct dl_loader all;
    struct dl_ints rows;
    dl_confusion_init(c, r->test.classes);
    dl_loader_init(&all, r->test.n, 500, false, NULL);
    dl_loader_epoch(&all);
    while ((rows = dl_loader_next(&all)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *logits = forward(r, dl_dataset_rows(&r->test, rows));
        dl_confusion_add(c, logits, dl_dataset_labels(&r->test, rows));
        dl_scope_leave(scope);
    }
    dl_loader_free(&all);
    return dl_accuracy(c);
}

/* The next epoch in the log, from *at on: its number, loss and error. */
static bool next_epoch(const char **at, double row[3])
{
    while (*at != NULL) {
        int found = sscanf(*at, "%lf%lf%lf", row, row + 1, row + 2);
        *at = strchr(*at + 1, '\n');
        if (found == 3) {
            row[2] = 1 - row[2];
            return true;
        }
    }
    return false;
}

static void draw_curves(struct dl_text *svg, const struct run *r)
{
    static const char *const colour[] = {"", "#1B3A5C", "#9C2A1E"};
    double row[3], top = 0.1;
    for (const char *at = r->log.bytes; next_epoch(&at, row);)
        top = fmax(top, fmax(row[1], row[2]));
    top = ceil(10 * top) / 10;
    dl_text_add(svg, "<path d='M30 35V235H225' fill='none' stroke='#999'/>"
                "<text x='5' y='40'>%.1f</text><text x='15' y='238'>0</text>"
                "<text x='170' y='250'>epoch %d</text><text x='30' y='20' "
                "fill='%s'>training loss</text><text x='125' y='20' fill="
                "'%s'>test error</text>", top, r->o.common.epochs,
                colour[1], colour[2]);
    for (const char *at = r->log.bytes; next_epoch(&at, row);)
        for (int k = 1; k < 3; k++)
            dl_text_add(svg, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>",
                        30 + 190 * row[0] / r->o.common.epochs,
                        235 - 200 * row[k] / top, colour[k]);
}

static const char *const class[] = {
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt",
    "sneaker", "bag", "boot"
};

static void draw_confusion(struct dl_text *svg, const struct dl_confusion *c)
{
    for (int t = 0; t < c->classes; t++) {
        const long *row = c->count + t * c->classes;
        long all = 1;
        for (int p = 0; p < c->classes; p++)
            all += row[p];
        dl_text_add(svg, "<text x='250' y='%d'>%s</text>", 49 + 20 * t,
                    class[t]);
        for (int p = 0; p < c->classes; p++)
            dl_text_add(svg, "<rect x='%d' y='%d' width='24' height='18' "
                        "fill='rgb(%ld,%ld,255)'/><text x='%d' y='%d'>%ld"
                        "</text>", 305 + 26 * p, 35 + 20 * t,
                        255 - 200 * row[p] / all, 255 - 120 * row[p] / all,
                        307 + 26 * p, 48 + 20 * t, row[p]);
    }
}

enum { WORST = 12 };
struct mistake { int image, taken_for; double loss; };

static void insert(struct mistake worst[], struct mistake m)
{
    int k = WORST;
    for (; k > 0 && m.loss > worst[k - 1].loss; k--)
        if (k < WORST)
            worst[k] = worst[k - 1];
    if (k < WORST)
        worst[k] = m;
}

static void find_worst(const struct run *r, struct mistake worst[])
{
    for (int i = 0; i < r->test.n; i++) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_dataset_rows(&r->test, DL_INTS(i));
        dl_tensor *z = forward(r, x);
        struct mistake m = {i, 0, 0};
        dl_argmax(z, -1, &m.taken_for);
        m.loss = dl_item(dl_logsumexp(z, -1, false))
                 - dl_data(z)[r->test.label[i]];
        insert(worst, m);
        dl_scope_leave(scope);
    }
}

static void draw_image(struct dl_text *svg, const float *x, int left,
                       int top)
{
    for (int shade = 1; shade <= 9; shade++) {
        dl_text_add(svg, "<path fill-opacity='%.2f' d='", shade / 9.0);
        for (int i = 0; i < 784; i++)
            if ((int)(9.5f * x[i]) == shade)
                dl_text_add(svg, "M%d %dh2v2h-2z", left + 2 * (i % 28),
                            top + 2 * (i / 28));
        dl_text_add(svg, "'/>");
    }
}

static void draw_worst(struct dl_text *svg, const struct run *r)
{
    struct mistake worst[WORST] = {{0}};
    find_worst(r, worst);
    for (int k = 0; k < WORST && worst[k].loss > 0; k++) {
        int left = 10 + 95 * (k % 6), top = 270 + 95 * (k / 6);
        size_t image = (size_t)worst[k].image;
        draw_image(svg, r->test.x + 784 * image, left, top);
        dl_text_add(svg, "<text x='%d' y='%d'>%s,</text><text x='%d' "
                    "y='%d'>not %s</text>", left, top + 68,
                    class[r->test.label[image]], left, top + 80,
                    class[worst[k].taken_for]);
    }
}

static bool plot(struct run *r)
{
    struct dl_text svg = {0};
    struct dl_confusion c;
    judge(r, &c);
    dl_text_add(&svg, "<svg xmlns='http://www.w3.org/2000/svg' width='570' "
                "height='450' font-family='TeX Gyre Pagella, Palatino, serif'"
                " font-size='11'><rect width='570' height='450' "
                "fill='white'/><text x='250' y='20'>Rows: what it is; "
                "columns, in the same order: the answer</text>");
    draw_curves(&svg, r);
    draw_confusion(&svg, &c);
    draw_worst(&svg, r);
    dl_text_add(&svg, "</svg>\n");
    bool good = dl_text_save(&svg, r->picture);
    dl_confusion_free(&c);
    dl_text_free(&svg);
    return good;
}

static void list_state(struct run *r)
{
    struct dl_state *s = &r->state;
    char text[40];
    dl_state_params(s, "", &r->params);
    dl_state_params(s, "train/", &r->optimizer.state);
    dl_state_count(s, "train/optimizer_steps", &r->optimizer.steps, 0,
                   INT64_MAX);
    dl_state_random(s, "train/random", &r->random);
    dl_state_ints(s, "train/order", (size_t)r->train.n, r->loader.order, 0,
                  r->train.n - 1);
    dl_state_ints(s, "train/at", 1, &r->loader.at, 0, r->train.n);
    dl_state_count(s, "train/step", &r->step, 0, all_steps(r));
    dl_state_doubles(s, "train/sum", 1, &r->sum);
    dl_state_text(s, "train/log", &r->log);
    snprintf(text, sizeof text, "%d", r->o.common.epochs);
    dl_state_note(s, "epochs", text);
    snprintf(text, sizeof text, "%d", r->o.common.batch);
    dl_state_note(s, "batch", text);
    snprintf(text, sizeof text, "%.17g", r->o.common.lr);
    dl_state_note(s, "lr", text);
    dl_state_note(s, "schedule", r->o.schedule);
}

static bool save(struct run *r)
{
    const struct dl_train_options *o = &r->o.common;
    if (!dl_params_finite(&r->params))
        return dl_error("the weights are not finite");
    if (o->log != NULL && !dl_text_save(&r->log, o->log))
        return false;
    if (o->save != NULL && !dl_state_save(&r->state, o->save))
        return false;
    return r->saved = true;
}

static void print_log(struct run *r)
{
    if (!r->o.common.quiet)
        fwrite(r->log.bytes + r->printed, 1, r->log.n - r->printed, stdout);
    fflush(stdout);
    r->printed = r->log.n;
}

static bool finish_epoch(struct run *r)
{
    struct dl_confusion c;
    if (!dl_params_finite(&r->params))
        return dl_error("the weights are not finite after step %lld",
                        (long long)r->step);
    int epoch = (int)(r->step / dl_loader_batches(&r->loader));
    dl_text_add(&r->log, "%d\t%.6f\t", epoch, r->sum / r->train.n);
    dl_text_add(&r->log, "%.4f\n", judge(r, &c));
    dl_confusion_free(&c);
    print_log(r);
    r->sum = 0;
    return save(r);
}

static bool train(struct run *r)
{
    struct dl_progress progress = {.off = r->o.common.quiet};
    bool good = true;
    char text[40];
    while (good && r->step < all_steps(r) && !dl_caught_signal()) {
        if (r->loader.at == r->train.n)
            dl_loader_epoch(&r->loader);
        double loss = step(r, dl_loader_next(&r->loader));
        if (!isfinite(loss))
            good = dl_error("the loss of step %lld is %g",
                            (long long)r->step + 1, loss);
        else if (r->loader.at == r->train.n) {
            dl_progress_clear(&progress);
            good = finish_epoch(r);
        } else {
            snprintf(text, sizeof text, "loss %.4f", loss);
            dl_progress_show(&progress, r->step, all_steps(r), text);
        }
    }
    dl_progress_clear(&progress);
    return good;
}

static bool stop(struct run *r)
{
    const char *save_to = r->o.common.save;
    if (!save(r))
        return false;
    fprintf(stderr, "mlp: stopped after step %lld of %lld; ",
            (long long)r->step, (long long)all_steps(r));
    if (save_to != NULL)
        fprintf(stderr, "go on with --resume %s\n", save_to);
    else
        fprintf(stderr, "nothing was kept, without --save\n");
    return true;
}

static int finish(struct run *r, bool good)
{
    if (good && dl_caught_signal() != 0 && r->step < all_steps(r)) {
        good = stop(r);
        if (good)
            return 128 + dl_caught_signal();
    }
    if (good && !r->saved)
        good = save(r);
    if (good && r->o.common.plot != NULL)
        good = plot(r);
    if (good && (fflush(stdout) != 0 || ferror(stdout)))
        good = dl_error("standard output could not be written");
    if (!good && r->saved && r->o.common.save != NULL)
        fprintf(stderr, "mlp: %s; the last checkpoint is in %s\n",
                dl_error_text(), r->o.common.save);
    else if (!good)
        fprintf(stderr, "mlp: %s\n", dl_error_text());
    return good ? 0 : 1;
}

static bool make(struct run *r)
{
    static const int width[] = {784, 256, 128, 10};
    struct dl_hyper h = dl_hyper_default(&dl_adam);
    dl_random_seed(&r->random, (uint64_t)r->o.common.seed);
    for (int l = 0; l < 3; l++) {
        char name[8];
        snprintf(name, sizeof name, "fc%d", l + 1);
        dl_linear_init(&r->layer[l], &r->params, name, width[l],
                       width[l + 1], &r->random);
    }
    h.lr = r->o.common.lr;
    dl_optimizer_init(&r->optimizer, &dl_adam, &r->params, h);
    dl_loader_init(&r->loader, r->train.n, r->o.common.batch, true,
                   &r->random);
    list_state(r);
    dl_text_add(&r->log, "epoch\tloss\taccuracy\n");
    const struct dl_train_options *o = &r->o.common;
    return (o->init == NULL || dl_params_load(&r->params, o->init))
           && (o->resume == NULL || dl_state_load(&r->state, o->resume));
}

static bool can_be_written(struct run *r)
{
    const struct dl_train_options *o = &r->o.common;
    struct dl_replacement test;
    if (o->plot != NULL) {
        if (mkdir(o->plot, 0777) != 0 && errno != EEXIST)
            return dl_error("%s: %s", o->plot, strerror(errno));
        snprintf(r->picture, sizeof r->picture, "%s/mlp.svg", o->plot);
        if (!dl_replace_begin(&test, r->picture))
            return false;
        dl_replace_abandon(&test);
    }
    return o->log == NULL || dl_text_save(&r->log, o->log);
}

static void unmake(struct run *r)
{
    dl_state_free(&r->state);
    dl_text_free(&r->log);
    dl_loader_free(&r->loader);
    dl_optimizer_free(&r->optimizer);
    dl_params_free(&r->params);
    dl_dataset_free(&r->train);
    dl_dataset_free(&r->test);
    dl_pool_drain();
}

static bool are_possible(struct run *r)
{
    const struct dl_train_options *o = &r->o.common;
    if (dl_shape_size(r->train.sample) != 784)
        return dl_error("the images are %s, not 28 by 28",
                        DL_SHAPE_TEXT(r->train.sample));
    if (strcmp(r->o.schedule, "cosine") != 0
        && strcmp(r->o.schedule, "constant") != 0)
        return dl_error("--schedule wants cosine or constant, not '%s'",
                        r->o.schedule);
    if (o->init != NULL && o->resume != NULL)
        return dl_error("--init and --resume exclude each other");
    if (o->log != NULL && o->save != NULL && strcmp(o->log, o->save) == 0)
        return dl_error("--log and --save want the same file");
    if (r->o.examples > r->train.n)
        return dl_error("there are %d examples, not %d", r->train.n,
                        r->o.examples);
    if (r->o.examples > 0)
        r->train.n = r->o.examples;
    return o->batch <= r->train.n
           || dl_error("a batch of %d is more than the %d examples",
                       o->batch, r->train.n);
}

static int complain(int status)
{
    fprintf(stderr, "mlp: %s\n", dl_error_text());
    return status;
}

int main(int argc, char *argv[])
{
    static struct run r = {.o = {{.epochs = 10, .batch = 64, .lr = 1e-3},
                                 "cosine", 0, 0}};
    const struct dl_train_options *o = &r.o.common;
    struct dl_option table[DL_TRAIN_ROWS + 4] = {{0}};
    int n = dl_train_rows(table, &r.o.common);
    table[n++] = (struct dl_option){"schedule", DL_WORD, &r.o.schedule, 0, 0,
                                    "cosine or constant"};
    table[n++] = (struct dl_option){"examples", DL_INT, &r.o.examples, 0,
                                    1e9, "train on the first N; 0: all"};
    table[n++] = (struct dl_option){"trace", DL_INT, &r.o.trace, 0, 1e9,
                                    "log the losses of the first N steps"};
    int status = dl_read_options(argc, argv, "a network for Fashion-MNIST",
                                 table);
    if (status >= 0)
        return status;
    dl_catch_signals();
    if (o->threads > 0)
        dl_set_num_threads(o->threads);
    if (o->save != NULL && dl_lock(o->save) < 0)
        return complain(1);
    if (!dl_read_fashion(&r.train, &r.test, o->data))
        return complain(2);
    status = !are_possible(&r) ? complain(2)
             : !make(&r) || !can_be_written(&r) ? complain(1) : -1;
    if (status < 0) {
        print_log(&r);
        status = finish(&r, train(&r));
    }
    unmake(&r);
    return status;
}
