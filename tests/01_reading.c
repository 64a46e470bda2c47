/* Chapter 1: errors, sums, random numbers. */
#ifndef NDEBUG
#define NDEBUG                 /* dl_check must not care */
#endif
#include "base.h"
#include "random.h"
#include "sum.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLION 1000000

/* AddressSanitizer shall let an allocation fail, as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

/* ---- Errors ---------------------------------------------------------------------------------------------------- */

static void average(int count)
{
    dl_check(count > 0, "the average of %d numbers", count);
}

Test(base, a_report_names_file_line_function_and_the_numbers)
{
    fails_with(average(-3), "01_reading.c:", ": average: the average of -3 numbers");
}

Test(base, check_names_the_function_and_says_what_is_wrong)
{
    struct dl_random r;
    float x[3];
    dl_random_seed(&r, 5);
    fails_with(dl_random_fill_bernoulli(&r, x, 3, 1.5),
               ": dl_random_fill_bernoulli: 1.5 is not a probability");
}

Test(base, a_condition_that_holds_says_nothing_and_is_evaluated_once)
{
    volatile int evaluated = 0;
    cr_assert(eq(str, report_of(dl_check(++evaluated, "never said")), ""));
    cr_assert(eq(int, evaluated, 1));
}

Test(base, a_condition_that_fails_is_evaluated_once_and_what_follows_is_not_reached)
{
    volatile int evaluated = 0, reached = 0;
    fails_with(dl_check(++evaluated == 0, "is said"); reached = 1, "is said");
    cr_assert(eq(int, evaluated, 1));
    cr_assert(eq(int, reached, 0));
}

Test(base, a_check_may_stand_between_if_and_else)
{
    fails_with(
        if (dl_error_text()[0] != '\0')
            dl_check(true, "then");
        else
            dl_check(false, "otherwise"),
        "otherwise");
}

Test(base, the_line_in_the_message_is_the_line_of_the_check)
{
    char where[64];
    snprintf(where, sizeof where, "01_reading.c:%d: ", __LINE__ + 1);
    fails_with(dl_check(false, "here"), where, "here");
}

Test(base, a_message_of_any_length_is_cut_and_not_spilt)
{
    static char words[100000];
    memset(words, 'x', sizeof words - 1);
    dl_error("kept");
    fails_with(dl_check(false, "%s", words), "01_reading.c:", "xxxx");
    fails_with(dl_fail(words, 1, "f", "not said"), "xxxx");
    cr_assert(eq(str, (char *)dl_error_text(), "kept"));
    cr_assert(not(dl_error("%s", words)));
    cr_assert(gt(sz, strlen(dl_error_text()), 50));
    cr_assert(eq(int, strncmp(dl_error_text(), words, strlen(dl_error_text()) - 3), 0));
}

Test(base, percent_signs_in_arguments_are_not_read_as_formats)
{
    fails_with(dl_check(false, "%s", "100 %n %s"), "100 %n %s");
    dl_error("%s", "100 %n %s");
    cr_assert(eq(str, (char *)dl_error_text(), "100 %n %s"));
}

Test(base, a_message_is_one_line_whatever_a_file_is_called)
{
    dl_error("%s: no such file", "a\nb\r\tc\x1b\xc3\xa4");
    cr_assert(eq(str, (char *)dl_error_text(), "a?b??c?\xc3\xa4: no such file"));
}

Test(base, dl_fail_takes_its_place_from_the_caller)
{
    cr_assert(eq(str, report_of(dl_fail("a.c", 12, "f", "x is %d", 7)), "a.c:12: f: x is 7"));
}

static void returns(const char *message) { (void)message; }
static void returns_too(const char *message) { (void)message; }

Test(base, a_handler_that_returns_is_followed_by_abort, .signal = SIGABRT)
{
    dl_set_error_handler(returns);
    average(0);
}

Test(base, setting_a_handler_gives_the_one_before)
{
    dl_set_error_handler(returns);
    cr_assert(eq(ptr, dl_set_error_handler(returns_too), returns));
    cr_assert(eq(ptr, dl_set_error_handler(NULL), returns_too));
}

/* Runs average(0) in a child without a handler of its own; gives what it wrote to stderr and how it ended. */
static int last_words(char *text, size_t size)
{
    int ends[2], status;
    cr_assert(eq(int, pipe(ends), 0));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        average(0);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n < size - 1 && (got = read(ends[0], text + n, size - 1 - n)) > 0; )
        n += got;
    text[n] = '\0';
    waitpid(child, &status, 0);
    return status;
}

