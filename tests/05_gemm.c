/* Chapter 5: the matrix product. */
#ifndef NDEBUG
#define NDEBUG                 /* dl_check must not care */
#endif
#include "base.h"
#include "gemm.h"
#include "kernels.h"
#include "parallel.h"
#include "random.h"

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef DL_DOUBLE
#define UNIT 0x1p-53
#define FMA fma
static enum dl_simd best_set(void) { return DL_SIMD_PLAIN; }
#else
#define UNIT 0x1p-24
#define FMA fmaf
static enum dl_simd best_set(void)
{
    static int best = -1;
    if (best < 0)
        best = (int)dl_get_simd();                          /* the first answer, before anything was set */
    return (enum dl_simd)best;
}
#endif

#define EACH_SET(set) (int set = 0; set <= (int)best_set() && (dl_set_simd((enum dl_simd)set), true); set++)

static struct dl_random r;

static int below(int n) { return (int)dl_random_below(&r, (uint64_t)n); }
static int from_to(int low, int high) { return low + below(high - low + 1); }

/* ---- Arrays that end where memory ends -------------------------------------------------------------------------- */

/* n numbers, after which nothing may be read or written: the next page is protected. */
struct fenced { dl_real *at; size_t n; char *map; size_t bytes; };

static struct fenced fenced(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (n * sizeof(dl_real) + page - 1) / page * page;
    struct fenced f = {.n = n, .bytes = used + page};
    f.map = mmap(NULL, f.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(f.map != MAP_FAILED && mprotect(f.map + used, page, PROT_NONE) == 0);
    f.at = (dl_real *)(void *)(f.map + used) - n;
    return f;
}

static struct fenced random_fenced(size_t n)
{
    struct fenced f = fenced(n);
    for (size_t i = 0; i < n; i++)
        f.at[i] = (dl_real)(2 * dl_random_uniform_double(&r) - 1);
    return f;
}

static struct fenced copy_of(struct fenced f)
{
    struct fenced g = fenced(f.n);
    memcpy(g.at, f.at, f.n * sizeof *f.at);
    return g;
}

static void release(struct fenced f) { munmap(f.map, f.bytes); }

static bool same_bits(struct fenced f, struct fenced g)
{
    return f.n == g.n && memcmp(f.at, g.at, f.n * sizeof *f.at) == 0;
}

/* ---- Products --------------------------------------------------------------------------------------------------- */

static size_t room(int rows, int columns, int ld)
{
    return rows > 0 && columns > 0 ? (size_t)(rows - 1) * (size_t)ld + (size_t)columns : 0;
}

struct example { struct dl_product p; struct fenced a, b, c, column_bias, row_bias; };

static void cube_plus(size_t n, const dl_real *x, dl_real *y)   /* a map that is not linear, and exactly rounded in each step */
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : x[i] * (dl_real)0.25;
}

static struct example example(int m, int n, int k, bool ta, bool tb)
{
    struct example e = {.p = {.m = m, .n = n, .k = k, .ta = ta, .tb = tb, .alpha = 1}};
    e.p.lda = (ta ? m : k) + below(2) * below(6);
    e.p.ldb = (tb ? k : n) + below(2) * below(6);
    e.p.ldc = n + below(2) * below(6);
    e.a = random_fenced(ta ? room(k, m, e.p.lda) : room(m, k, e.p.lda));
    e.b = random_fenced(tb ? room(n, k, e.p.ldb) : room(k, n, e.p.ldb));
    e.c = random_fenced(room(m, n, e.p.ldc));
    e.column_bias = random_fenced((size_t)n);
    e.row_bias = random_fenced((size_t)m);
    e.p.a = e.a.at, e.p.b = e.b.at, e.p.c = e.c.at;
    return e;
}

static void forget(struct example *e)
{
    release(e->a), release(e->b), release(e->c), release(e->column_bias), release(e->row_bias);
}

static dl_real a_of(const struct dl_product *p, int i, int q)
{
    return p->ta ? p->a[(ptrdiff_t)q * p->lda + i] : p->a[(ptrdiff_t)i * p->lda + q];
}

