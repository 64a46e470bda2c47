/* products.c - products of matrices with all that surrounds them. */
#include <string.h>
#include "autograd.h"
#include "base.h"
#include "gemm.h"
#include "kernels.h"
#include "products.h"
#include "reduce.h"

/* The matrices on the last two axes. */
struct stack {
    int count, rows, columns;
    const dl_real *at;
};

static struct stack stack_of(const dl_tensor *t, const dl_real *at)
{
    struct stack s = {1, t->shape.dim[t->shape.rank - 2],
                      t->shape.dim[t->shape.rank - 1], at};
    for (int k = 0; k < t->shape.rank - 2; k++)
        s.count *= t->shape.dim[k];
    return s;
}

/* c[i] = op(a[i]) op(b[i]) + beta c[i], where c[i] is m x n. */
static void multiply(bool ta, bool tb, struct stack a, struct stack b,
                     dl_real beta, dl_real *c)
{
    int m = ta ? a.columns : a.rows, n = tb ? b.rows : b.columns;
    struct dl_product p = {
        .m = m, .n = n, .k = ta ? a.rows : a.columns,
        .alpha = 1, .beta = beta, .ta = ta, .tb = tb,
        .a = a.at, .lda = a.columns, .b = b.at, .ldb = b.columns,
        .c = c, .ldc = n, .count = a.count,
        .next_a = (ptrdiff_t)a.rows * a.columns,
        .next_b = (ptrdiff_t)b.rows * b.columns, .next_c = (ptrdiff_t)m * n
    };
    if (a.count > 0)
        dl_gemm_run(&p);
}

static void bmm_backward(struct dl_node *node)
{
    bool ta = node->i[0], tb = node->i[1];
    struct stack g = stack_of(node->out, dl_grad_out(node));
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL) {
        struct stack b = stack_of(node->in[1], dl_saved(node, 1));
        if (ta)
            multiply(tb, true, b, g, beta, to);
        else
            multiply(false, !tb, g, b, beta, to);
    }
    to = dl_grad_in(node, 1, &beta);
    if (to != NULL) {
        struct stack a = stack_of(node->in[0], dl_saved(node, 0));
        if (tb)
            multiply(true, ta, g, a, beta, to);
        else
            multiply(!ta, false, a, g, beta, to);
    }
}

/* The shape of the product; rank -1 if the factors do not fit. */
static struct dl_shape product_shape(bool ta, bool tb, struct dl_shape a,
                                     struct dl_shape b)
{
    struct dl_shape s = a;
    int row = a.rank - 2, column = a.rank - 1;
    bool fit = a.rank >= 3 && a.rank == b.rank
               && a.dim[ta ? row : column] == b.dim[tb ? column : row];
    for (int k = 0; fit && k < row; k++)
        fit = a.dim[k] == b.dim[k];
    if (!fit)
        return (struct dl_shape){.rank = -1};
    s.dim[row] = a.dim[ta ? column : row];
    s.dim[column] = b.dim[tb ? row : column];
    return s;
}

dl_tensor *dl_bmm(bool ta, bool tb, dl_tensor *a, dl_tensor *b)
{
    static const struct dl_op op = {"bmm", bmm_backward};
    dl_check_tensor(a);
    dl_check_tensor(b);
    struct dl_shape s = product_shape(ta, tb, a->shape, b->shape);
    dl_check(s.rank > 0, "the shapes %s%s and %s%s do not fit",
             DL_SHAPE_TEXT(a->shape), ta ? " (transposed)" : "",
             DL_SHAPE_TEXT(b->shape), tb ? " (transposed)" : "");
    dl_tensor *y = dl_empty(s);
    multiply(ta, tb, stack_of(a, dl_data(a)), stack_of(b, dl_data(b)),
             0, dl_data(y));
    struct dl_node *node = dl_record(&op, y, 2, (dl_tensor *[]){a, b});
    if (node != NULL) {
        node->i[0] = ta;
        node->i[1] = tb;
    }
    dl_save(node, a);
    dl_save(node, b);
    return y;
}


/* An activation, and its derivative from its result. */
static const struct {
    dl_gemm_map *map;
    void (*backward)(size_t n, const dl_real *y, const dl_real *g,
                     dl_real *dx, bool add);
} activations[] = {
    [DL_IDENTITY] = {NULL, NULL},
    [DL_RELU] = {dl_vrelu, dl_vrelu_backward},
    [DL_TANH] = {dl_vtanh, dl_vtanh_backward},
    [DL_SIGMOID] = {dl_vsigmoid, dl_vsigmoid_backward},
};

