/* train.c - what training programs have in common. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base.h"
#include "replace.h"
#include "train.h"

int dl_train_rows(struct dl_option table[], struct dl_train_options *o)
{
    const struct dl_option rows[DL_TRAIN_ROWS] = {
        {"epochs", DL_INT, &o->epochs, 0, 1e6, "passes over the data"},
        {"batch", DL_INT, &o->batch, 1, 1e9, "examples in a step"},
        {"lr", DL_NUMBER, &o->lr, 0, 1e6, "the learning rate"},
        {"seed", DL_INT, &o->seed, 0, 2147483647, "of all random numbers"},
        {"threads", DL_INT, &o->threads, 0, 1024, "0: all"},
        {"data", DL_WORD, &o->data, 0, 0, "folder of the data set"},
        {"save", DL_WORD, &o->save, 0, 0, "write checkpoints to this file"},
        {"resume", DL_WORD, &o->resume, 0, 0, "go on from this checkpoint"},
        {"init", DL_WORD, &o->init, 0, 0, "weights from a .safetensors"},
        {"log", DL_WORD, &o->log, 0, 0, "write the table to this file, too"},
        {"plot", DL_WORD, &o->plot, 0, 0, "folder for pictures"},
        {"quiet", DL_FLAG, &o->quiet, 0, 0, "print nothing but mistakes"},
    };
    memcpy(table, rows, sizeof rows);
    return DL_TRAIN_ROWS;
}

static bool set_number(const struct dl_option *o, const char *text)
{
    char *end;
    errno = 0;
    double x = strtod(text, &end);
    bool whole = o->kind == DL_INT;
    if (end == text || *end != '\0' || !(x >= o->low && x <= o->high)
        || (whole && x != floor(x)))
        return dl_error("--%s wants a %snumber from %.10g to %.10g, not '%s'",
                        o->name, whole ? "whole " : "", o->low, o->high,
                        text);
    if (whole)
        *(int *)o->to = (int)x;
    else
        *(double *)o->to = x;
    return true;
}

static bool set_option(const struct dl_option *o, const char *text)
{
    if (o->kind == DL_FLAG)
        *(bool *)o->to = true;
    else if (o->kind != DL_WORD)
        return set_number(o, text);
    else if (*text == '\0')
        return dl_error("--%s wants something that is not empty", o->name);
    else
        *(const char **)o->to = text;
    return true;
}

static void print_help(const char *program, const char *about,
                       const struct dl_option *o)
{
    static const char *const wants[] = {"", " N", " X", " WORD"};
    printf("%s: %s\n\n", program, about);
    for (; o->name != NULL; o++) {
        int n = printf("  --%s%s", o->name, wants[o->kind]);
        printf("%*s%s", n < 20 ? 20 - n : 1, "", o->help);
        if (o->kind == DL_INT)
            printf(" (%d)", *(int *)o->to);
        if (o->kind == DL_NUMBER)
            printf(" (%g)", *(double *)o->to);
        if (o->kind == DL_WORD && *(const char **)o->to != NULL)
            printf(" (%s)", *(const char **)o->to);
        printf("\n");
    }
    printf("  --help              this list; in brackets what is usual\n");
}

static bool blame(int c, const char *argument)
{
    if (c == ':')
        return dl_error("%s wants an argument", argument);
    if (optopt > 0 && optopt < 256)     /* one letter */
        return dl_error("there is no option -%c (try --help)", optopt);
    return dl_error("there is no option %s (try --help)", argument);
}

static bool take_options(int argc, char *argv[], int n,
                         const struct dl_option table[], bool *help)
{
    struct option all[66] = {{0}};
    bool seen[64] = {false};
    dl_check(n < 64, "%d options are too many", n);
    for (int i = 0; i < n; i++)
        all[i] = (struct option){table[i].name, table[i].kind != DL_FLAG,
                                 NULL, 256 + i};
    all[n] = (struct option){"help", 0, NULL, 'h'};
    opterr = 0;
    optind = 0;                         /* begin, also a second time */
    for (int c; (c = getopt_long(argc, argv, ":", all, NULL)) != -1; ) {
        if (c == 'h')
            return *help = true;
        if (c == ':' || c == '?')
            return blame(c, argv[optind - 1]);
        if (seen[c - 256])
            return dl_error("--%s is given twice", table[c - 256].name);
        seen[c - 256] = true;
        if (!set_option(&table[c - 256], optarg))
            return false;
    }
    return optind == argc
           || dl_error("'%s' is not an option (try --help)", argv[optind]);
}

int dl_read_options(int argc, char *argv[], const char *about,
                    const struct dl_option table[])
{
    int n = 0;
    bool help = false;
    const char *slash = strrchr(argv[0], '/');
    const char *program = slash == NULL ? argv[0] : slash + 1;
    while (table[n].name != NULL)
        n++;
    if (!take_options(argc, argv, n, table, &help)) {
        fprintf(stderr, "%s: %s\n", program, dl_error_text());
        return 2;
    }
    if (!help)
        return -1;
    print_help(program, about, table);
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "%s: standard output could not be written\n", program);
    return 1;
}

static volatile sig_atomic_t caught;

static void remember(int signal)
{
    caught = signal;
}

void dl_catch_signals(void)
{
    struct sigaction action = {.sa_handler = remember,
                               .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

int dl_caught_signal(void)
{
    return caught;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dl_progress_show(struct dl_progress *p, int64_t step, int64_t total,
                      const char *text)
{
    if (p->off || !isatty(STDERR_FILENO))
        return;
    double now = seconds();
    if (p->start == 0) {
        p->start = now;
        p->first = step;
    }
    if (now - p->last < 0.1)
        return;
    p->last = now;
    double rate = (double)(step - p->first) / (now - p->start + 1e-9);
    fprintf(stderr, "\r%lld/%lld  %.0f/s  %.0f s left  %s\033[K",
            (long long)step, (long long)total, rate,
            rate > 0 ? (double)(total - step) / rate : 0, text);
}

void dl_progress_clear(struct dl_progress *p)
{
    if (!p->off && p->last > 0)
        fprintf(stderr, "\r\033[K");
}

bool dl_text_save(const struct dl_text *t, const char *path)
{
    struct dl_replacement r;
    if (!dl_replace_begin(&r, path))
        return false;
    if (dl_replace_write(&r, t->bytes, t->n))
        return dl_replace_commit(&r);
    dl_replace_abandon(&r);
    return false;
}

bool dl_params_finite(const struct dl_params *p)
{
    for (int k = 0; k < p->n; k++) {
        const dl_tensor *t = p->list[k].tensor;
        for (size_t i = 0; i < t->size; i++)
            if (!isfinite(dl_data(t)[i]))
                return false;
    }
    return true;
}
