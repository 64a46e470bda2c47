/* Any bytes as a .npy file. Fuzzed: npy tensor. */
#include "fuzz.h"
#include "memory.h"
#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *path = as_file("a.npy", bytes, n);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    const dl_tensor *t = dl_npy_read(path);
    if (t == NULL && !*dl_error_text())
        abort();
    if (t != NULL && t->size > n * 8)
        abort();
    dl_scope_leave(scope);
    dl_pool_drain();
    unlink(path);
    return 0;
}