static void linear_backward(struct dl_node *node)
{
    int m = node->i[0], f = node->i[1];
    int out = node->in[1]->shape.dim[0], in = node->in[1]->shape.dim[1];
    const dl_real *g = dl_grad_out(node);
    if (f != DL_IDENTITY)
        {
            dl_real *through = (dl_real *)g;
            activations[f].backward(node->out->size, dl_saved(node, 2), g, through,
                                    false);
        }
    dl_real beta, *to = NULL;
    if (node->inputs > 2 && (to = dl_grad_in(node, 2, &beta)) != NULL)
        dl_sum_rows((size_t)m, (size_t)out, g, beta, to);
    to = dl_grad_in(node, 0, &beta);
    if (to != NULL)                         /* [m, out] [out, in] */
        dl_gemm(false, false, m, in, out, 1, g, out,
                dl_saved(node, 1), in, beta, to, in);
    to = dl_grad_in(node, 1, &beta);
    if (to != NULL)                         /* [out, m] [m, in] */
        dl_gemm(true, false, out, in, m, 1, g, out,
                dl_saved(node, 0), in, beta, to, in);
}

static int rows_of(struct dl_shape s)
{
    int m = 1;
    for (int k = 0; k < s.rank - 1; k++)
        m *= s.dim[k];
    return m;
}

static void check_linear(const char *name, const dl_tensor *x,
                         const dl_tensor *weight, const dl_tensor *bias)
{
    dl_check(dl_is_alive(x) && dl_is_alive(weight)
             && (bias == NULL || dl_is_alive(bias)),
             "%s: a tensor is NULL or was released", name);
    struct dl_shape s = x->shape, w = weight->shape;
    dl_check(s.rank > 0 && w.rank == 2 && s.dim[s.rank - 1] == w.dim[1],
             "%s: inputs of shape %s and weights of shape %s do not fit",
             name, DL_SHAPE_TEXT(s), DL_SHAPE_TEXT(w));
    dl_check(bias == NULL
             || dl_shape_equal(bias->shape, DL_SHAPE(w.dim[0])),
             "%s: a bias of shape %s for weights of shape %s", name,
             DL_SHAPE_TEXT(bias->shape), DL_SHAPE_TEXT(w));
}

static dl_tensor *linear(const char *name, const struct dl_op *op,
                         dl_tensor *x, dl_tensor *weight, dl_tensor *bias,
                         enum dl_activation f)
{
    check_linear(name, x, weight, bias);
    struct dl_shape s = x->shape;
    int m = rows_of(s), out = weight->shape.dim[0], in = weight->shape.dim[1];
    s.dim[s.rank - 1] = out;
    dl_tensor *y = dl_empty(s);
    dl_gemm_run(&(struct dl_product){
        .m = m, .n = out, .k = in, .alpha = 1, .tb = true,
        .a = dl_data(x), .lda = in, .b = dl_data(weight), .ldb = in,
        .c = dl_data(y), .ldc = out, .map = activations[f].map,
        .column_bias = bias != NULL ? dl_data(bias) : NULL
    });
    struct dl_node *node = dl_record(op, y, bias != NULL ? 3 : 2,
                                     (dl_tensor *[]){x, weight, bias});
    if (node != NULL) {
        node->i[0] = m;
        node->i[1] = (int)f;
    }
    dl_save(node, x);
    dl_save(node, weight);
    dl_save(node, y);
    return y;
}

dl_tensor *dl_linear(dl_tensor *x, dl_tensor *weight, dl_tensor *bias)
{
    static const struct dl_op op = {"linear", linear_backward};
    return linear("dl_linear", &op, x, weight, bias, DL_IDENTITY);
}

dl_tensor *dl_linear_act(dl_tensor *x, dl_tensor *weight, dl_tensor *bias,
                         enum dl_activation f)
{
    static const struct dl_op op = {"linear_act", linear_backward};
    dl_check((int)f >= 0 && f <= DL_SIGMOID, "there is no activation %d",
             (int)f);
    return linear("dl_linear_act", &op, x, weight, bias, f);
}
