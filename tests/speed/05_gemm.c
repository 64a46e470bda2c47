/* The matrix product beside OpenBLAS, BLIS and oneDNN, which are loaded if they are installed. Matrices hold small whole
   numbers, so that all results are exact and must agree. All contestants take turns in one process; with two threads, a
   pause before each turn lets the idle threads of the one before fall asleep. Shapes of one row are ours with packed weights.

       05_gemm list                       prints the arguments of its own races
       05_gemm race THREADS [ROUNDS]      prints rows of build/speed.tsv
       05_gemm table THREADS [ROUNDS]     prints figures/results/gemm-peers.tsv, or gemm-peers-2.tsv: for each shape the
                                          medians of ROUNDS turns, in billions of operations per second */
#include "gemm.h"
#include "base.h"
#include "kernels.h"
#include "parallel.h"

#include "speed.h"
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>

enum { SHAPES = 64, ROUNDS = 15, MOST_ROUNDS = 1000 };

/* AVX2: we, with that set. Alone: we, with one thread. */
enum { OURS, OPENBLAS, BLIS, ONEDNN, AVX2, ALONE, CONTESTANTS };

struct shape { char name[40]; int m, n, k, ta, tb; };

static struct shape shapes[SHAPES];
static int nshapes;

static void add_shape(int m, int n, int k, int ta, int tb)
{
    struct shape *s = &shapes[nshapes++];
    *s = (struct shape){.m = m, .n = n, .k = k, .ta = ta, .tb = tb};
    snprintf(s->name, sizeof s->name, "%dx%dx%d-%c%c", m, n, k, "NT"[ta], "NT"[tb]);
}

static void read_shapes(void)
{
    char path[512], line[200];
    snprintf(path, sizeof path, "%s", __FILE__);
    snprintf(strrchr(path, '/') + 1, 40, "05_shapes.txt");
    for (int n = 32; n <= 2048; n *= 2)
        add_shape(n, n, n, 0, 0);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    int m, n, k, ta, tb;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%d %d %d %d %d", &m, &n, &k, &ta, &tb) == 5 && nshapes < SHAPES)
            add_shape(m, n, k, ta, tb);
    fclose(f);
}

/* ---- The contestants ------------------------------------------------------------------------------------------- */

static const char *const names[CONTESTANTS] = {"ours", "OpenBLAS", "BLIS", "oneDNN", "AVX2", "one thread"};

