/* tensor.c - arrays of numbers with a shape, contiguous and row-major. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base.h"
#include "memory.h"
#include "tensor.h"

size_t dl_shape_size(struct dl_shape s)
{
    dl_check(s.rank >= 0 && s.rank <= DL_MAX_RANK,
             "a shape of rank %d", s.rank);
    size_t size = 1;
    bool fits = true, empty = false;
    for (int k = 0; k < s.rank; k++) {
        dl_check(s.dim[k] >= 0, "the shape %s has a negative length",
                 DL_SHAPE_TEXT(s));
        empty = empty || s.dim[k] == 0;
        fits = fits && !__builtin_mul_overflow(size, (size_t)s.dim[k], &size);
    }
    fits = empty || (fits && size <= PTRDIFF_MAX / 4 / sizeof(dl_real));
    dl_check(fits, "a tensor of shape %s does not fit in memory",
             DL_SHAPE_TEXT(s));
    return empty ? 0 : size;
}

bool dl_shape_equal(struct dl_shape a, struct dl_shape b)
{
    bool equal = a.rank == b.rank;
    for (int k = 0; equal && k < a.rank; k++)
        equal = a.dim[k] == b.dim[k];
    return equal;
}

const char *dl_shape_text(struct dl_shape s, char buffer[64])
{
    int n = sprintf(buffer, "[");
    for (int k = 0; k < s.rank && k < DL_MAX_RANK; k++)
        n += sprintf(buffer + n, k > 0 ? ", %d" : "%d", s.dim[k]);
    sprintf(buffer + n, "]");
    return buffer;
}

/* A tensor with a storage of its own; the numbers follow. */
struct whole {
    _Alignas(64) dl_tensor tensor;
    struct dl_storage storage;
};
_Static_assert(sizeof(struct whole) == 128,
               "size classes allow for a header of two cache lines");

static void drop_storage(struct dl_storage *s)
{
    if (--s->users > 0)
        return;
    dl_pool_put(s->grad, s->size * sizeof(dl_real));
    struct whole *w = (struct whole *)((char *)s
                                       - offsetof(struct whole, storage));
    size_t numbers = s->owner == s ? s->size * sizeof(dl_real) : 0;
    if (s->owner != s)
        drop_storage(s->owner);
    dl_pool_put(w, sizeof *w + numbers);
}

static void release(void *what)
{
    dl_tensor *t = what;
    struct dl_storage *s = t->storage;
    bool view = (char *)s != (char *)t + offsetof(struct whole, storage);
    t->shape.rank = -1;
    if (view)
        dl_pool_put(t, sizeof *t);
    drop_storage(s);
}

static dl_tensor *make(const struct dl_shape *s, bool permanent)
{
    size_t size = dl_shape_size(*s);
    if (!permanent && !dl_scope_reserve())
        return NULL;
    struct whole *w = dl_pool_try(sizeof *w + size * sizeof(dl_real));
    if (w == NULL)
        return NULL;
    w->tensor = (dl_tensor){.shape = *s, .permanent = permanent,
                            .size = size, .storage = &w->storage};
    w->storage = (struct dl_storage){.data = (dl_real *)(w + 1), .users = 1,
                                     .size = size, .owner = &w->storage};
    if (!permanent)
        dl_scope_defer(release, w);
    return &w->tensor;
}

dl_tensor *dl_try_empty(struct dl_shape s)
{
    return make(&s, !dl_scope_is_open());
}

dl_tensor *dl_empty(struct dl_shape s)
{
    dl_tensor *t = make(&s, !dl_scope_is_open());
    dl_check(t != NULL, "no memory for a tensor of shape %s",
             DL_SHAPE_TEXT(s));
    return t;
}

void dl_tensor_free(dl_tensor *t)
{
    if (t == NULL)
        return;
    dl_check_tensor(t);
    dl_check(t->permanent, "the tensor of shape %s is freed by its scope",
             DL_SHAPE_TEXT(t->shape));
    release(t);
}

