/* Steps of training and of inference: a network of 784-256-128-10 neurons on Fashion-MNIST, and one of 2-16-16-1 on the
   points of two half moons. The same in PyTorch is in 11_training.py.

       11_training list       prints the workloads, and how to call it, for run.py: `serve`
       11_training serve      answers each line, the name of a workload: nanoseconds per step, and two losses
       11_training parts      prints figures/results/step-parts.tsv: where the time of a step goes, in one thread
       11_training WORKLOAD SECONDS      repeats its step, for a profiler

   A workload is NAME-BATCH, or NAME-BATCH-2 if it runs in two threads. */
#include "dlfs.h"

#include "speed.h"
#include <math.h>
#include <stdbool.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { LAYERS = 3, FIRST_STEPS = 20 };

static struct dl_dataset train_set, test_set;
static struct dl_params params;
static struct dl_linear layer[LAYERS];
static struct dl_optimizer optimizer;
static struct dl_random generator;
static struct dl_loader loader;
static dl_tensor *x, *y;                /* all examples; the moons' classes, -1 or 1 */
static int batch, at;

static dl_tensor *forward(dl_tensor *h)
{
    h = dl_linear_forward_act(&layer[0], h, DL_RELU);
    h = dl_linear_forward_act(&layer[1], h, DL_RELU);
    return dl_linear_forward(&layer[2], h);
}

static double descend(dl_tensor *loss)
{
    dl_zero_grad(&params);
    dl_backward(loss);
    dl_optimizer_step(&optimizer);
    return dl_item(loss);
}

/* ---- Fashion-MNIST ----------------------------------------------------------------------------------------------- */

/* Batches one behind the other, in place. */
static double step_in_order(void)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    at = (at + batch) % (train_set.n - batch);
    struct dl_ints label = {batch, train_set.label + at};
    double loss = descend(dl_cross_entropy(forward(dl_narrow(x, at, batch)), label));
    dl_scope_leave(scope);
    return loss;
}

/* An epoch of batches in random order. */
static double epoch(void)
{
    double loss = 0;
    struct dl_ints rows;
    dl_loader_epoch(&loader);
    while ((rows = dl_loader_next(&loader)).n > 0) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        struct dl_ints label = dl_dataset_labels(&train_set, rows);
        dl_tensor *images = dl_view(dl_dataset_rows(&train_set, rows), DL_SHAPE(rows.n, -1));
        loss = descend(dl_cross_entropy(forward(images), label));
        dl_scope_leave(scope);
    }
    return loss;
}

static double infer(void)
{
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *z = forward(dl_narrow(x, 0, batch));
    double last = dl_data(z)[z->size - 1];
    dl_scope_leave(scope);
    return last;
}

/* ---- Two half moons ---------------------------------------------------------------------------------------------- */

static void make_moons(void)
{
    x = dl_empty(DL_SHAPE(batch, 2));
    y = dl_empty(DL_SHAPE(batch, 1));
    for (int i = 0; i < batch; i++) {
        double t = 3.14159265358979 * i / batch, noise = 0.1 * sin(37 * i);
        bool up = i % 2 == 0;
        dl_data(x)[2 * i] = (dl_real)((up ? cos(t) : 1 - cos(t)) + noise);
        dl_data(x)[2 * i + 1] = (dl_real)((up ? sin(t) : 0.5 - sin(t)) - noise);
        dl_data(y)[i] = up ? 1 : -1;
    }
}

/* The hinge loss, and the squares of all parameters times 1e-4. */
static double step_of_moons(void)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *penalty = dl_square_penalty(&params, (dl_real)1e-4);
    double value = descend(dl_add(dl_hinge_loss(forward(x), y), penalty));
    dl_scope_leave(scope);
    return value;
}

/* ---- Workloads --------------------------------------------------------------------------------------------------- */

