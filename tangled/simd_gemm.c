/* simd_gemm.c - the matrix product on one thread; compiled once for each
   instruction set, whose name is in SIMD. */
#include <string.h>
#include "kernels.h"
#include "simd.h"
#include "simd_gemm.h"
#include "simd_math.h"

static int min(int a, int b) { return a < b ? a : b; }

enum {
    MAX_ROWS = LANES == 16 ? 14 : 6, MAX_VECTORS = 4,
    STRIP = LANES == 16 ? 16 : 8,   /* room for an element of each row */
    WORTH_ASKING = 64               /* steps for which a prefetch pays */
};

struct tile {
    const dl_real *x, *y;
    ptrdiff_t x_row, x_step, y_vector, y_step;
    int k;
    dl_real *sum;               /* where the sums go */
    ptrdiff_t sum_row;          /* from one row of sums to the next */
    bool add;                   /* to what is there */
    const dl_real *bias;        /* NULL, or what is added to each row */
    bool relu;                  /* what is negative then becomes 0 */
    dl_real *keep;              /* NULL, or where to copy the panel */
};

#define UNROLL _Pragma("GCC unroll 16")

INLINE void tile(const struct tile *t, const int rows, const int vectors,
                 const bool keep)
{
    vec sum[MAX_ROWS][MAX_VECTORS];
    const dl_real *x[(MAX_ROWS + 2) / 3], *y[(MAX_VECTORS + 2) / 3];
    UNROLL for (int i = 0; i < rows; i += 3)
        x[i / 3] = t->x + i * t->x_row;
    UNROLL for (int v = 0; v < vectors; v += 3)
        y[v / 3] = t->y + v * t->y_vector;
    if (t->k >= WORTH_ASKING)
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                __builtin_prefetch(t->sum + i * t->sum_row + v * LANES, 1);
    dl_real *panel = t->keep;
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < vectors; v++)
            sum[i][v] = (vec){0};
    for (int p = t->k; p > 0; p--) {
        vec row[MAX_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++)
            row[v] = vec_load(y[v / 3] + v % 3 * t->y_vector);
        if (keep)
            {
                UNROLL for (int v = 0; v < vectors; v++) {
                    vec_store(panel + v * LANES, row[v]);
                    __builtin_prefetch(y[v / 3] + v % 3 * t->y_vector
                                       + 16 * t->y_step);
                }
                panel += vectors * LANES;
            }
        UNROLL for (int i = 0; i < rows; i++) {
            vec xi = vec_all(x[i / 3][i % 3 * t->x_row]);
            UNROLL for (int v = 0; v < vectors; v++)
                sum[i][v] = vec_fma(xi, row[v], sum[i][v]);
        }
        UNROLL for (int i = 0; i < rows; i += 3)
            x[i / 3] += t->x_step;
        UNROLL for (int v = 0; v < vectors; v += 3)
            y[v / 3] += t->y_step;
    }
    dl_real *to = t->sum;
    const dl_real *bias = t->bias;
    const ptrdiff_t next = t->sum_row;
    const bool add = t->add, relu = t->relu;
    UNROLL for (int i = 0; i < rows; i++, to += next)
        UNROLL for (int v = 0; v < vectors; v++) {
            vec s = sum[i][v];
            if (add)
                s = vec_load(to + v * LANES) + s;
            if (bias != NULL)
                s += vec_load(bias + v * LANES);
            vec_store(to + v * LANES, relu ? vec_relu(s) : s);
        }
}

#define SIZES_OF_ALL(_) \
    _(1, 1) _(2, 1) _(3, 1) _(4, 1) _(5, 1) _(6, 1) \
    _(1, 2) _(2, 2) _(3, 2) _(4, 2) _(5, 2) _(6, 2) \
    _(1, 3) _(2, 3) _(3, 3) _(4, 3) _(1, 4) _(2, 4)
