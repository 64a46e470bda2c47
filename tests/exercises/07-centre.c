/* Exercise: rows without their means. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "memory.h"

extern dl_tensor *centre(dl_tensor *x);

#include "../fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(centre, .init = enter);

static dl_tensor *make(struct dl_shape s, const dl_real *x)
{
    dl_tensor *t = dl_from_array(s, x);
    t->requires_grad = true;
    return t;
}

static void are(int n, const dl_real *got, const double *wanted)
{
    cr_assert(got != NULL);
    for (int i = 0; i < n; i++)
        cr_assert(epsilon_eq(dbl, got[i], wanted[i], 1e-6), "element %d", i);
}

Test(centre, each_row_loses_its_mean)
{
    dl_tensor *y = centre(make(DL_SHAPE(2, 1, 3), (dl_real[]){1, 2, 6, -1, -1, -1}));
    cr_assert(eq(int, y->shape.rank, 3));
    are(6, dl_data(y), (double[]){-2, -1, 3, 0, 0, 0});
}

Test(centre, so_does_the_gradient_which_is_added)
{
    dl_tensor *x = make(DL_SHAPE(2, 2), (dl_real[]){1, 2, 3, 4}), *g = make(DL_SHAPE(2, 2), (dl_real[]){1, 5, 7, 7});
    dl_backward_from(centre(x), g);
    are(4, dl_grad(x), (double[]){-2, 2, 0, 0});
    dl_backward_from(centre(x), g);
    are(4, dl_grad(x), (double[]){-4, 4, 0, 0});
}

Test(centre, nothing_needs_to_be_saved)
{
    dl_tensor *x = make(DL_SHAPE(2), (dl_real[]){1, 2}), *y = centre(x);
    dl_fill(x, 0);
    dl_backward_from(y, make(DL_SHAPE(2), (dl_real[]){0, 2}));
    are(2, dl_grad(x), (double[]){-1, 1});
}

Test(centre, a_single_number_is_refused)
{
    fails_with(centre(dl_scalar(1)), "centre");
}
