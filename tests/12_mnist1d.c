/* Chapter 12: the data set MNIST-1D, and the program that trains on it. */
#include "base.h"
#include "dataset.h"
#include "mnist1d.h"
#include "random.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- The data --------------------------------------------------------------------------------------------------- */

static struct dl_dataset train, test;
static struct dl_random r;

static void make(int each, uint64_t seed)
{
    dl_random_seed(&r, seed);
    dl_mnist1d(&train, &test, each, &r);
}

static void unmake(void)
{
    dl_dataset_free(&train);
    dl_dataset_free(&test);
}

/* 64-bit FNV-1a over words, going on from h, at first FNV. */
static const uint64_t FNV = 0xcbf29ce484222325;
static uint64_t digest(uint64_t h, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, &x[i], sizeof word);
        h = (h ^ word) * 0x100000001b3;
        h ^= h >> 32;
    }
    return h;
}

Test(mnist1d, equals_the_one_of_numpy)
{
    struct oracle o = oracle_open("12_mnist1d.safetensors");
    struct oracle_tensor x = oracle_get(&o, "x");       /* 50 examples */
    struct oracle_tensor labels = oracle_get(&o, "labels");
    make(500, 42);
    for (size_t i = 0; i < x.count; i++)
        cr_assert(train.x[i] == x.f32[i], "number %zu", i);
    for (int i = 0; i < train.n; i++)
        cr_assert(train.label[i] == labels.u8[i]);
    for (int i = 0; i < test.n; i++)
        cr_assert(test.label[i] == labels.u8[train.n + i]);
    uint64_t h = digest(FNV, train.x, 4000 * 40);
    h = digest(h, test.x, 1000 * 40);
    cr_assert(h == strtoull(oracle_text(&o, "digest"), NULL, 16));
    unmake();
    oracle_close(&o);
}

Test(mnist1d, draws_no_more_than_numpy)
{
    struct oracle o = oracle_open("12_mnist1d.safetensors");
    make(500, 42);
    double high = dl_random_u32(&r) >> 5, low = dl_random_u32(&r) >> 6;
    cr_assert(0x1p-53 * (high * 0x1p26 + low) == oracle_get(&o, "after").f64[0]);
    unmake();
    oracle_close(&o);
}

Test(mnist1d, of_one_example_each_equals_the_one_of_numpy)
{
    struct oracle o = oracle_open("12_mnist1d.safetensors");
    make(1, 7);
    cr_assert(train.n == 8 && test.n == 2);
    struct oracle_tensor x = oracle_get(&o, "small"), labels = oracle_get(&o, "small_labels");
    for (int i = 0; i < 400; i++)
        cr_assert((i < 320 ? train.x[i] : test.x[i - 320]) == x.f32[i]);
    for (int i = 0; i < 10; i++)
        cr_assert((i < 8 ? train.label[i] : test.label[i - 8]) == labels.u8[i]);
    unmake();
    oracle_close(&o);
}

Test(mnist1d, has_4000_and_1000_examples_500_of_each_digit)
{
    make(500, 42);
    cr_assert(train.n == 4000 && test.n == 1000 && train.classes == 10 && test.classes == 10);
    cr_assert(train.sample.rank == 1 && train.sample.dim[0] == 40 && dl_shape_equal(train.sample, test.sample));
    int count[10] = {0}, tested[10] = {0};
    for (int i = 0; i < 4000; i++)
        count[train.label[i]]++;
    for (int i = 0; i < 1000; i++)
        tested[test.label[i]]++;
    for (int k = 0; k < 10; k++)                /* the split is random: about 100 of each are tested */
        cr_assert(count[k] + tested[k] == 500 && tested[k] > 60 && tested[k] < 140, "%d: %d", k, tested[k]);
    unmake();
}

Test(mnist1d, has_mean_0_and_deviation_1_in_all)
{
    make(50, 3);
    double sum = 0, squares = 0, most = 0;
    for (int i = 0; i < 500 * 40; i++) {
        double x = (double)(i < 400 * 40 ? train.x[i] : test.x[i - 400 * 40]);
        sum += x;
        squares += x * x;
        most = fmax(most, fabs(x));
    }
    cr_assert(fabs(sum / 20000) < 1e-6 && fabs(squares / 20000 - 1) < 1e-6 && most < 8);
    unmake();
}

