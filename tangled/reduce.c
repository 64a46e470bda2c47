/* reduce.c - operations along axes. */
#include <math.h>
#include <string.h>
#include "autograd.h"
#include "base.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "reduce.h"

#define INLINE static inline __attribute__((always_inline))

/* A tensor of shape n, along whose axes the result moves on by `step`. */
struct grid {
    size_t n[DL_MAX_RANK], step[DL_MAX_RANK];
    size_t groups, count;           /* groups, and elements in each */
};

static struct grid make_grid(struct dl_shape s, unsigned reduced)
{
    struct grid g = {{1, 1, 1, 1}, {0}, 1, 1};
    int at = DL_MAX_RANK;
    bool last_kept = false;
    for (int k = s.rank - 1; k >= 0; k--) {
        bool kept = !(reduced >> k & 1);
        size_t length = (size_t)s.dim[k];
        if (length != 1) {
            if (at == DL_MAX_RANK || kept != last_kept)
                g.step[--at] = kept ? g.groups : 0;
            g.n[at] *= length;
            last_kept = kept;
        }
        *(kept ? &g.groups : &g.count) *= length;
    }
    return g;
}

/* The axes as bits. */
static unsigned axes_of(const char *name, struct dl_shape s,
                        struct dl_axes axes)
{
    unsigned reduced = 0;
    for (int i = 0; i < axes.n; i++) {
        int k = dl_resolve_axis_for(__FILE__, __LINE__, name, s, axes.at[i]);
        dl_check(!(reduced >> k & 1), "%s: axis %d of the shape %s is given "
                 "twice", name, k, DL_SHAPE_TEXT(s));
        reduced |= 1u << k;
    }
    return axes.n > 0 ? reduced : (1u << s.rank) - 1;
}

static struct dl_shape without(struct dl_shape s, unsigned reduced, bool keep)
{
    struct dl_shape out = {0};
    for (int k = 0; k < s.rank; k++)
        if (!(reduced >> k & 1))
            out.dim[out.rank++] = s.dim[k];
        else if (keep)
            out.dim[out.rank++] = 1;
    return out;
}

/* s after one more element x; c is the centre of its group. */
enum kind { SUM, SQUARES, COUNT, LARGEST, SMALLEST, KINDS };

INLINE double step(enum kind kind, double s, double x, double c)
{
    switch (kind) {
    case SUM:
        return s + x;
    case SQUARES:
        return s + (x - c) * (x - c);
    case COUNT:
        return s + (x == c);
    case LARGEST:
        return x > s || x != x ? x : s;
    default:
        return x < s || x != x ? x : s;
    }
}

static double start_of(enum kind kind)
{
    return kind == LARGEST ? -INFINITY : kind == SMALLEST ? INFINITY : 0;
}

enum { STRIP = 16, LONG = 4096, GRAIN = 16384 };

/* Take `rows` rows of `width` <= STRIP numbers into s[0], s[1], .... */
INLINE void take_strip(enum kind kind, size_t rows, size_t stride, int width,
                       const dl_real *x, const double *c, double *s)
{
    double t[STRIP], centre[STRIP];
    for (int k = 0; k < width; k++) {
        t[k] = s[k];
        centre[k] = c != NULL ? c[k] : 0;
    }
    for (size_t i = 0; i < rows; i++, x += stride)
#pragma GCC unroll 16
        for (int k = 0; k < width; k++)
            t[k] = step(kind, t[k], x[k], centre[k]);
    for (int k = 0; k < width; k++)
        s[k] = t[k];
}

static enum kind joining(enum kind kind)
{
    return kind == SQUARES || kind == COUNT ? SUM : kind;
}

