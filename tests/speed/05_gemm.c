/* The matrix product beside OpenBLAS, BLIS and oneDNN, which are loaded if they are installed. Matrices hold small whole
   numbers, so that all results are exact and must agree. Besides what speed.h demands,

       05_gemm table THREADS [ROUNDS]

   prints figures/results/gemm-peers.tsv: for each shape the medians, in billions of operations per second, of ROUNDS turns
   in which all contestants take part one after the other. Shapes of one row are ours with packed weights. */
#include "gemm.h"
#include "base.h"
#include "parallel.h"

#include "speed.h"
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>

enum { SHAPES = 64, CONTESTANTS = 4, ROUNDS = 31 };

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

static const char *const names[CONTESTANTS] = {"ours", "OpenBLAS", "BLIS", "oneDNN"};

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

static void load_peers(int threads)
{
    char count[8];
    snprintf(count, sizeof count, "%d", threads);
    setenv("OMP_NUM_THREADS", count, 1);
    setenv("OPENBLAS_NUM_THREADS", count, 1);
    setenv("BLIS_NUM_THREADS", count, 1);
    blas[1] = symbol(FILES(DEBIAN "openblas-openmp/libopenblas.so.0", "libopenblas.so.0"), "cblas_sgemm");
    blas[2] = symbol(FILES(DEBIAN "blis-openmp/libblis.so.4", "libblis.so.4"), "cblas_sgemm");
    dnnl = symbol(FILES("libdnnl.so.2", "libdnnl.so.3"), "dnnl_sgemm");
    dl_set_num_threads(threads);
}

static bool present(int who)
{
    return who == 0 || (who == 3 ? dnnl != NULL : blas[who] != NULL);
}

static const struct shape *shape;
static float *a, *b, *c;
static struct dl_packed *packed;

static void multiply(int who)
{
    int m = shape->m, n = shape->n, k = shape->k, ta = shape->ta, tb = shape->tb;
    int lda = ta ? m : k, ldb = tb ? k : n;
    if (who == 0 && packed)
        dl_gemm_run(&(struct dl_product){.m = m, .n = n, .k = k, .alpha = 1, .ta = ta, .a = a, .lda = lda, .packed = packed,
                                         .c = c, .ldc = n});
    else if (who == 0)
        dl_gemm(ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else if (who == 3)
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

/* ---- The table ------------------------------------------------------------------------------------------------- */

static double seconds(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Billions of operations per second, the median of some rounds; and as last the least and greatest of ours. */
static void race(int threads, int rounds, double speed[CONTESTANTS])
{
    static double time[CONTESTANTS][1000];
    double operations = 2.0 * shape->m * shape->n * shape->k, all = 0;
    int repeat = (int)(3e8 * threads / operations) + 1;
    repeat = repeat > 4000 ? 4000 : repeat;
    struct result results[CONTESTANTS];
    for (int round = -1; round < rounds; round++)
        for (int who = 0; who < CONTESTANTS; who++) {
            if (!present(who))
                continue;
            multiply(who);
            double start = seconds(threads);
            for (int i = 0; i < repeat; i++)
                multiply(who);
            double t = (seconds(threads) - start) / repeat;
            if (round >= 0)
                time[who][round] = t, all += t;
            else
                results[who] = result_of();
        }
    for (int who = 0; who < CONTESTANTS; who++) {
        speed[who] = 0;
        if (!present(who))
            continue;
        if (results[who].value != results[0].value || results[who].check != results[0].check) {
            fprintf(stderr, "%s: %s and we disagree\n", shape->name, names[who]);
            exit(1);
        }
        qsort(time[who], (size_t)rounds, sizeof time[who][0], by_size);
        speed[who] = operations / time[who][rounds / 2] / 1e9;
    }
}

static void print_row(const char *name, const double speed[CONTESTANTS], double openblas, double best)
{
    printf("%s", name);
    for (int who = 0; who < CONTESTANTS; who++)
        printf("\t%.1f", speed[who]);
    printf("\t%.3f\t%.3f\n", openblas, best);
    fflush(stdout);
}

static void table(int threads, int rounds)
{
    double mean_openblas = 0, mean_best = 0, worst = HUGE_VAL, mean[CONTESTANTS] = {0};
    printf("# build/speed/05_gemm table %d; threads %d\n", threads, threads);
    printf("shape\tours\topenblas\tblis\tonednn\topenblas_ratio\tbest_ratio\n");
    for (int i = 0; i < nshapes; i++) {
        double speed[CONTESTANTS], best = 0;
        prepare(&shapes[i]);
        race(threads, rounds, speed);
        clear();
        for (int who = 0; who < CONTESTANTS; who++) {
            mean[who] += log(speed[who]) / nshapes;
            best = who > 0 && speed[who] > best ? speed[who] : best;
        }
        print_row(shapes[i].name, speed, speed[0] / speed[1], speed[0] / best);
        mean_openblas += log(speed[0] / speed[1]) / nshapes;
        mean_best += log(speed[0] / best) / nshapes;
        worst = speed[0] / best < worst ? speed[0] / best : worst;
    }
    for (int who = 0; who < CONTESTANTS; who++)
        mean[who] = exp(mean[who]);
    print_row("mean", mean, exp(mean_openblas), exp(mean_best));
    print_row("worst", (double[CONTESTANTS]){0}, 0, worst);
}

/* ---- What run.py asks for -------------------------------------------------------------------------------------- */

static int contestant;

static struct result step(void)
{
    multiply(contestant);
    return (struct result){0, 0};
}

static int one(const char *name, const char *mode)
{
    for (int i = 0; i < nshapes; i++)
        for (int who = 0; who < CONTESTANTS; who++)
            if (!strcmp(name, shapes[i].name) && !strcmp(mode, names[who])) {
                struct result r;
                contestant = who;
                prepare(&shapes[i]);
                double time = median_nanoseconds(step, &r);
                r = result_of();
                printf("%.6g %.17g %.17g\n", time / (2e-3 * shape->m * shape->n * shape->k), r.value, r.check);
                clear();
                return 0;
            }
    return 2;
}

int main(int argc, char **argv)
{
    bool as_table = argc > 2 && !strcmp(argv[1], "table");
    read_shapes();
    load_peers(as_table ? atoi(argv[2]) : 1);
    if (argc == 2 && !strcmp(argv[1], "list")) {
        for (int i = 0; i < nshapes; i++) {
            printf("%s\t%.0f\tns/1000 operations\tratio>=0.78", shapes[i].name, 2e-3 * shapes[i].m * shapes[i].n * shapes[i].k);
            for (int who = 1; who < CONTESTANTS; who++)
                if (present(who))
                    printf("\t%s", names[who]);
            printf("\n");
        }
        return 0;
    }
    if (as_table) {
        table(atoi(argv[2]), argc > 3 ? atoi(argv[3]) : ROUNDS);
        return 0;
    }
    return argc == 3 ? one(argv[1], argv[2]) : 2;
}
