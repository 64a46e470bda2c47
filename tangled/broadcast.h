/* broadcast.h - loops over operands that are repeated to a common shape.
   Internal: the operations are made of them. */
#ifndef DLFS_BROADCAST_H
#define DLFS_BROADCAST_H

#include <stddef.h>
#include "tensor.h"

/* y = kernel(a, b), with a, of shape sa, and b, of shape sb, broadcast to
   shape. y is another array than a and b unless the shapes are equal. */
typedef void dl_pair_kernel(size_t n, const dl_real *a, const dl_real *b,
                            dl_real *y);
void dl_apply_pair(dl_pair_kernel *kernel, struct dl_shape shape, dl_real *y,
                   struct dl_shape sa, const dl_real *a,
                   struct dl_shape sb, const dl_real *b);

/* Add factor times share, an array of the given shape, to the gradient at
   `to`, of shape st, from which it was broadcast; if beta is 0, instead of
   what is there. */
void dl_hand_over(dl_real *to, struct dl_shape st, dl_real beta,
                  dl_real factor, const dl_real *share,
                  struct dl_shape shape);

/* The tensor kernel(a, b) of the common shape. If there is none, a caller's
   mistake of the function called `name`. */
dl_tensor *dl_combine(const char *name, dl_pair_kernel *kernel,
                      const dl_tensor *a, const dl_tensor *b);

#endif
