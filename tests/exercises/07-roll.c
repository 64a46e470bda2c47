/* Exercise: rolling an axis. */
#include "autograd.h"
#include "base.h"
#include "memory.h"
#include "ops.h"

extern dl_tensor *roll(dl_tensor *x, int axis, int shift);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <limits.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_RECORD); }
TestSuite(roll, .init = enter);

static dl_tensor *count_up(struct dl_shape s)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)i;
    t->requires_grad = true;
    return t;
}

Test(roll, members_move_on_and_come_in_at_the_front)
{
    static const int shifts[] = {0, 1, 2, 3, 4, 7, -1, -2, -5, 1000001, INT_MAX, INT_MIN};
    for (int axis = -3; axis < 3; axis++)
        for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
            const int dim[3] = {2, 3, 4};
            dl_tensor *x = count_up(DL_SHAPE(2, 3, 4)), *y = roll(x, axis, shifts[s]);
            int k = axis < 0 ? axis + 3 : axis;
            for (int i = 0; i < 24; i++) {
                int at[3] = {i / 12, i / 4 % 3, i % 4};
                at[k] = (int)((((long)at[k] + shifts[s]) % dim[k] + dim[k]) % dim[k]);
                cr_assert(dl_at(y, at[0], at[1], at[2])[0] == (dl_real)i, "axis %d, shift %d", axis, shifts[s]);
            }
        }
}

Test(roll, gradient_rolls_back)
{
    dl_tensor *x = count_up(DL_SHAPE(5)), *y = roll(x, 0, 2);
    dl_backward_from(y, count_up(DL_SHAPE(5)));
    for (int i = 0; i < 5; i++)
        cr_assert(dl_grad(x)[i] == (dl_real)((i + 2) % 5));
}

Test(roll, axes_of_length_0_and_1)
{
    cr_assert(eq(sz, roll(count_up(DL_SHAPE(0, 3)), 0, 5)->size, 0));
    cr_assert(eq(sz, roll(count_up(DL_SHAPE(3, 0)), 0, -5)->size, 0));
    cr_assert(dl_item(roll(dl_full(DL_SHAPE(1), 7), 0, 3)) == 7);
}
