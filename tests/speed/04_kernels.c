/* Kernels, one thread: in cache against PyTorch, out of cache also against a copy. A workload is NAME-SIZE; its two numbers
   are sums over the result. The unit is an element; out of cache it is a float copied, that is 12 bytes moved (read,
   write-allocate, write), so that kernels with other traffic compare. */
#include "kernels.h"
#include "base.h"
#include "parallel.h"

#include "speed.h"
#include <math.h>

enum { CACHED = 8192, SECOND = 65536, MEMORY = 1 << 24 };

static size_t n, cols;
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

static struct result copy(void) { memcpy(y, x, n * sizeof *y); return none(); }

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

static const struct { const char *suffix; int n; } sizes[] = {{"-cache", CACHED}, {"-L2", SECOND}, {"-memory", MEMORY}};

/* exact copies of the same numbers in Python */
static void fill(void)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(i * 37 % 1009 + 1) / 256;
        z[i] = (float)(i * 53 % 997 + 1) / 512;
        y[i] = 0;
    }
}

int main(int argc, char **argv)
{
    dl_set_num_threads(1);
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (size_t s = 0; s < 3; s++)
            for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
                const struct workload *w = &workloads[i];
                if (s == 2 && (w->bytes == 4 || strcmp(w->name, "dot") == 0))
                    continue;                /* reductions write nothing: no copy to compare with */
                printf("%s%s\t%d\t%s\t%s%s\n", w->name, sizes[s].suffix, s == 2 ? sizes[s].n / 12 * w->bytes : sizes[s].n,
                       s == 2 ? "ns/float copied" : "ns/element", s == 2 ? "ratio>=0.9" : w->target, s == 2 ? "\tcopy" : "");
            }
        return 0;
    }
    if (argc < 3)
        return 1;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
            const struct workload *w = &workloads[i];
            char name[64];
            snprintf(name, sizeof name, "%s%s", w->name, sizes[s].suffix);
            if (strcmp(name, argv[1]) != 0)
                continue;
            bool peer = strcmp(argv[2], "copy") == 0;
            n = sizes[s].n;
            cols = w->cols;
            x = dl_alloc(n, sizeof *x);
            y = dl_alloc(n, sizeof *y);
            z = dl_alloc(n, sizeof *z);
            variance = dl_alloc(n, sizeof *variance);
            fill();
            struct result last;
            double ns = median_nanoseconds(peer ? copy : w->step, &last) / (double)n;
            if (s == 2 && !peer)
                ns *= 12.0 / w->bytes;
            w->step();
            last.value = y[0];
            last.check = y[n / cols - 1 - (cols == 1 && (w->bytes == 4 || w->step == run_dot) ? n - 1 : 0)];
            printf("%.6g %.9g %.9g\n", ns, last.value, last.check);
            return 0;
        }
    return 1;
}
