/* Chapter 4: threads, vector functions, reductions, softmax. Compiled for float and, with DL_DOUBLE, for double. */
#include "base.h"
#include "kernels.h"
#include "parallel.h"
#include "random.h"
#include "real.h"

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef DL_DOUBLE
#define EPSILON 1e-13
#define FMA fma
#else
#define EPSILON 3e-6
#define FMA fmaf
#endif

static uint64_t state = 88172645463325252;

static double uniform(void)                 /* in [-1, 1) */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-52 - 1;
}

static dl_real *numbers(size_t n, double scale)
{
    dl_real *x = dl_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (dl_real)(scale * uniform());
    return x;
}

static enum dl_simd best_set(void)        /* found once, before any test chooses another */
{
    static int best = -1;
    if (best < 0) {
        best = DL_SIMD_AVX512;
        enum dl_simd before = dl_get_simd();
        while (*report_of(dl_set_simd((enum dl_simd)best)) != '\0')
            best--;
        dl_set_simd(before);
    }
    return (enum dl_simd)best;
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

static void count(size_t begin, size_t end, void *context)
{
    atomic_int *visits = context;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&visits[i], 1);
}

Test(parallel, every_number_is_visited_once)
{
    static atomic_int visits[1000];
    for (int threads = 1; threads <= 5; threads++)
        for (size_t n = 0; n < 200; n++)
            for (size_t grain = 1; grain < 40; grain += 1 + grain / 4) {
                dl_set_num_threads(threads);
                for (size_t i = 0; i < 1000; i++)
                    visits[i] = 0;
                dl_parallel_for(n, grain, count, visits);
                for (size_t i = 0; i < 1000; i++)
                    cr_assert(eq(int, visits[i], i < n), "%zu of %zu, grain %zu", i, n, grain);
            }
}

struct limits { size_t n, grain; atomic_int calls, wrong; };

static void check_limits(size_t begin, size_t end, void *context)
{
    struct limits *l = context;
    atomic_fetch_add(&l->calls, 1);
    if (begin >= end || end > l->n || begin % l->grain != 0 || (end != l->n && end % l->grain != 0))
        atomic_fetch_add(&l->wrong, 1);
}

Test(parallel, ranges_begin_at_multiples_of_the_grain_and_are_as_many_as_the_threads)
{
    for (int threads = 1; threads <= 4; threads++)
        for (size_t n = 1; n < 100; n++) {
            struct limits l = {.n = n, .grain = 7};
            dl_set_num_threads(threads);
            dl_parallel_for(n, 7, check_limits, &l);
            int grains = (int)(n + 6) / 7;
            cr_assert(eq(int, l.wrong, 0));
            cr_assert(eq(int, l.calls, grains < threads ? grains : threads));
        }
}

Test(parallel, a_grain_near_the_largest_size_does_not_overflow)
{
    struct limits l = {.n = 10, .grain = SIZE_MAX};
    dl_set_num_threads(4);
    dl_parallel_for(10, SIZE_MAX, check_limits, &l);
    cr_assert(eq(int, l.calls, 1));
    cr_assert(eq(int, l.wrong, 0));
}

static void meet(size_t begin, size_t end, void *context)
{
    (void)begin;
    (void)end;
    atomic_int *present = context;
    atomic_fetch_add(present, 1);
    while (atomic_load(present) < 3)
        sched_yield();
}

Test(parallel, threads_run_at_the_same_time)
{
    atomic_int present = 0;
    dl_set_num_threads(3);
    dl_parallel_for(3, 1, meet, &present);       /* would wait for ever if one came after the other */
    cr_assert(eq(int, present, 3));
}

static void nested(size_t begin, size_t end, void *context)
{
    for (size_t i = begin; i < end; i++)
        dl_parallel_for(10, 1, count, (atomic_int *)context + 10 * i);
}

Test(parallel, a_nested_loop_runs_in_its_caller)
{
    static atomic_int visits[1000];
    dl_set_num_threads(4);
    dl_parallel_for(100, 1, nested, visits);
    for (size_t i = 0; i < 1000; i++)
        cr_assert(eq(int, visits[i], 1));
}

static void *many_loops(void *context)
{
    for (int k = 0; k < 2000; k++)
        dl_parallel_for(64, 1, count, context);
    return NULL;
}

Test(parallel, threads_of_the_application_may_call_at_once)
{
    static atomic_int visits[4][64];
    pthread_t thread[4];
    dl_set_num_threads(3);
    for (int t = 0; t < 4; t++)
        cr_assert(eq(int, pthread_create(&thread[t], NULL, many_loops, visits[t]), 0));
    for (int t = 0; t < 4; t++)
        pthread_join(thread[t], NULL);
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 64; i++)
            cr_assert(eq(int, visits[t][i], 2000));
}

/* Start two workers, and wait until they work: a thread that is just starting may hold a lock of the address sanitizer's,
   which would be locked for ever in a child that is forked now. */
static void start_threads(void)
{
    atomic_int present = 0;
    dl_set_num_threads(3);
    dl_parallel_for(3, 1, meet, &present);
}