dl_tensor *dl_full(struct dl_shape s, dl_real x)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = x;
    return t;
}

dl_tensor *dl_zeros(struct dl_shape s)
{
    return dl_full(s, 0);
}

dl_tensor *dl_scalar(dl_real x)
{
    return dl_full(DL_SHAPE(), x);
}

dl_tensor *dl_from_array(struct dl_shape s, const dl_real *values)
{
    dl_check(values != NULL || dl_shape_size(s) == 0,
             "no values for a tensor of shape %s", DL_SHAPE_TEXT(s));
    dl_tensor *t = dl_empty(s);
    if (t->size > 0)
        memcpy(dl_data(t), values, t->size * sizeof(dl_real));
    return t;
}

dl_tensor *dl_clone(const dl_tensor *t)
{
    dl_check_tensor(t);
    return dl_from_array(t->shape, dl_data(t));
}

/* Where n floats are to be drawn that will become n numbers at x. */
static float *place_for_draws(dl_real *x, size_t n)
{
    return (float *)(x + n) - n;
}

static void widen(dl_real *x, size_t n)
{
    const char *drawn = (const char *)place_for_draws(x, n);
    for (size_t i = 0; sizeof *x > sizeof(float) && i < n; i++) {
        float number;
        memcpy(&number, drawn + i * sizeof number, sizeof number);
        x[i] = number;
    }
}

dl_tensor *dl_uniform(struct dl_shape s, struct dl_random *r,
                      float low, float high)
{
    dl_check(r != NULL, "the generator is NULL");
    dl_check(low <= high, "the interval from %g to %g is empty", low, high);
    dl_tensor *t = dl_empty(s);
    dl_random_fill_uniform(r, place_for_draws(dl_data(t), t->size), t->size,
                           low, high);
    widen(dl_data(t), t->size);
    return t;
}

dl_tensor *dl_normal(struct dl_shape s, struct dl_random *r,
                     float mean, float std)
{
    dl_check(r != NULL, "the generator is NULL");
    dl_check(std >= 0, "the standard deviation %g is negative", std);
    dl_tensor *t = dl_empty(s);
    dl_random_fill_normal(r, place_for_draws(dl_data(t), t->size), t->size,
                          mean, std);
    widen(dl_data(t), t->size);
    return t;
}

void dl_fill(dl_tensor *t, dl_real x)
{
    dl_check_tensor(t);
    dl_real *data = dl_data(t);
    for (size_t i = 0; i < t->size; i++)
        data[i] = x;
    dl_touch(t);
}

void dl_copy(dl_tensor *to, const dl_tensor *from)
{
    dl_check_tensor(to);
    dl_check_tensor(from);
    dl_check(dl_shape_equal(to->shape, from->shape),
             "shape %s cannot be copied to shape %s",
             DL_SHAPE_TEXT(from->shape), DL_SHAPE_TEXT(to->shape));
    memmove(dl_data(to), dl_data(from), to->size * sizeof(dl_real));
    dl_touch(to);
}

dl_real *dl_element(const dl_tensor *t, int n, const int index[])
{
    dl_check_tensor(t);
    dl_check(n == t->shape.rank, "%d indices for a tensor of shape %s", n,
             DL_SHAPE_TEXT(t->shape));
    size_t place = 0;
    for (int k = 0; k < n; k++) {
        int length = t->shape.dim[k];
        dl_check(index[k] >= 0 && index[k] < length,
                 "index %d of axis %d is outside of shape %s", index[k], k,
                 DL_SHAPE_TEXT(t->shape));
        place = place * (size_t)length + (size_t)index[k];
    }
    return dl_data(t) + place;
}

dl_real dl_item(const dl_tensor *t)
{
    dl_check_tensor(t);
    dl_check(t->size == 1, "a tensor of shape %s is not a single number",
             DL_SHAPE_TEXT(t->shape));
    return *dl_data(t);
}

