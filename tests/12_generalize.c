/* Chapter 12: the program generalize, called as a user would. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char out[16384];

/* Run build/generalize with these arguments; standard output, or standard error if `errors`, goes to out. The status. */
static int run(const char *arguments, bool errors)
{
    char command[512];
    snprintf(command, sizeof command, BUILD "/generalize %s %s", arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

Test(generalize, wrong_arguments_are_refused_in_one_line_with_status_2)
{
    static const struct { const char *arguments, *words; } bad[] = {
        {"--set iris", "not 'iris'"}, {"--set ''", "--set"}, {"--recipe best", "'best'"}, {"--task none", "'none'"},
        {"--seeds 0", "--seeds"}, {"--seeds 21", "--seeds"}, {"--seed -1", "--seed"}, {"--threads 1025", "--threads"},
        {"--epochs -1", "--epochs"}, {"--epochs 1x", "--epochs"}, {"--lr nan", "--lr"}, {"--flip 1.5", "--flip"},
        {"--width -2", "--width"}, {"--examples 31", "too few"}, {"--what", "--what"}, {"extra", "extra"},
        {"--set digits --examples 1438", "1437 examples, not 1438"}, {"--seeds 1 --seeds 2", "twice"},
        {"--validate --validate", "twice"}, {"--validate=1", "validate"}, {"--flip -1.5", "--flip"}, {"--width 1e99", "--width"},
        {"--examples -1", "--examples"}, {"--lr ''", "--lr"}, {"--lr -1", "--lr"}, {"--data", "--data"}, {"--data=", "--data"},
        {"--task ''", "--task"}, {"--recipe", "--recipe"}, {"--seed 99999999999999999999", "--seed"}, {"--threads x", "--threads"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = run(bad[i].arguments, true);
        cr_assert(status == 2, "%s: status %d", bad[i].arguments, status);
        cr_assert(strstr(out, bad[i].words) != NULL, "%s: \"%s\"", bad[i].arguments, out);
        const char *end = strchr(out, '\n');
        cr_assert(end != NULL && end[1] == '\0', "%s: \"%s\"", bad[i].arguments, out);
    }
}

Test(generalize, missing_data_and_full_disks_are_reported)
{
    cr_assert(run("--data /nowhere", true) == 2);
    cr_assert(strstr(out, "/nowhere/") != NULL, "%s", out);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --width 8 2>&1 >/dev/full", false) == 1);
}

Test(generalize, of_the_fewest_examples_and_epochs_makes_a_table_and_a_curve)
{
    cr_assert(run("--set digits --seeds 1 --epochs 1 --width 4 --examples 32 --task table", false) == 0);
    cr_assert(run("--set digits --seeds 1 --epochs 1 --width 4 --examples 32 --task curve", false) == 0);
    cr_assert(strstr(out, "\n1\t") != NULL && strstr(out, "\n32\t") != NULL, "%s", out);
}

Test(generalize, prints_the_same_table_with_any_number_of_threads)
{
    static char first[sizeof out];
    cr_assert(run("--set digits --epochs 2 --seeds 2 --flip 0.5 --threads 1", false) == 0);
    strcpy(first, out);
    for (int threads = 2; threads <= 4; threads++) {
        char arguments[100];
        sprintf(arguments, "--set digits --epochs 2 --seeds 2 --flip 0.5 --threads %d", threads);
        cr_assert(run(arguments, false) == 0);
        cr_assert(strcmp(out, first) == 0, "%d threads:\n%s", threads, out);
    }
}

Test(generalize, learns_from_a_single_step)
{
    cr_assert(run("--set digits --examples 32 --epochs 1 --seeds 1 --width 8", false) == 0, "%s", out);
    cr_assert(run("--set digits --examples 40 --epochs 1 --seeds 1 --width 8 --task curve", false) == 0, "%s", out);
    cr_assert(strstr(out, "\n1\t") != NULL && strstr(out, "\n40\t") != NULL && strstr(out, "\nslope\t") != NULL, "%s", out);
}

/* The row of the table with this key: accuracy, averaged, mirrored. */
static void row(const char *key, double x[3])
{
    char start[40];
    sprintf(start, "\n%s\t", key);
    const char *at = strstr(out, start);
    cr_assert(at != NULL, "no row %s in\n%s", key, out);
    at = strchr(at + strlen(start), '\t');
    cr_assert(sscanf(at, "%lf %lf %lf", &x[0], &x[1], &x[2]) == 3, "row %s of\n%s", key, out);
}

Test(generalize, together_the_squared_error_is_smaller_by_the_ambiguity)
{
    double one[3], ambiguity[3], all[3];
    cr_assert(run("--set digits --epochs 3 --seeds 3 --flip 0.5", false) == 0);
    row("squared", one), row("ambiguity", ambiguity), row("squared-together", all);
    for (int k = 0; k < 3; k++) {
        double gap = one[k] - ambiguity[k] - all[k];
        cr_assert(gap < 2e-4 && gap > -2e-4, "column %d: %g", k, gap);
        cr_assert(ambiguity[k] > 0, "column %d", k);
    }
}
