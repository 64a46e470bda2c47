/* Kernels: in cache against PyTorch, out of cache against memcpy. A workload is NAME-SIZE in one thread, NAME-SIZE-2 in two;
   the two numbers are elements of the result. The unit is an element; out of cache it is a float copied, that is 12 bytes
   moved (read, write-allocate, write), so that kernels with other traffic compare. memcpy is the yardstick because it
   stores as the kernels do, through the cache; in two threads each copies half. */
#include "kernels.h"
#include "base.h"
#include "parallel.h"

#include "speed.h"
#include <stdbool.h>

static size_t n, cols;
static int threads = 1;
static float *x, *z, *y, *variance;

static struct result none(void) { return (struct result){0, 0}; }

#define MAP(name) static struct result run_##name(void) { dl_v##name(n, x, y); return none(); }
#define PAIR(name) static struct result run_##name(void) { dl_v##name(n, x, z, y); return none(); }
MAP(exp) MAP(log) MAP(sqrt) MAP(tanh) MAP(sigmoid) MAP(erf) MAP(gelu) MAP(silu) MAP(relu)
PAIR(add) PAIR(mul) PAIR(div)

static struct result run_gelu_backward(void) { dl_vgelu_backward(n, x, z, y, false); return none(); }
static struct result run_tanh_backward(void) { dl_vtanh_backward(n, x, z, y, false); return none(); }
static struct result run_sum(void) { y[0] = dl_vsum(n, x); return none(); }
static struct result run_dot(void) { y[0] = dl_vdot(n, x, z); return none(); }
static struct result run_max(void) { y[0] = dl_vmax(n, x); return none(); }
static struct result run_softmax(void) { dl_vsoftmax(n / cols, cols, x, y); return none(); }
static struct result run_log_softmax(void) { dl_vlog_softmax(n / cols, cols, x, y); return none(); }
static struct result run_moments(void) { dl_vmoments(n / cols, cols, x, y, variance); return none(); }

static void copy_part(size_t begin, size_t end, void *context)
{
    (void)context;
    memcpy(y + begin, x + begin, (end - begin) * sizeof *y);
}

static struct result copy(void) { dl_parallel_for(n, 16384, copy_part, NULL); return none(); }

/* bytes: moved per element out of cache */
static const struct workload {
    const char *name;
    struct result (*step)(void);
    int bytes, cols;
    const char *target;              /* in cache; none: not run there */
} workloads[] = {
    {"exp", run_exp, 12, 1, "ratio>=2"}, {"tanh", run_tanh, 12, 1, "ratio>=2"}, {"sigmoid", run_sigmoid, 12, 1, "ratio>=2"},
    {"gelu", run_gelu, 12, 1, "ratio>=2"}, {"gelu_backward", run_gelu_backward, 16, 1, "ratio>=2"},
    {"log", run_log, 12, 1, "ratio>=1"}, {"erf", run_erf, 12, 1, "ratio>=1"}, {"silu", run_silu, 12, 1, "ratio>=1"},
    {"sqrt", run_sqrt, 12, 1, "ratio>=1"}, {"relu", run_relu, 12, 1, "ratio>=1"}, {"tanh_backward", run_tanh_backward, 16, 1, "ratio>=1"},
    {"add", run_add, 16, 1, "ratio>=1"}, {"mul", run_mul, 16, 1, "ratio>=1"}, {"div", run_div, 16, 1, "ratio>=1"},
    {"sum", run_sum, 4, 1, "ratio>=1"}, {"dot", run_dot, 8, 1, "ratio>=1"}, {"max", run_max, 4, 1, "ratio>=1"},
    {"softmax", run_softmax, 12, 128, "ratio>=2"}, {"log_softmax", run_log_softmax, 12, 128, "ratio>=2"},
    {"moments", run_moments, 4, 128, "ratio>=2"},
};

/* 2^16 floats: enough to share, in the second level of the cache */
static const struct size { const char *suffix; int n, threads; bool memory; } sizes[] = {
    {"-cache", 8192, 1, false}, {"-L2-2", 65536, 2, false}, {"-memory", 1 << 24, 1, true}, {"-memory-2", 1 << 24, 2, true},
};

/* exact copies of the same numbers in Python */
static void fill(void)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(i * 37 % 1009 + 1) / 256;
        z[i] = (float)(i * 53 % 997 + 1) / 512;
        y[i] = 0;
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Median over 25 batches of at least 2 ms. */
static double nanoseconds(struct result step(void))
{
    enum { BATCHES = 25 };
    double batch[BATCHES];
    for (int k = -1, times = 1; k < BATCHES;) {
        double start = seconds();
        for (int i = 0; i < times; i++)
            step();
        double time = seconds() - start;
        if (k >= 0)
            batch[k++] = time / times * 1e9;
        else if (time > 2e-3)
            k = 0;
        else
            times *= 2;
    }
    qsort(batch, BATCHES, sizeof *batch, by_size);
    return batch[BATCHES / 2];
}

static void list(void)
{
    for (const struct size *s = sizes; s < sizes + 4; s++)
        for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
            const struct workload *w = &workloads[i];
            if (!s->memory)
                printf("%s%s\t%d\tns/element\t%s\n", w->name, s->suffix, s->n, w->target);
            else if (w->bytes >= 12)         /* reductions write nothing: no copy to compare with */
                printf("%s%s\t%d\tns/float copied\tratio>=0.9\tcopy\n", w->name, s->suffix, s->n / 12 * w->bytes);
        }
}

static void run(const struct workload *w, const struct size *s, bool peer)
{
    n = (size_t)s->n;
    cols = (size_t)w->cols;
    x = dl_alloc(n, sizeof *x);
    y = dl_alloc(n, sizeof *y);
    z = dl_alloc(n, sizeof *z);
    variance = dl_alloc(n, sizeof *variance);
    fill();
    dl_set_num_threads(threads = s->threads);
    double ns = nanoseconds(peer ? copy : w->step) / (double)n;
    if (s->memory && !peer)
        ns *= 12.0 / w->bytes;
    w->step();
    size_t last = w->bytes < 12 && cols == 1 ? 0 : n / cols - 1;      /* a sum leaves one number */
    printf("%.6g %.9g %.9g\n", ns, y[0], y[last]);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        list();
        return 0;
    }
    for (const struct size *s = sizes; argc > 2 && s < sizes + 4; s++)
        for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", workloads[i].name, s->suffix);
            if (strcmp(name, argv[1]) == 0) {
                run(&workloads[i], s, strcmp(argv[2], "copy") == 0);
                return 0;
            }
        }
    return 1;
}