#if defined __AVX512F__ && !defined DL_DOUBLE
#define SIZES(_) SIZES_OF_ALL(_) \
    _(7, 1) _(8, 1) _(9, 1) _(10, 1) _(11, 1) _(12, 1) _(13, 1) _(14, 1) \
    _(7, 2) _(8, 2) _(9, 2) _(10, 2) _(11, 2) _(12, 2) _(13, 2) _(14, 2) \
    _(5, 3) _(6, 3) _(7, 3) _(8, 3) _(9, 3) \
    _(3, 4) _(4, 4) _(5, 4) _(6, 4) _(7, 4)
static const int most_rows[MAX_VECTORS + 1] = {0, 14, 14, 9, 7};
#else
#define SIZES SIZES_OF_ALL
static const int most_rows[MAX_VECTORS + 1] = {0, 6, 6, 4, 2};
#endif

typedef void tile_function(const struct tile *t);

#define DEFINE(r, v) \
    static void tile_##r##_##v(const struct tile *t) \
    { \
        if (t->keep != NULL) \
            tile(t, r, v, true); \
        else \
            tile(t, r, v, false); \
    }
SIZES(DEFINE)

#define ENTER(r, v) [v][r] = tile_##r##_##v,
static tile_function *const tiles[MAX_VECTORS + 1][MAX_ROWS + 1] = {
    SIZES(ENTER)
};

#if defined __AVX2__ && !defined DL_DOUBLE
typedef float vec8 __attribute__((vector_size(32)));
typedef vec8 vec8_anywhere __attribute__((aligned(4), may_alias));

/* Lanes s, t, u, w of a and b together, in each half. */
#define ZIP(a, b, s, t, u, w) \
    __builtin_shufflevector(a, b, s, t, u, w, s + 4, t + 4, u + 4, w + 4)

/* Four numbers at a, and four at b. */
INLINE vec8 quads(const float *a, const float *b)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(a)),
                                _mm_loadu_ps(b), 1);
}

/* to[p * step + i] = from[i * row + p] for i < 8 and p < 4. */
INLINE void turn_8x4(const float *from, ptrdiff_t row, float *to, int step)
{
    const float *r = from, *s = from + 4 * row;
    vec8 a = quads(r, s), b = quads(r + row, s + row);
    vec8 c = quads(r + 2 * row, s + 2 * row);
    vec8 d = quads(r + 3 * row, s + 3 * row);
    vec8 ab = ZIP(a, b, 0, 8, 1, 9), cd = ZIP(c, d, 0, 8, 1, 9);
    *(vec8_anywhere *)to = ZIP(ab, cd, 0, 1, 8, 9);
    *(vec8_anywhere *)(to + step) = ZIP(ab, cd, 2, 3, 10, 11);
    ab = ZIP(a, b, 2, 10, 3, 11), cd = ZIP(c, d, 2, 10, 3, 11);
    *(vec8_anywhere *)(to + 2 * step) = ZIP(ab, cd, 0, 1, 8, 9);
    *(vec8_anywhere *)(to + 3 * step) = ZIP(ab, cd, 2, 3, 10, 11);
}
#endif

/* to[p * step + i] = from[i * row + p] for i < rows and p < k. */
INLINE void turn_rows(const int rows, const dl_real *from, ptrdiff_t row,
                      int k, dl_real *to, int step)
{
    int p = 0;
#if defined __AVX2__ && !defined DL_DOUBLE
    for (; rows == 8 && p + 4 <= k; p += 4)
        turn_8x4(from + p, row, to + p * step, step);
#endif
    for (; p < k; p++)
        for (int i = 0; i < rows; i++)
            to[p * step + i] = from[i * row + p];
}

static __attribute__((noinline))
void turn(int rows, const dl_real *from, ptrdiff_t row, int k,
          dl_real *to, int step)
{
    if (rows < 8) {
        turn_rows(rows, from, row, k, to, step);
        return;
    }
    turn_rows(8, from, row, k, to, step);
    if (rows > 8)
        turn_rows(8, from + (rows - 8) * row, row, k, to + rows - 8, step);
}

