/* A test of a suite with .init = open_scope, .fini = close_scope runs within a scope that records, and must leave no
   block of the pool behind. Criterion does not count what fails in .fini, but says that a test crashed there, and
   tests/run counts that. */
#ifndef DLFS_TESTS_IN_SCOPE_H
#define DLFS_TESTS_IN_SCOPE_H

#include "memory.h"
#include "random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dl_random source;
static dl_scope opened;

/* Free blocks hold numbers that would be noticed. */
static void soil_pool(void)
{
    enum { SIZES = 8, EACH_SIZE = 16 };
    void *block[SIZES][EACH_SIZE];
    for (int k = 0; k < SIZES; k++)
        for (int i = 0; i < EACH_SIZE; i++)
            memset(block[k][i] = dl_pool_get(64 * (size_t)(k + 1)), 0x41, 64 * (size_t)(k + 1));
    for (int k = 0; k < SIZES; k++)
        for (int i = 0; i < EACH_SIZE; i++)
            dl_pool_put(block[k][i], 64 * (size_t)(k + 1));
}

static void open_scope(void)
{
    soil_pool();
    dl_random_seed(&source, 1);
    opened = dl_scope_enter(DL_RECORD);
}

static void close_scope(void)
{
    dl_scope_leave(opened);
    struct dl_pool_use use = dl_pool_use();
    if (use.blocks != 0 || use.bytes != 0) {
        fprintf(stderr, "%zu blocks of %zu bytes were not given back\n", use.blocks, use.bytes);
        abort();
    }
    dl_pool_drain();
}

#endif
