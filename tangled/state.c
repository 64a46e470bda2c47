/* state.c - all that a run needs to go on to the bit. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "state.h"

static void reserve(struct dl_text *t, size_t n)
{
    if (n > t->room) {
        t->room = n + t->room / 2 + 64;
        t->bytes = realloc(t->bytes, t->room);
        dl_check(t->bytes != NULL, "out of memory (%zu bytes)", t->room);
    }
}

void dl_text_add(struct dl_text *t, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    dl_check(n >= 0, "a wrong format");
    reserve(t, t->n + (size_t)n + 1);
    vsnprintf(t->bytes + t->n, (size_t)n + 1, format, arguments);
    va_end(arguments);
    t->n += (size_t)n;
}

void dl_text_free(struct dl_text *t)
{
    free(t->bytes);
    *t = (struct dl_text){0};
}

struct dl_item {
    struct dl_entry entry;          /* its name is our copy */
    void *place;
    dl_tensor *tensor;              /* or NULL */
    struct dl_text *text;           /* or NULL */
    int64_t low, high;              /* of integers */
};

static struct dl_item *add(struct dl_state *s, const char *prefix,
                           const char *name, struct dl_entry e, void *place)
{
    char *whole = dl_alloc(strlen(prefix) + strlen(name) + 1, 1);
    if (s->n == s->room) {
        s->room = 2 * s->room + 8;
        s->list = realloc(s->list, (size_t)s->room * sizeof *s->list);
        dl_check(s->list != NULL, "out of memory");
    }
    e.name = strcat(strcpy(whole, prefix), name);
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].entry.name, whole) == 0)
            free(whole), dl_fail(__FILE__, __LINE__, __func__,
                                 "%s%s is on the list already", prefix, name);
    s->list[s->n] = (struct dl_item){e, place, NULL, NULL, INT64_MIN,
                                     INT64_MAX};
    return &s->list[s->n++];
}

static struct dl_item *add_array(struct dl_state *s, const char *name,
                                 enum dl_type type, size_t n, void *place)
{
    struct dl_entry e = {name, type, 1, {(int64_t)n},
                         n * dl_type_size(type), place};
    return add(s, "", name, e, place);
}

void dl_state_params(struct dl_state *s, const char *prefix,
                     const struct dl_params *p)
{
    for (int i = 0; i < p->n; i++) {
        dl_tensor *t = p->list[i].tensor;
        struct dl_entry e = dl_entry_of(p->list[i].name, t);
        add(s, prefix, e.name, e, dl_data(t))->tensor = t;
    }
}

void dl_state_ints(struct dl_state *s, const char *name, size_t n, int *x,
                   int low, int high)
{
    struct dl_item *item = add_array(s, name, DL_I32, n, x);
    item->low = low;
    item->high = high;
}

void dl_state_count(struct dl_state *s, const char *name, int64_t *x,
                    int64_t low, int64_t high)
{
    struct dl_item *item = add_array(s, name, DL_I64, 1, x);
    item->low = low;
    item->high = high;
}

void dl_state_doubles(struct dl_state *s, const char *name, size_t n,
                      double *x)
{
    add_array(s, name, DL_F64, n, x);
}

void dl_state_random(struct dl_state *s, const char *name,
                     struct dl_random *r)
{
    char part[128];
    _Static_assert(sizeof(bool) == 1, "a bool is stored as a byte");
    snprintf(part, sizeof part, "%s.words", name);
    add_array(s, part, DL_I32, 624, r->state);
    snprintf(part, sizeof part, "%s.at", name);
    dl_state_ints(s, part, 1, &r->at, 0, 624);
    snprintf(part, sizeof part, "%s.has_spare", name);
    struct dl_item *item = add_array(s, part, DL_BOOL, 1, &r->has_spare);
    item->low = 0;
    item->high = 1;
    snprintf(part, sizeof part, "%s.spare", name);
    dl_state_doubles(s, part, 1, &r->spare);
}

void dl_state_text(struct dl_state *s, const char *name, struct dl_text *t)
{
    add_array(s, name, DL_U8, 0, NULL)->text = t;
}

