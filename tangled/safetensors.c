/* safetensors.c - tensors in .safetensors files. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base.h"
#include "replace.h"
#include "safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the numbers in files have their little end first");

enum { LONGEST_HEADER = 100000000 };

static const struct { const char *name; size_t size; } types[DL_TYPES] = {
    {"BOOL", 1}, {"U8", 1}, {"I8", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1},
    {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2}, {"I32", 4},
    {"U32", 4}, {"F32", 4}, {"F64", 8}, {"I64", 8}, {"U64", 8},
};

const char *dl_type_name(enum dl_type type)
{
    return types[type].name;
}

size_t dl_type_size(enum dl_type type)
{
    return types[type].size;
}

const char *dl_plain_text(const char *name, char buffer[84])
{
    size_t n = strnlen(name, 80);
    while (n > 0 && (name[n] & 0xc0) == 0x80)
        n--;                            /* no half characters */
    for (size_t i = 0; i < n; i++)
        buffer[i] = (unsigned char)name[i] < ' ' || name[i] == 0x7f
                    ? '?' : name[i];
    strcpy(buffer + n, strlen(name) > n ? "..." : "");
    return buffer;
}

struct scanner {
    const unsigned char *start, *at, *end;
    char *text;                     /* where the next string goes */
    bool wrong;
};

static void complain(struct scanner *s, const char *what)
{
    if (!s->wrong)
        dl_error("header, byte %td: %s", s->at - s->start, what);
    s->wrong = true;
}

static void pass_blanks(struct scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'
                              || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scanner *s, char c)
{
    pass_blanks(s);
    if (s->wrong || s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static void expect(struct scanner *s, char c)
{
    if (!take(s, c))
        complain(s, c == ':' ? "a colon is missing" : c == '{'
                 ? "'{' is missing" : "'[' is missing");
}

static bool next_item(struct scanner *s, int *count, char close)
{
    if (s->wrong)
        return false;
    if (*count == 0 ? take(s, close) : !take(s, ',')) {
        if (*count > 0 && !take(s, close))
            complain(s, "a comma or a closing bracket is missing");
        return false;
    }
    ++*count;
    return true;
}

static int64_t take_number(struct scanner *s)
{
    int64_t x = 0;
    pass_blanks(s);
    const unsigned char *first = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        if (__builtin_mul_overflow(x, 10, &x)
            || __builtin_add_overflow(x, *s->at - '0', &x)) {
            complain(s, "the number is too large");
            return 0;
        }
    if (s->at == first)
        complain(s, "a length or an offset is missing");
    if (s->at - first > 1 && *first == '0')
        complain(s, "a number begins with 0");
    return x;
}

static uint32_t take_utf8(struct scanner *s)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = *s->at;
    int n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3
            : c < 0xf8 ? 4 : 0;
    bool good = n > 0 && s->end - s->at >= n;
    uint32_t point = n < 2 ? c : c & (0x7fu >> n);
    for (int i = 1; good && i < n; i++) {
        good = (s->at[i] & 0xc0) == 0x80;
        point = point << 6 | (s->at[i] & 0x3f);
    }
    if (!good || point < smallest[n] || point > 0x10ffff
        || (point >= 0xd800 && point < 0xe000)) {
        complain(s, "it is not UTF-8");
        return 0;
    }
    s->at += n;
    return point;
}

static uint32_t take_hex(struct scanner *s)
{
    uint32_t x = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        unsigned char c = s->at < s->end ? *s->at : 0, lower = c | 32;
        if (c >= '0' && c <= '9')
            x = x << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            x = x << 4 | (uint32_t)(lower - 'a' + 10);
        else
            complain(s, "four hexadecimal digits are missing");
        if (s->wrong)
            return 0;
    }
    return x;
}