Test(base, without_a_handler_one_line_is_printed_and_the_program_aborts)
{
    char text[1024];
    int status = last_words(text, sizeof text);
    int aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    cr_assert(aborted, "status %#x", status);
    cr_assert(strstr(text, "01_reading.c:") && strstr(text, ": average: the average of 0 numbers\n"), "\"%s\"", text);
    cr_assert(eq(ptr, strchr(text, '\n'), text + strlen(text) - 1), "\"%s\" is not one line", text);
}

Test(base, null_restores_the_handler_that_prints)
{
    char text[1024];
    dl_set_error_handler(returns);
    dl_set_error_handler(NULL);
    last_words(text, sizeof text);
    cr_assert(strstr(text, "the average of 0 numbers\n") != NULL, "\"%s\"", text);
}

Test(base, an_error_of_the_world_returns_false_and_leaves_its_line)
{
    cr_assert(eq(str, (char *)dl_error_text(), ""));
    cr_assert(not(dl_error("%s: line %d: no number", "iris.csv", 7)));
    cr_assert(eq(str, (char *)dl_error_text(), "iris.csv: line 7: no number"));
    cr_assert(not(dl_error("%s: no such file", "moons.csv")));
    cr_assert(eq(str, (char *)dl_error_text(), "moons.csv: no such file"));
}

Test(base, an_errors_line_may_quote_the_line_before)
{
    dl_error("no such file");
    dl_error("iris: %s", dl_error_text());
    cr_assert(eq(str, (char *)dl_error_text(), "iris: no such file"));
}

static const char *kept;

static void keep(const char *message)
{
    kept = message;
    longjmp(report_escape, 1);
}

static void *fails_elsewhere(void *unused)
{
    if (setjmp(report_escape) == 0)
        average(-2);
    return unused;
}

Test(base, a_report_is_not_overwritten_by_that_of_another_thread)
{
    pthread_t thread;
    dl_set_error_handler(keep);
    if (setjmp(report_escape) == 0)
        average(-1);
    const char *mine = kept;
    cr_assert(eq(int, pthread_create(&thread, NULL, fails_elsewhere, NULL), 0));
    pthread_join(thread, NULL);
    cr_assert(strstr(mine, "-1") != NULL, "\"%s\"", mine);
}

static void *another_thread(void *text)
{
    strcpy(text, dl_error_text());
    dl_error("another thread's");
    return NULL;
}

Test(base, every_thread_has_an_error_line_of_its_own)
{
    pthread_t thread;
    char seen[100] = "not run";
    dl_error("mine");
    cr_assert(eq(int, pthread_create(&thread, NULL, another_thread, seen), 0));
    pthread_join(thread, NULL);
    cr_assert(eq(str, seen, ""));
    cr_assert(eq(str, (char *)dl_error_text(), "mine"));
}

Test(base, memory_begins_at_a_multiple_of_64_and_is_as_long_as_asked)
{
    for (size_t n = 1; n < 3000; n += 37) {
        char *p = dl_alloc(n, 3);
        cr_assert(eq(sz, (uintptr_t)p % 64, 0));
        memset(p, 1, 3 * n);
        free(p);
    }
}

Test(base, no_memory_at_all_is_not_an_error_and_not_null)
{
    void *nothing = dl_alloc(0, 8);
    cr_assert(nothing != NULL);
    free(nothing);
    cr_assert(eq(str, report_of(free(dl_alloc(0, 8)); free(dl_alloc(8, 0))), ""));
}

Test(base, a_size_that_overflows_is_out_of_memory)
{
    volatile size_t huge = SIZE_MAX / 2 + 2;           /* twice this is 2, when it wraps around */
    fails_with(free(dl_alloc(huge, 2)), "dl_alloc: ", "9223372036854775809", "2");
    fails_with(free(dl_alloc(2, huge)), "dl_alloc: ", "2", "9223372036854775809");
    fails_with(free(dl_alloc(huge - 3 + huge, 1)), "dl_alloc: ", "18446744073709551615");
}

Test(base, more_memory_than_there_is_ends_in_the_handler)
{
    volatile size_t all = SIZE_MAX / 4 + 1;
    fails_with(free(dl_alloc(all, 1)), "dl_alloc: ", "out of memory", "4611686018427387904");
}

/* ---- Sums ------------------------------------------------------------------------------------------------------ */

typedef float summation(const float *x, size_t n);
static summation *const summations[] = {dl_sum_in_order, dl_sum_pairwise, dl_sum_kahan};
static const size_t lengths[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 1000, 4096, 1000003};

#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

static float *numbers(size_t n, float low, float high)
{
    struct dl_random r;
    dl_random_seed(&r, n);
    float *x = dl_alloc(n, sizeof *x);
    dl_random_fill_uniform(&r, x, n, low, high);
    return x;
}

