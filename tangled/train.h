/* train.h - what training programs have in common: options, signals,
   progress. */
#ifndef DLFS_TRAIN_H
#define DLFS_TRAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "state.h"

#pragma GCC visibility push(default)

/* One option of a program. The table ends with a row of zeros. */
enum dl_kind { DL_FLAG, DL_INT, DL_NUMBER, DL_WORD };
struct dl_option {
    const char *name;               /* "batch" for --batch N */
    enum dl_kind kind;
    void *to;                       /* bool, int, double, const char * */
    double low, high;               /* of numbers */
    const char *help;
};

/* Set the variables from the arguments. Returns -1 if the program shall go
   on; otherwise a line or the help has been printed, and this is the
   status with which main should return. */
int dl_read_options(int argc, char *argv[], const char *about,
                    const struct dl_option table[]);

/* What all training programs have; begins as the program's preset. */
struct dl_train_options {
    int epochs, batch, seed, threads;   /* threads 0: all online */
    double lr;
    const char *data, *save, *resume, *init, *log, *plot;
    bool quiet;
};

/* Write their 12 rows at the head of a table, and return how many. */
enum { DL_TRAIN_ROWS = 12 };
int dl_train_rows(struct dl_option table[], struct dl_train_options *o);

/* From now on SIGINT and SIGTERM are remembered, each the first time; the
   same signal a second time ends the program. */
void dl_catch_signals(void);
int dl_caught_signal(void);             /* its number, or 0 */

/* Show "step of total" with the rate and the time left, if standard error
   is a terminal; at most ten times per second. `text` is put behind it. */
struct dl_progress { double start, last; int64_t first; bool off; };
void dl_progress_show(struct dl_progress *p, int64_t step, int64_t total,
                      const char *text);
void dl_progress_clear(struct dl_progress *p);      /* wipe the line */

/* Replace the file `path` by the text. */
bool dl_text_save(const struct dl_text *t, const char *path);

/* Is no element of any parameter infinite or NaN? */
bool dl_params_finite(const struct dl_params *p);

#pragma GCC visibility pop

#endif
