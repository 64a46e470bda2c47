/* Chapter 11: options, and the programs mlp and dlinfo as a user meets them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "memory.h"
#include "replace.h"
#include "train.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
enum { RUNS = 3 };
#else
enum { RUNS = 20 };
#endif

#define len(a) (sizeof(a) / sizeof *(a))

/* ---- Options ---------------------------------------------------------------------------------------------------- */

static struct { bool flag; int count; double x; const char *word; } v;
static const struct dl_option table[] = {{"flag", DL_FLAG, &v.flag, 0, 0, "a flag"},
                                         {"count", DL_INT, &v.count, 1, 100, "a number"},
                                         {"x", DL_NUMBER, &v.x, 0, 1, "a fraction"},
                                         {"word", DL_WORD, &v.word, 0, 0, "a word"},
                                         {0}};

static int read_words(const char *line)
{
    static char copy[200];
    char *argv[20] = {"program"};
    int n = 1;
    memset(&v, 0, sizeof v);
    v.count = 5;
    for (char *w = strtok(strcpy(copy, line), " "); w != NULL; w = strtok(NULL, " "))
        argv[n++] = strcmp(w, "EMPTY") == 0 ? "" : w;
    return dl_read_options(n, argv, "a test", table);
}

Test(options, are_set_and_others_keep_their_values)
{
    cr_assert(eq(int, read_words(""), -1));
    cr_assert(v.flag == false && v.count == 5);
    cr_assert(eq(int, read_words("--flag --count 7 --x=0.25 --word a=b"), -1));
    cr_assert(v.flag && v.count == 7 && v.x == 0.25 && strcmp(v.word, "a=b") == 0);
    cr_assert(eq(int, read_words("--count 100 --x 1e-3"), -1));
    cr_assert(v.count == 100 && v.x == 1e-3);
}

Test(options, that_are_wrong_give_status_2_and_a_line)
{
    static const struct { const char *line, *why; } wrong[] = {
        {"--count 0", "--count wants a whole number from 1 to 100, not '0'"},
        {"--count 101", "'101'"}, {"--count -1", "'-1'"}, {"--count 1.5", "'1.5'"}, {"--count 1O", "'1O'"},
        {"--count x", "'x'"}, {"--count EMPTY", "not ''"}, {"--count nan", "'nan'"}, {"--count inf", "'inf'"},
        {"--count 99999999999999999999", "'9999"}, {"--x -0.1", "--x wants a number from 0 to 1, not '-0.1'"},
        {"--x 1.1", "'1.1'"}, {"--x nan", "'nan'"}, {"--x 1e400", "'1e400'"}, {"--x 0,5", "'0,5'"},
        {"--count", "--count wants an argument"}, {"--word", "--word wants an argument"},
        {"--word EMPTY", "--word wants something"}, {"--bogus", "no option --bogus"}, {"-q", "no option -q"}, {"-qx", "no option -q"},
        {"--flag=3", "no option --flag=3"}, {"--count 3 --count 3", "--count is given twice"},
        {"--flag --flag", "--flag is given twice"}, {"file", "'file' is not an option"},
        {"--flag -- file", "'file' is not an option"}, {"-", "'-' is not an option"},
    };
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, read_words(wrong[i].line), 2), "%s", wrong[i].line);
        cr_assert(strstr(dl_error_text(), wrong[i].why) != NULL, "%s: %s", wrong[i].line, dl_error_text());
        cr_assert(strchr(dl_error_text(), '\n') == NULL);
    }
}

Test(options, help_is_printed_with_status_0)
{
    cr_assert(eq(int, read_words("--count 3 --help --bogus"), 0));
}

/* The first signal is remembered, the second of a kind ends the process. */
static void send_signals(const int sent[], int n, int wanted)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dl_catch_signals();
        for (int i = 0; i < n; i++)
            raise(sent[i]);
        _exit(dl_caught_signal());
    }
    waitpid(child, &status, 0);
    cr_assert(eq(int, WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status), wanted));
}

