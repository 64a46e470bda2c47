/* products.h - products of matrices with all that surrounds them. Recorded;
   the inputs are not changed. */
#ifndef DLFS_PRODUCTS_H
#define DLFS_PRODUCTS_H

#include "tensor.h"

#pragma GCC visibility push(default)

/* op(a[i]) op(b[i]) for each i, where op transposes if ta (or tb) is true.
   a and b have rank 3 or 4, and the same leading axes. */
dl_tensor *dl_bmm(bool ta, bool tb, dl_tensor *a, dl_tensor *b);

/* x W' + bias, where x is [..., in], W [out, in], bias [out] or NULL:
   [..., out]. A row of the result does not depend on the other rows. */
dl_tensor *dl_linear(dl_tensor *x, dl_tensor *weight, dl_tensor *bias);

/* f of that. */
enum dl_activation { DL_IDENTITY, DL_RELU, DL_TANH, DL_SIGMOID };
dl_tensor *dl_linear_act(dl_tensor *x, dl_tensor *weight, dl_tensor *bias,
                         enum dl_activation f);

#pragma GCC visibility pop

#endif
