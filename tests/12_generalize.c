/* Chapter 12: the program generalize, called as a user would. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char out[16384];

/* Run build/generalize with these arguments; standard output, or standard error if `errors`, goes to out. The status. */
static int run(const char *arguments, bool errors)
{
    char command[512];
    snprintf(command, sizeof command, "{ " BUILD "/generalize %s; } %s", arguments, errors ? "2>&1 >/dev/null" : "2>/dev/null");
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
        {"--task curve --save a.st", "--task table"}, {"--task variants --quiet", "--task table"}, {"--save ''", "--save"},
        {"--init a.st --resume b.st", "exclude"}, {"--init a.st", "--seeds 1"}, {"--save same --log same", "same file"},
        {"--set digits --batch 1438", "1438"}, {"--batch -1", "--batch"},
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
    cr_assert(one[0] < one[1], "the averaged weights lag behind: %g, %g", one[0], one[1]);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --flip 0.5 --lr 1e-6", false) == 0);
    row("squared", one);
    for (int k = 0; k < 3; k++)             /* ten probabilities of nearly 1/10 */
        cr_assert(one[k] > 0.89 && one[k] < 0.91, "column %d: %g", k, one[k]);
}

Test(generalize, mirror_images_can_be_had_with_any_recipe)
{
    double without[3], with[3];
    cr_assert(run("--set digits --recipe plain --epochs 2 --seeds 1 --flip 0", false) == 0);
    row("squared", without);
    cr_assert(run("--set digits --recipe plain --epochs 2 --seeds 1 --flip 1", false) == 0);
    row("squared", with);
    for (int k = 0; k < 3; k++)
        cr_assert(with[k] > without[k], "column %d: mirrored digits teach less, %g, %g", k, with[k], without[k]);
}

static char folder[] = "/tmp/dlfs-generalize-XXXXXX";

static void make_folder(void)
{
    cr_assert(mkdtemp(folder) != NULL && setenv("F", folder, 1) == 0);      /* the shell knows it as $F */
}

