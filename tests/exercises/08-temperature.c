/* Exercise: the temperature that calibrates a classifier. */
#include "loss.h"
#include "memory.h"
#include "ops.h"
#include "random.h"

extern double temperature(const dl_tensor *logits, struct dl_ints label);

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

static dl_scope scope;
static void enter(void) { scope = dl_scope_enter(DL_NO_GRAD); }
TestSuite(temperature, .init = enter);

Test(temperature, is_a_where_the_logits_are_a_times_the_true_log_odds)
{
    for (double a = 0.25; a <= 16; a *= 2) {            /* three of four are right: the true odds are 3 */
        dl_real z = (dl_real)(a * log(3));
        dl_tensor *x = dl_from_array(DL_SHAPE(4, 2), (dl_real[]){z, 0, z, 0, z, 0, z, 0});
        double T = temperature(x, DL_INTS(0, 0, 1, 0));
        cr_assert(epsilon_eq(dbl, T, a, 1e-4 * a));
    }
}

Test(temperature, no_other_one_has_a_smaller_loss)
{
    struct dl_random r;
    int label[60];
    dl_random_seed(&r, 5);
    dl_tensor *x = dl_normal(DL_SHAPE(60, 5), &r, 0, 3);
    for (int i = 0; i < 60; i++)
        label[i] = i % 3 == 0 ? (int)dl_random_below(&r, 5) : 0;
    for (int i = 0; i < 60; i++)
        dl_data(x)[5 * i + label[i]] += 2;
    struct dl_ints y = {60, label};
    double T = temperature(x, y), loss[3];
    for (int k = 0; k < 3; k++)
        loss[k] = (double)dl_item(dl_cross_entropy(dl_mul_scalar(x, (dl_real)((0.98 + 0.02 * k) / T)), y));
    cr_assert(loss[1] <= loss[0] && loss[1] <= loss[2], "T = %g: %.9g %.9g %.9g", T, loss[0], loss[1], loss[2]);
}
