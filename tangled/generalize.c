/* generalize.c - what each ingredient of a recipe is worth, by the accuracy
   of a network on examples that it has not seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dlfs.h"

struct recipe {
    int epochs, batch, width[2];        /* of the hidden layers */
    double lr, decay;                   /* of AdamW */
    bool cosine;                        /* the rate falls to 0 */
    double drop;                        /* probability of dropout */
    int reach;                          /* of shifts, in pixels ... */
    double moved;                       /* ... for this share of batches */
    double flip;                        /* probability of a mirror image */
    double average;                     /* decay of the averaged weights */
};

static const struct recipe fashion_recipe = {
    .epochs = 80, .batch = 128, .width = {1024, 512}, .lr = 2e-3,
    .decay = 0.1, .cosine = true, .drop = 0.25, .reach = 1, .moved = 0.25,
    .flip = 0.5, .average = 0.998
};
static const struct recipe digits_recipe = {
    .epochs = 100, .batch = 32, .width = {96, 96}, .lr = 0.01,
    .decay = 0.01, .cosine = true, .drop = 0.1, .reach = 1, .moved = 0.4,
    .average = 0.99
};

static const char *const level[] = {"plain", "schedule", "dropout",
                                    "augment"};
enum { LEVELS = sizeof level / sizeof *level };

static struct recipe up_to(struct recipe c, int last)
{
    if (last < 3)
        c.reach = 0, c.moved = c.flip = 0;
    if (last < 2)
        c.drop = c.decay = 0;
    if (last < 1)
        c.cosine = false;
    return c;
}

struct network {
    struct dl_params params;
    struct dl_linear layer[3];
};

static void make(struct network *m, const struct recipe *c,
                 const struct dl_dataset *d, struct dl_random *r)
{
    const int size[] = {(int)dl_shape_size(d->sample), c->width[0],
                        c->width[1], d->classes};
    char name[8];
    m->params = (struct dl_params){0};
    for (int l = 0; l < 3; l++) {
        snprintf(name, sizeof name, "fc%d", l + 1);
        dl_linear_init(&m->layer[l], &m->params, name, size[l], size[l + 1],
                       r);
    }
}

static dl_tensor *forward(const struct network *m, dl_tensor *x)
{
    x = dl_view(x, DL_SHAPE(x->shape.dim[0], -1));
    x = dl_linear_forward_act(&m->layer[0], x, DL_RELU);
    x = dl_linear_forward_act(&m->layer[1], x, DL_RELU);
    return dl_linear_forward(&m->layer[2], x);
}

static dl_tensor *forward_noisily(const struct network *m, dl_tensor *x,
                                  const struct recipe *c,
                                  struct dl_random *r)
{
    x = dl_view(x, DL_SHAPE(x->shape.dim[0], -1));
    x = dl_linear_forward_act(&m->layer[0], x, DL_RELU);
    x = dl_dropout(x, c->drop, r);
    x = dl_linear_forward_act(&m->layer[1], x, DL_RELU);
    x = dl_dropout(x, c->drop, r);
    return dl_linear_forward(&m->layer[2], x);
}

static dl_tensor *changed_batch(const struct dl_dataset *d,
                                struct dl_ints rows, const struct recipe *c,
                                struct dl_random *r)
{
    dl_tensor *x = dl_dataset_rows(d, rows);
    int height = d->sample.dim[0], width = d->sample.dim[1];
    if (c->moved > 0 && dl_random_uniform(r) < c->moved)
        dl_random_shift(x, height, width, c->reach, r);
    if (c->flip > 0)
        dl_random_flip(x, height, width, c->flip, r);
    return x;
}

struct run {
    struct network net;
    struct dl_average mean;
    struct dl_optimizer optimizer;
    struct dl_random random;
    struct dl_loader batches;
    int64_t step, steps;                /* taken, and to be taken */
    double sum;                         /* of this epoch's losses */
};

static void begin(struct run *r, const struct recipe *c,
                  const struct dl_dataset *d, uint64_t seed)
{
    struct dl_hyper h = dl_hyper_default(&dl_adamw);
    h.lr = c->lr, h.weight_decay = c->decay;
    dl_random_seed(&r->random, seed);
    make(&r->net, c, d, &r->random);
    dl_optimizer_init(&r->optimizer, &dl_adamw, &r->net.params, h);
    dl_average_init(&r->mean, &r->net.params, c->average);
    dl_loader_init(&r->batches, d->n, c->batch, true, &r->random);
    r->step = 0, r->sum = 0;
    r->steps = (int64_t)c->epochs * dl_loader_batches(&r->batches);
}