void dl_state_note(struct dl_state *s, const char *key, const char *value)
{
    s->note = realloc(s->note, (size_t)(s->notes + 1) * sizeof *s->note);
    dl_check(s->note != NULL, "out of memory");
    struct dl_note note = {strdup(key), strdup(value)};
    dl_check(note.key != NULL && note.value != NULL, "out of memory");
    s->note[s->notes++] = note;
}

void dl_state_free(struct dl_state *s)
{
    for (int i = 0; i < s->n; i++)
        free((char *)s->list[i].entry.name);
    for (int i = 0; i < s->notes; i++) {
        free((char *)s->note[i].key);
        free((char *)s->note[i].value);
    }
    free(s->list);
    free(s->note);
    *s = (struct dl_state){0};
}

bool dl_state_save(const struct dl_state *s, const char *path)
{
    struct dl_entry *list = dl_alloc((size_t)s->n + 1, sizeof *list);
    for (int i = 0; i < s->n; i++) {
        list[i] = s->list[i].entry;
        if (s->list[i].text != NULL) {
            list[i].data = s->list[i].text->bytes;
            list[i].size = s->list[i].text->n;
            list[i].dim[0] = (int64_t)list[i].size;
        }
    }
    bool good = dl_safetensors_write(path, s->n, list, s->notes, s->note);
    free(list);
    return good;
}

static bool is_within(const struct dl_item *item, const struct dl_entry *e)
{
    const unsigned char *byte = e->data;
    size_t width = dl_type_size(e->type);
    for (size_t i = 0; i < e->size / width; i++) {
        int64_t x = byte[i * width];
        int32_t word;
        if (e->type == DL_I32) {
            memcpy(&word, byte + i * width, width);
            x = word;
        } else if (e->type == DL_I64) {
            memcpy(&x, byte + i * width, width);
        }
        if (x < item->low || x > item->high)
            return dl_error("'%s' is %" PRId64 ", and must be from %" PRId64
                            " to %" PRId64, e->name, x, item->low,
                            item->high);
    }
    return true;
}

static bool fits_item(const struct dl_item *item, const struct dl_entry *e)
{
    const struct dl_entry *ours = &item->entry;
    if (e == NULL)
        return dl_error("it has no '%s'", ours->name);
    bool same = e->type == ours->type && e->rank == ours->rank;
    for (int k = 0; same && item->text == NULL && k < e->rank; k++)
        same = e->dim[k] == ours->dim[k];
    if (!same)
        return dl_error("'%s' has another type or shape", ours->name);
    return item->low == INT64_MIN || is_within(item, e);
}

static bool fits_state(const struct dl_safetensors *f,
                       const struct dl_state *s)
{
    if (!f->has_crc)
        return dl_error("it has no checksum, so it is not a run's state");
    for (int i = 0; i < s->notes; i++) {
        const struct dl_note *note = &s->note[i];
        const char *value = dl_safetensors_note(f, note->key);
        if (value == NULL || strcmp(value, note->value) != 0)
            return dl_error("it was written with %s %s, and not %s",
                             note->key,
                             value == NULL ? "none" : DL_PLAIN(value),
                            note->value);
    }
    for (int i = 0; i < s->n; i++) {
        const struct dl_item *item = &s->list[i];
        if (!fits_item(item, dl_safetensors_find(f, item->entry.name)))
            return false;
    }
    return f->n == s->n
           || dl_error("it has %d things, and we know %d", f->n, s->n);
}

static void fill_item(struct dl_item *item, const struct dl_entry *e)
{
    if (item->text != NULL) {
        reserve(item->text, e->size + 1);
        item->text->n = e->size;
        item->text->bytes[e->size] = '\0';
    }
    if (e->size > 0)
        memcpy(item->text != NULL ? item->text->bytes : item->place,
               e->data, e->size);
    if (item->tensor != NULL)
        dl_touch(item->tensor);
}

bool dl_state_load(struct dl_state *s, const char *path)
{
    struct dl_safetensors f;
    if (!dl_safetensors_read(&f, path))
        return false;
    bool good = fits_state(&f, s);
    for (int i = 0; good && i < s->n; i++)
        fill_item(&s->list[i],
                  dl_safetensors_find(&f, s->list[i].entry.name));
    dl_safetensors_free(&f);
    return good || dl_error("%s: %s", path, dl_error_text());
}
