/* For the fuzz targets: bytes as a file. It lies in memory (/dev/shm), since it is written a million times. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *as_file(const char *name, const uint8_t *bytes, size_t n)
{
    static char path[4][64];
    static int next;
    char *p = path[next = (next + 1) % 4];
    snprintf(p, sizeof path[0], "/dev/shm/dlfs-fuzz-%d-%s", (int)getpid(), name);
    int f = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (f < 0 || write(f, bytes, n) != (ssize_t)n || close(f) != 0)
        abort();
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