Test(parallel, a_forked_child_has_threads_of_its_own)
{
    start_threads();
    for (int k = 0; k < 3; k++) {
        pid_t child = fork();
        if (child == 0) {
            atomic_int present = 0;
            dl_parallel_for(3, 1, meet, &present);
            _exit(present == 3 ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        cr_assert(eq(int, status, 0));
    }
    atomic_int present = 0;
    dl_parallel_for(3, 1, meet, &present);
    cr_assert(eq(int, present, 3));
}

Test(parallel, a_forked_child_may_exit_in_the_usual_way)
{
    static atomic_int visits[100];
    start_threads();
    pid_t child = fork();
    if (child == 0) {
        dl_parallel_for(100, 1, count, visits);
        fclose(stdout);
        fclose(stderr);
        exit(0);                                 /* would hang if it joined its parent's threads */
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(eq(int, status, 0));
}

Test(parallel, a_system_without_threads_gives_the_same_results)
{
    struct rlimit none = {0, 0};
    static atomic_int visits[100];
    if (getuid() == 0)                           /* root may have as many processes as it likes: another user may not */
        cr_assert(eq(int, setuid(12345), 0));
    cr_assert(eq(int, setrlimit(RLIMIT_NPROC, &none), 0));
    pthread_t thread;
    if (pthread_create(&thread, NULL, many_loops, NULL) == 0)
        cr_skip("this system gives threads to everybody");
    dl_set_num_threads(4);
    dl_parallel_for(100, 1, count, visits);
    for (int i = 0; i < 100; i++)
        cr_assert(eq(int, visits[i], 1));
}

Test(parallel, sleeping_workers_wake_up)
{
    dl_set_num_threads(3);
    for (int k = 0; k < 20; k++) {
        atomic_int present = 0;
        dl_parallel_for(3, 1, meet, &present);
        usleep(5000);                            /* long enough for patience to run out */
    }
}

Test(parallel, the_number_of_threads_can_be_set_and_read)
{
    cr_assert(ge(int, dl_get_num_threads(), 1));
    for (int threads = 1; threads <= 64; threads *= 2) {
        dl_set_num_threads(threads);
        cr_assert(eq(int, dl_get_num_threads(), threads));
    }
}

Test(parallel, bad_arguments_are_refused_by_name)
{
    fails_with(dl_set_num_threads(0), "dl_set_num_threads: 0 threads");
    fails_with(dl_set_num_threads(65), "dl_set_num_threads: 65 threads");
    fails_with(dl_set_num_threads(-1), "dl_set_num_threads: -1 threads");
    fails_with(dl_parallel_for(5, 0, count, NULL), "dl_parallel_for: the grain is 0");
    fails_with(dl_parallel_for(5, 1, NULL, NULL), "dl_parallel_for: there is no body");
}

/* ---- Elementwise functions ------------------------------------------------------------------------------------- */

typedef void map_function(size_t n, const dl_real *x, dl_real *y);
typedef void pair_function(size_t n, const dl_real *a, const dl_real *b, dl_real *y);
typedef void back_function(size_t n, const dl_real *v, const dl_real *g, dl_real *dx, bool add);

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double relu(double x) { return x > 0 ? x : 0; }
static double silu(double x) { return x * sigmoid(x); }
static double gelu(double x) { return x * 0.5 * erfc(-x * M_SQRT1_2); }
static double gelu_tanh(double x) { return x * sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }

static const struct map {
    const char *name;
    map_function *ours;
    back_function *back;
    double (*exact)(double);
    double low, high;                            /* where the tests look; ulp is the bound of the chapter's table */
    bool of_result;                              /* backward takes y, not x */
    double ulp;
} maps[] = {
    {"exp", dl_vexp, dl_vexp_backward, exp, -5, 5, true, 1.02},
    {"log", dl_vlog, dl_vlog_backward, log, 0.1, 9, false, 1},
    {"sqrt", dl_vsqrt, dl_vsqrt_backward, sqrt, 0.1, 9, true, 0.5},
    {"tanh", dl_vtanh, dl_vtanh_backward, tanh, -3, 3, true, 2.7},
    {"sigmoid", dl_vsigmoid, dl_vsigmoid_backward, sigmoid, -5, 5, true, 2.7},
    {"erf", dl_verf, dl_verf_backward, erf, -3, 3, false, 2.7},
    {"relu", dl_vrelu, dl_vrelu_backward, relu, -3, 3, false, 0},
    {"silu", dl_vsilu, dl_vsilu_backward, silu, -5, 5, false, 53},
    {"gelu", dl_vgelu, dl_vgelu_backward, gelu, -5, 5, false, 30},
    {"gelu_tanh", dl_vgelu_tanh, dl_vgelu_tanh_backward, gelu_tanh, -5, 5, false, 170},
};

enum { MAPS = sizeof maps / sizeof *maps };

static const struct { const char *name; pair_function *ours; } pairs[] = {
    {"add", dl_vadd}, {"sub", dl_vsub}, {"mul", dl_vmul}, {"div", dl_vdiv},
};

static double pair_exact(int k, double a, double b)
{
    return k == 0 ? a + b : k == 1 ? a - b : k == 2 ? a * b : a / b;
}

#ifndef DL_DOUBLE
static double ulps(float y, double exact)
{
    if (isnan(exact) || isinf((float)exact) || y == (float)exact)
        return isnan(exact) == isnan(y) && (isnan(y) || y == (float)exact) ? 0 : INFINITY;
    int e = exact == 0 ? -126 : ilogb(exact);
    return fabs(y - exact) / ldexp(1, (e < -126 ? -126 : e) - 23);
}

/* Every 1009th float, finite or not, for every set; the long run is build/ulps --all. */
Test(kernels, functions_are_as_exact_as_the_chapter_says)
{
    enum { N = 4096 };
    static float x[N], y[N];
    enum dl_simd best = best_set();
    for (int k = 0; k < MAPS; k++)
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
            size_t n = 0;
            for (; n < N && bits < (uint64_t)1 << 32; bits += 1009) {
                uint32_t pattern = (uint32_t)bits;
                memcpy(&x[n], &pattern, 4);
                if (isfinite(x[n]))
                    n++;
            }
            dl_set_simd(best);
            maps[k].ours(n, x, y);
            for (size_t i = 0; i < n; i++)
                cr_assert(le(dbl, ulps(y[i], maps[k].exact(x[i])), maps[k].ulp), "%s(%.9g) = %.9g", maps[k].name,
                          (double)x[i], (double)y[i]);
        }
}

Test(kernels, sets_agree_in_every_bit_on_floats_of_all_kinds)
{
    enum { N = 4096 };
    static float x[N], y[N], z[N];
    enum dl_simd best = best_set();
    for (int k = 0; k < MAPS; k++)
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
            for (size_t i = 0; i < N; i++, bits += 100003) {
                uint32_t pattern = (uint32_t)bits;
                memcpy(&x[i], &pattern, 4);
            }
            dl_set_simd(DL_SIMD_PLAIN);
            maps[k].ours(N, x, y);
            for (int set = 1; set <= (int)best; set++) {
                dl_set_simd((enum dl_simd)set);
                maps[k].ours(N, x, z);
                for (int i = 0; i < N; i++)
                    cr_assert(memcmp(&y[i], &z[i], 4) == 0 || (isnan(y[i]) && isnan(z[i])), "%s(%.9g) is %a or %a",
                              maps[k].name, (double)x[i], (double)y[i], (double)z[i]);
            }
        }
}
#endif

Test(kernels, functions_of_numbers_of_moderate_size)
{
    enum { N = 777 };
    dl_real *x = numbers(N, 1), *y = numbers(N, 1);
    for (int k = 0; k < MAPS; k++) {
        for (int i = 0; i < N; i++)
            x[i] = (dl_real)(maps[k].low + (maps[k].high - maps[k].low) * fabs(uniform()));
        maps[k].ours(N, x, y);
        for (int i = 0; i < N; i++) {
            double exact = maps[k].exact(x[i]);
            cr_assert(le(dbl, fabs(y[i] - exact), EPSILON * (fabs(exact) + 0.1)), "%s(%g)", maps[k].name, (double)x[i]);
        }
    }
    free(x);
    free(y);
}

Test(kernels, nan_and_infinity_go_where_mathematics_sends_them)
{
    const dl_real inf = INFINITY;
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (int k = 0; k < MAPS; k++) {
            dl_real x[40], y[40];
            for (int i = 0; i < 40; i++)
                x[i] = NAN;
            maps[k].ours(40, x, y);
            for (int i = 0; i < 40; i++)
                cr_assert(isnan(y[i]), "%s(NaN)[%d]", maps[k].name, i);
        }
        dl_real x[6] = {inf, -inf, 0, (dl_real)-0.0, -1, 1000}, y[6];
        dl_vexp(6, x, y);
        cr_assert(y[0] == inf && y[1] == 0 && y[2] == 1 && y[3] == 1);
        dl_vlog(6, x, y);
        cr_assert(y[0] == inf && isnan(y[1]) && y[2] == -inf && y[3] == -inf && isnan(y[4]));
        dl_vsqrt(6, x, y);
        cr_assert(y[0] == inf && isnan(y[1]) && y[2] == 0 && isnan(y[4]));
        dl_vtanh(6, x, y);
        cr_assert(y[0] == 1 && y[1] == -1 && y[2] == 0 && signbit(y[3]) && y[5] == 1);
        dl_vsigmoid(6, x, y);
        cr_assert(y[0] == 1 && y[1] == 0 && y[2] == (dl_real)0.5 && y[5] == 1);
        dl_verf(6, x, y);
        cr_assert(y[0] == 1 && y[1] == -1 && y[2] == 0 && signbit(y[3]) && y[5] == 1);
        dl_vrelu(6, x, y);
        cr_assert(y[0] == inf && y[1] == 0 && y[4] == 0 && y[5] == 1000);
        for (int k = 0; k < 3; k++) {
            (k == 0 ? dl_vgelu : k == 1 ? dl_vgelu_tanh : dl_vsilu)(6, x, y);
            cr_assert(y[0] == inf && y[1] == 0 && y[2] == 0 && y[5] == 1000, "activation %d", k);
        }
    }
}

