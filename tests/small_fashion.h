/* A small data set in the format of Fashion-MNIST. The program that includes this is linked with zlib. */
#ifndef DLFS_TESTS_SMALL_FASHION_H
#define DLFS_TESTS_SMALL_FASHION_H

#include "random.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <zlib.h>

/* One file of it: n images of noise of side * side bytes, or, if side is 0, n labels, of which the last is the given one. */
static void write_idx(const char *folder, const char *name, int n, int side, int label)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s-ubyte.gz", folder, name);
    gzFile f = gzopen(path, "wb1");
    cr_assert(f != NULL);
    unsigned char head[16] = {0, 0, 8, side > 0 ? 3 : 1, 0, 0, (unsigned char)(n >> 8), (unsigned char)n,
                              0, 0, 0, (unsigned char)side, 0, 0, 0, (unsigned char)side};
    gzwrite(f, head, side > 0 ? 16 : 8);
    struct dl_random r;
    dl_random_seed(&r, (uint64_t)(n + side));
    for (int i = 0; i < n * (side > 0 ? side * side : 1); i++)
        gzputc(f, side > 0 ? (int)dl_random_below(&r, 256) : i == n - 1 ? label : i % 10);
    cr_assert(gzclose(f) == Z_OK);
}

/* The four files; the last label of the training set is the given one. */
static void write_fashion(const char *folder, int training, int test, int side, int label)
{
    write_idx(folder, "train-images-idx3", training, side, 0);
    write_idx(folder, "train-labels-idx1", training, 0, label);
    write_idx(folder, "t10k-images-idx3", test, side, 0);
    write_idx(folder, "t10k-labels-idx1", test, 0, 0);
}

/* What no program accepts that wants clothes. */
static const struct { int training, test, side, label; const char *why; } bad_fashion[] = {
    {0, 10, 28, 0, "an axis is empty"}, {10, 0, 28, 0, "an axis is empty"}, {10, 10, 28, 10, "label 10, of example 9"},
    {10, 10, 28, 255, "label 255, of example 9"},
};
enum { BAD_FASHION = sizeof bad_fashion / sizeof *bad_fashion };

#endif
