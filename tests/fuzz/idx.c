/* Any bytes as an IDX pair. The first says whether the files are called .gz, the second how long the labels' is. 
   Fuzzed: dataset. */
#include "dataset.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    bool gz = bytes[0] & 1;
    size_t labels = bytes[1] < n - 2 ? bytes[1] : n - 2;
    const char *y = as_file(gz ? "y.gz" : "y", bytes + 2, labels);
    const char *x = as_file(gz ? "x.gz" : "x", bytes + 2 + labels, n - 2 - labels);
    struct dl_dataset d;
    if (dl_read_idx(&d, x, y, 1 + (bytes[0] >> 1))) {
        size_t size = (size_t)d.n * dl_shape_size(d.sample);
        for (size_t i = 0; i < size; i++)
            if (!(d.x[i] >= 0 && d.x[i] <= 1))
                abort();
        for (int i = 0; i < d.n; i++)
            if (d.label[i] < 0 || d.label[i] >= d.classes)
                abort();
        dl_dataset_free(&d);
    } else if (d.x || d.label || d.n || !*dl_error_text())
        abort();
    unlink(x), unlink(y);
    return 0;
}
