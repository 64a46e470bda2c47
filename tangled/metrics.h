/* metrics.h - numbers that judge a classifier; nothing is recorded. Logits
   are [n, classes], one label for each row. */
#ifndef DLFS_METRICS_H
#define DLFS_METRICS_H

#include "axes.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* The rows whose largest entry, the first of equals, is at the label. A row
   with a NaN is wrong. */
int dl_correct(const dl_tensor *logits, struct dl_ints label);

/* count[t * classes + p] rows of class t were taken for class p. */
struct dl_confusion { int classes; long *count; };

void dl_confusion_init(struct dl_confusion *c, int classes);
void dl_confusion_add(struct dl_confusion *c, const dl_tensor *logits,
                      struct dl_ints label);
void dl_confusion_free(struct dl_confusion *c);

/* The share of the rows that are right; NaN if there are none. */
double dl_accuracy(const struct dl_confusion *c);

/* Precision: of the rows taken for the class, the share that is. Recall: of
   the class's rows, the share that is found. F1: their harmonic mean. 0
   where there are no such rows. Of one class; the mean over all. */
struct dl_scores { double precision, recall, f1; };
struct dl_scores dl_class_scores(const struct dl_confusion *c, int k);
struct dl_scores dl_mean_scores(const struct dl_confusion *c);

/* Rows sorted by the probability of the predicted class: bin b of [0, 1]
   from b/bins on. Begins as {.bins = 15}. */
enum { DL_MAX_BINS = 100 };
struct dl_calibration {
    int bins;
    struct dl_bin {
        long n, right;
        double confidence;          /* the sum of the probabilities */
    } bin[DL_MAX_BINS];
};

void dl_calibration_add(struct dl_calibration *c, const dl_tensor *logits,
                        struct dl_ints label);

/* The mean over all rows of |share of right ones - mean confidence| in the
   row's bin: the expected calibration error. */
double dl_calibration_error(const struct dl_calibration *c);

#pragma GCC visibility pop

#endif
