/* augment.c - random changes of images. */
#include <stdlib.h>
#include <string.h>
#include "augment.h"
#include "base.h"
#include "parallel.h"

struct planes {
    dl_real *x;                         /* of the first example */
    int height, width;
    size_t each;                        /* planes of an example */
    const int *down, *right;            /* moves, one per example */
    const float *mirror;                /* 1: mirror it */
};

static struct planes planes_of(const dl_tensor *batch, int height, int width)
{
    dl_check_tensor(batch);
    dl_check(batch->shape.rank > 0, "a single number is not a batch");
    dl_check(height > 0 && width > 0, "images of %d x %d", height, width);
    size_t n = (size_t)batch->shape.dim[0], area = (size_t)height * width;
    dl_check(n == 0 || batch->size % (n * area) == 0,
             "%s is not a batch of images of %d x %d",
             DL_SHAPE_TEXT(batch->shape), height, width);
    return (struct planes){dl_data(batch), height, width,
                           n == 0 ? 0 : batch->size / (n * area),
                           NULL, NULL, NULL};
}

static dl_real *plane(const struct planes *p, size_t example, size_t k)
{
    return p->x + (example * p->each + k) * p->height * p->width;
}

static void move_row(dl_real *to, const dl_real *from, int width, int right)
{
    size_t gap = (size_t)(abs(right) < width ? abs(right) : width);
    size_t kept = (size_t)width - gap;
    memmove(to + (right > 0 ? gap : 0), from + (right > 0 ? 0 : gap),
            kept * sizeof *to);
    memset(to + (right > 0 ? 0 : kept), 0, gap * sizeof *to);
}

static void move_plane(dl_real *x, int height, int width, int down,
                       int right)
{
    for (int i = 0; i < height; i++) {
        int y = down > 0 ? height - 1 - i : i, source = y - down;
        dl_real *row = x + (size_t)y * width;
        if (source >= 0 && source < height)
            move_row(row, x + (size_t)source * width, width, right);
        else
            memset(row, 0, (size_t)width * sizeof *row);
    }
}

static void move_examples(size_t begin, size_t end, void *context)
{
    const struct planes *p = context;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < p->each; k++)
            move_plane(plane(p, i, k), p->height, p->width, p->down[i],
                       p->right[i]);
}

static void mirror_examples(size_t begin, size_t end, void *context)
{
    const struct planes *p = context;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < p->each && p->mirror[i] > 0; k++)
            for (int y = 0; y < p->height; y++) {
                dl_real *row = plane(p, i, k) + (size_t)y * p->width;
                for (int a = 0, b = p->width - 1; a < b; a++, b--) {
                    dl_real x = row[a];
                    row[a] = row[b];
                    row[b] = x;
                }
            }
}

enum { GRAIN = 16 };                    /* examples, for one thread */

static void touch(dl_tensor *batch)
{
    if (batch->size > 0)
        dl_touch(batch);
}

void dl_random_shift(dl_tensor *batch, int height, int width, int reach,
                     struct dl_random *r)
{
    struct planes p = planes_of(batch, height, width);
    dl_check(reach >= 0 && reach <= 1 << 20, "the reach is %d", reach);
    size_t n = (size_t)batch->shape.dim[0];
    uint64_t all = 2 * (uint64_t)reach + 1;
    int *move = dl_alloc(2 * n + 1, sizeof *move);
    for (size_t i = 0; i < n; i++) {
        move[i] = (int)dl_random_below(r, all) - reach;
        move[n + i] = (int)dl_random_below(r, all) - reach;
    }
    p.down = move;
    p.right = move + n;
    dl_parallel_for(n, GRAIN, move_examples, &p);
    touch(batch);
    free(move);
}

void dl_random_flip(dl_tensor *batch, int height, int width, double p,
                    struct dl_random *r)
{
    struct planes all = planes_of(batch, height, width);
    dl_check(p >= 0 && p <= 1, "%g is not a probability", p);
    size_t n = (size_t)batch->shape.dim[0];
    float *mirror = dl_alloc(n + 1, sizeof *mirror);
    dl_random_fill_bernoulli(r, mirror, n, p);
    all.mirror = mirror;
    dl_parallel_for(n, GRAIN, mirror_examples, &all);
    touch(batch);
    free(mirror);
}

void dl_random_noise(dl_tensor *batch, double sigma, struct dl_random *r)
{
    dl_check_tensor(batch);
    dl_check(sigma >= 0 && sigma < 1e30, "the deviation is %g", sigma);
    float *noise = dl_alloc(batch->size + 1, sizeof *noise);
    dl_random_fill_normal(r, noise, batch->size, 0, (float)sigma);
    for (size_t i = 0; i < batch->size; i++)
        dl_data(batch)[i] += noise[i];
    touch(batch);
    free(noise);
}
