/* print.h - tensors as text. */
#ifndef DLFS_PRINT_H
#define DLFS_PRINT_H

#include <stdio.h>
#include "tensor.h"

#pragma GCC visibility push(default)

/* Print as NumPy's print(array) does: columns aligned, at most 8 decimals,
   lines of at most 75 characters, and of more than 1000 elements only the
   first and the last three along each axis. */
void dl_print(FILE *f, const dl_tensor *t);

#pragma GCC visibility pop

#endif
