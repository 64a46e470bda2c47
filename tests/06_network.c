/* Chapter 6: a network of three layers, trained: the same bits everywhere, no growth, errors that leave nothing. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "random.h"

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>
#include "network.h"

/* ---- The same bits --------------------------------------------------------------------------------------------- */

#ifndef DL_DOUBLE           /* where libm computes, and another one may round otherwise */
Test(bits, of_trained_weights_are_the_same_everywhere_with_any_threads_and_instruction_set)
{
    enum dl_simd best = dl_get_simd();
    for (int set = DL_SIMD_PLAIN; set <= (int)best; set++)
        for (int threads = 1; threads <= 4; threads++) {
            dl_set_simd((enum dl_simd)set);
            dl_set_num_threads(threads);
            uint64_t hash = hash_after_training();
            cr_assert(hash == TRAINED, "set %d, %d threads: the hash is %#jx", set, threads, (uintmax_t)hash);
        }
}
#else
Test(bits, of_trained_weights_are_the_same_with_any_threads)
{
    dl_set_num_threads(1);
    uint64_t hash = hash_after_training();
    dl_set_num_threads(3);
    cr_assert(eq(u64, hash_after_training(), hash));
}
#endif

static bool same(const dl_tensor *a, const dl_tensor *b)
{
    return dl_shape_equal(a->shape, b->shape) && memcmp(dl_data(a), dl_data(b), a->size * sizeof(dl_real)) == 0;
}

/* Samples `start` to `start + length - 1` of a batch, by themselves. */
static dl_tensor *samples(dl_tensor *batch, int start, int length)
{
    return dl_clone(dl_narrow(batch, start, length));
}

Test(bits, of_a_sample_are_the_same_alone_and_in_any_batch)
{
    enum dl_simd best = dl_get_simd();
    struct network net;
    make_network(&net);
    for (int set = DL_SIMD_PLAIN; set <= (int)best; set++)
        for (int threads = 1; threads <= 3; threads += 2) {
            dl_scope scope = dl_scope_enter(DL_NO_GRAD);
            dl_set_simd((enum dl_simd)set);
            dl_set_num_threads(threads);
            dl_tensor *all = output(&net, net.x);
            for (int row = 0; row < N; row += 41) {
                static const int lengths[] = {1, 2, 3, 5, 8, 13, 16, 33, 64, 255};
                for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
                    int length = lengths[k] < N - row ? lengths[k] : N - row;
                    dl_scope inner = dl_scope_enter(DL_NO_GRAD);
                    dl_tensor *some = output(&net, samples(net.x, row, length));
                    cr_assert(same(some, dl_narrow(all, row, length)), "set %d, %d threads, %d samples from %d on", set,
                              threads, length, row);
                    dl_scope_leave(inner);
                }
            }
            dl_scope_leave(scope);
        }
    free_network(&net);
}

Test(bits, of_a_row_of_a_product_are_the_same_alone_and_among_others)
{
    static const int depths[] = {1, 7, 512, 513}, widths[] = {1, 5, 16, 33, 130}, heights[] = {2, 3, 6, 17, 64};
    struct dl_random random;
    dl_random_seed(&random, 5);
    for (int k = 0; k < 4; k++)
        for (int n = 0; n < 5; n++)
            for (int m = 0; m < 5; m++) {
                dl_scope scope = dl_scope_enter(DL_NO_GRAD);
                dl_tensor *a = dl_uniform(DL_SHAPE(heights[m], depths[k]), &random, -1, 1);
                dl_tensor *b = dl_uniform(DL_SHAPE(depths[k], widths[n]), &random, -1, 1), *c = dl_matmul(a, b);
                for (int row = 0; row < heights[m]; row += heights[m] / 2)
                    cr_assert(same(dl_matmul(samples(a, row, 1), b), dl_narrow(c, row, 1)), "row %d of %d x %d x %d", row,
                              heights[m], depths[k], widths[n]);
                dl_scope_leave(scope);
            }
}

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

#if !ADDRESS_SANITIZER && defined __GLIBC__
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic long requests;                   /* of the system, by any thread */
static _Atomic long countdown = -1;             /* requests until one is refused; never if negative */

static bool granted(void)
{
    requests++;
    return countdown < 0 || countdown-- != 0;
}

void *malloc(size_t n) { return granted() ? __libc_malloc(n) : NULL; }
void *calloc(size_t n, size_t size) { return granted() ? __libc_calloc(n, size) : NULL; }
void *realloc(void *p, size_t n) { return granted() ? __libc_realloc(p, n) : NULL; }
void *aligned_alloc(size_t unit, size_t n) { return granted() ? __libc_memalign(unit, n) : NULL; }

/* Exactly; the number in /proc/self/statm is some pages behind. */
static long resident_kilobytes(void)
{
    char line[256];
    long size = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f))
        sscanf(line, "Rss: %ld", &size);
    if (f != NULL)
        fclose(f);
    return size;
}

Test(growth, there_is_none_in_ten_thousand_steps_on_two_threads)
{
    struct network net;
    dl_set_num_threads(2);
    make_network(&net);
    for (int k = 0; k < 2; k++)
        train_step(&net, 4);
    resident_kilobytes();                                       /* touches pages of its own */
    size_t misses = dl_pool_use().misses, blocks = dl_pool_use().blocks, bytes = dl_pool_use().bytes;
    long resident = resident_kilobytes(), before = requests;
    for (int k = 2; k < 10000; k++)
        train_step(&net, 4);
    cr_assert(eq(long, requests, before));
    cr_assert(eq(sz, dl_pool_use().misses, misses));
    cr_assert(eq(sz, dl_pool_use().blocks, blocks));
    cr_assert(eq(sz, dl_pool_use().bytes, bytes));
    cr_assert(le(long, resident_kilobytes(), resident + 16));   /* a page of a stack or two may be new */
    free_network(&net);
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}

Test(growth, a_system_that_refuses_any_one_request_is_one_line_and_leaves_nothing_behind)
{
    static struct network net;
    static size_t blocks;
    static long k, lines;
    if (under_valgrind())
        cr_skip_test("valgrind has its own malloc");
    dl_set_num_threads(1);
    make_network(&net);
    blocks = dl_pool_use().blocks;
    for (k = 0; k < 1000; k++) {
        static dl_scope scope;
        dl_pool_drain();
        scope = dl_scope_enter(DL_RECORD);
        countdown = k;
        const char *report = report_of(train_step(&net, N));
        bool done = countdown >= 0;
        countdown = -1;
        dl_scope_leave(scope);
        dl_zero_grad(&net.params);
        cr_assert(eq(sz, dl_pool_use().blocks, blocks), "request %ld: %s", k, report);
        if (done)
            break;
        cr_assert(strstr(report, "memory") != NULL && strchr(report, '\n') == NULL, "request %ld: \"%s\"", k, report);
        lines++;
    }
    cr_assert(lines > 25 && lines < 1000, "%ld requests", lines);
    free_network(&net);
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
}
#endif
