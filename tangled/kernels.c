/* kernels.c - loops over arrays: the choice of the instruction set, and the
   division of work among threads. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "kernel_table.h"
#include "kernels.h"
#include "parallel.h"

static const char *const set_names[] = {"plain", "avx2", "avx512"};

static enum dl_simd best_set(void)
{
#if defined __x86_64__ && !defined DL_DOUBLE
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl"))
        return DL_SIMD_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return DL_SIMD_AVX2;
#endif
    return DL_SIMD_PLAIN;
}

static const struct kernel_table *table_of(enum dl_simd set)
{
#if defined __x86_64__ && !defined DL_DOUBLE
    if (set != DL_SIMD_PLAIN)
        return set == DL_SIMD_AVX2 ? &dl_kernels_avx2 : &dl_kernels_avx512;
#endif
    (void)set;
    return &dl_kernels_plain;
}

static enum dl_simd first_choice(void)
{
    const char *name = getenv("DLFS_SIMD");
    enum dl_simd best = best_set();
#if !defined DL_DOUBLE
    if (name != NULL && name[0] != '\0') {
        int set = 0;
        while (set <= (int)best && strcmp(name, set_names[set]) != 0)
            set++;
        dl_check(set <= (int)best, "DLFS_SIMD is \"%s\", but this processor "
                 "has no more than %s", name, set_names[best]);
        return (enum dl_simd)set;
    }
#else
    (void)name;
#endif
    return best;
}

static atomic_int chosen = -1;

enum dl_simd dl_get_simd(void)
{
    int set = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (set < 0)
        atomic_store(&chosen, set = (int)first_choice());
    return (enum dl_simd)set;
}

void dl_set_simd(enum dl_simd set)
{
    dl_check((int)set >= 0 && set <= best_set(),
             "instruction set %d: this processor has no more than %s",
             (int)set, set_names[best_set()]);
    atomic_store(&chosen, (int)set);
}

static const struct kernel_table *table(void)
{
    return table_of(dl_get_simd());
}

enum { GRAIN = 16384 };

struct work {
    union {
        map_kernel *map;
        pair_kernel *pair;
        backward_kernel *backward;
        scalar_kernel *scalar;
    };
    const dl_real *a, *b;
    dl_real *y, factor;
    bool add;
};

static void run_map(size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    w->map(end - begin, w->a + begin, w->y + begin);
}

#define PUBLIC_MAP(name) \
    void dl_v##name(size_t n, const dl_real *x, dl_real *y) \
    { \
        struct work w = {.map = table()->v##name, .a = x, .y = y}; \
        dl_parallel_for(n, GRAIN, run_map, &w); \
    }
EACH_MAP(PUBLIC_MAP)

static void run_pair(size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    w->pair(end - begin, w->a + begin, w->b + begin, w->y + begin);
}

#define PUBLIC_PAIR(name) \
    void dl_v##name(size_t n, const dl_real *a, const dl_real *b, \
                    dl_real *y) \
    { \
        struct work w = {.pair = table()->v##name, .a = a, .b = b, .y = y}; \
        dl_parallel_for(n, GRAIN, run_pair, &w); \
    }
EACH_PAIR(PUBLIC_PAIR)
PUBLIC_PAIR(muladd)

static void run_backward(size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    w->backward(end - begin, w->a + begin, w->b + begin, w->y + begin,
                w->add);
}

#define PUBLIC_BACKWARD(name) \
    void dl_v##name##_backward(size_t n, const dl_real *v, \
                               const dl_real *g, dl_real *dx, bool add) \
    { \
        struct work w = {.backward = table()->v##name##_backward, \
                         .a = v, .b = g, .y = dx, .add = add}; \
        dl_parallel_for(n, GRAIN, run_backward, &w); \
    }
EACH_MAP(PUBLIC_BACKWARD)

static void run_scalar(size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    w->scalar(end - begin, w->factor, w->a + begin, w->y + begin);
}

#define PUBLIC_SCALAR(name) \
    void dl_v##name(size_t n, dl_real a, const dl_real *x, dl_real *y) \
    { \
        struct work w = {.scalar = table()->v##name, \
                         .a = x, .y = y, .factor = a}; \
        dl_parallel_for(n, GRAIN, run_scalar, &w); \
    }
PUBLIC_SCALAR(scale)
PUBLIC_SCALAR(axpy)

void dl_vfill(size_t n, dl_real a, dl_real *y)
{
    struct work w = {.scalar = table()->vfill, .a = y, .y = y, .factor = a};
    dl_parallel_for(n, GRAIN, run_scalar, &w);
}

enum { BLOCKS = 256, LEAST = 4096, ROUND = 64 };

struct reduction {
    sum_kernel *kernel;
    size_t n, block;
    const dl_real *a, *b;
    dl_real *part;                  /* a result for each block */
};

static void run_reduction(size_t begin, size_t end, void *context)
{
    struct reduction *r = context;
    for (size_t k = begin; k < end; k++) {
        size_t at = k * r->block;
        size_t n = r->n - at < r->block ? r->n - at : r->block;
        r->part[k] = r->kernel(n, r->a + at, r->b + at);
    }
}

