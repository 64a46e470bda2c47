/* sum.h - three ways to add up n floats. */
#ifndef DLFS_SUM_H
#define DLFS_SUM_H

#include <stddef.h>

#pragma GCC visibility push(default)

/* x[0] + x[1] + ... in this order; 0 if n is 0. The error is at most
   about (n-1) u times the sum of the |x[i]|, u = 2^-24. */
float dl_sum_in_order(const float *x, size_t n);

/* The sum of the two halves' sums, recursively, down to 8 numbers that are
   added in order. The error is at most about (log2(n) + 5) u times the sum
   of the |x[i]|. */
float dl_sum_pairwise(const float *x, size_t n);

/* Kahan's compensated sum. While n u is small, the error is at most about
   2 u times the sum of the |x[i]|. */
float dl_sum_kahan(const float *x, size_t n);

#pragma GCC visibility pop

#endif
