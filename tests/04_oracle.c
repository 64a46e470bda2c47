/* Chapter 4: the kernels against PyTorch in double precision, values and gradients, for every instruction set. Compiled for
   float and, with DL_DOUBLE, for double. */
#include "base.h"
#include "kernels.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <math.h>

#ifdef DL_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 1e-5
#endif

typedef void map_function(size_t n, const dl_real *x, dl_real *y);
typedef void pair_function(size_t n, const dl_real *a, const dl_real *b, dl_real *y);
typedef void back_function(size_t n, const dl_real *v, const dl_real *g, dl_real *dx, bool add);
typedef void row_function(size_t rows, size_t cols, const dl_real *x, dl_real *y);
typedef void row_back_function(size_t rows, size_t cols, const dl_real *y, const dl_real *g, dl_real *dx, bool add);

static const struct { const char *name; map_function *map; back_function *back; bool of_result, positive; } maps[] = {
    {"exp", dl_vexp, dl_vexp_backward, true, false}, {"log", dl_vlog, dl_vlog_backward, false, true},
    {"sqrt", dl_vsqrt, dl_vsqrt_backward, true, true}, {"tanh", dl_vtanh, dl_vtanh_backward, true, false},
    {"sigmoid", dl_vsigmoid, dl_vsigmoid_backward, true, false}, {"erf", dl_verf, dl_verf_backward, false, false},
    {"relu", dl_vrelu, dl_vrelu_backward, false, false}, {"silu", dl_vsilu, dl_vsilu_backward, false, false},
    {"gelu", dl_vgelu, dl_vgelu_backward, false, false},
    {"gelu_tanh", dl_vgelu_tanh, dl_vgelu_tanh_backward, false, false},
};

static const struct { const char *name; pair_function *pair; } pairs[] = {
    {"add", dl_vadd}, {"sub", dl_vsub}, {"mul", dl_vmul}, {"div", dl_vdiv},
};

/* Floats of the oracle as dl_real. */
static dl_real *input(struct oracle_tensor t)
{
    dl_real *x = dl_alloc(t.count, sizeof *x);
    for (size_t i = 0; i < t.count; i++)
        x[i] = (dl_real)t.f32[i];
    return x;
}

/* Each element is right, relative to itself or, if that is more, to scale[i] (or scale[0] if there is but one). */
static void are(struct oracle_tensor wanted, const dl_real *got, const dl_real *scale, size_t scales, const char *what)
{
    for (size_t i = 0; i < wanted.count; i++) {
        double least = scales == 0 ? 0 : fabs((double)scale[scales == 1 ? 0 : i]);
        cr_assert(fabs(got[i] - wanted.f64[i]) <= TOLERANCE * fmax(fabs(wanted.f64[i]), least) + 1e-38,
                  "%s[%zu] is %.9g, not %.9g", what, i, (double)got[i], wanted.f64[i]);
    }
}

static bool next_set(void)            /* plain, then the better ones, as far as the processor has them */
{
    static int set = -1;
    return ++set == 0 ? (dl_set_simd(DL_SIMD_PLAIN), true)
                      : set <= DL_SIMD_AVX512 && *report_of(dl_set_simd((enum dl_simd)set)) == '\0';
}

Test(oracle, functions_and_their_gradients)
{
    struct oracle o = oracle_open("04_kernels.safetensors");
    dl_real *g = input(oracle_get(&o, "g"));
    size_t n = oracle_get(&o, "g").count;
    dl_real *y = dl_alloc(n, sizeof *y), *dx = dl_alloc(n, sizeof *dx);
    while (next_set())
        for (size_t k = 0; k < sizeof maps / sizeof *maps; k++) {
            dl_real *x = input(oracle_get(&o, maps[k].positive ? "positive" : "x"));
            maps[k].map(n, x, y);
            are(oracle_get(&o, "%s.y", maps[k].name), y, NULL, 0, maps[k].name);
            struct oracle_tensor wanted = oracle_get(&o, "%s.dx", maps[k].name);
            maps[k].back(n, maps[k].of_result ? y : x, g, dx, false);
            are(wanted, dx, g, n, maps[k].name);
            for (size_t i = 0; i < n; i++)
                dx[i] = -dx[i];
            maps[k].back(n, maps[k].of_result ? y : x, g, dx, true);
            for (size_t i = 0; i < n; i++)
                cr_assert(dx[i] == 0, "%s, added", maps[k].name);
            free(x);
        }
    free(g);
    free(y);
    free(dx);
    oracle_close(&o);
}

Test(oracle, arithmetic)
{
    struct oracle o = oracle_open("04_kernels.safetensors");
    dl_real *a = input(oracle_get(&o, "pair.a")), *b = input(oracle_get(&o, "pair.b"));
    size_t n = oracle_get(&o, "pair.a").count;
    dl_real *y = dl_alloc(n, sizeof *y);
    while (next_set())
        for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
            pairs[k].pair(n, a, b, y);
            struct oracle_tensor wanted = oracle_get(&o, "%s", pairs[k].name);
            for (size_t i = 0; i < n; i++)
                cr_assert(y[i] == (dl_real)wanted.f64[i], "%s[%zu]", pairs[k].name, i);
        }
    free(a);
    free(b);
    free(y);
    oracle_close(&o);
}

static void check_softmax(const struct oracle *o, int cols, const char *name, row_function *f, row_back_function *back)
{
    dl_real *x = input(oracle_get(o, "rows.%d.x", cols)), *g = input(oracle_get(o, "rows.%d.g", cols));
    dl_real y[3 * 1000], dx[3 * 1000], one = 1;
    f(3, (size_t)cols, x, y);
    are(oracle_get(o, "rows.%d.%s.y", cols, name), y, &one, f == dl_vlog_softmax, name);
    back(3, (size_t)cols, y, g, dx, false);
    are(oracle_get(o, "rows.%d.%s.dx", cols, name), dx, &one, 1, name);
    free(x);
    free(g);
}

Test(oracle, functions_of_rows)
{
    struct oracle o = oracle_open("04_kernels.safetensors");
    struct oracle_tensor cols = oracle_get(&o, "cols");
    while (next_set())
        for (size_t k = 0; k < cols.count; k++) {
            int n = cols.i32[k];
            check_softmax(&o, n, "softmax", dl_vsoftmax, dl_vsoftmax_backward);
            check_softmax(&o, n, "log_softmax", dl_vlog_softmax, dl_vlog_softmax_backward);
            dl_real *x = input(oracle_get(&o, "rows.%d.x", n)), y[3], mean[3], variance[3], one = 1;
            dl_vlogsumexp(3, (size_t)n, x, y);
            are(oracle_get(&o, "rows.%d.logsumexp.y", n), y, &one, 1, "logsumexp");
            dl_vmoments(3, (size_t)n, x, mean, variance);
            are(oracle_get(&o, "rows.%d.mean.y", n), mean, &one, 1, "mean");
            are(oracle_get(&o, "rows.%d.variance.y", n), variance, NULL, 0, "variance");
            free(x);
        }
    oracle_close(&o);
}