static double in_double(const float *x, size_t n)      /* exact enough: 53 bits for 24 */
{
    long double s = 0;
    for (size_t i = n; i-- > 0; )
        s += x[i];
    return s;
}

static double magnitude(const float *x, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += fabs(x[i]);
    return s;
}

Test(sum, the_sum_of_nothing_is_zero)
{
    for EACH(f, summations)
        cr_assert(eq(flt, summations[f](NULL, 0), 0));
}

Test(sum, one_number_is_its_own_sum)
{
    for EACH(f, summations)
        cr_assert(eq(flt, summations[f]((float[]){0.1f}, 1), 0.1f));
}

Test(sum, small_whole_numbers_are_summed_exactly_at_every_length)
{
    for (size_t n = 0; n < 300; n++) {
        float x[300];
        for (size_t i = 0; i < n; i++)
            x[i] = i + 1;
        for EACH(f, summations)
            cr_assert(eq(flt, summations[f](x, n), n * (n + 1) / 2), "summation %zu, n = %zu", f, n);
    }
}

Test(sum, the_numbers_are_left_as_they_were_and_their_neighbours_unread)
{
    for (size_t n = 0; n < 40; n++) {
        float x[42], y[42];
        for (int i = 0; i < 42; i++)
            x[i] = NAN;
        for (size_t i = 1; i <= n; i++)
            x[i] = i;
        memcpy(y, x, sizeof x);
        for EACH(f, summations)
            cr_assert(eq(flt, summations[f](x + 1, n), n * (n + 1) / 2));
        cr_assert(eq(int, memcmp(x, y, sizeof x), 0));
    }
}

Test(sum, the_plain_sum_loses_a_one_beside_two_to_the_24)
{
    float x[] = {16777216, 1, 1, 1, 1};
    cr_assert(eq(flt, dl_sum_in_order(x, 5), 16777216));
    cr_assert(eq(flt, dl_sum_kahan(x, 5), 16777220));
}

Test(sum, the_plain_sum_depends_on_the_order)
{
    float large_first[] = {1e8f, -1e8f, 1}, small_first[] = {1, 1e8f, -1e8f};
    cr_assert(eq(flt, dl_sum_in_order(large_first, 3), 1));
    cr_assert(eq(flt, dl_sum_in_order(small_first, 3), 0));
}

Test(sum, the_plain_sum_adds_from_left_to_right)
{
    for EACH(i, lengths) {
        size_t n = lengths[i];
        float *x = numbers(n, -1, 1), s = 0;
        for (size_t k = 0; k < n; k++)
            s = s + x[k];
        cr_assert(eq(flt, dl_sum_in_order(x, n), s), "n = %zu", n);
        free(x);
    }
}

Test(sum, up_to_eight_numbers_the_pairwise_sum_is_the_plain_one)
{
    for (size_t n = 0; n <= 8; n++) {
        float *x = numbers(n, -1, 1);
        cr_assert(eq(flt, dl_sum_pairwise(x, n), dl_sum_in_order(x, n)), "n = %zu", n);
        free(x);
    }
}

Test(sum, the_pairwise_sum_is_that_of_its_halves)
{
    for (size_t n = 16; n <= 1 << 16; n *= 2) {
        float *x = numbers(n, -1, 1);
        float halves = dl_sum_pairwise(x, n / 2) + dl_sum_pairwise(x + n / 2, n / 2);
        cr_assert(eq(flt, dl_sum_pairwise(x, n), halves), "n = %zu", n);
        free(x);
    }
}

Test(sum, each_sum_keeps_its_error_bound)
{
    for EACH(i, lengths) {
        size_t n = lengths[i];
        float *x = numbers(n, -1, 2);
        double s = in_double(x, n), unit = magnitude(x, n) * 0x1p-24;
        cr_assert(le(dbl, fabs(dl_sum_in_order(x, n) - s), 1.01 * n * unit), "n = %zu", n);
        cr_assert(le(dbl, fabs(dl_sum_pairwise(x, n) - s), (9 + ceil(log2(n + 1))) * unit), "n = %zu", n);
        cr_assert(le(dbl, fabs(dl_sum_kahan(x, n) - s), 2.1 * unit), "n = %zu", n);
        free(x);
    }
}

