/* pointwise.h - recorded operations on single elements. The inputs are not
   changed. Derivatives at kinks, and everything else about zero, infinity
   and NaN, are PyTorch's, unless said otherwise. */
#ifndef DLFS_POINTWISE_H
#define DLFS_POINTWISE_H

#include "tensor.h"

#pragma GCC visibility push(default)

/* One tensor, element by element. log is NaN below 0, as is sqrt; both
   have an infinite derivative at 0. */
dl_tensor *dl_neg(dl_tensor *x);
dl_tensor *dl_abs(dl_tensor *x);                /* derivative 0 at 0 */
dl_tensor *dl_square(dl_tensor *x);
dl_tensor *dl_sqrt(dl_tensor *x);
dl_tensor *dl_reciprocal(dl_tensor *x);
dl_tensor *dl_exp(dl_tensor *x);
dl_tensor *dl_log(dl_tensor *x);
dl_tensor *dl_erf(dl_tensor *x);
dl_tensor *dl_sin(dl_tensor *x);
dl_tensor *dl_cos(dl_tensor *x);

/* The functions between the layers of networks. (tanh is in basic.h.) The
   two gelu are x Phi(x) and its approximation by tanh. */
dl_tensor *dl_sigmoid(dl_tensor *x);
dl_tensor *dl_relu(dl_tensor *x);               /* derivative 0 at 0 */
dl_tensor *dl_gelu(dl_tensor *x);
dl_tensor *dl_gelu_tanh(dl_tensor *x);
dl_tensor *dl_silu(dl_tensor *x);

/* x + c;  c x;  x^p, whose derivative is 0 if p is. */
dl_tensor *dl_add_scalar(dl_tensor *x, dl_real c);
dl_tensor *dl_mul_scalar(dl_tensor *x, dl_real c);
dl_tensor *dl_pow_scalar(dl_tensor *x, dl_real p);

/* The nearest number in [low, high]; low > high is a caller's mistake. The
   derivative is 1 in the closed interval. */
dl_tensor *dl_clamp(dl_tensor *x, dl_real low, dl_real high);

/* x above 0; otherwise slope x (the derivative at 0 is slope), or
   alpha (e^x - 1) (the derivative at 0 is alpha). */
dl_tensor *dl_leaky_relu(dl_tensor *x, dl_real slope);
dl_tensor *dl_elu(dl_tensor *x, dl_real alpha);

/* log(1 + e^(beta x)) / beta for beta > 0, without overflow. */
dl_tensor *dl_softplus(dl_tensor *x, dl_real beta);

/* a - b, a / b, a^b, the larger, the smaller of the two, broadcast to their
   common shape. Where a = b, maximum and minimum give each half of the
   gradient; NaN in one is NaN in the result. The derivative of a^b by a is
   0 where b is 0, that by b where a is 0 and b is not negative. */
dl_tensor *dl_sub(dl_tensor *a, dl_tensor *b);
dl_tensor *dl_div(dl_tensor *a, dl_tensor *b);
dl_tensor *dl_pow(dl_tensor *a, dl_tensor *b);
dl_tensor *dl_maximum(dl_tensor *a, dl_tensor *b);
dl_tensor *dl_minimum(dl_tensor *a, dl_tensor *b);

/* a where the condition is not 0, b where it is; all three are broadcast to
   their common shape. The condition gets no gradient. */
dl_tensor *dl_where(const dl_tensor *condition, dl_tensor *a, dl_tensor *b);

/* x, but the given value where the mask, broadcast to the shape of x, is
   not 0; there the gradient is 0. */
dl_tensor *dl_masked_fill(dl_tensor *x, const dl_tensor *mask,
                          dl_real value);

#pragma GCC visibility pop

#endif