static dl_real b_of(const struct dl_product *p, int q, int j)
{
    return p->tb ? p->b[(ptrdiff_t)j * p->ldb + q] : p->b[(ptrdiff_t)q * p->ldb + j];
}

/* The element as the book defines it, to the last bit. */
static dl_real defined_value(const struct dl_product *p, int i, int j, dl_real c)
{
    int k = p->alpha == 0 ? 0 : p->k;
    for (int first = 0; first == 0 || first < k; first += 512) {
        dl_real s = 0;
        for (int q = first; q < k && q < first + 512; q++)
            s = FMA(a_of(p, i, q), b_of(p, q, j), s);
        if (first == 0 && p->beta == 0)
            c = p->alpha * s;
        else
            c = FMA(p->alpha, s, first == 0 ? p->beta * c : c);
    }
    if (p->column_bias)
        c += p->column_bias[j];
    if (p->row_bias)
        c += p->row_bias[i];
    if (p->map)
        p->map(1, &c, &c);
    return c;
}

/* Without bias and map: is it within the bound of a sum in double? (The double build sums in long double.) */
static void assert_accurate(const struct dl_product *p, const dl_real *before)
{
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            long double sum = 0, size = 0, old = before[(ptrdiff_t)i * p->ldc + j];
            for (int q = 0; q < p->k; q++) {
                long double term = (long double)a_of(p, i, q) * b_of(p, q, j);
                sum += term, size += fabsl(term);
            }
            sum *= p->alpha, size *= fabsl(p->alpha);
            if (p->beta != 0)
                sum += p->beta * old, size += fabsl(p->beta * old);
            int blocks = (p->k + 511) / 512, deep = p->k < 512 ? p->k : 512;
            long double bound = (deep + blocks + 2) * (UNIT * 1.01L) * size + FLT_MIN;
            dl_real got = p->c[(ptrdiff_t)i * p->ldc + j];
            cr_assert(fabsl(got - sum) <= bound, "c(%d, %d) of %d x %d x %d is %.9g, wanted %.9Lg, bound %.2Lg",
                      i, j, p->m, p->n, p->k, (double)got, sum, bound);
        }
}

/* Every element, and nothing between the rows. */
static void assert_as_defined(const struct dl_product *p, struct fenced before)
{
    for (size_t at = 0; at < before.n; at++) {
        int i = (int)(at / (size_t)p->ldc), j = (int)(at % (size_t)p->ldc);
        dl_real wanted = j < p->n ? defined_value(p, i, j, before.at[at]) : before.at[at];
        cr_assert(memcmp(&wanted, &p->c[at], sizeof wanted) == 0,
                  "c(%d, %d) of %d x %d x %d, ta %d tb %d, is %a, defined as %a; set %d, %d threads", i, j, p->m, p->n, p->k,
                  p->ta, p->tb, (double)p->c[at], (double)wanted, (int)dl_get_simd(), dl_get_num_threads());
    }
}

static const dl_real factors[] = {0, 1, -1, 2, (dl_real)0.7, (dl_real)-1.3};

/* ---- Right ------------------------------------------------------------------------------------------------------ */

Test(product, errors_stay_below_the_derived_bound)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 1);
        for (int t = 0; t < 150; t++) {
            int most = t % 10 == 0 ? 90 : 30;
            struct example e = example(from_to(1, most), from_to(1, most), from_to(0, t % 7 ? 50 : 1300), t & 1, t & 2);
            struct fenced before = copy_of(e.c);
            e.p.alpha = factors[below(6)], e.p.beta = factors[below(6)];
            dl_gemm_run(&e.p);
            if (e.p.alpha == 0)
                e.p.k = 0;
            assert_accurate(&e.p, before.at);
            release(before), forget(&e);
        }
    }
}

Test(product, every_bit_is_as_defined_for_every_shape_up_to_20)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 2);
        for (int m = 1; m <= 20; m++)
            for (int n = 1; n <= 20; n++) {
                struct example e = example(m, n, from_to(0, 12), below(2), below(2));
                struct fenced before = copy_of(e.c);
                e.p.beta = factors[below(6)];
                dl_gemm_run(&e.p);
                assert_as_defined(&e.p, before);
                release(before), forget(&e);
            }
    }
}

