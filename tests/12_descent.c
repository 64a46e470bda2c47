/* Chapter 12: least squares by reflections; the programs descent and memorise as a user meets them. */
#include "base.h"
#include "qr.h"
#include "random.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- Least squares ---------------------------------------------------------------------------------------------- */

static void is_near(const double *got, const double *wanted, size_t n, double tolerance, const char *what, int k)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[i] - wanted[i]) <= tolerance * largest, "%s of case %d: element %zu is %.17g, not %.17g", what,
                  k, i, got[i], wanted[i]);
}

Test(qr, solves_as_numpy_does_tall_square_wide_and_with_a_ridge)
{
    struct oracle o = oracle_open("12_descent.safetensors");
    int cases = oracle_get(&o, "cases").i32[0];
    struct oracle_tensor ridges = oracle_get(&o, "ridges");
    for (int k = 0; k < cases; k++) {
        struct oracle_tensor a = oracle_get(&o, "a.%d", k), y = oracle_get(&o, "y.%d", k);
        for (int r = 0; r < (int)ridges.count; r++) {
            struct oracle_tensor wanted = oracle_get(&o, "w.%d.%d", k, r);
            double w[100];
            struct dl_qr q;
            cr_assert(dl_qr_init(&q, (int)a.shape[0], (int)a.shape[1], a.f64, ridges.f64[r]));
            dl_qr_solve(&q, y.f64, w);
            /* the last matrix has a condition number of 1e6: its normal equations could not do this */
            is_near(w, wanted.f64, wanted.count, k == cases - 1 ? 1e-9 : 1e-11, "the solution", k);
            double s = oracle_get(&o, "smallest.%d", k).f64[0];
            /* a ridge brings the values close together, and the iteration tells them apart slowly */
            cr_assert(fabs(dl_qr_smallest(&q) / sqrt(s * s + ridges.f64[r]) - 1) < (r == 0 ? 1e-6 : 1e-3), "case %d", k);
            dl_qr_free(&q);
        }
    }
    oracle_close(&o);
}

/* A' (A w - y) + ridge w, which must be zero, relative to A' y. */
static double slope(int rows, int columns, const double *a, const double *y, const double *w, double ridge)
{
    double worst = 0, size = 0;
    for (int j = 0; j < columns; j++) {
        double g = ridge * w[j], h = 0;
        for (int i = 0; i < rows; i++) {
            double rest = -y[i];
            for (int l = 0; l < columns; l++)
                rest += a[i * columns + l] * w[l];
            g += a[i * columns + j] * rest;
            h += a[i * columns + j] * y[i];
        }
        worst = fmax(worst, fabs(g));
        size = fmax(size, fabs(h));
    }
    return worst / size;
}

Test(qr, leaves_no_gradient_and_of_all_solutions_takes_the_shortest)
{
    static const int size[][2] = {{1, 1}, {2, 1}, {1, 2}, {9, 4}, {4, 9}, {33, 32}, {32, 33}, {17, 17}, {64, 5}, {5, 64}};
    struct dl_random r;
    dl_random_seed(&r, 3);
    for (size_t k = 0; k < sizeof size / sizeof *size; k++)
        for (int ridge = 0; ridge < 2; ridge++) {
            int rows = size[k][0], columns = size[k][1];
            double a[33 * 33], y[64], w[64], again[64], other[64];
            for (int i = 0; i < rows * columns; i++)
                a[i] = dl_random_normal(&r);
            for (int i = 0; i < rows; i++)
                y[i] = dl_random_normal(&r);
            struct dl_qr q;
            cr_assert(dl_qr_init(&q, rows, columns, a, ridge));
            dl_qr_solve(&q, y, w);
            cr_assert(slope(rows, columns, a, y, w, ridge) < 1e-9, "%d x %d", rows, columns);
            dl_qr_solve(&q, y, again);              /* solving leaves the decomposition as it was */
            cr_assert(memcmp(w, again, sizeof *w * (size_t)columns) == 0);
            /* a wide matrix: w is the shortest one if solving for A w gives w back, because A w fits already */
            if (columns > rows && !ridge) {
                double fit[64] = {0};
                for (int i = 0; i < rows; i++)
                    for (int j = 0; j < columns; j++)
                        fit[i] += a[i * columns + j] * w[j];
                is_near(fit, y, (size_t)rows, 1e-10, "the fit", (int)k);
                dl_qr_solve(&q, fit, other);
                is_near(other, w, (size_t)columns, 1e-9, "the shortest", (int)k);
            }
            dl_qr_free(&q);
        }
}