static uint32_t take_escape(struct scanner *s)
{
    static const char letter[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *which = s->at < s->end && *s->at != '\0'
                        ? strchr(letter, *s->at) : NULL;
    if (which != NULL)
        return s->at++, (unsigned char)meaning[which - letter];
    if (s->at == s->end || *s->at++ != 'u') {
        complain(s, "an unknown escape");
        return 0;
    }
    uint32_t point = take_hex(s);
    if (point >= 0xd800 && point < 0xdc00 && s->end - s->at > 6
        && s->at[0] == '\\' && s->at[1] == 'u') {
        s->at += 2;
        uint32_t low = take_hex(s);
        point = low >= 0xdc00 && low < 0xe000
                ? 0x10000 + ((point & 0x3ff) << 10 | (low & 0x3ff)) : 0xd800;
    }
    if (point >= 0xd800 && point < 0xe000)
        complain(s, "half a character is escaped");
    return point;
}

static void put_utf8(struct scanner *s, uint32_t point)
{
    int n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (n == 1)
        *s->text++ = (char)point;
    else
        *s->text++ = (char)(0xf00 >> n | point >> 6 * (n - 1));
    for (int i = n - 2; i >= 0; i--)
        *s->text++ = (char)(0x80 | (point >> 6 * i & 0x3f));
}

static const char *take_string(struct scanner *s)
{
    const char *string = s->text;
    if (!take(s, '"'))
        complain(s, "a string is missing");
    while (!s->wrong && s->at < s->end && *s->at != '"') {
        bool escape = *s->at == '\\';
        if (*s->at < ' ')
            complain(s, "a control character in a string");
        s->at += escape;
        uint32_t point = escape ? take_escape(s) : take_utf8(s);
        if (point == 0)
            complain(s, "a zero character in a string");
        if (!s->wrong)
            put_utf8(s, point);
    }
    if (!s->wrong && s->at++ == s->end)
        complain(s, "a string does not end");
    if (s->wrong)
        return "";
    *s->text++ = '\0';
    return string;
}

static void take_type(struct scanner *s, struct dl_entry *e)
{
    const char *name = take_string(s);
    int type = 0;
    while (type < DL_TYPES && strcmp(types[type].name, name) != 0)
        type++;
    if (type == DL_TYPES)
        complain(s, "an unknown dtype");
    e->type = (enum dl_type)(type % DL_TYPES);
}

static void take_shape(struct scanner *s, struct dl_entry *e)
{
    expect(s, '[');
    for (int n = 0; next_item(s, &n, ']'); e->rank = n)
        if (n > DL_ENTRY_RANK)
            complain(s, "more than eight axes");
        else
            e->dim[n - 1] = take_number(s);
}

static void take_offsets(struct scanner *s, int64_t offset[2])
{
    expect(s, '[');
    int n = 0;
    while (next_item(s, &n, ']'))
        if (n > 2)
            complain(s, "more than two offsets");
        else
            offset[n - 1] = take_number(s);
    if (n != 2)
        complain(s, "two offsets are wanted");
}

static void take_entry(struct scanner *s, struct dl_entry *e,
                       int64_t offset[2])
{
    static const char *const member[] = {"dtype", "shape", "data_offsets"};
    int seen = 0;
    expect(s, '{');
    for (int n = 0; next_item(s, &n, '}');) {
        const char *key = take_string(s);
        int which = 0;
        while (which < 3 && strcmp(key, member[which]) != 0)
            which++;
        if (which == 3)
            complain(s, "an entry has dtype, shape and data_offsets only");
        if (seen & 1 << which)
            complain(s, "an entry has the same member twice");
        seen |= 1 << which;
        expect(s, ':');
        if (which == 0)
            take_type(s, e);
        else if (which == 1)
            take_shape(s, e);
        else
            take_offsets(s, offset);
    }
    if (seen != 7)
        complain(s, "an entry lacks dtype, shape or data_offsets");
}

struct payload { const unsigned char *bytes; size_t size; };

static bool claim_bytes(struct dl_entry *e, const int64_t offset[2],
                        struct payload p)
{
    size_t bytes = dl_type_size(e->type);
    bool empty = false, fits = true;
    for (int k = 0; k < e->rank; k++) {
        empty = empty || e->dim[k] == 0;
        if (e->dim[k] != 0)
            fits = fits && !__builtin_mul_overflow(
                                bytes, (size_t)e->dim[k], &bytes);
    }
    e->size = empty ? 0 : bytes;
    if (!fits)
        return dl_error("the shape of '%s' is too large", DL_PLAIN(e->name));
    if (offset[1] < offset[0] || (size_t)offset[1] > p.size)
        return dl_error("'%s' lies outside of the file",
                        DL_PLAIN(e->name));
    if ((size_t)(offset[1] - offset[0]) != e->size)
        return dl_error("'%s' should have %zu bytes and has %" PRId64,
                        DL_PLAIN(e->name), e->size, offset[1] - offset[0]);
    e->data = p.bytes + offset[0];
    return true;
}

static bool grow(void *table, int n, size_t size)
{
    void **list = table;
    if ((n & (n - 1)) != 0)             /* room for a power of two */
        return true;
    void *more = realloc(*list, (n == 0 ? 1 : 2 * (size_t)n) * size);
    if (more != NULL)
        *list = more;
    return more != NULL || dl_error("no memory for its header");
}

static void take_notes(struct scanner *s, struct dl_safetensors *f,
                       const unsigned char **crc)
{
    expect(s, '{');
    for (int n = 0; next_item(s, &n, '}');) {
        if (!grow(&f->note, f->notes, sizeof *f->note)) {
            s->wrong = true;
            return;
        }
        struct dl_note *note = &f->note[f->notes++];
        note->key = take_string(s);
        expect(s, ':');
        pass_blanks(s);
        if (strcmp(note->key, "dlfs.crc32") == 0)
            *crc = s->at + 1;
        note->value = take_string(s);
    }
}

static bool take_header(struct scanner *s, struct dl_safetensors *f,
                        struct payload p, const unsigned char **crc)
{
    bool noted = false;
    expect(s, '{');
    for (int n = 0; next_item(s, &n, '}');) {
        const char *name = take_string(s);
        expect(s, ':');
        if (strcmp(name, "__metadata__") == 0) {
            if (noted)
                complain(s, "__metadata__ a second time");
            noted = true;
            take_notes(s, f, crc);
            continue;
        }
        int64_t offset[2] = {0, 0};
        struct dl_entry e = {.name = name};
        take_entry(s, &e, offset);
        if (s->wrong || !claim_bytes(&e, offset, p)
            || !grow(&f->list, f->n, sizeof e))
            return false;
        f->list[f->n++] = e;
    }
    pass_blanks(s);
    if (s->at < s->end)
        complain(s, "something stands behind the header's end");
    return !s->wrong;
}

static int by_place(const void *x, const void *y)
{
    const struct dl_entry *a = x, *b = y;
    const char *p = a->data, *q = b->data;
    if (p != q)
        return p < q ? -1 : 1;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int by_name(const void *x, const void *y)
{
    const struct dl_entry *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static int by_key(const void *x, const void *y)
{
    const struct dl_note *a = x, *b = y;
    return strcmp(a->key, b->key);
}

static bool have_different_names(struct dl_safetensors *f)
{
    if (f->n > 1)
        qsort(f->list, (size_t)f->n, sizeof *f->list, by_name);
    for (int i = 1; i < f->n; i++)
        if (by_name(&f->list[i - 1], &f->list[i]) == 0)
            return dl_error("'%s' occurs twice",
                            DL_PLAIN(f->list[i].name));
    if (f->notes > 1)
        qsort(f->note, (size_t)f->notes, sizeof *f->note, by_key);
    for (int i = 1; i < f->notes; i++)
        if (by_key(&f->note[i - 1], &f->note[i]) == 0)
            return dl_error("the note '%s' occurs twice",
                            DL_PLAIN(f->note[i].key));
    return true;
}

static bool cover_payload(struct dl_safetensors *f, struct payload p)
{
    const unsigned char *at = p.bytes;
    if (f->n > 1)
        qsort(f->list, (size_t)f->n, sizeof *f->list, by_place);
    for (int i = 0; i < f->n; i++) {
        const struct dl_entry *e = &f->list[i];
        const unsigned char *data = e->data;
        if (data != at)
            return dl_error(data > at ? "a hole in front of '%s'"
                            : "'%s' overlaps with another",
                            DL_PLAIN(e->name));
        at += e->size;
    }
    return at == p.bytes + p.size
           || dl_error("the last %td bytes belong to nothing",
                       p.bytes + p.size - at);
}

static void write_crc(char digits[9], const unsigned char *bytes,
                      size_t size, const unsigned char *place)
{
    size_t before = (size_t)(place - bytes);
    uLong crc = crc32_z(0, bytes, before);
    crc = crc32_z(crc, (const unsigned char *)"00000000", 8);
    crc = crc32_z(crc, place + 8, size - before - 8);
    snprintf(digits, 9, "%08lx", crc & 0xffffffff);
}

static bool crc_is_right(struct dl_safetensors *f, const unsigned char *bytes,
                         size_t size, const unsigned char *place)
{
    char digits[9];
    const char *stored = dl_safetensors_note(f, "dlfs.crc32");
    if (stored == NULL)
        return true;
    if (strlen(stored) != 8 || memcmp(stored, place, 8) != 0)
        return dl_error("its checksum does not have eight digits");
    write_crc(digits, bytes, size, place);
    f->has_crc = true;
    return strcmp(stored, digits) == 0
           || dl_error("it is damaged: its checksum is %s and should be %s",
                       stored, digits);
}

static bool parse(struct dl_safetensors *f, const unsigned char *bytes,
                  size_t size)
{
    uint64_t n;
    if (size < sizeof n)
        return dl_error("it is shorter than eight bytes");
    memcpy(&n, bytes, sizeof n);
    if (n > size - 8)
        return dl_error("a header of %" PRIu64 " bytes does not fit", n);
    if (n > LONGEST_HEADER)
        return dl_error("a header of %" PRIu64 " bytes is too long", n);
    if (n == 0 || bytes[8] != '{')
        return dl_error("its header does not begin with '{'");
    if ((f->text = malloc(n)) == NULL)
        return dl_error("no memory for its header");
    struct scanner s = {bytes, bytes + 8, bytes + 8 + n, f->text, false};
    struct payload p = {bytes + 8 + n, size - 8 - n};
    const unsigned char *crc = NULL;
    return take_header(&s, f, p, &crc) && have_different_names(f)
           && cover_payload(f, p) && crc_is_right(f, bytes, size, crc);
}

bool dl_safetensors_parse(struct dl_safetensors *f, const void *bytes,
                          size_t size)
{
    *f = (struct dl_safetensors){0};
    bool good = parse(f, bytes, size);
    if (!good)
        dl_safetensors_free(f);
    return good;
}

void dl_safetensors_free(struct dl_safetensors *f)
{
    free(f->list);
    free(f->note);
    free(f->text);
    free(f->bytes);
    *f = (struct dl_safetensors){0};
}

static bool read_all(int fd, unsigned char *bytes, size_t size)
{
    for (size_t n = 0; n < size;) {
        ssize_t got = read(fd, bytes + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return dl_error(got < 0 ? "it cannot be read: %s"
                            : "it became shorter", strerror(errno));
        n += (size_t)got;
    }
    return true;
}

static unsigned char *read_file(int fd, size_t *size)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        dl_error("it is not a regular file");
        return NULL;
    }
    *size = (size_t)status.st_size;
    unsigned char *bytes = malloc(*size == 0 ? 1 : *size);
    if (bytes == NULL)
        dl_error("no memory for its %zu bytes", *size);
    else if (read_all(fd, bytes, *size))
        return bytes;
    free(bytes);
    return NULL;
}

bool dl_safetensors_read(struct dl_safetensors *f, const char *path)
{
    dl_check(path != NULL, "the path is NULL");
    size_t size = 0;
    *f = (struct dl_safetensors){0};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return dl_error("%s: %s", path, strerror(errno));
    unsigned char *bytes = read_file(fd, &size);
    close(fd);
    bool good = bytes != NULL && dl_safetensors_parse(f, bytes, size);
    if (!good)
        free(bytes);
    else
        f->bytes = bytes;
    return good || dl_error("%s: %s", path, dl_error_text());
}

const struct dl_entry *dl_safetensors_find(const struct dl_safetensors *f,
                                           const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->list[i].name, name) == 0)
            return &f->list[i];
    return NULL;
}

