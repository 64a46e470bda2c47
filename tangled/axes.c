/* axes.c - arguments of operations: axes of a shape, and lists of indices. */
#include <string.h>
#include "axes.h"
#include "base.h"
#include "memory.h"

int dl_resolve_axis_for(const char *file, int line, const char *function,
                        struct dl_shape s, int axis)
{
    if (axis < -s.rank || axis >= s.rank)
        dl_fail(file, line, function, "axis %d of the shape %s", axis,
                DL_SHAPE_TEXT(s));
    return axis < 0 ? axis + s.rank : axis;
}

struct dl_around dl_around(struct dl_shape s, int axis)
{
    struct dl_around a = {1, (size_t)s.dim[axis], 1};
    for (int k = 0; k < axis; k++)
        a.before *= (size_t)s.dim[k];
    for (int k = axis + 1; k < s.rank; k++)
        a.after *= (size_t)s.dim[k];
    return a;
}

void dl_check_ints_for(const char *file, int line, const char *function,
                       struct dl_ints list, long count, int length,
                       struct dl_shape shape)
{
    if (list.n < 0 || (list.n > 0 && list.at == NULL))
        dl_fail(file, line, function, "there is no list of %d indices",
                list.n);
    if (count >= 0 && list.n != count)
        dl_fail(file, line, function, "%d indices instead of %ld, for the "
                "shape %s", list.n, count, DL_SHAPE_TEXT(shape));
    for (int i = 0; i < list.n; i++)
        if (list.at[i] < 0 || list.at[i] >= length)
            dl_fail(file, line, function, "index %d, at position %d, is not one of the "
                    "%d along its axis of the shape %s", list.at[i], i, length,
                    DL_SHAPE_TEXT(shape));
}

struct kept {
    size_t bytes;
    int at[];
};

static void drop_kept(void *what)
{
    struct kept *k = what;
    dl_pool_put(k, k->bytes);
}

int *dl_keep_ints(struct dl_ints list)
{
    size_t length = (size_t)list.n * sizeof *list.at;
    size_t bytes = sizeof(struct kept) + length;
    dl_check(dl_scope_reserve(), "no memory for %d indices", list.n);
    struct kept *k = dl_pool_get(bytes);
    k->bytes = bytes;
    if (length > 0)
        memcpy(k->at, list.at, length);
    dl_scope_defer(drop_kept, k);
    return k->at;
}