Test(kernels, every_length_and_nothing_behind_it)
{
    enum { MOST = 200 };
    dl_real *x = numbers(MOST + 1, 2), *z = numbers(MOST + 1, 2), y[MOST + 1];
    for (int i = 0; i <= MOST; i++)
        x[i] = (dl_real)fabs(x[i]) + (dl_real)0.1;
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (size_t n = 0; n < MOST; n++) {
            for (int k = 0; k < MAPS; k++) {
                y[n] = 12345;
                maps[k].ours(n, x + 1, y);
                for (size_t i = 0; i < n; i++) {
                    double exact = maps[k].exact(x[i + 1]);
                    cr_assert(le(dbl, fabs(y[i] - exact), EPSILON * (fabs(exact) + 1)));
                }
                cr_assert(y[n] == 12345, "%s of %zu wrote behind the end", maps[k].name, n);
                maps[k].back(n, x + 1, z, y, false);
                maps[k].back(n, x + 1, z, y, true);
                cr_assert(y[n] == 12345, "%s_backward of %zu wrote behind the end", maps[k].name, n);
            }
            for (int k = 0; k < 4; k++) {
                pairs[k].ours(n, x + 1, z, y);
                for (size_t i = 0; i < n; i++)
                    cr_assert(y[i] == (dl_real)pair_exact(k, x[i + 1], z[i]) ||
                              fabs(y[i] - pair_exact(k, x[i + 1], z[i])) <= EPSILON * fabs(y[i]), "%s", pairs[k].name);
                cr_assert(y[n] == 12345, "%s", pairs[k].name);
            }
            dl_vfill(n, 3, y);
            dl_vscale(n, 2, y, y);
            dl_vaxpy(n, (dl_real)0.5, z, y);
            dl_vmuladd(n, x, z, y);
            for (size_t i = 0; i < n; i++)
                cr_assert(le(dbl, fabs(y[i] - (6 + 0.5 * z[i] + (double)x[i] * z[i])), 20 * EPSILON));
            cr_assert(y[n] == 12345);
        }
    }
    free(x);
    free(z);
}

