/* rearrange.c - operations that pick and move numbers. */
#include <limits.h>
#include <string.h>
#include "autograd.h"
#include "base.h"
#include "broadcast.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "rearrange.h"

/* to = from, or to += from if beta is not 0. */
static inline void move(size_t n, dl_real *to, const dl_real *from,
                        dl_real beta)
{
    enum { FEW = 8 };
    if (n == 1)
        *to = beta == 0 ? *from : *to + *from;
    else if (n < FEW)
        for (size_t i = 0; i < n; i++)
            to[i] = beta == 0 ? from[i] : to[i] + from[i];
    else if (beta == 0)
        memcpy(to, from, n * sizeof *to);
    else
        dl_vadd(n, to, from, to);
}

/* Move `runs` runs of `length` numbers each. They begin to_step and
   from_step numbers apart. */
static void move_runs(size_t runs, size_t length,
                      dl_real *to, ptrdiff_t to_step,
                      const dl_real *from, ptrdiff_t from_step,
                      dl_real beta)
{
    for (size_t i = 0; i < runs; i++)
        move(length, to + (ptrdiff_t)i * to_step,
             from + (ptrdiff_t)i * from_step, beta);
}

static void permute_backward(struct dl_node *node)
{
    const dl_tensor *y = node->out;
    const dl_real *g = dl_grad_out(node);
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    int inverse[DL_MAX_RANK];
    for (int k = 0; k < y->shape.rank; k++)
        inverse[node->i[k]] = k;
    if (to != NULL && beta == 0)
        dl_permute_array(to, g, y->shape, inverse);
    else if (to != NULL)
        {
            dl_real *share = dl_pool_get(y->size * sizeof *share);
            dl_permute_array(share, g, y->shape, inverse);
            dl_vadd(y->size, to, share, to);
            dl_pool_put(share, y->size * sizeof *share);
        }
}

static dl_tensor *permute(const struct dl_op *op, dl_tensor *x,
                          const int axes[])
{
    struct dl_shape s = x->shape;
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = x->shape.dim[axes[k]];
    dl_tensor *y = dl_empty(s);
    dl_permute_array(dl_data(y), dl_data(x), x->shape, axes);
    struct dl_node *node = dl_record(op, y, 1, &x);
    for (int k = 0; node != NULL && k < s.rank; k++)
        node->i[k] = axes[k];
    return y;
}

dl_tensor *dl_permute(dl_tensor *x, struct dl_axes axes)
{
    static const struct dl_op op = {"permute", permute_backward};
    dl_check_tensor(x);
    dl_check(axes.n == x->shape.rank, "%d axes for the shape %s", axes.n,
             DL_SHAPE_TEXT(x->shape));
    int seen = 0;
    for (int k = 0; k < axes.n; k++) {
        axes.at[k] = dl_resolve_axis(x->shape, axes.at[k]);
        dl_check((seen >> axes.at[k] & 1) == 0, "axis %d of the shape %s "
                 "comes twice", axes.at[k], DL_SHAPE_TEXT(x->shape));
        seen |= 1 << axes.at[k];
    }
    return permute(&op, x, axes.at);
}

dl_tensor *dl_transpose(dl_tensor *x, int axis0, int axis1)
{
    static const struct dl_op op = {"transpose", permute_backward};
    dl_check_tensor(x);
    int axes[DL_MAX_RANK] = {0, 1, 2, 3};
    axis0 = dl_resolve_axis(x->shape, axis0);
    axis1 = dl_resolve_axis(x->shape, axis1);
    axes[axis0] = axis1;
    axes[axis1] = axis0;
    return permute(&op, x, axes);
}

static void slice_backward(struct dl_node *node)
{
    const dl_tensor *x = node->in[0];
    struct dl_around a = dl_around(x->shape, node->i[0]);
    size_t row = a.n * a.after, start = (size_t)node->i[1] * a.after;
    size_t length = (size_t)node->out->shape.dim[node->i[0]] * a.after;
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    if (beta == 0)
        dl_vfill(x->size, 0, to);
    move_runs(a.before, length, to + start, (ptrdiff_t)row,
              dl_grad_out(node), (ptrdiff_t)length, beta);
}

