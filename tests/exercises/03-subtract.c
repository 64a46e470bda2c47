/* Exercise: a difference with broadcasting. */
#include "dlfs.h"
#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

extern void subtract(dl_tensor *to, const dl_tensor *a, const dl_tensor *b);

static struct dl_random r;

static int below(int n) { return (int)dl_random_below(&r, (uint64_t)n); }

static struct dl_shape part_of(struct dl_shape s)
{
    struct dl_shape t = {.rank = below(s.rank + 1)};
    for (int k = 0; k < t.rank; k++)
        t.dim[k] = below(2) ? 1 : s.dim[s.rank - t.rank + k];
    return t;
}

/* The twin: each operand repeated first. */
static void expect(struct dl_shape out, struct dl_shape s, struct dl_shape t)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_normal(s, &r, 0, 1), *b = dl_normal(t, &r, 0, 1), *got = dl_empty(out);
    dl_tensor *x = dl_empty(out), *y = dl_empty(out), *a2 = dl_clone(a), *b2 = dl_clone(b);
    dl_broadcast_copy(x, a);
    dl_broadcast_copy(y, b);
    for (size_t i = 0; i < x->size; i++)
        dl_data(x)[i] -= dl_data(y)[i];
    subtract(got, a, b);
    cr_assert(dl_equal(got, x), "%s - %s", DL_SHAPE_TEXT(s), DL_SHAPE_TEXT(t));
    cr_assert(dl_equal(a, a2) && dl_equal(b, b2), "an operand was changed");
    dl_scope_leave(scope);
}

Test(subtract, shapes_of_the_text)
{
    dl_random_seed(&r, 1);
    expect(DL_SHAPE(3, 4), DL_SHAPE(3, 4), DL_SHAPE(3, 4));
    expect(DL_SHAPE(3, 4), DL_SHAPE(3, 4), DL_SHAPE(4));
    expect(DL_SHAPE(3, 4), DL_SHAPE(3, 1), DL_SHAPE(1, 4));
    expect(DL_SHAPE(3, 4), DL_SHAPE(), DL_SHAPE(3, 4));
    expect(DL_SHAPE(), DL_SHAPE(), DL_SHAPE());
    expect(DL_SHAPE(0, 4), DL_SHAPE(0, 4), DL_SHAPE(4));
}

Test(subtract, random_shapes)
{
    dl_random_seed(&r, 2);
    for (int i = 0; i < 500; i++) {
        struct dl_shape out = {.rank = below(5)};
        for (int k = 0; k < out.rank; k++)
            out.dim[k] = below(6);
        expect(out, part_of(out), i % 2 ? out : part_of(out));
    }
}

Test(subtract, the_result_may_be_an_operand_of_its_shape)
{
    dl_random_seed(&r, 3);
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_full(DL_SHAPE(3, 4), 5), *b = dl_full(DL_SHAPE(4), 2);
    subtract(a, a, b);
    cr_assert(dl_equal(a, dl_full(DL_SHAPE(3, 4), 3)));
    dl_scope_leave(s);
}

Test(subtract, the_version_of_the_result_changes)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_zeros(DL_SHAPE(3)), *to = dl_zeros(DL_SHAPE(3));
    subtract(to, a, a);
    cr_assert(to->storage->version > 0 && a->storage->version == 0);
    dl_scope_leave(s);
}

Test(subtract, what_does_not_fit_is_refused)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *a = dl_zeros(DL_SHAPE(3, 4)), *b = dl_zeros(DL_SHAPE(3)), *to = dl_zeros(DL_SHAPE(3, 4));
    fails_with(subtract(to, a, b), "[3]", "[3, 4]");
    fails_with(subtract(b, a, a), "[3, 4]", "[3]");
    dl_scope_leave(s);
}