static void end(struct run *r)
{
    dl_loader_free(&r->batches);
    dl_average_free(&r->mean);
    dl_optimizer_free(&r->optimizer);
    dl_params_free(&r->net.params);
}

static void learn(struct run *r, dl_tensor *loss, const struct recipe *c)
{
    if (c->cosine && r->steps > 1)
        dl_optimizer_scale(&r->optimizer, dl_schedule_warmup_cosine(
                               r->step, r->steps / 20 + 1, r->steps, 0));
    dl_zero_grad(&r->net.params);
    dl_backward(loss);
    dl_optimizer_step(&r->optimizer);
    dl_average_update(&r->mean);
}

static double step(struct run *r, const struct recipe *c,
                   const struct dl_dataset *d)
{
    if (r->batches.at == d->n)
        dl_loader_epoch(&r->batches), r->sum = 0;
    struct dl_ints rows = dl_loader_next(&r->batches);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = changed_batch(d, rows, c, &r->random);
    dl_tensor *loss = dl_cross_entropy(
        forward_noisily(&r->net, x, c, &r->random),
        dl_dataset_labels(d, rows));
    double value = (double)dl_item(loss);
    if (isfinite(value)) {
        learn(r, loss, c);
        r->sum += value * rows.n;
        r->step++;
    }
    dl_scope_leave(scope);
    return value;
}

static dl_tensor *probabilities(const struct network *m, dl_tensor *x,
                                const struct dl_dataset *d, bool mirror)
{
    struct dl_random r;
    dl_tensor *p = dl_softmax(forward(m, x), -1);
    if (!mirror)
        return p;
    dl_random_seed(&r, 0);
    dl_random_flip(x, d->sample.dim[0], d->sample.dim[1], 1, &r);
    p = dl_add(p, dl_softmax(forward(m, x), -1));
    return dl_mul_scalar(p, (dl_real)0.5);
}

/* Fill p, [n, classes]. */
static void predict(const struct network *m, const struct dl_dataset *d,
                    bool mirror, dl_real *p)
{
    struct dl_loader all;
    struct dl_ints rows;
    dl_loader_init(&all, d->n, 500, false, NULL);
    dl_loader_epoch(&all);
    while ((rows = dl_loader_next(&all)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        dl_tensor *x = dl_dataset_rows(d, rows);
        dl_tensor *q = probabilities(m, x, d, mirror);
        for (size_t i = 0; i < q->size; i++)
            *p++ = dl_data(q)[i];
        dl_scope_leave(scope);
    }
    dl_loader_free(&all);
}

struct verdict { double accuracy, squared; };

static struct verdict judge(const dl_real *p, const struct dl_dataset *d)
{
    struct verdict v = {0, 0};
    for (int i = 0; i < d->n; i++, p += d->classes) {
        int best = 0;
        for (int k = 0; k < d->classes; k++) {
            double error = p[k] - (k == d->label[i]);
            v.squared += error * error / d->n;
            if (p[k] > p[best])
                best = k;
        }
        v.accuracy += best == d->label[i];
    }
    v.accuracy /= d->n;
    return v;
}

/* The mean over the examples of |p_i - q_i|^2. */
static double distance(const dl_real *p, const dl_real *q,
                       const struct dl_dataset *d)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)d->n * d->classes; i++)
        sum += ((double)p[i] - q[i]) * ((double)p[i] - q[i]);
    return sum / d->n;
}

enum { LAST, AVERAGED, MIRRORED, WAYS };
enum { MAX_SEEDS = 20 };
struct table {
    int seeds, done;
    double loss[MAX_SEEDS];             /* mean of the last epoch */
    struct dl_params answers;           /* has one tensor, namely */
    dl_tensor *p;                       /* [WAYS, seeds, n, classes] */
    struct verdict one[WAYS][MAX_SEEDS], all[WAYS];     /* together */
    double ambiguity[WAYS];
};

