/* memory.h - blocks that are used again, and scopes at whose end things are
   undone. All of it belongs to the calling thread; there are no locks. */
#ifndef DLFS_MEMORY_H
#define DLFS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* A block of at least the given size, aligned to 64 bytes, its content
   undefined: one that was put back, or a new one from the system. Running
   out of memory is reported as a caller's mistake. */
void *dl_pool_get(size_t bytes);

/* The same, but NULL if there is no memory. */
void *dl_pool_try(size_t bytes);

/* Put a block back that was got with the same size. NULL does nothing. */
void dl_pool_put(void *block, size_t bytes);

/* Give all blocks that are not lent back to the system. A thread that used
   tensors should do so before it ends. */
void dl_pool_drain(void);

/* Blocks lent to this thread now, their bytes, and how many requests had
   to go to the system so far. */
struct dl_pool_use { size_t blocks, bytes, misses; };
struct dl_pool_use dl_pool_use(void);

/* Shall operations in this scope be recorded for a backward pass? */
enum dl_mode { DL_NO_GRAD, DL_RECORD };

/* What dl_scope_leave needs to know; not to be changed. */
typedef struct {
    size_t mark;                    /* place of its mark on the stack */
    uintptr_t number;               /* by which the mark is recognised */
    int depth;                      /* scopes that were open around it */
    enum dl_mode mode;              /* the mode around it */
} dl_scope;

/* Open a scope. Every scope that is entered must be left. */
dl_scope dl_scope_enter(enum dl_mode mode);

/* Undo, newest first, all that was deferred since this scope was entered.
   Inner scopes that are still open, because an error handler jumped out of
   them, are left, too. Leaving a scope twice is a caller's mistake. */
void dl_scope_leave(dl_scope scope);

/* Is a scope open, and in which mode is the innermost? Outside of all
   scopes the mode is DL_NO_GRAD. */
bool dl_scope_is_open(void);
enum dl_mode dl_scope_mode(void);

/* Call undo(what) when the innermost scope is left. Outside of all scopes
   a caller's mistake. */
void dl_scope_defer(void (*undo)(void *what), void *what);

/* Make sure that the next dl_scope_defer needs no memory; false if there is
   none. To be called before that is taken which is to be undone. */
bool dl_scope_reserve(void);

#pragma GCC visibility pop

#endif
