/* safetensors.h - tensors in .safetensors files. */
#ifndef DLFS_SAFETENSORS_H
#define DLFS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tensor.h"

#pragma GCC visibility push(default)

/* The types of numbers that a file can hold; DL_REAL is that of dl_real. */
enum dl_type {
    DL_BOOL, DL_U8, DL_I8, DL_F8_E5M2, DL_F8_E4M3, DL_I16, DL_U16, DL_F16,
    DL_BF16, DL_I32, DL_U32, DL_F32, DL_F64, DL_I64, DL_U64, DL_TYPES,
    DL_REAL = sizeof(dl_real) == 4 ? DL_F32 : DL_F64
};

const char *dl_type_name(enum dl_type type);    /* "F32" */
size_t dl_type_size(enum dl_type type);         /* 4 */

/* A named array in a file. */
enum { DL_ENTRY_RANK = 8 };
struct dl_entry {
    const char *name;               /* UTF-8 */
    enum dl_type type;
    int rank;
    int64_t dim[DL_ENTRY_RANK];
    size_t size;                    /* in bytes */
    const void *data;               /* these; perhaps not aligned */
};

/* A line of the file's metadata. */
struct dl_note { const char *key, *value; };

/* A name from a file as it may stand in a message of one line: at most 80
   bytes of it, and no control characters. */
const char *dl_plain_text(const char *name, char buffer[84]);
#define DL_PLAIN(name) dl_plain_text(name, (char[84]){0})

/* A file that was read: its entries in the order of their bytes. */
struct dl_safetensors {
    int n, notes;
    struct dl_entry *list;
    struct dl_note *note;
    bool has_crc;                   /* there is a checksum, and it is right */
    unsigned char *bytes;           /* of the file, if dl_..._read did it */
    char *text;                     /* all names and notes */
};

/* Read a file, and look at every rule of the format and, if the file has
   one, at our checksum. False, and a line in dl_error_text(), if anything
   is amiss; then there is nothing to free. No memory is taken on the word
   of the file: what is taken is in proportion to its size. */
bool dl_safetensors_read(struct dl_safetensors *s, const char *path);

/* The same for bytes in memory, which must stay there. */
bool dl_safetensors_parse(struct dl_safetensors *s, const void *bytes,
                          size_t size);
void dl_safetensors_free(struct dl_safetensors *s);

/* The entry of this name, or NULL. */
const struct dl_entry *dl_safetensors_find(const struct dl_safetensors *s,
                                           const char *name);

/* The value of a note, or NULL. */
const char *dl_safetensors_note(const struct dl_safetensors *s,
                                const char *key);

/* Copy an entry of type F64, F32, F16 or BF16 into a tensor of the same
   shape; its numbers are converted. */
bool dl_entry_copy(const struct dl_entry *e, dl_tensor *to);

/* Write a file with these entries and notes, and with our checksum. It
   appears under its name when it is complete. Names must be different, and
   UTF-8; `size` must be what type and shape say. */
bool dl_safetensors_write(const char *path, int n,
                          const struct dl_entry list[], int notes,
                          const struct dl_note note[]);

/* Set parameters from a file which has exactly these names and shapes (and
   perhaps others that begin with "train/"). False: nothing was changed. */
bool dl_params_load(struct dl_params *p, const char *path);
bool dl_params_save(const struct dl_params *p, const char *path);

/* The tensor as an entry: it borrows the numbers. */
struct dl_entry dl_entry_of(const char *name, const dl_tensor *t);

#pragma GCC visibility pop

#endif