/* What a row of n numbers amounts to. */
INLINE double take_row(enum kind kind, size_t n, const dl_real *x, double c)
{
    double t[STRIP];
    if (kind == SUM && n >= LONG)
        return dl_vsum(n, x);
    for (int k = 0; k < STRIP; k++)
        t[k] = start_of(kind);
    size_t i = 0;
    for (; i + STRIP <= n; i += STRIP)
#pragma GCC unroll 16
        for (int k = 0; k < STRIP; k++)
            t[k] = step(kind, t[k], x[i + k], c);
    for (int k = 0; i + k < n; k++)
        t[k] = step(kind, t[k], x[i + k], c);
    for (int half = STRIP / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            t[k] = step(joining(kind), t[k], t[k + half], 0);
    return t[0];
}

/* A matrix whose columns, or rows, belong to groups. */
struct block {
    size_t rows, columns, step;
    const dl_real *x;
    const double *c;                /* the centres, or NULL for 0 */
    double *s;
};

INLINE void take_columns(enum kind kind, size_t begin, size_t end,
                         const struct block *b)
{
    for (size_t k = begin; k < end; k += STRIP) {
        const double *c = b->c != NULL ? b->c + k : NULL;
        if (k + STRIP <= end)
            take_strip(kind, b->rows, b->columns, STRIP, b->x + k, c,
                       b->s + k);
        else
            take_strip(kind, b->rows, b->columns, (int)(end - k), b->x + k,
                       c, b->s + k);
    }
}

INLINE void take_rows(enum kind kind, size_t begin, size_t end,
                      const struct block *b)
{
    for (size_t r = begin; r < end; r++) {
        size_t at = r * b->step;
        double row = take_row(kind, b->columns, b->x + r * b->columns,
                              b->c != NULL ? b->c[at] : 0);
        b->s[at] = step(joining(kind), b->s[at], row, 0);
    }
}

#define LOOPS(kind) \
    static void columns_##kind(size_t begin, size_t end, void *b) \
    { \
        take_columns(kind, begin, end, b); \
    } \
    static void rows_##kind(size_t begin, size_t end, void *b) \
    { \
        take_rows(kind, begin, end, b); \
    }
LOOPS(SUM) LOOPS(SQUARES) LOOPS(COUNT) LOOPS(LARGEST) LOOPS(SMALLEST)

static dl_range_function *const loops[KINDS][2] = {
    {rows_SUM, columns_SUM}, {rows_SQUARES, columns_SQUARES},
    {rows_COUNT, columns_COUNT}, {rows_LARGEST, columns_LARGEST},
    {rows_SMALLEST, columns_SMALLEST},
};

/* Take all elements x into the groups' numbers s. */
static void reduce(enum kind kind, const struct grid *g, const dl_real *x,
                   const double *c, double *s)
{
    bool by_columns = g->step[3] == 1;
    size_t work = by_columns ? g->n[2] : g->n[3];
    size_t grain = (GRAIN / (work + 1) / STRIP + 1) * STRIP;
    for (size_t k = 0; k < g->groups; k++)
        s[k] = start_of(kind);
    for (size_t i = 0; i < g->n[0]; i++)
        for (size_t j = 0; j < g->n[1]; j++, x += g->n[2] * g->n[3]) {
            size_t at = i * g->step[0] + j * g->step[1];
            struct block b = {g->n[2], g->n[3], g->step[2], x,
                              c != NULL ? c + at : NULL, s + at};
            dl_parallel_for(by_columns ? b.columns : b.rows, grain,
                            loops[kind][by_columns], &b);
        }
}

/* What an element receives from its group: the share; the share times its
   distance from the centre; the share if it is equal to the centre. */
enum rule { SHARE, DEVIATION, TIES };

INLINE dl_real part(enum rule rule, dl_real x, dl_real share, dl_real centre)
{
    switch (rule) {
    case SHARE:
        return share;
    case DEVIATION:
        return share * (x - centre);
    default:
        return x == centre ? share : 0 * share;
    }
}

/* To n elements, of one group (step 0) or of one each (step 1). */
INLINE void give(enum rule rule, size_t n, int step, bool add,
                 const dl_real *x, const dl_real *share,
                 const dl_real *centre, dl_real *to)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = i * (size_t)step;
        dl_real p = part(rule, rule == SHARE ? 0 : x[i], share[k],
                         centre != NULL ? centre[k] : 0);
        to[i] = add ? to[i] + p : p;
    }
}

static void give_run(enum rule rule, size_t n, size_t step, bool add,
                     const dl_real *x, const dl_real *share,
                     const dl_real *centre, dl_real *to)
{
    if (rule == SHARE && step == 1 && !add)
        memcpy(to, share, n * sizeof *to);
    else if (rule == SHARE && step == 1)
        dl_vadd(n, to, share, to);
    else if (rule == SHARE && !add && n >= STRIP)
        dl_vfill(n, *share, to);
    else if (rule == SHARE)
        give(SHARE, n, 0, add, NULL, share, NULL, to);
    else if (rule == DEVIATION)
        give(DEVIATION, n, step == 1, add, x, share, centre, to);
    else
        give(TIES, n, step == 1, add, x, share, centre, to);
}

