/* Prints nothing and returns 0 if a network, trained, has the bits that it has everywhere else. */
#include "network.h"
#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    uint64_t hash = hash_after_training();
    if (hash != TRAINED)
        printf("the hash is %jx\n", (uintmax_t)hash);
    return hash != TRAINED;
}
