/* Chapter 8: the program softmax, called as a user would. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <zlib.h>

static char out[16384];

/* Run a program with these arguments; standard output, or standard error if `errors`, goes to out. The status. */
static int run_program(const char *name, const char *arguments, bool errors)
{
    char command[6000];
    snprintf(command, sizeof command, BUILD "/%s %s %s", name, arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static int run(const char *arguments, bool errors) { return run_program("softmax", arguments, errors); }

/* out is one line, and has these words. */
static void one_line(const char *words)
{
    const char *end = strchr(out, '\n');
    cr_assert(strstr(out, words) != NULL && end != NULL && end[1] == '\0', "\"%s\" is not a line with \"%s\"", out, words);
}

Test(softmax, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const struct { const char *arguments, *words; } bad[] = {
        {"--epochs 0", "--epochs"}, {"--epochs -1", "--epochs"}, {"--epochs x", "--epochs"}, {"--epochs 1x", "--epochs"},
        {"--epochs 99999999999999999999", "--epochs"}, {"--epochs ''", "--epochs"}, {"--epochs", "requires an argument"},
        {"--batch 0", "--batch"}, {"--batch 1048577", "--batch"}, {"--lr 0", "--lr"}, {"--lr -1", "--lr"}, {"--lr nan", "--lr"},
        {"--lr inf", "--lr"}, {"--lr 1e9", "--lr"}, {"--lr x", "--lr"}, {"--seed -1", "--seed"}, {"--seeds 0", "--seeds"},
        {"--threads 0", "--threads"}, {"--threads 65", "--threads"}, {"--set iris", "iris"}, {"--set ''", "--set wants something"}, {"--plot ''", "--plot wants"},
        {"--data ''", "--data wants"}, {"--set fashions", "fashion or digits"}, {"--split 1e99", "--split"}, {"--seeds 1001", "--seeds"},
        {"--seed 99999999999999999999", "--seed"}, {"--threads abc", "--threads"}, {"--data", "requires an argument"},
        {"--lr 0.1 --lr 0.1", "--lr is given twice"}, {"--set digits --set digits", "--set is given twice"}, {"''", "unknown argument ''"},
        {"--what", "unrecognized option"}, {"--quiet=1", "doesn't allow an argument"}, {"extra", "unknown argument 'extra'"},
        {"--epochs 1 --epochs 2", "--epochs is given twice"}, {"--quiet --quiet", "--quiet is given twice"},
        {"--seeds 2 --plot /tmp", "--plot"}, {"--set digits --split -1", "--split"}, {"--set digits --split x", "--split"},
        {"--split 3", "--split is for --set digits"}, {"--set digits --batch 1438", "only 1437 examples"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = run(bad[i].arguments, true);
        cr_assert(status == 2, "%s: status %d", bad[i].arguments, status);
        one_line(bad[i].words);
    }
}

Test(softmax, data_that_cannot_be_used_are_refused_in_one_line_with_status_2)
{
    char folder[] = "/tmp/dlfs-08-XXXXXX", name[64], arguments[128];
    cr_assert(run("--data /nowhere", true) == 2);
    one_line("/nowhere/train-images-idx3-ubyte.gz: No such file");
    cr_assert(run("--set digits --data /nowhere", true) == 2);
    one_line("/nowhere/digits.csv.gz: No such file");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(name, sizeof name, "%s/digits.csv.gz", folder);
    snprintf(arguments, sizeof arguments, "--set digits --data %s", folder);
    static const struct { int rows, label; const char *words; } bad[] = {
        {0, 0, "has no rows"}, {10, 10, ":10: label 10"}, {10, -1, ":10: label -1"}, {10, 9, "only 8 examples"}, {1, 9, "only 0 examples"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gzFile f = gzopen(name, "wb1");
        for (int row = 0; row < bad[i].rows; row++) {
            for (int k = 0; k < 64; k++)
                gzprintf(f, "%d,", k % 17);
            gzprintf(f, "%d\n", row == bad[i].rows - 1 ? bad[i].label : 0);
        }
        cr_assert(gzclose(f) == Z_OK);
        cr_assert(run(arguments, true) == 2, "%s", bad[i].words);
        one_line(bad[i].words);
    }
    cr_assert(remove(name) == 0 && remove(folder) == 0);
}

Test(softmax, output_that_cannot_be_written_is_reported_with_status_1)
{
    cr_assert(run("--set digits --epochs 1 2>&1 >/dev/full", false) == 1);
    cr_assert(run("--set digits --epochs 1 --plot /nowhere", true) == 1);
    one_line("/nowhere/softmax-weights.tsv: No such file");
    char arguments[5100] = "--set digits --epochs 1 --plot ";
    size_t n = strlen(arguments);
    memset(arguments + n, 'x', 5000);
    arguments[n + 5000] = '\0';
    cr_assert(run(arguments, true) == 1);
    cr_assert(strstr(out, "File name too long") != NULL, "%.100s", out);
}

/* ---- least_squares ----------------------------------------------------------------------------------------------- */

Test(least_squares, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const struct { const char *arguments, *words; } bad[] = {
        {"--what", "unrecognized option"}, {"--data", "requires an argument"}, {"extra", "unknown argument 'extra'"},
        {"--help=1", "doesn't allow an argument"}, {"--data a --data b", "--data is given twice"},
        {"--data ''", "--data wants a folder"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = run_program("least_squares", bad[i].arguments, true);
        cr_assert(status == 2, "%s: status %d", bad[i].arguments, status);
        one_line(bad[i].words);
    }
    cr_assert(run_program("least_squares", "--help", false) == 0 && strncmp(out, "usage: least_squares", 20) == 0);
}

Test(least_squares, what_are_not_the_wines_is_refused_with_status_2)
{
    char folder[] = "/tmp/dlfs-08-XXXXXX", name[64], arguments[5100] = "--data ";
    cr_assert(run_program("least_squares", "--data /nowhere", true) == 2);
    one_line("/nowhere/wine_data.csv: No such file");
    memset(arguments + 7, 'x', 5000);
    arguments[5007] = '\0';
    cr_assert(run_program("least_squares", arguments, true) == 2);
    one_line("too long");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(name, sizeof name, "%s/wine_data.csv", folder);
    snprintf(arguments, sizeof arguments, "--data %s", folder);
    static const struct { const char *text, *words; } bad[] = {
        {"", "is empty"}, {"a,b\n", "has no rows"}, {"a,b\n1,2\n", "2 columns, not 14"}, {"a,b\n1,3\n", ":2: label 3"},
        {"x\n1,2,3,4,5,6,7,8,9,10,11,12,13,0\n", "depend on one another"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(name, "w");
        cr_assert(f && fputs(bad[i].text, f) >= 0 && fclose(f) == 0);
        cr_assert(run_program("least_squares", arguments, true) == (strstr(bad[i].words, "depend") ? 1 : 2), "%s", out);
        one_line(bad[i].words);
    }
    cr_assert(remove(name) == 0 && remove(folder) == 0);
}

Test(least_squares, output_that_cannot_be_written_is_reported_with_status_1)
{
    cr_assert(run_program("least_squares", "2>&1 >/dev/full", false) == 1);
}

Test(softmax, the_files_of_a_plot_hold_what_was_printed)
{
    char folder[] = "/tmp/dlfs-08-XXXXXX", arguments[128], name[64], line[128], printed[4][8], kept[4][8];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(arguments, sizeof arguments, "--set digits --epochs 3 --quiet --plot %s", folder);
    cr_assert(run(arguments, false) == 0);
    const char *end = strstr(out, "# precision");
    cr_assert(end && sscanf(end, "# precision %7[^,], recall %7[^,], F1 %7[^,], calibration error %7s", printed[0], printed[1],
                            printed[2], printed[3]) == 4, "%s", out);
    snprintf(name, sizeof name, "%s/softmax-scores.tsv", folder);
    FILE *f = fopen(name, "r");
    cr_assert(f != NULL);
    int rows = 0, found = 0;
    for (; fgets(line, sizeof line, f); rows++)
        if (sscanf(line, "all %7s %7s %7s %7s", kept[0], kept[1], kept[2], kept[3]) == 4)
            for (int k = 0; k < 4; k++)
                found += strcmp(kept[k], printed[k]) == 0;
    fclose(f);
    cr_assert(rows == 13 && found == 4, "%d rows, %d of 4 equal", rows, found);
    static const char *files[] = {"weights", "confusion", "calibration", "scores"};
    for (int k = 0; k < 4; k++) {
        snprintf(name, sizeof name, "%s/softmax-%s.tsv", folder, files[k]);
        cr_assert(remove(name) == 0, "%s", name);
    }
    cr_assert(remove(folder) == 0);
}

Test(softmax, another_split_is_another_test_set)
{
    static char first[sizeof out];
    cr_assert(run("--set digits --epochs 3 --quiet --split 0", false) == 0);
    strcpy(first, out);
    cr_assert(run("--set digits --epochs 3 --quiet", false) == 0 && strcmp(out, first) == 0);
    cr_assert(run("--set digits --epochs 3 --quiet --split 1", false) == 0 && strcmp(strchr(out, '\n'), strchr(first, '\n')) != 0);
}

Test(softmax, digits_are_learned_with_the_same_digits_for_any_number_of_threads)
{
    static char first[sizeof out];
    cr_assert(run("--set digits --epochs 5 --batch 32 --threads 1", false) == 0);
    strcpy(first, out);
    double test = 0;
    const char *last = strstr(out, "\n5\t");
    cr_assert(last != NULL && sscanf(last, "\n5\t%*f\t%*f\t%lf", &test) == 1, "%s", out);
    cr_assert(test > 0.9, "%g", test);
    for (int threads = 2; threads <= 4; threads++) {
        char arguments[80];
        snprintf(arguments, sizeof arguments, "--set digits --epochs 5 --batch 32 --threads %d", threads);
        cr_assert(run(arguments, false) == 0);
        cr_assert(strcmp(out, first) == 0, "%d threads:\n%s%s", threads, first, out);
    }
}

Test(softmax, several_seeds_end_in_mean_and_deviation)
{
    cr_assert(run("--set digits --epochs 1 --seeds 2 --seed 7 --threads 1", false) == 0);
    cr_assert(strstr(out, "\n7\t") && strstr(out, "\n8\t") && strstr(out, "\nmean\t") && strstr(out, "\ndeviation\t"), "%s", out);
}

Test(softmax, help_is_printed)
{
    cr_assert(run("--help", false) == 0);
    cr_assert(strncmp(out, "usage: softmax", 14) == 0);
}