static void spread(enum rule rule, const struct grid *g, const dl_real *x,
                   const dl_real *share, const dl_real *centre, dl_real *to,
                   bool add)
{
    const size_t run = g->n[3];
    for (size_t i = 0; i < g->n[0]; i++)
        for (size_t j = 0; j < g->n[1]; j++)
            for (size_t r = 0; r < g->n[2]; r++) {
                size_t at = i * g->step[0] + j * g->step[1] + r * g->step[2];
                give_run(rule, run, g->step[3], add, x, share + at,
                         centre != NULL ? centre + at : NULL, to);
                to += run;
                x = x != NULL ? x + run : NULL;
            }
}

static struct grid grid_of(const struct dl_node *node)
{
    return make_grid(node->in[0]->shape, (unsigned)node->i[0]);
}

/* Each element receives its group's gradient, divided by n. */
static void spread_gradient(struct dl_node *node, double n)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *g = dl_grad_out(node);
    struct grid grid = grid_of(node);
    dl_real *share = dl_pool_get(grid.groups * sizeof *share);
    for (size_t k = 0; k < grid.groups; k++)
        share[k] = (dl_real)(g[k] / n);
    spread(SHARE, &grid, NULL, share, NULL, to, beta != 0);
    dl_pool_put(share, grid.groups * sizeof *share);
}

/* A use of an operation: its grid, its result, and scratch space. */
struct use {
    unsigned reduced;
    struct grid grid;
    dl_tensor *y;
    double *s;
};

static struct use begin(const char *name, dl_tensor *x, struct dl_axes axes,
                        bool keep)
{
    dl_check(dl_is_alive(x), "%s: the tensor is NULL or was released", name);
    unsigned reduced = axes_of(name, x->shape, axes);
    struct use u = {.reduced = reduced,
                    .grid = make_grid(x->shape, reduced)};
    u.y = dl_empty(without(x->shape, reduced, keep));
    u.s = dl_pool_get(u.grid.groups * sizeof *u.s);
    return u;
}

static void end(const struct use *u)
{
    dl_pool_put(u->s, u->grid.groups * sizeof *u->s);
}

static struct dl_node *record(const struct dl_op *op, const struct use *u,
                              dl_tensor *x)
{
    struct dl_node *node = dl_record(op, u->y, 1, &x);
    if (node != NULL)
        node->i[0] = (int)u->reduced;
    return node;
}

static dl_tensor *sum(const char *name, const struct dl_op *op, dl_tensor *x,
                      struct dl_axes axes, bool keep, bool mean)
{
    struct use u = begin(name, x, axes, keep);
    dl_real *y = dl_data(u.y);
    reduce(SUM, &u.grid, dl_data(x), NULL, u.s);
    for (size_t k = 0; k < u.grid.groups; k++)
        y[k] = (dl_real)(mean ? u.s[k] / (double)u.grid.count : u.s[k]);
    end(&u);
    record(op, &u, x);
    return u.y;
}

static void sum_backward(struct dl_node *node)
{
    spread_gradient(node, 1);
}

static void mean_backward(struct dl_node *node)
{
    spread_gradient(node, (double)grid_of(node).count);
}

dl_tensor *dl_sum_over(dl_tensor *x, struct dl_axes axes, bool keep)
{
    static const struct dl_op op = {"sum_over", sum_backward};
    return sum("dl_sum_over", &op, x, axes, keep, false);
}

static const struct dl_op mean_op = {"mean", mean_backward};

dl_tensor *dl_mean_over(dl_tensor *x, struct dl_axes axes, bool keep)
{
    return sum("dl_mean_over", &mean_op, x, axes, keep, true);
}

dl_tensor *dl_mean(dl_tensor *x)
{
    return sum("dl_mean", &mean_op, x, DL_AXES(), false, true);
}

void dl_sum_rows(size_t rows, size_t columns, const dl_real *x,
                 dl_real beta, dl_real *y)
{
    double *s = dl_pool_get(columns * sizeof *s);
    dl_vsum_columns(rows, columns, x, s);
    for (size_t k = 0; k < columns; k++)
        y[k] = (dl_real)(beta == 0 ? s[k] : (double)beta * y[k] + s[k]);
    dl_pool_put(s, columns * sizeof *s);
}