static void remove_folder(void)
{
    char command[100];
    sprintf(command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
}

/* A file of the folder; *n bytes. The caller frees them. */
static char *content(const char *name, size_t *n)
{
    char path[100];
    sprintf(path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    char *bytes = malloc(1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    cr_assert(*n < 1 << 20);
    fclose(f);
    return bytes;
}

static bool are_equal(const char *name1, const char *name2)
{
    size_t n, m;
    char *a = content(name1, &n), *b = content(name2, &m);
    bool equal = n == m && memcmp(a, b, n) == 0;
    free(a), free(b);
    return equal;
}

#define SMALL "--set digits --threads 1 --epochs 20 --seeds 3 --width 24 --flip 0.5 "

TestSuite(generalize_kept, .init = make_folder, .fini = remove_folder);

/* When the checkpoint of that name was written; 0 if there is none. */
static int64_t written(const char *name)
{
    char path[100];
    struct stat s;
    sprintf(path, "%s/%s", folder, name);
    return stat(path, &s) == 0 ? s.st_mtim.tv_sec * INT64_C(1000000000) + s.st_mtim.tv_nsec : 0;
}

/* Start the program itself, with no shell between; the words of the arguments are parted by single spaces. */
static pid_t start(const char *arguments)
{
    pid_t child = fork();
    if (child == 0) {
        char *argv[40] = {BUILD "/generalize"}, *rest = strdup(arguments);
        for (int n = 1; n < 39 && (argv[n] = strtok(n == 1 ? rest : NULL, " ")) != NULL; n++)
            ;
        if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
            execv(argv[0], argv);
        _exit(127);
    }
    cr_assert(child > 0);
    return child;
}

/* Each of twelve signals is sent when a new checkpoint has been seen (and a little later), never at a guessed time: how
   long a run takes is not known. A run that is left alone writes 300 checkpoints, one after each epoch. */
Test(generalize_kept, interrupted_at_many_moments_it_goes_on_to_the_same_table_and_checkpoint)
{
#define MANY "--set digits --threads 1 --epochs 100 --seeds 3 --width 24 --flip 0.5 "
    int interrupted = 0, status = 1;
    cr_assert(run(MANY "--save $F/a.st --log $F/a.tsv", false) == 0);
    for (int k = 0; status != 0; k++) {
        char arguments[300];
        int signal = k % 2 ? SIGINT : SIGTERM, seen = 0;
        int64_t last = written("b.st");
        sprintf(arguments, MANY "--save %s/b.st --log %s/b.tsv", folder, folder);
        if (last != 0)
            sprintf(arguments + strlen(arguments), " --resume %s/b.st", folder);
        pid_t child = start(arguments), ended;
        while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
            usleep(500);
            if (written("b.st") == last)
                continue;
            last = written("b.st");
            if (interrupted < 12 && seen == 0) {
                usleep((unsigned)(k % 7 * 900));
                kill(child, signal);
            }
            if (++seen > 400) {
                kill(child, SIGKILL);
                cr_assert(false, "it goes on for ever");
            }
        }
        cr_assert(ended == child && WIFEXITED(status), "status %d", status);
        status = WEXITSTATUS(status);
        cr_assert(status == 0 || status == 128 + signal, "status %d", status);
        interrupted += status != 0;
    }
    cr_assert(interrupted > 1, "%d interruptions", interrupted);
    cr_assert(are_equal("a.tsv", "b.tsv") && are_equal("a.st", "b.st"));
}

Test(generalize_kept, a_finished_run_prints_its_table_again_and_the_log_is_what_is_printed)
{
    size_t n;
    cr_assert(run(SMALL "--save $F/a.st --log $F/a.tsv", false) == 0);
    char *log = content("a.tsv", &n);
    cr_assert(n == strlen(out) && memcmp(log, out, n) == 0);
    cr_assert(run(SMALL "--resume $F/a.st", false) == 0);
    cr_assert(n == strlen(out) && memcmp(log, out, n) == 0, "%s", out);
    cr_assert(run(SMALL "--resume $F/a.st --quiet --log $F/c.tsv", false) == 0 && *out == '\0' && are_equal("a.tsv", "c.tsv"));
    free(log);
    cr_assert(run(SMALL "--resume $F/a.st --save $F/b.st", false) == 0 && are_equal("a.st", "b.st"));
}

Test(generalize_kept, a_run_that_is_refused_leaves_the_log_as_it_was)
{
    size_t n, m;
    cr_assert(run(SMALL "--save $F/a.st --log $F/a.tsv", false) == 0);
    char *before = content("a.tsv", &n);
    cr_assert(run("--set digits --epochs 3 --resume $F/a.st --log $F/a.tsv", true) == 1);
    cr_assert(run("--set digits --epochs 3 --seeds 1 --init $F/none.st --log $F/a.tsv", true) == 1);
    char *after = content("a.tsv", &m);
    cr_assert(n == m && memcmp(before, after, n) == 0);
    free(before), free(after);
}

Test(generalize_kept, another_recipe_cannot_go_on)
{
    static const struct { const char *arguments, *words; } other[] = {
        {"--epochs 3", "epochs 2"}, {"--epochs 2 --seed 1", "seed 0"}, {"--epochs 2 --seeds 1", "seeds 2"},
        {"--epochs 2 --lr 0.5", "lr 0.01"}, {"--epochs 2 --width 9", "width1 8"}, {"--epochs 2 --flip 0.5", "flip 0"},
        {"--epochs 2 --examples 100", "examples 1437"}, {"--epochs 2 --batch 16", "batch 32"}, {"--epochs 2 --validate", "validate no"},
        {"--epochs 2 --recipe plain", "recipe augment"},
    };
    cr_assert(run("--set digits --epochs 2 --seeds 2 --width 8 --save $F/a.st", false) == 0);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char arguments[200];
        sprintf(arguments, "--set digits %s%s%s --resume $F/a.st", other[i].arguments,
                strstr(other[i].arguments, "--seeds") ? "" : " --seeds 2", strstr(other[i].arguments, "--width") ? "" : " --width 8");
        cr_assert(run(arguments, true) == 1, "%s", arguments);
        cr_assert(strstr(out, other[i].words) != NULL && strchr(out, '\n') == out + strlen(out) - 1, "%s: %s", arguments, out);
    }
    cr_assert(run("--set digits --epochs 2 --seeds 2 --width 8 --resume $F/none.st", true) == 1);
    cr_assert(strstr(out, "none.st") != NULL, "%s", out);
}

Test(generalize_kept, weights_from_elsewhere_are_where_training_begins)
{
    double fresh[3], warm[3];
    cr_assert(run("--set digits --epochs 20 --seeds 1 --width 32 --save $F/a.st", false) == 0);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --width 32 --lr 1e-6", false) == 0);
    row("mean", fresh);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --width 32 --lr 1e-6 --init $F/a.st", false) == 0);
    row("mean", warm);
    cr_assert(fresh[0] < 0.3 && warm[0] > 0.95, "%g, then %g", fresh[0], warm[0]);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --width 16 --init $F/a.st", true) == 1);
    cr_assert(strstr(out, "a.st") != NULL, "%s", out);
}

Test(generalize_kept, a_loss_that_is_not_a_number_ends_the_run_and_keeps_the_last_checkpoint)
{
    size_t n, m;
    cr_assert(run("--set digits --examples 32 --epochs 400 --seeds 2 --width 8 --lr 1e5 --save $F/a.st", true) == 1);
    cr_assert(strstr(out, "seed 0: the loss of step ") != NULL && strstr(out, "the last checkpoint is in") != NULL, "%s", out);
    cr_assert(strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    char *kept = content("a.st", &n);
    cr_assert(run("--set digits --examples 32 --epochs 400 --seeds 2 --width 8 --lr 1e5 --resume $F/a.st --save $F/a.st", true) == 1);
    cr_assert(strstr(out, "seed 0: the loss of step ") != NULL, "%s", out);
    char *again = content("a.st", &m);
    cr_assert(n == m && memcmp(kept, again, n) == 0);
    free(kept), free(again);
    cr_assert(run("--set digits --epochs 1 --seeds 1 --width 8 --lr 1e5 --task curve", false) == 0);
}

Test(generalize_kept, places_that_cannot_be_written_are_refused_before_training)
{
    static const char *const bad[] = {"--save /dev/null", "--save $F", "--save /nowhere/a.st", "--log /nowhere/a.tsv", "--log $F"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char arguments[100];
        sprintf(arguments, "--set digits %s", bad[i]);
        cr_assert(run(arguments, true) == 1, "%s: %s", arguments, out);
        cr_assert(strchr(out, '\n') == out + strlen(out) - 1, "%s: %s", arguments, out);
        cr_assert(run(arguments, false) == 1 && *out == '\0', "%s: %s", arguments, out);
    }
}
