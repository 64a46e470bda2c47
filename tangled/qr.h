/* qr.h - least squares in double precision, by Householder's reflections. */
#ifndef DLFS_QR_H
#define DLFS_QR_H

#include <stdbool.h>

#pragma GCC visibility push(default)

/* A matrix A, or its transpose if it is wide, decomposed into QR. */
struct dl_qr {
    int rows, columns;              /* of A */
    int m, n;                       /* of what was decomposed, m >= n */
    double *column;                 /* from j * m on: R above the diagonal,
                                       the normal of mirror j from it on */
    double *diagonal;               /* of R */
};

/* Decompose A, rows * columns numbers row by row; rows, columns >= 1 and
   ridge >= 0. Returns false, with a line in dl_error_text() and nothing to
   be freed, if A's rank is deficient to working precision, or if A is not
   finite (or its squares are not). A positive ridge makes the rank full. */
bool dl_qr_init(struct dl_qr *q, int rows, int columns, const double *a,
                double ridge);
void dl_qr_free(struct dl_qr *q);

/* Let w, of as many numbers as A has columns, make |A w - y|^2 + ridge |w|^2
   least; if many do (ridge = 0 and A is wide), the shortest of them. y has
   as many numbers as A has rows. */
void dl_qr_solve(const struct dl_qr *q, const double *y, double *w);

/* The smallest singular value of A: the least length of A v, or of A' v if
   A is wide, over all v of length 1. (With a ridge, sqrt(s^2 + ridge).) By
   iteration: never too small but for rounding; too large by a millionth, or
   a thousandth where others lie close to it. */
double dl_qr_smallest(const struct dl_qr *q);

#pragma GCC visibility pop

#endif