static void make_table(struct table *t, int seeds,
                       const struct dl_dataset *test)
{
    *t = (struct table){.seeds = seeds};
    t->p = dl_param(&t->answers, "answers",
                    DL_SHAPE(WAYS, seeds, test->n, test->classes));
    t->p->requires_grad = false;
    dl_fill(t->p, 0);
}

static dl_real *answers(const struct table *t, int way, int k)
{
    size_t each = t->p->size / WAYS / (size_t)t->seeds;
    return dl_data(t->p) + ((size_t)way * (size_t)t->seeds + (size_t)k)
                           * each;
}

static void ask(struct table *t, struct run *r, const struct recipe *c,
                const struct dl_dataset *from, const struct dl_dataset *test)
{
    t->loss[t->done] = r->sum / from->n;
    for (int way = 0; way < WAYS; way++) {
        if (way == AVERAGED)
            dl_average_swap(&r->mean);
        predict(&r->net, test, way == MIRRORED && c->flip > 0,
                answers(t, way, t->done));
    }
    t->done++;
}

static void average_answers(const struct table *t, int way, size_t n,
                            dl_real *mean)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < t->seeds; k++)
            sum += answers(t, way, k)[i];
        mean[i] = (dl_real)(sum / t->seeds);
    }
}

static void put_together(struct table *t, const struct dl_dataset *test)
{
    size_t n = (size_t)test->n * (size_t)test->classes;
    dl_real *mean = dl_alloc(n, sizeof *mean);
    for (int way = 0; way < WAYS; way++) {
        average_answers(t, way, n, mean);
        t->all[way] = judge(mean, test);
        t->ambiguity[way] = 0;
        for (int k = 0; k < t->seeds; k++) {
            const dl_real *p = answers(t, way, k);
            t->one[way][k] = judge(p, test);
            t->ambiguity[way] += distance(p, mean, test) / t->seeds;
        }
    }
    free(mean);
}

static void try_recipe(struct table *t, int seeds, uint64_t seed,
                       const struct recipe *c, const struct dl_dataset *from,
                       const struct dl_dataset *test)
{
    make_table(t, seeds, test);
    while (t->done < seeds) {
        struct run r;
        begin(&r, c, from, seed + (uint64_t)t->done);
        while (r.step < r.steps && isfinite(step(&r, c, from)))
            continue;
        ask(t, &r, c, from, test);
        end(&r);
    }
    put_together(t, test);
}

struct options {
    const char *set, *recipe, *task, *data, *save, *resume, *init, *log;
    int seeds, seed, threads, epochs, batch, width, examples;
    double lr, flip;
    bool validate, quiet;
};

struct session {
    const struct options *o;
    const struct recipe *c;
    const struct dl_dataset *from, *test;
    struct table table;
    struct run run;
    struct dl_text log;
    size_t printed;                     /* bytes of the log */
    bool saved;                         /* at least once */
    struct dl_state state;
};

static void note(struct dl_state *state, const char *key, double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", x);
    dl_state_note(state, key, text);
}

static void list_state(struct session *s)
{
    struct dl_state *state = &s->state;
    struct run *r = &s->run;
    dl_state_free(state);
    dl_state_params(state, "", &r->net.params);
    dl_state_params(state, "train/mean/", &r->mean.mean);
    dl_state_count(state, "train/means", &r->mean.n, 0, INT64_MAX);
    dl_state_params(state, "train/", &r->optimizer.state);
    dl_state_count(state, "train/optimizer_steps", &r->optimizer.steps, 0,
                   INT64_MAX);
    dl_state_random(state, "train/random", &r->random);
    dl_state_ints(state, "train/order", (size_t)s->from->n,
                  r->batches.order, 0, s->from->n - 1);
    dl_state_ints(state, "train/at", 1, &r->batches.at, 0, s->from->n);
    dl_state_count(state, "train/step", &r->step, 0, r->steps);
    dl_state_doubles(state, "train/sum", 1, &r->sum);
    dl_state_ints(state, "train/done", 1, &s->table.done, 0,
                  s->table.seeds - 1);
    dl_state_doubles(state, "train/loss", (size_t)s->table.seeds,
                     s->table.loss);
    dl_state_params(state, "train/", &s->table.answers);
    dl_state_text(state, "train/log", &s->log);
    dl_state_note(state, "set", s->o->set);
    dl_state_note(state, "recipe", s->o->recipe);
    dl_state_note(state, "validate", s->o->validate ? "yes" : "no");
    note(state, "seeds", s->o->seeds);
    note(state, "seed", s->o->seed);
    note(state, "epochs", s->c->epochs);
    note(state, "batch", s->c->batch);
    note(state, "width1", s->c->width[0]);
    note(state, "width2", s->c->width[1]);
    note(state, "lr", s->c->lr);
    note(state, "flip", s->c->flip);
    note(state, "examples", s->from->n);
}