Test(sum, of_a_million_tenths_the_plain_sum_misses_one_percent_and_the_others_nothing)
{
    float *x = dl_alloc(MILLION, sizeof *x);
    for (int i = 0; i < MILLION; i++)
        x[i] = 0.1f;
    cr_assert(epsilon_eq(flt, dl_sum_in_order(x, MILLION), 100958.34f, 0.01f));
    cr_assert(epsilon_eq(flt, dl_sum_pairwise(x, MILLION), 100000, 0.01f));
    cr_assert(eq(flt, dl_sum_kahan(x, MILLION), 100000));
    free(x);
}

Test(sum, kahan_carries_what_each_step_rounds_off)
{
    enum { N = 1 << 20 };
    float *x = dl_alloc(N + 1, sizeof *x);
    x[0] = 1;
    for (int i = 1; i <= N; i++)
        x[i] = 0x1p-25f;                                /* each alone is lost beside 1 */
    cr_assert(eq(flt, dl_sum_in_order(x, N + 1), 1));
    cr_assert(eq(flt, dl_sum_kahan(x, N + 1), 1 + 0x1p-5f));
    free(x);
}

Test(sum, kahan_compensates_in_both_directions)
{
    float x[] = {16777216, 1, 1, -16777216}, y[] = {-16777216, -1, -1, 16777216};
    cr_assert(eq(flt, dl_sum_kahan(x, 4), 2));
    cr_assert(eq(flt, dl_sum_kahan(y, 4), -2));
}

Test(sum, infinity_and_nan_pass_through_wherever_they_stand)
{
    for (size_t at = 0; at < 20; at++)
        for EACH(f, summations) {
            float x[20] = {0};
            x[at] = NAN;
            cr_assert(isnan(summations[f](x, 20)));
            x[at] = INFINITY;
            cr_assert(not(isfinite(summations[f](x, 20))));
            x[(at + 11) % 20] = -INFINITY;
            cr_assert(isnan(summations[f](x, 20)));
        }
}

Test(sum, the_plain_and_the_pairwise_sum_keep_an_infinity)
{
    float x[20] = {[3] = 1, [13] = -INFINITY};
    cr_assert(eq(flt, dl_sum_in_order(x, 20), -INFINITY));
    cr_assert(eq(flt, dl_sum_pairwise(x, 20), -INFINITY));
}

/* ---- Random numbers, against PyTorch's ------------------------------------------------------------------------- */

static struct dl_random r;

static struct oracle torch(void) { return oracle_open("01_random.safetensors"); }

/* 64-bit FNV-1a over 32-bit words, as tests/oracle/01_random.py computes it. */
static uint64_t digest(const uint32_t *word, size_t n)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ word[i]) * 0x100000001b3;
        h ^= h >> 32;
    }
    return h;
}

static uint64_t torch_digest(const struct oracle *o, const char *kind)
{
    char key[100];
    snprintf(key, sizeof key, "digest.%s", kind);
    return strtoull(oracle_text(o, key), NULL, 16);
}

/* Has x the first eight numbers bit for bit? If not, this says more than a digest. */
static void expect_first(const struct oracle *o, const char *kind, const void *x, size_t size)
{
    struct oracle_tensor t = oracle_get(o, "%s.first", kind);
    cr_assert(eq(sz, size, t.f64 || t.i64 ? 8 : 4), "%s is of %s", kind, t.dtype);
    for (size_t i = 0; i < t.count; i++) {
        const char *mine = (const char *)x + i * size, *wanted = (const char *)t.data + i * size;
        double numbers[2];
        for (int k = 0; k < 2; k++) {
            const void *p = k ? wanted : mine;
            numbers[k] = t.f64 ? *(const double *)p : t.f32 ? *(const float *)p
                       : t.i64 ? *(const int64_t *)p : *(const int32_t *)p;
        }
        cr_assert(eq(int, memcmp(mine, wanted, size), 0),
                  "%s: draw %zu is %.17g, PyTorch's %.17g", kind, i, numbers[0], numbers[1]);
    }
}

/* The kinds of draws that agree to the bit: each function draws a million. */
struct kind {
    const char *name;
    size_t size;               /* of one draw */
    void (*draw)(struct dl_random *r, void *x, const struct kind *k);
    double a, b;               /* parameters */
    uint64_t below;
};

#define DRAW(name, type, expression)                                          \
    static void name(struct dl_random *r, void *memory, const struct kind *k) \
    {                                                                         \
        type *x = memory;                                                     \
        (void)k;                                                              \
        for (int i = 0; i < MILLION; i++)                                     \
            x[i] = expression;                                                \
    }

DRAW(uniform, float, dl_random_uniform(r))
DRAW(uniform_double, double, dl_random_uniform_double(r))
DRAW(normal, float, dl_random_normal(r))
DRAW(u64, int64_t, dl_random_u64(r) & INT64_MAX)
DRAW(below, uint64_t, dl_random_below(r, k->below))

