/* lbfgs.h - minimise a smooth function of n numbers by its gradients, with
   an estimate of the curvature from the last few steps: for small problems
   without noise, in double precision. */
#ifndef DLFS_LBFGS_H
#define DLFS_LBFGS_H

#include <stdbool.h>

#pragma GCC visibility push(default)

/* Returns the value at x and stores the gradient in g. */
typedef double dl_objective(int n, const double x[], double g[],
                            void *context);

struct dl_lbfgs {
    dl_objective *f;
    void *context;
    int n, memory;
    double *x, *g, value;           /* where we are; may be read */
    long calls;                     /* of f */
    int kept;                       /* private from here on */
    double *s, *y, *rho, *alpha, *d, *trial, *slope;
};

/* Begin at x, of which a copy is made. The last `memory` steps are kept. */
void dl_lbfgs_init(struct dl_lbfgs *l, dl_objective *f, void *context,
                   int n, const double x[], int memory);

/* Go one step down; false if no lower point was found: at a minimum, or
   where rounding hides the way. */
bool dl_lbfgs_step(struct dl_lbfgs *l);

void dl_lbfgs_free(struct dl_lbfgs *l);

#pragma GCC visibility pop

#endif
