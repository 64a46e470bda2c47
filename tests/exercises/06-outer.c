/* Exercise: the outer product as an operation of one's own. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "memory.h"

extern dl_tensor *outer(dl_tensor *a, dl_tensor *b);

#include "../fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static dl_tensor *make(struct dl_shape s, float first)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)(first + 0.5 * (double)i);
    t->requires_grad = true;
    return t;
}

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(outer, .init = enter);

Test(outer, values_are_all_products)
{
    dl_tensor *y = outer(make(DL_SHAPE(3), 1), make(DL_SHAPE(4), -1));
    cr_assert(y->shape.rank == 2 && y->shape.dim[0] == 3 && y->shape.dim[1] == 4);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            cr_assert(eq(dbl, dl_data(y)[4 * i + j], (1 + 0.5 * i) * (-1 + 0.5 * j)));
}

/* The same as a product of matrices. */
Test(outer, gradients_are_those_of_a_matrix_product)
{
    dl_tensor *a = make(DL_SHAPE(3), 1), *b = make(DL_SHAPE(5), -1), *c = make(DL_SHAPE(3), 1), *d = make(DL_SHAPE(5), -1);
    dl_tensor *g = make(DL_SHAPE(3, 5), -2);
    for (int pass = 0; pass < 2; pass++) {                      /* the second time gradients are added to */
        dl_backward_from(outer(a, b), g);
        dl_backward_from(dl_matmul(dl_view(c, DL_SHAPE(3, 1)), dl_view(d, DL_SHAPE(1, 5))), g);
        for (int i = 0; i < 3; i++)
            cr_assert(epsilon_eq(dbl, dl_grad(a)[i], dl_grad(c)[i], 1e-5));
        for (int j = 0; j < 5; j++)
            cr_assert(epsilon_eq(dbl, dl_grad(b)[j], dl_grad(d)[j], 1e-5));
    }
}

Test(outer, a_vector_with_itself_receives_both_shares)
{
    dl_tensor *a = make(DL_SHAPE(2), 1);
    dl_backward(dl_sum(outer(a, a)));                           /* (1 + 1.5)^2 */
    cr_assert(eq(dbl, dl_grad(a)[0], 5));
    cr_assert(eq(dbl, dl_grad(a)[1], 5));
}

Test(outer, constants_get_nothing_and_changes_are_noticed)
{
    dl_tensor *a = make(DL_SHAPE(2), 1), *b = make(DL_SHAPE(2), 3);
    b->requires_grad = false;
    dl_backward(dl_sum(outer(a, b)));
    cr_assert(dl_grad(b) == NULL);
    cr_assert(eq(dbl, dl_grad(a)[1], 6.5));
    dl_tensor *y = dl_sum(outer(a, b));
    dl_fill(b, 0);
    fails_with(dl_backward(y), "changed");
}

Test(outer, matrices_are_refused)
{
    dl_tensor *a = make(DL_SHAPE(2), 1), *m = make(DL_SHAPE(2, 2), 1);
    fails_with(outer(a, m), "[2, 2]");
    fails_with(outer(m, a), "[2, 2]");
}
