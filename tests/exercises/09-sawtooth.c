/* Exercise 09-sawtooth: the tent map, k times, by layers of two neurons. */
#include "dlfs.h"
#include <criterion/criterion.h>
#include <math.h>

extern dl_tensor *sawtooth(dl_tensor *x, int k);

static double tent(double x, int k)
{
    for (; k > 0; k--)
        x = x < 0.5 ? 2 * x : 2 - 2 * x;
    return x;
}

Test(sawtooth, is_the_tent_map_repeated)
{
    enum { N = 1025 };
    for (int k = 1; k <= 10; k++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_empty(DL_SHAPE(N, 1));
        for (int i = 0; i < N; i++)
            dl_data(x)[i] = (dl_real)i / (N - 1);
        dl_tensor *y = sawtooth(x, k);
        cr_assert(y != NULL && dl_shape_equal(y->shape, x->shape), "k = %d", k);
        for (int i = 0; i < N; i++)
            cr_assert(fabs(dl_data(y)[i] - tent(dl_data(x)[i], k)) < 1e-3, "k = %d, x = %g: %g", k,
                      (double)dl_data(x)[i], (double)dl_data(y)[i]);
        dl_scope_leave(scope);
    }
}

Test(sawtooth, has_a_slope_of_two_to_the_k)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = dl_from_array(DL_SHAPE(3, 1), (dl_real[]){0.01, 0.51, 0.99});
    x->requires_grad = true;
    dl_tensor *y = sawtooth(x, 4);
    cr_assert(y != NULL);
    dl_backward(dl_sum(y));
    cr_assert(dl_grad(x)[0] == 16 && dl_grad(x)[1] == 16 && dl_grad(x)[2] == -16, "%g %g %g", (double)dl_grad(x)[0],
              (double)dl_grad(x)[1], (double)dl_grad(x)[2]);
    dl_scope_leave(scope);
}