static bool save_log(const struct session *s)
{
    return s->o->log == NULL || dl_text_save(&s->log, s->o->log);
}

static bool save(struct session *s)
{
    if (!dl_params_finite(&s->run.net.params))
        return dl_error("seed %d: the weights are not finite after step "
                        "%lld", s->o->seed + s->table.done,
                        (long long)s->run.step);
    if (!save_log(s)
        || (s->o->save != NULL && !dl_state_save(&s->state, s->o->save)))
        return false;
    return s->saved = true;
}

static bool train(struct session *s)
{
    struct dl_progress progress = {.off = s->o->quiet};
    struct run *r = &s->run;
    int seed = s->o->seed + s->table.done;
    bool good = true;
    char text[60];
    while (good && r->step < r->steps && !dl_caught_signal()) {
        double loss = step(r, s->c, s->from);
        if (!isfinite(loss))
            good = dl_error("seed %d: the loss of step %lld is %g", seed,
                            (long long)r->step + 1, loss);
        else if (r->batches.at == s->from->n && r->step < r->steps)
            good = save(s);
        snprintf(text, sizeof text, "seed %d, loss %.4f", seed, loss);
        dl_progress_show(&progress, r->step, r->steps, text);
    }
    dl_progress_clear(&progress);
    return good && save(s);
}

static void print_log(struct session *s)
{
    if (!s->o->quiet)
        fwrite(s->log.bytes + s->printed, 1, s->log.n - s->printed, stdout);
    fflush(stdout);
    s->printed = s->log.n;
}

static void add_seed(struct session *s, int k)
{
    const struct table *t = &s->table;
    dl_text_add(&s->log, "%d\t%.4f", s->o->seed + k, t->loss[k]);
    for (int way = 0; way < WAYS; way++)
        dl_text_add(&s->log, "\t%.4f",
                    judge(answers(t, way, k), s->test).accuracy);
    dl_text_add(&s->log, "\n");
    print_log(s);
}

static double mean_of(const double x[], int n, double *deviation)
{
    double mean = 0, square = 0;
    for (int k = 0; k < n; k++)
        mean += x[k] / n;
    for (int k = 0; k < n; k++)
        square += (x[k] - mean) * (x[k] - mean);
    *deviation = n > 1 ? sqrt(square / (n - 1)) : 0;
    return mean;
}

static void add_row(struct session *s, const char *key, const char *first,
                    const double x[WAYS])
{
    dl_text_add(&s->log, "%s\t%s", key, first);
    for (int way = 0; way < WAYS; way++)
        dl_text_add(&s->log, "\t%.4f", x[way]);
    dl_text_add(&s->log, "\n");
}

static void add_end(struct session *s)
{
    const struct table *t = &s->table;
    double mean[WAYS], spread[WAYS], squared[WAYS], x[MAX_SEEDS], unused;
    double together[WAYS], squared_together[WAYS], of_loss;
    char text[2][20];
    snprintf(text[0], 20, "%.4f", mean_of(t->loss, t->seeds, &of_loss));
    snprintf(text[1], 20, "%.4f", of_loss);
    for (int way = 0; way < WAYS; way++) {
        for (int k = 0; k < t->seeds; k++)
            x[k] = t->one[way][k].accuracy;
        mean[way] = mean_of(x, t->seeds, &spread[way]);
        for (int k = 0; k < t->seeds; k++)
            x[k] = t->one[way][k].squared;
        squared[way] = mean_of(x, t->seeds, &unused);
        together[way] = t->all[way].accuracy;
        squared_together[way] = t->all[way].squared;
    }
    add_row(s, "mean", text[0], mean);
    add_row(s, "deviation", text[1], spread);
    add_row(s, "together", "", together);
    add_row(s, "squared", "", squared);
    add_row(s, "ambiguity", "", t->ambiguity);
    add_row(s, "squared-together", "", squared_together);
    print_log(s);
}

