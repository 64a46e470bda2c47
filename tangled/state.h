/* state.h - all that a run needs to go on to the bit: a list of the places
   where it is, made once, from which it is saved and to which it is
   loaded. */
#ifndef DLFS_STATE_H
#define DLFS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"
#include "safetensors.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* Bytes to which more can be added; empty when it is {0}. */
struct dl_text { char *bytes; size_t n, room; };

void dl_text_add(struct dl_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dl_text_free(struct dl_text *t);

/* A list is empty when it is {0}. */
struct dl_state {
    int n, room, notes;
    struct dl_item *list;
    struct dl_note *note;
};

/* Add to the list. What is pointed to must stay there. Names must be
   different, those of all but the model's parameters begin with "train/";
   a prefix is put in front of each parameter's name. */
void dl_state_params(struct dl_state *s, const char *prefix,
                     const struct dl_params *p);

/* n integers, or one; a file in which they are not from low to high is
   refused. */
void dl_state_ints(struct dl_state *s, const char *name, size_t n, int *x,
                   int low, int high);
void dl_state_count(struct dl_state *s, const char *name, int64_t *x,
                    int64_t low, int64_t high);
void dl_state_doubles(struct dl_state *s, const char *name, size_t n,
                      double *x);
void dl_state_random(struct dl_state *s, const char *name,
                     struct dl_random *r);
void dl_state_text(struct dl_state *s, const char *name, struct dl_text *t);

/* An option: a file in which it has another value is refused. */
void dl_state_note(struct dl_state *s, const char *key, const char *value);

/* Write all of it into a .safetensors file, which appears when it is
   complete. */
bool dl_state_save(const struct dl_state *s, const char *path);

/* Fill all of it from such a file, which must have a checksum and hold
   exactly this list. False: nothing was changed. */
bool dl_state_load(struct dl_state *s, const char *path);

void dl_state_free(struct dl_state *s);     /* the list, not the things */

#pragma GCC visibility pop

#endif
