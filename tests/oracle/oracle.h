/* The tests' own reader of the .safetensors that the scripts in this directory write: it shares nothing with the
   library. Anything amiss is a failure of the test that asked, with one line saying what. Link with -ljansson. */
#ifndef DLFS_TESTS_ORACLE_H
#define DLFS_TESTS_ORACLE_H

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct oracle {
    char path[1024];
    json_t *header;
    char *payload;
    size_t size;               /* of the payload, in bytes */
};

struct oracle_tensor {
    const char *dtype;         /* "F64" "F32" "I64" "I32" "U8" */
    int rank;
    size_t shape[8], count;    /* count: the product of shape */
    const void *data;
    const double *f64;         /* data, by type; NULL if it is of another type */
    const float *f32;
    const int64_t *i64;
    const int32_t *i32;
    const uint8_t *u8;
};

_Noreturn static inline void oracle_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("oracle: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (`make oracle` writes the files anew)\n", stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);        /* Criterion reports the test that left this way */
}

/* Opens a file of this directory, "02_value.safetensors". */
static inline struct oracle oracle_open(const char *name)
{
    struct oracle o;
    const char *slash = strrchr(__FILE__, '/');
    int length = slash ? (int)(slash - __FILE__) + 1 : 0;
    snprintf(o.path, sizeof o.path, "%.*s%s", length, __FILE__, name);
    FILE *f = fopen(o.path, "rb");
    if (!f)
        oracle_fail("%s: %s", o.path, strerror(errno));
    unsigned char head[8];
    if (fread(head, 1, 8, f) != 8)
        oracle_fail("%s: shorter than eight bytes", o.path);
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | head[i];
    fseek(f, 0, SEEK_END);
    uint64_t total = ftell(f);
    if (n > total - 8)
        oracle_fail("%s: header of %ju bytes in a file of %ju", o.path,
                    (uintmax_t)n, (uintmax_t)total);
    o.size = total - 8 - n;
    char *text = malloc(n + 1);
    o.payload = malloc(o.size + 1);
    if (!text || !o.payload)
        oracle_fail("%s: out of memory", o.path);
    fseek(f, 8, SEEK_SET);
    if (fread(text, 1, n, f) != n || fread(o.payload, 1, o.size, f) != o.size)
        oracle_fail("%s: cannot be read", o.path);
    fclose(f);
    json_error_t error;
    o.header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(o.header))
        oracle_fail("%s: header, line %d: %s", o.path, error.line, error.text);
    free(text);
    return o;
}

static inline void oracle_close(struct oracle *o)
{
    json_decref(o->header);
    free(o->payload);
}

/* A string of the file's metadata. */
static inline const char *oracle_text(const struct oracle *o, const char *key)
{
    json_t *metadata = json_object_get(o->header, "__metadata__");
    const char *text = json_string_value(json_object_get(metadata, key));
    if (!text)
        oracle_fail("%s: no metadata \"%s\"", o->path, key);
    return text;
}

/* A tensor; the name is a printf format with its arguments. */
__attribute__((format(printf, 2, 3)))
static inline struct oracle_tensor oracle_get(const struct oracle *o, const char *format, ...)
{
    static const struct { const char *name; size_t size; } types[] = {
        {"F64", 8}, {"F32", 4}, {"I64", 8}, {"I32", 4}, {"U8", 1}};
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);

    struct oracle_tensor t = {.count = 1};
    const char *dtype;
    json_t *shape;
    json_int_t begin, end;
    json_t *entry = json_object_get(o->header, name);
    if (!entry)
        oracle_fail("%s: no tensor \"%s\"", o->path, name);
    if (json_unpack(entry, "{s:s, s:o, s:[I, I]}", "dtype", &dtype,
                    "shape", &shape, "data_offsets", &begin, &end) != 0)
        oracle_fail("%s: malformed entry \"%s\"", o->path, name);
    t.dtype = dtype;
    t.rank = json_array_size(shape);
    for (int i = 0; i < t.rank && i < 8; i++)
        t.count *= t.shape[i] = json_integer_value(json_array_get(shape, i));
    size_t size = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(dtype, types[i].name) == 0)
            size = types[i].size;
    if (size == 0 || t.rank > 8)
        oracle_fail("%s: \"%s\" has dtype %s and rank %d", o->path, name, dtype, t.rank);
    if (begin < 0 || end < begin || (size_t)end > o->size || (size_t)(end - begin) != t.count * size)
        oracle_fail("%s: \"%s\" has %zu elements of %s at bytes %jd to %jd of %zu", o->path, name,
                    t.count, dtype, (intmax_t)begin, (intmax_t)end, o->size);
    t.data = o->payload + begin;
    t.f64 = strcmp(dtype, "F64") ? NULL : t.data;
    t.f32 = strcmp(dtype, "F32") ? NULL : t.data;
    t.i64 = strcmp(dtype, "I64") ? NULL : t.data;
    t.i32 = strcmp(dtype, "I32") ? NULL : t.data;
    t.u8 = strcmp(dtype, "U8") ? NULL : t.data;
    return t;
}

#endif
