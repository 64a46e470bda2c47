/* dlinfo.c - print what a .safetensors file holds. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "dlfs.h"

static void print_entry(const struct dl_entry *e)
{
    printf("%s\t%s\t[", DL_PLAIN(e->name), dl_type_name(e->type));
    for (int k = 0; k < e->rank; k++)
        printf(k > 0 ? ", %" PRId64 : "%" PRId64, e->dim[k]);
    printf("]\t%zu\n", e->size);
}

int main(int argc, char *argv[])
{
    struct dl_safetensors f;
    if (argc != 2 || argv[1][0] == '-') {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr, "usage: dlinfo FILE.safetensors\n");
        return help ? 0 : 2;
    }
    if (!dl_safetensors_read(&f, argv[1])) {
        fprintf(stderr, "dlinfo: %s\n", dl_error_text());
        return 1;
    }
    printf("# checksum: %s\n", f.has_crc ? "right" : "none");
    for (int i = 0; i < f.notes; i++) {
        printf("# %s: ", DL_PLAIN(f.note[i].key));
        printf("%s\n", DL_PLAIN(f.note[i].value));
    }
    printf("name\ttype\tshape\tbytes\n");
    for (int i = 0; i < f.n; i++)
        print_entry(&f.list[i]);
    dl_safetensors_free(&f);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "dlinfo: standard output could not be written\n");
    return 1;
}
