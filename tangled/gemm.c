/* gemm.c - the matrix product: arguments, orientation, threads. */
#include "gemm.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include "base.h"
#include "kernels.h"
#include "parallel.h"
#include "simd_gemm.h"

static const struct gemm_set *set(void)
{
#if defined __x86_64__ && !defined DL_DOUBLE
    switch (dl_get_simd()) {
    case DL_SIMD_AVX512:
        return &dl_gemm_avx512;
    case DL_SIMD_AVX2:
        return &dl_gemm_avx2;
    default:
        break;
    }
#endif
    return &dl_gemm_plain;
}

struct dl_packed {
    bool transposed;
    int n, k;
    const struct gemm_set *set;
    _Alignas(64) dl_real panels[];
};

static void check_packed(const struct dl_product *p)
{
    dl_check(p->packed->n == p->n && p->packed->k == p->k,
             "weights packed as %d x %d in a product with k = %d, n = %d",
             p->packed->k, p->packed->n, p->k, p->n);
    dl_check(p->packed->set == set(),
             "these weights were packed for another instruction set");
    dl_check(p->b == NULL && p->fill_b == NULL,
             "B is given twice, packed and not");
}

static void check_factor(const char *name, bool transposed,
                         int rows, int columns, int ld, bool given)
{
    int row = transposed ? rows : columns;
    dl_check(ld >= row, "ld%c is %d, but a row of %c%s has %d numbers",
             name[0] + 'a' - 'A', ld, name[0], name + 1, row);
    dl_check(given, "%c%s is NULL", name[0], name + 1);
}

static bool needs_factors(const struct dl_product *p)
{
    return p->k > 0 && p->alpha != 0 && p->m > 0 && p->n > 0;
}

static void check(const struct dl_product *p)
{
    dl_check(p != NULL, "the product is NULL");
    dl_check(p->m >= 0 && p->n >= 0 && p->k >= 0 && p->count >= 0,
             "a product of m = %d, n = %d, k = %d, count = %d",
             p->m, p->n, p->k, p->count);
    if (p->m > 0 && p->n > 0)
        check_factor("C", false, p->m, p->n, p->ldc, p->c != NULL);
    if (needs_factors(p) && p->fill_a == NULL)
        check_factor("A", p->ta, p->m, p->k, p->lda, p->a != NULL);
    if (p->packed != NULL)
        check_packed(p);
    else if (needs_factors(p) && p->fill_b == NULL)
        check_factor("B", p->tb, p->k, p->n, p->ldb, p->b != NULL);
}

static struct factor factor_of(const dl_real *at, bool contiguous, int ld,
                               dl_gemm_fill *fill, const void *context)
{
    return (struct factor){.at = at, .across = contiguous ? 1 : ld,
                           .along = contiguous ? ld : 1,
                           .fill = fill, .context = context,
                           .packed = NULL};
}

static void describe(const struct dl_product *p, int item, struct work *w)
{
    const dl_real *a = p->a ? p->a + item * p->next_a : NULL;
    const dl_real *b = p->b ? p->b + item * p->next_b : NULL;
    w->m = p->m, w->n = p->n, w->k = needs_factors(p) ? p->k : 0;
    w->alpha = p->alpha, w->beta = p->beta;
    w->x = factor_of(a, p->ta, p->lda, p->fill_a, p->context_a);
    w->y = factor_of(b, !p->tb, p->ldb, p->fill_b, p->context_b);
    w->c = p->c + item * p->next_c, w->ldc = p->ldc;
    w->turned = false;
    w->column_bias = p->column_bias, w->row_bias = p->row_bias;
    w->map = p->map;
    if (p->packed != NULL)
        w->y.packed = p->packed->panels;
}

static bool must_be_turned(const struct factor *y)
{
    return y->fill == NULL && y->across != 1;
}

/* About how many multiply-adds m rows of x and n columns of y are worth. */
static double cost(int m, int n, int k, bool turn_y, bool turn_c,
                   const struct gemm_set *set)
{
    double columns = (n + set->lanes - 1) & -set->lanes; /* rounded up */
    double rows = m < 4 ? 4 : m;           /* fewer wait for each other */
    double cost = rows * columns * k;
    if (turn_y)
        cost += set->turn_y * columns * k;
    if (turn_c)
        cost += set->turn_c * columns * m * ((k + KC - 1) / KC);
    return cost;
}

static bool better_turned(const struct work *w, const struct gemm_set *set)
{
    if (w->y.packed != NULL || w->m == 1)
        return false;
    return w->n == 1
        || cost(w->n, w->m, w->k, must_be_turned(&w->x), true, set)
           < cost(w->m, w->n, w->k, must_be_turned(&w->y), false, set);
}

static void choose_orientation(struct work *w, const struct gemm_set *set)
{
    if (!better_turned(w, set))
        return;
    int m = w->m;
    struct factor x = w->x;
    w->m = w->n, w->n = m;
    w->x = w->y, w->y = x;
    w->turned = true;
    if (w->ldc == 1 && (w->row_bias == NULL || w->column_bias == NULL))
        {
            const dl_real *bias = w->row_bias;
            w->row_bias = w->column_bias, w->column_bias = bias;
            w->ldc = w->n;
            w->turned = false;
        }
}

struct workspace { _Alignas(64) int parts; _Alignas(64) dl_real at[]; };

static pthread_key_t workspace_key;
static int no_key;                  /* the error, if there is none */

static void make_workspace_key(void)
{
    no_key = pthread_key_create(&workspace_key, free);
}

