/* Exercise: Huber's function as an operation of its own. */
#include "autograd.h"
#include "base.h"
#include "memory.h"
#include "ops.h"

extern dl_tensor *huber(dl_tensor *x, dl_real delta);

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(huber, .init = enter);

static const dl_real at[7] = {-3, -2, -0.5f, 0, 1, 2, 10};

static dl_tensor *points(void)
{
    dl_tensor *x = dl_from_array(DL_SHAPE(7), at);
    x->requires_grad = true;
    return x;
}

Test(huber, values)
{
    static const double wanted[7] = {4, 2, 0.125, 0, 0.5, 2, 18};
    dl_tensor *x = points(), *y = huber(x, 2);
    for (int i = 0; i < 7; i++)
        cr_assert(epsilon_eq(dbl, dl_data(y)[i], wanted[i], 1e-6));
}

Test(huber, gradients_are_added)
{
    static const double wanted[7] = {-2, -2, -0.5, 0, 1, 2, 2};
    dl_tensor *x = points();
    for (int pass = 1; pass <= 2; pass++) {
        dl_backward_from(huber(x, 2), dl_full(DL_SHAPE(7), 3));
        for (int i = 0; i < 7; i++)
            cr_assert(epsilon_eq(dbl, dl_grad(x)[i], 3 * pass * wanted[i], 1e-6));
    }
}

Test(huber, keeps_the_shape_and_refuses_what_has_no_sense)
{
    dl_tensor *y = huber(dl_zeros(DL_SHAPE(2, 3)), 1);
    cr_assert(y->shape.rank == 2 && y->shape.dim[1] == 3 && !y->requires_grad);
    fails_with(huber(points(), 0), "0");
    fails_with(huber(points(), -1), "-1");
}