static double freedom(const struct grid *g, int correction)
{
    double left = (double)g->count - correction;
    return left > 0 ? left : 0;
}

static void var_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *x = dl_saved(node, 0), *mean = dl_saved(node, 1);
    const dl_real *g = dl_grad_out(node);
    struct grid grid = grid_of(node);
    dl_real *share = dl_pool_get(grid.groups * sizeof *share);
    for (size_t k = 0; k < grid.groups; k++)
        share[k] = (dl_real)(2 * g[k] / freedom(&grid, node->i[1]));
    spread(DEVIATION, &grid, x, share, mean, to, beta != 0);
    dl_pool_put(share, grid.groups * sizeof *share);
}

/* Save x and the means of its groups. */
static void save_means(struct dl_node *node, const struct use *u,
                       dl_tensor *x, const double *mean)
{
    dl_tensor *m = dl_empty(u->y->shape);
    for (size_t k = 0; k < u->grid.groups; k++)
        dl_data(m)[k] = (dl_real)mean[k];
    dl_save(node, x);
    dl_save(node, m);
}

dl_tensor *dl_var_over(dl_tensor *x, struct dl_axes axes, int correction,
                       bool keep)
{
    static const struct dl_op op = {"var_over", var_backward};
    struct use u = begin("dl_var_over", x, axes, keep);
    const size_t groups = u.grid.groups;
    double *mean = dl_pool_get(groups * sizeof *mean);
    reduce(SUM, &u.grid, dl_data(x), NULL, mean);
    for (size_t k = 0; k < groups; k++)
        mean[k] /= (double)u.grid.count;
    reduce(SQUARES, &u.grid, dl_data(x), mean, u.s);
    for (size_t k = 0; k < groups; k++)
        dl_data(u.y)[k] = (dl_real)(u.s[k] / freedom(&u.grid, correction));
    struct dl_node *node = record(&op, &u, x);
    if (node != NULL) {
        node->i[1] = correction;
        save_means(node, &u, x, mean);
    }
    dl_pool_put(mean, groups * sizeof *mean);
    end(&u);
    return u.y;
}

static void extreme_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *x = dl_saved(node, 0), *y = dl_saved(node, 1);
    const dl_real *g = dl_grad_out(node);
    struct grid grid = grid_of(node);
    double *count = dl_pool_get(2 * grid.groups * sizeof *count);
    double *centre = count + grid.groups;
    for (size_t k = 0; k < grid.groups; k++)
        centre[k] = y[k];
    reduce(COUNT, &grid, x, centre, count);
    dl_real *share = (dl_real *)centre;
    for (size_t k = 0; k < grid.groups; k++)
        share[k] = count[k] > 0 ? (dl_real)(g[k] / count[k]) : (dl_real)NAN;
    spread(TIES, &grid, x, share, y, to, beta != 0);
    dl_pool_put(count, 2 * grid.groups * sizeof *count);
}

static dl_tensor *extreme(const char *name, const struct dl_op *op,
                          enum kind kind, dl_tensor *x, struct dl_axes axes,
                          bool keep)
{
    struct use u = begin(name, x, axes, keep);
    reduce(kind, &u.grid, dl_data(x), NULL, u.s);
    for (size_t k = 0; k < u.grid.groups; k++)
        dl_data(u.y)[k] = (dl_real)u.s[k];
    end(&u);
    dl_check(u.grid.count > 0, "%s: the shape %s has no elements along the "
             "axes", name, DL_SHAPE_TEXT(x->shape));
    struct dl_node *node = record(op, &u, x);
    dl_save(node, x);
    dl_save(node, u.y);
    return u.y;
}

dl_tensor *dl_amax(dl_tensor *x, struct dl_axes axes, bool keep)
{
    static const struct dl_op op = {"amax", extreme_backward};
    return extreme("dl_amax", &op, LARGEST, x, axes, keep);
}

dl_tensor *dl_amin(dl_tensor *x, struct dl_axes axes, bool keep)
{
    static const struct dl_op op = {"amin", extreme_backward};
    return extreme("dl_amin", &op, SMALLEST, x, axes, keep);
}

