/* Any bytes as a .safetensors file, whole and as they lie in memory. Fuzzed: safetensors replace. */
#include <string.h>
#include "fuzz.h"
#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct dl_safetensors f;
    if (!dl_safetensors_parse(&f, bytes, n))
        return *dl_error_text() && !strchr(dl_error_text(), '\n') ? 0 : (abort(), 0);
    size_t total = 0;
    volatile unsigned char last = 0;
    for (int i = 0; i < f.n; i++) {
        total += f.list[i].size;
        if (f.list[i].size > 0)
            last = ((const unsigned char *)f.list[i].data)[f.list[i].size - 1];
        if (dl_safetensors_find(&f, f.list[i].name) != &f.list[i])
            abort();
    }
    (void)last;
    if (total > n)
        abort();
    dl_safetensors_free(&f);
    return 0;
}
