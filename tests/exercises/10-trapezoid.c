/* Exercise: a schedule that does not know its end. */
#include "schedule.h"

extern double trapezoid(int64_t step, int64_t w, int64_t e, int64_t c);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

Test(trapezoid, warms_up_as_the_library_does)
{
    for (int64_t t = 0; t < 10; t++)
        cr_assert(fabs(trapezoid(t, 10, 100, 50) - dl_schedule_warmup_cosine(t, 10, 1000, 0)) < 1e-15);
    cr_assert(trapezoid(0, 0, 100, 50) == 1);
}

Test(trapezoid, is_flat_and_falls)
{
    for (int64_t t = 9; t <= 100; t++)
        cr_assert(trapezoid(t, 10, 100, 50) == 1);
    cr_assert(fabs(trapezoid(125, 10, 100, 50) - 0.5) < 1e-15 && fabs(trapezoid(149, 10, 100, 50) - 0.02) < 1e-15);
    cr_assert(trapezoid(150, 10, 100, 50) == 0 && trapezoid(100000, 10, 100, 50) == 0);
}