dl_tensor *dl_slice(dl_tensor *x, int axis, int start, int length)
{
    static const struct dl_op op = {"slice", slice_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    struct dl_shape s = x->shape;
    dl_check(start >= 0 && length >= 0 && length <= s.dim[axis] - start,
             "there are no %d members from %d on along axis %d of the shape "
             "%s", length, start, axis, DL_SHAPE_TEXT(s));
    struct dl_around a = dl_around(s, axis);
    s.dim[axis] = length;
    dl_tensor *y = dl_empty(s);
    size_t run = (size_t)length * a.after;
    move_runs(a.before, run, dl_data(y), (ptrdiff_t)run,
              dl_data(x) + (size_t)start * a.after,
              (ptrdiff_t)(a.n * a.after), 0);
    struct dl_node *node = dl_record(&op, y, 1, &x);
    if (node != NULL) {
        node->i[0] = axis;
        node->i[1] = start;
    }
    return y;
}

static void join_backward(struct dl_node *node)
{
    struct dl_around a = dl_around(node->out->shape, node->i[0]);
    const dl_real *g = dl_grad_out(node);
    for (int k = 0; k < node->inputs; k++) {
        size_t run = a.before > 0 ? node->in[k]->size / a.before : 0;
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to != NULL)
            move_runs(a.before, run, to, (ptrdiff_t)run,
                      g, (ptrdiff_t)(a.n * a.after), beta);
        g += run;
    }
}

/* Put the x[k] into a tensor of shape s, along one of its axes. */
static dl_tensor *join(const struct dl_op *op, int n, dl_tensor *const x[],
                       int axis, struct dl_shape s)
{
    struct dl_around a = dl_around(s, axis);
    dl_tensor *y = dl_empty(s);
    dl_real *to = dl_data(y);
    for (int k = 0; k < n && a.before > 0; k++) {
        size_t run = x[k]->size / a.before;
        move_runs(a.before, run, to, (ptrdiff_t)(a.n * a.after),
                  dl_data(x[k]), (ptrdiff_t)run, 0);
        to += run;
    }
    struct dl_node *node = dl_record(op, y, n, x);
    if (node != NULL)
        node->i[0] = axis;
    return y;
}

dl_tensor *dl_cat(int n, dl_tensor *const x[], int axis)
{
    static const struct dl_op op = {"cat", join_backward};
    dl_check(n >= 1 && x != NULL, "%d tensors", n);
    for (int k = 0; k < n; k++)
        dl_check_tensor(x[k]);
    struct dl_shape s = x[0]->shape;
    axis = dl_resolve_axis(s, axis);
    long length = 0;
    for (int k = 0; k < n; k++)
        {
            struct dl_shape other = x[k]->shape;
            if (other.rank == s.rank) {
                length += other.dim[axis];
                other.dim[axis] = s.dim[axis];
            }
            dl_check(dl_shape_equal(other, s), "tensor %d has the shape %s, which "
                     "does not fit %s along axis %d", k, DL_SHAPE_TEXT(x[k]->shape),
                     DL_SHAPE_TEXT(s), axis);
        }
    dl_check(length <= INT_MAX, "an axis cannot have the length %ld",
             length);
    s.dim[axis] = (int)length;
    return join(&op, n, x, axis, s);
}

dl_tensor *dl_stack(int n, dl_tensor *const x[], int axis)
{
    static const struct dl_op op = {"stack", join_backward};
    dl_check(n >= 1 && x != NULL, "%d tensors", n);
    for (int k = 0; k < n; k++) {
        dl_check_tensor(x[k]);
        dl_check(dl_shape_equal(x[k]->shape, x[0]->shape), "tensor %d has "
                 "the shape %s, the first %s", k, DL_SHAPE_TEXT(x[k]->shape),
                 DL_SHAPE_TEXT(x[0]->shape));
    }
    struct dl_shape old = x[0]->shape, s = {.rank = old.rank + 1};
    dl_check(s.rank <= DL_MAX_RANK, "the shape %s has no room for another "
             "axis", DL_SHAPE_TEXT(old));
    axis = dl_resolve_axis(s, axis);
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = k == axis ? n : old.dim[k < axis ? k : k - 1];
    return join(&op, n, x, axis, s);
}

