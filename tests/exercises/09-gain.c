/* Exercise 09-gain: by what the weights must be scaled for an activation. */
#include "dlfs.h"
#include <criterion/criterion.h>
#include <math.h>

extern double gain_of(dl_tensor *(*f)(dl_tensor *x));

static dl_tensor *identity(dl_tensor *x) { return dl_mul_scalar(x, 1); }
static dl_tensor *leaky(dl_tensor *x) { return dl_leaky_relu(x, (dl_real)0.2); }

static void expect(const char *name, double got, double wanted)
{
    cr_assert(fabs(got - wanted) < 2e-3 * wanted, "%s: %g, not %g", name, got, wanted);
}

Test(gain, is_the_inverse_root_of_the_mean_square)
{
    expect("identity", gain_of(identity), 1);
    expect("relu", gain_of(dl_relu), sqrt(2));
    expect("leaky relu", gain_of(leaky), sqrt(2 / 1.04));
    expect("tanh", gain_of(dl_tanh), 1.59254);
    expect("sigmoid", gain_of(dl_sigmoid), 1.84623);
    expect("silu", gain_of(dl_silu), 1.67653);
}