static bool train_next(struct session *s, const char **resume)
{
    begin(&s->run, s->c, s->from, (uint64_t)(s->o->seed + s->table.done));
    list_state(s);
    bool good = (s->o->init == NULL
                 || dl_params_load(&s->run.net.params, s->o->init))
                && (*resume == NULL || dl_state_load(&s->state, *resume));
    *resume = NULL;
    good = good && save_log(s);
    if (good) {
        print_log(s);
        good = train(s);
    }
    if (good && s->run.step == s->run.steps) {
        int k = s->table.done;
        ask(&s->table, &s->run, s->c, s->from, s->test);
        add_seed(s, k);
    }
    end(&s->run);
    return good;
}

static int finish(struct session *s, bool good)
{
    const char *kept = s->saved ? s->o->save : NULL;
    bool stopped = good && s->table.done < s->table.seeds;
    if (stopped) {
        fprintf(stderr, "generalize: stopped with %d of %d networks trained"
                "; ", s->table.done, s->table.seeds);
        if (kept != NULL)
            fprintf(stderr, "go on with --resume %s\n", kept);
        else
            fprintf(stderr, "nothing was kept, without --save\n");
    } else if (!good)
        fprintf(stderr, "generalize: %s%s%s\n", dl_error_text(),
                kept != NULL ? "; the last checkpoint is in " : "",
                kept != NULL ? kept : "");
    return stopped ? 128 + dl_caught_signal() : good ? 0 : 1;
}

static int make_the_table(const struct options *o, const struct recipe *c,
                          const struct dl_dataset *from,
                          const struct dl_dataset *test)
{
    struct session s = {.o = o, .c = c, .from = from, .test = test};
    const char *resume = o->resume;
    make_table(&s.table, o->seeds, test);
    dl_text_add(&s.log, "seed\tloss\taccuracy\taveraged\tmirrored\n");
    bool good = true;
    do
        good = train_next(&s, &resume);
    while (good && s.table.done < o->seeds && !dl_caught_signal());
    if (good && s.table.done == o->seeds) {
        put_together(&s.table, test);
        add_end(&s);
        good = save_log(&s)
               && (!ferror(stdout)
                   || dl_error("standard output could not be written"));
    }
    int status = finish(&s, good);
    dl_state_free(&s.state);
    dl_text_free(&s.log);
    dl_params_free(&s.table.answers);
    return status;
}

static void split_fold(const struct dl_dataset *all, int fold, int folds,
                       struct dl_dataset *in, struct dl_dataset *out)
{
    size_t each = dl_shape_size(all->sample);
    struct dl_dataset *part[2] = {in, out};
    for (int o = 0; o < 2; o++) {
        struct dl_dataset *d = part[o];
        *d = (struct dl_dataset){0, all->classes, all->sample,
                                 dl_alloc((size_t)all->n * each + 1,
                                          sizeof(float)),
                                 dl_alloc((size_t)all->n + 1, sizeof(int))};
        for (int i = 0; i < all->n; i++)
            if ((i % folds == fold) == o) {
                memcpy(d->x + (size_t)d->n * each,
                       all->x + (size_t)i * each, each * sizeof(float));
                d->label[d->n++] = all->label[i];
            }
    }
}

static double cross_validate(const struct recipe *c, uint64_t seed,
                             const struct dl_dataset *all)
{
    enum { FOLDS = 5 };
    double right = 0;
    for (int fold = 0; fold < FOLDS; fold++) {
        struct dl_dataset in, out;
        struct table t;
        split_fold(all, fold, FOLDS, &in, &out);
        try_recipe(&t, 1, seed, c, &in, &out);
        right += t.all[AVERAGED].accuracy * out.n;
        dl_params_free(&t.answers);
        dl_dataset_free(&in);
        dl_dataset_free(&out);
    }
    return right / all->n;
}

enum { TRIALS = 81 };
struct trial { double accuracy; struct recipe c; };

