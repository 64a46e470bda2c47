/* Exercise: how many floats apart? */
#include <stdint.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern int64_t ulps_apart(float a, float b);

/* Any finite float of the stream that seed starts: all signs and exponents are equally likely. */
static float any_float(uint64_t *seed)
{
    for (;;) {
        *seed = *seed * 6364136223846793005 + 1442695040888963407;
        uint32_t bits = *seed >> 32;
        float x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            return x;
    }
}

Test(ulps, a_float_is_0_apart_from_itself_and_so_are_the_two_zeros)
{
    uint64_t seed = 1;
    for (int i = 0; i < 10000; i++) {
        float x = any_float(&seed);
        cr_assert(eq(i64, ulps_apart(x, x), 0), "%a", x);
    }
    cr_assert(eq(i64, ulps_apart(0.0f, -0.0f), 0));
    cr_assert(eq(i64, ulps_apart(-0.0f, 0.0f), 0));
    cr_assert(eq(i64, ulps_apart(-0.0f, -0.0f), 0));
}

Test(ulps, a_float_and_the_next_are_1_apart_at_every_scale_and_sign)
{
    for (int e = -149; e < 128; e++)
        for (int sign = -1; sign <= 1; sign += 2) {
            float x = sign * ldexpf(1, e), up = nextafterf(x, INFINITY), down = nextafterf(x, -INFINITY);
            cr_assert(eq(i64, ulps_apart(x, up), 1), "%a and the next float above", x);
            cr_assert(eq(i64, ulps_apart(x, down), 1), "%a and the next float below", x);
            cr_assert(eq(i64, ulps_apart(down, up), 2), "the neighbours of %a", x);
        }
}

Test(ulps, subnormal_numbers_are_floats_like_others)
{
    cr_assert(eq(i64, ulps_apart(0x1p-149f, 0), 1));
    cr_assert(eq(i64, ulps_apart(-0x1p-149f, 0), 1));
    cr_assert(eq(i64, ulps_apart(0x1p-149f, -0.0f), 1));
    cr_assert(eq(i64, ulps_apart(-0x1p-149f, 0x1p-149f), 2));
    cr_assert(eq(i64, ulps_apart(3 * 0x1p-149f, -5 * 0x1p-149f), 8));
    cr_assert(eq(i64, ulps_apart(FLT_MIN, 0), 1 << 23));
    cr_assert(eq(i64, ulps_apart(FLT_MIN, -FLT_MIN), 1 << 24));
}

Test(ulps, as_many_floats_as_there_are_lie_between)
{
    cr_assert(eq(i64, ulps_apart(1, 2), 1 << 23));
    cr_assert(eq(i64, ulps_apart(-1, -2), 1 << 23));
    cr_assert(eq(i64, ulps_apart(1, 1024), 10 << 23));
    cr_assert(eq(i64, ulps_apart(0, 1), 127 << 23));
    cr_assert(eq(i64, ulps_apart(-0.0f, 1), 127 << 23));
    cr_assert(eq(i64, ulps_apart(0.1f, (float)0.1), 0));
    cr_assert(eq(i64, ulps_apart(1, 1 + 7 * FLT_EPSILON), 7));
}

Test(ulps, distances_across_zero_do_not_fit_in_32_bits)
{
    cr_assert(eq(i64, ulps_apart(-1, 1), 2 * (INT64_C(127) << 23)));
    cr_assert(eq(i64, ulps_apart(-2, 2), INT64_C(1) << 31));
    cr_assert(eq(i64, ulps_apart(2, -2), INT64_C(1) << 31));
    cr_assert(eq(i64, ulps_apart(FLT_MAX, -FLT_MAX), 2 * INT64_C(0x7f7fffff)));
    cr_assert(eq(i64, ulps_apart(-FLT_MAX, FLT_MAX), 2 * INT64_C(0x7f7fffff)));
}

Test(ulps, the_distance_is_the_same_there_and_back_and_on_the_other_side_of_zero)
{
    uint64_t seed = 2;
    for (int i = 0; i < 10000; i++) {
        float a = any_float(&seed), b = any_float(&seed);
        int64_t apart = ulps_apart(a, b);
        cr_assert(gt(i64, apart, 0), "%a and %a", a, b);
        cr_assert(eq(i64, ulps_apart(b, a), apart), "%a and %a", b, a);
        cr_assert(eq(i64, ulps_apart(-a, -b), apart), "%a and %a", -a, -b);
    }
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

Test(ulps, parts_of_a_way_add_up)
{
    uint64_t seed = 3;
    for (int i = 0; i < 10000; i++) {
        float x[3] = {any_float(&seed), any_float(&seed), any_float(&seed)};
        qsort(x, 3, sizeof *x, ascending);
        cr_assert(eq(i64, ulps_apart(x[0], x[1]) + ulps_apart(x[1], x[2]), ulps_apart(x[0], x[2])),
                  "from %a by %a to %a", x[0], x[1], x[2]);
    }
}