Test(product, every_bit_is_as_defined_for_random_shapes_with_everything)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 3);
        for (int t = 0; t < 300; t++) {
            int most = t % 20 == 0 ? 300 : t % 3 ? 40 : 120;
            int m = t % 7 == 0 ? from_to(1, 4) : from_to(1, most), n = t % 11 == 0 ? from_to(1, 12) : from_to(1, most);
            struct example e = example(m, n, t % 10 ? from_to(0, 100) : from_to(500, 1100), below(2), below(2));
            struct fenced before = copy_of(e.c);
            e.p.alpha = t % 4 ? 1 : factors[below(6)], e.p.beta = factors[below(6)];
            e.p.column_bias = below(2) ? e.column_bias.at : NULL;
            e.p.row_bias = below(2) ? e.row_bias.at : NULL;
            e.p.map = (dl_gemm_map *[]){NULL, cube_plus, dl_vrelu}[below(3)];
            dl_set_num_threads(from_to(1, 4));
            dl_gemm_run(&e.p);
            assert_as_defined(&e.p, before);
            release(before), forget(&e);
        }
    }
}

Test(product, every_bit_is_as_defined_for_one_column)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 8);
        for (int t = 0; t < 64; t++) {
            struct example e = example(from_to(1, 140), 1, t % 5 ? from_to(0, 60) : 600, t & 1, t & 2);
            release(e.c);
            e.p.ldc = t % 8 ? 1 : 3;
            e.c = random_fenced(room(e.p.m, 1, e.p.ldc));
            e.p.c = e.c.at;
            struct fenced before = copy_of(e.c);
            e.p.beta = factors[below(6)];
            e.p.column_bias = t & 4 ? e.column_bias.at : NULL;
            e.p.row_bias = t & 8 ? e.row_bias.at : NULL;
            e.p.map = t & 16 ? cube_plus : NULL;
            dl_set_num_threads(from_to(1, 4));
            dl_gemm_run(&e.p);
            assert_as_defined(&e.p, before);
            release(before), forget(&e);
        }
    }
}

/* A few elements of products that are larger than every block. */
static void beyond_the_blocks(int m, int n, int k, bool ta, bool tb)
{
    struct example e = example(m, n, k, ta, tb);
    struct fenced before = copy_of(e.c);
    e.p.beta = 1;
    dl_gemm_run(&e.p);
    for (int t = 0; t < 3000; t++) {
        int i = t < 4 ? (t & 1) * (m - 1) : below(m), j = t < 4 ? (t >> 1) * (n - 1) : below(n);
        ptrdiff_t at = (ptrdiff_t)i * e.p.ldc + j;
        dl_real wanted = defined_value(&e.p, i, j, before.at[at]);
        cr_assert(memcmp(&wanted, &e.p.c[at], sizeof wanted) == 0, "c(%d, %d) of %d x %d x %d, ta %d tb %d, threads %d",
                  i, j, m, n, k, ta, tb, dl_get_num_threads());
    }
    release(before), forget(&e);
}

Test(product, sizes_beyond_every_block_are_right)
{
    dl_random_seed(&r, 4);
    for (int threads = 1; threads <= 3; threads++)
        for (int t = 0; t < 4; t++) {
            dl_set_num_threads(threads);
#ifdef DL_DOUBLE
            beyond_the_blocks(270, 65, 520, t & 1, t & 2);      /* its fma is slow */
#else
            beyond_the_blocks(601, 2111, 1031, t & 1, t & 2);
            beyond_the_blocks(2111, 301, 515, t & 1, t & 2);
            beyond_the_blocks(3, 4200, 513, t & 1, t & 2);
            beyond_the_blocks(4200, 2, 1025, t & 1, t & 2);
#endif
        }
}

/* ---- Edges ------------------------------------------------------------------------------------------------------ */