static void interval(struct dl_random *r, void *x, const struct kind *k)
{
    dl_random_fill_uniform(r, x, MILLION, k->a, k->b);
}

static void bernoulli(struct dl_random *r, void *x, const struct kind *k)
{
    dl_random_fill_bernoulli(r, x, MILLION, k->a);
}

static void permutation(struct dl_random *r, void *x, const struct kind *k)
{
    (void)k;
    dl_random_permutation(r, x, MILLION);
}

static const struct kind kinds[] = {
    {.name = "uniform", .size = 4, .draw = uniform},
    {.name = "uniform.double", .size = 8, .draw = uniform_double},
    {.name = "uniform.-0.100000001.0.300000012", .size = 4, .draw = interval, .a = -0.1f, .b = 0.3f},
    {.name = "uniform.-0.0357142873.0.0357142873", .size = 4, .draw = interval, .a = -1 / 28.f, .b = 1 / 28.f},
    {.name = "uniform.0.00100000005.1000000", .size = 4, .draw = interval, .a = 1e-3f, .b = 1e6f},
    {.name = "uniform.7.7", .size = 4, .draw = interval, .a = 7, .b = 7},
    {.name = "u64", .size = 8, .draw = u64},
    {.name = "below.2", .size = 8, .draw = below, .below = 2},
    {.name = "below.10", .size = 8, .draw = below, .below = 10},
    {.name = "below.1000", .size = 8, .draw = below, .below = 1000},
    {.name = "below.2147483659", .size = 8, .draw = below, .below = 2147483659},
    {.name = "below.4294967295", .size = 8, .draw = below, .below = 4294967295},
    {.name = "below.4294967296", .size = 8, .draw = below, .below = 4294967296},
    {.name = "below.1000000000000000009", .size = 8, .draw = below, .below = 1000000000000000009},
    {.name = "permutation", .size = 4, .draw = permutation},
    {.name = "bernoulli.0", .size = 4, .draw = bernoulli, .a = 0},
    {.name = "bernoulli.0.1", .size = 4, .draw = bernoulli, .a = 0.1},
    {.name = "bernoulli.0.5", .size = 4, .draw = bernoulli, .a = 0.5},
    {.name = "bernoulli.0.9", .size = 4, .draw = bernoulli, .a = 0.9},
    {.name = "bernoulli.1", .size = 4, .draw = bernoulli, .a = 1},
    {.name = "normal.serial", .size = 4, .draw = normal},
    {.name = NULL},
};

Test(random, a_million_draws_of_each_kind_have_pytorchs_bits)
{
    struct dl_random r;
    struct oracle o = oracle_open("01_random.safetensors");
    for (const struct kind *k = kinds; k->name; k++) {
        void *x = dl_alloc(MILLION, k->size);
        dl_random_seed(&r, 5);
        k->draw(&r, x, k);
        expect_first(&o, k->name, x, k->size);
        cr_assert(eq(u64, digest(x, MILLION * k->size / 4),
                     torch_digest(&o, k->name)), "%s", k->name);
        free(x);
    }
    oracle_close(&o);
}

Test(random, of_a_seed_the_low_32_bits_count_as_in_torch_manual_seed)
{
    static const uint64_t seeds[] = {0, 5, (1ull << 32) + 7, (1ull << 63) + 12345, UINT64_MAX};
    struct oracle o = torch();
    int64_t *x = dl_alloc(MILLION, sizeof *x);
    for EACH(s, seeds)
        for (int half = 0; half < 2; half++) {
            char name[32];
            snprintf(name, sizeof name, "seed.%ju", (uintmax_t)seeds[s]);
            dl_random_seed(&r, half ? seeds[s] & UINT32_MAX : seeds[s]);
            u64(&r, x, NULL);
            expect_first(&o, name, x, sizeof *x);
            cr_assert(eq(u64, digest((uint32_t *)x, 2 * MILLION), torch_digest(&o, name)), "%s", name);
        }
    free(x);
    oracle_close(&o);
}

/* Are these floats within a tolerance, absolute below 1 and relative above, of the tensor? Bit for bit for 0. */
static void expect_floats(const float *x, size_t n, double tolerance, const char *name)
{
    struct oracle o = torch();
    struct oracle_tensor t = oracle_get(&o, "%s", name);
    cr_assert(t.f32 && t.count == n, "%s: %zu of %s", name, t.count, t.dtype);
    for (size_t i = 0; i < n; i++)
        cr_assert(le(dbl, fabs((double)x[i] - t.f32[i]), tolerance * fmax(1, fabs(t.f32[i]))),
                  "%s: draw %zu of %zu is %.9g, PyTorch's %.9g", name, i, n, x[i], t.f32[i]);
    oracle_close(&o);
}

