/* augment.h - random changes of images that leave their labels alone. */
#ifndef DLFS_AUGMENT_H
#define DLFS_AUGMENT_H

#include "random.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* A batch is [n, ...]: n examples, each one plane of height x width numbers
   or several, which are treated alike. It is changed in place, and nothing
   is recorded. How much is drawn depends on the batch's shape alone, not on
   the reach, p or sigma, so that two runs that differ only there draw the
   same later on. */

/* Move each example down and to the right by whole numbers, drawn uniformly
   from -reach ... reach (below 0: up, to the left). What leaves is lost, and
   zeros come in. Draws down, then right, of each example in order by
   dl_random_below. reach is 0 to 2^20. */
void dl_random_shift(dl_tensor *batch, int height, int width, int reach,
                     struct dl_random *r);

/* Mirror each example left to right with probability p: those for which
   dl_random_fill_bernoulli draws 1. */
void dl_random_flip(dl_tensor *batch, int height, int width, double p,
                    struct dl_random *r);

/* Add a draw of N(0, sigma^2), sigma >= 0, to every number: those of
   dl_random_fill_normal. */
void dl_random_noise(dl_tensor *batch, double sigma, struct dl_random *r);

#pragma GCC visibility pop

#endif
