/* parallel.h - a loop divided among threads. */
#ifndef DLFS_PARALLEL_H
#define DLFS_PARALLEL_H

#include <stddef.h>

#pragma GCC visibility push(default)

/* A loop body for i = begin, ..., end - 1. It must not jump out. */
typedef void dl_range_function(size_t begin, size_t end, void *context);

/* Call body for ranges that make up 0, ..., n - 1, in several threads at
   once. Ranges begin at multiples of grain > 0, and are cut only if there
   are more than grain numbers. A call from within a body, or while another
   thread is being served, runs in the caller alone. */
void dl_parallel_for(size_t n, size_t grain, dl_range_function *body,
                     void *context);

/* How many threads a loop may use, 1 to 64; at first, as many as there are
   processors. They are started when they are first needed. */
void dl_set_num_threads(int threads);
int dl_get_num_threads(void);

#pragma GCC visibility pop

#endif
