/* gemm.h - the product of two matrices. All matrices are stored by rows.

   Every element is the sum over p of op(A)(i,p) op(B)(p,j): in blocks of
   512 one chain of fused multiply-adds, and the blocks added in order. No
   bit depends on threads, on the instruction set, or on other rows and
   columns. */
#ifndef DLFS_GEMM_H
#define DLFS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include "real.h"

#pragma GCC visibility push(default)

/* C = alpha op(A) op(B) + beta C, where op(A) is m x k, op(B) k x n, and
   op transposes if ta (or tb) is true. The rows of A as it is stored begin
   lda numbers apart, and so on. If beta is 0, C is not read (it may hold
   NaN); if alpha or k is 0, A and B are not (they may be NULL). C must not
   overlap A or B. A negative size, or a leading dimension shorter than a
   row, is a caller's mistake. */
void dl_gemm(bool ta, bool tb, int m, int n, int k,
             dl_real alpha, const dl_real *a, int lda,
             const dl_real *b, int ldb,
             dl_real beta, dl_real *c, int ldc);

/* The matrix op(B), k x n, copied into the order in which products read it.
   To be freed by dl_packed_free(). */
struct dl_packed;
struct dl_packed *dl_pack(bool tb, int k, int n, const dl_real *b, int ldb);
void dl_pack_again(struct dl_packed *w, const dl_real *b, int ldb);
void dl_packed_free(struct dl_packed *w);

/* Writes a part of a factor. For r < rows and q < depth, to[q * stride + r]
   becomes op(A)(i + r, p + q), or op(B)(p + q, i + r). Must not depend on
   how a factor is divided into parts, nor compute products itself; may be
   called by several threads at once. */
typedef void dl_gemm_fill(const void *context, int i, int rows,
                          int p, int depth, dl_real *to, int stride);

/* An elementwise function y = f(x), called with y = x, such as dl_vrelu.
   It must not compute products. (For dl_vrelu the product may do the same
   without a call.) */
typedef void dl_gemm_map(size_t n, const dl_real *x, dl_real *y);

struct dl_product {
    int m, n, k;                    /* op(A) is m x k, op(B) is k x n */
    dl_real alpha, beta;            /* mind: alpha is 0 unless given */
    bool ta, tb;
    const dl_real *a, *b;
    dl_real *c;
    int lda, ldb, ldc;
    const struct dl_packed *packed; /* instead of b: packed weights */
    dl_gemm_fill *fill_a, *fill_b;  /* instead of a, b: elements computed */
    const void *context_a, *context_b;          /* ... from this */
    const dl_real *column_bias;     /* n numbers, added to each row */
    const dl_real *row_bias;        /* m numbers, added to each column */
    dl_gemm_map *map;               /* then applied to all elements */
    int count;                      /* so many products; 0 is 1. They share
                                       packed, fill_a, fill_b, the biases */
    ptrdiff_t next_a, next_b, next_c; /* from one to the next, in numbers */
};

/* C = f(alpha op(A) op(B) + beta C + bias). */
void dl_gemm_run(const struct dl_product *p);

#pragma GCC visibility pop

#endif