Test(random, fifteen_normal_draws_are_those_of_torch_randn)
{
    float x[15];
    dl_random_seed(&r, 5);
    for (int i = 0; i < 15; i++)
        x[i] = dl_random_normal(&r);
    expect_floats(x, 15, 0, "normal.15");
    dl_random_seed(&r, 5);
    dl_random_fill_normal(&r, x, 15, 0, 1);
    expect_floats(x, 15, 0, "normal.15");
}

Test(random, the_second_normal_of_a_pair_waits_for_the_next_call)
{
    static const size_t counts[] = {1, 2, 3, 15, 7, 1, 8, 15};
    float x[52];
    size_t n = 0;
    dl_random_seed(&r, 5);
    for EACH(i, counts) {
        dl_random_fill_normal(&r, x + n, counts[i], 0, 1);
        n += counts[i];
    }
    expect_floats(x, 52, 0, "normal.serial");
}

Test(random, normal_draws_are_computed_in_double)
{
    struct oracle o = torch();
    struct oracle_tensor t = oracle_get(&o, "normal.double");
    dl_random_seed(&r, 5);
    for (size_t i = 0; i < t.count; i++)
        cr_assert(ieee_ulp_eq(dbl, dl_random_normal(&r), t.f64[i], 4), "draw %zu", i);
    oracle_close(&o);
}

Test(random, 4096_normal_draws_are_those_of_torch_randn_to_5e_7)
{
    float x[4096];
    dl_random_seed(&r, 5);
    dl_random_fill_normal(&r, x, 4096, 0, 1);
    expect_floats(x, 4096, 5e-7, "normal.4096");
}

Test(random, normal_draws_of_every_length_are_those_of_torch_randn)
{
    static const size_t counts[] = {16, 17, 31, 32, 100};  /* what is over a multiple of 16 is drawn anew */
    float x[100];
    for EACH(i, counts) {
        char name[32];
        snprintf(name, sizeof name, "normal.%zu", counts[i]);
        dl_random_seed(&r, 5);
        dl_random_fill_normal(&r, x, counts[i], 0, 1);
        expect_floats(x, counts[i], 5e-7, name);
    }
}

Test(random, normal_draws_take_a_mean_and_a_standard_deviation)
{
    float x[100];
    dl_random_seed(&r, 5);
    dl_random_fill_normal(&r, x, 15, 3, 0.7f);
    expect_floats(x, 15, 1.2e-7, "normal.15.scaled");
    dl_random_seed(&r, 5);
    dl_random_fill_normal(&r, x, 100, 3, 0.7f);
    expect_floats(x, 100, 5e-7, "normal.100.scaled");
}

static void append_permutation(float *x, int n)
{
    int p[7];
    dl_random_permutation(&r, p, n);
    for (int i = 0; i < n; i++)
        x[i] = p[i];
}

Test(random, every_kind_of_draw_leaves_the_stream_where_torch_leaves_it)
{
    float all[147], *x = all;
    dl_random_seed(&r, 5);
    for (int round = 0; round < 3; round++) {
        *x++ = dl_random_normal(&r);
        for (int i = 0; i < 3; i++)
            *x++ = dl_random_uniform(&r);
        append_permutation(x, 7), x += 7;
        dl_random_fill_normal(&r, x, 20, 0, 1), x += 20;
        *x++ = dl_random_normal(&r);
        *x++ = dl_random_uniform_double(&r);
        dl_random_fill_bernoulli(&r, x, 5, 0.3), x += 5;
        dl_random_fill_normal(&r, x, 3, 0, 1), x += 3;
        for (int i = 0; i < 2; i++)
            *x++ = dl_random_below(&r, 100);
        *x++ = dl_random_below(&r, 1ull << 40);
        dl_random_fill_uniform(&r, x, 4, -2, 3), x += 4;
        append_permutation(x, 1), x += 1;
    }
    expect_floats(all, x - all, 5e-7, "mixture");
}

/* ---- Random numbers, from first principles --------------------------------------------------------------------- */

Test(random, ten_thousandth_word_is_the_one_in_the_cpp_standard)
{
    struct dl_random r;
    dl_random_seed(&r, 5489);
    for (int i = 1; i < 10000; i++)
        dl_random_u32(&r);
    cr_assert(eq(u32, dl_random_u32(&r), 4123659995));
}

