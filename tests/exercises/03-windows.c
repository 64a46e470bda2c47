/* Exercise: sliding windows, and their adjoint. */
#include "dlfs.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

extern void windows(dl_tensor *to, const dl_tensor *x);
extern void windows_adjoint(dl_tensor *to, const dl_tensor *y);

Test(windows, three_of_five)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_from_array(DL_SHAPE(5), (dl_real[]){1, 2, 3, 4, 5}), *w = dl_empty(DL_SHAPE(3, 3));
    windows(w, x);
    cr_assert(dl_equal(w, dl_from_array(DL_SHAPE(3, 3), (dl_real[]){1, 2, 3, 2, 3, 4, 3, 4, 5})));
    windows_adjoint(x, w);
    cr_assert(dl_equal(x, dl_from_array(DL_SHAPE(5), (dl_real[]){1, 4, 9, 8, 5})));
    dl_scope_leave(s);
}

Test(windows, the_adjoint_is_the_adjoint)
{
    struct dl_random r;
    dl_random_seed(&r, 4);
    for (int n = 1; n < 40; n++)
        for (int k = 1; k <= n; k++) {
            dl_scope s = dl_scope_enter(DL_NO_GRAD);
            dl_tensor *x = dl_normal(DL_SHAPE(n), &r, 0, 1), *y = dl_normal(DL_SHAPE(n - k + 1, k), &r, 0, 1);
            dl_tensor *Wx = dl_empty(y->shape), *Wy = dl_full(x->shape, NAN);
            windows(Wx, x);
            windows_adjoint(Wy, y);
            double left = 0, right = 0;
            for (size_t i = 0; i < y->size; i++)
                left += (double)dl_data(Wx)[i] * dl_data(y)[i];
            for (size_t i = 0; i < x->size; i++)
                right += (double)dl_data(x)[i] * dl_data(Wy)[i];
            cr_assert(fabs(left - right) < 1e-3, "n = %d, k = %d: <Wx,y> = %g, <x,W'y> = %g", n, k, left, right);
            for (int i = 0; i + k <= n; i++)
                for (int j = 0; j < k; j++)
                    cr_assert(dl_at(Wx, i, j)[0] == dl_at(x, i + j)[0]);
            dl_scope_leave(s);
        }
}

Test(windows, one_window_is_the_vector_itself)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_from_array(DL_SHAPE(3), (dl_real[]){7, 8, 9}), *w = dl_empty(DL_SHAPE(1, 3));
    windows(w, x);
    cr_assert(dl_equal(dl_view(w, DL_SHAPE(3)), x));
    dl_scope_leave(s);
}
