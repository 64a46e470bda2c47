/* What the tests of chapter 7's operations have in common: the two builds, and tensors to operate on. */
#ifndef DLFS_TESTS_OPERANDS_H
#define DLFS_TESTS_OPERANDS_H

#include "in_scope.h"
#include "oracle/oracle.h"
#include "tensor.h"

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define TOLERANCE IF_DOUBLE(1e-13, 1e-5)        /* of values and gradients, relative to the largest element */
#define CHECKED   IF_DOUBLE(1e-7, 0.2)          /* of dl_gradcheck */
#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

static inline dl_tensor *leaf(dl_tensor *t)
{
    t->requires_grad = true;
    return t;
}

static inline dl_tensor *normal(struct dl_shape s) { return dl_normal(s, &source, 0, 1); }

static inline dl_tensor *from_oracle(struct oracle_tensor t)
{
    struct dl_shape s = {.rank = t.rank};
    for (int i = 0; i < t.rank; i++)
        s.dim[i] = (int)t.shape[i];
    dl_tensor *x = dl_empty(s);
    for (size_t i = 0; i < t.count; i++)
        dl_data(x)[i] = t.f32[i];
    return x;
}

#endif