static dl_real *workspace(int parts)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_workspace_key);
    dl_check(no_key == 0, "this process has too many thread-specific keys");
    struct workspace *w = pthread_getspecific(workspace_key);
    if (w == NULL || w->parts < parts) {
        pthread_setspecific(workspace_key, NULL);
        free(w);
        size_t bytes = (size_t)parts * WORKSPACE * sizeof(dl_real);
        w = dl_alloc(1, sizeof *w + bytes);
        w->parts = parts;
        pthread_setspecific(workspace_key, w);
    }
    return w->at;
}

enum { WORTH_A_THREAD = 200000 };

struct division {
    const struct gemm_set *set;
    const struct dl_product *product;
    const struct work *work;        /* if one product is to be divided */
    int count, parts;
    dl_real *workspace;
};

static int cut(int n, int unit, int parts, int i)
{
    int units = (n + unit - 1) / unit;
    int at = (int)((long)units * i / parts);
    return at == units ? n : at * unit;
}

enum { APART = 128 };       /* columns that keep two threads from meeting */

static bool cut_by_columns(const struct work *w, int unit, int parts)
{
    int each = w->n / parts;
    return each >= unit && (w->n >= 2 * w->m
                            || (w->n >= w->m && each >= APART));
}

static void do_parts(size_t first, size_t last, void *context)
{
    const struct division *d = context;
    const struct work *w = d->work;
    const int unit = 2 * d->set->lanes;
    const bool by_columns = cut_by_columns(w, unit, d->parts);
    for (int i = (int)first; i < (int)last; i++) {
        struct part part = {0, w->m, 0, w->n};
        if (by_columns) {
            part.j0 = cut(w->n, unit, d->parts, i);
            part.j1 = cut(w->n, unit, d->parts, i + 1);
        } else {
            part.i0 = cut(w->m, 1, d->parts, i);
            part.i1 = cut(w->m, 1, d->parts, i + 1);
        }
        if (part.i0 < part.i1 && part.j0 < part.j1)
            d->set->multiply(w, &part,
                             d->workspace + (size_t)i * WORKSPACE);
    }
}

static void do_items(const struct division *d, int item, int end,
                     dl_real *workspace)
{
    for (; item < end; item++) {
        struct work w;
        describe(d->product, item, &w);
        choose_orientation(&w, d->set);
        struct part whole = {0, w.m, 0, w.n};
        d->set->multiply(&w, &whole, workspace);
    }
}

static void do_shares(size_t first, size_t last, void *context)
{
    const struct division *d = context;
    for (int i = (int)first; i < (int)last; i++)
        do_items(d, cut(d->count, 1, d->parts, i),
                 cut(d->count, 1, d->parts, i + 1),
                 d->workspace + (size_t)i * WORKSPACE);
}

static void divide(const struct dl_product *p)
{
    struct division d = {.set = set(), .product = p, .parts = 1,
                         .count = p->count > 1 ? p->count : 1};
    if ((double)p->m * p->n * p->k * d.count >= WORTH_A_THREAD)
        d.parts = dl_get_num_threads();
    d.workspace = workspace(d.parts);
    if (d.parts == 1)
        do_items(&d, 0, d.count, d.workspace);
    else if (d.count >= d.parts)
        dl_parallel_for((size_t)d.parts, 1, do_shares, &d);
    else
        for (int item = 0; item < d.count; item++) {
            struct work w;
            describe(p, item, &w);
            choose_orientation(&w, d.set);
            d.work = &w;
            dl_parallel_for((size_t)d.parts, 1, do_parts, &d);
        }
}

void dl_gemm_run(const struct dl_product *p)
{
    check(p);
    if (p->m > 0 && p->n > 0)
        divide(p);
}

void dl_gemm(bool ta, bool tb, int m, int n, int k,
             dl_real alpha, const dl_real *a, int lda,
             const dl_real *b, int ldb,
             dl_real beta, dl_real *c, int ldc)
{
    dl_gemm_run(&(struct dl_product){
        .m = m, .n = n, .k = k, .alpha = alpha, .beta = beta,
        .ta = ta, .tb = tb, .a = a, .b = b, .c = c,
        .lda = lda, .ldb = ldb, .ldc = ldc
    });
}

struct dl_packed *dl_pack(bool tb, int k, int n, const dl_real *b, int ldb)
{
    dl_check(k >= 0 && n >= 0, "weights of %d x %d", k, n);
    if (n > 0 && k > 0)
        check_factor("B", tb, k, n, ldb, b != NULL);
    const struct gemm_set *s = set();
    size_t lanes = (size_t)s->lanes, padded = (n + lanes - 1) / lanes * lanes;
    struct dl_packed *w;
    w = dl_alloc(1, sizeof *w + padded * (size_t)k * sizeof(dl_real));
    w->transposed = tb;
    w->n = n, w->k = k;
    w->set = s;
    dl_pack_again(w, b, ldb);
    return w;
}

void dl_pack_again(struct dl_packed *w, const dl_real *b, int ldb)
{
    dl_check(w != NULL, "the packed weights are NULL");
    if (w->n == 0 || w->k == 0)
        return;
    check_factor("B", w->transposed, w->k, w->n, ldb, b != NULL);
    struct factor y = factor_of(b, !w->transposed, ldb, NULL, NULL);
    w->set->pack(&y, w->n, w->k, w->panels);
}

void dl_packed_free(struct dl_packed *w)
{
    free(w);
}
