/* loss.h - losses, recorded: one number that says how wrong a prediction
   is, the mean over the batch. The inputs are not changed. */
#ifndef DLFS_LOSS_H
#define DLFS_LOSS_H

#include <stdbool.h>
#include "axes.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* The mean of l(x, t) over all elements of x and t, which have the same
   shape; NaN if there are none. Both receive gradients. mse is (x - t)^2;
   l1 |x - t|; huber (x - t)^2 / 2 where |x - t| <= delta, and beyond
   delta (|x - t| - delta/2); delta > 0. */
dl_tensor *dl_mse_loss(dl_tensor *x, dl_tensor *t);
dl_tensor *dl_l1_loss(dl_tensor *x, dl_tensor *t);
dl_tensor *dl_huber_loss(dl_tensor *x, dl_tensor *t, dl_real delta);

/* max(0, 1 - t x), where t is -1 or 1. */
dl_tensor *dl_hinge_loss(dl_tensor *x, dl_tensor *t);

/* -t log s(x) - (1 - t) log(1 - s(x)), where s is the sigmoid function and
   t, from 0 to 1, the probability of yes. No x overflows. */
dl_tensor *dl_bce_with_logits(dl_tensor *x, dl_tensor *t);

/* The sum of p (log p - log q) over all elements, divided by the length of
   the leading axis: the mean of the divergences KL(p || q) of the rows. A
   p of 0 contributes nothing. */
dl_tensor *dl_kl_div(dl_tensor *log_q, dl_tensor *p);

/* The mean of -log_p[i, label i] over the rows of log_p, [n, classes]. */
dl_tensor *dl_nll_loss(dl_tensor *log_p, struct dl_ints label);

/* The same of the logarithm of the rows' softmax, in one operation. A row
   contributes the same bits alone and in any batch. */
dl_tensor *dl_cross_entropy(dl_tensor *logits, struct dl_ints label);

/* What may be asked beyond that; {0} asks for nothing. */
struct dl_cross_entropy_options {
    const dl_real *weight;          /* of each class, or NULL: 1 */
    double label_smoothing;         /* in [0, 1]: spread over all classes */
    bool ignore;                    /* leave rows out ... */
    int ignore_index;               /* ... that have this label */
};

/* With classes weighted, row i counts weight[label i] times, and the sum is
   divided by the weights of the rows. NaN if no row remains. */
dl_tensor *dl_cross_entropy_with(dl_tensor *logits, struct dl_ints label,
                                 struct dl_cross_entropy_options o);

/* The cosine of the angle between a and b, of the same shape, as vectors
   along the last axis, which is dropped. Lengths below 1e-8 count as that
   much. */
dl_tensor *dl_cosine_similarity(dl_tensor *a, dl_tensor *b);

/* lambda >= 0 times the sum of the squares of all numbers of all
   parameters. */
dl_tensor *dl_square_penalty(const struct dl_params *p, dl_real lambda);

#pragma GCC visibility pop

#endif
