/* ladder.c - from three loops to the library's product, step by step, in
   billions of operations per second. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "dlfs.h"
typedef float vec8 __attribute__((vector_size(32)));
typedef vec8 vec8_anywhere __attribute__((aligned(4), may_alias));

#ifdef __x86_64__
#include <immintrin.h>
#define VECTORISED __attribute__((target("avx2,fma")))
#define FMA8(a, b, c) _mm256_fmadd_ps(a, b, c)
#else
#define VECTORISED
#define FMA8(a, b, c) ((a) * (b) + (c))
#endif
#define get8(p) (*(const vec8_anywhere *)(p))
#define put8(p, v) (*(vec8_anywhere *)(p) = (v))

typedef void product(int n, const float *a, const float *b, float *c);

static void loops(int n, const float *a, const float *b, float *c)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int p = 0; p < n; p++)
                sum += a[i * n + p] * b[p * n + j];
            c[i * n + j] = sum;
        }
}

VECTORISED
static void rows(int n, const float *a, const float *b, float *c)
{
    memset(c, 0, (size_t)n * n * sizeof *c);
    for (int i = 0; i < n; i++)
        for (int p = 0; p < n; p++) {
            vec8 aip = a[i * n + p] - (vec8){0};
            for (int j = 0; j < n; j += 8)
                put8(c + i * n + j, FMA8(aip, get8(b + p * n + j),
                                         get8(c + i * n + j)));
        }
}

VECTORISED
static void add_tile(int k, const float *a, int lda, const float *b, int ldb,
                     float *c, int ldc)
{
    vec8 sum[4][2] = {{{0}}};
    for (int p = 0; p < k; p++) {
        vec8 b0 = get8(b + p * ldb), b1 = get8(b + p * ldb + 8);
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
            vec8 aip = a[i * lda + p] - (vec8){0};
            sum[i][0] = FMA8(aip, b0, sum[i][0]);
            sum[i][1] = FMA8(aip, b1, sum[i][1]);
        }
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
        put8(c + i * ldc, get8(c + i * ldc) + sum[i][0]);
        put8(c + i * ldc + 8, get8(c + i * ldc + 8) + sum[i][1]);
    }
}

VECTORISED
static void tiles(int n, const float *a, const float *b, float *c)
{
    memset(c, 0, (size_t)n * n * sizeof *c);
    for (int j = 0; j < n; j += 16)
        for (int i = 0; i < n; i += 4)
            add_tile(n, a + i * n, n, b + j, n, c + i * n + j, n);
}

VECTORISED
static void panels(int n, const float *a, const float *b, float *c)
{
    enum { DEPTH = 256 };
    static float panel[DEPTH * 16] __attribute__((aligned(64)));
    memset(c, 0, (size_t)n * n * sizeof *c);
    for (int p = 0; p < n; p += DEPTH) {
        int depth = n - p < DEPTH ? n - p : DEPTH;
        for (int j = 0; j < n; j += 16) {
            for (int q = 0; q < depth; q++)
                memcpy(panel + q * 16, b + (p + q) * n + j, 16 * sizeof *b);
            for (int i = 0; i < n; i += 4)
                add_tile(depth, a + i * n + p, n, panel, 16,
                         c + i * n + j, n);
        }
    }
}

static void library(int n, const float *a, const float *b, float *c)
{
    dl_gemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n);
}

enum { SUMS = 12, STEPS = 1000000 };

VECTORISED
static void spin(void)
{
    vec8 sum[SUMS], x = 0.5f - (vec8){0};
    for (int i = 0; i < SUMS; i++)
        sum[i] = (float)i - x;
    for (int step = 0; step < STEPS; step++)
        _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++)
            sum[i] = FMA8(x, sum[i], x);
    _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++)
        __asm__ volatile("" : : "m"(sum[i]));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The shortest time of a call, in seconds. Calls are timed in batches that
   take a millisecond or more. */
#define TIME(call) \
    ({ \
        double best = 1e9, total = 0; \
        for (int batch = 1; total < 1; ) { \
            double start = seconds(); \
            for (int i = 0; i < batch; i++) \
                call; \
            double time = seconds() - start; \
            total += time; \
            if (time < 1e-3) \
                batch *= 2; \
            else if (time / batch < best) \
                best = time / batch; \
        } \
        best; \
    })