Test(kernels, axpy_and_muladd_round_once)
{
    enum { N = 77 };
    dl_real *x = numbers(N, 5), *z = numbers(N, 5), y[N], a = (dl_real)1.1;
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        dl_vfill(N, a, y);
        dl_vaxpy(N, a, x, y);
        for (int i = 0; i < N; i++)
            cr_assert(y[i] == FMA(a, x[i], a), "axpy with %a", (double)x[i]);
        dl_vfill(N, a, y);
        dl_vmuladd(N, x, z, y);
        for (int i = 0; i < N; i++)
            cr_assert(y[i] == FMA(x[i], z[i], a), "muladd with %a and %a", (double)x[i], (double)z[i]);
    }
    free(x);
    free(z);
}

Test(kernels, in_place_is_the_same_as_elsewhere)
{
    enum { N = 333 };
    for (int k = 0; k < MAPS; k++) {
        dl_real *x = numbers(N, 1), y[N], g[N], d[N];
        for (int i = 0; i < N; i++) {
            x[i] = (dl_real)fabs(x[i]) + (dl_real)0.1;
            g[i] = (dl_real)uniform();
        }
        maps[k].back(N, x, g, d, false);
        maps[k].back(N, x, g, g, false);
        cr_assert(memcmp(g, d, sizeof d) == 0, "%s_backward", maps[k].name);
        maps[k].ours(N, x, y);
        maps[k].ours(N, x, x);
        cr_assert(memcmp(x, y, sizeof y) == 0, "%s", maps[k].name);
        free(x);
    }
}

/* ---- Backwards ------------------------------------------------------------------------------------------------- */

Test(kernels, slopes_are_central_differences)
{
    enum { N = 501 };
    dl_real x[N], y[N], g[N], dx[N], twice[N];
    for (int k = 0; k < MAPS; k++) {
        for (int i = 0; i < N; i++) {
            x[i] = (dl_real)(maps[k].low + (maps[k].high - maps[k].low) * (i + 0.5) / N);
            g[i] = (dl_real)uniform();
        }
        maps[k].ours(N, x, y);
        maps[k].back(N, maps[k].of_result ? y : x, g, dx, false);
        memcpy(twice, dx, sizeof dx);
        maps[k].back(N, maps[k].of_result ? y : x, g, twice, true);
        for (int i = 0; i < N; i++) {
            const double h = 1e-5;
            if (maps[k].ours == dl_vrelu && fabs(x[i]) < 2 * h)
                continue;
            double slope = g[i] * (maps[k].exact(x[i] + h) - maps[k].exact(x[i] - h)) / (2 * h);
            cr_assert(le(dbl, fabs(dx[i] - slope), (sizeof(dl_real) == 8 ? 1e-7 : 1e-5) * (1 + fabs(slope))),
                      "%s at %g: %g, difference %g", maps[k].name, (double)x[i], (double)dx[i], slope);
            cr_assert(le(dbl, fabs(twice[i] - 2 * dx[i]), EPSILON * (1 + fabs(dx[i]))), "%s added", maps[k].name);
        }
    }
}

