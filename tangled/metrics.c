/* metrics.c - numbers that judge a classifier. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "kernels.h"
#include "memory.h"
#include "metrics.h"
#include "reduce.h"

typedef void visitor(void *context, int truth, int answer,
                     const dl_real *row);

/* If a row has a NaN, its answer is -1, or this is a caller's mistake. */
static void visit(const dl_tensor *logits, struct dl_ints label, bool strict,
                  visitor *f, void *context)
{
    dl_check_tensor(logits);
    dl_check(logits->shape.rank == 2 && logits->shape.dim[1] > 0,
             "logits of shape %s are not rows for classes",
             DL_SHAPE_TEXT(logits->shape));
    int classes = logits->shape.dim[1];
    dl_check_ints(label, logits->shape.dim[0], classes, logits->shape);
    size_t bytes = (size_t)label.n * sizeof(int);
    int *answer = dl_pool_get(bytes);
    dl_argmax(logits, 1, answer);
    const dl_real *row = dl_data(logits);
    int bad = -1;
    for (int i = 0; i < label.n; i++, row += classes) {
        bool nan = isnan((double)row[answer[i]]);
        if (nan && strict)
            bad = i;
        else
            f(context, label.at[i], nan ? -1 : answer[i], row);
    }
    dl_pool_put(answer, bytes);
    dl_check(bad < 0, "row %d of the logits has a NaN", bad);
}

static void count_right(void *context, int truth, int answer,
                        const dl_real *row)
{
    (void)row;
    *(int *)context += truth == answer;
}

int dl_correct(const dl_tensor *logits, struct dl_ints label)
{
    int right = 0;
    visit(logits, label, false, count_right, &right);
    return right;
}

void dl_confusion_init(struct dl_confusion *c, int classes)
{
    dl_check(classes > 0 && classes < 1 << 15, "%d classes", classes);
    size_t n = (size_t)classes * (size_t)classes;
    *c = (struct dl_confusion){classes, dl_alloc(n, sizeof *c->count)};
    memset(c->count, 0, n * sizeof *c->count);
}

void dl_confusion_free(struct dl_confusion *c)
{
    free(c->count);
    *c = (struct dl_confusion){0};
}

static void confuse(void *context, int truth, int answer, const dl_real *row)
{
    const struct dl_confusion *c = context;
    (void)row;
    c->count[truth * c->classes + answer]++;
}

void dl_confusion_add(struct dl_confusion *c, const dl_tensor *logits,
                      struct dl_ints label)
{
    dl_check_tensor(logits);
    dl_check(logits->shape.rank == 2 && logits->shape.dim[1] == c->classes,
             "logits of shape %s for %d classes",
             DL_SHAPE_TEXT(logits->shape), c->classes);
    visit(logits, label, true, confuse, c);
}

static double share(long part, long all)
{
    return all > 0 ? (double)part / (double)all : 0;
}

struct dl_scores dl_class_scores(const struct dl_confusion *c, int k)
{
    dl_check(k >= 0 && k < c->classes, "class %d of %d", k, c->classes);
    long right = c->count[k * c->classes + k], taken = 0, is = 0;
    for (int j = 0; j < c->classes; j++) {
        taken += c->count[j * c->classes + k];
        is += c->count[k * c->classes + j];
    }
    return (struct dl_scores){share(right, taken), share(right, is),
                              share(2 * right, taken + is)};
}

struct dl_scores dl_mean_scores(const struct dl_confusion *c)
{
    struct dl_scores mean = {0, 0, 0};
    for (int k = 0; k < c->classes; k++) {
        struct dl_scores s = dl_class_scores(c, k);
        mean.precision += s.precision / c->classes;
        mean.recall += s.recall / c->classes;
        mean.f1 += s.f1 / c->classes;
    }
    return mean;
}

double dl_accuracy(const struct dl_confusion *c)
{
    long right = 0, all = 0;
    for (int t = 0; t < c->classes; t++)
        for (int p = 0; p < c->classes; p++) {
            all += c->count[t * c->classes + p];
            right += t == p ? c->count[t * c->classes + p] : 0;
        }
    return (double)right / (double)all;
}

struct sorting { struct dl_calibration *c; int classes; };

static void sort_in(void *context, int truth, int answer, const dl_real *row)
{
    const struct sorting *s = context;
    double sum = 0;
    for (int k = 0; k < s->classes; k++)
        sum += exp((double)row[k] - (double)row[answer]);
    double confidence = 1 / sum;
    int b = (int)(confidence * s->c->bins);
    struct dl_bin *bin = &s->c->bin[b < s->c->bins ? b : s->c->bins - 1];
    bin->n++;
    bin->right += truth == answer;
    bin->confidence += confidence;
}

void dl_calibration_add(struct dl_calibration *c, const dl_tensor *logits,
                        struct dl_ints label)
{
    dl_check(c->bins > 0 && c->bins <= DL_MAX_BINS, "%d bins", c->bins);
    dl_check_tensor(logits);
    struct sorting s = {c, logits->shape.rank == 2 ? logits->shape.dim[1]
                                                   : 0};
    visit(logits, label, true, sort_in, &s);
}

double dl_calibration_error(const struct dl_calibration *c)
{
    double sum = 0;
    long n = 0;
    for (int b = 0; b < c->bins; b++) {
        sum += fabs((double)c->bin[b].right - c->bin[b].confidence);
        n += c->bin[b].n;
    }
    return sum / (double)n;
}