Test(signals, are_remembered_and_a_second_one_ends_the_program)
{
    send_signals(NULL, 0, 0);
    send_signals((int[]){SIGINT}, 1, SIGINT);
    send_signals((int[]){SIGTERM}, 1, SIGTERM);
    send_signals((int[]){SIGINT, SIGTERM}, 2, SIGTERM);
    send_signals((int[]){SIGINT, SIGINT}, 2, -SIGINT);
    send_signals((int[]){SIGTERM, SIGTERM}, 2, -SIGTERM);
    send_signals((int[]){SIGXFSZ}, 1, 0);
}

#ifndef DL_DOUBLE                      /* the programs are those of the other build */
#include "small_fashion.h"

/* ---- Programs --------------------------------------------------------------------------------------------------- */

static char folder[40], out[8192];

static void make_folder(void)
{
    strcpy(folder, "/tmp/dlfs-11-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}
static void remove_folder(void)
{
    char command[80];
    sprintf(command, "rm -rf %s", folder);
    cr_assert(eq(int, system(command), 0));
}
TestSuite(mlp, .init = make_folder, .fini = remove_folder);
TestSuite(dlinfo, .init = make_folder, .fini = remove_folder);

/* Runs a command, in which @ stands for the folder; returns its status; stdout and stderr come to `out`. */
__attribute__((format(printf, 1, 2)))
static int run(const char *format, ...)
{
    char text[1000], command[2000], *to = command;
    va_list a;
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    for (const char *c = text; *c != '\0'; c++)
        to += *c == '@' ? sprintf(to, "%s", folder) : sprintf(to, "%c", *c);
    strcpy(to, " 2>&1");
    FILE *p = popen(command, "r");
    out[fread(out, 1, sizeof out - 1, p)] = '\0';
    int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool same_files(const char *a, const char *b) { return run("cmp @/%s @/%s", a, b) == 0; }

#define SMALL BUILD "/mlp --examples 1280 --epochs 2 "

/* @/data becomes a small set; the last label is the given one. */
static void write_data(int training, int test, int side, int label)
{
    char data[60];
    cr_assert(eq(int, run("mkdir -p @/data"), 0));
    snprintf(data, sizeof data, "%s/data", folder);
    write_fashion(data, training, test, side, label);
}

Test(mlp, wrong_arguments_are_one_line_and_status_2)
{
    static const char *const wrong[] = {"--epochs -1", "--batch 0", "--lr x", "--lr -1", "--seed -1", "--seed 1.5",
        "--threads -1", "--bogus", "--epochs", "--epochs 1 --epochs 2", "file", "--schedule steep", "--examples 60001",
        "--batch 60001", "--examples 10 --batch 11", "--init a --resume b", "--save", "--data", "--log=", "-x",
        "--epochs 1000001", "--lr 1e7", "--lr nan", "--threads 1025", "--seed 2147483648", "--examples -1",
        "--trace -1", "--trace 1.5", "--quiet --quiet", "--quiet=1", "--schedule=", "--data /nowhere",
        "--batch 1e99", "--seed nan", "--threads 99999999999999999999", "--examples 1x", "--lr ''", "--trace", "--lr=", "''", "-- x",
        "--save a --save b", "--resume a --resume b", "--init a --init b", "--log a --log b", "--plot a --plot b",
        "--data a --data b", "--lr 1 --lr 1", "--seed 1 --seed 1", "--threads 1 --threads 1", "--batch 1 --batch 1",
        "--schedule cosine --schedule cosine", "--examples 1 --examples 1", "--trace 1 --trace 1", "--s x", "--resume=", "--init=",
        "--plot=", "--schedule", "--examples", "--resume", "--init", "--log", "--plot", "--threads", "--seed", "--batch", "--lr",
        "--log @/x --save @/x"};
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, run(BUILD "/mlp %s", wrong[i]), 2), "%s: %s", wrong[i], out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    }
    cr_assert(eq(int, run(BUILD "/mlp --help"), 0));
    cr_assert(strstr(out, "--resume") != NULL && strstr(out, "(64)") != NULL);
}

Test(mlp, data_that_cannot_be_used_are_one_line_and_status_2)
{
    static const struct { int training, test, side, label; const char *more, *why; } wrong[] = {
        {0, 10, 28, 0, "", "an axis is empty"}, {10, 0, 28, 0, "", "an axis is empty"},
        {10, 10, 28, 10, "", "label 10, of example 9"}, {10, 10, 28, 255, "", "label 255"},
        {10, 10, 14, 0, "", "the images are [14, 14], not 28 by 28"},
        {10, 10, 28, 0, "", "a batch of 64 is more than the 10 examples"},
        {10, 10, 28, 0, "--batch 11", "a batch of 11"}, {10, 10, 28, 0, "--examples 11", "there are 10 examples"},
    };
    for (size_t i = 0; i < len(wrong); i++) {
        write_data(wrong[i].training, wrong[i].test, wrong[i].side, wrong[i].label);
        cr_assert(eq(int, run(BUILD "/mlp --data @/data %s", wrong[i].more), 2), "%s: %s", wrong[i].why, out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
        cr_assert(strstr(out, wrong[i].why) != NULL, "%s", out);
    }
    write_data(10, 10, 28, 9);
    cr_assert(eq(int, run(BUILD "/mlp --data @/data --batch 10 --epochs 1"), 0), "%s", out);
    char data[60];
    snprintf(data, sizeof data, "%s/data", folder);
    write_idx(data, "train-labels-idx1", 9, 0, 0);
    cr_assert(eq(int, run(BUILD "/mlp --data @/data --batch 10"), 2));
    cr_assert(strstr(out, "not images with a label each") != NULL, "%s", out);
}

Test(mlp, what_the_world_refuses_is_one_line_and_status_1)
{
    static const char *const wrong[] = {"--init /nowhere", "--resume /nowhere", "--save /nowhere/x", "--save @",
        "--log /nowhere/x", "--log /dev/full", "--log @", "--plot /nowhere/x", "--plot /dev/null"};
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, run(BUILD "/mlp --quiet %s", wrong[i]), 1), "%s: %s", wrong[i], out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    }
    cr_assert(eq(int, run(BUILD "/mlp --examples 64 --epochs 1 >/dev/full"), 1));
    cr_assert(eq(int, run(BUILD "/mlp --help 2>&1 >/dev/full | grep -qx 'mlp: standard output could not be written'"), 0));
}

