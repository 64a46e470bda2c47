/* axes.h - arguments of operations: axes of a shape, and lists of indices. */
#ifndef DLFS_AXES_H
#define DLFS_AXES_H

#include "tensor.h"

#pragma GCC visibility push(default)

/* Axes, counted from 0; negative ones from the end, so -1 is the last.
   Made by DL_AXES(0, -1). */
struct dl_axes { int n; int at[DL_MAX_RANK]; };

#define DL_AXES(...) \
    ((struct dl_axes){DL_COUNT(__VA_ARGS__), {__VA_ARGS__}})

/* The same axis as 0 ... rank-1. An axis that s does not have is a mistake
   of the calling function's caller, in whose name it is reported. */
#define dl_resolve_axis(s, axis) \
    dl_resolve_axis_for(__FILE__, __LINE__, __func__, s, axis)
int dl_resolve_axis_for(const char *file, int line, const char *function,
                        struct dl_shape s, int axis);

/* s as seen from one of its axes, 0 ... rank-1: [before, n, after]. */
struct dl_around { size_t before, n, after; };
struct dl_around dl_around(struct dl_shape s, int axis);

/* Indices or labels. Made by DL_INTS(4, 0, 4), or from an array. */
struct dl_ints { int n; const int *at; };

#define DL_INTS(...) \
    ((struct dl_ints){DL_COUNT(__VA_ARGS__), \
                      (const int[]){0, ##__VA_ARGS__} + 1})

/* Refuse, in the name of the calling function, a list that does not have
   `count` members (-1: any number), or one of which is not 0 ... length-1.
   The shape is that of the tensor to which they belong. */
#define dl_check_ints(list, count, length, shape) \
    dl_check_ints_for(__FILE__, __LINE__, __func__, list, count, length, \
                      shape)
void dl_check_ints_for(const char *file, int line, const char *function,
                       struct dl_ints list, long count, int length,
                       struct dl_shape shape);

/* A copy of the members that lasts until the innermost scope is left. */
int *dl_keep_ints(struct dl_ints list);

#pragma GCC visibility pop

#endif