static void (*blas[CONTESTANTS])(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static int (*dnnl)(char, char, long, long, long, float, const float *, long, const float *, long, float, float *, long);

static void *symbol(const char *const files[], const char *name)
{
    for (; *files; files++) {
        void *library = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
        if (library)
            return dlsym(library, name);
    }
    return NULL;
}

#define FILES(...) (const char *const[]){__VA_ARGS__, NULL}
#define DEBIAN "/usr/lib/x86_64-linux-gnu/"

static int threads = 1;
static enum dl_simd best_set;

static void load_peers(void)
{
    char count[8];
    snprintf(count, sizeof count, "%d", threads);
    setenv("OMP_NUM_THREADS", count, 1);
    setenv("OPENBLAS_NUM_THREADS", count, 1);
    setenv("BLIS_NUM_THREADS", count, 1);
    blas[OPENBLAS] = symbol(FILES(DEBIAN "openblas-openmp/libopenblas.so.0", "libopenblas.so.0"), "cblas_sgemm");
    blas[BLIS] = symbol(FILES(DEBIAN "blis-openmp/libblis.so.4", "libblis.so.4"), "cblas_sgemm");
    dnnl = symbol(FILES("libdnnl.so.2", "libdnnl.so.3"), "dnnl_sgemm");
}

static const struct shape *shape;
static float *a, *b, *c;
static struct dl_packed *packed;

static bool present(int who)
{
    switch (who) {
    case OURS:
        return true;
    case AVX2:
        return threads == 1 && best_set > DL_SIMD_AVX2 && !packed;
    case ALONE:
        return threads > 1;
    case ONEDNN:
        return dnnl != NULL;
    default:
        return blas[who] != NULL;
    }
}

static void multiply(int who)
{
    int m = shape->m, n = shape->n, k = shape->k, ta = shape->ta, tb = shape->tb;
    int lda = ta ? m : k, ldb = tb ? k : n;
    bool own = who == OURS || who == AVX2 || who == ALONE;
    if (own && packed)
        dl_gemm_run(&(struct dl_product){.m = m, .n = n, .k = k, .alpha = 1, .ta = ta, .a = a, .lda = lda, .packed = packed,
                                         .c = c, .ldc = n});
    else if (own)
        dl_gemm(ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else if (who == ONEDNN)
        dnnl("NT"[ta], "NT"[tb], m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else
        blas[who](101, ta ? 112 : 111, tb ? 112 : 111, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}

static void prepare(const struct shape *s)
{
    size_t na = (size_t)s->m * s->k, nb = (size_t)s->k * s->n;
    shape = s;
    a = dl_alloc(na, sizeof *a);
    b = dl_alloc(nb, sizeof *b);
    c = dl_alloc((size_t)s->m * s->n, sizeof *c);
    for (size_t i = 0; i < na; i++)
        a[i] = (float)(i % 7) - 3;
    for (size_t i = 0; i < nb; i++)
        b[i] = (float)(i % 5) - 2;
    if (s->m == 1)
        packed = dl_pack(s->tb, s->k, s->n, b, s->tb ? s->k : s->n);
}

static void clear(void)
{
    free(a), free(b), free(c);
    dl_packed_free(packed);
    packed = NULL;
}

static struct result result_of(void)
{
    struct result r = {0, 0};
    for (int i = 0; i < shape->m * shape->n; i++)
        r.value += c[i], r.check += i % 11 * c[i];
    return r;
}

/* ---- The race -------------------------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double times[CONTESTANTS][MOST_ROUNDS];

/* Seconds for one product. With several threads after a pause, in which those of the one before fall asleep, and a while
   of work, in which one's own wake up. */
static double turn(int who, int repeat)
{
    const struct timespec pause = {0, 40000000};
    if (threads > 1)
        nanosleep(&pause, NULL);
    dl_set_num_threads(who == ALONE ? 1 : threads);
    dl_set_simd(who == AVX2 ? DL_SIMD_AVX2 : best_set);
    double start = seconds();
    do {
        for (int i = 0; i <= repeat / 8; i++)
            multiply(who);
    } while (threads > 1 && seconds() - start < 0.02);
    start = seconds();
    for (int i = 0; i < repeat; i++)
        multiply(who);
    double time = (seconds() - start) / repeat;
    dl_set_simd(best_set);
    return time;
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_size);
    return x[n / 2];
}

/* Fills times, and speed with medians in billions of operations per second. */
static void race(int rounds, double speed[CONTESTANTS])
{
    double operations = 2.0 * shape->m * shape->n * shape->k;
    int repeat = (int)(3e8 * threads / operations) + 1;
    repeat = repeat > 4000 ? 4000 : repeat;
    struct result results[CONTESTANTS];
    for (int round = -1; round < rounds; round++)
        for (int who = 0; who < CONTESTANTS; who++)
            if (present(who)) {
                double time = turn(who, repeat);
                if (round >= 0)
                    times[who][round] = time;
                else
                    results[who] = result_of();
            }
    for (int who = 0; who < CONTESTANTS; who++) {
        speed[who] = 0;
        if (!present(who))
            continue;
        if (results[who].value != results[OURS].value || results[who].check != results[OURS].check) {
            fprintf(stderr, "%s: %s and we disagree\n", shape->name, names[who]);
            exit(1);
        }
        double sorted[MOST_ROUNDS];
        memcpy(sorted, times[who], sizeof sorted);
        speed[who] = operations / median(sorted, rounds) / 1e9;
    }
}

/* How many times faster we are: the median of the rounds' ratios. */
static double ratio(int who, int rounds)
{
    double ratios[MOST_ROUNDS];
    for (int round = 0; round < rounds; round++)
        ratios[round] = times[who][round] / times[OURS][round];
    return median(ratios, rounds);
}

/* The fastest of the other libraries. */
static int best_of(const double speed[CONTESTANTS])
{
    int best = OPENBLAS;
    for (int who = BLIS; who <= ONEDNN; who++)
        if (speed[who] > speed[best])
            best = who;
    return best;
}

/* Billions of operations per second that a core can do: twelve independent chains in registers. */
#ifdef __x86_64__
__attribute__((target("avx2,fma")))
#endif
static double peak(void)
{
    typedef float vec8 __attribute__((vector_size(32)));
    vec8 sum[12], x = 0.5f - (vec8){0};
    double shortest = 1;
    for (int i = 0; i < 12; i++)
        sum[i] = (float)i - x;
    for (int round = 0; round < 50; round++) {
        double start = cpu_seconds();
        for (int step = 0; step < 100000; step++)
            _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++)
#ifdef __x86_64__
                sum[i] = __builtin_ia32_vfmaddps256(x, sum[i], x);
#else
                sum[i] = x * sum[i] + x;
#endif
        double time = cpu_seconds() - start;
        shortest = time < shortest ? time : shortest;
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++)
            __asm__ volatile("" : : "m"(sum[i]));
    }
    return 2e-9 * 8 * 12 * 100000 / shortest;
}

/* ---- The table ------------------------------------------------------------------------------------------------- */

static void print_row(const char *name, const double speed[CONTESTANTS], double openblas, double best)
{
    printf("%s", name);
    for (int who = 0; who < CONTESTANTS; who++)
        printf("\t%.1f", speed[who]);
    printf("\t%.3f\t%.3f\t%.2f\n", openblas, best, speed[ALONE] > 0 ? speed[OURS] / speed[ALONE] : 1);
    fflush(stdout);
}

/* "mean" is over all shapes; "rows" leaves out those of one row, which are ours with packed weights. */
static void table(int rounds)
{
    double mean[CONTESTANTS] = {0}, mean_openblas = 0, mean_best = 0, rows_openblas = 0, rows_best = 0, worst = HUGE_VAL;
    int rows = 0;
    printf("# build/speed/05_gemm table %d; threads %d\n", threads, threads);
    printf("shape\tours\topenblas\tblis\tonednn\tavx2\talone\topenblas_ratio\tbest_ratio\tspeedup\n");
    for (int i = 0; i < nshapes; i++) {
        double speed[CONTESTANTS];
        prepare(&shapes[i]);
        race(rounds, speed);
        clear();
        double openblas = ratio(OPENBLAS, rounds), best = ratio(best_of(speed), rounds);
        print_row(shapes[i].name, speed, openblas, best);
        for (int who = 0; who < CONTESTANTS; who++)
            mean[who] += log(speed[who]) / nshapes;
        mean_openblas += log(openblas) / nshapes, mean_best += log(best) / nshapes;
        if (shapes[i].m > 1)
            rows++, rows_openblas += log(openblas), rows_best += log(best);
        worst = best < worst ? best : worst;
    }
    for (int who = 0; who < CONTESTANTS; who++)
        mean[who] = exp(mean[who]);
    print_row("mean", mean, exp(mean_openblas), exp(mean_best));
    print_row("rows", (double[CONTESTANTS]){0}, exp(rows_openblas / rows), exp(rows_best / rows));
    print_row("worst", (double[CONTESTANTS]){0}, 0, worst);
}

/* ---- The rows of build/speed.tsv ------------------------------------------------------------------------------- */

static void print(const char *workload, const char *mode, double ours, const char *peer, double theirs, double ratio,
                  const char *target)
{
    printf("%s\t%s\t%d\t10^9 operations/s\t%.1f\t%s\t%.1f\t%.3f\t%s\n", workload, mode, threads, ours, peer, theirs, ratio, target);
    fflush(stdout);
}

static void print_shape(const double speed[CONTESTANTS], int rounds, double top)
{
    int m = shape->m, n = shape->n, k = shape->k, least = m < n ? m : n, best = best_of(speed);
    bool large = least >= 256 && k >= 256;
    for (int who = OPENBLAS; who <= ONEDNN; who++)
        if (present(who))
            print(shape->name, "product", speed[OURS], names[who], speed[who], ratio(who, rounds),
                  who == best ? "ratio>=0.78" : "ratio>=0");
    if (threads > 1)
        print(shape->name, "product", speed[OURS], names[ALONE], speed[ALONE], ratio(ALONE, rounds),
              large ? "ratio>=1.8" : "ratio>=0.95");
    if (threads == 1 && large && m == n)
        print(shape->name, "product", speed[OURS], "peak", top, speed[OURS] / top, "ratio>=0.86");
    if (present(AVX2) && large)
        print(shape->name, "AVX2", speed[AVX2], "AVX-512", speed[OURS], speed[AVX2] / speed[OURS], "ratio>=0.9");
    if (present(AVX2) && least >= 16)
        print(shape->name, "AVX2", speed[AVX2], "peak", top, speed[AVX2] / top, "ratio>=0.6");
}

static void race_all(int rounds)
{
    double openblas = 0, best = 0, top = peak();
    for (int i = 0; i < nshapes; i++) {
        double speed[CONTESTANTS];
        prepare(&shapes[i]);
        race(rounds, speed);
        print_shape(speed, rounds, top);
        clear();
        openblas += log(ratio(OPENBLAS, rounds)) / nshapes;
        best += log(ratio(best_of(speed), rounds)) / nshapes;
    }
    print("mean", "product", exp(openblas), names[OPENBLAS], 1, exp(openblas), threads == 1 ? "ratio>=1.1" : "ratio>=1.25");
    print("mean", "product", exp(best), "best", 1, exp(best), threads == 1 ? "ratio>=0.98" : "ratio>=1");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "list")) {
        puts("race 1\nrace 2");
        return 0;
    }
    bool as_table = !strcmp(mode, "table");
    int rounds = argc > 3 ? atoi(argv[3]) : ROUNDS;
    if (!(as_table || !strcmp(mode, "race")) || argc < 3 || rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    best_set = dl_get_simd();
    read_shapes();
    threads = atoi(argv[2]);
    load_peers();
    if (as_table)
        table(rounds);
    else
        race_all(rounds);
    return 0;
}
