/* A program outside the tree: all that it knows of the library comes from pkg-config. */
#include <stdio.h>
#include <dlfs.h>

int main(void)
{
    struct dl_random random;
    dl_random_seed(&random, 5489);      /* whose first word is in the paper on MT19937 */
    printf("%lu\n", (unsigned long)dl_random_u32(&random));
    return 0;
}
