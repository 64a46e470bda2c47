/* Chapter 8: reading data sets, splitting, shuffling. */
#include "base.h"
#include "dataset.h"
#include "memory.h"
#include "parallel.h"
#include "random.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- Files ----------------------------------------------------------------------------------------------------- */

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/dlfs-08-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(system(command) == 0);
    dl_pool_drain();
}

TestSuite(idx, .init = make_folder, .fini = remove_folder);
TestSuite(csv, .init = make_folder, .fini = remove_folder);
TestSuite(sets, .init = make_folder, .fini = remove_folder);
TestSuite(split);
TestSuite(loader);

static const char *path_of(const char *name)
{
    static char path[4][160];
    static int next;
    char *p = path[next = (next + 1) % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(path_of(name), "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void put_gz(const char *name, const void *bytes, size_t n)
{
    gzFile f = gzopen(path_of(name), "wb");
    cr_assert(f && gzwrite(f, bytes, (unsigned)n) == (int)n && gzclose(f) == Z_OK);
}

static size_t get(const char *name, unsigned char *bytes, size_t most)
{
    FILE *f = fopen(path_of(name), "rb");
    cr_assert(f != NULL);
    size_t n = fread(bytes, 1, most, f);
    fclose(f);
    return n;
}

/* The reader refused, in one line with these words. */
static void refused(bool result, const struct dl_dataset *d, const char *word, const char *what)
{
    const char *text = dl_error_text();
    cr_assert(!result, "%s was accepted", what);
    cr_assert(strstr(text, word) != NULL, "%s: \"%s\", wanted \"%s\"", what, text, word);
    cr_assert(strchr(text, '\n') == NULL && strstr(text, folder) != NULL, "%s: \"%s\"", what, text);
    cr_assert(d->x == NULL && d->label == NULL && d->n == 0, "%s: something was left", what);
}

/* Three images of 2 x 4, labels 2 0 1. */
static unsigned char images[16 + 24] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4}, labels[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};

static void fill_images(void)
{
    for (int i = 0; i < 24; i++)
        images[16 + i] = (unsigned char)(i * 11);
}

static bool read_pair(struct dl_dataset *d, const char *x, const char *y)
{
    return dl_read_idx(d, path_of(x), path_of(y), 3);
}

/* ---- IDX ------------------------------------------------------------------------------------------------------- */

Test(idx, images_and_labels_are_read_compressed_or_not)
{
    fill_images();
    put("x", images, sizeof images), put_gz("x.gz", images, sizeof images);
    put("y", labels, sizeof labels), put_gz("y.gz", labels, sizeof labels);
    put_gz("z", images, sizeof images);                 /* compressed, without saying so */
    const char *x[] = {"x", "x.gz", "z"}, *y[] = {"y", "y.gz", "y"};
    for (int k = 0; k < 3; k++) {
        struct dl_dataset d;
        cr_assert(read_pair(&d, x[k], y[k]), "%s", dl_error_text());
        cr_assert(d.n == 3 && d.classes == 3 && dl_shape_equal(d.sample, DL_SHAPE(2, 4)));
        for (int i = 0; i < 24; i++)
            cr_assert(d.x[i] == (float)(i * 11) / 255);
        cr_assert(d.label[0] == 2 && d.label[1] == 0 && d.label[2] == 1);
        dl_dataset_free(&d);
        cr_assert(d.x == NULL && d.n == 0);
    }
}

Test(idx, every_truncation_is_refused_compressed_or_not)
{
    unsigned char packed[256];
    struct dl_dataset d;
    fill_images();
    put("y", labels, sizeof labels), put("x", images, sizeof images), put_gz("x.gz", images, sizeof images);
    size_t n = get("x.gz", packed, sizeof packed);
    for (size_t k = 0; k < sizeof images; k++) {
        put("cut", images, k);
        refused(read_pair(&d, "cut", "y"), &d, k ? "ends too early" : "is empty", "a cut file");
    }
    for (size_t k = 0; k < n; k++) {                    /* the last 8 bytes, too */
        put("cut.gz", packed, k);
        refused(read_pair(&d, "cut.gz", "y"), &d, k == 0 ? "is empty" : k == 1 ? "compressed" : "", "a cut gzip file");
    }
    for (size_t k = 0; k < sizeof labels; k++) {
        put("cut", labels, k);
        refused(read_pair(&d, "x", "cut"), &d, k ? "ends too early" : "is empty", "cut labels");
    }
}

/* In a large file, whose content is read in one piece, the trailer can be lost without gzread's noticing it. */
Test(idx, a_large_file_is_refused_when_any_of_its_last_bytes_are_cut_off)
{
    enum { N = 60000 };
    struct dl_dataset d;
    struct dl_random r;
    unsigned char *x = calloc(1, 16 + N), *y = calloc(1, 8 + N), *packed = malloc(1 << 17);
    dl_random_seed(&r, 1);
    for (int i = 0; i < N; i++)
        x[16 + i] = (unsigned char)dl_random_below(&r, 256), y[8 + i] = (unsigned char)dl_random_below(&r, 3);
    memcpy(x, (unsigned char[]){0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 1, 0, 0, 0, 1}, 16);
    memcpy(y, (unsigned char[]){0, 0, 8, 1, 0, 0, 0xea, 0x60}, 8);
    put_gz("x.gz", x, 16 + N), put_gz("y.gz", y, 8 + N);
    cr_assert(read_pair(&d, "x.gz", "y.gz") && d.n == N, "%s", dl_error_text());
    dl_dataset_free(&d);
    static const char *names[] = {"x.gz", "y.gz"};
    for (int k = 0; k < 2; k++) {
        size_t n = get(names[k], packed, 1 << 17);
        for (size_t cut = 1; cut <= 32; cut++) {
            put("cut.gz", packed, n - cut);
            refused(k == 0 ? read_pair(&d, "cut.gz", "y.gz") : read_pair(&d, "x.gz", "cut.gz"), &d, "cut off", "a cut file");
        }
        packed[n] = 0;                                  /* one byte too many */
        put("long.gz", packed, n + 1);
        refused(k == 0 ? read_pair(&d, "long.gz", "y.gz") : read_pair(&d, "x.gz", "long.gz"), &d, "", "a byte behind the trailer");
        packed[n - 2] ^= 1;
        put("bad.gz", packed, n);
        refused(k == 0 ? read_pair(&d, "bad.gz", "y.gz") : read_pair(&d, "x.gz", "bad.gz"), &d, "damaged", "a wrong length");
    }
    free(x), free(y), free(packed);
}

Test(csv, a_table_of_any_length_is_refused_when_its_last_bytes_are_cut_off)
{
    struct dl_dataset d;
    unsigned char *packed = malloc(1 << 17);
    char *text = malloc(1 << 17);
    for (size_t lines = 4090; lines <= 4102; lines++) {         /* 4 bytes each: around 16,384 */
        for (size_t i = 0; i < lines; i++)
            memcpy(text + 4 * i, i * 7 % 11 < 5 ? "1,0\n" : "2,1\n", 4);
        put_gz("t.gz", text, 4 * lines);
        cr_assert(dl_read_csv(&d, path_of("t.gz"), 0, 3) && d.n == (int)lines, "%s", dl_error_text());
        dl_dataset_free(&d);
        size_t n = get("t.gz", packed, 1 << 17);
        for (size_t cut = 1; cut <= 12; cut++) {
            put("cut.gz", packed, n - cut);
            refused(dl_read_csv(&d, path_of("cut.gz"), 0, 3), &d, "cut off", "a cut table");
        }
    }
    free(packed), free(text);
}

Test(csv, compressed_files_one_behind_the_other_are_one)
{
    struct dl_dataset d;
    unsigned char packed[512];
    put_gz("a.gz", "1,0\n2,1\n3", 9);
    size_t n = get("a.gz", packed, sizeof packed);
    put_gz("b.gz", ",2\n4,0\n", 7);
    n += get("b.gz", packed + n, sizeof packed - n);
    put("ab.gz", packed, n);
    cr_assert(dl_read_csv(&d, path_of("ab.gz"), 0, 3) && d.n == 4 && d.x[2] == 3 && d.label[2] == 2, "%s", dl_error_text());
    dl_dataset_free(&d);
    put("cut.gz", packed, n - 3);
    refused(dl_read_csv(&d, path_of("cut.gz"), 0, 3), &d, "cut off", "a cut second file");
}

Test(idx, damage_anywhere_in_a_compressed_file_is_refused_or_harmless)
{
    unsigned char packed[256];
    struct dl_dataset good, d;
    fill_images();
    put("y", labels, sizeof labels), put_gz("x.gz", images, sizeof images);
    size_t n = get("x.gz", packed, sizeof packed);
    cr_assert(read_pair(&good, "x.gz", "y"));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put("bad.gz", packed, n);
        if (read_pair(&d, "bad.gz", "y")) {             /* the time in the header, the bits that fill the last byte */
            cr_assert(memcmp(d.x, good.x, 24 * sizeof *d.x) == 0);
            dl_dataset_free(&d);
        } else
            cr_assert(dl_error_text()[0] != '\0' && d.x == NULL);
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    dl_dataset_free(&good);
}

Test(idx, what_claims_to_be_compressed_must_be)
{
    struct dl_dataset d;
    fill_images();
    put("x.gz", images, sizeof images), put("y", labels, sizeof labels);
    refused(read_pair(&d, "x.gz", "y"), &d, "not compressed by gzip", "raw bytes under a name with .gz");
    put("x.gz", "<html>Not found</html>", 22);
    refused(read_pair(&d, "x.gz", "y"), &d, "not compressed by gzip", "a web page");
    put("x.gz", "\x1f\x9d\x90", 3);
    refused(read_pair(&d, "x.gz", "y"), &d, "not compressed by gzip", "a file of compress");
}

Test(idx, headers_that_make_no_sense_are_refused)
{
    struct dl_dataset d;
    fill_images();
    put("y", labels, sizeof labels);
    static const struct { int at; unsigned char value; const char *word; } bad[] = {
        {0, 1, "not an IDX"}, {1, 1, "not an IDX"}, {2, 9, "not an IDX"}, {2, 13, "not an IDX"}, {3, 0, "not an IDX"},
        {3, 5, "not an IDX"}, {3, 255, "not an IDX"}, {3, 1, "longer"}, {7, 2, "longer"}, {7, 4, "ends too early"},
        {7, 0, "empty"}, {11, 0, "empty"}, {4, 0x7f, "more than"}, {4, 0xff, "more than"}, {8, 0x10, "more than"},
        {5, 1, "ends too early"}, {11, 1, "longer"}, {15, 5, "ends too early"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        unsigned char was = images[bad[k].at];
        images[bad[k].at] = bad[k].value;
        put("x", images, sizeof images);
        images[bad[k].at] = was;
        refused(read_pair(&d, "x", "y"), &d, bad[k].word, "a bad header");
    }
    for (size_t bit = 0; bit < 8 * 16; bit++) {         /* any one bit of the header */
        images[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put("x", images, sizeof images);
        images[bit / 8] ^= (unsigned char)(1 << bit % 8);
        refused(read_pair(&d, "x", "y"), &d, "", "a turned bit");
    }
    put("x", images, sizeof images);
    for (size_t bit = 0; bit < 8 * 8; bit++) {
        labels[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put("y", labels, sizeof labels);
        labels[bit / 8] ^= (unsigned char)(1 << bit % 8);
        refused(read_pair(&d, "x", "y"), &d, "", "a turned bit");
    }
    put("y", labels, sizeof labels);
    unsigned char wrap[20] = {0, 0, 8, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0};      /* 2^64 = 0 */
    put("x", wrap, sizeof wrap);
    refused(read_pair(&d, "x", "y"), &d, "more than", "lengths whose product wraps");
}

Test(idx, a_huge_claim_costs_no_memory)
{
    unsigned char huge[16] = {0, 0, 8, 3, 0, 0x20, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28};         /* 2^21 images: 1.6 GB */
    struct dl_dataset d;
    struct rusage before, after;
    put_gz("x.gz", huge, sizeof huge), put("y", labels, sizeof labels);
    getrusage(RUSAGE_SELF, &before);
    refused(read_pair(&d, "x.gz", "y"), &d, "ends too early", "a huge claim");
    getrusage(RUSAGE_SELF, &after);
    cr_assert(after.ru_maxrss - before.ru_maxrss < 4096, "%ld kB", after.ru_maxrss - before.ru_maxrss);
}

Test(idx, images_and_labels_must_match)
{
    struct dl_dataset d;
    unsigned char more[8 + 4] = {0, 0, 8, 1, 0, 0, 0, 4, 0, 0, 0, 0}, out[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 3, 1};
    fill_images();
    put("x", images, sizeof images), put("y", more, sizeof more);
    refused(read_pair(&d, "x", "y"), &d, "not images with a label each", "more labels than images");
    put("y", images, sizeof images);
    refused(read_pair(&d, "x", "y"), &d, "not images with a label each", "images as labels");
    put("y", labels, sizeof labels);
    refused(read_pair(&d, "y", "y"), &d, "not images with a label each", "labels as images");
    put("y", out, sizeof out);
    refused(read_pair(&d, "x", "y"), &d, "label 3, of example 1, is not one of 3", "a label out of range");
}

Test(idx, what_is_no_file_is_refused)
{
    struct dl_dataset d;
    put("y", labels, sizeof labels);
    refused(read_pair(&d, "missing", "y"), &d, "No such file", "a missing file");
    cr_assert(mkdir(path_of("dir"), 0700) == 0 && mkfifo(path_of("pipe"), 0600) == 0);
    refused(read_pair(&d, "dir", "y"), &d, "not a regular file", "a folder");
    refused(read_pair(&d, "pipe", "y"), &d, "not a regular file", "a pipe");
    cr_assert(!dl_read_idx(&d, "/dev/zero", path_of("y"), 3));
    cr_assert(strstr(dl_error_text(), "not a regular file") != NULL);
    fails_with(dl_read_idx(&d, NULL, "y", 3), "NULL");
    fails_with(dl_read_idx(&d, "x", "y", 0), "0 classes");
    fails_with(dl_read_idx(&d, "x", "y", 257), "257 classes");
}

/* ---- CSV ------------------------------------------------------------------------------------------------------- */

static bool read_text(struct dl_dataset *d, const char *text, int skip, int classes)
{
    put("table.csv", text, strlen(text));
    return dl_read_csv(d, path_of("table.csv"), skip, classes);
}

Test(csv, rows_are_read)
{
    struct dl_dataset d;
    cr_assert(read_text(&d, "a,b,label\n1.5,-2e1,0\n+.25,3.,1\r\n1e-3,0,2", 1, 3), "%s", dl_error_text());
    cr_assert(d.n == 3 && d.classes == 3 && dl_shape_equal(d.sample, DL_SHAPE(2)));
    static const float x[] = {1.5, -20, 0.25, 3, 1e-3f, 0};
    cr_assert(memcmp(d.x, x, sizeof x) == 0);
    cr_assert(d.label[0] == 0 && d.label[1] == 1 && d.label[2] == 2);
    dl_dataset_free(&d);
}

Test(csv, many_rows_and_compressed_ones_are_read)
{
    char *text = malloc(100000 * 8), *at = text;
    struct dl_dataset d;
    for (int i = 0; i < 50000; i++)
        at += sprintf(at, "%d,%d\n", i, i % 7);
    put_gz("t.csv.gz", text, (size_t)(at - text));
    cr_assert(dl_read_csv(&d, path_of("t.csv.gz"), 0, 7), "%s", dl_error_text());
    cr_assert(d.n == 50000);
    for (int i = 0; i < 50000; i++)
        cr_assert(d.x[i] == (float)i && d.label[i] == i % 7);
    dl_dataset_free(&d);
    free(text);
}

Test(csv, what_is_no_table_is_refused_with_its_line)
{
    static const struct { const char *text, *word; } bad[] = {
        {"", "is empty"}, {"\n", ":1: 1 columns, not 2 or more"}, {"1,0\n\n", ":2: 1 columns, not 2"},
        {"1,2,0\n1,0\n", ":2: 2 columns, not 3"}, {"1,0\n1,2,0\n", ":2: 3 columns, not 2"},
        {"x,0\n", ":1: column 1"}, {"nan,0\n", ":1: column 1"}, {"inf,0\n", ":1: column 1"}, {"0x10,0\n", ":1: column 1"},
        {" 1,0\n", ":1: column 1"}, {"1 ,0\n", ":1: column 1"}, {"1e99,0\n", ":1: column 1"}, {",0\n", ":1: column 1"},
        {"1,\n", ":1: column 2"}, {"1,2,\n", ":1: column 3"}, {"1e,0\n", ":1: column 1"}, {"--1,0\n", ":1: column 1"},
        {"1,3\n", ":1: label 3"}, {"1,-1\n", ":1: label -1"}, {"1,0.5\n", ":1: label 0.5"}, {"1,1e30\n", ":1: label 1e+30"},
        {"1;0\n", ":1: 1 columns"}, {"1,0\n2,nan\n", ":2: column 2"}, {"1\t0\n", ":1: 1 columns"}, {",\n", ":1: column 1"},
        {"1,0\r\r\n", ":1: column 2"}, {"\"1\",0\n", ":1: column 1"}, {"1,\"0\"\n", ":1: column 2"}, {"1,0 \n", ":1: column 2"},
        {"1e+,0\n", ":1: column 1"}, {"1.2.3,0\n", ":1: column 1"}, {"+-1,0\n", ":1: column 1"}, {".,0\n", ":1: column 1"},
        {"e5,0\n", ":1: column 1"}, {"1_000,0\n", ":1: column 1"}, {"1d3,0\n", ":1: column 1"}, {"-inf,0\n", ":1: column 1"},
        {"infinity,0\n", ":1: column 1"}, {"NAN(1),0\n", ":1: column 1"}, {"0x1p3,0\n", ":1: column 1"}, {"# note\n1,0\n", ":1: 1 columns"},
        {"\xef\xbb\xbf" "1,0\n", ":1: column 1"}, {"1,0\n\n2,0\n", ":2: 1 columns"}, {"1,4294967296\n", ":1: label 4.29497e+09"},
        {"1,-0.5\n", ":1: label -0.5"}, {"1,2.9999\n", ":1: label 2.9999"}, {"-1e99,0\n", ":1: column 1"}, {"1,0\n1,0,\n", ":2: 3 columns"},
    };
    cr_assert(sizeof bad / sizeof *bad >= 40);
    struct dl_dataset d;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        refused(read_text(&d, bad[k].text, 0, 3), &d, bad[k].word, bad[k].text);
    refused(read_text(&d, "1,0\n", 1, 3), &d, "has no rows", "only a heading");
    put("zero.csv", "1,0\n2,0\0\n", 9);
    refused(dl_read_csv(&d, path_of("zero.csv"), 0, 3), &d, ":2: a line of more", "a zero byte");
}

Test(csv, a_line_without_end_is_refused)
{
    size_t n = 1 << 20;
    char *text = malloc(n + 1);
    struct dl_dataset d;
    memset(text, '1', n);
    text[n] = '\0';
    refused(read_text(&d, text, 0, 3), &d, ":1: a line of more", "a line of a megabyte");
    free(text);
}

Test(csv, every_truncation_and_every_turned_bit_of_a_compressed_table_is_refused_or_harmless)
{
    unsigned char packed[256];
    struct dl_dataset d;
    const char *text = "1,0\n2,1\n3,2\n4,0\n5.5,1\n";
    put_gz("t.gz", text, strlen(text));
    size_t n = get("t.gz", packed, sizeof packed);
    for (size_t k = 0; k < n; k++) {
        put("cut.gz", packed, k);
        refused(dl_read_csv(&d, path_of("cut.gz"), 0, 3), &d, "", "a cut table");
    }
    struct dl_dataset whole;                            /* and every turned bit, but for those that mean nothing */
    cr_assert(dl_read_csv(&whole, path_of("t.gz"), 0, 3));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put("bad.gz", packed, n);
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (dl_read_csv(&d, path_of("bad.gz"), 0, 3)) {
            cr_assert(d.n == whole.n && memcmp(d.x, whole.x, (size_t)d.n * sizeof *d.x) == 0);
            dl_dataset_free(&d);
        } else
            cr_assert(strchr(dl_error_text(), '\n') == NULL && dl_error_text()[0] != '\0' && d.x == NULL);
    }
    dl_dataset_free(&whole);
    put("raw.gz", text, strlen(text));
    refused(dl_read_csv(&d, path_of("raw.gz"), 0, 3), &d, "not compressed by gzip", "a raw table");
}

/* ---- The book's sets ------------------------------------------------------------------------------------------- */

Test(sets, digits_are_what_they_should_be)
{
    struct dl_dataset d;
    cr_assert(dl_read_digits(&d, NULL), "%s", dl_error_text());
    cr_assert(d.n == 1797 && d.classes == 10 && dl_shape_equal(d.sample, DL_SHAPE(8, 8)));
    double sum = 0;
    for (int i = 0; i < d.n * 64; i++) {
        cr_assert(d.x[i] >= 0 && d.x[i] <= 1);
        sum += 16 * d.x[i];
    }
    cr_assert(sum == 561718, "%g", sum);
    cr_assert(d.label[0] == 0 && d.label[1] == 1 && d.label[1796] == 8);
    dl_dataset_free(&d);
}

Test(sets, fashion_is_what_it_should_be)
{
    struct dl_dataset train, test;
    cr_assert(dl_read_fashion(&train, &test, NULL), "%s", dl_error_text());
    cr_assert(train.n == 60000 && test.n == 10000 && dl_shape_equal(test.sample, DL_SHAPE(28, 28)));
    int count[10] = {0};
    double sum = 0, square = 0;
    for (int i = 0; i < train.n; i++)
        count[train.label[i]]++;
    for (int k = 0; k < 10; k++)
        cr_assert(count[k] == 6000);
    for (int i = 0; i < train.n * 784; i++)
        sum += train.x[i], square += (double)train.x[i] * train.x[i];
    double mean = sum / train.n / 784, deviation = sqrt(square / train.n / 784 - mean * mean);
    cr_assert(fabs(mean - 0.28604) < 1e-5 && fabs(deviation - 0.35302) < 1e-5, "%g %g", mean, deviation);
    dl_dataset_free(&train), dl_dataset_free(&test);
}

Test(sets, the_folder_is_chosen_by_option_environment_package_data)
{
    put("f", "x", 1);
    unsetenv("DLFS_DATA");
    cr_assert(strcmp(dl_data_dir("mine", folder, "f"), "mine") == 0);
    cr_assert(strcmp(dl_data_dir(NULL, folder, "f"), folder) == 0);
    cr_assert(strcmp(dl_data_dir(NULL, folder, "g"), "data") == 0);
    setenv("DLFS_DATA", "set", 1);
    cr_assert(strcmp(dl_data_dir("mine", folder, "f"), "mine") == 0);
    cr_assert(strcmp(dl_data_dir(NULL, folder, "f"), "set") == 0);
    setenv("DLFS_DATA", "", 1);
    cr_assert(strcmp(dl_data_dir(NULL, folder, "f"), folder) == 0);
    unsetenv("DLFS_DATA");
}

Test(sets, missing_and_mixed_sets_are_refused)
{
    struct dl_dataset a, b;
    char longer[5000];
    refused(dl_read_fashion(&a, &b, folder), &a, "No such file", "an empty folder");
    cr_assert(b.x == NULL);
    refused(dl_read_digits(&a, folder), &a, "No such file", "an empty folder");
    put_gz("digits.csv.gz", "1,2,3\n", 6);
    refused(dl_read_digits(&a, folder), &a, "2 pixels, not 64", "other digits");
    memset(longer, 'x', sizeof longer), longer[4999] = '\0';
    cr_assert(!dl_read_digits(&a, longer) && strstr(dl_error_text(), "too long"));
    cr_assert(!dl_read_fashion(&a, &b, longer) && strstr(dl_error_text(), "too long"));
    unsigned char small[4 + 12 + 4] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2}, one[9] = {0, 0, 8, 1, 0, 0, 0, 1, 0};
    fill_images();
    put_gz("train-images-idx3-ubyte.gz", images, sizeof images), put_gz("train-labels-idx1-ubyte.gz", labels, sizeof labels);
    put_gz("t10k-images-idx3-ubyte.gz", small, sizeof small), put_gz("t10k-labels-idx1-ubyte.gz", one, sizeof one);
    refused(dl_read_fashion(&a, &b, folder), &a, "differ in size", "two sizes");
    cr_assert(b.x == NULL && b.label == NULL);
    unsigned char flat[4 + 8 + 12] = {0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    put_gz("train-images-idx3-ubyte.gz", flat, sizeof flat);
    put_gz("t10k-images-idx3-ubyte.gz", flat, sizeof flat), put_gz("t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    refused(dl_read_fashion(&a, &b, folder), &a, "not height and width", "images without height");
    cr_assert(b.x == NULL && b.label == NULL);
}

/* ---- Splitting, rows ------------------------------------------------------------------------------------------- */

static struct dl_dataset counting(int n, int size)
{
    struct dl_dataset d = {n, 7, DL_SHAPE(size), malloc((size_t)(n * size) * sizeof(float) + 1), malloc((size_t)n * sizeof(int) + 1)};
    for (int i = 0; i < n * size; i++)
        d.x[i] = (float)i;
    for (int i = 0; i < n; i++)
        d.label[i] = i % 7;
    return d;
}

Test(split, every_example_is_in_one_part_with_its_label)
{
    struct dl_dataset all = counting(20, 3), a, b;
    struct dl_random r;
    int order[20];
    dl_random_seed(&r, 3);
    dl_random_permutation(&r, order, 20);
    for (int n = 0; n <= 20; n += 5) {
        dl_random_seed(&r, 3);
        dl_dataset_split(&all, n, &r, &a, &b);
        cr_assert(a.n == n && b.n == 20 - n && a.classes == 7 && dl_shape_equal(b.sample, all.sample));
        for (int i = 0; i < 20; i++) {
            const struct dl_dataset *part = i < n ? &a : &b;
            int k = i < n ? i : i - n;
            cr_assert(part->x[3 * k] == (float)(3 * order[i]) && part->x[3 * k + 2] == (float)(3 * order[i] + 2));
            cr_assert(part->label[k] == order[i] % 7);
        }
        dl_dataset_free(&a), dl_dataset_free(&b);
    }
    dl_dataset_split(&all, 2, NULL, &a, &b);
    cr_assert(a.x[0] == 0 && b.x[0] == 6);
    dl_dataset_free(&a), dl_dataset_free(&b);
    fails_with(dl_dataset_split(&all, 21, NULL, &a, &b), "21 of 20");
    fails_with(dl_dataset_split(&all, -1, NULL, &a, &b), "-1 of 20");
    dl_dataset_free(&all);
}

Test(split, standardised_by_the_training_set)
{
    struct dl_dataset all = counting(4, 2), a, b;
    dl_dataset_split(&all, 3, NULL, &a, &b);           /* (0, 1) (2, 3) (4, 5) | (6, 7) */
    a.x[1] = a.x[3] = a.x[5] = 9;                       /* the second feature does not vary */
    dl_dataset_standardize(&b, &a);
    dl_dataset_standardize(&a, &a);
    float s = sqrtf(8.0f / 3);
    cr_assert(fabsf(a.x[0] + 2 / s) < 1e-6f && fabsf(a.x[2]) < 1e-6f && fabsf(a.x[4] - 2 / s) < 1e-6f);
    cr_assert(fabsf(b.x[0] - 4 / s) < 1e-6f);
    cr_assert(fabsf(a.x[1]) < 1e-6f && fabsf(b.x[1] + 2) < 1e-6f);
    struct dl_dataset other = counting(3, 3);
    fails_with(dl_dataset_standardize(&other, &a), "[3]", "[2]");
    dl_dataset_free(&all), dl_dataset_free(&a), dl_dataset_free(&b), dl_dataset_free(&other);
}

Test(split, rows_are_gathered_with_any_number_of_threads)
{
    struct dl_dataset d = counting(300, 784);
    int row[257];
    for (int i = 0; i < 257; i++)
        row[i] = i * 131 % 300;
    for (int threads = 1; threads <= 4; threads++) {
        dl_set_num_threads(threads);
        dl_scope scope = dl_scope_enter(DL_NO_GRAD);
        struct dl_ints rows = {257, row}, label = dl_dataset_labels(&d, rows);
        dl_tensor *x = dl_dataset_rows(&d, rows), *none = dl_dataset_rows(&d, DL_INTS());
        cr_assert(dl_shape_equal(x->shape, DL_SHAPE(257, 784)) && dl_shape_equal(none->shape, DL_SHAPE(0, 784)));
        for (int i = 0; i < 257; i++) {
            cr_assert(label.at[i] == row[i] % 7);
            for (int j = 0; j < 784; j++)
                cr_assert(*dl_at(x, i, j) == (dl_real)(row[i] * 784 + j));
        }
        dl_scope_leave(scope);
    }
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    fails_with(dl_dataset_rows(&d, DL_INTS(0, 300)), "300");
    fails_with(dl_dataset_rows(&d, DL_INTS(-1)), "-1");
    fails_with(dl_dataset_labels(&d, DL_INTS(300)), "300");
    dl_scope_leave(scope);
    dl_dataset_free(&d);
    dl_pool_drain();
}

/* ---- The loader ------------------------------------------------------------------------------------------------ */

/* what: n, seed, batch, shuffle, drop_last, epochs */
Test(loader, orders_are_pytorchs)
{
    struct oracle o = oracle_open("08_loss.safetensors");
    for (int k = 0; k < 7; k++) {
        const int *what = oracle_get(&o, "order.%d.what", k).i32;
        const int *wanted = oracle_get(&o, "order.%d", k).i32;
        const float *after = oracle_get(&o, "order.%d.next", k).f32;
        struct dl_random r;
        struct dl_loader l;
        dl_random_seed(&r, (uint64_t)what[1]);
        dl_loader_init(&l, what[0], what[2], what[3], &r);
        l.drop_last = what[4];
        for (int epoch = 0; epoch < what[5]; epoch++) {
            dl_loader_epoch(&l);
            for (int k = 0; k < dl_loader_batches(&l); k++) {
                struct dl_ints b = dl_loader_next(&l);
                for (int i = 0; i < b.n; i++)
                    cr_assert(b.at[i] == *wanted++);
            }
            cr_assert(dl_loader_next(&l).n == 0);
        }
        for (int i = 0; i < 3; i++)     /* the generator, too */
            cr_assert(dl_random_uniform(&r) == after[i]);
        dl_loader_free(&l);
    }
    oracle_close(&o);
}

Test(loader, batches_have_the_size_asked_for_and_the_last_the_rest)
{
    struct dl_loader l;
    dl_loader_init(&l, 10, 4, false, NULL);
    cr_assert(dl_loader_next(&l).n == 0);               /* no epoch was begun */
    dl_loader_epoch(&l);
    cr_assert(dl_loader_next(&l).n == 4 && dl_loader_next(&l).n == 4);
    struct dl_ints rest = dl_loader_next(&l);
    cr_assert(rest.n == 2 && rest.at[0] == 8 && rest.at[1] == 9 && dl_loader_next(&l).n == 0 && dl_loader_next(&l).n == 0);
    cr_assert(dl_loader_batches(&l) == 3);
    l.drop_last = true;
    dl_loader_epoch(&l);
    cr_assert(dl_loader_next(&l).n == 4 && dl_loader_next(&l).n == 4 && dl_loader_next(&l).n == 0 && dl_loader_next(&l).n == 0);
    cr_assert(dl_loader_batches(&l) == 2);
    dl_loader_free(&l);
    dl_loader_init(&l, 0, 4, false, NULL);
    dl_loader_epoch(&l);
    cr_assert(dl_loader_next(&l).n == 0 && dl_loader_batches(&l) == 0);
    dl_loader_free(&l);
    fails_with(dl_loader_init(&l, 10, 0, false, NULL), "batches of 0");
    fails_with(dl_loader_init(&l, -1, 4, false, NULL), "-1 examples");
    fails_with(dl_loader_init(&l, 10, 4, true, NULL), "shuffle");
}
