/* shapes.c - a bias repeated for each row of a batch, and its gradient.
   It prints
[[0.66135216 0.2669241  0.06167726 0.6213173 ]
 [0.66135216 0.2669241  0.06167726 0.6213173 ]
 [0.66135216 0.2669241  0.06167726 0.6213173 ]]
[1.5 1.5 1.5 1.5]
*/
#include <stdio.h>
#include "dlfs.h"

int main(void)
{
    struct dl_random random;
    dl_random_seed(&random, 1);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *bias = dl_normal(DL_SHAPE(4), &random, 0, 1);
    dl_tensor *repeated = dl_empty(DL_SHAPE(3, 4));
    dl_tensor *gradient = dl_full(DL_SHAPE(3, 4), 0.5);
    dl_broadcast_copy(repeated, bias);
    dl_print(stdout, repeated);
    dl_sum_to(bias, gradient);
    dl_print(stdout, bias);
    dl_scope_leave(scope);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
