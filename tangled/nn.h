/* nn.h - layers: structs of parameters, with a function that applies
   them. */
#ifndef DLFS_NN_H
#define DLFS_NN_H

#include "products.h"
#include "random.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* y = x W' + b. The tensors belong to the list of parameters. */
struct dl_linear {
    dl_tensor *weight;              /* [out, in] */
    dl_tensor *bias;                /* [out], or NULL */
};

/* Register the parameters name.weight and name.bias (without the dot if
   the name is empty), and draw them as torch.nn.Linear(in, out) does: to
   the bit, and in its order. in, out >= 0. */
void dl_linear_init(struct dl_linear *l, struct dl_params *p,
                    const char *name, int in, int out, struct dl_random *r);

/* The same without a bias: torch.nn.Linear(in, out, bias=False). */
void dl_linear_init_unbiased(struct dl_linear *l, struct dl_params *p,
                             const char *name, int in, int out,
                             struct dl_random *r);

/* x is [..., in], the result [..., out]; and f of that, in one
   operation. */
dl_tensor *dl_linear_forward(const struct dl_linear *l, dl_tensor *x);
dl_tensor *dl_linear_forward_act(const struct dl_linear *l, dl_tensor *x,
                                 enum dl_activation f);

#pragma GCC visibility pop

#endif
