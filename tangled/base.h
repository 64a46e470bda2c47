/* base.h - errors and memory: what every module stands on. */
#ifndef DLFS_BASE_H
#define DLFS_BASE_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)

/* Stop unless the condition holds: a wrong argument is the caller's mistake.
   The rest is a printf format, with its arguments, for the message. */
#define dl_check(condition, ...) \
    do { \
        if (__builtin_expect(!(condition), 0)) \
            dl_fail(__FILE__, __LINE__, __func__, __VA_ARGS__); \
    } while (0)

/* Report "file:line: function: message" to the error handler. */
_Noreturn void dl_fail(const char *file, int line, const char *function,
                       const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Receives the one line of a report. It must not return: it may abort,
   exit, or longjmp out of the failed call. */
typedef void dl_error_handler(const char *message);

/* Install a handler for all threads and return the old one. NULL stands
   for the default, which prints the line on stderr and aborts. */
dl_error_handler *dl_set_error_handler(dl_error_handler *handler);

/* Leave one line about what went wrong outside the program; return false.
   What would break the line becomes '?'. */
bool dl_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The line that this thread's last dl_error left; "" if there was none. */
const char *dl_error_text(void);

/* Memory for count objects of the given size: not initialised, aligned to
   64 bytes, to be given back with free(). Exhaustion, and a product too
   large for size_t, are reported as the caller's mistake. */
void *dl_alloc(size_t count, size_t size);

#pragma GCC visibility pop

#endif
