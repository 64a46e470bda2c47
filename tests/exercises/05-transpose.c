/* Exercise: a transposition that fits every cache. */
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

extern void transpose(int m, int n, const float *a, float *b);

static struct dl_random r;

static void check(int m, int n)
{
    size_t size = (size_t)m * (size_t)n;
    float *a = malloc((size + 1) * sizeof *a), *b = malloc((size + 8) * sizeof *b);
    dl_random_fill_uniform(&r, a, size, -1, 1);
    for (size_t i = 0; i < size + 8; i++)
        b[i] = 77;
    transpose(m, n, a, b + 4);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            cr_assert(b[4 + (size_t)j * (size_t)m + (size_t)i] == a[(size_t)i * (size_t)n + (size_t)j],
                      "element (%d, %d) of a matrix of %d x %d", i, j, m, n);
    for (int i = 0; i < 4; i++)
        cr_assert(b[i] == 77 && b[size + 4 + (size_t)i] == 77, "something outside of b was written (%d x %d)", m, n);
    free(a);
    free(b);
}

Test(transpose, small_matrices_of_all_shapes_are_right)
{
    dl_random_seed(&r, 1);
    for (int m = 1; m <= 40; m++)
        for (int n = 1; n <= 40; n++)
            check(m, n);
}

Test(transpose, large_matrices_are_right)
{
    dl_random_seed(&r, 2);
    check(511, 517);
    check(1024, 1024);
    check(3, 5000);
}

Test(transpose, a_single_column_of_a_million_rows_is_right)
{
    dl_random_seed(&r, 3);
    check(1000000, 1);
    check(1, 1000000);
}
