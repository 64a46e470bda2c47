/* regular.h - what keeps a network from learning its examples by heart:
   dropout, early stopping, averaged weights. */
#ifndef DLFS_REGULAR_H
#define DLFS_REGULAR_H

#include <stdbool.h>
#include <stdint.h>
#include "random.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* Each element of x becomes 0 (NaN and infinity: NaN) with probability p,
   and otherwise is divided by 1 - p. From the same state of the generator
   torch.nn.functional.dropout draws the same. With p = 0, where the result
   is x itself, and with p = 1 nothing is drawn, and r may be NULL. For
   training alone; a scope must be open. */
dl_tensor *dl_dropout(dl_tensor *x, double p, struct dl_random *r);

/* When to stop: when for `patience` checks in a row nothing was better
   than the best by more than min_delta, which is 0 unless it is set after
   the initialisation. NaN is never better. */
struct dl_early_stopping {
    int patience;
    double min_delta;
    bool larger_is_better;
    double best;
    int64_t where, checks;          /* number of the best check, from 0 (-1:
                                       none yet); how many there were */
};
void dl_early_stopping_init(struct dl_early_stopping *e, int patience,
                            bool larger_is_better);

/* Take a measurement; shall we stop? It was the best if where is now
   checks - 1. */
bool dl_early_stopping_check(struct dl_early_stopping *e, double measured);

/* The mean of what the parameters were at each update: of all alike if
   decay is 0; otherwise decay times the mean before plus 1 - decay times
   the parameters. The first update copies them. As
   torch.optim.swa_utils.AveragedModel. The parameters must outlive it, and
   none may be added. */
struct dl_average {
    struct dl_params *params;
    struct dl_params mean;          /* under the same names */
    double decay;                   /* in [0, 1) */
    int64_t n;                      /* updates so far; 0 begins again */
    bool swapped;
};
void dl_average_init(struct dl_average *a, struct dl_params *params,
                     double decay);
void dl_average_update(struct dl_average *a);

/* Exchange the parameters with their mean: once to use the mean, once
   more, before the next update, to go on. */
void dl_average_swap(struct dl_average *a);

/* Free the mean. If it is swapped in, it stays there. */
void dl_average_free(struct dl_average *a);

#pragma GCC visibility pop

#endif
