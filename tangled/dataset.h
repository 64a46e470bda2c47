/* dataset.h - labelled examples: reading, splitting, shuffling. */
#ifndef DLFS_DATASET_H
#define DLFS_DATASET_H

#include <stdbool.h>
#include "axes.h"
#include "random.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* n examples of one shape. Example i is the size(sample) numbers from
   x + i * size(sample) on, and belongs to class label[i]. */
struct dl_dataset {
    int n, classes;
    struct dl_shape sample;
    float *x;
    int *label;                     /* 0 ... classes - 1 */
};

void dl_dataset_free(struct dl_dataset *d);

/* Readers. Each returns true and fills *d; or it returns false, leaves one
   line in dl_error_text(), and *d is empty. A file whose name ends in .gz
   must be what gzip writes, complete and unharmed. No file makes them
   allocate much more than its own content needs. */

/* Images and labels of an IDX pair, as MNIST's: bytes, divided by 255. */
bool dl_read_idx(struct dl_dataset *d, const char *images,
                 const char *labels, int classes);

/* Numbers with commas between them; the last one of a line is the label.
   The first `skip` lines are passed over. */
bool dl_read_csv(struct dl_dataset *d, const char *path, int skip,
                 int classes);

/* Fashion-MNIST, 60,000 and 10,000 images of [28, 28]; handwritten digits,
   1,797 images of [8, 8], from 0 to 1. dir is where the files are; if it is
   NULL, dl_data_dir looks for them. */
bool dl_read_fashion(struct dl_dataset *train, struct dl_dataset *test,
                     const char *dir);
bool dl_read_digits(struct dl_dataset *d, const char *dir);

/* The folder to read a file from: `option` (of --data) unless it is NULL;
   else $DLFS_DATA, if set; else `place`, where a Debian package puts the
   file, if it is there; else data. */
const char *dl_data_dir(const char *option, const char *place,
                        const char *file);

/* Copy the first n examples of a random order to *a, the others to *b. If r
   is NULL they are taken in the order in which they are. */
void dl_dataset_split(const struct dl_dataset *all, int n,
                      struct dl_random *r, struct dl_dataset *a,
                      struct dl_dataset *b);

/* Replace each number x of an example by (x - mean) / deviation, both taken
   of `by` at the same place; a deviation of 0 counts as 1. by and d may be
   the same. */
void dl_dataset_standardize(struct dl_dataset *d,
                            const struct dl_dataset *by);

/* The examples with the given indices, [rows.n, sample...], and their
   labels; both last until the innermost scope is left. */
dl_tensor *dl_dataset_rows(const struct dl_dataset *d, struct dl_ints rows);
struct dl_ints dl_dataset_labels(const struct dl_dataset *d,
                                 struct dl_ints rows);

/* Batches of indices in the order of torch.utils.data.DataLoader. */
struct dl_loader {
    int n, batch;                   /* of n examples, so many at a time */
    bool shuffle, drop_last;        /* drop_last: no incomplete batch */
    int *order;                     /* the permutation of this epoch */
    int at;                         /* how many of it have been given out */
    struct dl_random *random;       /* where epochs draw their seed */
};

/* n >= 0, batch > 0. r must stay valid; it may be NULL without shuffle. */
void dl_loader_init(struct dl_loader *l, int n, int batch, bool shuffle,
                    struct dl_random *r);
void dl_loader_free(struct dl_loader *l);

/* Begin an epoch: draw its order. As in PyTorch this takes two 64-bit
   draws from r, the second of which seeds the permutation; without shuffle
   one. */
void dl_loader_epoch(struct dl_loader *l);

/* The next indices, valid until the next epoch; n is 0 at its end. */
struct dl_ints dl_loader_next(struct dl_loader *l);

/* How many batches an epoch has. */
int dl_loader_batches(const struct dl_loader *l);

#pragma GCC visibility pop

#endif