static dl_tensor *make_view(dl_tensor *t, struct dl_shape s, size_t offset)
{
    bool permanent = !dl_scope_is_open();
    dl_check(permanent || dl_scope_reserve(), "no memory for a view");
    dl_tensor *v = dl_pool_get(sizeof *v);
    *v = (dl_tensor){s, t->requires_grad, permanent, dl_shape_size(s),
                     t->offset + offset, t->storage};
    v->storage->users++;
    if (!permanent)
        dl_scope_defer(release, v);
    return v;
}

dl_tensor *dl_view(dl_tensor *t, struct dl_shape s)
{
    dl_check_tensor(t);
    struct dl_shape known = s;
    int open = -1;
    for (int k = 0; k < s.rank && k < DL_MAX_RANK; k++)
        if (s.dim[k] == -1 && open < 0) {
            known.dim[k] = 1;
            open = k;
        }
    size_t size = dl_shape_size(known);
    if (open >= 0 && size > 0 && t->size % size == 0
        && t->size / size <= INT_MAX)
        known.dim[open] = (int)(t->size / size);
    bool fits = open >= 0 ? size > 0 : true;
    dl_check(fits && dl_shape_size(known) == t->size,
             "a tensor of shape %s cannot be viewed as %s",
             DL_SHAPE_TEXT(t->shape), DL_SHAPE_TEXT(s));
    return make_view(t, known, 0);
}

dl_tensor *dl_narrow(dl_tensor *t, int start, int length)
{
    dl_check_tensor(t);
    struct dl_shape s = t->shape;
    dl_check(s.rank > 0, "a single number has no rows");
    dl_check(start >= 0 && length >= 0 && length <= s.dim[0] - start,
             "there are no %d rows from row %d on in shape %s", length,
             start, DL_SHAPE_TEXT(s));
    size_t row = s.dim[0] > 0 ? t->size / (size_t)s.dim[0] : 0;
    s.dim[0] = length;
    return make_view(t, s, (size_t)start * row);
}

dl_tensor *dl_select(dl_tensor *t, int index)
{
    dl_check_tensor(t);
    struct dl_shape s = t->shape;
    dl_check(s.rank > 0, "a single number has no rows");
    dl_check(index >= 0 && index < s.dim[0],
             "there is no row %d in shape %s", index, DL_SHAPE_TEXT(s));
    size_t row = t->size / (size_t)s.dim[0];
    s.rank--;
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = s.dim[k + 1];
    return make_view(t, s, (size_t)index * row);
}

dl_tensor *dl_detach(dl_tensor *t)
{
    dl_check_tensor(t);
    dl_tensor *d = dl_empty(DL_SHAPE(0));
    struct dl_storage *owner = t->storage->owner;
    d->shape = t->shape;
    d->size = d->storage->size = t->size;
    d->storage->data = dl_data(t);
    d->storage->owner = owner;
    owner->users++;
    return d;
}

/* The length of axis k of the out_rank axes to which s is filled up. */
static int length_at(struct dl_shape s, int k, int out_rank)
{
    int own = k - (out_rank - s.rank);
    return own >= 0 ? s.dim[own] : 1;
}

bool dl_broadcast_shapes(struct dl_shape a, struct dl_shape b,
                         struct dl_shape *out)
{
    struct dl_shape s = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int k = 0; k < s.rank; k++) {
        int m = length_at(a, k, s.rank), n = length_at(b, k, s.rank);
        if (m != n && m != 1 && n != 1)
            return false;
        s.dim[k] = m == 1 ? n : m;
    }
    *out = s;
    return true;
}

bool dl_broadcasts_to(struct dl_shape s, struct dl_shape out)
{
    struct dl_shape both;
    return dl_broadcast_shapes(s, out, &both) && dl_shape_equal(both, out);
}