static struct recipe at_point(struct recipe c, const double u[4])
{
    c.lr = pow(10, -4 + 3 * u[0]);
    c.width[0] = c.width[1] = (int)lround(pow(2, 4 + 3 * u[1]));
    c.drop = 0.6 * u[2];
    c.moved = u[3];
    return c;
}

static void choose_point(bool on_grid, int trial, struct dl_random *r,
                         double u[4])
{
    for (int k = 0; k < 4; k++, trial /= 3)
        u[k] = on_grid ? (2 * (trial % 3) + 1) / 6.0
                       : dl_random_uniform_double(r);
}

static int by_accuracy(const void *a, const void *b)
{
    double x = ((const struct trial *)a)->accuracy;
    double y = ((const struct trial *)b)->accuracy;
    return (x > y) - (x < y);
}

static void print_trial(const char *key, const struct trial *t)
{
    printf("%s\t%.6f\t%d\t%.3f\t%.3f\t%.4f\n", key, t->c.lr, t->c.width[0],
           t->c.drop, t->c.moved, t->accuracy);
}

static void search(bool on_grid, const struct recipe *c, uint64_t seed,
                   const struct dl_dataset *all)
{
    struct trial t[TRIALS];
    struct dl_random r;
    char key[12];
    double u[4];
    dl_random_seed(&r, seed);
    printf("trial\trate\twidth\tdropout\tmoved\taccuracy\n");
    for (int i = 0; i < TRIALS; i++) {
        choose_point(on_grid, i, &r, u);
        t[i].c = at_point(*c, u);
        t[i].accuracy = cross_validate(&t[i].c, seed, all);
        snprintf(key, sizeof key, "%d", i + 1);
        print_trial(key, &t[i]);
        fflush(stdout);
    }
    qsort(t, TRIALS, sizeof *t, by_accuracy);
    print_trial("best", &t[TRIALS - 1]);
    for (int n = 1; n <= TRIALS; n++) {
        double mean = 0;
        for (int i = 1; i <= TRIALS; i++)
            mean += t[i - 1].accuracy * (pow((double)i / TRIALS, n)
                                         - pow((i - 1.0) / TRIALS, n));
        printf("of-%d\t\t\t\t\t%.4f\n", n, mean);
    }
}

enum { SIZES = 6 };
struct curve { double n, error[2], deviation[2]; };

static void measure(struct curve *at, int seeds, uint64_t seed,
                    const struct recipe *full, const struct dl_dataset *some,
                    double share, const struct dl_dataset *test)
{
    for (int a = 0; a < 2; a++) {
        struct table t;
        double error[MAX_SEEDS];
        struct recipe c = a == 0 ? up_to(*full, 0) : *full;
        c.epochs = (int)lround(c.epochs / sqrt(share));
        try_recipe(&t, seeds, seed, &c, some, test);
        for (int k = 0; k < seeds; k++)
            error[k] = 1 - t.one[MIRRORED * a][k].accuracy;
        at->n = some->n;
        at->error[a] = mean_of(error, seeds, &at->deviation[a]);
        dl_params_free(&t.answers);
    }
}

static void fit_power(const struct curve at[], int a, double *slope,
                      double *factor)
{
    double x = 0, y = 0, xx = 0, xy = 0;
    for (int k = 0; k < SIZES; k++) {
        x += log(at[k].n) / SIZES;
        y += log(at[k].error[a]) / SIZES;
    }
    for (int k = 0; k < SIZES; k++) {
        xx += (log(at[k].n) - x) * (log(at[k].n) - x);
        xy += (log(at[k].n) - x) * (log(at[k].error[a]) - y);
    }
    *slope = xy / xx;
    *factor = exp(y - *slope * x);
}

static void learning_curve(int seeds, uint64_t seed, const struct recipe *c,
                           const struct dl_dataset *all,
                           const struct dl_dataset *test)
{
    struct curve at[SIZES];
    double slope[2], factor[2];
    printf("examples\tplain\tplain_deviation\tfull\tfull_deviation\n");
    for (int k = 0; k < SIZES; k++) {
        struct dl_dataset some = *all;
        some.n = all->n >> (SIZES - 1 - k);
        measure(&at[k], seeds, seed, c, &some, (double)some.n / all->n,
                test);
        printf("%d\t%.4f\t%.4f\t%.4f\t%.4f\n", some.n, at[k].error[0],
               at[k].deviation[0], at[k].error[1], at[k].deviation[1]);
        fflush(stdout);
    }
    for (int a = 0; a < 2; a++)
        fit_power(at, a, &slope[a], &factor[a]);
    printf("slope\t%.3f\t\t%.3f\t\n", -slope[0], -slope[1]);
    printf("factor\t%.3f\t\t%.3f\t\n", factor[0], factor[1]);
}

