/* npy.h - tensors in NumPy's .npy files. */
#ifndef DLFS_NPY_H
#define DLFS_NPY_H

#include <stdbool.h>
#include "tensor.h"

#pragma GCC visibility push(default)

/* The array in a .npy file of version 1 to 3, of rank 0 to 4, with numbers
   of type <f4, <f8, <i4, <i8, |u1 or |b1, which are converted. NULL, and a
   line in dl_error_text(), if the file is not exactly that. Temporary or
   permanent like every new tensor. */
dl_tensor *dl_npy_read(const char *path);

/* Write a .npy file (<f4; in the double build <f8). It appears under its
   name when it is complete; until then, an older file stays as it was. On
   failure false, and a line in dl_error_text(). */
bool dl_npy_write(const char *path, const dl_tensor *t);

#pragma GCC visibility pop

#endif
