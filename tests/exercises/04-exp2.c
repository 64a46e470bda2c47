/* Exercise: powers of two. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

extern float two_to_the(float x);

Test(exp2, whole_exponents_are_exact)
{
    for (int n = -126; n < 128; n++)
        cr_assert(eq(flt, two_to_the((float)n), ldexpf(1, n)), "2^%d", n);
}

Test(exp2, normal_results_are_right_to_two_ulp)
{
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += 4099) {
        uint32_t pattern = (uint32_t)bits;
        float x;
        memcpy(&x, &pattern, sizeof x);
        if (!(x > -126 && x < 128))
            continue;
        double exact = exp2(x), ulp = ldexp(1, ilogb(exact) - 23);
        cr_assert(le(dbl, fabs(two_to_the(x) - exact) / ulp, 2), "2^%a", (double)x);
    }
}

Test(exp2, the_ends_of_the_range)
{
    cr_assert(eq(flt, two_to_the(128), INFINITY));
    cr_assert(eq(flt, two_to_the(1e30f), INFINITY));
    cr_assert(eq(flt, two_to_the(INFINITY), INFINITY));
    cr_assert(eq(flt, two_to_the(-150), 0));
    cr_assert(eq(flt, two_to_the(-1e30f), 0));
    cr_assert(eq(flt, two_to_the(-INFINITY), 0));
    cr_assert(eq(flt, two_to_the(-149), 0x1p-149f));
    cr_assert(isnan(two_to_the(NAN)));
}