static void expand_backward(struct dl_node *node)
{
    const dl_tensor *x = node->in[0], *y = node->out;
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)
        dl_hand_over(to, x->shape, beta, 1, dl_grad_out(node), y->shape);
}

dl_tensor *dl_expand(dl_tensor *x, struct dl_shape s)
{
    static const struct dl_op op = {"expand", expand_backward};
    dl_check_tensor(x);
    dl_check(dl_broadcasts_to(x->shape, s), "the shape %s cannot be "
             "expanded to %s", DL_SHAPE_TEXT(x->shape), DL_SHAPE_TEXT(s));
    dl_tensor *y = dl_empty(s);
    dl_broadcast_copy(y, x);
    dl_record(&op, y, 1, &x);
    return y;
}

static void flip(struct dl_around a, dl_real *to, const dl_real *from,
                 dl_real beta)
{
    size_t row = a.n * a.after;
    for (size_t o = 0; o < a.before && row > 0; o++)
        move_runs(a.n, a.after, to + o * row, (ptrdiff_t)a.after,
                  from + (o + 1) * row - a.after, -(ptrdiff_t)a.after, beta);
}

static void flip_backward(struct dl_node *node)
{
    struct dl_around a = dl_around(node->out->shape, node->i[0]);
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)
        flip(a, to, dl_grad_out(node), beta);
}

