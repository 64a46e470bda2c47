/* Exercise: Lion, a rule of one's own. */
#include "optim.h"
#include "tensor.h"

extern void lion_apply(const struct dl_change *x);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static const struct dl_hyper numbers = {.lr = 0.125, .beta1 = 0.75, .beta2 = 0.5, .weight_decay = 0.5};

static struct dl_change change(size_t n, dl_real *p, const dl_real *g, dl_real *m)
{
    return (struct dl_change){.h = &numbers, .t = 1, .shape = DL_SHAPE((int)n), .n = n, .p = p, .g = g, .state = {m}};
}

Test(lion, steps_have_the_length_of_the_rate)
{
    dl_real p[3] = {0, 0, 0}, g[3] = {1e-3f, -1e3f, 0}, m[3] = {0, 0, 0};
    struct dl_change x = change(3, p, g, m);
    lion_apply(&x);
    cr_assert(p[0] == -0.125f && p[1] == 0.125f && p[2] == 0);
    cr_assert(fabs(m[0] - 5e-4) < 1e-9 && m[1] == -500 && m[2] == 0);
}

Test(lion, looks_at_the_first_average_and_keeps_the_second)
{
    dl_real p[2] = {0, 0}, g[2] = {-2, -4}, m[2] = {1, 1};
    struct dl_change x = change(2, p, g, m);
    lion_apply(&x);
    cr_assert(p[0] == -0.125f, "0.75 - 0.5 is positive");
    cr_assert(p[1] == 0.125f, "0.75 - 1 is negative");
    cr_assert(m[0] == -0.5f && m[1] == -1.5f);
}

Test(lion, decays_beside_the_gradient)
{
    dl_real p[1] = {16}, g[1] = {0}, m[1] = {0};
    struct dl_change x = change(1, p, g, m);
    lion_apply(&x);
    cr_assert(p[0] == 15 && m[0] == 0);
}