Test(edges, with_beta_0_what_c_holds_does_not_matter)
{
    static const dl_real bad[] = {NAN, INFINITY, -INFINITY};
    for EACH_SET(set) {
        dl_random_seed(&r, 5);
        for (int t = 0; t < 200; t++) {
            struct example e = example(from_to(1, 40), from_to(1, 40), from_to(0, 20), t & 1, t & 2);
            e.p.alpha = t % 3 ? 1 : factors[below(6)];
            for (size_t i = 0; i < e.c.n; i++)
                e.c.at[i] = bad[t % 3];
            struct fenced before = copy_of(e.c);
            dl_gemm_run(&e.p);
            assert_as_defined(&e.p, before);
            release(before), forget(&e);
        }
    }
}

Test(edges, with_k_0_c_is_scaled_and_the_factors_may_be_null)
{
    dl_real c[6] = {1, 2, 3, 4, 5, 6}, nan[6] = {NAN, NAN, NAN, NAN, NAN, NAN}, zero[6] = {0};
    dl_gemm(false, false, 2, 3, 0, 1, NULL, 0, NULL, 3, 2, c, 3);
    for (int i = 0; i < 6; i++)
        cr_assert(c[i] == 2 * (i + 1));
    dl_gemm(true, true, 3, 2, 0, 1, NULL, 3, NULL, 0, 0, nan, 2);
    cr_assert(memcmp(nan, zero, sizeof zero) == 0);
}

Test(edges, with_alpha_0_the_factors_are_not_read)
{
    dl_real c[4] = {1, 2, 3, 4}, bias[2] = {10, 20};
    dl_gemm(false, false, 2, 2, 7, 0, NULL, 7, NULL, 2, 3, c, 2);
    cr_assert(c[0] == 3 && c[1] == 6 && c[2] == 9 && c[3] == 12);
    dl_gemm_run(&(struct dl_product){.m = 2, .n = 2, .k = 9, .alpha = 0, .beta = 1, .c = c, .ldc = 2, .column_bias = bias});
    cr_assert(c[0] == 13 && c[1] == 26 && c[2] == 19 && c[3] == 32, "the epilogue is due with alpha = 0, too");
}

Test(edges, without_rows_or_columns_nothing_happens)
{
    dl_gemm(false, false, 0, 3, 4, 1, NULL, 4, NULL, 3, 0, NULL, 3);
    dl_gemm(true, true, 3, 0, 4, 1, NULL, 3, NULL, 4, 0, NULL, 0);
    dl_gemm(false, false, 0, 0, 0, 1, NULL, 0, NULL, 0, 0, NULL, 0);
    struct dl_packed *w = dl_pack(false, 0, 0, NULL, 0);
    dl_gemm_run(&(struct dl_product){.m = 3, .alpha = 1, .packed = w});
    dl_packed_free(w);
    dl_packed_free(NULL);
}

Test(edges, nan_and_infinity_reach_their_row_and_no_other)
{
    static const dl_real bad[] = {NAN, INFINITY};
    for EACH_SET(set) {
        dl_random_seed(&r, 6);
        for (int t = 0; t < 100; t++) {
            struct example e = example(from_to(1, 40), from_to(1, 40), from_to(1, 30), t & 1, t & 2);
            int i = below(e.p.m), q = below(e.p.k);
            e.a.at[e.p.ta ? q * e.p.lda + i : i * e.p.lda + q] = bad[t % 2];
            dl_gemm_run(&e.p);
            for (int row = 0; row < e.p.m; row++)
                for (int j = 0; j < e.p.n; j++)
                    cr_assert(eq(int, !isfinite(e.p.c[row * e.p.ldc + j]), row == i), "row %d of %d, bad is %d",
                              row, e.p.m, i);
            forget(&e);
        }
    }
}

/* ---- The same bits ---------------------------------------------------------------------------------------------- */

Test(bits, neither_threads_nor_instruction_sets_change_one)
{
    dl_random_seed(&r, 7);
    for (int t = 0; t < 60; t++) {
        struct example e = example(from_to(1, 200), from_to(1, 200), from_to(1, 700), t & 1, t & 2);
        struct fenced before = copy_of(e.c), first = {0};
        e.p.beta = factors[below(6)];
        e.p.column_bias = e.column_bias.at;
        for EACH_SET(set)
            for (int threads = 1; threads <= 4; threads++) {
                dl_set_num_threads(threads);
                memcpy(e.c.at, before.at, before.n * sizeof *before.at);
                dl_gemm_run(&e.p);
                if (set == 0 && threads == 1)
                    first = copy_of(e.c);
                cr_assert(same_bits(first, e.c), "%d x %d x %d, ta %d tb %d, set %d, %d threads",
                          e.p.m, e.p.n, e.p.k, e.p.ta, e.p.tb, set, threads);
            }
        release(before), release(first), forget(&e);
    }
}