/* n <= 16 numbers */
INLINE void copy(dl_real *to, const dl_real *from, int n)
{
    for (; n >= 8; n -= 8, to += 8, from += 8)
        memcpy(to, from, 8 * sizeof *to);
    if (n & 4)
        memcpy(to, from, 4 * sizeof *to), to += 4, from += 4;
    if (n & 2)
        memcpy(to, from, 2 * sizeof *to), to += 2, from += 2;
    if (n & 1)
        *to = *from;
}

/* to[q * step + r] = element p + q of vector i + r, r < count, q < depth. */
static void fetch(const struct factor *f, int i, int count, int p, int depth,
                  dl_real *to, int step)
{
    if (f->fill != NULL) {
        f->fill(f->context, i, count, p, depth, to, step);
        return;
    }
    const dl_real *from = f->at + i * f->across + p * f->along;
    if (f->across != 1)
        turn(count, from, f->across, depth, to, step);
    else
        for (int q = 0; q < depth; q++) {
            __builtin_prefetch(from + (q + 32) * f->along);
            copy(to + q * step, from + q * f->along, count);
        }
}

static void pack_panel(const struct factor *y, int j, int columns,
                       int p, int depth, dl_real *to)
{
    for (; columns > 0; j += LANES, columns -= LANES) {
        int count = min(columns, LANES);
        if (count < LANES)
            memset(to, 0, (size_t)depth * LANES * sizeof *to);
        fetch(y, j, count, p, depth, to, LANES);
        to += depth * LANES;
    }
}

static void pack(const struct factor *y, int n, int k, dl_real *to)
{
    const size_t padded = (size_t)(n + LANES - 1) / LANES * LANES;
    for (int p = 0; p < k; p += KC) {
        int depth = min(k - p, KC);
        pack_panel(y, 0, n, p, depth, to);
        to += padded * depth;
    }
}

/* A tile's place: rows and columns as the tile sees them. */
struct place { int i, j, rows, columns; };

/* The same as C sees it. */
static struct place place_in_c(const struct work *w, struct place at)
{
    if (!w->turned)
        return at;
    return (struct place){at.j, at.i, at.columns, at.rows};
}

/* For a part of a vector AVX-512 has instructions; AVX2 has copy(). */
INLINE vec load(const dl_real *p, int n)
{
    vec v = {0};
    if (n == LANES)
        return vec_load(p);
    if (LANES != 8)
        return vec_load_part(p, (size_t)n, 0);
    copy((dl_real *)&v, p, n);
    return v;
}

INLINE void store(dl_real *p, vec v, int n)
{
    if (n == LANES)
        vec_store(p, v);
    else if (LANES != 8)
        vec_store_part(p, v, (size_t)n);
    else
        copy(p, (const dl_real *)&v, n);
}

static void carry(const struct work *w, struct place at, bool first,
                  const dl_real *sums, int step)
{
    _Alignas(64) dl_real turned[MAX_VECTORS * LANES * STRIP + LANES];
    if (w->turned) {
        turn((at.rows + 7) & -8, sums, step, at.columns, turned, STRIP);
        sums = turned, step = STRIP;
    }
    at = place_in_c(w, at);
    const vec alpha = vec_all(w->alpha), beta = vec_all(first ? w->beta : 1);
    const bool read = !first || w->beta != 0;
    for (int i = 0; i < at.rows; i++, sums += step) {
        dl_real *c = w->c + (ptrdiff_t)(at.i + i) * w->ldc + at.j;
        for (int j = 0; j < at.columns; j += LANES) {
            int n = min(at.columns - j, LANES);
            vec s = vec_load(sums + j), new = alpha * s;
            if (read)
                new = vec_fma(alpha, s, beta * load(c + j, n));
            store(c + j, new, n);
        }
    }
}

