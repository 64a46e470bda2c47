/* reduce.h - operations along axes: sums, means, variances, extremes,
   norms, running sums, softmax. Recorded; the inputs are not changed.

   Axes may be given in any order, and DL_AXES() means all. With `keep` the
   axes stay in the result, with length 1. The numbers of a group do not
   depend on how many groups there are along axes before the others. */
#ifndef DLFS_REDUCE_H
#define DLFS_REDUCE_H

#include "axes.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* The sum and the mean over the given axes. The mean of no numbers is
   NaN. */
dl_tensor *dl_sum_over(dl_tensor *x, struct dl_axes axes, bool keep);
dl_tensor *dl_mean_over(dl_tensor *x, struct dl_axes axes, bool keep);

/* The mean of all elements, a single number. */
dl_tensor *dl_mean(dl_tensor *x);

/* y = beta y + the sum of the rows of x, which lie one behind the other,
   `columns` numbers each. Not recorded; the gradient of a bias. */
void dl_sum_rows(size_t rows, size_t columns, const dl_real *x,
                 dl_real beta, dl_real *y);

/* The sum of the squared deviations from the mean, divided by the number
   of elements less `correction` (0: of the data themselves; 1: an unbiased
   estimate for where they are from), or by 0 if that is negative. */
dl_tensor *dl_var_over(dl_tensor *x, struct dl_axes axes, int correction,
                       bool keep);

/* The largest and the smallest element; NaN if there is one. The gradient
   is shared evenly among equals. No elements are a caller's mistake. */
dl_tensor *dl_amax(dl_tensor *x, struct dl_axes axes, bool keep);
dl_tensor *dl_amin(dl_tensor *x, struct dl_axes axes, bool keep);

/* The square root of the sum of squares; its gradient at 0 is 0. In single
   precision the squares neither overflow nor vanish. */
dl_tensor *dl_norm(dl_tensor *x, struct dl_axes axes, bool keep);

/* Along the axis, the sum of each element and those before it. */
dl_tensor *dl_cumsum(dl_tensor *x, int axis);

/* e^x divided by its sum along the axis, and the logarithm of that. A row
   that is -infinity throughout gives NaN. */
dl_tensor *dl_softmax(dl_tensor *x, int axis);
dl_tensor *dl_log_softmax(dl_tensor *x, int axis);

/* The logarithm of the sum of e^x along the axis, which is kept or not. */
dl_tensor *dl_logsumexp(dl_tensor *x, int axis, bool keep);

/* Where along the axis the largest element is, for each index of the other
   axes in row-major order: the first of equals, or the first NaN. Not
   recorded. An axis of length 0 is a caller's mistake. */
void dl_argmax(const dl_tensor *x, int axis, int *at);

#pragma GCC visibility pop

#endif
