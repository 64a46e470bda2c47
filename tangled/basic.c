/* basic.c - the first operations on tensors that are recorded. */
#include <string.h>
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "broadcast.h"
#include "gemm.h"
#include "kernels.h"
#include "memory.h"

static void add_backward(struct dl_node *node)
{
    const dl_tensor *y = node->out;
    const dl_real *g = dl_grad_out(node);
    for (int k = 0; k < 2; k++) {
        struct dl_shape s = node->in[k]->shape;
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to != NULL && beta == 0 && dl_shape_equal(s, y->shape))
            memcpy(to, g, y->size * sizeof *g);
        else if (to != NULL)
            dl_hand_over(to, s, beta, 1, g, y->shape);
    }
}

static void mul_backward(struct dl_node *node)
{
    const dl_tensor *y = node->out;
    const dl_real *g = dl_grad_out(node);
    for (int k = 0; k < 2; k++) {
        struct dl_shape s = node->in[k]->shape;
        struct dl_shape other = node->in[1 - k]->shape;
        dl_real beta, *to = dl_grad_in(node, k, &beta);
        if (to == NULL)
            continue;
        const dl_real *x = dl_saved(node, 1 - k);
        if (dl_shape_equal(s, y->shape) && dl_shape_equal(other, y->shape))
            (beta == 0 ? dl_vmul : dl_vmuladd)(y->size, g, x, to);
        else
            {
                dl_real *share = dl_pool_get(y->size * sizeof *share);
                dl_apply_pair(dl_vmul, y->shape, share, y->shape, g, other, x);
                dl_hand_over(to, s, beta, 1, share, y->shape);
                dl_pool_put(share, y->size * sizeof *share);
            }
    }
}

dl_tensor *dl_add(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"add", add_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    dl_tensor *y = dl_combine("dl_add", dl_vadd, a, b);
    dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    return y;
}

dl_tensor *dl_mul(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"mul", mul_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    dl_tensor *y = dl_combine("dl_mul", dl_vmul, a, b);
    struct dl_node *node = dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    dl_save(node, a);
    dl_save(node, b);
    return y;
}

static void matmul_backward(struct dl_node *node)
{
    int n = node->in[1]->shape.dim[1], k = node->in[1]->shape.dim[0];
    int m = node->i[0];
    const dl_real *g = dl_grad_out(node);
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)                         /* [m, n] [n, k] */
        dl_gemm(false, true, m, k, n, 1, g, n, dl_saved(node, 1), n,
                beta, to, k);
    to = dl_grad_in(node, 1, &beta);
    if (to != NULL)                         /* [k, m] [m, n] */
        dl_gemm(true, false, k, n, m, 1, dl_saved(node, 0), k, g, n,
                beta, to, n);
}

dl_tensor *dl_matmul(dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"matmul", matmul_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    struct dl_shape s = a->shape;
    int last = s.rank - 1;
    dl_check(s.rank >= 2 && b->shape.rank == 2
             && s.dim[last] == b->shape.dim[0],
             "the shapes %s and %s cannot be multiplied",
             DL_SHAPE_TEXT(a->shape), DL_SHAPE_TEXT(b->shape));
    int k = b->shape.dim[0], n = s.dim[last] = b->shape.dim[1], m = 1;
    bool fits = true;
    for (int i = 0; i < last; i++)
        fits = fits && !__builtin_mul_overflow(m, s.dim[i], &m);
    dl_check(fits, "shape %s has more rows than an int can count",
             DL_SHAPE_TEXT(a->shape));
    dl_tensor *y = dl_empty(s);
    dl_gemm(false, false, m, n, k, 1, dl_data(a), k, dl_data(b), n,
            0, dl_data(y), n);
    struct dl_node *node = dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    if (node != NULL)
        node->i[0] = m;
    dl_save(node, a);
    dl_save(node, b);
    return y;
}

static void tanh_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)
        dl_vtanh_backward(node->out->size, dl_saved(node, 0),
                          dl_grad_out(node), to, beta != 0);
}

dl_tensor *dl_tanh(dl_tensor *x)
{
    static const struct dl_op op = {"tanh", tanh_backward};
    dl_check_tensor(x);
    dl_tensor *y = dl_empty(x->shape);
    dl_vtanh(x->size, dl_data(x), dl_data(y));
    dl_save(dl_record(&op, y, 1, &x), y);
    return y;
}

static void sum_backward(struct dl_node *node)
{
    dl_real g = *dl_grad_out(node);
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    size_t n = node->in[0]->size;
    if (to != NULL && beta == 0)
        dl_vfill(n, g, to);
    else if (to != NULL)
        for (size_t i = 0; i < n; i++)
            to[i] += g;
}

dl_tensor *dl_sum(dl_tensor *x)
{
    static const struct dl_op op = {"sum", sum_backward};
    dl_check_tensor(x);
    dl_tensor *y = dl_empty(DL_SHAPE());
    *dl_data(y) = dl_vsum(x->size, dl_data(x));
    dl_record(&op, y, 1, &x);
    return y;
}
