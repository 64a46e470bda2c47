/* Exercise "The mean of two checkpoints". */
#include "safetensors.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern bool average(const char *a, const char *b, const char *result);

static char folder[40], a[60], b[60], c[60];

static void begin(void)
{
    strcpy(folder, "/tmp/dlfs-11-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    sprintf(a, "%s/a", folder), sprintf(b, "%s/b", folder), sprintf(c, "%s/c", folder);
}
static void end(void)
{
    unlink(a), unlink(b), unlink(c);
    cr_assert(eq(int, rmdir(folder), 0));
}
TestSuite(average, .init = begin, .fini = end);

static void write_two(const char *path, const float *x, const float *y, int columns)
{
    struct dl_entry list[] = {{"w", DL_F32, 2, {2, columns}, 8 * (size_t)columns, x}, {"b", DL_F32, 1, {2}, 8, y},
                              {"train/step", DL_I64, 0, {0}, 8, "12345678"}};
    cr_assert(dl_safetensors_write(path, 3, list, 0, NULL));
}

Test(average, is_the_mean_of_each_pair_without_the_state)
{
    static const float x[] = {1, 2, 3, 4}, y[] = {3, 2, 1, 0.5f}, z[] = {0, 8};
    write_two(a, x, z, 2);
    write_two(b, y, x, 2);
    cr_assert(average(a, b, c), "%s", dl_error_text());
    struct dl_safetensors f;
    cr_assert(dl_safetensors_read(&f, c) && f.n == 2);
    const struct dl_entry *e = dl_safetensors_find(&f, "w");
    static const float w[] = {2, 2, 2, 2.25f}, v[] = {0.5f, 5};
    cr_assert(e && e->rank == 2 && e->dim[0] == 2 && memcmp(e->data, w, 16) == 0);
    e = dl_safetensors_find(&f, "b");
    cr_assert(e && e->rank == 1 && memcmp(e->data, v, 8) == 0);
    dl_safetensors_free(&f);
}

Test(average, of_files_that_do_not_fit_is_refused)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};
    write_two(a, x, x, 2);
    write_two(b, x, x, 3);
    cr_assert(not(average(a, b, c)));
    struct dl_entry one = {"b", DL_F32, 1, {2}, 8, x};
    cr_assert(dl_safetensors_write(b, 1, &one, 0, NULL));
    cr_assert(not(average(a, b, c)));
    cr_assert(not(average(b, a, c)));
    cr_assert(not(average(a, folder, c)));
    cr_assert(access(c, F_OK) != 0);
}
