/* simd_kernels.c - loops over arrays, compiled once for each instruction
   set; the macro SIMD is its name. */
#include <stddef.h>
#include "kernel_table.h"
#include "simd.h"
#include "simd_math.h"

INLINE void map(size_t n, const dl_real *x, dl_real *y, vec f(vec x))
{
    for (size_t i = 0; i < n; i += LANES) {
        vec xi = vec_load_some(x + i, n - i, 1);
        vec_store_some(y + i, f(xi), n - i);
    }
}

INLINE void map_pair(size_t n, const dl_real *a, const dl_real *b,
                     dl_real *y, vec f(vec a, vec b))
{
    for (size_t i = 0; i < n; i += LANES) {
        vec ai = vec_load_some(a + i, n - i, 1);
        vec bi = vec_load_some(b + i, n - i, 1);
        vec_store_some(y + i, f(ai, bi), n - i);
    }
}

INLINE void map_back(size_t n, const dl_real *v, const dl_real *g,
                     dl_real *dx, bool add, vec back(vec v, vec g))
{
    for (size_t i = 0; i < n; i += LANES) {
        vec vi = vec_load_some(v + i, n - i, 1);
        vec d = back(vi, vec_load_some(g + i, n - i, 1));
        if (add)
            d += vec_load_some(dx + i, n - i, 1);
        vec_store_some(dx + i, d, n - i);
    }
}

INLINE vec vec_add(vec a, vec b) { return a + b; }
INLINE vec vec_sub(vec a, vec b) { return a - b; }
INLINE vec vec_mul(vec a, vec b) { return a * b; }
INLINE vec vec_div(vec a, vec b) { return a / b; }

#define DEFINE_PAIR(name) \
    static void v##name(size_t n, const dl_real *a, const dl_real *b, \
                        dl_real *y) \
    { \
        map_pair(n, a, b, y, vec_##name); \
    }
EACH_PAIR(DEFINE_PAIR)

#define DEFINE_MAP(name) \
    static void v##name(size_t n, const dl_real *x, dl_real *y) \
    { \
        map(n, x, y, vec_##name); \
    }
EACH_MAP(DEFINE_MAP)

static void vscale(size_t n, dl_real a, const dl_real *x, dl_real *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec xi = vec_load_some(x + i, n - i, 1);
        vec_store_some(y + i, vec_all(a) * xi, n - i);
    }
}

static void vaxpy(size_t n, dl_real a, const dl_real *x, dl_real *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec xi = vec_load_some(x + i, n - i, 1);
        vec yi = vec_load_some(y + i, n - i, 1);
        vec_store_some(y + i, vec_fma(vec_all(a), xi, yi), n - i);
    }
}

static void vfill(size_t n, dl_real a, const dl_real *x, dl_real *y)
{
    (void)x;
    for (size_t i = 0; i < n; i += LANES)
        vec_store_some(y + i, vec_all(a), n - i);
}

static void vmuladd(size_t n, const dl_real *a, const dl_real *b,
                    dl_real *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec ai = vec_load_some(a + i, n - i, 1);
        vec bi = vec_load_some(b + i, n - i, 1);
        vec yi = vec_load_some(y + i, n - i, 1);
        vec_store_some(y + i, vec_fma(ai, bi, yi), n - i);
    }
}

INLINE vec back_exp(vec y, vec g) { return g * y; }
INLINE vec back_log(vec x, vec g) { return g / x; }
INLINE vec back_sqrt(vec y, vec g) { return g / (y + y); }
INLINE vec back_tanh(vec y, vec g) { return g * (vec_all(1) - y * y); }
INLINE vec back_sigmoid(vec y, vec g) { return g * y * (vec_all(1) - y); }

INLINE vec back_relu(vec y, vec g)
{
    return vec_select(y <= 0, vec_all(0), g);
}

INLINE vec back_erf(vec x, vec g)
{
    const vec a = vec_all((dl_real)1.1283791670955126);   /* 2/sqrt(pi) */
    return g * a * vec_exp(-(x * x));
}

INLINE vec back_silu(vec x, vec g)
{
    x = vec_max(vec_all(FAR), vec_min(vec_all(-FAR), x));
    vec s = vec_sigmoid(x);
    return g * s * vec_fma(x, vec_all(1) - s, vec_all(1));
}

INLINE vec back_gelu(vec x, vec g)
{
    const vec a = vec_all((dl_real)-1.3257480647361593);   /* log2 phi(0) */
    const vec b = vec_all((dl_real)-0.72134752044448170);  /* -1/(2 ln 2) */
    vec z = vec_abs(x), q = vec_tail(&z);
    vec d = vec_fma(-z, vec_power2_of(vec_fma(b * z, z, a)), q);
    return g * vec_select(x < 0, d, vec_all(1) - d);
}