Test(bits, a_row_alone_has_the_bits_that_it_has_in_a_batch)
{
    dl_random_seed(&r, 8);
    for (int t = 0; t < 40; t++) {
        int m = from_to(1, 70), n = from_to(1, 90), k = from_to(1, 1100);
        struct example e = example(m, n, k, false, t & 1);
        struct dl_product row = e.p;
        struct fenced c = fenced((size_t)n);
        dl_gemm_run(&e.p);
        row.m = 1, row.c = c.at;
        for (int i = 0; i < m; i++) {
            row.a = e.p.a + i * e.p.lda;
            dl_gemm_run(&row);
            cr_assert(memcmp(c.at, e.p.c + i * e.p.ldc,
                             (size_t)n * sizeof(dl_real)) == 0);
        }
        release(c), forget(&e);
    }
}

Test(bits, a_column_alone_has_the_bits_that_it_has_among_others)
{
    dl_random_seed(&r, 9);
    for (int t = 0; t < 40; t++) {
        struct example e = example(from_to(1, 70), from_to(1, 40), from_to(1, 600), t & 1, false);
        dl_gemm_run(&e.p);
        for (int j = 0; j < e.p.n; j++) {
            struct fenced column = fenced((size_t)e.p.m);
            dl_gemm(e.p.ta, false, e.p.m, 1, e.p.k, 1, e.p.a, e.p.lda, e.p.b + j, e.p.ldb, 0, column.at, 1);
            for (int i = 0; i < e.p.m; i++)
                cr_assert(memcmp(&column.at[i], &e.p.c[i * e.p.ldc + j], sizeof *column.at) == 0);
            release(column);
        }
        forget(&e);
    }
}

Test(bits, the_transposed_product_has_the_same_bits)
{
    dl_random_seed(&r, 10);
    for (int t = 0; t < 60; t++) {
        struct example e = example(from_to(1, 90), from_to(1, 90), from_to(1, 600), t & 1, t & 2);
        struct fenced turned = fenced((size_t)e.p.m * (size_t)e.p.n);
        dl_gemm_run(&e.p);
        dl_gemm(!e.p.tb, !e.p.ta, e.p.n, e.p.m, e.p.k, 1, e.p.b, e.p.ldb, e.p.a, e.p.lda, 0, turned.at, e.p.m);
        for (int i = 0; i < e.p.m; i++)
            for (int j = 0; j < e.p.n; j++)
                cr_assert(memcmp(&turned.at[j * e.p.m + i], &e.p.c[i * e.p.ldc + j], sizeof(dl_real)) == 0);
        release(turned), forget(&e);
    }
}

Test(bits, zeros_appended_to_k_change_none)
{
    dl_random_seed(&r, 11);
    for (int t = 0; t < 40; t++) {
        struct example e = example(from_to(1, 40), from_to(1, 40), from_to(1, 1200), false, true);
        int longer = e.p.k + from_to(1, 700);
        struct fenced a = random_fenced((size_t)e.p.m * (size_t)longer), b = random_fenced((size_t)e.p.n * (size_t)longer);
        struct fenced c = copy_of(e.c);
        for (int i = 0; i < e.p.m; i++)
            for (int q = 0; q < longer; q++)
                a.at[i * longer + q] = q < e.p.k ? a_of(&e.p, i, q) : 0;
        for (int j = 0; j < e.p.n; j++)
            for (int q = 0; q < e.p.k; q++)
                b.at[j * longer + q] = b_of(&e.p, q, j);
        dl_gemm_run(&e.p);
        dl_gemm(false, true, e.p.m, e.p.n, longer, 1, a.at, longer, b.at, longer, 0, c.at, e.p.ldc);
        cr_assert(same_bits(c, e.c), "k = %d and %d", e.p.k, longer);
        release(a), release(b), release(c), forget(&e);
    }
}

