/* Exercise: the adjoint of dl_embedding as an operation. */
#include "autograd.h"
#include "base.h"
#include "memory.h"
#include "ops.h"

extern dl_tensor *scatter_rows(dl_tensor *x, int rows, struct dl_ints index);

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(scatter, .init = enter);

static dl_tensor *count_up(struct dl_shape s)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)(i + 1);
    t->requires_grad = true;
    return t;
}

Test(scatter, rows_with_the_same_index_are_added)
{
    dl_tensor *y = scatter_rows(count_up(DL_SHAPE(5, 2)), 4, DL_INTS(1, 3, 1, 3, 1));
    cr_assert(dl_shape_equal(y->shape, DL_SHAPE(4, 2)));
    const dl_real right[8] = {0, 0, 1 + 5 + 9, 2 + 6 + 10, 0, 0, 3 + 7, 4 + 8};
    for (int i = 0; i < 8; i++)
        cr_assert(dl_data(y)[i] == right[i]);
    cr_assert(eq(sz, scatter_rows(count_up(DL_SHAPE(0, 3)), 2, DL_INTS())->size, 6));
}

Test(scatter, gradient_is_a_lookup_and_is_added_to_earlier_ones)
{
    int index[] = {2, 0, 2};
    dl_tensor *x = count_up(DL_SHAPE(3, 2)), *y = scatter_rows(x, 3, (struct dl_ints){3, index});
    dl_tensor *z = scatter_rows(x, 3, DL_INTS(0, 1, 2)), *g = count_up(DL_SHAPE(3, 2));
    index[0] = index[1] = index[2] = 1000000;           /* the operation must have its own copy */
    dl_backward_from(dl_add(y, z), g);
    const dl_real wanted[6] = {5 + 1, 6 + 2, 1 + 3, 2 + 4, 5 + 5, 6 + 6};
    for (int i = 0; i < 6; i++)
        cr_assert(dl_grad(x)[i] == wanted[i]);
}

Test(scatter, what_embedding_would_refuse_is_refused)
{
    dl_tensor *x = count_up(DL_SHAPE(2, 2)), *v = count_up(DL_SHAPE(2));
    fails_with(scatter_rows(x, 3, DL_INTS(0, 3)), "index 3", "position 1");
    fails_with(scatter_rows(x, 3, DL_INTS(-1, 0)), "index -1", "position 0");
    fails_with(scatter_rows(x, 3, DL_INTS(0)), "scatter_rows");
    fails_with(scatter_rows(v, 3, DL_INTS(0, 1)), "[2]");
    fails_with(scatter_rows(NULL, 3, DL_INTS()), "NULL");
}
