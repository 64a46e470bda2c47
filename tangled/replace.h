/* replace.h - files that appear under their name when they are complete,
   and until then leave an older one untouched; locks against a second
   program. Functions that return bool leave a line in dl_error_text() when
   they return false. */
#ifndef DLFS_REPLACE_H
#define DLFS_REPLACE_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)

/* A file in the making. Linux opens no longer paths. */
enum { DL_PATH_MAX = 4096 };
struct dl_replacement {
    char path[DL_PATH_MAX], temporary[DL_PATH_MAX];
    int fd;
};

/* Begin to write what shall become the file `path`. What stands there must
   be a regular file, or nothing. If another program is writing the same
   file at the moment, false. */
bool dl_replace_begin(struct dl_replacement *r, const char *path);

/* Append bytes. When this fails, call dl_replace_abandon. */
bool dl_replace_write(struct dl_replacement *r, const void *bytes,
                      size_t n);

/* Bring all bytes to the disk and put the file in its place. If this fails,
   nothing is left to be done, and `path` leads to the old file or to the
   new one, whole. */
bool dl_replace_commit(struct dl_replacement *r);

/* Remove what was written. */
void dl_replace_abandon(struct dl_replacement *r);

/* Lock `path` (by an empty file "path.lock" beside it) until dl_unlock or
   the end of the process. Returns what dl_unlock wants, or -1, with a line
   in dl_error_text(): another run holds the lock, or `path` could not be
   replaced, because it is not a regular file. */
int dl_lock(const char *path);
void dl_unlock(int lock);

#pragma GCC visibility pop

#endif