/* What cannot be written is found before the training: this one would take a year. */
Test(mlp, an_output_that_cannot_be_written_stops_it_before_it_begins)
{
    cr_assert(eq(int, run("timeout 60 " BUILD "/mlp --epochs 1000000 --plot /nowhere/x"), 1), "%s", out);
    cr_assert(eq(int, run("timeout 60 " BUILD "/mlp --epochs 1000000 --log /nowhere/x"), 1), "%s", out);
}

/* So is a checkpoint that could not be saved; and no lock is left beside what is none. */
Test(mlp, a_checkpoint_that_cannot_be_saved_stops_it_before_it_begins)
{
    cr_assert(eq(int, run("mkdir @/dir && mkfifo @/pipe && touch @/file && ln -s file @/link && ln -s nowhere @/loose"), 0));
    static const char *const wrong[] = {"@/dir", "@/pipe", "@/link", "@/loose", "/dev/null", "/dev/full", "/nowhere/x", "@/file/x"};
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, run("timeout 60 " BUILD "/mlp --epochs 1000000 --save %s", wrong[i]), 1), "%s: %s", wrong[i], out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
        cr_assert(strstr(out, "last checkpoint") == NULL, "%s", out);
    }
    cr_assert(eq(int, run("test ! -s @/file && test -L @/link && test -L @/loose && test ! -e @/loose && test -c /dev/null"), 0));
    cr_assert(eq(int, run("find @ /dev -maxdepth 1 -name '*.lock' -o -maxdepth 1 -name '*.tmp' | grep ."), 1), "%s", out);
}

Test(mlp, without_anything_to_do_it_saves_nevertheless)
{
    cr_assert(eq(int, run(BUILD "/mlp --examples 64 --epochs 0 --save @/none --log @/none.tsv"), 0), "%s", out);
    cr_assert(eq(int, run(BUILD "/dlinfo @/none | grep -q 'checksum: right'"), 0));
    cr_assert(eq(int, run(BUILD "/mlp --examples 64 --epochs 1 --quiet --save @/a"), 0), "%s", out);
    cr_assert(eq(int, run(BUILD "/mlp --examples 64 --epochs 1 --quiet --resume @/a --save @/b"), 0), "%s", out);
    cr_assert(same_files("a", "b"));
}