static void show_variants(const struct dl_dataset *d, uint64_t seed)
{
    enum { PICTURES = 6 };
    int height = d->sample.dim[0], width = d->sample.dim[1];
    struct dl_random r;
    dl_random_seed(&r, seed);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_dataset_rows(d, DL_INTS(0, 0, 0, 0, 0, 0));
    dl_random_shift(dl_narrow(x, 1, 2), height, width, 3, &r);
    dl_random_flip(dl_narrow(x, 3, 2), height, width, 1, &r);
    dl_random_shift(dl_narrow(x, 4, 1), height, width, 3, &r);
    dl_random_noise(dl_narrow(x, 5, 1), 0.2, &r);
    printf("picture\tx\ty\tink\n");
    for (int i = 0; i < PICTURES; i++)
        for (int k = 0; k < height * width; k++)
            printf("%d\t%d\t%d\t%.3f\n", i, k % width, k / width,
                   (double)dl_data(x)[i * height * width + k]);
    dl_scope_leave(scope);
}

static int take_options(struct options *o, int argc, char *argv[])
{
    const struct dl_option table[] = {
        {"set", DL_WORD, &o->set, 0, 0, "fashion or digits"},
        {"recipe", DL_WORD, &o->recipe, 0, 0,
         "plain, schedule, dropout or augment: each has more"},
        {"task", DL_WORD, &o->task, 0, 0,
         "table, random, grid, curve or variants"},
        {"seeds", DL_INT, &o->seeds, 1, MAX_SEEDS, "networks to train"},
        {"seed", DL_INT, &o->seed, 0, 1e9, "of the first"},
        {"threads", DL_INT, &o->threads, 0, 1024, "0: all"},
        {"epochs", DL_INT, &o->epochs, 0, 1e6, "0: the recipe's"},
        {"batch", DL_INT, &o->batch, 0, 1e9, "0: the recipe's"},
        {"width", DL_INT, &o->width, 0, 1e5, "of both hidden layers; 0: "
         "the recipe's"},
        {"lr", DL_NUMBER, &o->lr, 0, 1e6, "the rate; 0: the recipe's"},
        {"flip", DL_NUMBER, &o->flip, -1, 1, "share of mirror images; -1: "
         "the recipe's"},
        {"examples", DL_INT, &o->examples, 0, 1e9, "learn from so many, at "
         "least 32; 0: all"},
        {"validate", DL_FLAG, &o->validate, 0, 0, "judge by a sixth of the "
         "training set, held out"},
        {"data", DL_WORD, &o->data, 0, 0, "folder of the data set"},
        {"save", DL_WORD, &o->save, 0, 0, "write checkpoints to this file"},
        {"resume", DL_WORD, &o->resume, 0, 0, "go on from this checkpoint"},
        {"init", DL_WORD, &o->init, 0, 0, "weights from a .safetensors"},
        {"log", DL_WORD, &o->log, 0, 0, "write the table to this file, too"},
        {"quiet", DL_FLAG, &o->quiet, 0, 0, "print nothing but mistakes"},
        {0}
    };
    return dl_read_options(argc, argv, "what is a recipe worth?", table);
}

static bool read_data(const struct options *o, struct dl_dataset *train,
                      struct dl_dataset *test)
{
    struct dl_dataset all, held;
    struct dl_random fixed;
    dl_random_seed(&fixed, 0);
    if (strcmp(o->set, "digits") == 0) {
        if (!dl_read_digits(&all, o->data))
            return false;
        dl_dataset_split(&all, all.n - (all.n + 4) / 5, &fixed, train, test);
        dl_dataset_free(&all);
    } else if (!dl_read_fashion(train, test, o->data))
        return false;
    if (o->validate) {
        all = *train;
        dl_dataset_split(&all, all.n - all.n / 6, &fixed, train, &held);
        dl_dataset_free(&all);
        dl_dataset_free(test);
        *test = held;
    }
    return true;
}

