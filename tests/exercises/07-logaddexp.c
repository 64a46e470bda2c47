/* Exercise: the logarithm of a sum of exponentials. */
#include "autograd.h"
#include "base.h"
#include "memory.h"
#include "ops.h"

extern dl_tensor *logaddexp(dl_tensor *a, dl_tensor *b);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(logaddexp, .init = enter);

static dl_tensor *leaf(struct dl_shape s, const dl_real *x)
{
    dl_tensor *t = dl_from_array(s, x);
    t->requires_grad = true;
    return t;
}

Test(logaddexp, values_and_gradients_with_broadcasting)
{
    static const dl_real u[6] = {0, 1, -2, 3, 0.5f, -0.5f}, v[3] = {0, 2, -1};
    dl_tensor *a = leaf(DL_SHAPE(2, 3), u), *b = leaf(DL_SHAPE(3), v), *y = logaddexp(a, b);
    cr_assert(y->shape.rank == 2 && y->shape.dim[0] == 2 && y->shape.dim[1] == 3);
    dl_backward_from(y, dl_full(y->shape, 2));
    double sum[3] = {0};
    for (int i = 0; i < 6; i++) {
        double ea = exp(u[i]), eb = exp(v[i % 3]);
        cr_assert(epsilon_eq(dbl, dl_data(y)[i], log(ea + eb), 1e-5));
        cr_assert(epsilon_eq(dbl, dl_grad(a)[i], 2 * ea / (ea + eb), 1e-5));
        sum[i % 3] += 2 * eb / (ea + eb);
    }
    for (int k = 0; k < 3; k++)
        cr_assert(epsilon_eq(dbl, dl_grad(b)[k], sum[k], 1e-5));
}

Test(logaddexp, nothing_overflows)
{
    static const dl_real u[4] = {1000, -1000, 300, -300}, v[4] = {1000, -1000, -300, 300};
    static const double y[4] = {1000.6931471805599, -999.3068528194401, 300, 300}, d[4] = {0.5, 0.5, 1, 0};
    dl_tensor *a = leaf(DL_SHAPE(4), u), *b = leaf(DL_SHAPE(4), v), *z = logaddexp(a, b);
    dl_backward_from(z, dl_full(z->shape, 1));
    for (int i = 0; i < 4; i++) {
        cr_assert(epsilon_eq(dbl, dl_data(z)[i], y[i], 1e-4));
        cr_assert(epsilon_eq(dbl, dl_grad(a)[i], d[i], 1e-6));
        cr_assert(epsilon_eq(dbl, dl_grad(b)[i], 1 - d[i], 1e-6));
    }
}
