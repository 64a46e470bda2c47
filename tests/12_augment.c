/* Chapter 12: random changes of images. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "augment.h"
#include "autograd.h"
#include "base.h"
#include "memory.h"
#include "parallel.h"
#include "random.h"
#include "tensor.h"

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every number of the batch is another one, and none is 0. */
static dl_tensor *numbered(struct dl_shape s)
{
    dl_tensor *t = dl_empty(s);
    for (size_t i = 0; i < t->size; i++)
        dl_data(t)[i] = (dl_real)(i + 1);
    return t;
}

Test(augment, every_pixel_goes_where_the_vector_says_and_zeros_come_in)
{
    enum { N = 40, H = 5, W = 4, REACH = 6 };   /* and beyond the edges */
    dl_tensor *t = numbered(DL_SHAPE(N, H, W)), *old = dl_clone(t);
    struct dl_random r, twin;
    dl_random_seed(&r, 1);
    twin = r;
    dl_random_shift(t, H, W, REACH, &r);
    for (int i = 0; i < N; i++) {
        int down = (int)dl_random_below(&twin, 2 * REACH + 1) - REACH;
        int right = (int)dl_random_below(&twin, 2 * REACH + 1) - REACH;
        for (int k = 0; k < H * W; k++) {
            int v = k / W - down, u = k % W - right;
            bool inside = v >= 0 && v < H && u >= 0 && u < W;
            dl_real wanted = inside ? *dl_at(old, i, v, u) : 0;
            dl_real got = *dl_at(t, i, k / W, k % W);
            cr_assert(wanted == got, "image %d, pixel %d", i, k);
        }
    }
    cr_assert(dl_random_u32(&r) == dl_random_u32(&twin));
    dl_tensor_free(t), dl_tensor_free(old);
}

Test(augment, all_shifts_occur_equally_often)
{
    enum { N = 9000, REACH = 1, SIDE = 3 };
    static const int all = (2 * REACH + 1) * (2 * REACH + 1);
    int count[3][3] = {{0}};
    struct dl_random r;
    dl_tensor *t = dl_zeros(DL_SHAPE(N, SIDE, SIDE));
    for (int i = 0; i < N; i++)
        *dl_at(t, i, 1, 1) = 1;
    dl_random_seed(&r, 2);
    dl_random_shift(t, SIDE, SIDE, REACH, &r);
    for (int i = 0; i < N; i++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                count[y][x] += *dl_at(t, i, y, x) > 0;
    for (int k = 0; k < all; k++)           /* 1,000 each, with a deviation of 30 */
        cr_assert(abs(count[k / 3][k % 3] - N / all) < 150, "shift %d occurred %d times", k, count[k / 3][k % 3]);
    dl_tensor_free(t);
}

Test(augment, reach_0_and_probability_0_change_nothing_but_draw_as_much)
{
    struct dl_random r, s;
    dl_tensor *t = numbered(DL_SHAPE(7, 6)), *old = dl_clone(t);
    dl_random_seed(&r, 3), s = r;
    dl_random_shift(t, 2, 3, 0, &r);
    cr_assert(dl_equal(t, old));
    dl_tensor *moved = dl_clone(t);
    dl_random_shift(moved, 2, 3, 1, &s);
    cr_assert(not(dl_equal(moved, old)));
    cr_assert(dl_random_u32(&r) == dl_random_u32(&s));
    dl_random_flip(t, 2, 3, 0, &r);
    cr_assert(dl_equal(t, old));
    dl_random_flip(moved, 2, 3, 1, &s);
    cr_assert(dl_random_u32(&r) == dl_random_u32(&s));
    dl_random_noise(t, 0, &r);
    cr_assert(dl_equal(t, old));
    dl_random_noise(moved, 1, &s);
    cr_assert(dl_random_u32(&r) == dl_random_u32(&s));
    dl_tensor_free(t), dl_tensor_free(old), dl_tensor_free(moved);
}

Test(augment, a_flip_mirrors_each_row_and_two_flips_are_none)
{
    for (int w = 1; w <= 5; w++) {
        struct dl_random r;
        dl_tensor *t = numbered(DL_SHAPE(3, 2, 4, w)), *old = dl_clone(t);  /* two planes each */
        dl_random_seed(&r, 4);
        dl_random_flip(t, 4, w, 1, &r);
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 2; k++)
                for (int y = 0; y < 4; y++)
                    for (int x = 0; x < w; x++)
                        cr_assert(0 == *dl_at(t, i, k, y, x) - *dl_at(old, i, k, y, w - 1 - x), "at %d, %d", y, x);
        dl_random_flip(t, 4, w, 1, &r);
        cr_assert(dl_equal(t, old));
        dl_tensor_free(t), dl_tensor_free(old);
    }
}

Test(augment, flips_those_for_which_the_bernoulli_draw_is_1)
{
    enum { N = 200 };
    struct dl_random r, twin;
    float drawn[N];
    int flipped = 0;
    dl_tensor *t = numbered(DL_SHAPE(N, 2));
    dl_random_seed(&r, 5), twin = r;
    dl_random_flip(t, 1, 2, 0.25, &r);
    dl_random_fill_bernoulli(&twin, drawn, N, 0.25);
    for (int i = 0; i < N; i++) {
        cr_assert(2 * i + (drawn[i] > 0 ? 2 : 1) == *dl_at(t, i, 0), "example %d", i);
        flipped += drawn[i] > 0;
    }
    cr_assert(flipped > 30 && flipped < 70);
    dl_tensor_free(t);
}