Test(mnist1d, depends_on_the_seed_and_on_nothing_else)
{
    float first[320];
    make(1, 5);
    memcpy(first, train.x, sizeof first);
    unmake();
    make(1, 5);
    cr_assert(memcmp(first, train.x, sizeof first) == 0);
    unmake();
    make(1, 6);
    cr_assert(memcmp(first, train.x, sizeof first) != 0);
    unmake();
    struct dl_random used;                      /* a normal number that is left over must not be taken */
    dl_random_seed(&used, 5);
    used.has_spare = true;
    dl_mnist1d(&train, &test, 1, &used);
    cr_assert(memcmp(first, train.x, sizeof first) == 0);
    unmake();
}

Test(mnist1d, shapes_are_numpys_and_begin_and_end_at_zero)
{
    struct oracle o = oracle_open("12_mnist1d.safetensors");
    struct oracle_tensor wanted = oracle_get(&o, "shapes");
    for (int k = 0; k < 10; k++) {
        double x[DL_MNIST1D_SHAPE], mean = 0, square = 0;
        dl_mnist1d_shape(k, x);
        for (int i = 0; i < 12; i++) {
            cr_assert(fabs(x[i] - wanted.f64[12 * k + i]) < 1e-15, "digit %d, point %d", k, i);
            mean += x[i] / 12;
        }
        for (int i = 0; i < 12; i++)
            square += (x[i] - mean) * (x[i] - mean) / 12;
        cr_assert(x[0] == 0 && x[11] == 0 && fabs(sqrt(square) - 1 / 6.0) < 1e-15);
    }
    oracle_close(&o);
}

Test(mnist1d, signals_vary_in_place_slope_and_noise)
{
    dl_random_seed(&r, 8);
    double mean[40] = {0}, square[40] = {0}, steep = 0, rough = 0;
    enum { TIMES = 2000 };
    for (int i = 0; i < TIMES; i++) {
        double x[DL_MNIST1D_LENGTH];
        dl_mnist1d_signal(i % 10, x, &r);
        for (int j = 0; j < 40; j++) {
            mean[j] += x[j] / TIMES;
            square[j] += x[j] * x[j] / TIMES;
        }
        steep += fabs(x[39] - x[0]) / TIMES;
        for (int j = 1; j < 39; j++)
            rough += fabs(x[j - 1] - 2 * x[j] + x[j + 1]) / TIMES / 38;
    }
    for (int j = 0; j < 40; j++)                /* no place is special but the ends, where the shear reaches far */
        cr_assert(fabs(mean[j]) < 0.06 && square[j] > 0.01 && square[j] < 0.12, "%d: %g %g", j, mean[j], square[j]);
    cr_assert(steep > 0.1 && steep < 0.4, "%g", steep);
    cr_assert(rough > 0.02 && rough < 0.12, "%g", rough);
}

Test(mnist1d, refuses_the_callers_mistakes)
{
    double x[40];
    dl_random_seed(&r, 1);
    fails_with(dl_mnist1d(&train, &test, 0, &r), "0 examples of each digit");
    fails_with(dl_mnist1d(&train, &test, 100001, &r), "100001 examples");
    fails_with(dl_mnist1d_shape(10, x), "10 is no digit");
    fails_with(dl_mnist1d_signal(-1, x, &r), "-1 is no digit");
}

/* ---- The program ------------------------------------------------------------------------------------------------ */

#ifndef DL_DOUBLE

static char out[65536];