const char *dl_safetensors_note(const struct dl_safetensors *f,
                                const char *key)
{
    for (int i = 0; i < f->notes; i++)
        if (strcmp(f->note[i].key, key) == 0)
            return f->note[i].value;
    return NULL;
}

static double from_half(uint16_t h)
{
    int e = h >> 10 & 31, f = h & 1023;
    double x = e == 31 ? (f == 0 ? __builtin_inf() : __builtin_nan(""))
               : e == 0 ? f * 0x1p-24
               : (1024 + f) * 0x1p-25 * (double)(1u << e);
    return h >> 15 ? -x : x;
}

static double number_at(const unsigned char *p, enum dl_type type)
{
    uint16_t h = 0;
    uint32_t word = 0;
    float f = 0;
    double x = 0;
    memcpy(type == DL_F64 ? (void *)&x : type == DL_F32 ? (void *)&f : &h, p,
           dl_type_size(type));
    if (type == DL_BF16) {
        word = (uint32_t)h << 16;
        memcpy(&f, &word, sizeof f);
    }
    return type == DL_F64 ? x : type == DL_F16 ? from_half(h) : (double)f;
}

static bool has_shape_of(const struct dl_entry *e, const dl_tensor *to)
{
    bool same = e->rank == to->shape.rank;
    for (int k = 0; same && k < e->rank; k++)
        same = e->dim[k] == to->shape.dim[k];
    if (!same)
        return dl_error("'%s' does not have the shape %s", DL_PLAIN(e->name),
                        DL_SHAPE_TEXT(to->shape));
    if (e->type != DL_F64 && e->type != DL_F32 && e->type != DL_F16
        && e->type != DL_BF16)
        return dl_error("'%s' is of type %s", DL_PLAIN(e->name),
                        dl_type_name(e->type));
    return true;
}

