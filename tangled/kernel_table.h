/* kernel_table.h - the kernels of one instruction set. Not for users. */
#ifndef DLFS_KERNEL_TABLE_H
#define DLFS_KERNEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "real.h"

#define EACH_MAP(_) \
    _(exp) _(log) _(sqrt) _(tanh) _(sigmoid) _(erf) \
    _(relu) _(silu) _(gelu) _(gelu_tanh)

#define EACH_PAIR(_) \
    _(add) _(sub) _(mul) _(div)

typedef void map_kernel(size_t n, const dl_real *x, dl_real *y);
typedef void pair_kernel(size_t n, const dl_real *a, const dl_real *b,
                         dl_real *y);
typedef void backward_kernel(size_t n, const dl_real *v, const dl_real *g,
                             dl_real *dx, bool add);
typedef void scalar_kernel(size_t n, dl_real a, const dl_real *x,
                           dl_real *y);
typedef void rows_kernel(size_t rows, size_t n, const dl_real *x,
                         dl_real *y);
typedef dl_real sum_kernel(size_t n, const dl_real *a, const dl_real *b);

#define MEMBER_MAP(name) map_kernel *v##name;
#define MEMBER_PAIR(name) pair_kernel *v##name;
#define MEMBER_BACKWARD(name) backward_kernel *v##name##_backward;

struct kernel_table {
    EACH_MAP(MEMBER_MAP)
    EACH_PAIR(MEMBER_PAIR)
    EACH_MAP(MEMBER_BACKWARD)
    scalar_kernel *vscale, *vaxpy, *vfill;
    pair_kernel *vmuladd;
    sum_kernel *vsum, *vdot, *vmax;
    rows_kernel *softmax, *log_softmax;
    sum_kernel *logsumexp;
    backward_kernel *softmax_backward, *log_softmax_backward;
    void (*moments)(size_t n, const dl_real *x, dl_real *mean,
                    dl_real *variance);
    void (*sum_columns)(size_t rows, size_t n, size_t step, const dl_real *x,
                        double *s);
};

extern const struct kernel_table dl_kernels_plain, dl_kernels_avx2,
                                 dl_kernels_avx512;

#endif
