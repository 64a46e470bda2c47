/* dataset.c - labelled examples: reading, splitting, shuffling. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base.h"
#include "dataset.h"
#include "memory.h"
#include "parallel.h"

static void *allocate(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 63)
        return NULL;
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

void dl_dataset_free(struct dl_dataset *d)
{
    free(d->x);
    free(d->label);
    *d = (struct dl_dataset){0};
}

/* Memory for n examples; false, and a message, if there is none. */
static bool reserve(struct dl_dataset *d, int n, struct dl_shape sample,
                    int classes)
{
    *d = (struct dl_dataset){n, classes, sample, NULL, NULL};
    size_t size = dl_shape_size(sample);
    if (n == 0 || size <= SIZE_MAX / sizeof(float) / (size_t)n) {
        d->x = allocate((size_t)n * size, sizeof *d->x);
        d->label = allocate((size_t)n, sizeof *d->label);
    }
    if (d->x != NULL && d->label != NULL)
        return true;
    dl_dataset_free(d);
    return dl_error("no memory for %d examples of shape %s", n,
                    DL_SHAPE_TEXT(sample));
}

struct source {
    FILE *file;
    const char *path;
    bool packed, ended;             /* by gzip; all has been unpacked */
    z_stream z;
    unsigned char in[1 << 14];      /* bytes of the file; of the content: */
    unsigned char out[1 << 14];     /* out[at], ..., out[have - 1] */
    long at, have;
};

/* More of the file in s->in, if there is more; false and a message if it
   cannot be read. */
static bool refill(struct source *s)
{
    s->z.next_in = s->in;
    s->z.avail_in = (unsigned)fread(s->in, 1, sizeof s->in, s->file);
    return !ferror(s->file) || dl_error("%s: %s", s->path, strerror(errno));
}

static void close_source(struct source *s)
{
    if (s->file == NULL)
        return;
    fclose(s->file);
    if (s->packed)
        inflateEnd(&s->z);
    s->file = NULL;
}

static bool begin_unpacking(struct source *s)
{
    if (!refill(s))
        return false;
    if (s->z.avail_in < 2 || memcmp(s->in, "\x1f\x8b", 2) != 0) {
        rewind(s->file);
        return true;
    }
    s->packed = inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK;
    return s->packed || dl_error("%s: no memory", s->path);
}

