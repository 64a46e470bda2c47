/* Exercise "To half precision". */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdint.h>

extern uint16_t to_half(float x);

static double value(int h)
{
    int e = h / 1024 % 32, f = h % 1024;
    return e == 0 ? ldexp(f, -24) : ldexp(1 + f / 1024.0, e - 15);
}

Test(half, every_half_is_itself)
{
    for (int h = 0; h < 0x7c00; h++) {
        cr_assert(eq(int, to_half((float)value(h)), h));
        cr_assert(eq(int, to_half(-(float)value(h)), h + 0x8000));
    }
}

Test(half, between_two_the_nearer_one_and_in_the_middle_the_even_one)
{
    for (int h = 0; h < 0x7bff; h++) {
        double a = value(h), b = value(h + 1), middle = (a + b) / 2;
        cr_assert(eq(int, to_half((float)middle), h % 2 == 0 ? h : h + 1));
        cr_assert(eq(int, to_half((float)(middle * 0.75 + a * 0.25)), h));
        cr_assert(eq(int, to_half((float)(middle * 0.75 + b * 0.25)), h + 1));
    }
}

Test(half, what_is_too_large_and_what_is_no_number)
{
    cr_assert(eq(int, to_half(65519.99f), 0x7bff));
    cr_assert(eq(int, to_half(65520), 0x7c00));
    cr_assert(eq(int, to_half(-INFINITY), 0xfc00));
    cr_assert(eq(int, to_half(1e-30f), 0));
    int n = to_half(NAN);
    cr_assert(n % 0x8000 > 0x7c00);
}
