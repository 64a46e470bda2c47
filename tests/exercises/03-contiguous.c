/* Exercise: which strides are contiguous? */
#include <stdbool.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

extern bool is_contiguous(int rank, const int dim[], const long stride[]);

Test(contiguous, row_major_strides_are)
{
    cr_assert(is_contiguous(1, (int[]){5}, (long[]){1}));
    cr_assert(is_contiguous(2, (int[]){3, 4}, (long[]){4, 1}));
    cr_assert(is_contiguous(4, (int[]){2, 3, 4, 5}, (long[]){60, 20, 5, 1}));
}

Test(contiguous, others_are_not)
{
    cr_assert(not(is_contiguous(1, (int[]){5}, (long[]){2})));
    cr_assert(not(is_contiguous(1, (int[]){5}, (long[]){-1})));
    cr_assert(not(is_contiguous(1, (int[]){5}, (long[]){0})));
    cr_assert(not(is_contiguous(2, (int[]){3, 4}, (long[]){1, 3})));
    cr_assert(not(is_contiguous(2, (int[]){3, 4}, (long[]){5, 1})));
    cr_assert(not(is_contiguous(2, (int[]){3, 4}, (long[]){0, 1})));
    cr_assert(not(is_contiguous(3, (int[]){2, 3, 4}, (long[]){4, 8, 1})));
    cr_assert(not(is_contiguous(3, (int[]){2, 3, 4}, (long[]){12, 4, 2})));
}

Test(contiguous, the_stride_of_an_axis_of_length_1_does_not_matter)
{
    cr_assert(is_contiguous(2, (int[]){1, 4}, (long[]){77, 1}));
    cr_assert(is_contiguous(2, (int[]){4, 1}, (long[]){1, -3}));
    cr_assert(is_contiguous(3, (int[]){2, 1, 3}, (long[]){3, 0, 1}));
    cr_assert(is_contiguous(4, (int[]){1, 1, 1, 1}, (long[]){9, 8, 7, 6}));
    cr_assert(not(is_contiguous(3, (int[]){2, 1, 3}, (long[]){6, 3, 1})));
}

Test(contiguous, a_single_number_is)
{
    cr_assert(is_contiguous(0, (int[]){0}, (long[]){0}));
}

Test(contiguous, an_empty_tensor_is_whatever_its_strides)
{
    cr_assert(is_contiguous(2, (int[]){0, 4}, (long[]){5, 3}));
    cr_assert(is_contiguous(2, (int[]){4, 0}, (long[]){5, 3}));
    cr_assert(is_contiguous(3, (int[]){7, 0, 4}, (long[]){1, 1, 1}));
}

Test(contiguous, long_axes_do_not_overflow)
{
    cr_assert(is_contiguous(3, (int[]){2, 100000, 100000}, (long[]){10000000000, 100000, 1}));
    cr_assert(not(is_contiguous(3, (int[]){2, 100000, 100000}, (long[]){1410065408, 100000, 1})));
}