static const struct workload {
    const char *name, *target;
    double (*step)(void);
    int batch, threads;
    bool adam;
} workloads[] = {
    {"micro-100", "ratio>=70", step_of_moons, 100, 1, false},
    {"sgd-64", "ratio>=1.5", step_in_order, 64, 1, false},
    {"sgd-64-2", "ratio>=1.8", step_in_order, 64, 2, false},
    {"adam-64", "ratio>=1.7", step_in_order, 64, 1, true},
    {"adam-64-2", "ratio>=1.9", step_in_order, 64, 2, true},
    {"sgd-256", "ratio>=1.2", step_in_order, 256, 1, false},
    {"sgd-256-2", "ratio>=1.7", step_in_order, 256, 2, false},
    {"adam-256", "ratio>=1.25", step_in_order, 256, 1, true},
    {"adam-256-2", "ratio>=1.5", step_in_order, 256, 2, true},
    {"epoch-64", "ratio>=1.5", epoch, 64, 1, false},
    {"epoch-64-2", "ratio>=1.8", epoch, 64, 2, false},
    {"infer-64", "ratio>=1.25", infer, 64, 1, false},
    {"infer-64-2", "ratio>=1.5", infer, 64, 2, false},
    {"infer-256", "ratio>=1.25", infer, 256, 1, false},
    {"infer-256-2", "ratio>=1.5", infer, 256, 2, false},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static const struct workload *find(const char *name)
{
    for (int k = 0; k < WORKLOADS; k++)
        if (strcmp(workloads[k].name, name) == 0)
            return &workloads[k];
    fprintf(stderr, "there is no workload %s\n", name);
    exit(2);
}

static void prepare(const struct workload *w)
{
    static const int large[] = {784, 256, 128, 10}, small[] = {2, 16, 16, 1};
    bool moons = w->step == step_of_moons;
    const int *width = moons ? small : large;
    const struct dl_update *update = w->adam ? &dl_adam : &dl_sgd;
    batch = w->batch;
    dl_set_num_threads(w->threads);
    dl_random_seed(&generator, 0);
    for (int l = 0; l < LAYERS; l++) {
        char name[] = "1";
        name[0] = (char)('1' + l);
        dl_linear_init(&layer[l], &params, name, width[l], width[l + 1], &generator);
    }
    struct dl_hyper h = dl_hyper_default(update);
    h.lr = w->adam ? 1e-3 : moons ? 0.1 : 0.05;
    h.momentum = moons || w->adam ? 0 : 0.9;
    dl_optimizer_init(&optimizer, update, &params, h);
    if (moons) {
        make_moons();
        return;
    }
    if (!dl_read_fashion(&train_set, &test_set, NULL)) {
        fprintf(stderr, "%s\n", dl_error_text());
        exit(1);
    }
    x = dl_from_array(DL_SHAPE(train_set.n, 784), train_set.x);
    dl_loader_init(&loader, train_set.n, batch, true, &generator);
}

/* The losses of the first step and of a later one. */
static struct result first_results(const struct workload *w)
{
    struct result r = {.value = w->step()};
    for (int k = 1; k < FIRST_STEPS && w->step != epoch; k++)
        r.check = w->step();
    return w->step == epoch ? (struct result){0, 0} : r;    /* the orders differ */
}

static double seconds(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Repeat the step n times: seconds. */
static double repeat(const struct workload *w, long n)
{
    double start = seconds(w->threads);
    for (long k = 0; k < n; k++)
        w->step();
    return seconds(w->threads) - start;
}

/* Nanoseconds per step, of as many steps as half a second holds; first a pause, until the threads of others sleep. */
static double measure(const struct workload *w)
{
    long n = 1;
    double time;
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    while ((time = repeat(w, n)) < 0.1)     /* warms up */
        n *= 2;
    n = (long)ceil(n * 0.5 / time);
    return repeat(w, n) / n * 1e9;
}

static void serve(void)
{
    char line[80];
    const struct workload *w = NULL;
    struct result r = {0, 0};
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (w == NULL) {
            w = find(line);
            prepare(w);
            r = first_results(w);
        }
        printf("%.6g %.9g %.9g\n", measure(w), r.value, r.check);
        fflush(stdout);
    }
}

/* ---- Where the time goes ------------------------------------------------------------------------------------------ */

#if defined __x86_64__
#define BUSY(set, lanes, vector, all, fma) \
    __attribute__((target(set), noinline)) static float busy##lanes(void) \
    { \
        vector s[12], a = all(0.5f); \
        for (int k = 0; k < 12; k++) \
            s[k] = all((float)k); \
        for (int i = 0; i < 100000; i++) \
            _Pragma("GCC unroll 12") \
            for (int k = 0; k < 12; k++) \
                s[k] = fma(s[k], a, a); \
        for (int k = 1; k < 12; k++) \
            s[0] += s[k]; \
        return s[0][0]; \
    }
BUSY("avx2,fma", 8, __m256, _mm256_set1_ps, _mm256_fmadd_ps)
BUSY("avx512f", 16, __m512, _mm512_set1_ps, _mm512_fmadd_ps)
#else
static float busy8(void) { return 0; }
static float busy16(void) { return 0; }
#endif

/* Floating-point operations per second, at best. */
static double peak(void)
{
    bool wide = dl_get_simd() == DL_SIMD_AVX512;
    double best = 0;
    for (int k = 0; k < 50; k++) {
        double start = cpu_seconds();
        volatile float sink = wide ? busy16() : busy8();
        (void)sink;
        best = fmax(best, 2.0 * 100000 * 12 * (wide ? 16 : 8) / (cpu_seconds() - start));
    }
    return best;
}

/* The products of a step, forward and backward, and nothing else. Returns their operations. */
static double products(bool run)
{
    static dl_tensor *h[LAYERS + 1], *weight[LAYERS];
    double count = 0;
    for (int l = 0; l < LAYERS; l++) {
        int out = layer[l].weight->shape.dim[0], in = layer[l].weight->shape.dim[1];
        if (h[l] == NULL || h[l]->shape.dim[0] != batch) {
            h[l] = dl_full(DL_SHAPE(batch, in), (dl_real)0.5);
            h[l + 1] = NULL;
            weight[l] = dl_zeros(layer[l].weight->shape);
        }
        if (l == LAYERS - 1 && h[LAYERS] == NULL)
            h[LAYERS] = dl_full(DL_SHAPE(batch, out), (dl_real)0.5);
        count += 2.0 * batch * in * out * (l > 0 ? 3 : 2);
    }
    for (int l = 0; l < LAYERS && run; l++) {
        int out = layer[l].weight->shape.dim[0], in = layer[l].weight->shape.dim[1];
        dl_gemm(false, true, batch, out, in, 1, dl_data(h[l]), in, dl_data(layer[l].weight), in, 0, dl_data(h[l + 1]), out);
    }
    for (int l = LAYERS - 1; l >= 0 && run; l--) {
        int out = layer[l].weight->shape.dim[0], in = layer[l].weight->shape.dim[1];
        if (l > 0)
            dl_gemm(false, false, batch, in, out, 1, dl_data(h[l + 1]), out, dl_data(layer[l].weight), in, 0, dl_data(h[l]), in);
        dl_gemm(true, false, out, in, batch, 1, dl_data(h[l + 1]), out, dl_data(h[l]), in, 0, dl_data(weight[l]), in);
    }
    return count;
}

enum { GATHER, FORWARD, LOSS, BACKWARD, UPDATE, LEAVE, PRODUCTS, PARTS, TIMES = 600 };

static void time_a_step(struct dl_ints rows, double time[PARTS][TIMES], int k)
{
    double t[PRODUCTS + 1] = {cpu_seconds()};
    dl_scope scope = dl_scope_enter(DL_RECORD);
    struct dl_ints label = dl_dataset_labels(&train_set, rows);
    dl_tensor *images = dl_view(dl_dataset_rows(&train_set, rows), DL_SHAPE(rows.n, -1));
    t[1] = cpu_seconds();
    dl_tensor *z = forward(images);
    t[2] = cpu_seconds();
    dl_tensor *loss = dl_cross_entropy(z, label);
    t[3] = cpu_seconds();
    dl_zero_grad(&params);
    dl_backward(loss);
    t[4] = cpu_seconds();
    dl_optimizer_step(&optimizer);
    t[5] = cpu_seconds();
    dl_scope_leave(scope);
    t[6] = cpu_seconds();
    for (int part = 0; part < PRODUCTS; part++)
        time[part][k] = t[part + 1] - t[part];
    products(true);                                     /* brings their matrices into the cache */
    t[0] = cpu_seconds();
    products(true);
    time[PRODUCTS][k] = cpu_seconds() - t[0];
}

/* Microseconds of each part, medians. */
static void time_parts(const struct workload *w, double median[PARTS])
{
    static double time[PARTS][TIMES];
    batch = w->batch;
    dl_loader_epoch(&loader);
    for (int k = -20; k < TIMES; k++) {
        struct dl_ints rows = dl_loader_next(&loader);
        if (rows.n < batch) {
            dl_loader_epoch(&loader);
            rows = dl_loader_next(&loader);
        }
        time_a_step(rows, time, k < 0 ? 0 : k);
    }
    for (int part = 0; part < PARTS; part++) {
        qsort(time[part], TIMES, sizeof(double), by_size);
        median[part] = time[part][TIMES / 2] * 1e6;
    }
}

static void print_parts(void)
{
    static const struct workload *sizes[2];
    double t[2][PARTS], whole[2], best[2], speed = peak();
    sizes[0] = find("adam-64"), sizes[1] = find("adam-256");
    prepare(sizes[0]);
    for (int s = 0; s < 2; s++) {
        dl_loader_free(&loader);
        dl_loader_init(&loader, train_set.n, sizes[s]->batch, true, &generator);
        time_parts(sizes[s], t[s]);
        whole[s] = t[s][GATHER] + t[s][FORWARD] + t[s][LOSS] + t[s][BACKWARD] + t[s][UPDATE] + t[s][LEAVE];
        best[s] = products(false) / speed * 1e6;
    }
    printf("# build/speed/11_training parts; seed 0; threads 1\n"
           "part\tus_64\tshare_64\tus_256\tshare_256\n");
#define ROW(name, value) \
    printf("%s", name); \
    for (int s = 0; s < 2; s++) \
        printf("\t%.1f\t%.4f", value, (value) / whole[s]); \
    printf("\n")
    ROW("peak", best[s]);
    ROW("products", t[s][PRODUCTS]);
    ROW("beside", t[s][FORWARD] + t[s][BACKWARD] - t[s][PRODUCTS]);
    ROW("loss", t[s][LOSS]);
    ROW("update", t[s][UPDATE]);
    ROW("gather", t[s][GATHER]);
    ROW("leave", t[s][LEAVE]);
    ROW("step", whole[s]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        printf("serve\n");
        for (int k = 0; k < WORKLOADS; k++)
            printf("%s\t1\tns/step\t%s\n", workloads[k].name, workloads[k].target);
    } else if (argc == 2 && strcmp(argv[1], "serve") == 0)
        serve();
    else if (argc == 2 && strcmp(argv[1], "parts") == 0)
        print_parts();
    else if (argc == 3) {
        const struct workload *w = find(argv[1]);
        prepare(w);
        double end = seconds(1) + atof(argv[2]);
        while (seconds(1) < end)
            w->step();
    }
    return 0;
}
