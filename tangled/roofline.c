/* roofline.c - the speed of kernels in cache and in memory, beside a copy,
   the peak of arithmetic, and the mathematical library. One thread. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "dlfs.h"
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { CACHED = 4096, MEMORY = 1 << 24, TIMES = 9 };

typedef void run_kernel(size_t n, const float *x, const float *z, float *y);

struct kernel {
    const char *name;
    int flops, bytes;
    run_kernel *run;
    float (*libm)(float x);
};

static void run_copy(size_t n, const float *x, const float *z, float *y)
{
    (void)z;
    memcpy(y, x, n * sizeof *y);
}

static void run_stream(size_t n, const float *x, const float *z, float *y)
{
#if defined __x86_64__
    for (size_t i = 0; i < n; i += 4)
        _mm_stream_ps(y + i, _mm_loadu_ps(x + i));
    _mm_sfence();
#else
    run_copy(n, x, z, y);
#endif
    (void)z;
}

static void run_softmax(size_t n, const float *x, const float *z, float *y)
{
    (void)z;
    dl_vsoftmax(n / 1024, 1024, x, y);
}

static void run_moments(size_t n, const float *x, const float *z, float *y)
{
    (void)z;
    dl_vmoments(n / 1024, 1024, x, y, y + n / 1024);
}

#define RUN(name, call) \
    static void run_##name(size_t n, const float *x, const float *z, \
                           float *y) \
    { \
        (void)x; \
        (void)z; \
        call; \
    }
RUN(add, dl_vadd(n, x, z, y))
RUN(axpy, dl_vaxpy(n, 1e-9f, x, y))
RUN(relu, dl_vrelu(n, x, y))
RUN(exp, dl_vexp(n, x, y))
RUN(log, dl_vlog(n, x, y))
RUN(tanh, dl_vtanh(n, x, y))
RUN(sigmoid, dl_vsigmoid(n, x, y))
RUN(erf, dl_verf(n, x, y))
RUN(gelu, dl_vgelu(n, x, y))
RUN(sum, y[0] = dl_vsum(n, x))
RUN(dot, y[0] = dl_vdot(n, x, z))

static const struct kernel kernels[] = {
    {"copy", 1, 12, run_copy, NULL}, {"stream", 1, 12, run_stream, NULL},
    {"add", 1, 16, run_add, NULL}, {"axpy", 2, 12, run_axpy, NULL},
    {"relu", 1, 12, run_relu, NULL}, {"sum", 1, 4, run_sum, NULL},
    {"dot", 2, 8, run_dot, NULL}, {"exp", 20, 12, run_exp, expf},
    {"log", 25, 12, run_log, logf}, {"tanh", 24, 12, run_tanh, tanhf},
    {"sigmoid", 23, 12, run_sigmoid, NULL}, {"erf", 34, 12, run_erf, erff},
    {"gelu", 35, 12, run_gelu, NULL},
    {"softmax", 24, 12, run_softmax, NULL},
    {"moments", 4, 4, run_moments, NULL},
};

static clockid_t watch = CLOCK_THREAD_CPUTIME_ID;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(watch, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { CHAINS = 12 };

#if defined __x86_64__
#define BUSY(set, lanes, vector, all, fma) \
    __attribute__((target(set), noinline)) \
    static float busy##lanes(int rounds) \
    { \
        vector s[CHAINS], a = all(0.5f); \
        for (int k = 0; k < CHAINS; k++) \
            s[k] = all((float)k); \
        for (int i = 0; i < rounds; i++) \
            _Pragma("GCC unroll 12") \
            for (int k = 0; k < CHAINS; k++) \
                s[k] = fma(s[k], a, a); \
        for (int k = 1; k < CHAINS; k++) \
            s[0] += s[k]; \
        return s[0][0]; \
    }
BUSY("avx2,fma", 8, __m256, _mm256_set1_ps, _mm256_fmadd_ps)
BUSY("avx512f", 16, __m512, _mm512_set1_ps, _mm512_fmadd_ps)
#else
static float busy8(int rounds) { return (float)rounds; }
static float busy16(int rounds) { return (float)rounds; }
#endif

static double peak(void)            /* in units of 10^9 per second */
{
    enum { ROUNDS = 100000 };
    bool wide = dl_get_simd() == DL_SIMD_AVX512;
    double best = 0;
    for (int k = 0; k < TIMES; k++) {
        double start = seconds();
        volatile float sink = wide ? busy16(ROUNDS) : busy8(ROUNDS);
        double time = seconds() - start;
        (void)sink;
        best = fmax(best, 2e-9 * ROUNDS * CHAINS * (wide ? 16 : 8) / time);
    }
    return best;
}

static double time_of(run_kernel *run, size_t n, const float *x,
                      const float *z, float *y)
{
    for (int times = 1;; times *= 2) {
        double start = seconds();
        for (int k = 0; k < times; k++)
            run(n, x, z, y);
        double time = seconds() - start;
        if (time > 2e-3)
            return time / times;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double t[TIMES])
{
    qsort(t, TIMES, sizeof *t, by_size);
    return t[TIMES / 2];
}

static float (*libm)(float x);

static void run_libm(size_t n, const float *x, const float *z, float *y)
{
    (void)z;
    for (size_t i = 0; i < n; i++)
        y[i] = libm(x[i]);
}

static void print_speed(const struct kernel *k, const float *x,
                        const float *z, float *y)
{
    double cache[TIMES], memory[TIMES], copy[TIMES], lib[TIMES], two[TIMES];
    libm = k->libm;
    for (int i = 0; i < TIMES; i++)
        {
            cache[i] = time_of(k->run, CACHED, x, z, y);
            lib[i] = libm ? time_of(run_libm, CACHED, x, z, y) / cache[i] : 0;
            memory[i] = time_of(k->run, MEMORY, x, z, y);
            copy[i] = time_of(run_copy, MEMORY, x, z, y) / memory[i] * k->bytes / 12;
            dl_set_num_threads(2);
            watch = CLOCK_MONOTONIC;
            two[i] = memory[i] / time_of(k->run, MEMORY, x, z, y);
            watch = CLOCK_THREAD_CPUTIME_ID;
            dl_set_num_threads(1);
        }
    double flops = k->flops * 1e-9;
    printf("%s\t%d\t%d\t%.4f\t%.2f\t%.2f\t%.2f\t%.1f\t%.2f\n", k->name,
           k->flops, k->bytes, (double)k->flops / k->bytes,
           flops * CACHED / median(cache), flops * MEMORY / median(memory),
           median(copy), median(lib), median(two));
}

int main(void)
{
    float *x = dl_alloc(MEMORY, sizeof *x), *y = dl_alloc(MEMORY, sizeof *y);
    float *z = dl_alloc(MEMORY, sizeof *z);
    for (size_t i = 0; i < MEMORY; i++) {
        x[i] = (float)(i * 37 % 1009 + 1) / 256;
        z[i] = (float)(i * 53 % 997 + 1) / 512;
        y[i] = 0;
    }
    dl_set_num_threads(1);
    printf("# build/roofline; seed 0; threads 1 (and 2)\n");
    printf("name\tflops\tbytes\tintensity\tcache\tmemory\tof_copy"
           "\tlibm_over_ours\ttwo_threads\n");
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        print_speed(&kernels[i], x, z, y);
    printf("peak\t0\t0\t0\t%.2f\t0\t0\t0\t0\n", peak());
    free(x);
    free(y);
    free(z);
    return 0;
}