static double rate(product *f, int n, float *m[3], const float *expected)
{
    double time = TIME(f(n, m[0], m[1], m[2]));
    dl_check(expected == NULL
             || memcmp(m[2], expected, (size_t)n * n * sizeof *expected) == 0,
             "two rungs of the ladder differ for n = %d", n);
    return 2e-9 * n * n * n / time;
}

static float *whole_numbers(size_t count, struct dl_random *r)
{
    float *x = dl_alloc(count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)dl_random_below(r, 5) - 2;
    return x;
}

static double peak(void)
{
    return 2e-9 * 8 * SUMS * STEPS / TIME(spin());
}

static void print_ladder(void)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    printf("# build/ladder; seed 1; threads 1\n");
    printf("n\tpeak\tpercent_loops\tloops\trows\ttiles\tpanels\tavx2\tbest"
           "\tpercent_best\n");
    for (int n = 32; n <= 2048; n *= 2) {
        size_t count = (size_t)n * n;
        float *m[3] = {whole_numbers(count, &r), whole_numbers(count, &r),
                       whole_numbers(count, &r)};
        float *expected = dl_alloc(count, sizeof *expected);
        product *const rung[] = {loops, rows, tiles, panels, library, library};
        double top = peak(), speed[6] = {0};
        library(n, m[0], m[1], expected);
        dl_set_num_threads(1);
        enum dl_simd best = dl_get_simd();
        for (int i = n > 1024; i < 6; i++) {
            if (i == 4 && best > DL_SIMD_AVX2)
                dl_set_simd(DL_SIMD_AVX2);
            speed[i] = rate(rung[i], n, m, expected);
            dl_set_simd(best);
        }
        printf("%d\t%.1f\t%.2f", n, top, 100 * speed[0] / top);
        for (int i = 0; i < 6; i++)
            printf("\t%.2f", speed[i]);
        printf("\t%.1f\n", 100 * speed[5] / top);
        fflush(stdout);
        for (int i = 0; i < 3; i++)
            free(m[i]);
        free(expected);
    }
}

enum { SIDE = 1024 };

VECTORISED
static void read_all(const float *x)
{
    vec8 sum[8] = {{0}};
    for (int i = 0; i < SIDE * SIDE; i += 64)
        _Pragma("GCC unroll 8") for (int v = 0; v < 8; v++)
            sum[v] += get8(x + i + 8 * v);
    _Pragma("GCC unroll 8") for (int v = 0; v < 8; v++)
        __asm__ volatile("" : : "m"(sum[v]));
}

static double thin_rate(struct dl_product *p)
{
    double time = TIME(dl_gemm_run(p));
    return 2e-9 * p->m * SIDE * SIDE / time;
}

static void print_thin(void)
{
    struct dl_random r;
    dl_random_seed(&r, 1);
    float *x = whole_numbers(64 * SIDE, &r), *y = dl_alloc(64 * SIDE, 4);
    float *weights = whole_numbers(SIDE * SIDE, &r);
    double top = peak(), read = 4e-9 * SIDE * SIDE
                 / TIME(read_all(weights));
    printf("# build/ladder --thin; seed 1; threads 1\n");
    printf("rows\tbound\tpacked\tunpacked\tbandwidth\n");
    dl_set_num_threads(1);
    struct dl_packed *packed = dl_pack(true, SIDE, SIDE, weights, SIDE);
    for (int m = 1; m <= 64; m += m < 16 ? 1 : 8) {
        struct dl_product p = {.m = m, .n = SIDE, .k = SIDE, .alpha = 1,
                               .a = x, .lda = SIDE, .c = y, .ldc = SIDE,
                               .packed = packed};
        double fast = thin_rate(&p), bound = read * m / 2;
        p.packed = NULL;
        p.b = weights, p.ldb = SIDE, p.tb = true;
        printf("%d\t%.1f\t%.1f\t%.1f\t%.1f\n", m, bound < top ? bound : top,
               fast, thin_rate(&p), read);
    }
    dl_packed_free(packed);
    free(x);
    free(y);
    free(weights);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--thin") == 0)
        print_thin();
    else
        print_ladder();
    return 0;
}
