/* optim_table.h - the loops of the optimisers' rules for one instruction
   set. Not for users. */
#ifndef DLFS_OPTIM_TABLE_H
#define DLFS_OPTIM_TABLE_H

#include <stddef.h>
#include "real.h"

/* What a loop needs to know, computed once per parameter and step. */
struct update_numbers {
    dl_real rate;           /* what p loses, per unit of the direction */
    dl_real lose;           /* first p loses this share of itself */
    dl_real decay;          /* and decay p is added to its gradient */
    dl_real keep, take;     /* a = keep a + take d */
    dl_real ahead;          /* nesterov: how far a is looked ahead */
    dl_real mix1, mix2;     /* shares of the newest in running averages */
    dl_real scale;          /* of the root of the second average */
    dl_real first;          /* and of the first average */
    dl_real eps;
};

#define EACH_UPDATE(_) \
    _(sgd) _(momentum) _(nesterov) _(adagrad) _(adadelta) \
    _(rmsprop) _(rmsprop_momentum) _(rmsprop_centered) \
    _(rmsprop_both) _(adam) _(amsgrad) _(lamb) _(muon)

/* Change n elements of the parameter p and of its state by the gradient g. */
typedef void update_kernel(size_t n, dl_real *p, const dl_real *g,
                           dl_real *const state[],
                           const struct update_numbers *numbers);

#define MEMBER_UPDATE(name) update_kernel *name;
struct update_table {
    EACH_UPDATE(MEMBER_UPDATE)
    void (*clamp)(size_t n, dl_real limit, dl_real *x);
};

extern const struct update_table dl_updates_plain, dl_updates_avx2,
                                 dl_updates_avx512;

#endif
