#include <stdio.h>

int main(void)
{
    float gap = 1;
    while (1 + gap / 2 > 1)
        gap /= 2;
    printf("%g\n", gap);
    return 0;
}
