/* rearrange.h - operations that pick and move numbers, and compute nothing.
   Results are copies. Only dl_view, dl_narrow and dl_select make views;
   dl_view is what PyTorch calls reshape. */
#ifndef DLFS_REARRANGE_H
#define DLFS_REARRANGE_H

#include "axes.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* Axis k of the result is axis axes.at[k] of x. The axes are a permutation.
   PyTorch: x.permute(axes). */
dl_tensor *dl_permute(dl_tensor *x, struct dl_axes axes);

/* Two axes exchanged. PyTorch: x.transpose(axis0, axis1). */
dl_tensor *dl_transpose(dl_tensor *x, int axis0, int axis1);

/* `length` members of an axis, from `start` on. PyTorch: x.narrow(axis,
   start, length), but copied. */
dl_tensor *dl_slice(dl_tensor *x, int axis, int start, int length);

/* n >= 1 tensors one behind the other along an axis; along all others they
   agree. A tensor may come several times. PyTorch: torch.cat(x, axis). */
dl_tensor *dl_cat(int n, dl_tensor *const x[], int axis);

/* n >= 1 tensors of one shape, side by side along a new axis of the result.
   PyTorch: torch.stack(x, axis). */
dl_tensor *dl_stack(int n, dl_tensor *const x[], int axis);

/* x repeated along axes of length 1, and along new ones in front.
   PyTorch: x.expand(s), but copied, and without its -1. */
dl_tensor *dl_expand(dl_tensor *x, struct dl_shape s);

/* An axis in reverse order. PyTorch: x.flip(axis). */
dl_tensor *dl_flip(dl_tensor *x, int axis);

/* The members index.at[0], index.at[1], ... of an axis, any of them any
   number of times. PyTorch: x.index_select(axis, index). */
dl_tensor *dl_index_select(dl_tensor *x, int axis, struct dl_ints index);

/* Rows of a matrix [words, width]: [ids.n, width].
   PyTorch: torch.nn.functional.embedding(ids, weight). */
dl_tensor *dl_embedding(dl_tensor *weight, struct dl_ints ids);

/* The result has the shape s. Its element at (o, i, r) is that of x at
   (o, t, r), where t is the index at (o, i, r); the indices stand in the
   order of the result. Along the other axes s is not longer than x.
   PyTorch: x.gather(axis, index). */
dl_tensor *dl_gather(dl_tensor *x, int axis, struct dl_shape s,
                     struct dl_ints index);

#pragma GCC visibility pop

#endif
