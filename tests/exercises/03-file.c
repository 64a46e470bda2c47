/* Exercise: a file that closes with its scope. */
#include "dlfs.h"
#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <sys/resource.h>

extern FILE *open_in_scope(const char *path, const char *mode);

static int files_open(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

Test(file, it_is_open_within_the_scope_and_closed_after_it)
{
    int before = files_open();
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    FILE *f = open_in_scope("/dev/null", "w");
    cr_assert(f != NULL);
    cr_assert(fputs("hello", f) >= 0);
    cr_assert(eq(int, files_open(), before + 1));
    dl_scope_leave(s);
    cr_assert(eq(int, files_open(), before));
}

Test(file, it_is_closed_when_a_handler_jumps)
{
    int before = files_open();
    static dl_scope s;
    s = dl_scope_enter(DL_NO_GRAD);
    fails_with(open_in_scope("/dev/null", "r"); dl_item(dl_zeros(DL_SHAPE(2))), "[2]");
    cr_assert(eq(int, files_open(), before + 1));
    dl_scope_leave(s);
    cr_assert(eq(int, files_open(), before));
}

Test(file, a_file_that_is_not_there_is_an_error_of_the_world)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    cr_assert(open_in_scope("/nowhere/x", "r") == NULL);
    cr_assert(strstr(dl_error_text(), "/nowhere/x") && strstr(dl_error_text(), "No such file"));
    dl_scope_leave(s);
}

Test(file, a_thousand_are_closed_in_inner_scopes)
{
    dl_scope s = dl_scope_enter(DL_NO_GRAD);
    for (int i = 0; i < 3000; i++) {
        dl_scope inner = dl_scope_enter(DL_NO_GRAD);
        cr_assert(open_in_scope("/dev/null", "r") != NULL, "file %d: %s", i, dl_error_text());
        dl_scope_leave(inner);
    }
    dl_scope_leave(s);
}

Test(file, outside_of_scopes_nothing_is_opened)
{
    int before = files_open();
    fails_with(open_in_scope("/dev/null", "r"), "scope");
    cr_assert(eq(int, files_open(), before));
}
