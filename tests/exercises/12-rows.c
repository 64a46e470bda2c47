/* Exercise: dropout of whole rows. */
#include "autograd.h"
#include "memory.h"
#include "random.h"
#include "tensor.h"

extern dl_tensor *drop_rows(dl_tensor *x, double p, struct dl_random *r);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void check_shape(struct dl_shape shape, double p)
{
    struct dl_random r, same;
    struct dl_params params = {0};
    dl_tensor *x = dl_param(&params, "x", shape);
    dl_random_seed(&r, 7);
    for (size_t i = 0; i < x->size; i++)
        dl_data(x)[i] = (dl_real)(i + 1);
    same = r;
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *y = drop_rows(x, p, &r);
    cr_assert(dl_shape_equal(y->shape, shape));
    dl_backward_from(y, dl_full(shape, 3));
    size_t length = x->size / (size_t)shape.dim[0];
    for (int m = 0; m < shape.dim[0]; m++) {
        dl_real factor = p == 0 || dl_random_uniform_double(&same) < 1 - p ? 1 / (dl_real)(1 - p) : 0;
        for (size_t i = m * length; i < (m + 1) * length; i++) {
            cr_assert(dl_data(y)[i] == factor * dl_data(x)[i], "row %d, p %g: %g", m, p, (double)dl_data(y)[i]);
            cr_assert(dl_grad(x)[i] == 3 * factor, "row %d, p %g: the gradient is %g", m, p, (double)dl_grad(x)[i]);
        }
    }
    cr_assert(dl_random_u32(&r) == dl_random_u32(&same), "one draw for each row");
    dl_scope_leave(scope);
    dl_zero_grad(&params);
    dl_params_free(&params);
}

Test(rows, are_dropped_or_scaled_as_a_whole)
{
    for (int k = 0; k < 10; k += 3) {
        check_shape(DL_SHAPE(20), k / 10.0);
        check_shape(DL_SHAPE(20, 3), k / 10.0);
        check_shape(DL_SHAPE(7, 2, 3), k / 10.0);
        check_shape(DL_SHAPE(5, 2, 2, 4), k / 10.0);
        check_shape(DL_SHAPE(1, 1), k / 10.0);
    }
}