Test(augment, planes_of_an_example_move_together)
{
    struct dl_random r;
    dl_tensor *t = dl_zeros(DL_SHAPE(20, 3, 5, 5));
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < 3; k++)
            *dl_at(t, i, k, 2, 2) = (dl_real)(k + 1);
    dl_random_seed(&r, 6);
    dl_random_shift(t, 5, 5, 2, &r);
    for (int i = 0; i < 20; i++)
        for (int y = 0; y < 5; y++)
            for (int x = 0; x < 5; x++)
                for (int k = 0; k < 3; k++)
                    cr_assert(0 == *dl_at(t, i, k, y, x) - (k + 1) * *dl_at(t, i, 0, y, x), "plane %d", k);
    dl_tensor_free(t);
}

Test(augment, noise_has_the_mean_and_deviation_asked_for_and_is_added)
{
    enum { N = 100000 };
    struct dl_random r;
    double mean = 0, square = 0;
    dl_tensor *t = dl_full(DL_SHAPE(100, N / 100), 3);
    dl_random_seed(&r, 7);
    dl_random_noise(t, 0.5, &r);
    for (int i = 0; i < N; i++) {
        double e = (double)dl_data(t)[i] - 3;
        mean += e / N, square += e * e / N;
    }
    cr_assert(fabs(mean) < 5 * 0.5 / sqrt(N), "the mean is %g", mean);
    cr_assert(fabs(square / 0.25 - 1) < 5 * sqrt(2.0 / N), "the variance is %g", square);
    dl_tensor_free(t);
}

Test(augment, one_seed_gives_the_same_bits_with_any_number_of_threads)
{
    dl_tensor *first = NULL;
    int before = dl_get_num_threads();
    for (int threads = 1; threads <= 4; threads++) {
        struct dl_random r;
        dl_set_num_threads(threads);
        dl_tensor *t = numbered(DL_SHAPE(131, 2, 9, 7));
        dl_random_seed(&r, 8);
        dl_random_shift(t, 9, 7, 3, &r);
        dl_random_flip(t, 9, 7, 0.5, &r);
        dl_random_noise(t, 0.1, &r);
        if (first == NULL)
            first = t;
        else {
            cr_assert(dl_equal(t, first), "%d threads", threads);
            dl_tensor_free(t);
        }
    }
    struct dl_random other;
    dl_tensor *t = numbered(DL_SHAPE(131, 2, 9, 7));
    dl_random_seed(&other, 9);
    dl_random_shift(t, 9, 7, 3, &other);
    cr_assert(not(dl_equal(t, first)));
    dl_tensor_free(t), dl_tensor_free(first);
    dl_set_num_threads(before);
}

Test(augment, an_empty_batch_stays_empty)
{
    struct dl_random r, s;
    dl_tensor *t = dl_empty(DL_SHAPE(0, 28, 28));
    dl_random_seed(&r, 10), s = r;
    dl_random_shift(t, 28, 28, 2, &r);
    dl_random_flip(t, 28, 28, 0.5, &r);
    dl_random_noise(t, 1, &r);
    cr_assert(dl_random_u32(&r) == dl_random_u32(&s));
    dl_tensor_free(t);
}

Test(augment, a_change_between_forward_and_backward_is_noticed)
{
    struct dl_random r;
    dl_random_seed(&r, 11);
    dl_tensor *t = numbered(DL_SHAPE(2, 4));
    for (int k = 0; k < 3; k++) {
        uint64_t version = t->storage->owner->version;
        k == 0 ? dl_random_shift(t, 2, 2, 1, &r) : k == 1 ? dl_random_flip(t, 2, 2, 1, &r)
                                                          : dl_random_noise(t, 1, &r);
        cr_assert(t->storage->owner->version > version, "change %d", k);
    }
    dl_tensor_free(t);
}

Test(augment, wrong_arguments_are_refused)
{
    struct dl_random r;
    dl_random_seed(&r, 12);
    dl_tensor *t = numbered(DL_SHAPE(3, 4, 5)), *one = dl_scalar(1);
    fails_with(dl_random_shift(t, 4, 4, 1, &r), "planes_of", "[3, 4, 5]", "4 x 4");
    fails_with(dl_random_flip(t, 0, 5, 1, &r), "0 x 5");
    fails_with(dl_random_flip(t, 4, -5, 1, &r), "4 x -5");
    fails_with(dl_random_shift(t, 4, 5, -1, &r), "reach is -1");
    fails_with(dl_random_shift(t, 4, 5, (1 << 20) + 1, &r), "reach");
    fails_with(dl_random_flip(t, 4, 5, 1.5, &r), "1.5 is not a probability");
    fails_with(dl_random_flip(t, 4, 5, -0.5, &r), "-0.5");
    fails_with(dl_random_flip(t, 4, 5, NAN, &r), "nan");
    fails_with(dl_random_noise(t, -1, &r), "-1");
    fails_with(dl_random_noise(t, NAN, &r), "nan");
    fails_with(dl_random_shift(one, 1, 1, 1, &r), "not a batch");
    fails_with(dl_random_shift(NULL, 1, 1, 1, &r), "NULL");
    fails_with(dl_random_noise(NULL, 1, &r), "NULL");
    dl_tensor_free(t), dl_tensor_free(one);
}