static void set_strides(size_t stride[], struct dl_shape out,
                        struct dl_shape s)
{
    size_t next = 1;
    for (int k = out.rank - 1; k >= 0; k--) {
        int length = length_at(s, k, out.rank);
        stride[k] = length == 1 ? 0 : next;
        next *= (size_t)length;
    }
}

static bool can_merge(const struct dl_walk *w, int axis, int next)
{
    for (int i = 0; i < w->n; i++)
        if (w->stride[i][axis] != w->stride[i][next] * (size_t)w->dim[next])
            return false;
    return (long long)w->dim[axis] * w->dim[next] <= INT_MAX;
}

static void merge_axes(struct dl_walk *w)
{
    int last = -1;                          /* of the new list */
    for (int k = 0; k < w->axes; k++) {
        if (w->dim[k] == 1)
            continue;
        int length = w->dim[k];
        if (last >= 0 && can_merge(w, last, k))
            length *= w->dim[last];
        else
            last++;
        w->dim[last] = length;
        for (int i = 0; i < w->n; i++)
            w->stride[i][last] = w->stride[i][k];
    }
    if (last < 0)
        w->dim[++last] = 1;
    w->axes = last + 1;
}

void dl_walk_begin(struct dl_walk *w, struct dl_shape out, int n,
                   const struct dl_shape operand[])
{
    dl_check(n >= 0 && n <= DL_MAX_OPERANDS, "%d operands", n);
    size_t size = dl_shape_size(out);
    *w = (struct dl_walk){.n = n, .axes = out.rank};
    for (int k = 0; k < out.rank; k++)
        w->dim[k] = out.dim[k];
    for (int i = 0; i < n; i++) {
        dl_check(dl_broadcasts_to(operand[i], out),
                 "shape %s cannot be broadcast to shape %s",
                 DL_SHAPE_TEXT(operand[i]), DL_SHAPE_TEXT(out));
        set_strides(w->stride[i], out, operand[i]);
    }
    merge_axes(w);
    int last = w->axes - 1;
    w->length = (size_t)w->dim[last];
    w->runs = size > 0 ? size / w->length : 0;
    for (int i = 0; i < n; i++)
        w->step[i] = (int)w->stride[i][last];
}

bool dl_walk_next(struct dl_walk *w)
{
    if (w->runs == 0)
        return false;
    w->runs--;
    for (int k = w->axes - 2; w->started && k >= 0; k--) {
        bool through = ++w->index[k] == w->dim[k];
        size_t back = through ? (size_t)w->dim[k] : 0;
        for (int i = 0; i < w->n; i++)
            w->at[i] += w->stride[i][k] - back * w->stride[i][k];
        if (!through)
            break;
        w->index[k] = 0;
    }
    w->started = true;
    return true;
}

static bool overlap(const dl_tensor *a, const dl_tensor *b)
{
    uintptr_t p = (uintptr_t)dl_data(a), q = (uintptr_t)dl_data(b);
    return p < q + b->size * sizeof(dl_real)
           && q < p + a->size * sizeof(dl_real);
}

#define check_two(to, from) \
    do { \
        dl_check_tensor(to); \
        dl_check_tensor(from); \
        dl_check(!overlap(to, from), "shapes %s and %s share numbers", \
                 DL_SHAPE_TEXT(to->shape), DL_SHAPE_TEXT(from->shape)); \
    } while (0)

#define check_broadcast(small, large) \
    dl_check(dl_broadcasts_to(small->shape, large->shape), \
             "shape %s cannot be broadcast to shape %s", \
             DL_SHAPE_TEXT(small->shape), DL_SHAPE_TEXT(large->shape))

void dl_broadcast_copy(dl_tensor *to, const dl_tensor *from)
{
    check_two(to, from);
    check_broadcast(from, to);
    struct dl_walk w;
    dl_real *y = dl_data(to);
    dl_walk_begin(&w, to->shape, 1, &from->shape);
    for (; dl_walk_next(&w); y += w.length) {
        const dl_real *x = dl_data(from) + w.at[0];
        if (w.step[0] == 1)
            memcpy(y, x, w.length * sizeof *y);
        else
            for (size_t i = 0; i < w.length; i++)
                y[i] = *x;
    }
    dl_touch(to);
}