INLINE vec back_gelu_tanh(vec x, vec g)
{
    const vec a = vec_all((dl_real)1.5957691216057308);
    const vec b3 = vec_all((dl_real)(3 * 0.044715));
    x = vec_max(vec_all(-40), vec_min(vec_all(40), x));
    vec s = vec_sigmoid(vec_gelu_v(x));
    vec dv = a * vec_fma(b3 * x, x, vec_all(1));
    return g * vec_fma(x * s * (vec_all(1) - s), dv, s);
}

#define DEFINE_BACKWARD(name) \
    static void v##name##_backward(size_t n, const dl_real *v, \
                                   const dl_real *g, dl_real *dx, bool add) \
    { \
        map_back(n, v, g, dx, add, back_##name); \
    }
EACH_MAP(DEFINE_BACKWARD)

enum { WIDE = 64, PER = WIDE / LANES };

/* s[0] joined with s[1], ..., in halves: over all 64 lanes */
INLINE dl_real fold(vec s[PER], vec join(vec a, vec b))
{
#pragma GCC unroll 16
    for (int w = PER / 2; w > 0; w /= 2)
#pragma GCC unroll 16
        for (int k = 0; k < w; k++)
            s[k] = join(s[k], s[k + w]);
#pragma GCC unroll 16
    for (int w = LANES / 2; w > 0; w /= 2)
        s[0] = join(s[0], vec_swap(s[0], w));
    return s[0][0];
}

INLINE dl_real reduce(size_t n, const dl_real *x, dl_real fill, dl_real start,
                      vec step(vec s, vec x, vec c), dl_real c,
                      vec join(vec a, vec b))
{
    vec s[PER];
#pragma GCC unroll 16
    for (int k = 0; k < PER; k++)
        s[k] = vec_all(start);
    size_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
#pragma GCC unroll 16
        for (int k = 0; k < PER; k++)
            s[k] = step(s[k], vec_load(x + i + k * LANES), vec_all(c));
#pragma GCC unroll 16
    for (int k = 0; k < PER; k++)
        if (i + k * LANES < n)
            s[k] = step(s[k], vec_load_some(x + i + k * LANES,
                                        n - i - k * LANES, fill),
                        vec_all(c));
    return fold(s, join);
}

INLINE vec larger(vec a, vec b)
{
    return vec_select((b > a) | (b != b), b, a);
}

INLINE vec step_larger(vec s, vec x, vec c)
{
    (void)c;
    return larger(s, x);
}

INLINE vec step_add(vec s, vec x, vec c)
{
    (void)c;
    return s + x;
}

static dl_real vsum(size_t n, const dl_real *x, const dl_real *unused)
{
    (void)unused;
    return reduce(n, x, 0, 0, step_add, 0, vec_add);
}

static dl_real vmax(size_t n, const dl_real *x, const dl_real *unused)
{
    (void)unused;
    return reduce(n, x, -INFINITY, -INFINITY, step_larger, 0, larger);
}

static dl_real vdot(size_t n, const dl_real *a, const dl_real *b)
{
    vec s[PER] = {{0}};
    size_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
#pragma GCC unroll 16
        for (int k = 0; k < PER; k++)
            s[k] = vec_fma(vec_load(a + i + k * LANES),
                           vec_load(b + i + k * LANES), s[k]);
#pragma GCC unroll 16
    for (int k = 0; k < PER; k++)
        if (i + k * LANES < n) {
            size_t left = n - i - k * LANES;
            s[k] = vec_fma(vec_load_some(a + i + k * LANES, left, 0),
                           vec_load_some(b + i + k * LANES, left, 0), s[k]);
        }
    return fold(s, vec_add);
}

INLINE vec step_max(vec s, vec x, vec c)
{
    (void)c;
    return vec_max(s, x);
}

INLINE dl_real row_max(size_t n, const dl_real *x)
{
    return reduce(n, x, -INFINITY, -INFINITY, step_max, 0, vec_max);
}

INLINE vec step_exp(vec s, vec x, vec m)
{
    return s + vec_exp(x - m);
}

/* not inlined: once is long enough */
__attribute__((noinline))
static dl_real sum_exp(size_t n, const dl_real *x, dl_real m)
{
    return reduce(n, x, -INFINITY, 0, step_exp, m, vec_add);
}

/* How many of the rows of n numbers to take at once */
enum { TOGETHER = 16, NEARBY = 512 };

INLINE size_t rows_together(size_t rows, size_t n)
{
    size_t k = n < NEARBY ? NEARBY / (n + 1) + 1 : 1;
    k = k < TOGETHER ? k : TOGETHER;
    return k < rows ? k : rows;
}

static void exp_minus(size_t n, const dl_real *x, dl_real m, dl_real *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec xi = vec_load_some(x + i, n - i, 1);
        vec_store_some(y + i, vec_exp(xi - vec_all(m)), n - i);
    }
}

