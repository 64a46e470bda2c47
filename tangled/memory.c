/* memory.c - blocks that are used again, and scopes at whose end things are
   undone. */
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "memory.h"

enum { UNIT = 64, HEADER = 2, CLASSES = 4 * 53 + 7 + HEADER + 1 };

/* The class of a request, and the size of its blocks. */
static inline int class_of(size_t bytes, size_t *size)
{
    size_t m = bytes / UNIT + (bytes % UNIT != 0);
    if (m <= HEADER + 4) {
        m = m == 0 ? 1 : m;
        *size = m * UNIT;
        return (int)m - 1;
    }
    int k = 61 - __builtin_clzll(m - HEADER - 1);
    size_t q = (m - HEADER - 1) >> k;
    *size = (((q + 1) << k) + HEADER) * UNIT;
    return 4 * k + (int)q + HEADER;
}

struct block {
    char used[UNIT - sizeof(struct block *)];
    struct block *next;
};

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define poison(p, bytes) ASAN_POISON_MEMORY_REGION(p, bytes)
#define unpoison(p, bytes) ASAN_UNPOISON_MEMORY_REGION(p, bytes)
#else
#define poison(p, bytes) ((void)(p), (void)(bytes))
#define unpoison(p, bytes) ((void)(p), (void)(bytes))
#endif

#if defined DL_DEBUG || defined __SANITIZE_ADDRESS__
enum { DEBUG = 1 };
#else
enum { DEBUG = 0 };
#endif

static void mark_as_lent(struct block *b, size_t size)
{
    unpoison(b, size);
    if (DEBUG)
        memset(b, 0xff, size);
}

static void mark_as_free(struct block *b, size_t size)
{
    if (DEBUG)
        memset(b, 0xff, size);
    poison(b->used, sizeof b->used);
    poison(b + 1, size - sizeof *b);
}

static _Thread_local struct {
    struct block *free[CLASSES];
    struct dl_pool_use use;
} pool;

void *dl_pool_try(size_t bytes)
{
    size_t size;
    if (bytes > PTRDIFF_MAX / 2)
        return NULL;
    int class = class_of(bytes, &size);
    struct block *b = pool.free[class];
    if (b != NULL) {
        pool.free[class] = b->next;
    } else {
        b = aligned_alloc(UNIT, size);
        if (b == NULL)
            return NULL;
        pool.use.misses++;
    }
    mark_as_lent(b, size);
    pool.use.blocks++;
    pool.use.bytes += size;
    return b;
}

void *dl_pool_get(size_t bytes)
{
    void *block = dl_pool_try(bytes);
    dl_check(block != NULL, "out of memory (%zu bytes wanted)", bytes);
    return block;
}

void dl_pool_put(void *block, size_t bytes)
{
    if (block == NULL)
        return;
    size_t size;
    int class = class_of(bytes, &size);
    struct block *b = block;
    mark_as_free(b, size);
    b->next = pool.free[class];
    pool.free[class] = b;
    pool.use.blocks--;
    pool.use.bytes -= size;
}

struct dl_pool_use dl_pool_use(void)
{
    return pool.use;
}

struct undo {
    void (*undo)(void *what);       /* NULL for the mark of a scope */
    void *what;                     /* then, the scope's number */
};

static _Thread_local struct {
    struct undo *at;
    size_t count, room;
    int depth;
    enum dl_mode mode;
    uintptr_t entered;              /* scopes entered so far */
} scopes;

bool dl_scope_reserve(void)
{
    if (scopes.count < scopes.room)
        return true;
    size_t room = scopes.room > 0 ? 2 * scopes.room : 64;
    struct undo *at = realloc(scopes.at, room * sizeof *at);
    if (at == NULL)
        return false;
    scopes.at = at;
    scopes.room = room;
    return true;
}

static void push(void (*undo)(void *what), void *what)
{
    dl_check(dl_scope_reserve(), "out of memory (%zu things to be undone)",
             scopes.count);
    scopes.at[scopes.count++] = (struct undo){undo, what};
}

void dl_scope_defer(void (*undo)(void *what), void *what)
{
    dl_check(undo != NULL, "there is no function to call");
    dl_check(scopes.depth > 0, "no scope is open");
    push(undo, what);
}

dl_scope dl_scope_enter(enum dl_mode mode)
{
    dl_scope s = {scopes.count, scopes.entered + 1, scopes.depth,
                  scopes.mode};
    push(NULL, (void *)s.number);
    scopes.entered++;
    scopes.depth++;
    scopes.mode = mode;
    return s;
}

void dl_scope_leave(dl_scope s)
{
    dl_check(s.mark < scopes.count && scopes.at[s.mark].undo == NULL
             && scopes.at[s.mark].what == (void *)s.number,
             "this scope was left before, or never entered here");
    while (scopes.count > s.mark + 1) {
        struct undo last = scopes.at[--scopes.count];
        if (last.undo != NULL)
            last.undo(last.what);
    }
    scopes.count = s.mark;
    scopes.depth = s.depth;
    scopes.mode = s.mode;
}

bool dl_scope_is_open(void)
{
    return scopes.depth > 0;
}

enum dl_mode dl_scope_mode(void)
{
    return scopes.mode;
}

void dl_pool_drain(void)
{
    for (int class = 0; class < CLASSES; class++)
        while (pool.free[class] != NULL) {
            struct block *b = pool.free[class];
            pool.free[class] = b->next;
            free(b);
        }
    if (scopes.count == 0) {
        free(scopes.at);
        scopes.at = NULL;
        scopes.room = 0;
    }
}
