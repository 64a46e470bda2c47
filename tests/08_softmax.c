/* Chapter 8: the program softmax, called as a user would. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char out[16384];

/* Run build/softmax with these arguments; standard output, or standard error if `errors`, goes to out. The status. */
static int run(const char *arguments, bool errors)
{
    char command[512];
    snprintf(command, sizeof command, BUILD "/softmax %s %s", arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

Test(softmax, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const struct { const char *arguments, *words; } bad[] = {
        {"--epochs 0", "--epochs"}, {"--epochs -1", "--epochs"}, {"--epochs x", "--epochs"}, {"--epochs 1x", "--epochs"},
        {"--epochs 99999999999999999999", "--epochs"}, {"--epochs ''", "--epochs"}, {"--epochs", "requires an argument"},
        {"--batch 0", "--batch"}, {"--batch 1048577", "--batch"}, {"--lr 0", "--lr"}, {"--lr -1", "--lr"}, {"--lr nan", "--lr"},
        {"--lr inf", "--lr"}, {"--lr 1e9", "--lr"}, {"--lr x", "--lr"}, {"--seed -1", "--seed"}, {"--seeds 0", "--seeds"},
        {"--threads 0", "--threads"}, {"--threads 65", "--threads"}, {"--set iris", "iris"}, {"--set ''", "fashion or digits"},
        {"--what", "unrecognized option"}, {"--quiet=1", "doesn't allow an argument"}, {"extra", "unknown argument 'extra'"},
        {"--epochs 1 --epochs 2", "--epochs is given twice"}, {"--quiet --quiet", "--quiet is given twice"},
        {"--seeds 2 --plot /tmp", "--plot"}, {"--set digits --batch 1438", "only 1437 examples"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = run(bad[i].arguments, true);
        cr_assert(status == 2, "%s: status %d", bad[i].arguments, status);
        cr_assert(strstr(out, bad[i].words) != NULL, "%s: \"%s\"", bad[i].arguments, out);
        const char *end = strchr(out, '\n');
        cr_assert(end != NULL && end[1] == '\0', "%s: \"%s\"", bad[i].arguments, out);
    }
}

Test(softmax, data_that_are_not_there_are_reported_with_status_1)
{
    cr_assert(run("--data /nowhere", true) == 1);
    cr_assert(strstr(out, "/nowhere/train-images-idx3-ubyte.gz: No such file") != NULL, "%s", out);
    cr_assert(run("--set digits --data /nowhere", true) == 1);
    cr_assert(strstr(out, "/nowhere/digits.csv.gz: No such file") != NULL, "%s", out);
}

Test(softmax, output_that_cannot_be_written_is_reported_with_status_1)
{
    cr_assert(run("--set digits --epochs 1 2>&1 >/dev/full", false) == 1);
    cr_assert(run("--set digits --epochs 1 --plot /nowhere", true) == 1);
    cr_assert(strstr(out, "/nowhere/softmax-weights.tsv") != NULL, "%s", out);
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
