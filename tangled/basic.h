/* basic.h - the first operations on tensors that are recorded. The inputs
   are not changed. */
#ifndef DLFS_BASIC_H
#define DLFS_BASIC_H

#include "tensor.h"

#pragma GCC visibility push(default)

/* a + b and a b, element by element, broadcast to their common shape. */
dl_tensor *dl_add(dl_tensor *a, dl_tensor *b);
dl_tensor *dl_mul(dl_tensor *a, dl_tensor *b);

/* The product of a, [..., m, k], and b, [k, n]: [..., m, n]. */
dl_tensor *dl_matmul(dl_tensor *a, dl_tensor *b);

/* The hyperbolic tangent, element by element. */
dl_tensor *dl_tanh(dl_tensor *x);

/* The sum of all elements, a single number. */
dl_tensor *dl_sum(dl_tensor *x);

#pragma GCC visibility pop

#endif