Test(kernels, without_add_the_old_contents_are_not_read)
{
    enum { N = 70 };
    for (int k = 0; k < MAPS; k++) {
        dl_real x[N], g[N], dx[N];
        for (int i = 0; i < N; i++)
            x[i] = g[i] = (dl_real)0.5, dx[i] = NAN;
        maps[k].back(N, x, g, dx, false);
        for (int i = 0; i < N; i++)
            cr_assert(isnan(dx[i]) == 0, "%s", maps[k].name);
        for (int i = 0; i < N; i++)
            dx[i] = NAN;
        dl_vsoftmax_backward(7, 10, x, g, dx, false);
        dl_vlog_softmax_backward(7, 10, x, g, dx, false);
        cr_assert(isnan(dx[0]) == 0 && isnan(dx[N - 1]) == 0);
    }
}

Test(kernels, relu_backward_gives_nothing_at_zero_even_for_an_infinite_gradient)
{
    dl_real y[4] = {0, 0, 2, NAN}, g[4] = {INFINITY, 1, 3, 5}, dx[4];
    dl_vrelu_backward(4, y, g, dx, false);
    cr_assert(dx[0] == 0 && dx[1] == 0 && dx[2] == 3 && dx[3] == 5);
}

Test(kernels, the_slopes_of_activations_far_out_are_one_and_zero)
{
    dl_real x[6] = {INFINITY, -INFINITY, 1000, -1000, (dl_real)1e30, (dl_real)-1e30}, g[6] = {1, 1, 1, 1, 1, 1}, dx[6];
    for (int set = 0; set <= (int)best_set(); set++)
        for (int k = 0; k < 3; k++) {
            dl_set_simd((enum dl_simd)set);
            (k == 0 ? dl_vgelu_backward : k == 1 ? dl_vgelu_tanh_backward : dl_vsilu_backward)(6, x, g, dx, false);
            for (int i = 0; i < 6; i++)
                cr_assert(i % 2 == 0 ? dx[i] == 1 : fabs(dx[i]) < 1e-30, "activation %d at %g", k, (double)x[i]);
        }
}

/* The vectors' common way and their rare one: each number has the bits that it has alone. */
Test(kernels, a_number_has_the_same_bits_whatever_stands_beside_it)
{
    enum { N = 64 };
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (int k = 0; k < MAPS; k++)
            for (int at = 0; at < N; at++) {
                dl_real x[N], y[N], beside[4] = {-9, (dl_real)1e-41, INFINITY, NAN};
                for (int i = 0; i < N; i++)
                    x[i] = (dl_real)(0.1 + i * 0.06);
                dl_real alone, third = x[at / 2];
                maps[k].ours(1, &third, &alone);
                x[at] = beside[at % 4];
                x[at == 0 ? 1 : at / 2] = third;
                maps[k].ours(N, x, y);
                cr_assert(y[at == 0 ? 1 : at / 2] == alone, "%s", maps[k].name);
            }
    }
}

/* ---- Reductions ------------------------------------------------------------------------------------------------ */

Test(reductions, sums_and_maxima_of_every_length)
{
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (size_t n = 0; n < 400; n++) {
            dl_real *x = numbers(n, 1), *z = numbers(n, 1);
            double sum = 0, dot = 0, size = 1, max = -INFINITY;
            for (size_t i = 0; i < n; i++) {
                sum += x[i];
                dot += (double)x[i] * z[i];
                size += fabs(x[i]);
                max = x[i] > max ? x[i] : max;
            }
            cr_assert(le(dbl, fabs(dl_vsum(n, x) - sum), EPSILON * size));
            cr_assert(le(dbl, fabs(dl_vdot(n, x, z) - dot), EPSILON * size));
            cr_assert(dl_vmax(n, x) == (dl_real)max);
            free(x);
            free(z);
        }
    }
}

Test(reductions, the_order_of_a_sum_is_the_one_the_chapter_defines)
{
    enum { N = 4096, WIDE = 64 };
    dl_real *x = numbers(N, 1);
    for (size_t n = 0; n <= N; n += 1 + n / 7) {
        dl_real lane[WIDE] = {0};
        for (size_t i = 0; i < n; i++)
            lane[i % WIDE] += x[i];
        for (int w = WIDE / 2; w > 0; w /= 2)
            for (int j = 0; j < w; j++)
                lane[j] += lane[j + w];
        for (int set = 0; set <= (int)best_set(); set++) {
            dl_set_simd((enum dl_simd)set);
            cr_assert(dl_vsum(n, x) == lane[0], "%zu numbers", n);
        }
    }
    free(x);
}

Test(reductions, a_long_sum_does_not_lose_its_terms)
{
    size_t n = (size_t)1 << 25;                  /* one accumulator would stand still at 2^24 */
    dl_real *x = dl_alloc(n, sizeof *x);
    dl_vfill(n, 1, x);
    cr_assert(dl_vsum(n, x) == (dl_real)n);
    cr_assert(dl_vdot(n, x, x) == (dl_real)n);
    free(x);
}