static bool open_source(struct source *s, const char *path)
{
    size_t n = strlen(path);
    struct stat about;
    memset(s, 0, sizeof *s);
    s->path = path;
    if (stat(path, &about) != 0)
        return dl_error("%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return dl_error("%s is not a regular file", path);
    if (about.st_size == 0)
        return dl_error("%s is empty", path);
    s->file = fopen(path, "rb");
    if (s->file == NULL)
        return dl_error("%s: %s", path, strerror(errno));
    bool named = n > 3 && strcmp(path + n - 3, ".gz") == 0;
    if (begin_unpacking(s)
        && (s->packed || !named
            || dl_error("%s is not compressed by gzip, though its name says "
                        "so", path)))
        return true;
    close_source(s);
    return false;
}

/* At the end of a compressed file: does another one follow? */
static bool look_behind(struct source *s)
{
    if (s->z.avail_in == 0 && !refill(s))
        return false;
    s->ended = s->z.avail_in == 0;
    return s->ended || inflateReset(&s->z) == Z_OK;
}

static long complain(const struct source *s, int code)
{
    if (code == Z_BUF_ERROR)
        dl_error("%s ends too early: it was cut off", s->path);
    else if (code == Z_MEM_ERROR)
        dl_error("%s: no memory", s->path);
    else
        dl_error("%s is damaged: its checksum is wrong, or it is not what "
                 "gzip wrote", s->path);
    return -1;
}

/* Unpack up to `most` bytes; how many there were, or -1 and a message. */
static long unpack(struct source *s, void *bytes, size_t most)
{
    s->z.next_out = bytes;
    s->z.avail_out = (unsigned)most;
    while (s->z.avail_out > 0 && !s->ended) {
        if (s->z.avail_in == 0 && !refill(s))
            return -1;
        int code = s->z.avail_in > 0 ? inflate(&s->z, Z_NO_FLUSH)
                                     : Z_BUF_ERROR;
        if (code == Z_STREAM_END && !look_behind(s))
            return -1;
        if (code != Z_OK && code != Z_STREAM_END)
            return complain(s, code);
    }
    return (long)(most - s->z.avail_out);
}

/* Read up to `most` bytes; how many there were, or -1 and a message. */
static long read_some(struct source *s, void *bytes, size_t most)
{
    if (s->packed)
        return unpack(s, bytes, most);
    size_t got = fread(bytes, 1, most, s->file);
    if (!ferror(s->file))
        return (long)got;
    dl_error("%s: %s", s->path, strerror(errno));
    return -1;
}

/* After the last byte: is this the end, and was all of it right? */
static bool finish(struct source *s)
{
    char more;
    long got = read_some(s, &more, 1);
    if (got > 0)
        return dl_error("%s is longer than its header says", s->path);
    return got == 0;
}

/* The next n bytes in new memory, which grows with what arrives; or NULL
   and a message. */
static unsigned char *read_bytes(struct source *s, size_t n)
{
    size_t room = 1 << 16, got = 0;
    unsigned char *bytes = malloc(room);
    while (bytes != NULL && got < n) {
        if (got == room) {
            unsigned char *larger = room < INT_MAX / 2 ? realloc(bytes, 2 * room)
                                                       : NULL;
            if (larger == NULL)
                free(bytes);
            bytes = larger;
            room *= 2;
            continue;
        }
        long more = read_some(s, bytes + got, room - got < n - got
                                              ? room - got : n - got);
        if (more == 0)
            dl_error("%s ends too early: %zu of %zu bytes are there",
                     s->path, got, n);
        if (more <= 0) {
            free(bytes);
            return NULL;
        }
        got += (size_t)more;
    }
    if (bytes == NULL)
        dl_error("%s: no memory", s->path);
    return bytes;
}

/* Four bytes for each axis. */
static bool decode_lengths(const unsigned char *bytes,
                           struct dl_shape *shape)
{
    uint64_t product = 1;
    for (int k = 0; k < shape->rank; k++, bytes += 4) {
        uint64_t n = (uint64_t)bytes[0] << 24 | bytes[1] << 16
                     | bytes[2] << 8 | bytes[3];
        product *= n;
        if (n == 0 || product > INT_MAX)
            return false;
        shape->dim[k] = (int)n;
    }
    return true;
}

/* The lengths of the axes. */
static bool read_idx_header(struct source *s, struct dl_shape *shape)
{
    unsigned char *bytes = read_bytes(s, 4);
    if (bytes == NULL)
        return false;
    int rank = bytes[3];
    bool good = bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8
                && rank >= 1 && rank <= DL_MAX_RANK;
    free(bytes);
    if (!good)
        return dl_error("%s is not an IDX file of bytes with 1 to %d axes",
                        s->path, DL_MAX_RANK);
    *shape = (struct dl_shape){.rank = rank};
    if ((bytes = read_bytes(s, 4 * (size_t)rank)) == NULL)
        return false;
    good = decode_lengths(bytes, shape);
    free(bytes);
    return good || dl_error("%s: an axis is empty, or there are more than "
                            "%d numbers", s->path, INT_MAX);
}

static unsigned char *read_idx(const char *path, struct dl_shape *shape)
{
    struct source s;
    unsigned char *bytes = NULL;
    bool good = open_source(&s, path) && read_idx_header(&s, shape)
             && (bytes = read_bytes(&s, dl_shape_size(*shape))) != NULL
             && finish(&s);
    close_source(&s);
    if (!good) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static bool fill(struct dl_dataset *d, struct dl_shape shape,
                 const unsigned char *x, const unsigned char *y,
                 int classes, const char *labels)
{
    struct dl_shape sample = {.rank = shape.rank - 1};
    memcpy(sample.dim, shape.dim + 1, sizeof(int) * (size_t)sample.rank);
    int n = shape.dim[0];
    for (int i = 0; i < n; i++)
        if (y[i] >= classes)
            return dl_error("%s: label %d, of example %d, is not one of %d "
                            "classes", labels, y[i], i, classes);
    if (!reserve(d, n, sample, classes))
        return false;
    size_t size = dl_shape_size(shape);
    for (size_t i = 0; i < size; i++)
        d->x[i] = (float)x[i] / 255;
    for (int i = 0; i < n; i++)
        d->label[i] = y[i];
    return true;
}

bool dl_read_idx(struct dl_dataset *d, const char *images,
                 const char *labels, int classes)
{
    struct dl_shape shape, one;
    unsigned char *x = NULL, *y = NULL;
    dl_check(images != NULL && labels != NULL, "a path is NULL");
    dl_check(classes >= 1 && classes <= 256, "%d classes", classes);
    *d = (struct dl_dataset){0};
    bool good = (x = read_idx(images, &shape)) != NULL
             && (y = read_idx(labels, &one)) != NULL
             && ((shape.rank > 1 && one.rank == 1 && shape.dim[0] == one.dim[0])
                 || dl_error("%s holds %s, %s %s: not images with a label each", images,
                             DL_SHAPE_TEXT(shape), labels, DL_SHAPE_TEXT(one)))
             && fill(d, shape, x, y, classes, labels);
    free(x);
    free(y);
    return good;
}

/* The number at *at, which must be followed by a comma or the end. */
static bool take_number(char **at, float *x)
{
    size_t length = strspn(*at, "+-.0123456789eE");
    char *end;
    *x = strtof(*at, &end);
    bool good = length > 0 && end == *at + length && isfinite(*x)
                && (*end == ',' || *end == '\0');
    *at = *end == ',' ? end + 1 : end;
    return good;
}

enum { LONGEST_LINE = 1 << 16 };

struct table {
    struct source from;
    int row, columns;               /* columns: 0 before the first row */
    int room;                       /* rows that there is memory for */
    char line[LONGEST_LINE + 1];
};

/* The next byte, or -1: at the end, or with *bad set and a message. */
static int next_byte(struct source *s, bool *bad)
{
    if (s->at == s->have) {
        s->at = 0;
        s->have = read_some(s, s->out, sizeof s->out);
        *bad = s->have < 0;
        if (s->have <= 0)
            return s->have = 0, -1;
    }
    return s->out[s->at++];
}

/* The next line without its end; false at the end of the file, or with
   *bad set and a message. */
static bool next_line(struct table *t, bool *bad)
{
    int n = 0, c = next_byte(&t->from, bad);
    bool any = c != -1;
    for (; c != -1 && c != '\n' && c != '\0' && n < LONGEST_LINE; n++) {
        t->line[n] = (char)c;
        c = next_byte(&t->from, bad);
    }
    t->line[n - (n > 0 && t->line[n - 1] == '\r')] = '\0';
    *bad = *bad || (c != -1 && c != '\n'
                    && !dl_error("%s:%d: a line of more than %d characters, "
                                 "or a zero byte", t->from.path, t->row + 1,
                                 LONGEST_LINE));
    t->row++;
    return any && !*bad;
}

static bool make_room(struct table *t, struct dl_dataset *d)
{
    if (d->n < t->room)
        return true;
    size_t rows = 64 + 2 * (size_t)t->room;
    size_t features = (size_t)t->columns - 1;
    float *x = rows < INT_MAX ? realloc(d->x, rows * features * sizeof *x)
                              : NULL;
    if (x != NULL)
        d->x = x;
    int *label = x ? realloc(d->label, rows * sizeof *label) : NULL;
    if (label != NULL)
        d->label = label;
    t->room = (int)rows;
    return label || dl_error("%s: no memory for more than %d rows",
                             t->from.path, d->n);
}

/* Append what is in t->line. */
static bool take_row(struct table *t, struct dl_dataset *d, int classes)
{
    char *at = t->line;
    int columns = 1;
    for (const char *c = at; *c != '\0'; c++)
        columns += *c == ',';
    if (t->columns == 0)
        t->columns = columns;
    if (columns != t->columns || columns < 2)
        return dl_error("%s:%d: %d columns, not %d%s", t->from.path, t->row,
                        columns, t->columns < 2 ? 2 : t->columns,
                        t->columns < 2 ? " or more" : "");
    if (!make_room(t, d))
        return false;
    size_t features = (size_t)columns - 1;
    float *x = d->x + features * (size_t)d->n, label;
    for (size_t j = 0; j <= features; j++)
        if (!take_number(&at, j < features ? &x[j] : &label))
            return dl_error("%s:%d: column %zu is not a finite number",
                            t->from.path, t->row, j + 1);
    if (!(label >= 0 && label < (float)classes) || label != (float)(int)label)
        return dl_error("%s:%d: label %g is not one of %d classes",
                        t->from.path, t->row, (double)label, classes);
    d->label[d->n++] = (int)label;
    return true;
}

bool dl_read_csv(struct dl_dataset *d, const char *path, int skip,
                 int classes)
{
    dl_check(path != NULL, "the path is NULL");
    dl_check(skip >= 0 && classes >= 1, "%d lines to be skipped, %d classes",
             skip, classes);
    struct table *t = dl_alloc(1, sizeof *t);
    *d = (struct dl_dataset){.classes = classes};
    t->row = t->columns = t->room = 0;
    bool bad = !open_source(&t->from, path);
    while (!bad && next_line(t, &bad))
        if (t->row > skip)
            bad = !take_row(t, d, classes);
    bad = bad || !finish(&t->from)
          || (d->n == 0 && !dl_error("%s has no rows", path));
    close_source(&t->from);
    d->sample = DL_SHAPE(t->columns - 1);
    free(t);
    if (bad)
        dl_dataset_free(d);
    return !bad;
}

const char *dl_data_dir(const char *option, const char *place,
                        const char *file)
{
    char path[PATH_MAX];
    if (option != NULL)
        return option;
    const char *set = getenv("DLFS_DATA");
    if (set != NULL && *set != '\0')
        return set;
    snprintf(path, sizeof path, "%s/%s", place, file);
    return access(path, R_OK) == 0 ? place : "data";
}

/* dir/name, in a buffer of PATH_MAX; false, and a message, if too long. */
static bool join(char *path, const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX
           || dl_error("the name of the folder is too long: %.60s...", dir);
}

static bool read_fashion(struct dl_dataset *d, const char *dir,
                         const char *set)
{
    char images[PATH_MAX], labels[PATH_MAX], name[64];
    *d = (struct dl_dataset){0};
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", set);
    if (!join(images, dir, name))
        return false;
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", set);
    return join(labels, dir, name) && dl_read_idx(d, images, labels, 10);
}

bool dl_read_fashion(struct dl_dataset *train, struct dl_dataset *test,
                     const char *dir)
{
    dir = dl_data_dir(dir, "/usr/share/datasets/fashion-mnist",
                      "train-images-idx3-ubyte.gz");
    *test = (struct dl_dataset){0};
    bool good = read_fashion(train, dir, "train")
             && read_fashion(test, dir, "t10k")
             && (dl_shape_equal(train->sample, test->sample)
                 || dl_error("%s: training and test images differ in size",
                             dir))
             && (train->sample.rank == 2
                 || dl_error("%s: an image is %s, not height and width", dir,
                             DL_SHAPE_TEXT(train->sample)));
    if (!good) {
        dl_dataset_free(train);
        dl_dataset_free(test);
    }
    return good;
}

bool dl_read_digits(struct dl_dataset *d, const char *dir)
{
    char path[PATH_MAX];
    dir = dl_data_dir(dir, "/usr/lib/python3/dist-packages/sklearn/"
                      "datasets/data", "digits.csv.gz");
    *d = (struct dl_dataset){0};
    if (!join(path, dir, "digits.csv.gz") || !dl_read_csv(d, path, 0, 10))
        return false;
    if (d->sample.dim[0] != 64) {
        dl_error("%s: %d pixels, not 64", path, d->sample.dim[0]);
        dl_dataset_free(d);
        return false;
    }
    d->sample = DL_SHAPE(8, 8);
    for (size_t i = 0; i < 64 * (size_t)d->n; i++)
        d->x[i] /= 16;
    return true;
}

/* The examples order[from], ..., order[to - 1], as a new set. */
static void take(struct dl_dataset *d, const struct dl_dataset *all,
                 const int *order, int from, int to)
{
    size_t size = dl_shape_size(all->sample);
    dl_check(reserve(d, to - from, all->sample, all->classes), "%s",
             dl_error_text());
    for (int i = from; i < to; i++) {
        memcpy(d->x + (size_t)(i - from) * size,
               all->x + (size_t)order[i] * size, size * sizeof *d->x);
        d->label[i - from] = all->label[order[i]];
    }
}

void dl_dataset_split(const struct dl_dataset *all, int n,
                      struct dl_random *r, struct dl_dataset *a,
                      struct dl_dataset *b)
{
    dl_check(n >= 0 && n <= all->n, "%d of %d examples", n, all->n);
    int *order = dl_alloc((size_t)all->n + 1, sizeof *order);
    for (int i = 0; i < all->n; i++)
        order[i] = i;
    if (r != NULL)
        dl_random_permutation(r, order, all->n);
    take(a, all, order, 0, n);
    take(b, all, order, n, all->n);
    free(order);
}

void dl_dataset_standardize(struct dl_dataset *d,
                            const struct dl_dataset *by)
{
    size_t size = dl_shape_size(d->sample);
    dl_check(dl_shape_equal(d->sample, by->sample),
             "the samples have the shapes %s and %s",
             DL_SHAPE_TEXT(d->sample), DL_SHAPE_TEXT(by->sample));
    for (size_t j = 0; j < size; j++) {
        double mean = 0, square = 0;
        for (int i = 0; i < by->n; i++)
            mean += by->x[(size_t)i * size + j] / by->n;
        for (int i = 0; i < by->n; i++)
            square += pow(by->x[(size_t)i * size + j] - mean, 2) / by->n;
        double deviation = square > 0 ? sqrt(square) : 1;
        for (int i = 0; i < d->n; i++) {
            float *x = &d->x[(size_t)i * size + j];
            *x = (float)((*x - mean) / deviation);
        }
    }
}

struct gather {
    const struct dl_dataset *from;
    const int *row;
    dl_real *to;
};

static void gather_rows(size_t begin, size_t end, void *context)
{
    const struct gather *g = context;
    size_t size = dl_shape_size(g->from->sample);
    for (size_t i = begin; i < end; i++) {
        const float *x = g->from->x + (size_t)g->row[i] * size;
        dl_real *to = g->to + i * size;
#ifdef DL_DOUBLE
        for (size_t j = 0; j < size; j++)
            to[j] = x[j];
#else
        memcpy(to, x, size * sizeof *x);
#endif
    }
}

dl_tensor *dl_dataset_rows(const struct dl_dataset *d, struct dl_ints rows)
{
    struct dl_shape s = {.rank = d->sample.rank + 1, .dim = {rows.n}};
    dl_check(s.rank <= DL_MAX_RANK, "no axis is left for the rows of %s",
             DL_SHAPE_TEXT(d->sample));
    memcpy(s.dim + 1, d->sample.dim, sizeof(int) * (size_t)d->sample.rank);
    dl_check_ints(rows, -1, d->n, d->sample);
    dl_tensor *x = dl_empty(s);
    struct gather g = {d, rows.at, dl_data(x)};
    dl_parallel_for((size_t)rows.n, 16384 / (dl_shape_size(d->sample) + 1)
                                    + 1, gather_rows, &g);
    return x;
}

struct dl_ints dl_dataset_labels(const struct dl_dataset *d,
                                 struct dl_ints rows)
{
    dl_check_ints(rows, -1, d->n, d->sample);
    int *label = dl_keep_ints(rows);
    for (int i = 0; i < rows.n; i++)
        label[i] = d->label[rows.at[i]];
    return (struct dl_ints){rows.n, label};
}

void dl_loader_init(struct dl_loader *l, int n, int batch, bool shuffle,
                    struct dl_random *r)
{
    dl_check(n >= 0 && batch > 0, "batches of %d of %d examples", batch, n);
    dl_check(r != NULL || !shuffle, "there is nothing to shuffle with");
    *l = (struct dl_loader){.n = n, .batch = batch, .shuffle = shuffle,
                            .at = n, .random = r};
    l->order = dl_alloc((size_t)n + 1, sizeof *l->order);
    for (int i = 0; i < n; i++)
        l->order[i] = i;
}

void dl_loader_free(struct dl_loader *l)
{
    free(l->order);
    *l = (struct dl_loader){0};
}

void dl_loader_epoch(struct dl_loader *l)
{
    l->at = 0;
    if (l->random != NULL)
        dl_random_u64(l->random);
    if (l->shuffle) {
        struct dl_random own;
        dl_random_seed(&own, dl_random_u64(l->random) & INT64_MAX);
        dl_random_permutation(&own, l->order, l->n);
    }
}

struct dl_ints dl_loader_next(struct dl_loader *l)
{
    int left = l->n - l->at, n = left < l->batch ? left : l->batch;
    if (n < l->batch && l->drop_last)
        n = 0;
    struct dl_ints rows = {n, l->order + l->at};
    l->at += n;
    return rows;
}

int dl_loader_batches(const struct dl_loader *l)
{
    return l->n / l->batch + (l->n % l->batch > 0 && !l->drop_last);
}
