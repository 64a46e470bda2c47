/* Exercise: the whole Jacobian matrix. */
#include "autograd.h"
#include "basic.h"
#include "memory.h"

extern void jacobian(dl_tensor *y, dl_tensor *x, dl_real *J);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(jacobian, .init = enter);

static dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

Test(jacobian, of_a_linear_map_is_its_matrix)
{
    dl_tensor *x = leaf(dl_full(DL_SHAPE(1, 3), 1)), *w = dl_from_array(DL_SHAPE(3, 2), (dl_real[]){1, 2, 3, 4, 5, 6});
    dl_tensor *y = dl_view(dl_matmul(x, w), DL_SHAPE(2));
    dl_real J[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
    jacobian(y, x, J);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            cr_assert(eq(dbl, J[3 * i + j], dl_data(w)[2 * j + i]));
    cr_assert(dl_grad(x) == NULL, "the leaf still has a gradient");
}

Test(jacobian, of_an_elementwise_function_is_diagonal)
{
    dl_tensor *x = leaf(dl_from_array(DL_SHAPE(3), (dl_real[]){0.5f, -1, 2})), *y = dl_tanh(dl_mul(x, x));
    dl_real J[9];
    jacobian(y, x, J);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double v = dl_data(x)[i], t = tanh(v * v);
            cr_assert(epsilon_eq(dbl, J[3 * i + j], i == j ? 2 * v * (1 - t * t) : 0, 1e-6));
        }
}

Test(jacobian, an_earlier_gradient_does_not_disturb_and_a_second_call_works)
{
    dl_tensor *x = leaf(dl_full(DL_SHAPE(2), 3)), *y = dl_mul(x, x);
    dl_real J[4], again[4];
    dl_backward(dl_sum(dl_add(x, x)));
    jacobian(y, x, J);
    jacobian(y, x, again);
    const double wanted[4] = {6, 0, 0, 6};
    for (int k = 0; k < 4; k++) {
        cr_assert(eq(dbl, J[k], wanted[k]));
        cr_assert(eq(dbl, again[k], wanted[k]));
    }
}
