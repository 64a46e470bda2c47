/* kernels.h - loops over arrays of numbers. Unless said otherwise, y may be
   the same array as an input, but must not overlap it in part; n may be 0;
   no bit of a result depends on the instruction set or on the number of
   threads; NaN in gives NaN out, but for relu's
   gradient, which is g there. */
#ifndef DLFS_KERNELS_H
#define DLFS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include "real.h"

#pragma GCC visibility push(default)

enum dl_simd { DL_SIMD_PLAIN, DL_SIMD_AVX2, DL_SIMD_AVX512 };

/* The set in use: the best one that the processor has, unless the
   environment variable DLFS_SIMD says plain, avx2 or avx512. */
enum dl_simd dl_get_simd(void);

/* Use another set from now on, no better than the processor's best. Not
   while a kernel is running. */
void dl_set_simd(enum dl_simd set);

/* y = a + b, a - b, a b, a / b, element by element. */
void dl_vadd(size_t n, const dl_real *a, const dl_real *b, dl_real *y);
void dl_vsub(size_t n, const dl_real *a, const dl_real *b, dl_real *y);
void dl_vmul(size_t n, const dl_real *a, const dl_real *b, dl_real *y);
void dl_vdiv(size_t n, const dl_real *a, const dl_real *b, dl_real *y);

/* y += a b, element by element, each rounded once. */
void dl_vmuladd(size_t n, const dl_real *a, const dl_real *b, dl_real *y);

/* y = a x;  y += a x, rounded once;  y = a. */
void dl_vscale(size_t n, dl_real a, const dl_real *x, dl_real *y);
void dl_vaxpy(size_t n, dl_real a, const dl_real *x, dl_real *y);
void dl_vfill(size_t n, dl_real a, dl_real *y);

/* y = f(x), element by element; for float, to the number of ulp in the
   chapter's table of errors. log is NaN below 0, -infinity at 0. */
void dl_vexp(size_t n, const dl_real *x, dl_real *y);
void dl_vlog(size_t n, const dl_real *x, dl_real *y);
void dl_vsqrt(size_t n, const dl_real *x, dl_real *y);
void dl_vtanh(size_t n, const dl_real *x, dl_real *y);
void dl_vsigmoid(size_t n, const dl_real *x, dl_real *y);
void dl_verf(size_t n, const dl_real *x, dl_real *y);
void dl_vrelu(size_t n, const dl_real *x, dl_real *y);

/* x sigmoid(x);  x Phi(x), Phi the normal distribution;  the same with
   0.5 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) in place of Phi. */
void dl_vsilu(size_t n, const dl_real *x, dl_real *y);
void dl_vgelu(size_t n, const dl_real *x, dl_real *y);
void dl_vgelu_tanh(size_t n, const dl_real *x, dl_real *y);

/* dx = g f'(x), or dx += g f'(x) if add, where g is the gradient at
   y = f(x). dx may be the same array as v or g. */
typedef void dl_backward_kernel(size_t n, const dl_real *v, const dl_real *g,
                                dl_real *dx, bool add);

/* These want y as v, */
dl_backward_kernel dl_vexp_backward, dl_vsqrt_backward, dl_vtanh_backward,
                   dl_vsigmoid_backward;
/* and these x. relu's derivative at 0 is 0; it may as well be given y. */
dl_backward_kernel dl_vlog_backward, dl_verf_backward, dl_vrelu_backward,
                   dl_vsilu_backward, dl_vgelu_backward,
                   dl_vgelu_tanh_backward;

/* The sum of the x[i]; the sum of the a[i] b[i], products unrounded; the
   largest x[i], -infinity if n is 0. The error of a sum is about
   (n/16384 + 80) u times the sum of the absolute values, and usually far
   less. */
dl_real dl_vsum(size_t n, const dl_real *x);
dl_real dl_vdot(size_t n, const dl_real *a, const dl_real *b);
dl_real dl_vmax(size_t n, const dl_real *x);

/* For each of the rows of x, which lie one behind the other, cols numbers
   each: softmax, its logarithm, the logarithm of the sum of exponentials;
   none overflows unless its result does. */
void dl_vsoftmax(size_t rows, size_t cols, const dl_real *x, dl_real *y);
void dl_vlog_softmax(size_t rows, size_t cols, const dl_real *x, dl_real *y);
void dl_vlogsumexp(size_t rows, size_t cols, const dl_real *x, dl_real *y);

/* dx = (or += if add) the gradient at x, from the result y and its g. */
void dl_vsoftmax_backward(size_t rows, size_t cols, const dl_real *y,
                         const dl_real *g, dl_real *dx, bool add);
void dl_vlog_softmax_backward(size_t rows, size_t cols, const dl_real *y,
                             const dl_real *g, dl_real *dx, bool add);

/* Mean and variance (the mean squared deviation) of each row; cols > 0. */
void dl_vmoments(size_t rows, size_t cols, const dl_real *x, dl_real *mean,
                dl_real *variance);

/* s[j] = the sum of the numbers in column j, from the first row to the
   last, in double precision. */
void dl_vsum_columns(size_t rows, size_t cols, const dl_real *x, double *s);

#pragma GCC visibility pop

#endif
