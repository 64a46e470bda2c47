/* broadcast.c - loops over operands that are repeated to a common shape. */
#include "base.h"
#include "broadcast.h"
#include "kernels.h"

void dl_apply_pair(dl_pair_kernel *kernel, struct dl_shape shape, dl_real *y,
                   struct dl_shape sa, const dl_real *a,
                   struct dl_shape sb, const dl_real *b)
{
    struct dl_walk w;
    dl_walk_begin(&w, shape, 2, (struct dl_shape[]){sa, sb});
    for (; dl_walk_next(&w); y += w.length) {
        const dl_real *x[2] = {a + w.at[0], b + w.at[1]};
        for (int k = 0; k < 2; k++)
            if (w.step[k] == 0 && w.length > 1) {
                dl_vfill(w.length, *x[k], y);
                x[k] = y;
            }
        kernel(w.length, x[0], x[1], y);
    }
}

void dl_hand_over(dl_real *to, struct dl_shape st, dl_real beta,
                  dl_real factor, const dl_real *share,
                  struct dl_shape shape)
{
    struct dl_walk w;
    if (beta == 0)
        dl_vfill(dl_shape_size(st), 0, to);
    dl_walk_begin(&w, shape, 1, &st);
    for (; dl_walk_next(&w); share += w.length) {
        dl_real *at = to + w.at[0];
        if (w.step[0] == 0)
            *at += factor * dl_vsum(w.length, share);
        else
            dl_vaxpy(w.length, factor, share, at);
    }
}

dl_tensor *dl_combine(const char *name, dl_pair_kernel *kernel,
                      const dl_tensor *a, const dl_tensor *b)
{
    struct dl_shape shape = a->shape;
    bool equal = dl_shape_equal(a->shape, b->shape);
    bool fit = equal || dl_broadcast_shapes(a->shape, b->shape, &shape);
    dl_check(fit, "%s: the shapes %s and %s do not fit", name,
             DL_SHAPE_TEXT(a->shape), DL_SHAPE_TEXT(b->shape));
    dl_tensor *y = dl_empty(shape);
    if (equal)
        kernel(y->size, dl_data(a), dl_data(b), dl_data(y));
    else
        dl_apply_pair(kernel, shape, dl_data(y), a->shape, dl_data(a),
                      b->shape, dl_data(b));
    return y;
}