bool dl_entry_copy(const struct dl_entry *e, dl_tensor *to)
{
    dl_check_tensor(to);
    if (!has_shape_of(e, to))
        return false;
    size_t width = dl_type_size(e->type);
    if (e->type == DL_REAL)
        memcpy(dl_data(to), e->data, e->size);
    else
        for (size_t i = 0; i < to->size; i++)
            dl_data(to)[i] = (dl_real)number_at(
                (const unsigned char *)e->data + i * width, e->type);
    dl_touch(to);
    return true;
}

static void put_string(FILE *f, const char *string)
{
    putc('"', f);
    for (const char *c = string; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            fprintf(f, "\\u%04x", *c);
        else
            putc(*c, f);
    putc('"', f);
}

static void put_notes(FILE *f, int notes, const struct dl_note note[])
{
    fputs("{\"__metadata__\":{\"dlfs.crc32\":\"00000000\"", f);
    for (int i = 0; i < notes; i++) {
        putc(',', f);
        put_string(f, note[i].key);
        putc(':', f);
        put_string(f, note[i].value);
    }
    putc('}', f);
}

static void put_entry(FILE *f, const struct dl_entry *e, size_t offset)
{
    putc(',', f);
    put_string(f, e->name);
    fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[", dl_type_name(e->type));
    for (int k = 0; k < e->rank; k++)
        fprintf(f, k > 0 ? ",%" PRId64 : "%" PRId64, e->dim[k]);
    fprintf(f, "],\"data_offsets\":[%zu,%zu]}", offset, offset + e->size);
}

#define FOR_EACH_BY_WIDTH(e, n, list) \
    for (size_t width = 8; width > 0; width /= 2) \
        for (const struct dl_entry *e = list; e < list + n; e++) \
            if (dl_type_size(e->type) == width)

static char *make_header(size_t *size, int n, const struct dl_entry list[],
                         int notes, const struct dl_note note[])
{
    char *text = NULL;
    size_t offset = 0;
    uint64_t length = 0;
    FILE *f = open_memstream(&text, size);
    if (f == NULL)
        return NULL;
    fwrite(&length, sizeof length, 1, f);
    put_notes(f, notes, note);
    FOR_EACH_BY_WIDTH(e, n, list) {
        put_entry(f, e, offset);
        offset += e->size;
    }
    putc('}', f);
    for (fflush(f); *size % 8 != 0; fflush(f))
        putc(' ', f);
    length = *size - 8;
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(text);
        return NULL;
    }
    memcpy(text, &length, sizeof length);
    return text;
}

static void enter_crc(char *text, size_t size, int n,
                      const struct dl_entry list[])
{
    char digits[9];
    uLong crc = crc32_z(0, (unsigned char *)text, size);
    FOR_EACH_BY_WIDTH(e, n, list)
        if (e->size > 0)
            crc = crc32_z(crc, e->data, e->size);
    snprintf(digits, sizeof digits, "%08lx", crc & 0xffffffff);
    memcpy(strstr(text + 8, "00000000"), digits, 8);
}

static bool put_file(struct dl_replacement *r, const char *text, size_t size,
                     int n, const struct dl_entry list[])
{
    if (!dl_replace_write(r, text, size))
        return false;
    FOR_EACH_BY_WIDTH(e, n, list)
        if (!dl_replace_write(r, e->data, e->size))
            return false;
    return true;
}

static bool is_sound(const char *text, size_t size, size_t total)
{
    struct dl_safetensors f = {.text = dl_alloc(size, 1)};
    const unsigned char *at = (const unsigned char *)text, *crc = NULL;
    struct scanner s = {at, at + 8, at + size, f.text, false};
    struct payload p = {at + size, total};
    bool good = take_header(&s, &f, p, &crc) && have_different_names(&f);
    dl_safetensors_free(&f);
    return good;
}

bool dl_safetensors_write(const char *path, int n,
                          const struct dl_entry list[], int notes,
                          const struct dl_note note[])
{
    dl_check(path != NULL, "the path is NULL");
    struct dl_replacement r;
    size_t size, total = 0;
    for (int i = 0; i < n; i++)
        total += list[i].size;
    char *text = make_header(&size, n, list, notes, note);
    if (text == NULL)
        return dl_error("%s: no memory for its header", path);
    bool good = is_sound(text, size, total);
    if (!good)
        free(text);
    dl_check(good, "these entries make no file: %s", dl_error_text());
    enter_crc(text, size, n, list);
    good = dl_replace_begin(&r, path);
    if (good && !put_file(&r, text, size, n, list)) {
        dl_replace_abandon(&r);
        good = false;
    }
    free(text);
    return good && dl_replace_commit(&r);
}

struct dl_entry dl_entry_of(const char *name, const dl_tensor *t)
{
    dl_check_tensor(t);
    struct dl_entry e = {name, DL_REAL, t->shape.rank, {0},
                         t->size * sizeof(dl_real), dl_data(t)};
    for (int k = 0; k < e.rank; k++)
        e.dim[k] = t->shape.dim[k];
    return e;
}

bool dl_params_save(const struct dl_params *p, const char *path)
{
    struct dl_entry *list = dl_alloc((size_t)p->n + 1, sizeof *list);
    for (int i = 0; i < p->n; i++)
        list[i] = dl_entry_of(p->list[i].name, p->list[i].tensor);
    bool good = dl_safetensors_write(path, p->n, list, 0, NULL);
    free(list);
    return good;
}

static bool fits_params(const struct dl_safetensors *f,
                        const struct dl_params *p)
{
    int ours = 0;
    for (int i = 0; i < p->n; i++) {
        const struct dl_entry *e = dl_safetensors_find(f, p->list[i].name);
        if (e == NULL)
            return dl_error("it has no '%s'", p->list[i].name);
        if (!has_shape_of(e, p->list[i].tensor))
            return false;
    }
    for (int i = 0; i < f->n; i++)
        ours += strncmp(f->list[i].name, "train/", 6) != 0;
    return ours == p->n
           || dl_error("it has %d tensors, and we have %d", ours, p->n);
}

bool dl_params_load(struct dl_params *p, const char *path)
{
    struct dl_safetensors f;
    if (!dl_safetensors_read(&f, path))
        return false;
    bool good = fits_params(&f, p);
    for (int i = 0; good && i < p->n; i++)
        dl_entry_copy(dl_safetensors_find(&f, p->list[i].name),
                      p->list[i].tensor);
    dl_safetensors_free(&f);
    return good || dl_error("%s: %s", path, dl_error_text());
}
