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

#ifndef DL_DOUBLE                      /* the programs are those of the other build */

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

Test(mlp, wrong_arguments_are_one_line_and_status_2)
{
    static const char *const wrong[] = {"--epochs -1", "--batch 0", "--lr x", "--lr -1", "--seed -1", "--seed 1.5",
        "--threads -1", "--bogus", "--epochs", "--epochs 1 --epochs 2", "file", "--schedule steep", "--examples 60001",
        "--batch 60001", "--examples 10 --batch 11", "--init a --resume b", "--save", "--data", "--log=", "-x"};
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, run(BUILD "/mlp %s", wrong[i]), 2), "%s: %s", wrong[i], out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    }
    cr_assert(eq(int, run(BUILD "/mlp --help"), 0));
    cr_assert(strstr(out, "--resume") != NULL && strstr(out, "(64)") != NULL);
}

Test(mlp, what_the_world_refuses_is_one_line_and_status_1)
{
    static const char *const wrong[] = {"--data /nowhere", "--init /nowhere", "--resume /nowhere",
        "--save /nowhere/x --epochs 1 --examples 64", "--log /nowhere/x --epochs 1 --examples 64",
        "--log /dev/full --epochs 1 --examples 64", "--plot /nowhere --epochs 1 --examples 64"};
    for (size_t i = 0; i < len(wrong); i++) {
        cr_assert(eq(int, run(BUILD "/mlp --quiet %s", wrong[i]), 1), "%s: %s", wrong[i], out);
        cr_assert(strncmp(out, "mlp: ", 5) == 0 && strchr(out, '\n') == out + strlen(out) - 1, "%s", out);
    }
    cr_assert(eq(int, run(BUILD "/mlp --examples 64 --epochs 1 >/dev/full"), 1));
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

static pid_t start(const char *resume)
{
    char save[80], log[80], from[80];
    sprintf(save, "%s/b", folder), sprintf(log, "%s/b.tsv", folder), sprintf(from, "%s/b", folder);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1), dup2(null, 2);
        execl(BUILD "/mlp", "mlp", "--examples", "1280", "--epochs", "2", "--save", save, "--log", log,
              resume ? "--resume" : (char *)NULL, from, (char *)NULL);
        _exit(9);
    }
    return child;
}

/* At 20 random moments; after each interruption the run is resumed, and interrupted again. */
Test(mlp, interrupted_at_20_moments_and_resumed_it_ends_with_the_same_bytes)
{
    struct dl_random r;
    double begin = now();
    dl_random_seed(&r, (uint64_t)time(NULL));
    cr_assert(eq(int, run(SMALL "--quiet --save @/a --log @/a.tsv"), 0), "%s", out);
    double whole = now() - begin;
    for (int i = 0, interrupted = 0; i < RUNS || interrupted < RUNS / 3; i++) {
        cr_assert(lt(int, i, 60), "only %d interruptions", interrupted);
        int status, resumes = 0;
        pid_t child = start(NULL);
        for (;;) {
            usleep((unsigned)(1e6 * whole * (0.3 + 0.7 * dl_random_uniform(&r))));
            int signal = i % 2 ? SIGINT : SIGTERM;
            if (resumes < 3)
                kill(child, signal);
            waitpid(child, &status, 0);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                break;
            if (WIFSIGNALED(status) && resumes == 0) {      /* before it listened */
                child = start(NULL);
                continue;
            }
            int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            if (code == -1 && WTERMSIG(status) == signal)
                ;                                           /* while it was starting again: the file is as it was */
            else
                cr_assert(eq(int, code, 128 + signal));
            interrupted++;
            resumes++;
            child = start("again");
        }
        cr_assert(same_files("a", "b"), "the checkpoints differ after %d resumptions", resumes);
        cr_assert(same_files("a.tsv", "b.tsv"), "the logs differ");
    }
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
    sprintf(path, "/proc/%d/status", child);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f))
        sscanf(line, "VmRSS: %ld", &kilobytes);
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

/* Two epochs of 10,000 steps of one example each. From the middle of the second on (everything has happened once)
   neither memory nor files grow. */
Test(mlp, in_20000_steps_memory_and_open_files_stay_as_they_are)
{
    enum { MOST = 10000 };
    static long kilobytes[MOST];
    static int files[MOST];
    int status, n = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(BUILD "/mlp", "mlp", "--batch", "1", "--examples", "10000", "--epochs", "2", "--quiet", "--threads", "1",
              (char *)NULL);
        _exit(9);
    }
    while (waitpid(child, &status, WNOHANG) == 0 && n < MOST) {
        usleep(20000);
        kilobytes[n] = resident(child, &files[n]);
        n += kilobytes[n] > 0;
    }
    cr_assert(eq(int, status, 0));
    cr_assert(ge(int, n, 20));
    for (int k = n * 3 / 4; k < n - 2; k++) {       /* the last ones: it is ending */
        cr_assert(le(long, kilobytes[k], kilobytes[n * 3 / 4] + 256), "sample %d of %d", k, n);
        cr_assert(le(int, files[k], files[n * 3 / 4]));
    }
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
