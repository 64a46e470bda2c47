/* sums.c - the errors of three summations, as tab-separated values. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "dlfs.h"

/* exact counts units of 2^-24; at most 2^50 of them, exact in a double */
static double relative_error(float sum, uint64_t exact)
{
    return fabs(sum - exact * 0x1p-24) / (exact * 0x1p-24);
}

int main(void)
{
    enum { SMALLEST = 4, LARGEST = 26 };
    struct dl_random random;
    dl_random_seed(&random, 1);
    float *x = dl_alloc((size_t)1 << LARGEST, sizeof *x);
    printf("# build/sums; seed 1; threads 1\n");
    printf("n\tlog2\tinorder\tpairwise\tkahan\n");
    for (int k = SMALLEST; k <= LARGEST; k++) {
        size_t n = (size_t)1 << k;
        uint64_t exact = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = dl_random_uniform(&random);
            exact += (uint64_t)(x[i] * 0x1p24f);
        }
        printf("%zu\t%d\t%.2e\t%.2e\t%.2e\n", n, k,
               relative_error(dl_sum_in_order(x, n), exact),
               relative_error(dl_sum_pairwise(x, n), exact),
               relative_error(dl_sum_kahan(x, n), exact));
    }
    free(x);
    return 0;
}
