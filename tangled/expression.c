/* expression.c - write the graph of a small expression for Graphviz. */
#include <stdio.h>
#include "dlfs.h"

int main(void)
{
    dl_value *a = dl_value_new(2), *b = dl_value_new(-3);
    dl_value *y = dl_value_add(dl_value_mul(a, b), dl_value_sin(a));
    dl_value_backward(y);
    dl_value_write_dot(stdout, y, 3, (dl_value *[]){a, b, y},
                       (const char *[]){"a", "b", "y"});
    dl_value_release(0);
    return 0;
}
