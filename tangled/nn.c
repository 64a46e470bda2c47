/* nn.c - layers. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base.h"
#include "init.h"
#include "nn.h"

static dl_tensor *param_of(struct dl_params *p, const char *name,
                           const char *which, struct dl_shape s)
{
    char full[240];
    dl_check(name != NULL && strlen(name) < 100,
             "the name of a layer is NULL or has 100 characters or more");
    snprintf(full, sizeof full, "%s%s%s", name, *name ? "." : "", which);
    return dl_param(p, full, s);
}

void dl_linear_init_unbiased(struct dl_linear *l, struct dl_params *p,
                             const char *name, int in, int out,
                             struct dl_random *r)
{
    dl_check(l != NULL && p != NULL && r != NULL,
             "the layer, the list of parameters or the generator is NULL");
    dl_check(in >= 0 && out >= 0,
             "a layer of %d inputs and %d outputs", in, out);
    l->bias = NULL;
    l->weight = param_of(p, name, "weight", DL_SHAPE(out, in));
    dl_init_kaiming_uniform(l->weight, r, sqrt(5), DL_FAN_IN);
}

void dl_linear_init(struct dl_linear *l, struct dl_params *p,
                    const char *name, int in, int out, struct dl_random *r)
{
    dl_linear_init_unbiased(l, p, name, in, out, r);
    l->bias = param_of(p, name, "bias", DL_SHAPE(out));
    double bound = in > 0 ? 1 / sqrt(in) : 0;
    dl_init_uniform(l->bias, r, -bound, bound);
}

dl_tensor *dl_linear_forward(const struct dl_linear *l, dl_tensor *x)
{
    dl_check(l != NULL, "the layer is NULL");
    return dl_linear(x, l->weight, l->bias);
}

dl_tensor *dl_linear_forward_act(const struct dl_linear *l, dl_tensor *x,
                                 enum dl_activation f)
{
    dl_check(l != NULL, "the layer is NULL");
    return dl_linear_act(x, l->weight, l->bias, f);
}
