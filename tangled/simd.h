/* simd.h - vectors of dl_real, as wide as the instruction set has them.
   For the library's simd_*.c files, which are compiled once per set. */
#ifndef DLFS_SIMD_H
#define DLFS_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "real.h"

#define INLINE static inline __attribute__((always_inline, unused))

#if defined DL_DOUBLE
enum { LANES = 2 };
typedef int64_t lane_int;
#else
#if defined __AVX512F__
#include <immintrin.h>
enum { LANES = 16 };
#elif defined __AVX2__ && defined __FMA__
#include <immintrin.h>
enum { LANES = 8 };
#else
#if defined __ARM_NEON
#include <arm_neon.h>
#endif
enum { LANES = 4 };
#endif
typedef int32_t lane_int;
#endif

typedef dl_real vec __attribute__((vector_size(LANES * sizeof(dl_real))));
typedef lane_int ivec __attribute__((vector_size(LANES * sizeof(dl_real))));

typedef vec vec_anywhere
    __attribute__((aligned(sizeof(dl_real)), may_alias));

INLINE vec vec_load(const dl_real *p)
{
    return *(const vec_anywhere *)p;
}

INLINE void vec_store(dl_real *p, vec v)
{
    *(vec_anywhere *)p = v;
}

INLINE vec vec_all(dl_real x)         /* x in every lane */
{
    return x - (vec){0};
}

INLINE vec vec_load_part(const dl_real *p, size_t n, dl_real fill)
{
    vec v = vec_all(fill);
#if defined __AVX512F__ && !defined DL_DOUBLE
    v = _mm512_mask_loadu_ps(v, (__mmask16)((1u << n) - 1), p);
#else
    memcpy(&v, p, n * sizeof *p);
#endif
    return v;
}

INLINE void vec_store_part(dl_real *p, vec v, size_t n)
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
#else
    memcpy(p, &v, n * sizeof *p);
#endif
}

/* n > 0 numbers are left: take as many of them as there are lanes */
INLINE vec vec_load_some(const dl_real *p, size_t n, dl_real fill)
{
    return n >= LANES ? vec_load(p) : vec_load_part(p, n, fill);
}

INLINE void vec_store_some(dl_real *p, vec v, size_t n)
{
    if (n >= LANES)
        vec_store(p, v);
    else
        vec_store_part(p, v, n);
}

INLINE vec vec_fma(vec a, vec b, vec c)                     /* a b + c */
{
#if defined DL_DOUBLE
    for (int i = 0; i < LANES; i++)
        c[i] = fma(a[i], b[i], c[i]);
    return c;
#elif defined __AVX512F__
    return _mm512_fmadd_ps(a, b, c);
#elif defined __AVX2__ && defined __FMA__
    return _mm256_fmadd_ps(a, b, c);
#elif defined __ARM_NEON && defined __aarch64__
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    for (int i = 0; i < LANES; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

INLINE vec vec_select(ivec mask, vec a, vec b)        /* mask ? a : b */
{
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}

INLINE vec vec_abs(vec x)
{
    const ivec sign = (ivec)vec_all((dl_real)-0.0);
    return (vec)((ivec)x & ~sign);
}

INLINE bool vec_any(ivec mask)               /* is one lane's mask set? */
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined __AVX2__ && defined __FMA__ && !defined DL_DOUBLE
    return _mm256_movemask_ps((__m256)mask) != 0;
#else
    lane_int any = 0;
    for (int i = 0; i < LANES; i++)
        any |= mask[i];
    return any != 0;
#endif
}


/* The smaller and the larger; b where they cannot be compared. */
INLINE vec vec_min(vec a, vec b)
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    return _mm512_min_ps(a, b);
#elif defined __AVX2__ && defined __FMA__ && !defined DL_DOUBLE
    return _mm256_min_ps(a, b);
#else
    return vec_select(a < b, a, b);
#endif
}

INLINE vec vec_max(vec a, vec b)
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    return _mm512_max_ps(a, b);
#elif defined __AVX2__ && defined __FMA__ && !defined DL_DOUBLE
    return _mm256_max_ps(a, b);
#else
    return vec_select(a > b, a, b);
#endif
}

INLINE vec vec_sqrt(vec x)
{
#if defined __AVX512F__ && !defined DL_DOUBLE
    return _mm512_sqrt_ps(x);
#elif defined __AVX2__ && defined __FMA__ && !defined DL_DOUBLE
    return _mm256_sqrt_ps(x);
#else
    for (int i = 0; i < LANES; i++)
        x[i] = (dl_real)sqrt(x[i]);
    return x;
#endif
}

/* lane i of the result is lane i ^ w */
INLINE vec vec_swap(vec v, int w)
{
#if defined __clang__
    vec swapped = v;
    for (int i = 0; i < LANES; i++)
        swapped[i] = v[i ^ w];
    return swapped;
#else
    typedef ivec anywhere __attribute__((aligned(4), may_alias));
    static const lane_int number[] = {0, 1, 2, 3, 4, 5, 6, 7,
                                      8, 9, 10, 11, 12, 13, 14, 15};
    return __builtin_shuffle(v, *(const anywhere *)number ^ w);
#endif
}

#endif