/* Compute the parts, return how many there are. */
static size_t run_blocks(struct reduction *r)
{
    r->block = (r->n / BLOCKS / ROUND + 1) * ROUND;
    if (r->block < LEAST)
        r->block = LEAST;
    size_t blocks = (r->n + r->block - 1) / r->block;
    size_t grain = GRAIN / r->block;
    dl_parallel_for(blocks, grain > 0 ? grain : 1, run_reduction, r);
    return blocks;
}

static dl_real total(sum_kernel *kernel, size_t n, const dl_real *a,
                     const dl_real *b)
{
    dl_real part[BLOCKS];
    struct reduction r = {.kernel = kernel, .n = n, .a = a, .b = b,
                          .part = part};
    size_t blocks = run_blocks(&r);
    double sum = 0;
    for (size_t k = 0; k < blocks; k++)
        sum += part[k];
    return (dl_real)sum;
}

dl_real dl_vsum(size_t n, const dl_real *x)
{
    return total(table()->vsum, n, x, x);
}

dl_real dl_vdot(size_t n, const dl_real *a, const dl_real *b)
{
    return total(table()->vdot, n, a, b);
}

dl_real dl_vmax(size_t n, const dl_real *x)
{
    sum_kernel *vmax = table()->vmax;
    dl_real part[BLOCKS];
    struct reduction r = {.kernel = vmax, .n = n, .a = x, .b = x,
                          .part = part};
    size_t blocks = run_blocks(&r);
    return vmax(blocks, part, NULL);
}

struct rows {
    union {
        rows_kernel *map;
        backward_kernel *backward;
        sum_kernel *sum;
        void (*moments)(size_t n, const dl_real *x, dl_real *mean,
                        dl_real *variance);
    };
    size_t cols;
    const dl_real *x, *g;
    dl_real *y, *variance;
    bool add;
};

static void divide_rows(size_t rows, dl_range_function *body, struct rows *r)
{
    size_t grain = r->cols < GRAIN ? GRAIN / (r->cols + 1) + 1 : 1;
    dl_parallel_for(rows, grain, body, r);
}

static void map_rows(size_t begin, size_t end, void *context)
{
    const struct rows *r = context;
    size_t at = begin * r->cols;
    r->map(end - begin, r->cols, r->x + at, r->y + at);
}

#define PUBLIC_ROWS(name) \
    void dl_v##name(size_t rows, size_t cols, const dl_real *x, dl_real *y) \
    { \
        struct rows r = {.map = table()->name, .cols = cols, .x = x, \
                         .y = y}; \
        divide_rows(rows, map_rows, &r); \
    }
PUBLIC_ROWS(softmax)
PUBLIC_ROWS(log_softmax)

static void sum_rows(size_t begin, size_t end, void *context)
{
    const struct rows *r = context;
    for (size_t i = begin; i < end; i++)
        r->y[i] = r->sum(r->cols, r->x + i * r->cols, NULL);
}

void dl_vlogsumexp(size_t rows, size_t cols, const dl_real *x, dl_real *y)
{
    struct rows r = {.sum = table()->logsumexp, .cols = cols, .x = x,
                     .y = y};
    divide_rows(rows, sum_rows, &r);
}

static void back_rows(size_t begin, size_t end, void *context)
{
    const struct rows *r = context;
    for (size_t i = begin; i < end; i++) {
        size_t at = i * r->cols;
        r->backward(r->cols, r->x + at, r->g + at, r->y + at, r->add);
    }
}

#define PUBLIC_ROWS_BACKWARD(name) \
    void dl_v##name##_backward(size_t rows, size_t cols, const dl_real *y, \
                               const dl_real *g, dl_real *dx, bool add) \
    { \
        struct rows r = {.backward = table()->name##_backward, \
                         .cols = cols, .x = y, .g = g, .y = dx, .add = add}; \
        divide_rows(rows, back_rows, &r); \
    }
PUBLIC_ROWS_BACKWARD(softmax)
PUBLIC_ROWS_BACKWARD(log_softmax)

static void moments_of_rows(size_t begin, size_t end, void *context)
{
    const struct rows *r = context;
    for (size_t i = begin; i < end; i++)
        r->moments(r->cols, r->x + i * r->cols, &r->y[i], &r->variance[i]);
}

void dl_vmoments(size_t rows, size_t cols, const dl_real *x, dl_real *mean,
                dl_real *variance)
{
    dl_check(cols > 0, "the moments of rows of length 0");
    struct rows r = {.moments = table()->moments, .cols = cols, .x = x,
                     .y = mean, .variance = variance};
    divide_rows(rows, moments_of_rows, &r);
}

struct columns {
    size_t rows, cols;
    const dl_real *x;
    double *s;
};

static void sum_some_columns(size_t begin, size_t end, void *context)
{
    const struct columns *c = context;
    table()->sum_columns(c->rows, end - begin, c->cols, c->x + begin,
                         c->s + begin);
}

void dl_vsum_columns(size_t rows, size_t cols, const dl_real *x, double *s)
{
    struct columns c = {rows, cols, x, s};
    dl_parallel_for(cols, (GRAIN / (rows + 1) / 16 + 1) * 16,
                    sum_some_columns, &c);
}
