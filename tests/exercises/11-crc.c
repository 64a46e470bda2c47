/* Exercise "CRC-32 by hand". */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

extern uint32_t crc(const unsigned char *bytes, size_t n);

Test(crc, of_the_standard_example_and_of_nothing)
{
    cr_assert(eq(u32, crc((const unsigned char *)"123456789", 9), 0xcbf43926));
    cr_assert(eq(u32, crc((const unsigned char *)"", 0), 0));
}

Test(crc, equals_that_of_zlib)
{
    unsigned char bytes[1000];
    for (int i = 0; i < 1000; i++)
        bytes[i] = (unsigned char)(i * i * 7 + i / 3);
    for (unsigned n = 1; n <= 1000; n += 37)
        cr_assert(eq(u32, crc(bytes, n), (uint32_t)crc32(0, bytes, n)));
}
