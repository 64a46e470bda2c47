/* simd_math.h - exp, log, erf and their relatives on vectors. They use only
   operations whose result IEEE 754 prescribes, so that all instruction sets
   give the same bits. The errors stated were found by trial: build/ulps. */
#ifndef DLFS_SIMD_MATH_H
#define DLFS_SIMD_MATH_H

#include "simd.h"

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
INLINE vec vec_polynomial(int n, const dl_real *c, vec x)
{
    vec sum = vec_all(c[n - 1]);
#pragma GCC unroll 16
    for (int k = n - 2; k >= 0; k--)
        sum = vec_fma(sum, x, vec_all(c[k]));
    return sum;
}

#if defined DL_DOUBLE
#define LANE_BY_LANE(name, value) \
    INLINE vec vec_##name(vec v) \
    { \
        for (int i = 0; i < LANES; i++) { \
            double x = v[i]; \
            v[i] = value; \
        } \
        return v; \
    }
LANE_BY_LANE(exp, exp(x))
LANE_BY_LANE(log, log(x))
LANE_BY_LANE(tanh, tanh(x))
LANE_BY_LANE(erf, erf(x))
LANE_BY_LANE(sigmoid, x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)))
LANE_BY_LANE(power2_of, exp2(x))
LANE_BY_LANE(half_erfc, erfc(x * 0.70710678118654752440) / 2)

INLINE vec vec_tail(vec *a)
{
    *a = vec_min(vec_all(40), *a);
    return vec_half_erfc(*a);
}
#else
/* r and n of x = n ln 2 + r, |r| <= ln 2 / 2, |x| < 2^22 */
INLINE vec vec_reduce(vec x, vec *n)
{
    const vec whole = vec_all(0x1.8p23f);
    *n = vec_fma(x, vec_all(0x1.715476p0f), whole) - whole;
    x = vec_fma(*n, vec_all(-0x1.63p-1f), x);
    return vec_fma(*n, vec_all(0x1.bd0106p-13f), x);
}

INLINE vec vec_small_expm1(vec r)                           /* e^r - 1 */
{
    static const float p[] = {
        0.49999994f, 0.166665211f, 0.041668389f, 0.00836871006f,
        0.00138146128f};
    return vec_fma(vec_polynomial(5, p, r), r * r, r);
}

INLINE vec vec_power2(ivec n)                     /* -126 <= n <= 127 */
{
    return (vec)((n + 127) << 23);
}

INLINE vec vec_scale(vec x, vec n)       /* 2^n x, rounded once, |n| < 253 */
{
#if defined __AVX512F__
    return _mm512_scalef_ps(x, n);
#else
    ivec whole = __builtin_convertvector(n, ivec), half = whole >> 1;
    return x * vec_power2(half) * vec_power2(whole - half);
#endif
}

INLINE vec vec_exp(vec x)                               /* 1.02 ulp */
{
    vec n;
    x = vec_max(vec_all(-104.0f), vec_min(vec_all(88.8f), x));
    vec r = vec_reduce(x, &n);
    return vec_scale(vec_small_expm1(r) + vec_all(1), n);
}

INLINE vec vec_log_positive(vec x, int scale)          /* ln (2^scale x) */
{
    static const float q[] = {
        0.333333313f, -0.250008196f, 0.200012267f, -0.166233569f,
        0.142017573f, -0.131601825f, 0.12761578f, -0.0763449967f};
    ivec bits = (ivec)vec_abs(x), k = (bits - 0x3f3504f3) >> 23;
    vec f = (vec)(bits - (k << 23)) - vec_all(1);
    vec n = __builtin_convertvector(k + scale, vec), s = f * f;
    vec sum = vec_polynomial(8, q, f) * s * f;
    sum = vec_fma(n, vec_all(-0x1.bd0106p-13f), sum);
    sum = vec_fma(vec_all(-0.5f), s, sum) + f;
    return vec_fma(n, vec_all(0x1.63p-1f), sum);
}

INLINE vec vec_log(vec x)                                /* 0.9 ulp */
{
    vec log = vec_log_positive(x, 0);
    ivec odd = ~((x >= 0x1p-126f) & (x < INFINITY));
    if (__builtin_expect(vec_any(odd), 0)) {
        vec tiny = vec_log_positive(x * 0x1p23f, -23);
        log = vec_select(x < 0x1p-126f, tiny, log);
        log = vec_select(x < INFINITY, log, x);    /* infinity and NaN */
        log = vec_select(x == 0, vec_all(-INFINITY), log);
        log = vec_select(x < 0, vec_all(NAN), log);
    }
    return log;
}