static void softmax(size_t rows, size_t n, const dl_real *x, dl_real *y)
{
    dl_real m[TOGETHER];
    for (size_t k; rows > 0; rows -= k, x += k * n, y += k * n) {
        k = rows_together(rows, n);
        for (size_t r = 0; r < k; r++)
            m[r] = row_max(n, x + r * n);
        for (size_t r = 0; r < k; r++)
            exp_minus(n, x + r * n, m[r], y + r * n);
        for (size_t r = 0; r < k; r++)
            m[r] = 1 / vsum(n, y + r * n, NULL);
        for (size_t r = 0; r < k; r++)
            vscale(n, m[r], y + r * n, y + r * n);
    }
}

static void log_softmax(size_t rows, size_t n, const dl_real *x, dl_real *y)
{
    dl_real m[TOGETHER], s[TOGETHER];
    for (size_t k; rows > 0; rows -= k, x += k * n, y += k * n) {
        k = rows_together(rows, n);
        for (size_t r = 0; r < k; r++)
            m[r] = row_max(n, x + r * n);
        for (size_t r = 0; r < k; r++)
            s[r] = sum_exp(n, x + r * n, m[r]);
        vlog(k, s, s);
        for (size_t r = 0; r < k; r++)
            for (size_t i = 0; i < n; i += LANES) {
                vec xi = vec_load_some(x + r * n + i, n - i, 0);
                vec_store_some(y + r * n + i,
                               xi - vec_all(m[r]) - vec_all(s[r]), n - i);
            }
    }
}

INLINE dl_real log_of(dl_real x)
{
    return vec_log(vec_all(x))[0];
}

static dl_real logsumexp(size_t n, const dl_real *x, const dl_real *unused)
{
    (void)unused;
    dl_real m = row_max(n, x);
    if (m == INFINITY || m == -INFINITY)
        m = 0;
    return m + log_of(sum_exp(n, x, m));
}

static void softmax_backward(size_t n, const dl_real *y, const dl_real *g,
                             dl_real *dx, bool add)
{
    vec dot = vec_all(vdot(n, g, y));
    for (size_t i = 0; i < n; i += LANES) {
        vec gi = vec_load_some(g + i, n - i, 0);
        vec yi = vec_load_some(y + i, n - i, 0);
        vec d = yi * (gi - dot);
        if (add)
            d += vec_load_some(dx + i, n - i, 0);
        vec_store_some(dx + i, d, n - i);
    }
}

static void log_softmax_backward(size_t n, const dl_real *z, const dl_real *g,
                                 dl_real *dx, bool add)
{
    vec sum = vec_all(vsum(n, g, NULL));
    for (size_t i = 0; i < n; i += LANES) {
        vec p = vec_exp(vec_load_some(z + i, n - i, 0));
        vec d = vec_fma(-p, sum, vec_load_some(g + i, n - i, 0));
        if (add)
            d += vec_load_some(dx + i, n - i, 0);
        vec_store_some(dx + i, d, n - i);
    }
}

INLINE vec step_square(vec s, vec x, vec c)
{
    return vec_fma(x - c, x - c, s);
}

static void moments(size_t n, const dl_real *x, dl_real *mean,
                    dl_real *variance)
{
    dl_real m = vsum(n, x, NULL) / (dl_real)n;
    *mean = m;
    *variance = reduce(n, x, m, 0, step_square, m, vec_add) / (dl_real)n;
}

enum { HALF = LANES / 2 };
typedef dl_real half __attribute__((vector_size(HALF * sizeof(dl_real))));
typedef half half_anywhere
    __attribute__((aligned(sizeof(dl_real)), may_alias));
typedef double wide __attribute__((vector_size(HALF * sizeof(double))));

INLINE wide load_wide(const dl_real *p)
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#else
    return __builtin_convertvector(*(const half_anywhere *)p, wide);
#endif
}

static void sum_columns(size_t rows, size_t n, size_t step, const dl_real *x,
                        double *s)
{
    for (; n >= LANES; n -= LANES, x += LANES, s += LANES) {
        wide sum[2] = {{0}, {0}};
        for (size_t i = 0; i < rows; i++) {
            sum[0] += load_wide(x + i * step);
            sum[1] += load_wide(x + i * step + HALF);
        }
        memcpy(s, sum, sizeof sum);
    }
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < rows; i++)
            sum += x[i * step + j];
        s[j] = sum;
    }
}

#define FILL(name) .v##name = v##name,
#define FILL_BACKWARD(name) .v##name##_backward = v##name##_backward,
#define PASTE(a, b) a##b
#define TABLE_OF(set) PASTE(dl_kernels_, set)

const struct kernel_table TABLE_OF(SIMD) = {
    EACH_MAP(FILL)
    EACH_PAIR(FILL)
    EACH_MAP(FILL_BACKWARD)
    FILL(scale) FILL(axpy) FILL(fill) FILL(muladd)
    FILL(sum) FILL(dot) FILL(max)
    .softmax = softmax, .log_softmax = log_softmax, .logsumexp = logsumexp,
    .softmax_backward = softmax_backward,
    .log_softmax_backward = log_softmax_backward, .moments = moments,
    .sum_columns = sum_columns,
};