static dl_real sum_in_pairs(const dl_real *x, size_t n)
{
    if (n > 16)
        return sum_in_pairs(x, n / 2) + sum_in_pairs(x + n / 2, n - n / 2);
    dl_real s = 0;
    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

void dl_sum_to(dl_tensor *to, const dl_tensor *from)
{
    check_two(to, from);
    check_broadcast(to, from);
    struct dl_walk w;
    const dl_real *y = dl_data(from);
    dl_walk_begin(&w, from->shape, 1, &to->shape);
    dl_fill(to, 0);
    for (; dl_walk_next(&w); y += w.length) {
        dl_real *x = dl_data(to) + w.at[0];
        if (w.step[0] == 0)
            *x += sum_in_pairs(y, w.length);
        else
            for (size_t i = 0; i < w.length; i++)
                x[i] += y[i];
    }
}

enum { TILE = 16 };

/* y[i * y_row + j] = x[i + j * x_row] for i < rows, j < columns. */
static void transpose(dl_real *y, const dl_real *x, size_t rows,
                      size_t columns, size_t y_row, size_t x_row)
{
    for (size_t top = 0; top < rows; top += TILE)
        for (size_t left = 0; left < columns; left += TILE) {
            size_t bottom = top + TILE < rows ? top + TILE : rows;
            size_t right = left + TILE < columns ? left + TILE : columns;
            for (size_t i = top; i < bottom; i++)
                for (size_t j = left; j < right; j++)
                    y[i * y_row + j] = x[i + j * x_row];
        }
}

static bool is_permutation(const int axes[], int rank)
{
    int seen = 0;
    for (int k = 0; k < rank; k++)
        if (axes[k] >= 0 && axes[k] < rank)
            seen |= 1 << axes[k];
    return seen == (1 << rank) - 1;
}

static struct dl_shape permuted(struct dl_shape s, const int axes[])
{
    struct dl_shape p = s;
    for (int k = 0; k < s.rank; k++)
        p.dim[k] = s.dim[axes[k]];
    return p;
}

void dl_permute_array(dl_real *to, const dl_real *from, struct dl_shape s,
                      const int axes[])
{
    enum { R = DL_MAX_RANK, LAST = R - 1 };
    size_t dim[R] = {1, 1, 1, 1}, out[R] = {0}, in[R] = {0};
    int inner = LAST;                   /* along it, `from` is contiguous */
    int rank = s.rank;
    size_t stride[R], step = 1;
    for (int k = rank - 1; k >= 0; k--) {
        stride[k] = step;
        step *= (size_t)s.dim[k];
    }
    step = 1;
    for (int k = rank - 1; k >= 0; k--) {
        int axis = k + R - rank;
        dim[axis] = (size_t)s.dim[axes[k]];
        in[axis] = stride[axes[k]];
        out[axis] = step;
        step *= dim[axis];
        if (axes[k] == rank - 1)
            inner = axis;
    }
    if (inner != LAST)
        {
            size_t a = dim[inner], b = out[inner], c = in[inner];
            dim[inner] = dim[2], out[inner] = out[2], in[inner] = in[2];
            dim[2] = a, out[2] = b, in[2] = c;
        }
    for (size_t i = 0; i < dim[0]; i++)
        for (size_t j = 0; j < dim[1]; j++) {
            dl_real *y = to + i * out[0] + j * out[1];
            const dl_real *x = from + i * in[0] + j * in[1];
            if (inner != LAST)
                transpose(y, x, dim[2], dim[3], out[2], in[3]);
            else
                for (size_t k = 0; k < dim[2]; k++)
                    memcpy(y + k * out[2], x + k * in[2], dim[3] * sizeof *y);
        }
}

void dl_permute_copy(dl_tensor *to, const dl_tensor *from,
                     const int axes[])
{
    check_two(to, from);
    struct dl_shape s = from->shape, order = {.rank = s.rank};
    for (int k = 0; k < s.rank; k++)
        order.dim[k] = axes[k];
    dl_check(is_permutation(axes, s.rank),
             "the axes %s are not a permutation of the %d axes of shape %s",
             DL_SHAPE_TEXT(order), s.rank, DL_SHAPE_TEXT(s));
    dl_check(dl_shape_equal(permuted(s, axes), to->shape),
             "shape %s, permuted by %s, is not shape %s", DL_SHAPE_TEXT(s),
             DL_SHAPE_TEXT(order), DL_SHAPE_TEXT(to->shape));
    dl_permute_array(dl_data(to), dl_data(from), s, axes);
    dl_touch(to);
}

static bool close_to(double a, double b, double rtol, double atol)
{
    return a == b || (isfinite(a) && isfinite(b)
                      && fabs(a - b) <= atol + rtol * fabs(b));
}

bool dl_allclose(const dl_tensor *a, const dl_tensor *b,
                 double rtol, double atol)
{
    dl_check_tensor(a);
    dl_check_tensor(b);
    dl_check(dl_shape_equal(a->shape, b->shape),
             "shapes %s and %s cannot be compared",
             DL_SHAPE_TEXT(a->shape), DL_SHAPE_TEXT(b->shape));
    const dl_real *x = dl_data(a), *y = dl_data(b);
    bool close = true;
    for (size_t i = 0; close && i < a->size; i++)
        close = close_to(x[i], y[i], rtol, atol);
    return close;
}

bool dl_equal(const dl_tensor *a, const dl_tensor *b)
{
    dl_check_tensor(a);
    dl_check_tensor(b);
    const dl_real *x = dl_data(a), *y = dl_data(b);
    bool equal = dl_shape_equal(a->shape, b->shape);
    for (size_t i = 0; equal && i < a->size; i++)
        equal = x[i] == y[i];
    return equal;
}

dl_tensor *dl_params_find(const struct dl_params *p, const char *name)
{
    dl_check(p != NULL && name != NULL, "an argument is NULL");
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->list[i].name, name) == 0)
            return p->list[i].tensor;
    return NULL;
}