static void norm_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *x = dl_saved(node, 0), *y = dl_saved(node, 1);
    const dl_real *g = dl_grad_out(node);
    struct grid grid = grid_of(node);
    dl_real *share = dl_pool_get(grid.groups * sizeof *share);
    for (size_t k = 0; k < grid.groups; k++)
        share[k] = y[k] != 0 ? g[k] / y[k] : 0;
    spread(DEVIATION, &grid, x, share, NULL, to, beta != 0);
    dl_pool_put(share, grid.groups * sizeof *share);
}

dl_tensor *dl_norm(dl_tensor *x, struct dl_axes axes, bool keep)
{
    static const struct dl_op op = {"norm", norm_backward};
    struct use u = begin("dl_norm", x, axes, keep);
    reduce(SQUARES, &u.grid, dl_data(x), NULL, u.s);
    for (size_t k = 0; k < u.grid.groups; k++)
        dl_data(u.y)[k] = (dl_real)sqrt(u.s[k]);
    end(&u);
    struct dl_node *node = record(&op, &u, x);
    dl_save(node, x);
    dl_save(node, u.y);
    return u.y;
}

/* y[i] = x[0] + ... + x[i] for `width` columns; from the last if
   backwards; added to y if add. */
static void run_sums(size_t n, size_t stride, int width, bool backwards,
                     bool add, const dl_real *x, dl_real *y)
{
    double s[STRIP] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = (backwards ? n - 1 - i : i) * stride;
        for (int k = 0; k < width; k++) {
            s[k] += x[at + k];
            y[at + k] = (dl_real)(add ? y[at + k] + s[k] : s[k]);
        }
    }
}

static void run_along(struct dl_shape s, int axis, bool backwards, bool add,
                      const dl_real *x, dl_real *y)
{
    struct dl_around a = dl_around(s, axis);
    for (size_t o = 0; o < a.before; o++)
        for (size_t k = 0; k < a.after; k += STRIP) {
            size_t at = o * a.n * a.after + k, left = a.after - k;
            run_sums(a.n, a.after, left < STRIP ? (int)left : STRIP,
                     backwards, add, x + at, y + at);
        }
}

static void cumsum_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to != NULL)
        run_along(node->out->shape, node->i[0], true, beta != 0,
                  dl_grad_out(node), to);
}

dl_tensor *dl_cumsum(dl_tensor *x, int axis)
{
    static const struct dl_op op = {"cumsum", cumsum_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    dl_tensor *y = dl_empty(x->shape);
    run_along(x->shape, axis, false, false, dl_data(x), dl_data(y));
    struct dl_node *node = dl_record(&op, y, 1, &x);
    if (node != NULL)
        node->i[0] = axis;
    return y;
}

/* Each of the matrices x of n rows of m, transposed. */
static void turn(size_t matrices, size_t n, size_t m, const dl_real *x,
                 dl_real *y)
{
    dl_permute_array(y, x, DL_SHAPE((int)matrices, (int)n, (int)m),
                     (const int[]){0, 2, 1});
}

typedef void rows_kernel(size_t rows, size_t columns, const dl_real *x,
                         dl_real *y);

/* y = kernel(x) along an axis. */
static void apply_along(rows_kernel *kernel, struct dl_around a,
                        const dl_real *x, dl_real *y)
{
    if (a.after == 1) {
        kernel(a.before, a.n, x, y);
        return;
    }
    size_t bytes = a.before * a.n * a.after * sizeof *y;
    dl_real *rows = dl_pool_get(bytes);
    turn(a.before, a.n, a.after, x, rows);
    kernel(a.before * a.after, a.n, rows, rows);
    turn(a.before, a.after, a.n, rows, y);
    dl_pool_put(rows, bytes);
}

typedef void rows_backward(size_t rows, size_t columns, const dl_real *y,
                           const dl_real *g, dl_real *dx, bool add);

static void back_along(struct dl_node *node, rows_backward *kernel)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *y = dl_saved(node, 0), *g = dl_grad_out(node);
    struct dl_around a = dl_around(node->out->shape, node->i[0]);
    size_t size = node->out->size, rows = a.before * a.after;
    if (a.after == 1)
        kernel(rows, a.n, y, g, to, beta != 0);
    else
        {
            dl_real *ty = dl_pool_get(2 * size * sizeof *ty), *tg = ty + size;
            turn(a.before, a.n, a.after, y, ty);
            turn(a.before, a.n, a.after, g, tg);
            kernel(rows, a.n, ty, tg, tg, false);
            turn(a.before, a.after, a.n, tg, beta == 0 ? to : ty);
            if (beta != 0)
                dl_vadd(size, to, ty, to);
            dl_pool_put(ty, 2 * size * sizeof *ty);
        }
}

