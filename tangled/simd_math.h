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
LANE_BY_LANE(half_erfc, erfc(x * 0.70710678118654752440) / 2)

INLINE vec vec_normal(vec *x, vec *bell)
{
    *x = vec_max(vec_all(-39), *x);
    *bell = vec_exp(*x * *x * -0.5);
    return vec_half_erfc(-*x);
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

INLINE vec vec_exp(vec x)                                /* 1.0 ulp */
{
    vec n;
    x = vec_max(vec_all(-104.0f), vec_min(vec_all(88.8f), x));
    vec r = vec_reduce(x, &n);
    return vec_scale(vec_small_expm1(r) + vec_all(1), n);
}

INLINE vec vec_log_special(vec x, vec log)
{
    log = vec_select(x < INFINITY, log, x);        /* infinity and NaN */
    log = vec_select(x == 0, vec_all(-INFINITY), log);
    return vec_select(x < 0, vec_all(NAN), log);
}

INLINE vec vec_log(vec x)                                /* 0.9 ulp */
{
    static const float q[] = {
        0.333333313f, -0.250008196f, 0.200012267f, -0.166233569f,
        0.142017573f, -0.131601825f, 0.12761578f, -0.0763449967f};
    ivec tiny = x < 0x1p-126f;
    vec y = vec_select(tiny, x * 0x1p23f, x);
    ivec bits = (ivec)vec_abs(y), e = (bits - 0x3f3504f3) >> 23;
    vec f = (vec)(bits - (e << 23)) - vec_all(1);
    vec n = __builtin_convertvector(e + (tiny & -23), vec), s = f * f;
    vec sum = vec_polynomial(8, q, f) * s * f;
    sum = vec_fma(n, vec_all(-0x1.bd0106p-13f), sum);
    sum = vec_fma(vec_all(-0.5f), s, sum) + f;
    sum = vec_fma(n, vec_all(0x1.63p-1f), sum);
    return vec_log_special(x, sum);
}

INLINE vec vec_tanh(vec x)                              /* 2.5 ulp */
{
    const ivec minus = (ivec)vec_all(-0.0f);
    vec n, a = vec_min(vec_all(10.0f), vec_abs(x));
    vec e = vec_small_expm1(vec_reduce(a + a, &n));
    vec power = vec_power2(__builtin_convertvector(n, ivec));
    vec m = vec_fma(power, e, power - vec_all(1));
    vec t = m / (m + vec_all(2));
    return (vec)((ivec)t | ((ivec)x & minus));
}

INLINE vec vec_sigmoid(vec x)                           /* 2.3 ulp */
{
    vec e = vec_exp(-vec_abs(x));
    return vec_select(x < 0, e, vec_all(1)) / (vec_all(1) + e);
}

/* Q(a) for 0 <= a <= 14.5, and exp(-a^2/2) */
INLINE vec vec_tail(vec a, vec *bell)
{
    static const float c[] = {
        -1.98547532e-05f, 0.100195348f, 0.0950989127f, 0.120266482f,
        -0.0166036561f, 0.297396481f, -0.324870646f, 0.388489783f,
        -0.193378448f, 0.0334255993f};
    vec s = a * a, lost = vec_fma(a, a, -s);
    vec n, r = vec_reduce(s * -0.5f, &n);
    r = vec_fma(lost, vec_all(-0.5f), r);
    *bell = vec_scale(vec_small_expm1(r) + vec_all(1), n);
    vec t = vec_all(1) / vec_fma(a, vec_all(0.25f), vec_all(1));
    return vec_polynomial(10, c, t) * *bell;
}

/* Phi(x), and exp(-x^2/2); x is clamped to where they are not zero */
INLINE vec vec_normal(vec *x, vec *bell)
{
    *x = vec_max(vec_all(-14.5f), *x);
    vec q = vec_tail(vec_min(vec_all(14.5f), vec_abs(*x)), bell);
    return vec_select(*x < 0, q, vec_all(1) - q);
}

INLINE vec vec_erf(vec x)                                /* 2.4 ulp */
{
    static const float s[] = {
        1.12837911f, -0.37612626f, 0.112835854f, -0.0268538129f,
        0.00518832775f, -0.000801019371f, 7.85386146e-05f};
    const ivec minus = (ivec)vec_all(-0.0f);
    vec a = vec_abs(x), bell;
    vec small = vec_polynomial(7, s, x * x) * x;
    vec q = vec_tail(vec_min(vec_all(14.5f), a * 0x1.6a09e6p0f), &bell);
    vec large = vec_all(1) - (q + q);
    large = (vec)((ivec)large | ((ivec)x & minus));
    return vec_select(a < 1, small, large);
}
#endif

INLINE vec vec_relu(vec x)
{
    return vec_select(x <= 0, vec_all(0), x);
}

INLINE vec vec_silu(vec x)
{
    return x * vec_sigmoid(x);
}

INLINE vec vec_gelu(vec x)
{
    vec bell, cdf = vec_normal(&x, &bell);
    return x * cdf;
}

/* twice the u of the second GELU */
INLINE vec vec_gelu_2u(vec x)
{
    const vec a = vec_all((dl_real)1.5957691216057308);
    return a * vec_fma(x * x * x, vec_all((dl_real)0.044715), x);
}

INLINE vec vec_gelu_tanh(vec x)
{
    return x * vec_sigmoid(vec_gelu_2u(x));
}

#endif
