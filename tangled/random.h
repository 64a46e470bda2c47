/* random.h - pseudo-random numbers, as PyTorch 1.13 draws them on a CPU. */
#ifndef DLFS_RANDOM_H
#define DLFS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* The generator: 2.5 kB, to be seeded before use. A copy of it draws the
   same numbers as the original. */
struct dl_random {
    uint32_t state[624];    /* the last 624 words of the recurrence */
    int at;                 /* how many of them have been drawn */
    bool has_spare;         /* a normal deviate is left over ... */
    double spare;           /* ... this one */
};

/* Start from a seed, as torch.manual_seed does: only its lower 32 bits
   matter. */
void dl_random_seed(struct dl_random *r, uint64_t seed);

/* 32 random bits. */
uint32_t dl_random_u32(struct dl_random *r);

/* 64 random bits: two words, the first in the upper half. The bits below
   the sign are what torch.empty((), dtype=torch.int64).random_() draws. */
uint64_t dl_random_u64(struct dl_random *r);

/* An integer from 0 to n-1, n > 0, as torch.randint(n, ()) draws it. The
   probabilities differ from 1/n by less than 2^-32 (2^-64 if n >= 2^32). */
uint64_t dl_random_below(struct dl_random *r, uint64_t n);

/* A multiple of 2^-24 in [0, 1), as torch.rand(1) draws it. */
float dl_random_uniform(struct dl_random *r);

/* A multiple of 2^-53 in [0, 1): torch.rand(1, dtype=torch.float64). */
double dl_random_uniform_double(struct dl_random *r);

/* Fill x with n uniform draws from [low, high], low <= high, as
   x.uniform_(low, high) does. */
void dl_random_fill_uniform(struct dl_random *r, float *x, size_t n,
                            float low, float high);

/* Fill p with a permutation of 0 ... n-1, n >= 0, as torch.randperm(n)
   draws it. */
void dl_random_permutation(struct dl_random *r, int *p, int n);

/* Fill x with n values that are 1 with probability p and 0 otherwise,
   0 <= p <= 1, as x.bernoulli_(p) does. */
void dl_random_fill_bernoulli(struct dl_random *r, float *x, size_t n,
                              double p);

/* One draw from N(0, 1), in double precision. A torch.randn(k) with k < 16
   is k of these, rounded to float. */
double dl_random_normal(struct dl_random *r);

/* Fill x with n draws from N(mean, std^2), std >= 0, as
   x.normal_(mean, std) does: to the bit for n < 16; otherwise PyTorch's
   vector code, whose logarithm and cosine are its own, agrees to about
   5e-7 std. */
void dl_random_fill_normal(struct dl_random *r, float *x, size_t n,
                           float mean, float std);

#pragma GCC visibility pop

#endif