Test(qr, keeps_digits_where_a_column_is_nearly_on_the_axis)
{
    /* reflecting to the near side would subtract two numbers that are equal to 16 digits */
    static const double a[] = {1, 2, 1e-9, 3}, y[] = {5, 6 + 1e-9}, wanted[] = {1, 2};
    double w[2];
    struct dl_qr q;
    for (int sign = -1; sign <= 1; sign += 2) {
        double signed_a[4] = {sign * a[0], a[1], sign * a[2], a[3]}, expected[2] = {sign * wanted[0], wanted[1]};
        cr_assert(dl_qr_init(&q, 2, 2, signed_a, 0));
        dl_qr_solve(&q, y, w);
        is_near(w, expected, 2, 1e-14, "the solution", sign);
        dl_qr_free(&q);
    }
}

Test(qr, refuses_what_has_no_full_rank_or_is_not_finite_and_a_ridge_helps)
{
    static const double bad[][6] = {{0, 0, 0, 0, 0, 0}, {1, 2, 2, 4, 3, 6}, {0, 1, 0, 2, 0, 3}, {1, 0, 2, 0, 3, 0},
                                    {1, 1, 1, 1, 1, 1 + 1e-16}, {1, 2, NAN, 4, 5, 6}, {1, 2, 3, 4, INFINITY, 6},
                                    {-INFINITY, 2, 3, 4, 5, 6}};
    struct dl_qr q;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        cr_assert(!dl_qr_init(&q, 3, 2, bad[k], 0), "case %zu", k);
        cr_assert(strstr(dl_error_text(), "the columns of a matrix of 3 x 2 depend on one another") != NULL, "%s",
                  dl_error_text());
        cr_assert(q.column == NULL && q.diagonal == NULL);
        if (k < 5) {
            cr_assert(dl_qr_init(&q, 3, 2, bad[k], 1e-3));
            dl_qr_free(&q);
        }
    }
    static const double twice[] = {1, 2, 3, 1, 2, 3};
    cr_assert(!dl_qr_init(&q, 2, 3, twice, 0));
    cr_assert(strstr(dl_error_text(), "the rows of a matrix of 2 x 3") != NULL, "%s", dl_error_text());
    cr_assert(dl_qr_init(&q, 2, 3, twice, 0.5));
    double y[] = {1, 1}, w[3];
    dl_qr_solve(&q, y, w);
    for (int j = 0; j < 3; j++)                 /* 2 a (a.w - 1) + w/2 = 0 has the solution w = a * 4/57 */
        cr_assert(fabs(w[j] - (j + 1) * 4 / 57.0) < 1e-14);
    dl_qr_free(&q);
}

Test(qr, refuses_the_callers_mistakes)
{
    double a[1] = {1};
    struct dl_qr q;
    fails_with(dl_qr_init(&q, 0, 1, a, 0), "0 x 1");
    fails_with(dl_qr_init(&q, 1, 0, a, 0), "1 x 0");
    fails_with(dl_qr_init(&q, 1, 1, a, -1), "a ridge of -1");
    fails_with(dl_qr_init(&q, 1, 1, a, NAN), "a ridge of nan");
    fails_with(dl_qr_init(&q, 1, 1, a, INFINITY), "a ridge of inf");
}

/* ---- The programs ----------------------------------------------------------------------------------------------- */

#ifndef DL_DOUBLE
#include "small_fashion.h"

static char out[65536];

