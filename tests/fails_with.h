/* fails_with(code, words, ...): the test goes on if the code is refused as a caller's mistake, in one line that holds
   these words in this order. The code is left by longjmp. report_of(code) is the line itself, "" if there was none. */
#ifndef DLFS_TESTS_FAILS_WITH_H
#define DLFS_TESTS_FAILS_WITH_H

#include "base.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* Under AddressSanitizer and valgrind, malloc is not the system's. */
#if defined __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifndef ADDRESS_SANITIZER
#define ADDRESS_SANITIZER 0
#endif

__attribute__((unused))
static bool under_valgrind(void)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps))
        found = strstr(line, "/vgpreload_") != NULL;
    if (maps != NULL)
        fclose(maps);
    return found;
}

#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic ignored "-Wclobbered"   /* it fears for every local variable; make volatile what code changes */
#endif

static char report_text[1024];
static jmp_buf report_escape;

__attribute__((unused))
static void report_leap(const char *message)
{
    snprintf(report_text, sizeof report_text, "%s", message);
    longjmp(report_escape, 1);
}

#define report_of(...)                                                        \
    ({                                                                        \
        dl_error_handler *before = dl_set_error_handler(report_leap);         \
        report_text[0] = '\0';                                                \
        if (setjmp(report_escape) == 0) {                                     \
            __VA_ARGS__;                                                      \
        }                                                                     \
        dl_set_error_handler(before);                                         \
        report_text;                                                          \
    })

__attribute__((unused))
static bool report_has(const char *report, const char *const words[])
{
    if (report[0] == '\0' || strchr(report, '\n'))
        return false;
    for (; *words; words++) {
        report = strstr(report, *words);
        if (!report)
            return false;
        report += strlen(*words);
    }
    return true;
}

#define fails_with(code, ...)                                                 \
    do {                                                                      \
        const char *got = report_of(code);                                    \
        cr_assert(report_has(got, (const char *[]){__VA_ARGS__, NULL}),       \
                  "%s reported \"%s\", wanted one line with %s",              \
                  #code, got, #__VA_ARGS__);                                  \
    } while (0)

#endif
