/* graph.c - write the tape of a small layer for Graphviz. */
#include <stdio.h>
#include "dlfs.h"

int main(void)
{
    struct dl_params params = {0};
    dl_tensor *w = dl_param(&params, "w", DL_SHAPE(2, 3));
    dl_tensor *b = dl_param(&params, "b", DL_SHAPE(3));
    dl_fill(w, 1);
    dl_fill(b, 0);
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *x = dl_full(DL_SHAPE(5, 2), 1);
    dl_tensor *h = dl_tanh(dl_add(dl_matmul(x, w), b));
    dl_write_graph(stdout, dl_sum(dl_mul(h, h)), &params);
    dl_scope_leave(scope);
    dl_params_free(&params);
    dl_pool_drain();
    return fflush(stdout) == 0 ? 0 : 1;
}