static void add_biases(const struct work *w, struct place at,
                       const dl_real *columns, const dl_real *rows)
{
    for (int j = at.j; j < at.j + at.columns; j += LANES) {
        int n = min(at.j + at.columns - j, LANES);
        vec bias = columns != NULL ? load(columns + j, n) : vec_all(0);
        dl_real *c = w->c + (ptrdiff_t)at.i * w->ldc + j;
        for (int i = at.i; i < at.i + at.rows; i++, c += w->ldc) {
            vec v = load(c, n);
            if (columns != NULL)
                v += bias;
            if (rows != NULL)
                v += vec_all(rows[i]);
            store(c, v, n);
        }
    }
}

static void finish(const struct work *w, struct place at,
                   const struct tile *t)
{
    const dl_real *columns = t->bias != NULL ? NULL : w->column_bias;
    at = place_in_c(w, at);
    if (columns != NULL || w->row_bias != NULL)
        add_biases(w, at, columns, w->row_bias);
    if (w->map == NULL || t->relu)
        return;
    bool whole = at.columns == w->ldc;
    size_t n = (size_t)at.columns * (whole ? (size_t)at.rows : 1);
    for (int i = 0; i < (whole ? 1 : at.rows); i++) {
        dl_real *c = w->c + (ptrdiff_t)(at.i + i) * w->ldc + at.j;
        w->map(n, c, c);
    }
}

struct progress {
    const struct work *w;
    struct part part;
    int vectors;            /* width of a tile */
    int strips;             /* number of strips of x, */
    int rows;               /* of so many rows each, */
    int longer;             /* and the first ones have one more */
    bool pack_x, pack_y;
    dl_real *xs, *ys;       /* packed strips and panels */
    int p, depth;           /* the block: p <= element < p + depth */
    bool first, last;       /* is it the first block, the last one? */
};

static struct progress plan(const struct work *w, const struct part *part,
                            dl_real *workspace)
{
    const int rows = part->i1 - part->i0, columns = part->j1 - part->j0;
    int vectors = MAX_VECTORS;
    while (vectors > 2 && rows > most_rows[vectors])
        vectors--;
    vectors = min(vectors, (columns + LANES - 1) / LANES);
    const int strips = (rows + most_rows[vectors] - 1) / most_rows[vectors];
    return (struct progress){
        .w = w, .part = *part, .vectors = vectors,
        .strips = strips, .rows = rows / strips, .longer = rows % strips,
        .pack_x = w->x.fill != NULL || columns > 4 * vectors * LANES,
        .pack_y = w->y.fill != NULL || w->y.across != 1 || strips > 4,
        .xs = workspace, .ys = workspace + MC * KC
    };
}

/* The first row of strip s. */
static int strip_start(const struct progress *g, int s)
{
    return g->part.i0 + s * g->rows + min(s, g->longer);
}

static int strip_rows(const struct progress *g, int s)
{
    return g->rows + (s < g->longer);
}

static void pack_strips(const struct progress *g, int s, int end)
{
    const struct factor *x = &g->w->x;
    const int layer = x->across == 1 ? 32 : KC;
    for (int q = 0; q < g->depth; q += layer)
        for (int t = s; t < end; t++) {
            dl_real *strip = g->xs + (ptrdiff_t)(t - s) * STRIP * g->depth;
            int i = strip_start(g, t), rows = strip_rows(g, t);
            if (x->fill == NULL)
                rows = min((rows + 7) & -8, g->w->m - i);
            fetch(x, i, rows, g->p + q, min(g->depth - q, layer),
                  strip + q * STRIP, STRIP);
        }
}

static void find_panel(const struct progress *g, bool fresh,
                       int j, int columns, dl_real *panel, struct tile *t)
{
    const struct factor *y = &g->w->y;
    t->y = panel;
    t->keep = NULL;
    if (y->packed == NULL && y->fill == NULL && y->across == 1
        && columns % LANES == 0) {
        t->y_vector = LANES;
        t->y_step = columns;
        if (fresh || !g->pack_y)
            {
                t->y = y->at + j + g->p * y->along;
                t->y_step = y->along;
                t->keep = g->pack_y ? panel : NULL;
            }
    } else {
        t->y_vector = (ptrdiff_t)g->depth * LANES;
        t->y_step = LANES;
        if (y->packed != NULL) {
            size_t padded = (size_t)(g->w->n + LANES - 1) / LANES * LANES;
            t->y = y->packed + padded * g->p + (size_t)j * g->depth;
        } else if (fresh) {
            pack_panel(y, j, columns, g->p, g->depth, panel);
        }
    }
}