static void softmax_backward(struct dl_node *node)
{
    back_along(node, dl_vsoftmax_backward);
}

static void log_softmax_backward(struct dl_node *node)
{
    back_along(node, dl_vlog_softmax_backward);
}

static dl_tensor *along(const struct dl_op *op, rows_kernel *kernel,
                        dl_tensor *x, int axis)
{
    dl_tensor *y = dl_empty(x->shape);
    apply_along(kernel, dl_around(x->shape, axis), dl_data(x), dl_data(y));
    struct dl_node *node = dl_record(op, y, 1, &x);
    if (node != NULL)
        node->i[0] = axis;
    dl_save(node, y);
    return y;
}

dl_tensor *dl_softmax(dl_tensor *x, int axis)
{
    static const struct dl_op op = {"softmax", softmax_backward};
    dl_check_tensor(x);
    return along(&op, dl_vsoftmax, x, dl_resolve_axis(x->shape, axis));
}

dl_tensor *dl_log_softmax(dl_tensor *x, int axis)
{
    static const struct dl_op op = {"log_softmax", log_softmax_backward};
    dl_check_tensor(x);
    return along(&op, dl_vlog_softmax, x, dl_resolve_axis(x->shape, axis));
}

static void logsumexp_backward(struct dl_node *node)
{
    dl_real beta, *to = dl_grad_in(node, 0, &beta);
    if (to == NULL)
        return;
    const dl_real *x = dl_saved(node, 0);
    struct grid grid = grid_of(node);
    size_t bytes = node->in[0]->size * sizeof *x;
    dl_real *p = dl_pool_get(bytes);
    apply_along(dl_vsoftmax, dl_around(node->in[0]->shape, node->i[1]), x, p);
    spread(DEVIATION, &grid, p, dl_grad_out(node), NULL, to, beta != 0);
    dl_pool_put(p, bytes);
}

dl_tensor *dl_logsumexp(dl_tensor *x, int axis, bool keep)
{
    static const struct dl_op op = {"logsumexp", logsumexp_backward};
    dl_check_tensor(x);
    axis = dl_resolve_axis(x->shape, axis);
    struct dl_around a = dl_around(x->shape, axis);
    dl_tensor *y = dl_empty(without(x->shape, 1u << axis, keep));
    dl_real *rows = dl_data(x);
    if (a.after > 1) {
        rows = dl_pool_get(x->size * sizeof *rows);
        turn(a.before, a.n, a.after, dl_data(x), rows);
    }
    dl_vlogsumexp(a.before * a.after, a.n, rows, dl_data(y));
    if (a.after > 1)
        dl_pool_put(rows, x->size * sizeof *rows);
    struct dl_node *node = dl_record(&op, y, 1, &x);
    if (node != NULL) {
        node->i[0] = 1 << axis;
        node->i[1] = axis;
    }
    dl_save(node, x);
    return y;
}

/* Where the largest of n numbers is that are `stride` apart. */
static int place_of_largest(size_t n, size_t stride, const dl_real *x)
{
    size_t at = 0;
    for (size_t i = 1; i < n && !isnan(x[at * stride]); i++)
        if (x[i * stride] > x[at * stride] || isnan(x[i * stride]))
            at = i;
    return (int)at;
}

void dl_argmax(const dl_tensor *x, int axis, int *at)
{
    dl_check_tensor(x);
    struct dl_around a = dl_around(x->shape,
                                   dl_resolve_axis(x->shape, axis));
    dl_check(a.n > 0, "axis %d of the shape %s has no elements", axis,
             DL_SHAPE_TEXT(x->shape));
    for (size_t o = 0; o < a.before; o++)
        for (size_t k = 0; k < a.after; k++)
            *at++ = place_of_largest(a.n, a.after,
                                     dl_data(x) + o * a.n * a.after + k);
}