static bool is_one_of(const char *word, const char *const list[], int n,
                      int *which)
{
    for (*which = 0; *which < n; ++*which)
        if (strcmp(word, list[*which]) == 0)
            return true;
    return false;
}

static const char *const task[] = {"table", "random", "grid", "curve",
                                   "variants"};
enum { TABLE, RANDOM, GRID, CURVE, VARIANTS, TASKS };

static bool understand(const struct options *o, struct recipe *c, int *what)
{
    static const char *const set[] = {"fashion", "digits"};
    int which, last;
    if (!is_one_of(o->set, set, 2, &which))
        return dl_error("--set wants fashion or digits, not '%s'", o->set);
    if (!is_one_of(o->recipe, level, LEVELS, &last))
        return dl_error("there is no recipe '%s' (try --help)", o->recipe);
    if (!is_one_of(o->task, task, TASKS, what))
        return dl_error("there is no task '%s' (try --help)", o->task);
    if (o->examples > 0 && o->examples < 32)
        return dl_error("%d examples are too few", o->examples);
    if (*what != TABLE && (o->save || o->resume || o->init || o->log
                           || o->quiet))
        return dl_error("--save, --resume, --init, --log and --quiet go "
                        "with --task table, not with %s", o->task);
    if (o->init != NULL && o->resume != NULL)
        return dl_error("--init and --resume exclude each other");
    if (o->init != NULL && o->seeds > 1)
        return dl_error("--init goes with --seeds 1");
    if (o->log != NULL && o->save != NULL && strcmp(o->log, o->save) == 0)
        return dl_error("--log and --save want the same file");
    *c = up_to(which == 0 ? fashion_recipe : digits_recipe, last);
    if (o->flip >= 0)
        c->flip = o->flip;
    c->epochs = o->epochs > 0 ? o->epochs : c->epochs;
    c->batch = o->batch > 0 ? o->batch : c->batch;
    c->lr = o->lr > 0 ? o->lr : c->lr;
    if (o->width > 0)
        c->width[0] = c->width[1] = o->width;
    return true;
}

static int complain(int status)
{
    fprintf(stderr, "generalize: %s\n", dl_error_text());
    return status;
}

static bool are_enough(const struct options *o, struct dl_dataset *from,
                       const struct dl_dataset *test)
{
    if (o->examples > from->n)
        return dl_error("there are %d examples, not %d", from->n,
                        o->examples);
    if (from->n < 32 || test->n < 1)
        return dl_error("%d examples, and %d for the test, are too few",
                        from->n, test->n);
    from->n = o->examples > 0 ? o->examples : from->n;
    return o->batch <= from->n
           || dl_error("a batch of %d is more than the %d examples",
                       o->batch, from->n);
}

static int do_it(int what, const struct options *o, const struct recipe *c,
                 const struct dl_dataset *from,
                 const struct dl_dataset *test)
{
    uint64_t seed = (uint64_t)o->seed;
    if (what == TABLE)
        return make_the_table(o, c, from, test);
    if (what == CURVE)
        learning_curve(o->seeds, seed, c, from, test);
    else if (what == VARIANTS)
        show_variants(from, seed);
    else
        search(what == GRID, c, seed, from);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    dl_error("standard output could not be written");
    return complain(1);
}

int main(int argc, char *argv[])
{
    struct options o = {.set = "fashion", .recipe = "augment",
                        .task = "table", .seeds = 5, .flip = -1};
    struct recipe c;
    struct dl_dataset from, test;
    int what, status = take_options(&o, argc, argv);
    if (status >= 0)
        return status;
    if (!understand(&o, &c, &what))
        return complain(2);
    if (what == TABLE)
        dl_catch_signals();
    if (o.save != NULL && dl_lock(o.save) < 0)
        return complain(1);
    if (!read_data(&o, &from, &test))
        return complain(2);
    if (o.threads > 0)
        dl_set_num_threads(o.threads);
    status = are_enough(&o, &from, &test) ? do_it(what, &o, &c, &from, &test)
                                          : complain(2);
    dl_dataset_free(&from);
    dl_dataset_free(&test);
    dl_pool_drain();
    return status;
}