/* Lanes beyond the last column are computed and thrown away. Were they not filled with zeros, they would meet what the
   product before left in the workspace, and the processor's flags would tell. */
Test(edges, lanes_beyond_the_last_column_raise_no_flags)
{
    enum { N = 16, FEW = 5, K = 64 };
    static dl_real none[N * K], huge[N * K], ones[N * K], c[N * N];
    for (int i = 0; i < N * K; i++)
        huge[i] = sizeof(dl_real) == 4 ? (dl_real)FLT_MAX : (dl_real)DBL_MAX, ones[i] = 1;
    for EACH_SET(set) {
        dl_gemm(false, true, FEW, N, K, 1, none, K, huge, K, 0, c, N);
        feclearexcept(FE_ALL_EXCEPT);
        dl_gemm(false, true, FEW, FEW, K, 1, ones, K, ones, K, 0, c, N);
        cr_assert(fetestexcept(FE_OVERFLOW | FE_INVALID) == 0);
        for (int i = 0; i < FEW; i++)
            for (int j = 0; j < FEW; j++)
                cr_assert(c[i * N + j] == K);
    }
}

/* ---- Packed weights --------------------------------------------------------------------------------------------- */

Test(packed, weights_give_the_same_bits_packed_or_not)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 12);
        for (int t = 0; t < 80; t++) {
            struct example e = example(t % 3 ? from_to(1, 17) : from_to(1, 100), from_to(1, 200), from_to(0, t % 9 ? 100 : 1100),
                                       below(2), below(2));
            dl_set_num_threads(from_to(1, 3));
            struct fenced c = copy_of(e.c);
            e.p.beta = factors[below(6)];
            struct dl_packed *w = dl_pack(e.p.tb, e.p.k, e.p.n, e.p.b, e.p.ldb);
            dl_gemm_run(&e.p);
            struct dl_product with = e.p;
            with.b = NULL, with.packed = w, with.c = c.at;
            dl_gemm_run(&with);
            cr_assert(same_bits(c, e.c), "%d x %d x %d, set %d", e.p.m, e.p.n, e.p.k, set);
            dl_packed_free(w);
            release(c), forget(&e);
        }
    }
}

Test(packed, packing_again_takes_the_new_values)
{
    dl_random_seed(&r, 13);
    struct example e = example(5, 37, 600, false, true);
    struct fenced c = copy_of(e.c);
    struct dl_packed *w = dl_pack(true, 600, 37, e.p.b, e.p.ldb);
    for (size_t i = 0; i < e.b.n; i++)
        e.b.at[i] = -e.b.at[i] * 3;
    dl_pack_again(w, e.p.b, e.p.ldb);
    dl_gemm_run(&e.p);
    e.p.b = NULL, e.p.packed = w, e.p.c = c.at;
    dl_gemm_run(&e.p);
    cr_assert(same_bits(c, e.c));
    dl_packed_free(w);
    release(c), forget(&e);
}

/* ---- Fill functions, epilogues, batches ------------------------------------------------------------------------- */

struct stored { const struct dl_product *p; bool is_a; };

static void fill(const void *context, int i, int rows, int p, int depth, dl_real *to, int stride)
{
    const struct stored *s = context;
    for (int q = 0; q < depth; q++)
        for (int n = 0; n < rows; n++)
            to[q * stride + n] = s->is_a ? a_of(s->p, i + n, p + q) : b_of(s->p, p + q, i + n);
}

Test(fill, factors_that_are_computed_give_the_bits_of_stored_ones)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 14);
        for (int t = 0; t < 120; t++) {
            struct example e = example(from_to(1, 120), from_to(1, 120), from_to(0, t % 9 ? 100 : 1100), below(2), below(2));
            struct fenced c = copy_of(e.c);
            struct dl_product with = e.p;
            struct stored a = {&e.p, true}, b = {&e.p, false};
            if (t % 3 != 1)
                with.a = NULL, with.fill_a = fill, with.context_a = &a;
            if (t % 3 != 2)
                with.b = NULL, with.fill_b = fill, with.context_b = &b;
            with.c = c.at;
            dl_set_num_threads(from_to(1, 3));
            dl_gemm_run(&e.p);
            dl_gemm_run(&with);
            cr_assert(same_bits(c, e.c), "%d x %d x %d, set %d", e.p.m, e.p.n, e.p.k, set);
            release(c), forget(&e);
        }
    }
}