Test(reductions, a_maximum_is_found_anywhere_and_nan_is_not_lost)
{
    enum { N = 150 };
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (int at = 0; at < N; at++) {
            dl_real x[N];
            for (int i = 0; i < N; i++)
                x[i] = (dl_real)(-1 - i % 7);
            x[at] = (dl_real)-0.5;
            cr_assert(dl_vmax(N, x) == (dl_real)-0.5, "at %d", at);
            x[at] = NAN;
            cr_assert(isnan(dl_vmax(N, x)), "NaN at %d", at);
            x[(at + 1) % N] = INFINITY;
            cr_assert(isnan(dl_vmax(N, x)), "NaN at %d, infinity behind it", at);
        }
    }
    cr_assert(dl_vmax(0, NULL) == -INFINITY);
    cr_assert(dl_vsum(0, NULL) == 0);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

Test(rows, softmax_and_its_kin_of_every_width)
{
    enum { ROWS = 3 };
    for (int set = 0; set <= (int)best_set(); set++) {
        dl_set_simd((enum dl_simd)set);
        for (size_t n = 1; n < 200; n++) {
            dl_real *x = numbers(ROWS * n, 5), *p = numbers(ROWS * n, 1), *l = numbers(ROWS * n, 1), s[ROWS + 1];
            s[ROWS] = 12345;
            dl_vsoftmax(ROWS, n, x, p);
            dl_vlog_softmax(ROWS, n, x, l);
            dl_vlogsumexp(ROWS, n, x, s);
            for (size_t r = 0; r < ROWS; r++) {
                double sum = 0, total = 0;
                for (size_t j = 0; j < n; j++)
                    sum += exp(x[r * n + j]);
                cr_assert(le(dbl, fabs(s[r] - log(sum)), EPSILON * 10));
                for (size_t j = 0; j < n; j++) {
                    cr_assert(le(dbl, fabs(p[r * n + j] - exp(x[r * n + j]) / sum), EPSILON));
                    cr_assert(le(dbl, fabs(l[r * n + j] - (x[r * n + j] - log(sum))), EPSILON * 10));
                    total += p[r * n + j];
                }
                cr_assert(le(dbl, fabs(total - 1), EPSILON));
            }
            cr_assert(s[ROWS] == 12345);
            free(x);
            free(p);
            free(l);
        }
    }
}

Test(rows, nothing_overflows)
{
    dl_real x[2] = {0, 200}, y[2], s;
    dl_vlog_softmax(1, 2, x, y);
    cr_assert(y[0] == -200 && y[1] == 0);
    x[0] = x[1] = (dl_real)1e30;
    dl_vsoftmax(1, 2, x, y);
    cr_assert(y[0] == (dl_real)0.5 && y[1] == (dl_real)0.5);
    dl_vlogsumexp(1, 2, x, &s);
    cr_assert(s == (dl_real)1e30);
    x[0] = x[1] = (dl_real)-1e30;
    dl_vsoftmax(1, 2, x, y);
    cr_assert(y[0] == (dl_real)0.5);
}

