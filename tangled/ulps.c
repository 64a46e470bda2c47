/* ulps.c - the largest error of each function, in units in the last place,
   over every 251st float or, with --all, over all of them. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double gelu(double x)
{
    return x * 0.5 * erfc(-x * 0.70710678118654752440);
}

static double gelu_tanh(double x)
{
    return x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x));
}

struct trial {
    const char *name;
    void (*ours)(size_t n, const float *x, float *y);
    double (*exact)(double x);
};

static const struct trial trials[] = {
    {"exp", dl_vexp, exp}, {"log", dl_vlog, log}, {"sqrt", dl_vsqrt, sqrt},
    {"tanh", dl_vtanh, tanh}, {"sigmoid", dl_vsigmoid, sigmoid},
    {"erf", dl_verf, erf}, {"silu", dl_vsilu, silu},
    {"gelu", dl_vgelu, gelu}, {"gelu_tanh", dl_vgelu_tanh, gelu_tanh},
};

static double ulps(float y, double exact)
{
    if (isnan(exact) || isinf((float)exact) || y == (float)exact)
        return isnan(exact) == isnan(y) && (isnan(y) || y == (float)exact)
               ? 0 : INFINITY;
    int e = exact == 0 ? -126 : ilogb(exact);
    return fabs(y - exact) / ldexp(1, (e < -126 ? -126 : e) - 23);
}

enum { PARTS = 4096, AT_ONCE = 4096 };

struct search {
    const struct trial *trial;
    uint64_t step;
    double worst[PARTS];
    float at[PARTS];
    uint64_t trials[PARTS];
};

static void search_part(struct search *s, size_t part)
{
    uint64_t size = ((uint64_t)1 << 32) / PARTS, bits = part * size;
    uint64_t end = bits + size;
    bits = (bits + s->step - 1) / s->step * s->step;
    while (bits < end) {
        float x[AT_ONCE], y[AT_ONCE];
        size_t n = 0;
        for (; bits < end && n < AT_ONCE; bits += s->step) {
            uint32_t pattern = (uint32_t)bits;
            memcpy(&x[n], &pattern, sizeof pattern);
            n += isfinite(x[n]) != 0;
        }
        s->trial->ours(n, x, y);
        s->trials[part] += n;
        for (size_t i = 0; i < n; i++) {
            double error = ulps(y[i], s->trial->exact(x[i]));
            if (error > s->worst[part]) {
                s->worst[part] = error;
                s->at[part] = x[i];
            }
        }
    }
}

static void search_parts(size_t begin, size_t end, void *context)
{
    for (size_t part = begin; part < end; part++)
        search_part(context, part);
}

static void try_floats(const struct trial *trial, uint64_t step)
{
    static struct search s;
    s = (struct search){.trial = trial, .step = step};
    dl_parallel_for(PARTS, 1, search_parts, &s);
    size_t worst = 0;
    uint64_t count = 0;
    for (size_t part = 0; part < PARTS; part++) {
        count += s.trials[part];
        if (s.worst[part] > s.worst[worst])
            worst = part;
    }
    printf("%s\t%.2f\t%.9g\t%llu\n", trial->name, s.worst[worst],
           (double)s.at[worst], (unsigned long long)count);
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    printf("# build/ulps%s; seed 0; threads any\n", all ? " --all" : "");
    printf("name\tulp\tat\ttrials\n");
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        try_floats(&trials[i], all ? 1 : 251);
    return 0;
}