static atomic_int seen_elements;

static void count_elements(size_t n, const dl_real *x, dl_real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
    seen_elements += (int)n;
}

Test(epilogue, the_map_sees_each_element_once)
{
    dl_random_seed(&r, 15);
    for (int t = 0; t < 60; t++) {
        struct example e = example(from_to(1, 90), from_to(1, 90), from_to(0, 1500), t & 1, t & 2);
        e.p.map = count_elements;
        seen_elements = 0;
        dl_set_num_threads(1 + t % 3);
        dl_gemm_run(&e.p);
        cr_assert(eq(int, seen_elements, e.p.m * e.p.n));
        forget(&e);
    }
}

Test(epilogue, a_kernel_of_chapter_4_fits)
{
    dl_real a[4] = {1, -2, 3, 4}, b[2] = {1, 1}, c[2], bias[2] = {0, -10};
    dl_gemm_run(&(struct dl_product){.m = 2, .n = 1, .k = 2, .alpha = 1, .a = a, .lda = 2, .b = b, .ldb = 1, .c = c, .ldc = 1,
                                     .row_bias = bias, .map = dl_vrelu});
    cr_assert(c[0] == 0 && c[1] == 0);
    bias[1] = 0;
    dl_gemm_run(&(struct dl_product){.m = 2, .n = 1, .k = 2, .alpha = 1, .a = a, .lda = 2, .b = b, .ldb = 1, .c = c, .ldc = 1,
                                     .row_bias = bias, .map = dl_vrelu});
    cr_assert(c[0] == 0 && c[1] == 7);
}

Test(batch, many_products_at_once_have_the_bits_of_single_ones)
{
    for EACH_SET(set) {
        dl_random_seed(&r, 16);
        for (int t = 0; t < 40; t++) {
            int count = from_to(1, 9);
            struct example e = example(from_to(1, 70), from_to(1, 70), from_to(0, 150), below(2), below(2));
            struct dl_product p = e.p;
            p.count = count;
            p.next_a = (ptrdiff_t)e.a.n + 3, p.next_b = t % 4 ? (ptrdiff_t)e.b.n + 1 : 0, p.next_c = (ptrdiff_t)e.c.n + 5;
            struct fenced a = random_fenced((size_t)((count - 1) * p.next_a) + e.a.n);
            struct fenced b = random_fenced((size_t)((count - 1) * p.next_b) + e.b.n);
            struct fenced c = random_fenced((size_t)((count - 1) * p.next_c) + e.c.n), single = copy_of(c);
            p.a = a.at, p.b = b.at, p.c = c.at, p.beta = factors[below(6)];
            dl_set_num_threads(from_to(1, 4));
            dl_gemm_run(&p);
            for (int i = 0; i < count; i++)
                dl_gemm(p.ta, p.tb, p.m, p.n, p.k, p.alpha, a.at + i * p.next_a, p.lda, b.at + i * p.next_b, p.ldb, p.beta,
                        single.at + i * p.next_c, p.ldc);
            cr_assert(same_bits(c, single), "%d products of %d x %d x %d", count, p.m, p.n, p.k);
            release(a), release(b), release(c), release(single), forget(&e);
        }
    }
}

/* ---- Threads of the caller's ------------------------------------------------------------------------------------ */

static void *multiply_often(void *result)
{
    enum { N = 60 };
    static const dl_real zero[N * N];
    dl_real a[N * N], c[N * N];
    for (int i = 0; i < N * N; i++)
        a[i] = (dl_real)(i % 7 - 3);
    for (int t = 0; t < 50; t++)
        dl_gemm(false, true, N, N, N, 1, a, N, t % 2 ? a : zero, N, 0, c, N);
    memcpy(result, c, sizeof c);
    return NULL;
}