Test(rows, infinity_and_nan_in_a_row)
{
    const dl_real inf = INFINITY;
    dl_real x[3] = {-inf, 1, 1}, y[3], s;
    dl_vsoftmax(1, 3, x, y);
    cr_assert(y[0] == 0 && y[1] == (dl_real)0.5 && y[2] == (dl_real)0.5);
    dl_vlog_softmax(1, 3, x, y);
    cr_assert(y[0] == -inf && fabs(y[1] + M_LN2) < EPSILON);
    dl_real none[3] = {-inf, -inf, -inf};
    dl_vlogsumexp(1, 3, none, &s);
    cr_assert(s == -inf);
    dl_vsoftmax(1, 3, none, y);
    cr_assert(isnan(y[0]) && isnan(y[2]));
    x[0] = inf;
    dl_vlogsumexp(1, 3, x, &s);
    cr_assert(s == inf);
    for (int at = 0; at < 3; at++) {
        dl_real with[3] = {1, 2, 3};
        with[at] = NAN;
        dl_vsoftmax(1, 3, with, y);
        cr_assert(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
        dl_vlogsumexp(1, 3, with, &s);
        cr_assert(isnan(s));
    }
}

Test(rows, softmax_backward_is_the_central_difference)
{
    enum { N = 37 };
    const double h = 1e-6;
    dl_real *x = numbers(N, 2), *g = numbers(N, 1), y[N], z[N], d[N], e[N], d2[N], e2[N];
    dl_vsoftmax(1, N, x, y);
    dl_vlog_softmax(1, N, x, z);
    dl_vsoftmax_backward(1, N, y, g, d, false);
    dl_vlog_softmax_backward(1, N, z, g, e, false);
    memcpy(d2, d, sizeof d);
    memcpy(e2, e, sizeof e);
    dl_vsoftmax_backward(1, N, y, g, d2, true);
    dl_vlog_softmax_backward(1, N, z, g, e2, true);
    for (int j = 0; j < N; j++) {
        double f[2], l[2];
        for (int side = 0; side < 2; side++) {
            double sum = 0;
            f[side] = l[side] = 0;
            for (int i = 0; i < N; i++)
                sum += exp(x[i] + (i == j ? (side ? h : -h) : 0));
            for (int i = 0; i < N; i++) {
                double xi = x[i] + (i == j ? (side ? h : -h) : 0);
                f[side] += g[i] * exp(xi) / sum;
                l[side] += g[i] * (xi - log(sum));
            }
        }
        double slack = sizeof(dl_real) == 8 ? 1e-7 : 1e-5;
        cr_assert(le(dbl, fabs(d[j] - (f[1] - f[0]) / (2 * h)), slack));
        cr_assert(le(dbl, fabs(e[j] - (l[1] - l[0]) / (2 * h)), slack));
        cr_assert(le(dbl, fabs(d2[j] - 2 * d[j]), EPSILON));
        cr_assert(le(dbl, fabs(e2[j] - 2 * e[j]), EPSILON * 10));
    }
    free(x);
    free(g);
}

Test(rows, sums_of_columns_are_the_same_bits_as_a_loop_everywhere)
{
    enum { MOST = 70000 };
    static dl_real x[MOST];
    static double s[MOST + 1], expected[MOST];
    static const size_t heights[] = {0, 1, 3, 64, 1000}, widths[] = {0, 1, 2, 3, 5, 15, 16, 17, 33, 64, 70};
    enum dl_simd best = dl_get_simd();
    for (int i = 0; i < MOST; i++)
        x[i] = (dl_real)(sin(i) * pow(10, i % 7));
    for (size_t h = 0; h < 5; h++)
        for (size_t w = 0; w < 11; w++)
            for (int set = DL_SIMD_PLAIN; set <= (int)best; set++)
                for (int threads = 1; threads <= 3; threads += 2) {
                    size_t rows = heights[h], cols = widths[w];
                    memset(expected, 0, sizeof expected);
                    for (size_t i = 0; i < rows * cols; i++)
                        expected[i % cols] += x[i];
                    s[cols] = 7;
                    dl_set_simd((enum dl_simd)set);
                    dl_set_num_threads(threads);
                    dl_vsum_columns(rows, cols, x, s);
                    cr_assert(memcmp(s, expected, cols * sizeof *s) == 0 && s[cols] == 7,
                              "%zu x %zu, set %d, %d threads", rows, cols, set, threads);
                }
}

Test(rows, moments_of_every_width_and_far_from_zero)
{
    for (size_t n = 1; n < 300; n++) {
        dl_real *x = numbers(2 * n, 1), mean[2], variance[2];
        for (size_t i = 0; i < 2 * n; i++)
            x[i] += 1000;
        dl_vmoments(2, n, x, mean, variance);
        for (int r = 0; r < 2; r++) {
            double m = 0, v = 0;
            for (size_t j = 0; j < n; j++)
                m += x[r * n + j] / (double)n;
            for (size_t j = 0; j < n; j++)
                v += (x[r * n + j] - m) * (x[r * n + j] - m) / (double)n;
            cr_assert(le(dbl, fabs(mean[r] - m), 1000 * EPSILON));
            cr_assert(le(dbl, fabs(variance[r] - v), sizeof(dl_real) == 8 ? 1e-10 : 2e-5));
        }
        free(x);
    }
    dl_real x = 1;
    fails_with(dl_vmoments(1, 0, &x, &x, &x), "dl_vmoments: the moments of rows of length 0");
}

Test(rows, a_row_has_the_same_bits_alone_and_among_others)
{
    enum { ROWS = 400, N = 133 };
    dl_real *x = numbers(ROWS * N, 4), *y = dl_alloc(ROWS * N, sizeof *y), alone[N];
    for (int threads = 1; threads <= 3; threads++) {
        dl_set_num_threads(threads);
        dl_vsoftmax(ROWS, N, x, y);
        for (int r = 0; r < ROWS; r += 13) {
            dl_vsoftmax(1, N, x + r * N, alone);
            cr_assert(memcmp(alone, y + r * N, sizeof alone) == 0, "row %d", r);
        }
    }
    free(x);
    free(y);
}

/* ---- The same bits --------------------------------------------------------------------------------------------- */

static uint64_t digest;

static void take(const dl_real *x, size_t n)
{
    const unsigned char *b = (const void *)x;
    for (size_t i = 0; i < n * sizeof *x; i++)
        digest = (digest ^ b[i]) * 1099511628211u;
}

/* Every kernel once, on n numbers; a digest of all results. */
static uint64_t all_kernels(size_t n)
{
    state = 88172645463325252 + n;
    digest = 14695981039346656037u;
    dl_real *x = numbers(n, 6), *z = numbers(n, 2), *y = numbers(n, 1), r[3];
    size_t cols = n < 200 ? n : n % 2 ? 99 : 1000, rows = cols ? n / cols : 0;
    dl_real *mean = dl_alloc(rows, sizeof *mean), *variance = dl_alloc(rows, sizeof *mean);
    for (int k = 0; k < MAPS; k++) {
        for (size_t i = 0; maps[k].low > 0 && i < n; i++)
            x[i] = (dl_real)fabs(x[i]) + (dl_real)1e-3;
        maps[k].ours(n, x, y);
        take(y, n);
        maps[k].back(n, x, z, y, k % 2);
        take(y, n);
    }
    for (int k = 0; k < 4; k++) {
        pairs[k].ours(n, x, z, y);
        take(y, n);
    }
    dl_vaxpy(n, (dl_real)0.3, x, y);
    dl_vmuladd(n, x, z, y);
    dl_vscale(n, (dl_real)1.1, y, y);
    take(y, n);
    r[0] = dl_vsum(n, y);
    r[1] = dl_vdot(n, x, y);
    r[2] = dl_vmax(n, y);
    take(r, 3);
    dl_vsoftmax(rows, cols, x, y);
    take(y, rows * cols);
    dl_vsoftmax_backward(rows, cols, y, z, x, true);
    take(x, rows * cols);
    dl_vlog_softmax(rows, cols, z, y);
    take(y, rows * cols);
    dl_vlog_softmax_backward(rows, cols, y, x, z, true);
    take(z, rows * cols);
    dl_vlogsumexp(rows, cols, z, mean);
    take(mean, rows);
    if (cols > 0)
        dl_vmoments(rows, cols, z, mean, variance);
    take(mean, rows);
    take(variance, rows);
    free(x);
    free(y);
    free(z);
    free(mean);
    free(variance);
    return digest;
}

Test(kernels, no_bit_depends_on_the_set_or_the_threads)
{
    for (size_t n = 0; n < 200000; n = n < 200 ? n + 1 : 4 * n + 1) {
        int most = n < 10000 ? 1 : 4;     /* less is not divided */
        dl_set_simd(DL_SIMD_PLAIN);
        dl_set_num_threads(1);
        uint64_t plain = all_kernels(n);
        for (int set = 0; set <= (int)best_set(); set++)
            for (int threads = 1; threads <= most; threads++) {
                dl_set_simd((enum dl_simd)set);
                dl_set_num_threads(threads);
                cr_assert(all_kernels(n) == plain, "%zu, %d, %d", n,
                          set, threads);
            }
    }
}

/* ---- The choice of the set ------------------------------------------------------------------------------------- */

Test(simd, a_set_that_the_processor_lacks_is_refused)
{
    volatile enum dl_simd best = best_set();
    fails_with(dl_set_simd((enum dl_simd)(best + 1)), "dl_set_simd: instruction set");
    fails_with(dl_set_simd((enum dl_simd)-1), "dl_set_simd: instruction set -1");
    dl_set_simd(DL_SIMD_PLAIN);
    cr_assert(dl_get_simd() == DL_SIMD_PLAIN);
}

#ifndef DL_DOUBLE
Test(simd, the_environment_chooses)
{
    setenv("DLFS_SIMD", "plain", 1);
    cr_assert(dl_get_simd() == DL_SIMD_PLAIN);
}

Test(simd, a_misspelt_set_is_refused)
{
    setenv("DLFS_SIMD", "avx3", 1);
    fails_with(dl_get_simd(), "DLFS_SIMD is \"avx3\", but this processor has no more than");
}
#endif

/* ---- Rows beside other rows, and sums of very many blocks ------------------------------------------------------- */

Test(rows, backwards_each_has_the_bits_that_it_has_alone)
{
    enum { ROWS = 5, MOST = 33 };
    dl_real y[ROWS * MOST], g[ROWS * MOST], dx[ROWS * MOST], alone[MOST];
    struct dl_random random;
    dl_random_seed(&random, 4);
    for (int i = 0; i < ROWS * MOST; i++) {
        y[i] = dl_random_uniform(&random);
        g[i] = dl_random_uniform(&random) - (dl_real)0.5;
    }
    for (size_t cols = 1; cols <= MOST; cols += 8)
        for (int variant = 0; variant < 4; variant++) {
            bool add = variant & 1;
            void (*f)(size_t, size_t, const dl_real *, const dl_real *, dl_real *, bool) =
                variant & 2 ? dl_vsoftmax_backward : dl_vlog_softmax_backward;
            memcpy(dx, y, sizeof dx);
            f(ROWS, cols, y, g, dx, add);
            for (size_t i = 0; i < ROWS; i++) {
                memcpy(alone, y + i * cols, cols * sizeof *y);
                f(1, cols, y + i * cols, g + i * cols, alone, add);
                cr_assert(memcmp(alone, dx + i * cols, cols * sizeof *y) == 0, "row %zu of %zu columns", i, cols);
            }
        }
}

Test(reductions, the_blocks_have_room_however_many_numbers_there_are)
{
    enum { MOST = 1250000 };                /* a block too many would be found by the address sanitizer */
    dl_real *x = malloc(MOST * sizeof *x);
    for (int i = 0; i < MOST; i++)
        x[i] = 1;
    for (size_t n = 1040000; n <= MOST; n += 30000) {
        cr_assert(dl_vsum(n, x) == (dl_real)n && dl_vdot(n, x, x) == (dl_real)n && dl_vmax(n, x) == 1, "%zu numbers", n);
    }
    free(x);
}

static volatile sig_atomic_t signalled;
static void note_signal(int number) { (void)number; signalled++; }
static void no_work(size_t begin, size_t end, void *context) { (void)begin, (void)end, (void)context; }

Test(parallel, signals_are_left_to_the_callers_threads)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, note_signal);
    dl_set_num_threads(4);
    dl_parallel_for(4, 1, no_work, NULL);                       /* starts them */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    usleep(20000);
    cr_assert(signalled == 0, "another thread took it");
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    cr_assert(signalled == 1);
}