Test(mlp, the_number_of_threads_changes_no_byte)
{
    int steps = 300;
    for (int t = 1; t <= 4; t++) {
        int status = run(BUILD "/mlp --quiet --epochs 1 --examples %d --threads %d --save @/t%d", 64 * steps, t, t);
        cr_assert(eq(int, status, 0), "%s", out);
        char name[8];
        sprintf(name, "t%d", t);
        cr_assert(same_files("t1", name), "%d threads", t);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { STEPS = 300 };
#define NOISE BUILD "/mlp --data @/data --batch 8 --epochs 3 "       /* STEPS steps */

/* The same in another process, without a shell, which would receive the signals. */
static pid_t start(bool resume)
{
    char data[80], save[80], log[80], errors[80];
    sprintf(data, "%s/data", folder), sprintf(save, "%s/b", folder), sprintf(log, "%s/b.tsv", folder);
    sprintf(errors, "%s/errors", folder);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), 1), dup2(open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0666), 2);
        execl(BUILD "/mlp", "mlp", "--data", data, "--batch", "8", "--epochs", "3", "--save", save, "--log", log,
              resume ? "--resume" : (char *)NULL, save, (char *)NULL);
        _exit(9);
    }
    return child;
}

static bool is_there(const char *name) { return run("test -e @/%s", name) == 0; }

/* Runs until 20 interruptions came in the midst of training (those that come too early or too late do not count). */
Test(mlp, interrupted_at_20_random_steps_and_resumed_it_ends_with_the_same_bytes)
{
    struct dl_random r;
    bool stopped_at[STEPS] = {false};
    int inside = 0, different = 0;
    dl_random_seed(&r, (uint64_t)time(NULL));
    write_data(800, 100, 28, 0);
    double begin = now();
    cr_assert(eq(int, run(NOISE "--quiet --save @/a --log @/a.tsv"), 0), "%s", out);
    double whole = now() - begin;
    for (int k = 0; inside < RUNS; k++) {
        cr_assert(lt(int, k, 40 * RUNS), "only %d interruptions", inside);
        cr_assert(eq(int, run("rm -f @/b @/b.tsv"), 0));
        int status = -1, signal = k % 2 ? SIGINT : SIGTERM;
        for (int times = 0; status != 0; times++) {
            pid_t child = start(is_there("b"));
            if (times < 4) {
                usleep((unsigned)(1e6 * whole * dl_random_uniform(&r)));
                kill(child, signal);
            }
            waitpid(child, &status, 0);
            if (!WIFEXITED(status)) {                           /* it did not listen yet */
                cr_assert(eq(int, WTERMSIG(status), signal));
                continue;
            }
            if (status == 0)
                break;
            cr_assert(eq(int, WEXITSTATUS(status), 128 + signal));
            int step = -1;
            cr_assert(eq(int, run("cat @/errors"), 0));
            cr_assert(eq(int, sscanf(out, "mlp: stopped after step %d of 300; go on with --resume", &step), 1), "%s", out);
            if (step > 0 && step < STEPS) {
                inside++;
                different += !stopped_at[step];
                stopped_at[step] = true;
            }
        }
        cr_assert(same_files("a", "b"), "the checkpoints differ");
        cr_assert(same_files("a.tsv", "b.tsv"), "the logs differ");
    }
    cr_assert(ge(int, different, RUNS / 2), "only %d different steps", different);
}

/* Nothing can be saved at that moment, but what was saved before is whole, and the run that goes on from there ends the same. */
Test(mlp, killed_at_random_moments_and_resumed_it_ends_with_the_same_bytes)
{
    struct dl_random r;
    int killed = 0, resumed = 0, status;
    dl_random_seed(&r, (uint64_t)time(NULL));
    write_data(800, 100, 28, 0);
    double begin = now();
    cr_assert(eq(int, run(NOISE "--quiet --save @/a --log @/a.tsv"), 0), "%s", out);
    double whole = now() - begin;
    for (int k = 0; k < 100 && killed < RUNS; k++) {
        bool resume = is_there("b");
        pid_t child = start(resume);
        usleep((unsigned)(1e6 * whole * dl_random_uniform(&r)));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
        resumed += resume;
        if (WIFEXITED(status)) {                                /* it was faster */
            cr_assert(eq(int, WEXITSTATUS(status), 0));
            cr_assert(same_files("a", "b") && same_files("a.tsv", "b.tsv"));
            cr_assert(eq(int, run("rm -f @/b @/b.tsv"), 0));
        } else if (is_there("b")) {
            cr_assert(eq(int, run(BUILD "/dlinfo @/b | grep -q '^# checksum: right'"), 0), "%s", out);
        }
    }
    waitpid(start(is_there("b")), &status, 0);
    cr_assert(eq(int, status, 0));
    cr_assert(same_files("a", "b") && same_files("a.tsv", "b.tsv"));
    cr_assert(ge(int, killed, RUNS / 2), "killed %d times, resumed %d times", killed, resumed);
}