/* Run a command; its standard output, or standard error if `errors`, goes to out. The status. */
static int run(const char *arguments, bool errors)
{
    char command[512];
    snprintf(command, sizeof command, BUILD "/%s %s", arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void is_refused(const char *arguments, int wanted, const char *words)
{
    int status = run(arguments, true);
    cr_assert(status == wanted, "%s: status %d", arguments, status);
    cr_assert(strstr(out, words) != NULL, "%s: \"%s\"", arguments, out);
    const char *end = strchr(out, '\n');
    cr_assert(end != NULL && end[1] == '\0', "%s: \"%s\"", arguments, out);
}

/* Column c (from 0) of the row that begins with this key. */
static double entry(const char *key, int c)
{
    char start[32];
    snprintf(start, sizeof start, "\n%s\t", key);
    const char *at = strstr(out, start);
    cr_assert(at != NULL, "no row %s in \"%s\"", key, out);
    for (at++; c > 0; c--)
        at = strchr(at, '\t') + 1;
    return strtod(at, NULL);
}

Test(descent, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const char *const bad[][2] = {
        {"--examples 0", "examples"}, {"--examples 2001", "examples"}, {"--inputs 0", "inputs"}, {"--noise -1", "noise"},
        {"--noise nan", "noise"}, {"--ridge -0.1", "ridge"}, {"--draws 0", "draws"}, {"--draws 1001", "draws"},
        {"--tests 0", "tests"}, {"--seed -1", "seed"}, {"--features ''", "features"}, {"--features 0", "features"},
        {"--features 10001", "features"}, {"--features 5,", "features"}, {"--features ,5", "features"},
        {"--features 5,,6", "features"}, {"--features '5;6'", "features"}, {"--features -5", "features"},
        {"--features ' 5'", "features"}, {"--features 99999999999999999999", "features"}, {"--what", "what"},
        {"extra", "extra"}, {"--draws 2 --draws 3", "draws"}, {"--draws", "draws"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, "descent %s", bad[k][0]);
        is_refused(arguments, 2, bad[k][1]);
    }
    static char many[400] = "descent --features 1";
    for (int k = 0; k < 100; k++)
        strcat(many, ",1");
    is_refused(many, 2, "up to 100 whole numbers");
}

Test(descent, a_full_disk_and_dependent_features_are_reported_with_status_1)
{
    cr_assert(run("descent --draws 1 --features 3 >/dev/full", false) == 1);
    /* of one input there are two features, what is above zero and what is below: more are multiples of these */
    is_refused("descent --inputs 1 --features 5 --draws 1", 1, "depend on one another");
    cr_assert(run("descent --inputs 1 --features 5 --draws 1 --ridge 0.1", false) == 0);
    cr_assert(run("descent --help", false) == 0);
    cr_assert(strstr(out, "--ridge") != NULL);
}

Test(descent, the_error_peaks_where_features_equal_examples)
{
    cr_assert(run("descent --draws 10 --tests 200 --features 30,100,200,800", false) == 0);
    cr_assert(entry("100", 2) > 10 * entry("30", 2) && entry("100", 2) > 10 * entry("200", 2), "%s", out);
    cr_assert(entry("800", 2) < entry("200", 2) && entry("800", 2) < entry("30", 2), "%s", out);
    cr_assert(entry("30", 1) > 0.25 && entry("100", 1) < 1e-16 && entry("200", 1) < 1e-16, "%s", out);
    cr_assert(entry("100", 8) < entry("30", 8) && entry("100", 8) < entry("200", 8), "%s", out);
    cr_assert(entry("100", 3) < entry("100", 2) && entry("100", 2) < entry("100", 4), "%s", out);
    static char first[sizeof out];
    strcpy(first, out);
    cr_assert(run("descent --draws 10 --tests 200 --features 30,100,200,800", false) == 0);
    cr_assert(strcmp(first, out) == 0);
    cr_assert(run("descent --draws 10 --tests 200 --features 30,100,200,800 --ridge 20", false) == 0);
    cr_assert(entry("100", 2) < entry("30", 2), "%s", out);
}

Test(descent, noise_and_truth_add_up)
{
    cr_assert(run("descent --draws 1 --features 50,150 --noise 0", false) == 0);
    double clean = entry("50", 5);
    cr_assert(entry("50", 6) == 0 && entry("150", 6) == 0 && entry("50", 2) == clean, "%s", out);
    cr_assert(run("descent --draws 1 --features 50,150 --noise 1", false) == 0);
    cr_assert(fabs(entry("50", 5) / clean - 1) < 1e-3, "%s", out);       /* the noise does not touch it */
    double noise = entry("50", 6);
    cr_assert(run("descent --draws 1 --features 50,150 --noise 3", false) == 0);
    cr_assert(fabs(entry("50", 6) / (9 * noise) - 1) < 1e-3, "%s", out);
}

Test(memorise, learns_all_three_sets_by_heart)
{
    cr_assert(run("memorise --threads 1 --examples 60 --epochs 60 --lr 3e-3 --batch 20 --width 64", false) == 0);
    for (int k = 1; k <= 3; k++)
        cr_assert(entry("60", k) == 1, "%s", out);
    cr_assert(entry("test", 1) > 0.5 && entry("test", 2) < 0.35 && entry("test", 3) < 0.35, "%s", out);
    cr_assert(entry("1", 1) < 1 && entry("needed", 1) <= 60 && entry("needed", 2) <= 60, "%s", out);
}

Test(memorise, wrong_arguments_are_refused)
{
    static const char *const bad[][2] = {
        {"--examples 0", "examples"}, {"--examples 60001", "examples"}, {"--epochs 0", "epochs"}, {"--epochs 1001", "epochs"},
        {"--width 0", "width"}, {"--width 4097", "width"}, {"--batch 0", "batch"}, {"--batch 60001", "batch"},
        {"--batch 1001", "a batch of 1001"}, {"--examples 10", "a batch of 64"}, {"--lr x", "lr"}, {"--lr -1", "lr"}, {"--lr nan", "lr"},
        {"--seed -1", "seed"}, {"--seed 1e99", "seed"}, {"--threads 1025", "threads"}, {"--threads ''", "threads"}, {"--data", "data"},
        {"--data /nowhere", "/nowhere/"}, {"--data=", "data"}, {"extra", "extra"}, {"--what", "what"}, {"--lr 1 --lr 1", "twice"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, "memorise %s", bad[k][0]);
        is_refused(arguments, 2, bad[k][1]);
    }
    cr_assert(run("memorise --examples 10 --batch 10 --epochs 1 --width 2 >/dev/full", false) == 1);
}

Test(memorise, data_that_cannot_be_used_are_refused)
{
    char folder[] = "/tmp/dlfs-12-XXXXXX", command[100], clothes[100];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(command, sizeof command, "memorise --epochs 1 --width 2 --examples 10 --batch 10 --data %s", folder);
    snprintf(clothes, sizeof clothes, "generalize --epochs 1 --width 8 --seeds 1 --data %s", folder);
    for (int k = 0; k < BAD_FASHION; k++) {
        write_fashion(folder, bad_fashion[k].training, bad_fashion[k].test, bad_fashion[k].side, bad_fashion[k].label);
        is_refused(command, 2, bad_fashion[k].why);
        is_refused(clothes, 2, bad_fashion[k].why);
    }
    write_fashion(folder, 10, 10, 14, 0);
    is_refused(command, 2, "not 28 by 28");
    is_refused(clothes, 2, "10 examples, and 10 for the test, are too few");
    write_fashion(folder, 9, 10, 28, 0);
    is_refused(command, 2, "there are 9 examples, not 10");
    write_fashion(folder, 10, 10, 28, 0);
    cr_assert(run(command, false) == 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
}

Test(words, of_programs_without_options)
{
    static const char *const bad[] = {"restrain curve", "restrain ''", "restrain curves curves", "restrain --curves", "tradeoff",
                                      "tradeoff ''", "tradeoff degrees", "tradeoff degree decay", "tradeoff --what"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        is_refused(bad[k], 2, "usage: ");
    cr_assert(system(BUILD "/tradeoff fits 2>&1 >/dev/full | grep -qx 'tradeoff: standard output could not be written'") == 0);
    cr_assert(setenv("DLFS_DATA", "/nowhere", 1) == 0);
    is_refused("restrain", 2, "/nowhere/digits.csv.gz: No such file");
    cr_assert(unsetenv("DLFS_DATA") == 0);
}

#endif