INLINE vec vec_tanh(vec x)                              /* 2.7 ulp */
{
    const ivec minus = (ivec)vec_all(-0.0f);
    vec n, a = vec_min(vec_all(10.0f), vec_abs(x));
    vec e = vec_small_expm1(vec_reduce(a + a, &n));
    vec power = vec_power2(__builtin_convertvector(n, ivec));
    vec m = vec_fma(power, e, power - vec_all(1));
    vec t = m / (m + vec_all(2));
    return (vec)((ivec)t | ((ivec)x & minus));
}

INLINE vec vec_sigmoid(vec x)                           /* 2.7 ulp */
{
    vec e = vec_exp(-vec_abs(x));
    return vec_select(x < 0, e, vec_all(1)) / (vec_all(1) + e);
}

INLINE vec vec_power2_minus1(vec f)              /* 2^f - 1, |f| <= 1/2 */
{
    static const float c[] = {
        0.693147182f, 0.240226492f, 0.0555035733f, 0.00961823761f,
        0.00133907353f, 0.000154035122f};
    return vec_polynomial(6, c, f) * f;
}

INLINE vec vec_power2_of(vec s)                        /* 2^s, |s| < 253 */
{
    const vec whole = vec_all(0x1.8p23f);
    vec n = (s + whole) - whole;
    return vec_scale(vec_power2_minus1(s - n) + vec_all(1), n);
}

INLINE vec vec_far_tail(vec a)                  /* Q(a), 4.5 <= a <= 14.5 */
{
    static const float c[] = {
        1.38016105e-06f, 0.398865968f, 0.00170742034f, -0.41836974f,
        0.110654667f, 1.01996696f, -1.25065458f};
    vec s = a * a, lost = vec_fma(a, a, -s);
    vec n, r = vec_reduce(s * -0.5f, &n);
    r = vec_fma(lost, vec_all(-0.5f), r);
    vec bell = vec_scale(vec_small_expm1(r) + vec_all(1), n);
    return vec_polynomial(7, c, vec_all(1) / a) * bell;
}

typedef uint32_t uvec __attribute__((vector_size(sizeof(vec))));

/* Q(a), a >= 0; then a is at most 14.5, beyond which Q vanishes */
INLINE vec vec_tail(vec *a)
{
    static const float p[] = {
        -1.15110648f, -0.45919627f, -0.0525300503f, 0.00709831715f,
        -0.000142019329f, -0.00020071723f, 4.97141555e-05f,
        -5.53845985e-06f, 2.5127801e-07f};
    const vec whole = vec_all(0x1.8p23f - 1);
    vec v = vec_polynomial(9, p, *a), t = vec_fma(v, *a, whole);
    vec m = vec_power2_minus1(vec_fma(v, *a, whole - t));
    vec q = (vec)((uvec)(m + vec_all(1)) + ((uvec)t << 23));
    if (__builtin_expect(vec_any(*a > 4.5f), 0)) {
        *a = vec_min(vec_all(14.5f), *a);
        q = vec_select(*a > 4.5f, vec_far_tail(*a), q);
    }
    return q;
}

INLINE vec vec_erf(vec x)                                /* 2.7 ulp */
{
    static const float v[] = {
        -1.62790704f, -0.918447614f, -0.148277059f, 0.0276320297f,
        0.000231402548f, -0.00240501226f, 0.000912990537f,
        -0.000169720457f, 1.33539661e-05f};
    const ivec minus = (ivec)vec_all(-0.0f);
    const vec whole = vec_all(0x1.8p23f);
    vec a = vec_min(vec_all(4), vec_abs(x));
    vec s = vec_polynomial(9, v, a) * a, n = (s + whole) - whole;
    vec m = vec_power2_minus1(s - n);
    vec power = vec_power2(__builtin_convertvector(n, ivec));
    vec y = vec_fma(-power, m, vec_all(1) - power);
    return (vec)((ivec)y | ((ivec)x & minus));
}
#endif

enum { FAR = -800 };             /* exp(FAR) is 0, also in double precision */

INLINE vec vec_relu(vec x)
{
    return vec_select(x <= 0, vec_all(0), x);
}

INLINE vec vec_silu(vec x)
{
    x = vec_max(vec_all(FAR), x);
    return x * vec_sigmoid(x);
}

INLINE vec vec_gelu(vec x)
{
    vec a = vec_abs(x), q = vec_tail(&a);
    return vec_fma(-a, q, vec_max(x, vec_all(0)));
}

INLINE vec vec_gelu_v(vec x)               /* the v of the second GELU */
{
    const vec a = vec_all((dl_real)1.5957691216057308);
    return a * vec_fma(x * x * x, vec_all((dl_real)0.044715), x);
}

INLINE vec vec_gelu_tanh(vec x)
{
    x = vec_max(vec_all(-40), x);
    return x * vec_sigmoid(vec_gelu_v(x));
}

#endif
