/* npy.c - tensors in NumPy's .npy files. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base.h"
#include "npy.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the numbers in files have their little end first");

#define CONVERT(type, c_type, value) \
    static void from_##type(dl_real *x, const char *bytes, size_t n) \
    { \
        for (size_t i = 0; i < n; i++) { \
            c_type v; \
            memcpy(&v, bytes + i * sizeof v, sizeof v); \
            x[i] = (dl_real)(value); \
        } \
    }

CONVERT(f4, float, v)
CONVERT(f8, double, v)
CONVERT(i4, int32_t, v)
CONVERT(i8, int64_t, v)
CONVERT(u1, uint8_t, v)
CONVERT(b1, uint8_t, v != 0)

static const struct type {
    char name[4];
    size_t size;
    void (*convert)(dl_real *x, const char *bytes, size_t n);
} types[] = {
    {"<f4", 4, from_f4}, {"<f8", 8, from_f8}, {"<i4", 4, from_i4},
    {"<i8", 8, from_i8}, {"|u1", 1, from_u1}, {"|b1", 1, from_b1},
};

struct header {
    const char *text;               /* what has not been understood yet */
    const struct type *type;
    bool has_order, fortran;
    bool has_shape;
    struct dl_shape shape;
};

static bool take(struct header *h, const char *word)
{
    size_t n = strlen(word);
    while (*h->text == ' ')
        h->text++;
    if (strncmp(h->text, word, n) != 0)
        return false;
    h->text += n;
    return true;
}

static bool take_string(struct header *h, char string[16])
{
    char quote = take(h, "'") ? '\'' : take(h, "\"") ? '"' : '\0';
    size_t n = quote ? strcspn(h->text, (char[]){quote, '\0'}) : 16;
    if (n >= 16 || h->text[n] != quote)
        return dl_error("a short string in quotes is missing");
    memcpy(string, h->text, n);
    string[n] = '\0';
    h->text += n + 1;
    return true;
}

static bool take_type(struct header *h)
{
    char name[16];
    if (h->type != NULL)
        return dl_error("'descr' is there twice");
    if (!take_string(h, name))
        return dl_error("'descr': %s", dl_error_text());
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            h->type = &types[i];
    return h->type || dl_error("numbers of type '%s' are not read", name);
}

static bool take_order(struct header *h)
{
    if (h->has_order)
        return dl_error("'fortran_order' is there twice");
    h->has_order = true;
    h->fortran = take(h, "True");
    return h->fortran || take(h, "False")
           || dl_error("'fortran_order' is neither True nor False");
}

static bool take_length(struct header *h, int *length)
{
    take(h, "");
    if (*h->text < '0' || *h->text > '9')
        return dl_error("'shape' is not a tuple of lengths");
    char *end;
    long long n = strtoll(h->text, &end, 10);
    if (n > INT_MAX)
        return dl_error("'shape' has a length above %d", INT_MAX);
    h->text = end;
    *length = (int)n;
    return true;
}

static bool take_shape(struct header *h)
{
    if (h->has_shape)
        return dl_error("'shape' is there twice");
    h->has_shape = true;
    bool comma = true;
    if (!take(h, "("))
        return dl_error("'shape' is not a tuple");
    while (!take(h, ")")) {
        if (!comma)
            return dl_error("'shape' lacks a comma or a parenthesis");
        if (h->shape.rank == DL_MAX_RANK)
            return dl_error("'shape' has more than %d axes", DL_MAX_RANK);
        if (!take_length(h, &h->shape.dim[h->shape.rank++]))
            return false;
        comma = take(h, ",");
    }
    return h->shape.rank != 1 || comma
           || dl_error("'shape' is not a tuple");
}

static bool take_entry(struct header *h)
{
    char key[16];
    if (!take_string(h, key))
        return dl_error("its header is not a dictionary of 'descr', "
                        "'fortran_order' and 'shape'");
    if (!take(h, ":"))
        return dl_error("a colon is missing behind '%s'", key);
    if (strcmp(key, "descr") == 0)
        return take_type(h);
    if (strcmp(key, "fortran_order") == 0)
        return take_order(h);
    if (strcmp(key, "shape") == 0)
        return take_shape(h);
    return dl_error("its header has an entry '%s'", key);
}

static bool understand(struct header *h)
{
    bool comma = true;
    if (!take(h, "{"))
        return dl_error("its header is not a dictionary");
    while (!take(h, "}")) {
        if (!comma)
            return dl_error("its header lacks a comma or a brace");
        if (!take_entry(h))
            return false;
        comma = take(h, ",");
    }
    if (!take(h, "\n") || *h->text != '\0')
        return dl_error("its header does not end with a new line");
    if (h->type == NULL || !h->has_order || !h->has_shape)
        return dl_error("its header lacks %s", h->type == NULL ? "'descr'"
                        : h->has_shape ? "'fortran_order'" : "'shape'");
    return true;
}

struct source {
    FILE *f;
    uint64_t left;
};

static bool get_bytes(struct source *s, void *bytes, size_t n)
{
    if (n > s->left)
        return dl_error("it ends within its header");
    if (fread(bytes, 1, n, s->f) != n)
        return dl_error("it cannot be read: %s",
                        ferror(s->f) ? strerror(errno) : "it became shorter");
    s->left -= n;
    return true;
}

enum { LONGEST = 1024 };

