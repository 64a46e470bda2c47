/* mlp.c - a network learns to tell pieces of clothing apart, and can be
   interrupted at any moment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool is_sound(const struct run *r)
{
    for (int k = 0; k < r->params.n; k++) {
        const dl_tensor *t = r->params.list[k].tensor;
        for (size_t i = 0; i < t->size; i++)
            if (!isfinite(dl_data(t)[i]))
                return false;
    }
    return true;
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

static const char *const class[] = {
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt",
    "sneaker", "bag", "boot"
};

static void draw_curve(struct dl_text *svg, const struct run *r)
{
    double loss, accuracy;
    int epoch, epochs = r->o.common.epochs;
    dl_text_add(svg, "<text x='20' y='20'>test accuracy, from 0.8 to 0.9, "
                "by epoch</text><path d='M20 30V230H300M20 130H300' "
                "fill='none' stroke='#999'/>");
    for (const char *line = strchr(r->log.bytes, '\n');
         line != NULL; line = strchr(line + 1, '\n'))
        if (sscanf(line, "%d %lf %lf", &epoch, &loss, &accuracy) == 3)
            dl_text_add(svg, "<circle cx='%.1f' cy='%.1f' r='3'/>",
                        20 + 280.0 * epoch / epochs,
                        230 - 2000 * (fmax(accuracy, 0.8) - 0.8));
}

static void draw_confusion(struct dl_text *svg, const struct dl_confusion *c)
{
    for (int t = 0; t < c->classes; t++) {
        long all = 1;
        for (int p = 0; p < c->classes; p++)
            all += c->count[t * c->classes + p];
        dl_text_add(svg, "<text x='325' y='%d'>%s</text>", 45 + 20 * t,
                    class[t]);
        for (int p = 0; p < c->classes; p++) {
            long n = c->count[t * c->classes + p];
            dl_text_add(svg, "<rect x='%d' y='%d' width='28' height='18' "
                        "fill='rgb(%ld,%ld,255)'/><text x='%d' y='%d'>%ld"
                        "</text>", 390 + 30 * p, 31 + 20 * t,
                        255 - 200 * n / all, 255 - 120 * n / all,
                        393 + 30 * p, 45 + 20 * t, n);
        }
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
    for (int i = 0; i < 784; i++)
        if (x[i] > 0.1)
            dl_text_add(svg, "<rect x='%d' y='%d' width='2' height='2' "
                        "fill-opacity='%.1f'/>", left + 2 * (i % 28),
                        top + 2 * (i / 28), x[i]);
}

static bool plot(struct run *r)
{
    char path[4096];
    struct dl_text svg = {0};
    struct dl_confusion c;
    struct mistake worst[WORST] = {{0}};
    judge(r, &c);
    find_worst(r, worst);
    dl_text_add(&svg, "<svg xmlns='http://www.w3.org/2000/svg' width='720' "
                "height='420' font-family='sans-serif' font-size='10'>"
                "<rect width='720' height='420' fill='white'/>");
    draw_curve(&svg, r);
    draw_confusion(&svg, &c);
    for (int k = 0; k < WORST && worst[k].loss > 0; k++) {
        int left = 20 + 115 * (k % 6), top = 250 + 85 * (k / 6);
        draw_image(&svg, r->test.x + 784 * (size_t)worst[k].image, left,
                   top);
        dl_text_add(&svg, "<text x='%d' y='%d'>%s, not %s</text>", left,
                    top + 68, class[r->test.label[worst[k].image]],
                    class[worst[k].taken_for]);
    }
    dl_text_add(&svg, "</svg>\n");
    snprintf(path, sizeof path, "%s/mlp.svg", r->o.common.plot);
    bool good = dl_text_save(&svg, path);
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
    if (o->log != NULL && !dl_text_save(&r->log, o->log))
        return false;
    return o->save == NULL || dl_state_save(&r->state, o->save);
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
    if (!is_sound(r))
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
        } else
            dl_progress_show(&progress, r->step, all_steps(r), "");
    }
    dl_progress_clear(&progress);
    return good;
}

static bool stop(struct run *r)
{
    const char *save_to = r->o.common.save;
    if (!is_sound(r))
        return dl_error("the weights are not finite");
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
    const char *save_to = r->o.common.save;
    if (good && dl_caught_signal() != 0 && r->step < all_steps(r)) {
        good = stop(r);
        if (good)
            return 128 + dl_caught_signal();
    }
    if (good && r->o.common.plot != NULL)
        good = plot(r);
    if (good && (fflush(stdout) != 0 || ferror(stdout)))
        good = dl_error("standard output could not be written");
    if (!good && save_to != NULL && access(save_to, F_OK) == 0)
        fprintf(stderr, "mlp: %s; the last checkpoint is in %s\n",
                dl_error_text(), save_to);
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
    if (strcmp(r->o.schedule, "cosine") != 0
        && strcmp(r->o.schedule, "constant") != 0)
        return dl_error("--schedule wants cosine or constant, not '%s'",
                        r->o.schedule);
    if (o->init != NULL && o->resume != NULL)
        return dl_error("--init and --resume exclude each other");
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
        return complain(1);
    status = !are_possible(&r) ? complain(2) : !make(&r) ? complain(1) : -1;
    if (status < 0) {
        print_log(&r);
        status = finish(&r, train(&r));
    }
    unmake(&r);
    return status;
}
