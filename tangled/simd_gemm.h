/* simd_gemm.h - what gemm.c asks of simd_gemm.c. Not for users. */
#ifndef DLFS_SIMD_GEMM_H
#define DLFS_SIMD_GEMM_H

#include "gemm.h"

enum {
    KC = 512,           /* depth of a block: part of the definition */
    MC = 256,           /* rows of x that are packed at a time */
    NC = 2048,          /* columns of y that are packed at a time */
    WORKSPACE = (MC + NC) * KC
};

/* Vectors of length k: number i has the elements at[i * across + p * along],
   unless they are computed, or packed. */
struct factor {
    const dl_real *at;
    ptrdiff_t across, along;
    dl_gemm_fill *fill;
    const void *context;
    const dl_real *packed;
};

/* c(i, j) = alpha sum over p of x(i, p) y(j, p) + beta c(i, j), and so on;
   c(i, j) is c[i * ldc + j], or c[j * ldc + i] if the work is turned. */
struct work {
    int m, n, k;
    dl_real alpha, beta;
    struct factor x, y;
    dl_real *c;
    int ldc;
    bool turned;
    const dl_real *column_bias, *row_bias;      /* of C as it is stored */
    dl_gemm_map *map;
};

/* The elements with i0 <= i < i1 and j0 <= j < j1. */
struct part { int i0, i1, j0, j1; };

struct gemm_set {
    int lanes;
    double turn_y, turn_c;      /* to turn an element is worth so many
                                   multiply-adds */
    void (*multiply)(const struct work *w, const struct part *part,
                     dl_real *workspace);
    void (*pack)(const struct factor *y, int n, int k, dl_real *to);
};

extern const struct gemm_set dl_gemm_plain, dl_gemm_avx2, dl_gemm_avx512;

#endif
