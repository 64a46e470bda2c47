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
                       struct dl_ints list, size_t count, int length,
                       struct dl_shape shape)
{
    if (list.n < 0 || (size_t)list.n != count || (count > 0 && !list.at))
        dl_fail(file, line, function, "%d indices instead of %zu, for the "
                "shape %s", list.n, count, DL_SHAPE_TEXT(shape));
    for (int i = 0; i < list.n; i++)
        if (list.at[i] < 0 || list.at[i] >= length)
            dl_fail(file, line, function, "index %d, at position %d, is not "
                    "in 0 ... %d, for the shape %s", list.at[i], i,
                    length - 1, DL_SHAPE_TEXT(shape));
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

const int *dl_keep_ints(struct dl_ints list)
{
    size_t n = (size_t)list.n;
    dl_check(dl_scope_reserve(), "no memory for %d indices", list.n);
    struct kept *k = dl_pool_get(sizeof *k + n * sizeof *k->at);
    k->bytes = sizeof *k + n * sizeof *k->at;
    if (n > 0)
        memcpy(k->at, list.at, n * sizeof *k->at);
    dl_scope_defer(drop_kept, k);
    return k->at;
}