static bool get_header(struct source *s, struct header *h, char *text)
{
    unsigned char start[12];
    if (!get_bytes(s, start, 10))
        return false;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return dl_error("it is not a .npy file");
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return dl_error("version %d.%d is not known", start[6], start[7]);
    if (start[6] > 1 && !get_bytes(s, start + 10, 2))
        return false;
    uint64_t n = start[8] | start[9] << 8;
    if (start[6] > 1)
        n |= (uint64_t)start[10] << 16 | (uint64_t)start[11] << 24;
    if (n > LONGEST)
        return dl_error("a header of %ju bytes is too long", (uintmax_t)n);
    if (!get_bytes(s, text, n))
        return false;
    text[n] = '\0';
    h->text = text;
    return strlen(text) == n ? understand(h)
                             : dl_error("its header has a zero byte");
}

static bool check_size(const struct source *s, const struct header *h)
{
    uint64_t bytes = h->type->size;
    bool fits = true, empty = false;
    for (int k = 0; k < h->shape.rank; k++) {
        uint64_t n = (uint64_t)h->shape.dim[k];
        empty = empty || n == 0;
        fits = fits && !__builtin_mul_overflow(bytes, n, &bytes);
    }
    bytes = empty ? 0 : bytes;
    if ((!empty && !fits) || bytes != s->left)
        return dl_error("%ju bytes of numbers do not make the shape %s",
                        (uintmax_t)s->left, DL_SHAPE_TEXT(h->shape));
    return true;
}

enum { PORTION = 512 };

static void distribute(dl_real *to, struct dl_shape s, const dl_real *x,
                       size_t n, int index[])
{
    for (size_t i = 0; i < n; i++) {
        size_t place = 0;
        for (int k = 0; k < s.rank; k++)
            place = place * (size_t)s.dim[k] + (size_t)index[k];
        to[place] = x[i];
        for (int k = 0; k < s.rank && ++index[k] == s.dim[k]; k++)
            index[k] = 0;
    }
}

static bool get_numbers(struct source *s, const struct header *h,
                        dl_tensor *t)
{
    char bytes[PORTION * 8];
    dl_real x[PORTION];
    int index[DL_MAX_RANK] = {0};
    for (size_t i = 0; i < t->size; i += PORTION) {
        size_t n = t->size - i < PORTION ? t->size - i : PORTION;
        if (!get_bytes(s, bytes, n * h->type->size))
            return false;
        h->type->convert(h->fortran ? x : dl_data(t) + i, bytes, n);
        if (h->fortran)
            distribute(dl_data(t), h->shape, x, n, index);
    }
    return true;
}

static dl_tensor *get_array(struct source *s)
{
    char text[LONGEST + 1];
    struct header h = {0};
    if (!get_header(s, &h, text) || !check_size(s, &h))
        return NULL;
    dl_tensor *t = dl_try_empty(h.shape);
    if (t == NULL) {
        dl_error("no memory for shape %s", DL_SHAPE_TEXT(h.shape));
    } else if (!get_numbers(s, &h, t)) {
        if (t->permanent)
            dl_tensor_free(t);
        t = NULL;
    }
    return t;
}

dl_tensor *dl_npy_read(const char *path)
{
    dl_check(path != NULL, "the path is NULL");
    struct stat status;
    dl_tensor *t = NULL;
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        dl_error("%s: %s", path, strerror(errno));
        return NULL;
    }
    if (fstat(fileno(f), &status) != 0 || !S_ISREG(status.st_mode))
        dl_error("it is not a regular file");
    else
        t = get_array(&(struct source){f, (uint64_t)status.st_size});
    fclose(f);
    if (t == NULL)
        dl_error("%s: %s", path, dl_error_text());
    return t;
}

static bool put_header(FILE *f, struct dl_shape s)
{
    char text[LONGEST], lengths[80];
    int n = sprintf(lengths, "(");
    for (int k = 0; k < s.rank; k++)
        n += sprintf(lengths + n, k > 0 ? ", %d" : "%d", s.dim[k]);
    sprintf(lengths + n, s.rank == 1 ? ",)" : ")");
    n = sprintf(text, "{'descr': '<f%d', 'fortran_order': False, "
                "'shape': %s, }", (int)sizeof(dl_real), lengths);
    while ((10 + n + 1) % 64 != 0)
        text[n++] = ' ';
    text[n++] = '\n';
    unsigned char start[10] = "\x93NUMPY\1";
    start[8] = (unsigned char)(n & 255);
    start[9] = (unsigned char)(n >> 8);
    return fwrite(start, 1, 10, f) == 10
           && fwrite(text, 1, (size_t)n, f) == (size_t)n;
}

static bool put_array(FILE *f, const dl_tensor *t)
{
    return put_header(f, t->shape)
           && fwrite(dl_data(t), sizeof(dl_real), t->size, f) == t->size
           && fflush(f) == 0 && fsync(fileno(f)) == 0;
}

bool dl_npy_write(const char *path, const dl_tensor *t)
{
    dl_check(path != NULL, "the path is NULL");
    dl_check_tensor(t);
    char other[PATH_MAX];
    struct stat status;
    int n = snprintf(other, sizeof other, "%s.%ld.tmp", path, (long)getpid());
    if (n >= (int)sizeof other)
        return dl_error("%.60s...: the name is too long", path);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return dl_error("%s: it is not a regular file", path);
    FILE *f = fopen(other, "wb");
    if (f == NULL)
        return dl_error("%s: %s", other, strerror(errno));
    bool good = put_array(f, t);
    int reason = good ? 0 : errno;
    if (fclose(f) != 0 && reason == 0)
        reason = errno;
    if (reason == 0 && rename(other, path) != 0)
        reason = errno;
    if (reason == 0)
        return true;
    remove(other);
    return dl_error("%s: %s", path, strerror(reason));
}