static void make_room(struct dl_params *p)
{
    if (p->n < p->room)
        return;
    int room = p->room > 0 ? 2 * p->room : 16;
    struct dl_param *list = dl_pool_get((size_t)room * sizeof *list);
    if (p->n > 0)
        memcpy(list, p->list, (size_t)p->n * sizeof *list);
    dl_pool_put(p->list, (size_t)p->room * sizeof *list);
    p->list = list;
    p->room = room;
}

dl_tensor *dl_param(struct dl_params *p, const char *name,
                    struct dl_shape s)
{
    dl_check(dl_params_find(p, name) == NULL,
             "there is a parameter \"%.120s\" already", name);
    dl_check(strlen(name) < sizeof p->list->name,
             "the name \"%.120s...\" is too long", name);
    make_room(p);
    dl_tensor *t = make(&s, true);
    dl_check(t != NULL, "no memory for \"%s\" of shape %s", name,
             DL_SHAPE_TEXT(s));
    t->requires_grad = true;
    struct dl_param *last = &p->list[p->n++];
    last->tensor = t;
    strcpy(last->name, name);
    return t;
}

size_t dl_params_count(const struct dl_params *p)
{
    dl_check(p != NULL, "the list is NULL");
    size_t count = 0;
    for (int i = 0; i < p->n; i++)
        count += p->list[i].tensor->size;
    return count;
}

void dl_params_free(struct dl_params *p)
{
    dl_check(p != NULL, "the list is NULL");
    for (int i = 0; i < p->n; i++)
        dl_tensor_free(p->list[i].tensor);
    dl_pool_put(p->list, (size_t)p->room * sizeof *p->list);
    *p = (struct dl_params){0};
}