dl_tensor *dl_flip(dl_tensor *x, int axis)
{
    static const struct dl_op op = {"flip", flip_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    dl_tensor *y = dl_empty(x->shape);
    flip(dl_around(x->shape, axis), dl_data(y), dl_data(x), 0);
    struct dl_node *node = dl_record(&op, y, 1, &x);
    if (node != NULL)
        node->i[0] = axis;
    return y;
}

struct scatter {
    struct dl_around a;             /* the shape of `to` */
    size_t n;                       /* how many indices */
    const int *index;
    const dl_real *from;
    dl_real *to;
};

/* Add the columns begin ... end - 1 of [before, n, after], where column
   o after + r is made of the elements (o, 0, r), (o, 1, r), ... */
static void scatter_columns(size_t begin, size_t end, void *context)
{
    const struct scatter *s = context;
    size_t after = s->a.after;
    while (begin < end) {
        size_t o = begin / after, r = begin % after;
        size_t run = after - r < end - begin ? after - r : end - begin;
        const dl_real *from = s->from + o * s->n * after + r;
        dl_real *to = s->to + o * s->a.n * after + r;
        for (size_t j = 0; j < s->n; j++)
            move(run, to + (size_t)s->index[j] * after, from + j * after, 1);
        begin += run;
    }
}

static void select_backward(struct dl_node *node)
{
    enum { WORTH = 1 << 14, LINE = 16 };
    const dl_tensor *x = node->in[0];
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    if (beta == 0)
        dl_vfill(x->size, 0, to);
    struct scatter s = {dl_around(x->shape, node->i[0]), (size_t)node->i[1],
                        node->context, dl_grad_out(node), to};
    size_t grain = (1 + WORTH / (s.n + 1) / LINE) * LINE;
    dl_parallel_for(s.a.before * s.a.after, grain, scatter_columns, &s);
}

static dl_tensor *pick_rows(const struct dl_op *op, dl_tensor *x, int axis,
                            struct dl_ints index)
{
    struct dl_around a = dl_around(x->shape, axis);
    struct dl_shape s = x->shape;
    s.dim[axis] = index.n;
    dl_tensor *y = dl_empty(s);
    dl_real *to = dl_data(y);
    for (size_t o = 0; o < a.before; o++)
        for (int j = 0; j < index.n; j++, to += a.after)
            move(a.after, to, dl_data(x) + (o * a.n
                 + (size_t)index.at[j]) * a.after, 0);
    struct dl_node *node = dl_record(op, y, 1, &x);
    if (node != NULL) {
        node->i[0] = axis;
        node->i[1] = index.n;
        node->context = dl_keep_ints(index);
    }
    return y;
}

dl_tensor *dl_index_select(dl_tensor *x, int axis, struct dl_ints index)
{
    static const struct dl_op op = {"index_select", select_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    dl_check_ints(index, -1, x->shape.dim[axis], x->shape);
    return pick_rows(&op, x, axis, index);
}

dl_tensor *dl_embedding(dl_tensor *weight, struct dl_ints ids)
{
    static const struct dl_op op = {"embedding", select_backward};
    dl_check_tensor(weight);
    dl_check(weight->shape.rank == 2, "the weights have the shape %s, not "
             "[words, width]", DL_SHAPE_TEXT(weight->shape));
    dl_check_ints(ids, -1, weight->shape.dim[0], weight->shape);
    return pick_rows(&op, weight, 0, ids);
}

enum { R = DL_MAX_RANK };
struct gather {
    size_t dim[R], stride[R];       /* of the result; of steps through x */
    size_t along;                   /* stride of x along the picked axis */
};

static struct gather gather_from(struct dl_shape x, int axis,
                                 struct dl_shape s)
{
    struct gather g = {{1, 1, 1, 1}, {0}, 0};
    size_t step = 1;
    for (int k = s.rank - 1; k >= 0; k--) {
        g.dim[k + R - s.rank] = (size_t)s.dim[k];
        *(k == axis ? &g.along : &g.stride[k + R - s.rank]) = step;
        step *= (size_t)x.dim[k];
    }
    return g;
}

/* Where in x the numbered row of the result begins. */
static size_t place_of_row(const struct gather *g, size_t row)
{
    size_t j = row / g->dim[2], i = j / g->dim[1];
    return i * g->stride[0] + j % g->dim[1] * g->stride[1]
           + row % g->dim[2] * g->stride[2];
}

static void gather_backward(struct dl_node *node)
{
    const dl_tensor *x = node->in[0];
    struct gather g = gather_from(x->shape, node->i[0], node->out->shape);
    const int *index = node->context;
    const dl_real *from = dl_grad_out(node);
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    if (beta == 0)
        dl_vfill(x->size, 0, to);
    for (size_t row = 0; row < g.dim[0] * g.dim[1] * g.dim[2]; row++) {
        dl_real *at = to + place_of_row(&g, row);
        for (size_t i = 0; i < g.dim[3]; i++)
            at[i * g.stride[3] + (size_t)*index++ * g.along] += *from++;
    }
}

dl_tensor *dl_gather(dl_tensor *x, int axis, struct dl_shape s,
                     struct dl_ints index)
{
    static const struct dl_op op = {"gather", gather_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    bool fits = s.rank == x->shape.rank;
    for (int k = 0; fits && k < s.rank; k++)
        fits = k == axis || s.dim[k] <= x->shape.dim[k];
    dl_check(fits, "the shape %s cannot be gathered along axis %d of the "
             "shape %s", DL_SHAPE_TEXT(s), axis, DL_SHAPE_TEXT(x->shape));
    dl_check_ints(index, (long)dl_shape_size(s), x->shape.dim[axis],
                  x->shape);
    dl_tensor *y = dl_empty(s);
    struct gather g = gather_from(x->shape, axis, s);
    const int *t = index.at;
    dl_real *to = dl_data(y);
    for (size_t row = 0; row < g.dim[0] * g.dim[1] * g.dim[2]; row++) {
        const dl_real *at = dl_data(x) + place_of_row(&g, row);
        for (size_t i = 0; i < g.dim[3]; i++)
            *to++ = at[i * g.stride[3] + (size_t)*t++ * g.along];
    }
    struct dl_node *node = dl_record(&op, y, 1, &x);
    if (node != NULL) {
        node->i[0] = axis;
        node->context = dl_keep_ints(index);
    }
    return y;
}
