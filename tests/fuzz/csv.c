/* Any bytes as a table. The first says whether the file is called .gz, and how many lines are passed over. 
   Fuzzed: dataset. */
#include <math.h>
#include "dataset.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 1)
        return 0;
    const char *path = as_file(bytes[0] & 1 ? "t.gz" : "t", bytes + 1, n - 1);
    struct dl_dataset d;
    if (dl_read_csv(&d, path, bytes[0] >> 1 & 1, 3)) {
        size_t size = (size_t)d.n * dl_shape_size(d.sample);
        for (size_t i = 0; i < size; i++)
            if (!isfinite(d.x[i]))
                abort();
        for (int i = 0; i < d.n; i++)
            if (d.label[i] < 0 || d.label[i] >= 3)
                abort();
        dl_dataset_free(&d);
    } else if (d.x || d.label || d.n || !*dl_error_text())
        abort();
    unlink(path);
    return 0;
}
