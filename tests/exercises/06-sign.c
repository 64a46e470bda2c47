/* Exercise: an operation whose backward function is not its derivative. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "memory.h"

extern dl_tensor *binary(dl_tensor *x);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(binary, .init = enter);

static const dl_real at[7] = {-3, -1, -0.5f, 0, 0.25f, 1, 1.5f};

static dl_tensor *points(void)
{
    dl_tensor *x = dl_from_array(DL_SHAPE(7), at);
    x->requires_grad = true;
    return x;
}

Test(binary, values_are_signs)
{
    dl_tensor *x = points(), *y = binary(x);
    for (int i = 0; i < 7; i++) {
        cr_assert(eq(dbl, dl_data(y)[i], at[i] < 0 ? -1 : 1));
        cr_assert(eq(dbl, dl_data(x)[i], at[i]), "the input was changed");
    }
}

Test(binary, the_gradient_passes_between_minus_1_and_1)
{
    static const double wanted[7] = {0, 1, 2, 3, 4, 5, 0};
    dl_tensor *x = points(), *g = dl_from_array(DL_SHAPE(7), (dl_real[]){9, 1, 2, 3, 4, 5, 9});
    for (int pass = 1; pass <= 2; pass++) {
        dl_backward_from(binary(x), g);
        for (int i = 0; i < 7; i++)
            cr_assert(eq(dbl, dl_grad(x)[i], pass * wanted[i]));
    }
}

Test(binary, shape_is_kept_and_constants_stay_constants)
{
    dl_tensor *y = binary(dl_zeros(DL_SHAPE(2, 3)));
    cr_assert(y->shape.rank == 2 && y->shape.dim[1] == 3 && !y->requires_grad);
}
