/* value.h - scalars that remember how they were computed, and their
   derivatives of any order. */
#ifndef DLFS_VALUE_H
#define DLFS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#pragma GCC visibility push(default)

/* A scalar on this thread's tape. For a leaf, data and grad may be set at
   will; for others they are to be read only. */
typedef struct dl_value dl_value;
struct dl_value {
    double data;                    /* the number */
    double grad;                    /* dy/d(this); adds up in a leaf */
    const struct dl_value_op *op;   /* how it was made; NULL: a constant */
    dl_value *in[2];                /* from what */
    dl_value *adjoint;              /* its gradient, if that is a value */
    uint64_t pass;                  /* the last pass that reached it */
};

/* A leaf: a number whose gradient is wanted, such as a parameter. */
dl_value *dl_value_new(double x);

/* A number whose gradient is not wanted, such as an input. */
dl_value *dl_value_constant(double x);

/* Arithmetic. */
dl_value *dl_value_add(dl_value *a, dl_value *b);       /* a + b */
dl_value *dl_value_sub(dl_value *a, dl_value *b);       /* a - b */
dl_value *dl_value_mul(dl_value *a, dl_value *b);       /* a b */
dl_value *dl_value_div(dl_value *a, dl_value *b);       /* a / b */
dl_value *dl_value_neg(dl_value *a);                    /* -a */

/* Functions. Outside its domain a function is NaN or infinite, as in the
   C library; NaN is passed on by all. */
dl_value *dl_value_pow(dl_value *a, dl_value *b);       /* a to the b */
dl_value *dl_value_exp(dl_value *a);
dl_value *dl_value_log(dl_value *a);
dl_value *dl_value_sqrt(dl_value *a);
dl_value *dl_value_sin(dl_value *a);
dl_value *dl_value_cos(dl_value *a);
dl_value *dl_value_tanh(dl_value *a);
dl_value *dl_value_sigmoid(dl_value *a);                /* 1/(1+e^-a) */

/* With a kink: there, the gradient is 0 for relu, and half for each of
   two equal arguments of max. */
dl_value *dl_value_relu(dl_value *a);                   /* max(a, 0) */
dl_value *dl_value_max(dl_value *a, dl_value *b);

/* Add dy/dx to x->grad of every leaf x on which y depends, so that several
   calls add up; set v->grad = dy/dv for the inner values v between. y must
   depend on a leaf. */
void dl_value_backward(dl_value *y);

/* Set x[i]->grad = 0. */
void dl_value_zero_grad(size_t n, dl_value *const x[]);

/* Set dx[i] to dy/dx[i], for n leaves or inner values x[i], as new values
   that can be differentiated in turn; where y does not depend on x[i],
   that is a constant 0. No ->grad is changed. Always recorded. */
void dl_value_grad(dl_value *y, size_t n, dl_value *const x[],
                   dl_value *dx[]);

/* Record operations from now on, or not; returns the old setting. While
   off, results are constants. */
bool dl_value_set_grad_enabled(bool on);

/* How many values this thread's tape holds. */
size_t dl_value_count(void);

/* Free all values that were made after dl_value_count() was `count`. With
   0 everything goes, and all memory is given back. */
void dl_value_release(size_t count);

/* Builds an expression from n leaves; context is the caller's own. */
typedef dl_value *dl_value_function(size_t n, dl_value *const x[],
                                    void *context);

/* Compare the gradient of f at a point with central differences. Returns
   the largest |difference| / max(1, |gradient|) over the n inputs: about
   1e-10 for a well-scaled smooth f whose derivative is right; NaN if any
   of the numbers is. The tape is left as it was. */
double dl_value_gradcheck(dl_value_function *f, void *context,
                          size_t n, const double at[]);

/* Write the graph of all values on which y depends, for Graphviz's `dot`:
   operations, numbers and gradients. n of them, v[i], may have a name. */
void dl_value_write_dot(FILE *f, dl_value *y, size_t n,
                        dl_value *const v[], const char *const name[]);

#pragma GCC visibility pop

#endif
