/* real.h - the type of the numbers in tensors. */
#ifndef DLFS_REAL_H
#define DLFS_REAL_H

/* float; in the build for checking gradients, with -DDL_DOUBLE, double. */
#ifdef DL_DOUBLE
typedef double dl_real;
#else
typedef float dl_real;
#endif

#endif