static void find_strip(const struct progress *g, int s, int i,
                       struct tile *t)
{
    const struct factor *x = &g->w->x;
    if (g->pack_x) {
        t->x = g->xs + (ptrdiff_t)(s % (MC / STRIP)) * STRIP * g->depth;
        t->x_row = 1;
        t->x_step = STRIP;
    } else {
        t->x = x->at + i * x->across + g->p * x->along;
        t->x_row = x->across;
        t->x_step = x->along;
    }
}

/* Where strips s, ..., end - 1 meet so many columns from j on. */
static struct place rows_of(const struct progress *g, int s, int end,
                            int j, int columns)
{
    int i = strip_start(g, s);
    return (struct place){i, j, strip_start(g, end) - i, columns};
}

static void multiply_panel(struct progress *g, int s, int end,
                           int j, int columns, dl_real *panel)
{
    const struct work *w = g->w;
    const int vectors = (columns + LANES - 1) / LANES;
    _Alignas(64) dl_real sums[STRIP * MAX_VECTORS * LANES];
    struct tile t = {.k = g->depth};
    find_panel(g, s == 0, j, columns, panel, &t);
    const bool straight = !w->turned && w->alpha == 1
        && columns % LANES == 0 && (!g->first || w->beta == 0 || w->beta == 1);
    t.add = straight && (!g->first || w->beta == 1);
    if (straight && g->last) {
        t.bias = w->column_bias != NULL ? w->column_bias + j : NULL;
        t.relu = w->map == dl_vrelu && w->row_bias == NULL;
    }
    for (int unfinished = s; s < end; s++) {
        struct place at = {strip_start(g, s), j, strip_rows(g, s), columns};
        find_strip(g, s, at.i, &t);
        t.sum = straight ? w->c + (ptrdiff_t)at.i * w->ldc + j : sums;
        t.sum_row = straight ? w->ldc : vectors * LANES;
        tiles[vectors][at.rows](&t);
        if (t.keep != NULL) {
            t.y = t.keep;
            t.y_step = columns;
            t.keep = NULL;
        }
        if (!straight)
            carry(w, at, g->first, sums, vectors * LANES);
        if (s + 1 == end || s + 1 == unfinished + MC / STRIP) {
            if (g->last)
                finish(w, rows_of(g, unfinished, s + 1, j, columns), &t);
            unfinished = s + 1;
        }
    }
}

static void multiply(const struct work *w, const struct part *part,
                     dl_real *workspace)
{
    struct progress g = plan(w, part, workspace);
    const int group = g.pack_x ? MC / STRIP : g.strips;
    for (int j = part->j0; j < part->j1; j += NC)
        for (g.p = 0; g.p == 0 || g.p < w->k; g.p += KC) {
            g.depth = min(w->k - g.p, KC);
            g.first = g.p == 0;
            g.last = g.p + KC >= w->k;
            for (int s = 0; s < g.strips; s += group)
                {
                    const int end = min(s + group, g.strips);
                    const int width = g.vectors * LANES, right = min(j + NC, part->j1);
                    if (g.pack_x)
                        pack_strips(&g, s, end);
                    for (int left = j; left < right; left += width) {
                        dl_real *panel = g.ys;
                        if (group < g.strips)
                            panel += (ptrdiff_t)(left - j) * g.depth;
                        multiply_panel(&g, s, end, left, min(right - left, width), panel);
                    }
                }
        }
}

#define PASTE(a, b) a##b
#define TABLE_OF(set) PASTE(dl_gemm_, set)

const struct gemm_set TABLE_OF(SIMD) = {
    .lanes = LANES,
    .turn_y = LANES == 16 ? 3 : 8, .turn_c = LANES == 16 ? 6 : 40,
    .multiply = multiply, .pack = pack
};
