/* Exercise: a hook that shortens a gradient. */
#include "autograd.h"
#include "basic.h"
#include "memory.h"

extern void clip(dl_tensor *t, dl_real *grad, void *context);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(clip, .init = enter);

static void expect(const dl_real *given, double limit, double first, double second)
{
    dl_tensor *t = dl_zeros(DL_SHAPE(2));
    dl_real grad[3] = {given[0], given[1], 77};
    clip(t, grad, &limit);
    cr_assert(epsilon_eq(dbl, grad[0], first, 1e-6 * (1 + fabs(first))));
    cr_assert(epsilon_eq(dbl, grad[1], second, 1e-6 * (1 + fabs(second))));
    cr_assert(eq(dbl, grad[2], 77));
}

Test(clip, a_short_gradient_is_left_alone)
{
    expect((dl_real[]){3, 4}, 5, 3, 4);
    expect((dl_real[]){3, -4}, 100, 3, -4);
    expect((dl_real[]){0, 0}, 1, 0, 0);
    expect((dl_real[]){0, 0}, 0, 0, 0);
}

Test(clip, a_long_one_keeps_its_direction)
{
    expect((dl_real[]){3, -4}, 1, 0.6, -0.8);
    expect((dl_real[]){30, 40}, 5, 3, 4);
    expect((dl_real[]){3, 4}, 0, 0, 0);
}

Test(clip, lengths_that_a_float_cannot_square)
{
    expect((dl_real[]){3e30f, 4e30f}, 5, 3, 4);
    expect((dl_real[]){3e-30f, 4e-30f}, 1, 3e-30, 4e-30);
}

Test(clip, what_is_not_finite_becomes_zero)
{
    expect((dl_real[]){INFINITY, 1}, 5, 0, 0);
    expect((dl_real[]){1, NAN}, 5, 0, 0);
    expect((dl_real[]){-INFINITY, NAN}, 5, 0, 0);
}

Test(clip, works_as_a_hook)
{
    double limit = 1;
    dl_tensor *x = dl_full(DL_SHAPE(4), 3);
    x->requires_grad = true;
    dl_tensor *s = dl_mul(x, x);
    dl_register_hook(s, clip, &limit);
    dl_backward(dl_sum(dl_add(s, s)));                          /* (2, 2, 2, 2) is 4 long */
    cr_assert(epsilon_eq(dbl, dl_grad(x)[2], 0.5 * 6, 1e-6));
}
