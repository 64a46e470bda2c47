/* Exercise "Ask twice". */
#include "basic.h"
#include "dlfs.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern dl_tensor *ask_twice(dl_tensor *(*network)(dl_tensor *x), dl_tensor *x, int height, int width);

/* Two logits: the left and the right pixel of the second row. */
static int asked;
static dl_tensor *corners(dl_tensor *x)
{
    dl_tensor *z = dl_empty(DL_SHAPE(x->shape.dim[0], 2));
    for (int i = 0; i < z->shape.dim[0]; i++) {
        *dl_at(z, i, 0) = dl_data(x)[6 * i + 3];
        *dl_at(z, i, 1) = dl_data(x)[6 * i + 5];
    }
    asked++;
    return z;
}

Test(ask_twice, is_the_mean_of_the_probabilities_and_leaves_the_batch_alone)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    static const dl_real values[] = {9, 9, 9, 1, 5, 3, 9, 9, 9, -2, 5, 0.5};
    dl_tensor *x = dl_from_array(DL_SHAPE(2, 2, 3), values), *old = dl_clone(x);
    asked = 0;
    dl_tensor *p = ask_twice(corners, x, 2, 3);
    cr_assert(p != NULL && asked == 2);
    cr_assert(dl_equal(x, old));
    cr_assert(dl_shape_equal(p->shape, DL_SHAPE(2, 2)));
    for (int i = 0; i < 4; i++)             /* this network contradicts itself perfectly */
        cr_assert(fabs((double)dl_data(p)[i] - 0.5) < 1e-6);
    dl_scope_leave(scope);
}

/* Two logits: the left pixel of the second row, and a constant. */
static dl_tensor *left(dl_tensor *x)
{
    dl_tensor *z = dl_zeros(DL_SHAPE(x->shape.dim[0], 2));
    for (int i = 0; i < z->shape.dim[0]; i++)
        *dl_at(z, i, 0) = dl_data(x)[6 * i + 3];
    return z;
}

Test(ask_twice, averages_probabilities_and_not_logits)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    static const dl_real values[] = {0, 0, 0, 1, 7, 3};
    dl_tensor *p = ask_twice(left, dl_from_array(DL_SHAPE(1, 6), values), 2, 3);
    cr_assert(p != NULL);
    double wanted = (1 / (1 + exp(-1)) + 1 / (1 + exp(-3))) / 2;
    cr_assert(fabs((double)dl_data(p)[0] - wanted) < 1e-6);
    cr_assert(fabs((double)dl_data(p)[1] - (1 - wanted)) < 1e-6);
    dl_scope_leave(scope);
}
