/* tensor.h - arrays of numbers with a shape, contiguous and row-major. */
#ifndef DLFS_TENSOR_H
#define DLFS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base.h"
#include "random.h"
#include "real.h"

#pragma GCC visibility push(default)

/* The lengths of the axes. Made by DL_SHAPE(64, 784); DL_SHAPE() is the
   shape of a single number. */
enum { DL_MAX_RANK = 4 };
struct dl_shape { int rank; int dim[DL_MAX_RANK]; };

#define DL_SHAPE(...) \
    ((struct dl_shape){DL_COUNT(__VA_ARGS__), {__VA_ARGS__}})

/* How many arguments? */
#define DL_COUNT(...) \
    ((int)(sizeof (int[]){0, ##__VA_ARGS__} / sizeof(int)) - 1)

/* The number of elements, 1 for rank 0. Negative lengths, and more elements
   than fit into memory, are a caller's mistake. */
size_t dl_shape_size(struct dl_shape s);

bool dl_shape_equal(struct dl_shape a, struct dl_shape b);

/* "[64, 784]", stored in the buffer, which is returned. */
const char *dl_shape_text(struct dl_shape s, char buffer[64]);
#define DL_SHAPE_TEXT(s) dl_shape_text(s, (char[64]){0})

/* The numbers of one or several tensors. */
struct dl_storage {
    dl_real *data;                  /* size numbers */
    dl_real *grad;                  /* their gradients, or NULL */
    size_t size;
    uint64_t version;               /* counts the changes of the data */
    int users;                      /* tensors, and storages that borrow */
    struct dl_storage *owner;       /* itself, or who lent it the data */
};

/* The elements at data[offset] to data[offset + size - 1], in row-major
   order. After its release a tensor has rank -1. */
typedef struct dl_tensor {
    struct dl_shape shape;
    bool requires_grad;             /* a gradient is wanted here */
    bool permanent;                 /* not freed by a scope */
    size_t size, offset;
    struct dl_storage *storage;
} dl_tensor;

/* Is it neither NULL nor released? (A tensor whose block was lent again
   since then is taken for alive.) */
__attribute__((no_sanitize_address))
static inline bool dl_is_alive(const dl_tensor *t)
{
    return t != NULL && t->shape.rank >= 0;
}

/* Refuse a tensor that is not. */
#define dl_check_tensor(t) \
    dl_check(dl_is_alive(t), (t) == NULL ? "the tensor " #t " is NULL" \
             : "the tensor " #t " was released, with its scope or by hand")

/* A tensor whose content is undefined (NaN in the debug build). Inside a
   scope it is released when the scope is left; outside of all scopes it is
   permanent. All makers below are alike in this. */
dl_tensor *dl_empty(struct dl_shape s);

/* The same, but NULL if there is no memory. */
dl_tensor *dl_try_empty(struct dl_shape s);

dl_tensor *dl_zeros(struct dl_shape s);
dl_tensor *dl_full(struct dl_shape s, dl_real x);
dl_tensor *dl_scalar(dl_real x);                         /* of rank 0 */

/* A copy of the numbers, as many as the shape has elements. */
dl_tensor *dl_from_array(struct dl_shape s, const dl_real *values);
dl_tensor *dl_clone(const dl_tensor *t);

/* Uniform draws from [low, high], and draws from N(mean, std^2): those of
   dl_random_fill_uniform and dl_random_fill_normal. */
dl_tensor *dl_uniform(struct dl_shape s, struct dl_random *r,
                      float low, float high);
dl_tensor *dl_normal(struct dl_shape s, struct dl_random *r,
                     float mean, float std);

/* Release a permanent tensor; its storage goes with the last view of it.
   NULL does nothing; a temporary tensor is a caller's mistake. */
void dl_tensor_free(dl_tensor *t);

/* The first element; the others follow in row-major order. */
static inline dl_real *dl_data(const dl_tensor *t)
{
    return t->storage->data + t->offset;
}

/* To be called after writing through dl_data or dl_at. */
static inline void dl_touch(dl_tensor *t)
{
    t->storage->owner->version++;
}

/* Set all elements to x. */
void dl_fill(dl_tensor *t, dl_real x);

/* Copy the elements of a tensor of the same shape. */
void dl_copy(dl_tensor *to, const dl_tensor *from);

/* A pointer to the element with these indices: *dl_at(t, 3, 1) = 2. */
#define dl_at(t, ...) \
    dl_element(t, DL_COUNT(__VA_ARGS__), \
               (const int[1 + DL_MAX_RANK]){0, ##__VA_ARGS__} + 1)
dl_real *dl_element(const dl_tensor *t, int n, const int index[]);

/* The value of a tensor that has a single element. */
dl_real dl_item(const dl_tensor *t);

/* The same elements under another shape of equal size. One length may be
   -1: it is computed from the others. */
dl_tensor *dl_view(dl_tensor *t, struct dl_shape s);

/* The rows start to start + length - 1 of the leading axis. */
dl_tensor *dl_narrow(dl_tensor *t, int start, int length);

/* One row of the leading axis, without that axis. */
dl_tensor *dl_select(dl_tensor *t, int index);

/* Data shared with t, but a gradient of its own, and none wanted. */
dl_tensor *dl_detach(dl_tensor *t);

/* The shape that a and b have in common by NumPy's rule, in *out; false if
   they do not fit. */
bool dl_broadcast_shapes(struct dl_shape a, struct dl_shape b,
                         struct dl_shape *out);

/* Can s be broadcast to shape out? */
bool dl_broadcasts_to(struct dl_shape s, struct dl_shape out);

/* A walk over a broadcast: a sequence of runs, which cover the result in
   its order. In each run, element i of operand k is
   data[at[k] + i * step[k]], where step is 0 or 1. */
enum { DL_MAX_OPERANDS = 3 };
struct dl_walk {
    size_t length;                          /* of each run */
    size_t at[DL_MAX_OPERANDS];
    int step[DL_MAX_OPERANDS];
    /* private: */
    size_t runs;                            /* still to come */
    bool started;
    int n, axes, index[DL_MAX_RANK], dim[DL_MAX_RANK];
    size_t stride[DL_MAX_OPERANDS][DL_MAX_RANK];
};

/* Begin a walk over n <= 3 operands that are broadcast to shape out. Then
   call dl_walk_next before each run; it returns false after the last. */
void dl_walk_begin(struct dl_walk *w, struct dl_shape out, int n,
                   const struct dl_shape operand[]);
bool dl_walk_next(struct dl_walk *w);

/* Repeat the elements of `from`, broadcast to the shape of `to`. */
void dl_broadcast_copy(dl_tensor *to, const dl_tensor *from);

/* The adjoint: each element of `to` becomes the sum of all elements of
   `from` to which dl_broadcast_copy would have repeated it. */
void dl_sum_to(dl_tensor *to, const dl_tensor *from);

/* Copy with axes in another order: axis k of `to` is axis axes[k] of
   `from`; axes is a permutation of 0 ... rank-1. */
void dl_permute_copy(dl_tensor *to, const dl_tensor *from,
                     const int axes[]);

/* The same for the elements, where `from` has shape s. Nothing is checked;
   the arrays do not overlap. */
void dl_permute_array(dl_real *to, const dl_real *from, struct dl_shape s,
                      const int axes[]);

/* |a - b| <= atol + rtol |b| for every element. The shapes must agree. */
bool dl_allclose(const dl_tensor *a, const dl_tensor *b,
                 double rtol, double atol);

/* The same shape, and a == b for every element (so no NaN). */
bool dl_equal(const dl_tensor *a, const dl_tensor *b);

/* Permanent tensors with names, in the order of their registration. A list
   is empty when it is {0}. */
struct dl_params {
    int n, room;
    struct dl_param {
        dl_tensor *tensor;
        char name[120];
    } *list;
};

/* A new permanent tensor, also inside of a scope, which requires a gradient
   and whose content is undefined. The name must be new and have fewer than
   120 characters. */
dl_tensor *dl_param(struct dl_params *p, const char *name,
                    struct dl_shape s);

/* NULL if there is no such name. */
dl_tensor *dl_params_find(const struct dl_params *p, const char *name);

size_t dl_params_count(const struct dl_params *p);  /* of all numbers */

/* Free all parameters, and the list. */
void dl_params_free(struct dl_params *p);

#pragma GCC visibility pop

#endif