Test(mlp, interrupted_without_save_it_says_that_nothing_was_kept)
{
    cr_assert(eq(int, run("timeout --foreground -s INT 3 " BUILD "/mlp --epochs 1000000"), 124));
    cr_assert(strstr(out, "nothing was kept") != NULL, "%s", out);
}

Test(mlp, a_loss_that_is_not_a_number_stops_it_and_the_checkpoint_stays)
{
    cr_assert(eq(int, run(SMALL "--quiet --save @/a"), 0), "%s", out);
    cr_assert(eq(int, run("cp @/a @/before"), 0));
    char path[80];
    struct dl_params p = {0};
    static const int width[] = {784, 256, 128, 10};
    for (int l = 0; l < 3; l++) {
        char name[20];
        sprintf(name, "fc%d.weight", l + 1);
        dl_fill(dl_param(&p, name, DL_SHAPE(width[l + 1], width[l])), l == 2 ? (dl_real)NAN : 0);
        sprintf(name, "fc%d.bias", l + 1);
        dl_fill(dl_param(&p, name, DL_SHAPE(width[l + 1])), 0);
    }
    sprintf(path, "%s/nan", folder);
    cr_assert(dl_params_save(&p, path));
    dl_params_free(&p);
    dl_pool_drain();
    cr_assert(eq(int, run(SMALL "--quiet --init @/nan --save @/a"), 1));
    cr_assert(strstr(out, "the loss of step 1 is nan") != NULL || strstr(out, "is -nan") != NULL, "%s", out);
    cr_assert(same_files("a", "before"));
    cr_assert(strstr(out, "last checkpoint") == NULL, "this run has saved none: %s", out);
    cr_assert(eq(int, run(SMALL "--quiet --init @/nan --epochs 0 --save @/a"), 2));
    cr_assert(eq(int, run(BUILD "/mlp --examples 1280 --quiet --init @/nan --epochs 0 --save @/a"), 1));
    cr_assert(strstr(out, "the weights are not finite") != NULL && same_files("a", "before"), "%s", out);
}

Test(mlp, goes_on_only_with_the_same_options_and_a_checkpoint)
{
    cr_assert(eq(int, run(SMALL "--quiet --save @/a"), 0), "%s", out);
    cr_assert(eq(int, run(SMALL "--quiet --batch 32 --resume @/a"), 1));
    cr_assert(strstr(out, "written with batch 64, and not 32") != NULL, "%s", out);
    cr_assert(eq(int, run(SMALL "--quiet --lr 0.5 --resume @/a"), 1));
    cr_assert(eq(int, run(BUILD "/mlp --quiet --epochs 2 --resume @/a"), 1));
    cr_assert(eq(int, run(SMALL "--quiet --init @/a"), 0), "%s", out);
    cr_assert(eq(int, run("head -c 5000 @/a >@/cut; " SMALL "--quiet --resume @/cut"), 1));
    cr_assert(eq(int, run(SMALL "--quiet --resume @/a --save @/c"), 0), "a finished run is finished: %s", out);
}

Test(mlp, a_second_run_with_the_same_checkpoint_is_refused)
{
    char path[80];
    sprintf(path, "%s/a", folder);
    int lock = dl_lock(path);
    cr_assert(ge(int, lock, 0));
    cr_assert(eq(int, run(SMALL "--quiet --save @/a"), 1));
    cr_assert(strstr(out, "another program") != NULL, "%s", out);
    dl_unlock(lock);
}

Test(mlp, draws_a_picture)
{
    cr_assert(eq(int, run(SMALL "--quiet --plot @ && xmllint --noout @/mlp.svg || grep -q '</svg>' @/mlp.svg"), 0),
              "%s", out);
}

