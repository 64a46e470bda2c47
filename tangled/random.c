/* random.c - pseudo-random numbers, as PyTorch 1.13 draws them on a CPU. */
#include "random.h"
#include <math.h>
#include "base.h"

void dl_random_seed(struct dl_random *r, uint64_t seed)
{
    uint32_t *x = r->state;
    x[0] = (uint32_t)seed;
    for (uint32_t k = 1; k < 624; k++)
        x[k] = 1812433253u * (x[k - 1] ^ x[k - 1] >> 30) + k;
    r->at = 624;
    r->has_spare = false;
}

static void twist(uint32_t x[624])
{
    for (int k = 0; k < 624; k++) {
        uint32_t y = (x[k] & 0x80000000u)
                   | (x[(k + 1) % 624] & 0x7fffffffu);
        x[k] = x[(k + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

uint32_t dl_random_u32(struct dl_random *r)
{
    if (r->at == 624) {
        twist(r->state);
        r->at = 0;
    }
    uint32_t y = r->state[r->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint64_t dl_random_u64(struct dl_random *r)
{
    uint64_t high = dl_random_u32(r);
    return high << 32 | dl_random_u32(r);
}

uint64_t dl_random_below(struct dl_random *r, uint64_t n)
{
    dl_check(n > 0, "there is no integer below 0 to draw");
    return n <= UINT32_MAX ? dl_random_u32(r) % n : dl_random_u64(r) % n;
}

float dl_random_uniform(struct dl_random *r)
{
    return (float)(dl_random_u32(r) & 0xffffff) * 0x1p-24f;
}

double dl_random_uniform_double(struct dl_random *r)
{
    return (double)(dl_random_u64(r) & 0x1fffffffffffff) * 0x1p-53;
}

void dl_random_fill_uniform(struct dl_random *r, float *x, size_t n,
                            float low, float high)
{
    dl_check(low <= high, "the interval [%g, %g] is empty", low, high);
    for (size_t i = 0; i < n; i++)
        x[i] = fmaf(dl_random_uniform(r), high - low, low);
}

void dl_random_permutation(struct dl_random *r, int *p, int n)
{
    dl_check(n >= 0, "a permutation of %d numbers was asked for", n);
    for (int i = 0; i < n; i++)
        p[i] = i;
    for (int i = 0; i < n - 1; i++) {
        int j = i + (int)(dl_random_u32(r) % (uint32_t)(n - i));
        int chosen = p[j];
        p[j] = p[i];
        p[i] = chosen;
    }
}

void dl_random_fill_bernoulli(struct dl_random *r, float *x, size_t n,
                              double p)
{
    dl_check(p >= 0 && p <= 1, "%g is not a probability", p);
    for (size_t i = 0; i < n; i++)
        x[i] = dl_random_uniform_double(r) < p;
}

static const double PI = 3.14159265358979323846;

double dl_random_normal(struct dl_random *r)
{
    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    double angle = 2 * PI * dl_random_uniform_double(r);
    double radius = sqrt(-2 * log1p(-dl_random_uniform_double(r)));
    r->has_spare = true;
    r->spare = radius * sin(angle);
    return radius * cos(angle);
}

static void normal_block(float x[16], float mean, float std)
{
    for (int j = 0; j < 8; j++) {
        float radius = sqrtf(-2 * logf(1 - x[j]));
        float angle = 2 * (float)PI * x[j + 8];
        x[j] = fmaf(radius * cosf(angle), std, mean);
        x[j + 8] = fmaf(radius * sinf(angle), std, mean);
    }
}

void dl_random_fill_normal(struct dl_random *r, float *x, size_t n,
                           float mean, float std)
{
    dl_check(std >= 0, "the standard deviation %g is negative", std);
    if (n < 16) {
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(dl_random_normal(r) * std + mean);
        return;
    }
    dl_random_fill_uniform(r, x, n, 0, 1);
    for (size_t i = 0; i + 16 <= n; i += 16)
        normal_block(x + i, mean, std);
    if (n % 16 != 0) {
        dl_random_fill_uniform(r, x + n - 16, 16, 0, 1);
        normal_block(x + n - 16, mean, std);
    }
}
