/* schedule.h - how the rate changes: factors of the rate that was chosen,
   as functions of the step, which counts from 0. */
#ifndef DLFS_SCHEDULE_H
#define DLFS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* gamma after `every` steps, gamma^2 after twice as many, ... */
double dl_schedule_step(int64_t step, int64_t every, double gamma);

/* gamma^step */
double dl_schedule_exponential(int64_t step, double gamma);

/* Down half a cosine from 1 to `last` in `total` steps, then `last`. */
double dl_schedule_cosine(int64_t step, int64_t total, double last);

/* In a straight line from `first` to 1 in `warm` steps, then 1. */
double dl_schedule_warmup(int64_t step, int64_t warm, double first);

/* A warm-up from 0 that reaches 1 at step warm - 1, then a cosine, which
   reaches `last` at step `total`. */
double dl_schedule_warmup_cosine(int64_t step, int64_t warm, int64_t total,
                                 double last);

/* Half a cosine up from 1/start to 1 in the first share of the steps, then
   another down to 1/(start end) at step total - 1. */
double dl_schedule_one_cycle(int64_t step, int64_t total, double share,
                             double start, double end);

/* Multiply the factor by `factor` when `patience` measurements in a row, and
   one more, were not better than the best by the share `threshold`. */
struct dl_plateau {
    double factor, threshold, least;    /* of the factor: no less */
    int patience, cooldown;             /* after a change, wait so long */
    bool larger_is_better;
    double best, now;                   /* now: the factor */
    int bad, waiting;
};

/* Begin with PyTorch's defaults: factor 0.1, threshold 1e-4, patience 10. */
void dl_plateau_init(struct dl_plateau *s, bool larger_is_better);

/* Take a measurement; returns the factor from now on. */
double dl_plateau_next(struct dl_plateau *s, double measured);

#pragma GCC visibility pop

#endif