static int run(const char *arguments, bool errors)
{
    char command[512];
    snprintf(command, sizeof command, BUILD "/mnist1d %s %s", arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static double mean_of(int column)
{
    const char *at = strstr(out, "\nmean\t");
    cr_assert(at != NULL, "%s", out);
    for (; column > 0; column--)
        at = strchr(at, '\t') + 1;
    return strtod(at, NULL);
}

Test(program, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const char *const bad[][2] = {
        {"--model cnn", "cnn"}, {"--model ''", "--model"}, {"--epochs 0", "epochs"}, {"--batch 0", "batch"},
        {"--batch 4001", "more than"}, {"--lr -1", "lr"}, {"--decay -1", "decay"}, {"--seed -1", "seed"}, {"--seeds 0", "seeds"},
        {"--each 0", "each"}, {"--data-seed x", "data-seed"}, {"--threads 1025", "threads"}, {"--schedule step", "step"},
        {"--show=1", "show"}, {"extra", "extra"}, {"--what", "what"}, {"--seeds 1 --seeds 2", "seeds"},
        {"--show --show", "show"}, {"--scramble --scramble", "scramble"}, {"--each 1e99", "each"}, {"--each 2 --batch 17", "more than the 16"}, {"--show --model cnn", "cnn"},
        {"--decay nan", "decay"}, {"--lr ''", "lr"}, {"--data-seed", "data-seed"}, {"--schedule ''", "schedule"}, {"--model", "model"},
        {"--epochs 99999999999999999999", "epochs"}, {"--seed 1.5", "seed"}, {"--batch abc", "batch"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        int status = run(bad[k][0], true);
        cr_assert(status == 2, "%s: status %d", bad[k][0], status);
        if (strcmp(bad[k][1], "only") != 0)
            cr_assert(strstr(out, bad[k][1]) != NULL, "%s: \"%s\"", bad[k][0], out);
        const char *end = strchr(out, '\n');
        cr_assert(end != NULL && end[1] == '\0', "%s: \"%s\"", bad[k][0], out);
    }
    cr_assert(run("--show >/dev/full", false) == 1);
    cr_assert(run("--epochs 1 --seeds 1 --each 10 --batch 10 >/dev/full", false) == 1);
    cr_assert(run("--help", false) == 0);
}

Test(program, linear_reaches_the_published_row)
{
    cr_assert(run("--model linear --epochs 40 --seeds 2 --threads 1", false) == 0);
    cr_assert(mean_of(3) > 0.30 && mean_of(3) < 0.345 && mean_of(2) > 0.35 && mean_of(2) < 0.39, "%s", out);
}

Test(program, gives_the_same_numbers_with_any_number_of_threads)
{
    static char first[sizeof out];
    const char *const base = "--epochs 2 --seeds 2 --each 40 --decay 0.1 --schedule cosine";
    char arguments[200];
    for (int threads = 1; threads <= 3; threads++) {
        snprintf(arguments, sizeof arguments, "%s --threads %d", base, threads);
        cr_assert(run(arguments, false) == 0);
        if (threads == 1)
            strcpy(first, out);
        cr_assert(strcmp(first, out) == 0, "%d threads:\n%s", threads, out);
    }
}

Test(program, permuting_the_points_leaves_the_linear_optimum)
{
    cr_assert(run("--model linear --epochs 100 --seeds 1 --schedule cosine --threads 1", false) == 0);
    double training = mean_of(2), loss = mean_of(1);
    cr_assert(run("--model linear --epochs 100 --seeds 1 --schedule cosine --threads 1 --scramble", false) == 0);
    cr_assert(fabs(mean_of(2) - training) < 0.003 && fabs(mean_of(1) / loss - 1) < 1e-3, "%s", out);
}

Test(program, a_network_knows_the_training_set_by_heart)
{
    cr_assert(run("--epochs 100 --seeds 1 --threads 1 --schedule cosine", false) == 0);
    cr_assert(mean_of(2) == 1 && mean_of(3) > 0.61 && mean_of(3) < 0.70, "%s", out);
}

Test(program, shows_ten_shapes_and_signals_in_40_rows)
{
    cr_assert(run("--show", false) == 0);
    int lines = 0;
    for (const char *at = out; *at != '\0'; at++)
        lines += *at == '\n';
    cr_assert(lines == 42, "%d lines", lines);
    cr_assert(strstr(out, "\tshape9\tsignal9\n0\t0.0000\t") != NULL, "%s", out);
}

#endif
