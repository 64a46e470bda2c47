/* base.c - errors and memory: what every module stands on. */
#include "base.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512 };

static void print_and_abort(const char *message)
{
    fprintf(stderr, "%s\n", message);
    abort();
}

static _Atomic(dl_error_handler *) current_handler = print_and_abort;

dl_error_handler *dl_set_error_handler(dl_error_handler *handler)
{
    return atomic_exchange(&current_handler,
                           handler ? handler : print_and_abort);
}

void dl_fail(const char *file, int line, const char *function,
             const char *format, ...)
{
    static _Thread_local char message[LINE];
    int n = snprintf(message, LINE, "%s:%d: %s: ", file, line, function);
    if (n > 0 && n < LINE) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message + n, (size_t)(LINE - n), format, arguments);
        va_end(arguments);
    }
    atomic_load(&current_handler)(message);
    abort();
}

static _Thread_local char error_text[LINE];

bool dl_error(const char *format, ...)
{
    char text[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, LINE, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    memcpy(error_text, text, LINE);
    return false;
}

const char *dl_error_text(void)
{
    return error_text;
}

void *dl_alloc(size_t count, size_t size)
{
    enum { LINE_OF_CACHE = 64 };
    size_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes)
                && bytes <= SIZE_MAX - LINE_OF_CACHE;
    dl_check(fits, "%zu objects of %zu bytes do not fit in memory",
             count, size);
    if (bytes == 0)
        bytes = 1;
    bytes = (bytes + LINE_OF_CACHE - 1) / LINE_OF_CACHE * LINE_OF_CACHE;
    void *memory = aligned_alloc(LINE_OF_CACHE, bytes);
    dl_check(memory != NULL, "out of memory (%zu bytes wanted)", bytes);
    return memory;
}