#ifndef __SANITIZE_ADDRESS__
static long resident(pid_t child, int *descriptors)
{
    char path[64], line[200];
    long kilobytes = -1;
    sprintf(path, "/proc/%d/smaps_rollup", child);      /* exact, unlike status */
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f))
        sscanf(line, "Rss: %ld", &kilobytes);
    if (f != NULL)
        fclose(f);
    sprintf(path, "/proc/%d/fd", child);
    DIR *d = opendir(path);
    for (*descriptors = 0; d != NULL && readdir(d) != NULL;)
        ++*descriptors;
    if (d != NULL)
        closedir(d);
    return kilobytes;
}

/* How many epochs are in the log. */
static int epochs_logged(void)
{
    char path[80], line[200];
    int epoch = 0;
    sprintf(path, "%s/log", folder);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f))
        sscanf(line, "%d", &epoch);
    if (f != NULL)
        fclose(f);
    return epoch;
}

/* 200 epochs of 100 steps, each with a judgement, a checkpoint and a log. After the first epoch everything has happened
   once, and from there on memory and open files are constant, but for the two files that are open during a save, and for
   256 kB: the log grows by a line an epoch, and pages of the program come in when they are first used. So a leak of 14
   bytes a step would be seen. */
Test(mlp, in_20000_steps_memory_and_open_files_are_constant_from_step_100_on)
{
    enum { MOST = 100000 };
    static long kilobytes[MOST];
    static int files[MOST];
    char data[80], save[80], log[80];
    int status, n = 0;
    write_data(100, 20, 28, 0);
    sprintf(data, "%s/data", folder), sprintf(save, "%s/a", folder), sprintf(log, "%s/log", folder);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(BUILD "/mlp", "mlp", "--data", data, "--batch", "1", "--epochs", "200", "--quiet", "--threads", "2",
              "--save", save, "--log", log, (char *)NULL);
        _exit(9);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        usleep(5000);
        int epochs = epochs_logged();
        if (epochs >= 1 && epochs < 200 && n < MOST) {
            kilobytes[n] = resident(child, &files[n]);
            n += kilobytes[n] > 0;
        }
    }
    cr_assert(eq(int, status, 0));
    cr_assert(ge(int, n, 100), "only %d samples", n);
    long least = kilobytes[0], most = least;
    int fewest = files[0], last = files[n - 1];
    for (int k = 0; k < n; k++) {
        least = kilobytes[k] < least ? kilobytes[k] : least;
        most = kilobytes[k] > most ? kilobytes[k] : most;
        fewest = files[k] < fewest ? files[k] : fewest;
        if (k > n / 2)
            last = files[k] < last ? files[k] : last;
    }
    cr_assert(le(long, most, least + 256), "from %ld to %ld kB", least, most);
    cr_assert(eq(int, last, fewest));
    for (int k = 0; k < n; k++)
        cr_assert(le(int, files[k], fewest + 2));
}
#endif

Test(dlinfo, prints_what_a_checkpoint_holds)
{
    cr_assert(eq(int, run(SMALL "--quiet --save @/a"), 0), "%s", out);
    cr_assert(eq(int, run(BUILD "/dlinfo @/a"), 0), "%s", out);
    cr_assert(strncmp(out, "# checksum: right\n", 18) == 0, "%s", out);
    cr_assert(strstr(out, "# batch: 64\n") && strstr(out, "\nfc1.weight\tF32\t[256, 784]\t802816\n"), "%s", out);
    cr_assert(eq(int, run(BUILD "/dlinfo tests/oracle/11_company.safetensors"), 0));
    cr_assert(strncmp(out, "# checksum: none\n", 17) == 0);
    cr_assert(eq(int, run("head -c 3000 @/a >@/cut; " BUILD "/dlinfo @/cut"), 1));
    cr_assert(strncmp(out, "dlinfo: ", 8) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    cr_assert(eq(int, run(BUILD "/dlinfo"), 2));
    cr_assert(eq(int, run(BUILD "/dlinfo a b"), 2));
    cr_assert(eq(int, run(BUILD "/dlinfo --help"), 0));
    cr_assert(eq(int, run(BUILD "/dlinfo @/a >/dev/full"), 1));
}

#endif