Test(threads, of_the_caller_may_multiply_at_the_same_time)
{
    static dl_real results[4][60 * 60];
    pthread_t thread[4];
    dl_set_num_threads(2);
    for (int i = 0; i < 4; i++)
        cr_assert(pthread_create(&thread[i], NULL, multiply_often, results[i]) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 1; i < 4; i++)
        cr_assert(memcmp(results[i], results[0], sizeof results[0]) == 0);
}

/* ---- Mistakes of the caller ------------------------------------------------------------------------------------- */

static dl_real x[64], y[64], z[64];

Test(mistakes, negative_sizes_are_named)
{
    fails_with(dl_gemm(false, false, -1, 2, 3, 1, x, 3, y, 2, 0, z, 2), "gemm.c:", "m = -1, n = 2, k = 3");
    fails_with(dl_gemm(false, false, 1, -2, 3, 1, x, 3, y, 2, 0, z, 2), "n = -2");
    fails_with(dl_gemm(false, false, 1, 2, -3, 1, x, 3, y, 2, 0, z, 2), "k = -3");
    fails_with(dl_gemm_run(&(struct dl_product){.count = -1}), "count = -1");
    fails_with(dl_gemm_run(NULL), "NULL");
    fails_with(dl_pack(false, -1, 2, x, 2), "-1 x 2");
}

Test(mistakes, leading_dimensions_that_are_too_small_are_named)
{
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 3, y, 3, 0, z, 3), "lda is 3, but a row of A has 4 numbers");
    fails_with(dl_gemm(true, false, 2, 3, 4, 1, x, 1, y, 3, 0, z, 3), "lda is 1, but a row of A has 2 numbers");
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 4, y, 2, 0, z, 3), "ldb is 2, but a row of B has 3 numbers");
    fails_with(dl_gemm(false, true, 2, 3, 4, 1, x, 4, y, 3, 0, z, 3), "ldb is 3, but a row of B has 4 numbers");
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 4, y, 3, 0, z, 2), "ldc is 2, but a row of C has 3 numbers");
    fails_with(dl_pack(true, 4, 3, y, 3), "ldb is 3");
}

Test(mistakes, null_is_named)
{
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, NULL, 4, y, 3, 0, z, 3), "A is NULL");
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 4, NULL, 3, 0, z, 3), "B is NULL");
    fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 4, y, 3, 0, NULL, 3), "C is NULL");
    fails_with(dl_pack(false, 4, 3, NULL, 3), "B is NULL");
    fails_with(dl_pack_again(NULL, x, 3), "NULL");
}

Test(mistakes, packed_weights_that_do_not_fit_are_named)
{
    struct dl_packed *w = dl_pack(false, 4, 3, x, 3);
    struct dl_product p = {.m = 2, .n = 3, .k = 4, .alpha = 1, .a = x, .lda = 4, .c = z, .ldc = 3, .packed = w};
    dl_gemm_run(&p);
    p.k = 3;
    fails_with(dl_gemm_run(&p), "4 x 3", "k = 3, n = 3");
    p.k = 4, p.b = y;
    fails_with(dl_gemm_run(&p), "B is given twice");
    p.b = NULL, p.fill_b = fill;
    fails_with(dl_gemm_run(&p), "B is given twice");
    p.fill_b = NULL;
    if (best_set() != DL_SIMD_PLAIN) {
        dl_set_simd(DL_SIMD_PLAIN);
        fails_with(dl_gemm_run(&p), "another instruction set");
    }
    dl_packed_free(w);
}

/* The first product of a process makes the key under which each thread keeps its workspace. */
Test(mistakes, a_process_without_a_key_for_the_workspace_is_refused_each_time)
{
    pthread_key_t key[PTHREAD_KEYS_MAX];
    int keys = 0;
    while (keys < PTHREAD_KEYS_MAX && pthread_key_create(&key[keys], NULL) == 0)
        keys++;
    for (int i = 0; i < 2; i++)
        fails_with(dl_gemm(false, false, 2, 3, 4, 1, x, 4, y, 3, 0, z, 3), "gemm.c:", "too many thread-specific keys");
    while (keys > 0)
        pthread_key_delete(key[--keys]);
}
