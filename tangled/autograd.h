/* autograd.h - a tape of operations on tensors, and gradients from it. The
   tape belongs to the calling thread. */
#ifndef DLFS_AUTOGRAD_H
#define DLFS_AUTOGRAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "tensor.h"

#pragma GCC visibility push(default)

struct dl_node;

/* What all uses of an operation have in common. `backward` adds to the
   gradients of the inputs what follows from the gradient of the output. */
struct dl_op {
    const char *name;
    void (*backward)(struct dl_node *node);
};

/* One use: a record on the tape. */
enum { DL_MAX_SAVED = 4 };
struct dl_node {
    const struct dl_op *op;
    dl_tensor *out;
    dl_tensor *saved[DL_MAX_SAVED];     /* see dl_save */
    uint64_t version[DL_MAX_SAVED];     /* of saved, when it was saved */
    int inputs, saves;
    int i[4];                           /* for the operation's own use: */
    dl_real x[2];                       /* whatever dl_record's caller */
    void *context;                      /* writes here stays */
    struct dl_node *previous;           /* private */
    bool spent;                         /* private: a pass went through */
    dl_tensor *in[];                    /* as many as there are inputs */
};

/* Record that out was computed from in[0], ..., in[n-1]. To be called when
   the numbers of out are there. Sets out->requires_grad. Returns NULL, and
   records nothing, if the scope does not record or no input requires a
   gradient. */
struct dl_node *dl_record(const struct dl_op *op, dl_tensor *out, int n,
                          dl_tensor *const in[]);

/* The backward function will need t as it is now. The first call saves
   t as number 0, and so on. Does nothing if node is NULL. */
void dl_save(struct dl_node *node, dl_tensor *t);

/* The numbers of saved tensor k. A caller's mistake if they were changed
   since they were saved. */
const dl_real *dl_saved(const struct dl_node *node, int k);

/* The gradient of the output. */
const dl_real *dl_grad_out(const struct dl_node *node);

/* Where the gradient of input k is to go, or NULL if it is not wanted. If
   *beta is 0, all of it must be overwritten; if it is 1, added to. Ask for
   the next input's place only when this one is filled: it may be the same
   one. */
dl_real *dl_grad_in(struct dl_node *node, int k, dl_real *beta);

/* Forget the gradients of all parameters. */
void dl_zero_grad(struct dl_params *p);

/* The gradient of a leaf, as an array like its data; NULL if it has none
   yet. (An inner tensor has a gradient only while a hook is called.) */
const dl_real *dl_grad(const dl_tensor *t);

/* Add to the gradients of all leaves on which y depends the derivatives of
   y, which must have one element. The operations between cannot be
   differentiated again. After an error that was left by a jump, gradients
   are incomplete, and the scope must be left before the next pass. */
void dl_backward(dl_tensor *y);

/* The same for y of any shape: add the derivatives of the sum of y g,
   element by element. g has the shape of y. */
void dl_backward_from(dl_tensor *y, const dl_tensor *g);

/* Like dl_backward, but the operations can be differentiated again. */
void dl_backward_keep(dl_tensor *y);

/* In each backward pass until the innermost scope is left, call the hook
   when the gradient of t is complete, before it is handed on. The hook may
   change it. For a leaf it is called at the end of the pass, with the
   gradient of this pass alone, before that is added to earlier ones. Hooks
   of one tensor are called in the order of their registration. */
typedef void dl_hook(dl_tensor *t, dl_real *grad, void *context);
void dl_register_hook(dl_tensor *t, dl_hook *hook, void *context);

/* While on, every operation is searched for NaN, forward and backward; the
   one that makes a NaN from numbers is reported as a caller's mistake.
   This is slow. Per thread; off at first. Returns the old setting. */
bool dl_set_detect_anomaly(bool on);

/* The function of a segment. It must compute the same whenever it is
   called with the same x. */
typedef dl_tensor *dl_segment(int n, dl_tensor *const x[], void *context);

/* f(n, x, context), without keeping anything but the result: for the
   backward pass f is called again. context must stay valid until then.
   There are at most DL_MAX_SAVED inputs. Of other tensors that f uses,
   leaves receive their gradients, too. */
dl_tensor *dl_checkpoint(dl_segment *f, void *context,
                         int n, dl_tensor *const x[]);

/* Builds an expression from parameters; context is the caller's own. */
typedef dl_tensor *dl_expression(void *context);

/* Compare the gradient of a random combination of f's elements with a
   central difference along a random direction for each parameter. Returns
   the largest error, relative to the length of the parameter's gradient
   or, if that is shorter, to 1/1000; NaN if there is one. The gradients of
   the parameters are forgotten. Expect 1e-9 where dl_real is double, 1e-4
   where it is float. */
double dl_gradcheck(dl_expression *f, void *context, struct dl_params *p);

/* The same with a difference for each element of each parameter. */
double dl_gradcheck_elements(dl_expression *f, void *context,
                             struct dl_params *p);

/* Write the operations on the tape on which y depends for Graphviz's
   `dot`: names and shapes of results. The leaves among `names`, which may
   be NULL, are drawn with their names. */
void dl_write_graph(FILE *f, const dl_tensor *y,
                    const struct dl_params *names);

#pragma GCC visibility pop

#endif
