/* Exercise: a loss that looks away from what is easy. */
#include "autograd.h"
#include "loss.h"
#include "memory.h"
#include "ops.h"
#include "random.h"

extern dl_tensor *focal(dl_tensor *logits, struct dl_ints label, dl_real gamma);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(focal, .init = enter);

Test(focal, is_the_cross_entropy_for_gamma_0)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    dl_tensor *x = dl_normal(DL_SHAPE(6, 4), &r, 0, 2);
    struct dl_ints y = DL_INTS(0, 1, 2, 3, 0, 1);
    cr_assert(epsilon_eq(dbl, dl_item(focal(x, y, 0)), dl_item(dl_cross_entropy(x, y)), 1e-5));
}

Test(focal, value_and_gradient_by_hand)
{
    dl_real z = (dl_real)log(3);                        /* p = 3/4 */
    dl_tensor *x = dl_from_array(DL_SHAPE(1, 2), (dl_real[]){z, 0});
    x->requires_grad = true;
    dl_tensor *y = focal(x, DL_INTS(0), 2);
    cr_assert(epsilon_eq(dbl, dl_item(y), -log(0.75) / 16, 1e-6));
    dl_backward(y);
    double by_p = 2 * 0.25 * log(0.75) - 0.0625 / 0.75; /* of -(1-p)^2 ln p */
    cr_assert(epsilon_eq(dbl, dl_grad(x)[0], by_p * 0.75 * 0.25, 1e-6));
    cr_assert(epsilon_eq(dbl, dl_grad(x)[1], -by_p * 0.75 * 0.25, 1e-6));
}

Test(focal, who_is_right_beyond_doubt_feels_nothing)
{
    for (int gamma = 0; gamma <= 2; gamma++) {
        dl_tensor *x = dl_from_array(DL_SHAPE(1, 2), (dl_real[]){300, -300});
        x->requires_grad = true;
        dl_tensor *y = focal(x, DL_INTS(0), (dl_real)gamma);
        cr_assert(epsilon_eq(dbl, dl_item(y), 0, 1e-12));
        dl_backward(y);
        for (int c = 0; c < 2; c++)
            cr_assert(epsilon_eq(dbl, dl_grad(x)[c], 0, 1e-12), "gamma %d: %g", gamma, (double)dl_grad(x)[c]);
    }
}

Test(focal, great_confidence_does_not_overflow)
{
    dl_tensor *x = dl_from_array(DL_SHAPE(1, 2), (dl_real[]){-300, 300});
    x->requires_grad = true;
    dl_tensor *y = focal(x, DL_INTS(0), 2);
    cr_assert(epsilon_eq(dbl, dl_item(y), 600, 1e-3));
    dl_backward(y);
    cr_assert(epsilon_eq(dbl, dl_grad(x)[0], -1, 1e-5));
}