Test(random, 64_bits_are_two_draws_and_the_first_is_the_high_half)
{
    struct dl_random fork;
    dl_random_seed(&r, 1);
    fork = r;
    uint64_t high = dl_random_u32(&fork), low = dl_random_u32(&fork);
    cr_assert(eq(u64, dl_random_u64(&r), high << 32 | low));
}

Test(random, a_copy_of_the_generator_goes_on_with_the_same_draws)
{
    dl_random_seed(&r, 3);
    dl_random_normal(&r);                                  /* so that a spare waits */
    struct dl_random copy = r;
    for (int i = 0; i < 2000; i++) {
        cr_assert(eq(dbl, dl_random_normal(&copy), dl_random_normal(&r)));
        cr_assert(eq(u32, dl_random_u32(&copy), dl_random_u32(&r)));
    }
}

Test(random, seeding_again_forgets_everything_also_the_spare_normal)
{
    dl_random_seed(&r, 3);
    double first = dl_random_normal(&r);
    dl_random_normal(&r);
    dl_random_normal(&r);
    dl_random_seed(&r, 3);
    cr_assert(eq(dbl, dl_random_normal(&r), first));
}

static void expect_untouched(void (*draw)(struct dl_random *))
{
    dl_random_seed(&r, 7);
    struct dl_random before = r;
    draw(&r);
    for (int i = 0; i < 1000; i++)
        cr_assert(eq(u32, dl_random_u32(&r), dl_random_u32(&before)));
}

static void fill_uniform_nothing(struct dl_random *g) { dl_random_fill_uniform(g, NULL, 0, 0, 1); }
static void fill_normal_nothing(struct dl_random *g) { dl_random_fill_normal(g, NULL, 0, 0, 1); }
static void fill_bernoulli_nothing(struct dl_random *g) { dl_random_fill_bernoulli(g, NULL, 0, 0.5); }
static void permute_nothing(struct dl_random *g) { dl_random_permutation(g, NULL, 0); }
static void permute_one(struct dl_random *g)
{
    int p = 77;
    dl_random_permutation(g, &p, 1);
    cr_assert(eq(int, p, 0));
}

Test(random, filling_nothing_draws_nothing)
{
    expect_untouched(fill_uniform_nothing);
    expect_untouched(fill_normal_nothing);
    expect_untouched(fill_bernoulli_nothing);
    expect_untouched(permute_nothing);
    expect_untouched(permute_one);
}

Test(random, a_fill_writes_what_it_was_given_and_nothing_beside)
{
    for (size_t n = 0; n < 40; n++) {
        float x[42];
        int p[42];
        for (int kind = 0; kind < 3; kind++) {
            for (int i = 0; i < 42; i++)
                x[i] = 99;
            if (kind == 0)
                dl_random_fill_uniform(&r, x + 1, n, 0, 1);
            if (kind == 1)
                dl_random_fill_normal(&r, x + 1, n, 0, 1);
            if (kind == 2)
                dl_random_fill_bernoulli(&r, x + 1, n, 0.5);
            for (size_t i = 0; i < 42; i++)
                cr_assert(eq(int, x[i] == 99, i == 0 || i > n), "kind %d, n %zu: x[%zu] = %g", kind, n, i, x[i]);
        }
        p[0] = p[n + 1] = 99;
        dl_random_permutation(&r, p + 1, n);
        cr_assert(p[0] == 99 && p[n + 1] == 99);
    }
}

Test(random, uniform_draws_lie_in_their_interval_and_reach_its_ends)
{
    float least = 1, most = 0;
    double d_least = 1, d_most = 0;
    dl_random_seed(&r, 0);
    for (int i = 0; i < MILLION; i++) {
        float u = dl_random_uniform(&r);
        double d = dl_random_uniform_double(&r);
        cr_assert(0 <= u && u < 1 && 0 <= d && d < 1);
        least = fminf(least, u), most = fmaxf(most, u);
        d_least = fmin(d_least, d), d_most = fmax(d_most, d);
    }
    cr_assert(least < 1e-5 && most > 1 - 1e-5 && d_least < 1e-5 && d_most > 1 - 1e-5);
}

