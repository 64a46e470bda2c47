/* Exercise: a form in two vectors, from operations that exist. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "memory.h"
#include "random.h"

extern dl_tensor *bilinear(dl_tensor *x, dl_tensor *weight, dl_tensor *z);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

enum { B = 3, R = 2, P = 4, Q = 5 };

static struct dl_random source;

static dl_tensor *normal(struct dl_shape s)
{
    dl_tensor *t = dl_normal(s, &source, 0, 1);
    t->requires_grad = true;
    return t;
}

Test(bilinear, values_and_gradients_are_those_of_the_triple_sum)
{
    dl_random_seed(&source, 3);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = normal(DL_SHAPE(B, P)), *w = normal(DL_SHAPE(R, P, Q)), *z = normal(DL_SHAPE(B, Q));
    dl_tensor *g = normal(DL_SHAPE(B, R)), *y = bilinear(x, w, z);
    cr_assert(dl_shape_equal(y->shape, g->shape));
    double dx[B][P] = {0}, dw[R][P][Q] = {0}, dz[B][Q] = {0};
    for (int b = 0; b < B; b++)
        for (int o = 0; o < R; o++) {
            double sum = 0, gb = *dl_at(g, b, o);
            for (int i = 0; i < P; i++)
                for (int j = 0; j < Q; j++) {
                    double xi = *dl_at(x, b, i), wij = *dl_at(w, o, i, j), zj = *dl_at(z, b, j);
                    sum += xi * wij * zj;
                    dx[b][i] += gb * wij * zj;
                    dw[o][i][j] += gb * xi * zj;
                    dz[b][j] += gb * xi * wij;
                }
            cr_assert(epsilon_eq(dbl, *dl_at(y, b, o), sum, 1e-4));
        }
    dl_backward_from(y, g);
    for (int k = 0; k < B * P; k++)
        cr_assert(epsilon_eq(dbl, dl_grad(x)[k], ((double *)dx)[k], 1e-4));
    for (int k = 0; k < R * P * Q; k++)
        cr_assert(epsilon_eq(dbl, dl_grad(w)[k], ((double *)dw)[k], 1e-4));
    for (int k = 0; k < B * Q; k++)
        cr_assert(epsilon_eq(dbl, dl_grad(z)[k], ((double *)dz)[k], 1e-4));
    dl_scope_leave(scope);
}
