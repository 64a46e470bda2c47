/* sum.c - three ways to add up n floats. */
#include "sum.h"

float dl_sum_in_order(const float *x, size_t n)
{
    float s = 0;
    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

float dl_sum_pairwise(const float *x, size_t n)
{
    if (n <= 8)
        return dl_sum_in_order(x, n);
    size_t half = n / 2;
    return dl_sum_pairwise(x, half) + dl_sum_pairwise(x + half, n - half);
}

float dl_sum_kahan(const float *x, size_t n)
{
    float s = 0, c = 0;
    for (size_t i = 0; i < n; i++) {
        float y = x[i] - c;
        float t = s + y;
        c = (t - s) - y;
        s = t;
    }
    return s;
}