Test(random, draws_have_the_moments_of_their_distribution)
{
    enum { N = MILLION };                                  /* a mean over N is off by 5 standard errors at most */
    double u1 = 0, u2 = 0, uu = 0, z1 = 0, z2 = 0, z4 = 0, zz = 0, before = 0, z_before = 0;
    dl_random_seed(&r, 2);
    for (int i = 0; i < N; i++) {
        double u = dl_random_uniform(&r) - 0.5, z = dl_random_normal(&r);
        u1 += u, u2 += u * u, uu += u * before, before = u;
        z1 += z, z2 += z * z, z4 += z * z * z * z, zz += z * z_before, z_before = z;
    }
    cr_assert(epsilon_eq(dbl, u1 / N, 0, 5 * sqrt(1 / 12. / N)));
    cr_assert(epsilon_eq(dbl, u2 / N, 1 / 12., 5 * sqrt(1 / 180. / N)));
    cr_assert(epsilon_eq(dbl, uu / N, 0, 5 / 12. / sqrt(N)));
    cr_assert(epsilon_eq(dbl, z1 / N, 0, 5 / sqrt(N)));
    cr_assert(epsilon_eq(dbl, z2 / N, 1, 5 * sqrt(2. / N)));
    cr_assert(epsilon_eq(dbl, z4 / N, 3, 5 * sqrt(96. / N)));
    cr_assert(epsilon_eq(dbl, zz / N, 0, 5 / sqrt(N)));
}

Test(random, filled_normals_have_the_moments_of_their_distribution)
{
    float *x = dl_alloc(MILLION, sizeof *x);
    double s1 = 0, s2 = 0;
    dl_random_seed(&r, 2);
    dl_random_fill_normal(&r, x, MILLION, 10, 2);
    for (int i = 0; i < MILLION; i++)
        s1 += x[i] - 10, s2 += (x[i] - 10.) * (x[i] - 10.);
    cr_assert(epsilon_eq(dbl, s1 / MILLION, 0, 5 * 2e-3));
    cr_assert(epsilon_eq(dbl, s2 / MILLION, 4, 5 * 4 * sqrt(2e-6)));
    free(x);
}

Test(random, a_permutation_holds_each_number_once_and_each_order_is_as_likely)
{
    enum { ROUNDS = 60000 };
    int counts[27] = {0};
    dl_random_seed(&r, 4);
    for (int k = 0; k < ROUNDS; k++) {
        int p[3];
        dl_random_permutation(&r, p, 3);
        cr_assert(eq(int, 1 << p[0] | 1 << p[1] | 1 << p[2], 7));
        counts[9 * p[0] + 3 * p[1] + p[2]]++;
    }
    for (int i = 0; i < 27; i++)
        cr_assert(counts[i] == 0 || abs(counts[i] - ROUNDS / 6) < 5 * 92);   /* 92: one standard deviation */
}

Test(random, a_coin_shows_one_where_the_uniform_draw_is_below_p_and_not_at_p)
{
    float at, above;
    dl_random_seed(&r, 9);
    for (int i = 0; i < 100; i++) {
        struct dl_random first = r, second = r;
        double u = dl_random_uniform_double(&r);
        dl_random_fill_bernoulli(&first, &at, 1, u);
        dl_random_fill_bernoulli(&second, &above, 1, nextafter(u, 1));
        cr_assert(eq(flt, at, 0));
        cr_assert(eq(flt, above, 1));
    }
}

Test(random, a_standard_deviation_of_zero_gives_the_mean)
{
    float x[20];
    dl_random_fill_normal(&r, x, 20, 1.5f, 0);
    for (int i = 0; i < 20; i++)
        cr_assert(eq(flt, x[i], 1.5f));
}

Test(random, below_one_is_always_zero)
{
    for (int i = 0; i < 100; i++)
        cr_assert(eq(u64, dl_random_below(&r, 1), 0));
}

Test(random, there_is_no_number_below_zero)
{
    fails_with(dl_random_below(&r, 0), "dl_random_below: ", "0");
}

Test(random, a_probability_lies_between_0_and_1)
{
    float x[1] = {5};
    fails_with(dl_random_fill_bernoulli(&r, x, 1, 1.5), "dl_random_fill_bernoulli: ", "1.5");
    fails_with(dl_random_fill_bernoulli(&r, x, 0, -0.25), "dl_random_fill_bernoulli: ", "-0.25");
    fails_with(dl_random_fill_bernoulli(&r, x, 1, NAN), "dl_random_fill_bernoulli: ", "nan");
    cr_assert(eq(flt, x[0], 5));
}

Test(random, the_low_end_of_an_interval_is_not_above_the_high_one)
{
    float x[1];
    fails_with(dl_random_fill_uniform(&r, x, 1, 2.5f, 1), "dl_random_fill_uniform: ", "2.5", "1");
}

Test(random, a_standard_deviation_is_not_negative)
{
    float x[1];
    fails_with(dl_random_fill_normal(&r, x, 1, 0, -2), "dl_random_fill_normal: ", "-2");
}

Test(random, a_permutations_length_is_not_negative)
{
    fails_with(dl_random_permutation(&r, NULL, -4), "dl_random_permutation: ", "-4");
}
