/* mnist1d.h - the data set MNIST-1D: ten shapes in signals of 40 points. */
#ifndef DLFS_MNIST1D_H
#define DLFS_MNIST1D_H

#include "dataset.h"
#include "random.h"

#pragma GCC visibility push(default)

enum { DL_MNIST1D_SHAPE = 12, DL_MNIST1D_LENGTH = 40 };

/* Of each digit, 0 to 9, make `each` examples, at least 1; put them in a
   random order, standardise them by the mean and the deviation of all their
   numbers, and take the first four fifths for *train, the others for *test.
   Samples are [40]. With each = 500 and r fresh from the seed 42 these are
   the 4,000 and 1,000 examples of Greydanus and Kobak, 2024, rounded to
   float. */
void dl_mnist1d(struct dl_dataset *train, struct dl_dataset *test, int each,
                struct dl_random *r);

/* The shape of a digit; it begins at 0. One signal of it, as it is before
   standardising. */
void dl_mnist1d_shape(int digit, double x[DL_MNIST1D_SHAPE]);
void dl_mnist1d_signal(int digit, double x[DL_MNIST1D_LENGTH],
                       struct dl_random *r);

#pragma GCC visibility pop

#endif
