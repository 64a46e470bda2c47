/* Chapter 11: replacing files, locks, safetensors. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "memory.h"
#include "replace.h"
#include "safetensors.h"

#include "fails_with.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define len(a) (sizeof(a) / sizeof *(a))

/* ---- System calls that fail when they are told to ------------------------------------------------------------- */

static long calls, fail_at = -1;       /* counted when fail_at >= 0; call number fail_at fails */
static int fail_with, short_writes;
static const char *failed_call;

static bool shall_fail(const char *name)
{
    if (fail_at < 0 || ++calls != fail_at)
        return false;
    failed_call = name;
    errno = fail_with;
    return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...)
{
    va_list a;
    va_start(a, flags);
    mode_t mode = flags & O_CREAT ? va_arg(a, mode_t) : 0;
    va_end(a);
    return shall_fail("open") ? -1 : REAL(open)(path, flags, mode);
}
ssize_t write(int fd, const void *p, size_t n)
{
    if (shall_fail("write"))
        return -1;
    return REAL(write)(fd, p, short_writes && fail_at >= 0 && n > 7 ? 7 : n);
}
ssize_t read(int fd, void *p, size_t n) { return shall_fail("read") ? -1 : REAL(read)(fd, p, n); }
int fsync(int fd) { return shall_fail("fsync") ? -1 : REAL(fsync)(fd); }

static int unlocked_renames;           /* of files that another program could have locked */
int rename(const char *a, const char *b)
{
    int fd = REAL(open)(a, O_RDWR | O_CLOEXEC);
    unlocked_renames += fd >= 0 && REAL(flock)(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        REAL(close)(fd);
    return shall_fail("rename") ? -1 : REAL(rename)(a, b);
}

static void (*before_lock)(void);      /* what others do between our open and our flock */
int flock(int fd, int how)
{
    if (before_lock != NULL)
        before_lock();
    return shall_fail("flock") ? -1 : REAL(flock)(fd, how);
}
int ftruncate(int fd, off_t n) { return shall_fail("ftruncate") ? -1 : REAL(ftruncate)(fd, n); }
int fstat(int fd, struct stat *s) { return shall_fail("fstat") ? -1 : REAL(fstat)(fd, s); }
int lstat(const char *p, struct stat *s) { return shall_fail("lstat") ? -1 : REAL(lstat)(p, s); }
int unlink(const char *p) { return shall_fail("unlink") ? -1 : REAL(unlink)(p); }
int close(int fd)
{
    bool fails = shall_fail("close");
    int result = REAL(close)(fd);
    if (!fails)
        return result;
    errno = fail_with;
    return -1;
}

/* Requests for memory, when they are counted; number `refuse_at` of them is refused. */
static bool count_bytes;
static size_t requested, largest;
#ifndef __SANITIZE_ADDRESS__
static int requests, refuse_at;
static bool grant(size_t n)
{
    requested += count_bytes ? n : 0;
    largest = count_bytes && n > largest ? n : largest;
    requests += count_bytes;
    return !count_bytes || requests != refuse_at;
}
void *malloc(size_t n)
{
    static void *(*real)(size_t);
    if (real == NULL)
        real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    return grant(n) ? real(n) : NULL;
}
void *realloc(void *p, size_t n)
{
    static void *(*real)(void *, size_t);
    if (real == NULL)
        real = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    return grant(n) ? real(p, n) : NULL;
}
#endif

/* ---- A folder for each test ------------------------------------------------------------------------------------ */

static char folder[64], path[128], other[160];

static void make_folder(void)
{
    strcpy(folder, "/tmp/dlfs-11-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    sprintf(path, "%s/x.safetensors", folder);
    sprintf(other, "%s/y", folder);
    signal(SIGXFSZ, SIG_IGN);
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void remove_folder(void)
{
    char command[80];
    sprintf(command, "rm -rf %s", folder);
    cr_assert(eq(int, system(command), 0));
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
    dl_pool_drain();
}
TestSuite(replace, .init = make_folder, .fini = remove_folder);
TestSuite(lock, .init = make_folder, .fini = remove_folder);
TestSuite(safetensors, .init = make_folder, .fini = remove_folder);
TestSuite(params, .init = make_folder, .fini = remove_folder);

static char *read_bytes(const char *from, size_t *n)
{
    FILE *f = fopen(from, "rb");
    cr_assert(f != NULL, "%s: %s", from, strerror(errno));
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n + 1);
    cr_assert(fread(bytes, 1, *n, f) == *n);
    fclose(f);
    bytes[*n] = '\0';
    return bytes;
}

static void write_bytes(const char *to, const void *bytes, size_t n)
{
    FILE *f = fopen(to, "wb");
    cr_assert(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static bool contains(const char *what) { return strstr(dl_error_text(), what) != NULL; }

static void one_line(void)
{
    const char *t = dl_error_text();
    cr_assert(t[0] != '\0' && strchr(t, '\n') == NULL, "\"%s\"", t);
}

/* ---- Replacing a file ------------------------------------------------------------------------------------------- */

static bool put(const char *text)
{
    struct dl_replacement r;
    if (!dl_replace_begin(&r, path))
        return false;
    if (!dl_replace_write(&r, text, strlen(text)))
        return dl_replace_abandon(&r), false;
    return dl_replace_commit(&r);
}

static void holds(const char *text)
{
    size_t n;
    char *bytes = read_bytes(path, &n);
    cr_assert(strcmp(bytes, text) == 0, "\"%s\" instead of \"%s\"", bytes, text);
    free(bytes);
}

Test(replace, a_new_file_and_one_in_the_place_of_another)
{
    int before = descriptors();
    cr_assert(put("one"));
    holds("one");
    cr_assert(put("the second"));
    holds("the second");
    cr_assert(put(""));
    holds("");
    cr_assert(eq(int, files(), 1));
    cr_assert(eq(int, descriptors(), before));
}

Test(replace, until_commit_the_old_file_is_there_and_abandon_leaves_it)
{
    struct dl_replacement r;
    cr_assert(put("old"));
    cr_assert(dl_replace_begin(&r, path) && dl_replace_write(&r, "new", 3));
    holds("old");
    dl_replace_abandon(&r);
    holds("old");
    cr_assert(eq(int, files(), 1));
}

Test(replace, a_left_over_of_a_dead_program_is_used_again_and_cut)
{
    char temporary[160];
    sprintf(temporary, "%s.tmp", path);
    write_bytes(temporary, "a long and useless text", 23);
    cr_assert(put("short"));
    holds("short");
    write_bytes(temporary, "a long and useless text", 23);
    cr_assert(put(""));
    holds("");
    cr_assert(eq(int, files(), 1));
}

Test(replace, in_the_current_folder)
{
    cr_assert(chdir(folder) == 0);
    struct dl_replacement r;
    cr_assert(dl_replace_begin(&r, "here") && dl_replace_write(&r, "x", 1) && dl_replace_commit(&r));
    cr_assert(access("here", F_OK) == 0);
}

Test(replace, what_is_not_a_regular_file_is_refused_and_stays)
{
    struct stat s;
    cr_assert(symlink("y", path) == 0);
    write_bytes(other, "target", 6);
    cr_assert(not(put("new")));
    cr_assert(contains("x.safetensors: it is not a regular file"));
    cr_assert(lstat(path, &s) == 0 && S_ISLNK(s.st_mode));
    cr_assert(unlink(path) == 0 && symlink("nowhere", path) == 0);
    cr_assert(not(put("new")));
    cr_assert(contains("not a regular file"));
    cr_assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
    cr_assert(not(put("new")));
    cr_assert(contains("not a regular file"));
    cr_assert(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    cr_assert(not(put("new")));
    cr_assert(contains("not a regular file"));
    cr_assert(unlink(path) == 0);
    cr_assert(eq(int, files(), 1));
    struct dl_replacement r;
    cr_assert(not(dl_replace_begin(&r, "/dev/full")));
    cr_assert(contains("/dev/full: it is not a regular file"));
    cr_assert(not(dl_replace_begin(&r, "/dev/null")));
    cr_assert(lstat("/dev/null", &s) == 0 && S_ISCHR(s.st_mode));
    cr_assert(not(dl_replace_begin(&r, folder)));
}

Test(replace, a_temporary_name_that_is_taken_by_something_else_is_refused)
{
    char temporary[160];
    sprintf(temporary, "%s.tmp", path);
    write_bytes(other, "precious", 8);
    cr_assert(symlink("y", temporary) == 0);
    cr_assert(not(put("new")));
    one_line();
    size_t n;
    char *bytes = read_bytes(other, &n);
    cr_assert(eq(sz, n, 8));
    free(bytes);
    cr_assert(unlink(temporary) == 0 && mkfifo(temporary, 0600) == 0);
    cr_assert(not(put("new")));
    cr_assert(unlink(temporary) == 0 && mkdir(temporary, 0700) == 0);
    cr_assert(not(put("new")));
    one_line();
    cr_assert(access(path, F_OK) != 0);
}

Test(replace, paths_that_lead_nowhere)
{
    struct dl_replacement r;
    char longest[PATH_MAX + 10];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert(not(dl_replace_begin(&r, longest)));
    cr_assert(contains("too long"));
    longest[300] = '\0';
    cr_assert(not(dl_replace_begin(&r, longest)));
    one_line();
    sprintf(other, "%s/missing/x", folder);
    cr_assert(not(dl_replace_begin(&r, other)));
    cr_assert(contains("No such file"));
    cr_assert(not(dl_replace_begin(&r, "")));
    one_line();
    fails_with(dl_replace_begin(&r, NULL), "dl_replace_begin", "NULL");
}

/* As root, permissions mean nothing: we become nobody. */
Test(replace, in_a_folder_that_is_read_only)
{
    cr_assert(put("old"));
    cr_assert(chmod(folder, 0555) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(3);
        _exit(put("new") ? 1 : contains("Permission denied") ? 0 : 2);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(eq(int, status, 0));
    holds("old");
    cr_assert(eq(int, files(), 1));
    chmod(folder, 0700);
}

Test(replace, a_disk_that_is_full_at_20_sizes)
{
    static char text[100001];
    memset(text, 'n', 100000);
    cr_assert(put("old"));
    for (int i = 0; i < 20; i++) {
        struct rlimit limit = {(rlim_t)(i * i * 277), RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &limit);
        bool good = put(text);
        setrlimit(RLIMIT_FSIZE, &none);
        cr_assert(not(good));
        cr_assert(contains("File too large"), "%s", dl_error_text());
        holds("old");
        cr_assert(eq(int, files(), 1));
    }
    cr_assert(put(text));
    holds(text);
}

/* Each call of the system fails once; then the file is the old or the new one, and nothing is left open or behind. */
static void fail_everywhere(int reason)
{
    bool done = false;
    int before = descriptors(), failures = 0;
    for (long k = 1; !done; k++) {
        cr_assert(put("the old content"));
        calls = 0;
        fail_with = reason;
        failed_call = NULL;
        fail_at = k;
        bool good = put("the new content, which is longer");
        fail_at = -1;
        done = failed_call == NULL;
        cr_assert(eq(int, descriptors(), before), "call %ld, %s", k, failed_call);
        if (good) {
            holds("the new content, which is longer");
            cr_assert(done || reason == EINTR || strcmp(failed_call, "close") == 0, "%s failed unnoticed",
                      failed_call);
        } else {
            one_line();
            failures++;
            size_t n;
            char *bytes = read_bytes(path, &n);
            bool late = n == 32 && strcmp(bytes, "the new content, which is longer") == 0;
            cr_assert(late || strcmp(bytes, "the old content") == 0, "%s: %s", failed_call, bytes);
            free(bytes);
            bool unlocked = strstr("flock fstat lstat", failed_call) != NULL;   /* it may belong to another */
            cr_assert(le(int, files(), 1 + unlocked), "after %s: %s", failed_call, dl_error_text());
        }
        cr_assert(lt(long, k, 100));
    }
    cr_assert(ge(int, failures, 6));
}

Test(replace, every_call_of_the_system_fails_once)
{
    fail_everywhere(EIO);
    fail_everywhere(ENOSPC);
    short_writes = 1;
    fail_everywhere(ENOSPC);
    short_writes = 0;
}

Test(replace, an_interrupted_write_goes_on)
{
    short_writes = 1;
    for (long k = 1; k < 12; k++) {
        calls = 0;
        fail_with = EINTR;
        failed_call = NULL;
        fail_at = k;
        bool good = put("some text of several portions");
        fail_at = -1;
        if (failed_call != NULL && strcmp(failed_call, "write") == 0) {
            cr_assert(good, "%s", dl_error_text());
            holds("some text of several portions");
        }
    }
}

/* ---- Locks ------------------------------------------------------------------------------------------------------ */

static bool another_process(bool (*does)(void))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(does() ? 0 : contains("another program") ? 1 : 2);
    waitpid(child, &status, 0);
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) < 2;
    cr_assert(ended);
    return WEXITSTATUS(status) == 0;
}

static bool can_lock(void) { return dl_lock(path) >= 0; }
static bool can_put(void) { return put("theirs"); }

Test(lock, keeps_a_second_run_away_until_it_is_given_back)
{
    int lock = dl_lock(path);
    cr_assert(ge(int, lock, 0));
    cr_assert(not(another_process(can_lock)));
    cr_assert(can_put(), "saving does not need the run's lock");
    cr_assert(not(another_process(can_lock)), "nor does it take it away");
    dl_unlock(lock);
    cr_assert(another_process(can_lock));
    lock = dl_lock(path);
    cr_assert(ge(int, lock, 0), "a process that ended has no lock");
    dl_unlock(lock);
}

Test(lock, dies_with_the_process_that_holds_it)
{
    int pipes[2], status;
    char c;
    cr_assert(pipe(pipes) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);                                          /* in case that the test fails before it kills us */
        c = dl_lock(path) >= 0;
        if (REAL(write)(pipes[1], &c, 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    cr_assert(read(pipes[0], &c, 1) == 1 && c == 1);
    cr_assert(lt(int, dl_lock(path), 0));
    cr_assert(contains("another program"));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    int lock = dl_lock(path);
    cr_assert(ge(int, lock, 0));
    dl_unlock(lock);
}

Test(lock, of_a_place_that_is_not_there)
{
    sprintf(other, "%s/missing/x", folder);
    cr_assert(lt(int, dl_lock(other), 0));
    cr_assert(contains("No such file"));
}

Test(replace, while_one_writes_another_cannot)
{
    struct dl_replacement r;
    cr_assert(dl_replace_begin(&r, path) && dl_replace_write(&r, "ours", 4));
    cr_assert(not(another_process(can_put)));
    cr_assert(dl_replace_commit(&r));
    holds("ours");
    cr_assert(another_process(can_put));
    holds("theirs");
}

Test(lock, of_what_cannot_be_replaced_is_refused_and_leaves_nothing)
{
    cr_assert(lt(int, dl_lock(folder), 0));
    cr_assert(contains("not a regular file"));
    cr_assert(symlink("y", path) == 0);
    cr_assert(lt(int, dl_lock(path), 0));
    cr_assert(contains("not a regular file"));
    cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    cr_assert(lt(int, dl_lock(path), 0));
    cr_assert(unlink(path) == 0);
    cr_assert(lt(int, dl_lock("/dev/null"), 0));
    cr_assert(lt(int, dl_lock(""), 0));
    cr_assert(eq(int, files(), 0));
    cr_assert(access("/dev/null.lock", F_OK) != 0);
    sprintf(other, "%s.lock", folder);
    cr_assert(access(other, F_OK) != 0);
}

/* Another program gives our temporary file its name, and a third one begins a new one. */
static void finish_theirs(void)
{
    char temporary[160];
    sprintf(temporary, "%s.tmp", path);
    bool moved = REAL(rename)(temporary, path) == 0;
    cr_assert(moved);
    write_bytes(path, "theirs", 6);
    write_bytes(temporary, "third", 5);
}

Test(replace, a_file_that_got_its_name_before_we_locked_it_is_not_touched)
{
    struct dl_replacement r;
    before_lock = finish_theirs;
    bool begun = dl_replace_begin(&r, path);
    before_lock = NULL;
    cr_assert(not(begun));
    cr_assert(contains("another program"));
    holds("theirs");
}

Test(replace, the_lock_is_held_until_the_file_has_its_name)
{
    cr_assert(put("one") && put("two"));
    cr_assert(eq(int, unlocked_renames, 0));
}

/* Two processes save the same file as fast as they can: it is never anything but whole. */
Test(replace, two_that_write_at_the_same_time_leave_whole_files)
{
    static char mine[5001];
    pid_t child[2];
    int status;
    cr_assert(put("x"));
    fflush(NULL);
    for (int k = 0; k < 2; k++)
        if ((child[k] = fork()) == 0) {
            memset(mine, 'a' + k, 3000 + 2000 * (size_t)k);
            for (int i = 0, n = 0; i < 20000 && n < 150; i++)
                n += put(mine);
            _exit(0);
        }
    for (int i = 0; i < 400; i++) {
        size_t n;
        char *bytes = read_bytes(path, &n);
        cr_assert(n == 1 || (n == 3000 && bytes[0] == 'a' && bytes[2999] == 'a')
                  || (n == 5000 && bytes[0] == 'b' && bytes[4999] == 'b'), "%zu bytes", n);
        free(bytes);
    }
    for (int k = 0; k < 2; k++)
        cr_assert(waitpid(child[k], &status, 0) == child[k] && status == 0);
}

/* ---- A small file ----------------------------------------------------------------------------------------------- */

static struct dl_random r;

static const struct dl_note notes[] = {{"epoch", "3"}, {"who \"am\" I?", "a\\b\n\x01 \xc3\xa9 \xf0\x9f\x99\x82"}};

static unsigned char noise[4000];

/* About 4 kB of everything. */
static void write_small(void)
{
    dl_random_seed(&r, 11);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)dl_random_below(&r, 256);
    struct dl_entry list[] = {
        {"bytes", DL_U8, 1, {5}, 5, noise},
        {"fc1.weight", DL_F32, 2, {16, 32}, 2048, noise + 8},
        {"halves", DL_BF16, 3, {2, 1, 7}, 28, noise},
        {"wide", DL_F64, 4, {2, 3, 4, 5}, 960, noise + 16},
        {"empty", DL_I64, 2, {0, 9}, 0, NULL},
        {"scalar", DL_I64, 0, {0}, 8, noise + 1},
        {"\xc3\xa4/\"quoted\"\t", DL_I32, 1, {3}, 12, noise},
    };
    cr_assert(dl_safetensors_write(path, len(list), list, len(notes), notes), "%s", dl_error_text());
}

Test(safetensors, what_is_written_is_read_again_wide_types_first)
{
    struct dl_safetensors f;
    write_small();
    int before = descriptors();
    cr_assert(dl_safetensors_read(&f, path), "%s", dl_error_text());
    cr_assert(eq(int, descriptors(), before));
    cr_assert(f.n == 7 && f.notes == 3 && f.has_crc);
    cr_assert(strcmp(dl_safetensors_note(&f, "epoch"), "3") == 0);
    cr_assert(strcmp(dl_safetensors_note(&f, notes[1].key), notes[1].value) == 0);
    cr_assert(dl_safetensors_note(&f, "epocha") == NULL);
    const struct dl_entry *e = dl_safetensors_find(&f, "fc1.weight");
    cr_assert(e && e->type == DL_F32 && e->rank == 2 && e->dim[0] == 16 && e->dim[1] == 32 && e->size == 2048);
    cr_assert(memcmp(e->data, noise + 8, 2048) == 0);
    e = dl_safetensors_find(&f, "\xc3\xa4/\"quoted\"\t");
    cr_assert(e && e->type == DL_I32 && memcmp(e->data, noise, 12) == 0);
    e = dl_safetensors_find(&f, "scalar");
    cr_assert(e && e->rank == 0 && e->size == 8);
    cr_assert(dl_safetensors_find(&f, "fc1") == NULL);
    for (int i = 1; i < f.n; i++)
        cr_assert(f.list[i].size == 0 || dl_type_size(f.list[i].type) <= dl_type_size(f.list[i - 1].type));
    for (int i = 0; i < f.n; i++)
        cr_assert(eq(sz, (size_t)((uintptr_t)f.list[i].data - (uintptr_t)f.bytes) % dl_type_size(f.list[i].type), 0));
    dl_safetensors_free(&f);
    dl_safetensors_free(&f);
}

/* CRC-32 bit by bit, from its definition. */
static uint32_t slow_crc(const unsigned char *p, size_t n)
{
    uint32_t rest = 0xffffffff;
    for (size_t i = 0; i < 8 * n; i++) {
        uint32_t bit = (rest ^ (p[i / 8] >> i % 8)) & 1;
        rest = rest >> 1 ^ (bit ? 0xedb88320 : 0);
    }
    return ~rest;
}

Test(safetensors, the_bytes_of_a_file_are_these)
{
    float x[] = {1, 2};
    struct dl_entry list[] = {{"a", DL_U8, 1, {1}, 1, "\7"}, {"b", DL_F32, 1, {2}, 8, x}};
    struct dl_note note = {"k", "v"};
    cr_assert(dl_safetensors_write(path, 2, list, 1, &note));
    char want[] = "xxxxxxxx{\"__metadata__\":{\"dlfs.crc32\":\"00000000\",\"k\":\"v\"},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}     \0\0\x80\x3f\0\0\0\x40\7";
    size_t n, size = sizeof want - 1, header = size - 8 - 9;
    cr_assert(eq(sz, slow_crc((const unsigned char *)"123456789", 9), 0xcbf43926));
    memcpy(want, &(uint64_t){header}, 8);
    char digits[9];
    sprintf(digits, "%08x", slow_crc((unsigned char *)want, size));
    memcpy(strstr(want + 8, "00000000"), digits, 8);
    char *bytes = read_bytes(path, &n);
    cr_assert(eq(sz, n, size));
    cr_assert(memcmp(bytes, want, n) == 0, "%s", bytes + 8);
    cr_assert(eq(sz, header % 8, 0));
    free(bytes);
}

Test(safetensors, no_entries_at_all)
{
    struct dl_safetensors f;
    cr_assert(dl_safetensors_write(path, 0, NULL, 0, NULL));
    cr_assert(dl_safetensors_read(&f, path), "%s", dl_error_text());
    cr_assert(f.n == 0 && f.notes == 1 && f.has_crc);
    dl_safetensors_free(&f);
    cr_assert(dl_safetensors_parse(&f, "\2\0\0\0\0\0\0\0{}", 10), "%s", dl_error_text());
    cr_assert(f.n == 0 && f.notes == 0 && !f.has_crc);
    dl_safetensors_free(&f);
}

/* The tests' own reader, which uses a JSON library, sees what we wrote. */
Test(safetensors, another_reader_reads_ours)
{
    char name[200];
    write_small();
    sprintf(name, "../../../../../../../../../..%s", path);
    struct oracle o = oracle_open(name);
    struct oracle_tensor t = oracle_get(&o, "fc1.weight");
    cr_assert(t.rank == 2 && t.shape[0] == 16 && t.shape[1] == 32 && t.f32 && memcmp(t.f32, noise + 8, 2048) == 0);
    t = oracle_get(&o, "wide");
    cr_assert(t.rank == 4 && t.count == 120 && t.f64 && memcmp(t.f64, noise + 16, 960) == 0);
    t = oracle_get(&o, "scalar");
    cr_assert(t.rank == 0 && t.i64 && memcmp(t.i64, noise + 1, 8) == 0);
    t = oracle_get(&o, "\xc3\xa4/\"quoted\"\t");
    cr_assert(t.i32 && memcmp(t.i32, noise, 12) == 0);
    cr_assert(strcmp(oracle_text(&o, notes[1].key), notes[1].value) == 0);
    oracle_close(&o);
}

/* And we see what is in the files of another writer. */
Test(safetensors, files_of_another_writer_are_read)
{
    glob_t g;
    cr_assert(glob("tests/oracle/*.safetensors", 0, NULL, &g) == 0 && g.gl_pathc >= 5);
    for (size_t k = 0; k < g.gl_pathc; k++) {
        struct dl_safetensors f;
        cr_assert(dl_safetensors_read(&f, g.gl_pathv[k]), "%s", dl_error_text());
        if (dl_safetensors_note(&f, "script") == NULL) {
            dl_safetensors_free(&f);
            continue;
        }
        struct oracle o = oracle_open(strrchr(g.gl_pathv[k], '/') + 1);
        cr_assert(eq(int, f.n, (int)json_object_size(o.header) - 1));
        for (int i = 0; i < f.n; i++) {
            const struct dl_entry *e = &f.list[i];
            struct oracle_tensor t = oracle_get(&o, "%s", e->name);
            cr_assert(strcmp(t.dtype, dl_type_name(e->type)) == 0 && t.rank == e->rank);
            for (int j = 0; j < t.rank; j++)
                cr_assert(t.shape[j] == (size_t)e->dim[j]);
            cr_assert(t.count * dl_type_size(e->type) == e->size && memcmp(t.data, e->data, e->size) == 0);
        }
        cr_assert(strcmp(dl_safetensors_note(&f, "script"), oracle_text(&o, "script")) == 0);
        oracle_close(&o);
        dl_safetensors_free(&f);
    }
    globfree(&g);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

Test(safetensors, cut_at_every_byte_it_is_refused)
{
    struct dl_safetensors f;
    size_t n;
    write_small();
    char *bytes = read_bytes(path, &n);
    cr_assert(n > 3500 && n < 4500, "%zu bytes", n);
    for (size_t cut = 0; cut <= n + 1; cut++) {
        if (cut == n)
            continue;
        write_bytes(path, bytes, cut);                  /* by its name, and as bytes */
        cr_assert(not(dl_safetensors_read(&f, path)), "%zu of %zu bytes", cut, n);
        cr_assert(contains("x.safetensors: "));
        char *copy = memcpy(malloc(cut + 1), bytes, cut);
        cr_assert(not(dl_safetensors_parse(&f, copy, cut)), "%zu of %zu bytes", cut, n);
        one_line();
        free(copy);
    }
    free(bytes);
}

/* Some flips in the checksum's key leave a valid file without a checksum; no other flip is overlooked. */
Test(safetensors, with_any_bit_turned_it_is_refused_or_has_no_checksum)
{
    struct dl_safetensors f;
    size_t n, without = 0;
    write_small();
    char *bytes = read_bytes(path, &n);
    long key = strstr(bytes + 8, "dlfs.crc32") - bytes, box = strstr(bytes + 8, "__metadata__") - bytes;
    for (size_t i = 0; i < 8 * n; i++) {
        bytes[i / 8] ^= (char)(1 << i % 8);
        if (dl_safetensors_parse(&f, bytes, n)) {
            long at = (long)(i / 8);
            cr_assert(not(f.has_crc), "bit %zu", i);
            bool in_key = at >= key && at < key + 10, in_box = at >= box && at < box + 12;
            cr_assert(in_key || in_box, "byte %ld", at);
            dl_safetensors_free(&f);
            without++;
        } else {
            one_line();
        }
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
    cr_assert(without > 20 && without < 80, "%zu", without);
    cr_assert(dl_safetensors_parse(&f, bytes, n) && f.has_crc);
    dl_safetensors_free(&f);
    free(bytes);
}

/* ---- Files made by hand ----------------------------------------------------------------------------------------- */

#define A(rest) "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" rest "}"
#define B(rest) "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" rest "}"
#define S(type, shape, from, to) \
    "{\"a\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}}"

static const struct bad { const char *header; int payload; const char *why; } bad[] = {
    {"", 0, "does not begin with '{'"},
    {" {}", 0, "does not begin with '{'"},
    {"[]", 0, "does not begin with '{'"},
    {"null", 0, "does not begin with '{'"},
    {"{", 0, "a string is missing"},
    {"{}}", 0, "behind the header's end"},
    {"{}{}", 0, "behind the header's end"},
    {"{} x", 0, "behind the header's end"},
    {"{a:1}", 0, "a string is missing"},
    {"{\"a", 0, "a string does not end"},
    {"{\"a\"}", 0, "a colon is missing"},
    {"{\"a\":}", 0, "'{' is missing"},
    {"{\"a\":1}", 0, "'{' is missing"},
    {"{\"a\":[]}", 0, "'{' is missing"},
    {"{\"a\":{}}", 0, "lacks dtype"},
    {"{" A("[0,4]") "," "}", 4, "a string is missing"},
    {"{" A("[0,4]") B("[4,8]") "}", 8, "a comma or a closing bracket"},
    {"{" A("[0,4]") "]", 4, "a comma or a closing bracket"},
    {"{" A("[0,4]"), 4, "a comma or a closing bracket"},
    {"{" A("[0,4]") "," A("[4,8]") "}", 8, "'a' occurs twice"},
    {"{" A("[0,4]") ",\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}", 4, "'a' occurs twice"},
    {"{" A("[0,4]") "," B("[0,4]") "}", 4, "'b' overlaps"},
    {"{" A("[0,4]") "," B("[2,6]") "}", 6, "'b' overlaps"},
    {"{" A("[0,4]") "," B("[5,9]") "}", 9, "a hole in front of 'b'"},
    {"{" A("[1,5]") "}", 5, "a hole in front of 'a'"},
    {"{" A("[0,4]") "}", 5, "the last 1 bytes"},
    {"{}", 1, "the last 1 bytes"},
    {"{" A("[0,4]") "}", 3, "'a' lies outside"},
    {"{" A("[4,0]") "}", 4, "'a' lies outside"},
    {"{" A("[0,3]") "}", 3, "should have 4 bytes and has 3"},
    {"{" A("[0,5]") "}", 5, "should have 4 bytes and has 5"},
    {"{" A("[0,4],") "}", 4, "a string is missing"},
    {"{" A("[0,4,8]") "}", 8, "more than two offsets"},
    {"{" A("[4]") "}", 4, "two offsets"},
    {"{" A("[]") "}", 4, "two offsets"},
    {"{" A("[0,]") "}", 4, "a length or an offset is missing"},
    {"{" A("[,4]") "}", 4, "a length or an offset is missing"},
    {"{" A("[0 4]") "}", 4, "a comma or a closing bracket"},
    {"{" A("[00,4]") "}", 4, "begins with 0"},
    {"{" A("[0,04]") "}", 4, "begins with 0"},
    {"{" A("[-0,4]") "}", 4, "a length or an offset is missing"},
    {"{" A("[+0,4]") "}", 4, "a length or an offset is missing"},
    {"{" A("[0,4.0]") "}", 4, "a comma or a closing bracket"},
    {"{" A("[0,4e0]") "}", 4, "a comma or a closing bracket"},
    {"{" A("[0,0x4]") "}", 4, "a comma or a closing bracket"},
    {"{" A("[0,\\\"4\\\"]") "}", 4, "a length or an offset is missing"},
    {"{" A("[0,null]") "}", 4, "a length or an offset is missing"},
    {"{" A("[0,18446744073709551620]") "}", 4, "too large"},
    {"{" A("[0,9223372036854775808]") "}", 4, "too large"},
    {"{" A("[0,9223372036854775807]") "}", 4, "outside"},
    {"{" A("[[0],4]") "}", 4, "a length or an offset is missing"},
    {S("U8", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, 0), 0, "a length or an offset is missing"},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}", 0, "dtype, shape and data_offsets only"},
    {S("U8", "4294967296,4294967296", 0, 0), 0, "is too large"},
    {S("U8", "9223372036854775807,2,2", 0, 0), 0, "is too large"},
    {S("F64", "2305843009213693952", 0, 0), 0, "is too large"},
    {S("U8", "4294967296,4294967296,0", 0, 0), 0, "is too large"},
    {S("U8", "1,1,1,1,1,1,1,1,1", 0, 1), 1, "more than eight axes"},
    {S("F32", "1", 0, 1), 1, "should have 4 bytes"},
    {S("F33", "1", 0, 4), 4, "unknown dtype"},
    {S("f32", "1", 0, 4), 4, "unknown dtype"},
    {S("F32 ", "1", 0, 4), 4, "unknown dtype"},
    {S("", "1", 0, 4), 4, "unknown dtype"},
    {"{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,1]}}", 1, "a string is missing"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "the same member twice"},
    {"{\"a\":{\"shape\":[1],\"shape\":[1],\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "the same member twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":0}}", 1, "dtype, shape and data_offsets only"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", 1, "dtype, shape and data_offsets only"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 0, "lacks dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "'[' is missing"},
    {"{\"__metadata__\":[]}", 0, "'{' is missing"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "a string is missing"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "a string is missing"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "the note 'a' occurs twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "a second time"},
    {"{\"__metadata__\":{\"dlfs.crc32\":\"0\"}}", 0, "does not have eight digits"},
    {"{\"__metadata__\":{\"dlfs.crc32\":\"00000000\"}}", 0, "is damaged"},
    {"{\"__metadata__\":{\"dlfs.crc32\":\"\\u00300000000\"}}", 0, "eight digits"},
    {"{\"\xff\":{}}", 0, "not UTF-8"},
    {"{\"\x80\":{}}", 0, "not UTF-8"},
    {"{\"\xc0\xaf\":{}}", 0, "not UTF-8"},
    {"{\"\xe0\x80\xaf\":{}}", 0, "not UTF-8"},
    {"{\"\xf0\x80\x80\xaf\":{}}", 0, "not UTF-8"},
    {"{\"\xed\xa0\x80\":{}}", 0, "not UTF-8"},
    {"{\"\xf4\x90\x80\x80\":{}}", 0, "not UTF-8"},
    {"{\"\xf8\x88\x80\x80\x80\":{}}", 0, "not UTF-8"},
    {"{\"\xc3", 0, "not UTF-8"},
    {"{\"\xc3\":{}}", 0, "not UTF-8"},
    {"{\"\\x61\":{}}", 0, "an unknown escape"},
    {"{\"\\", 0, "an unknown escape"},
    {"{\"\\u12", 0, "four hexadecimal digits"},
    {"{\"\\u12g4\":{}}", 0, "four hexadecimal digits"},
    {"{\"\\u0000\":{}}", 0, "a zero character"},
    {"{\"\\ud83d\":{}}", 0, "half a character"},
    {"{\"\\ude42\":{}}", 0, "half a character"},
    {"{\"\\ud83d\\u0041\":{}}", 0, "half a character"},
    {"{\"\\ud83d\\n\":{}}", 0, "half a character"},
    {"{\"a\nb\":{}}", 0, "a control character"},
    {"{'a':{}}", 0, "a string is missing"},
    {"{/**/}", 0, "a string is missing"},
};

static unsigned char *make_bytes(const char *header, size_t length, int payload, size_t *n)
{
    *n = 8 + length + (size_t)payload;
    unsigned char *bytes = calloc(*n + 1, 1);
    memcpy(bytes, &(uint64_t){length}, 8);
    memcpy(bytes + 8, header, length);
    return bytes;
}

Test(safetensors, bad_files_are_refused_each_for_its_reason_and_take_no_memory)
{
    for (size_t i = 0; i < len(bad); i++) {
        struct dl_safetensors f;
        size_t n;
        unsigned char *bytes = make_bytes(bad[i].header, strlen(bad[i].header), bad[i].payload, &n);
        write_bytes(path, bytes, n);
        free(bytes);
        requested = largest = 0;
        count_bytes = true;
        bool good = dl_safetensors_read(&f, path);
        count_bytes = false;
        cr_assert(not(good), "%s", bad[i].header);
        cr_assert(contains(bad[i].why), "%s: %s", bad[i].header, dl_error_text());
        one_line();
        size_t tables = 4 * sizeof(struct dl_entry) + 4 * sizeof(struct dl_note);
        cr_assert(requested <= 2 * n + tables, "%s: %zu bytes for a file of %zu", bad[i].header, requested, n);
        size_t rows = 2 * sizeof(struct dl_entry);      /* of a table for two entries */
        cr_assert(largest <= (n > rows ? n : rows), "%s: %zu bytes at once, of %zu", bad[i].header, largest, n);
    }
    cr_assert(ge(sz, len(bad), 40));
}

Test(safetensors, lengths_that_do_not_fit_are_refused)
{
    static const uint64_t wrong[] = {3, 1000, 1u << 31, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX,
                                     UINT64_MAX - 7};
    struct dl_safetensors f;
    unsigned char bytes[10] = "xxxxxxxx{}";
    for (size_t i = 0; i < len(wrong); i++) {
        memcpy(bytes, &wrong[i], 8);
        cr_assert(not(dl_safetensors_parse(&f, bytes, 10)));
        cr_assert(contains("does not fit"), "%s", dl_error_text());
    }
    for (size_t n = 0; n < 8; n++) {
        cr_assert(not(dl_safetensors_parse(&f, bytes, n)));
        cr_assert(contains("shorter than eight"));
    }
    size_t n;
    char *zero = (char *)make_bytes("{\"a\0b\":{}}", 10, 0, &n);
    cr_assert(not(dl_safetensors_parse(&f, zero, n)));
    cr_assert(contains("a control character"));
    free(zero);
    zero = (char *)make_bytes("{\0}", 3, 0, &n);
    cr_assert(not(dl_safetensors_parse(&f, zero, n)));
    free(zero);
}

Test(safetensors, a_character_does_not_go_on_behind_the_header)
{
    struct dl_safetensors f;
    cr_assert(not(dl_safetensors_parse(&f, "\3\0\0\0\0\0\0\0{\"\xc3\xa9\":{}}", 17)));
    cr_assert(contains("not UTF-8"), "%s", dl_error_text());
}

Test(safetensors, a_header_of_more_than_100_megabytes_is_refused)
{
    struct dl_safetensors f;
    FILE *file = fopen(path, "wb");
    cr_assert(fwrite(&(uint64_t){100000001}, 8, 1, file) == 1 && fputc('{', file) == '{');
    cr_assert(fclose(file) == 0 && truncate(path, 100000009) == 0);
    cr_assert(not(dl_safetensors_read(&f, path)));
    cr_assert(contains("too long"), "%s", dl_error_text());
}

static const struct { const char *header; int payload, n; } good[] = {
    {"{}", 0, 0},
    {"{}   \n\t\r ", 0, 0},
    {"{ \"a\" : { \"shape\" : [ 4 ] , \"data_offsets\" : [ 0 , 4 ] , \"dtype\" : \"U8\" } }", 4, 1},
    {"{" B("[4,8]") "," A("[0,4]") "}", 8, 2},
    {"{" A("[0,4]") ",\"e\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[4,4]}," B("[4,8]") "}", 8, 3},
    {"{\"e\":{\"dtype\":\"F64\",\"shape\":[9223372036854775807,0],\"data_offsets\":[0,0]}}", 0, -1},
    {"{\"e\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807,0],\"data_offsets\":[0,0]}}", 0, 1},
    {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, 1},
    {"{\"\\u00e9\\ud83d\\ude42\\n\\/\":{\"dtype\":\"F16\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,2]}}", 2, 1},
    {"{\"__metadata__\":{}}", 0, 0},
    {"{\"__metadata__\":{\"format\":\"pt\"}," A("[0,4]") "}", 4, 1},
};

Test(safetensors, unusual_but_valid_files_are_read)
{
    for (size_t i = 0; i < len(good); i++) {
        struct dl_safetensors f;
        size_t n;
        unsigned char *bytes = make_bytes(good[i].header, strlen(good[i].header), good[i].payload, &n);
        bool fine = dl_safetensors_parse(&f, bytes, n);
        cr_assert(fine == (good[i].n >= 0), "%s: %s", good[i].header, dl_error_text());
        cr_assert(eq(int, f.n, fine ? good[i].n : 0));
        dl_safetensors_free(&f);
        free(bytes);
    }
}

Test(safetensors, names_are_decoded)
{
    struct dl_safetensors f;
    size_t n;
    const char *header = "{\"\\u00e9\xc3\xa9\\ud83d\\ude42\\n\\/\\\"\\\\\\u20AC\":"
        "{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}";
    unsigned char *bytes = make_bytes(header, strlen(header), 1, &n);
    cr_assert(dl_safetensors_parse(&f, bytes, n), "%s", dl_error_text());
    cr_assert(strcmp(f.list[0].name, "\xc3\xa9\xc3\xa9\xf0\x9f\x99\x82\n/\"\\\xe2\x82\xac") == 0, "%s", f.list[0].name);
    dl_safetensors_free(&f);
    free(bytes);
}

/* Random bytes in the place of random bytes: nothing is read outside of the file (which the sanitizers would see). */
Test(safetensors, random_damage_without_a_checksum_is_survived)
{
    struct dl_safetensors f;
    int valid = 0;
    dl_random_seed(&r, 5);
    for (int k = 0; k < 30000; k++) {
        size_t n, which = dl_random_below(&r, len(good));
        unsigned char *bytes = make_bytes(good[which].header, strlen(good[which].header), good[which].payload, &n);
        for (uint64_t i = dl_random_below(&r, 4); i > 0; i--) {
            static const char likely[] = "{}[]\",:0129u\\ \xff";
            bytes[8 + dl_random_below(&r, n - 8)] = (unsigned char)likely[dl_random_below(&r, sizeof likely)];
        }
        unsigned char *exact = memcpy(malloc(n), bytes, n);
        free(bytes);
        if (dl_safetensors_parse(&f, exact, n)) {
            size_t total = 0;
            for (int i = 0; i < f.n; i++)
                total += f.list[i].size;
            cr_assert(le(sz, total, n));
            valid++;
        } else {
            one_line();
        }
        dl_safetensors_free(&f);
        free(exact);
    }
    cr_assert(gt(int, valid, 1000));
}

Test(safetensors, what_cannot_be_read_is_refused)
{
    struct dl_safetensors f;
    cr_assert(not(dl_safetensors_read(&f, path)));
    cr_assert(contains("No such file"));
    cr_assert(not(dl_safetensors_read(&f, folder)));
    cr_assert(contains("not a regular file"));
    cr_assert(not(dl_safetensors_read(&f, "/dev/zero")));
    cr_assert(contains("/dev/zero: it is not a regular file"));
    cr_assert(mkfifo(path, 0600) == 0);
    cr_assert(not(dl_safetensors_read(&f, path)));
    cr_assert(contains("not a regular file"));
    unlink(path);
    write_bytes(path, "", 0);
    cr_assert(not(dl_safetensors_read(&f, path)));
    cr_assert(contains("shorter than eight"));
    fails_with(dl_safetensors_read(&f, NULL), "dl_safetensors_read", "NULL");
}

Test(safetensors, every_call_of_the_system_that_reads_fails_once)
{
    struct dl_safetensors f;
    write_small();
    int before = descriptors();
    for (long k = 1; k <= 4; k++) {
        static const char *const name[] = {"open", "fstat", "read", "close"};
        calls = 0;
        fail_with = EIO;
        fail_at = k;
        bool good = dl_safetensors_read(&f, path);
        fail_at = -1;
        cr_assert(strcmp(failed_call, name[k - 1]) == 0);
        cr_assert(good == (k == 4));
        if (good)
            dl_safetensors_free(&f);
        cr_assert(eq(int, descriptors(), before));
    }
}

#ifndef __SANITIZE_ADDRESS__
Test(safetensors, every_request_for_memory_fails_once_and_is_reported)
{
    struct dl_safetensors f;
    int before = descriptors(), refused = 0;
    write_small();
    for (bool done = false; !done; refused += !done) {
        requests = 0;
        refuse_at = refused + 1;
        count_bytes = true;
        bool good = dl_safetensors_read(&f, path);
        count_bytes = false;
        done = requests < refuse_at;
        cr_assert(good == done, "request %d of %d", refuse_at, requests);
        if (!good)
            cr_assert(contains("no memory for its"), "%s", dl_error_text());
        dl_safetensors_free(&f);
        cr_assert(eq(int, descriptors(), before));
    }
    refuse_at = 0;
    cr_assert(ge(int, refused, under_valgrind() ? 0 : 8), "only %d requests", refused);
}
#endif

/* Each call of the system fails once while a checkpoint is saved over another: one of the two is there, whole. */
Test(safetensors, every_call_of_the_system_that_saves_fails_once)
{
    static const int reasons[] = {EIO, ENOSPC, EDQUOT, EROFS, EACCES};
    int failures = 0, before = descriptors();
    for (size_t i = 0; i < len(reasons); i++) {
        bool done = false;
        for (long k = 1; !done && k < 100; k++) {
            struct dl_safetensors f;
            write_small();
            struct dl_entry e = {"x", DL_U8, 1, {4000}, 4000, noise};
            calls = 0;
            fail_with = reasons[i];
            failed_call = NULL;
            fail_at = k;
            bool good = dl_safetensors_write(path, 1, &e, 0, NULL);
            fail_at = -1;
            done = failed_call == NULL;
            if (!good)
                one_line();
            failures += !good;
            cr_assert(good || !done, "%s", dl_error_text());
            cr_assert(dl_safetensors_read(&f, path) && f.has_crc, "after %s: %s", failed_call, dl_error_text());
            cr_assert(good ? f.n == 1 : f.n == 1 || f.n == 7);
            if (!good && failed_call[0] != 'f' && strcmp(failed_call, "open") != 0)
                cr_assert(eq(int, f.n, 7), "after %s", failed_call);
            dl_safetensors_free(&f);
            cr_assert(eq(int, descriptors(), before));
        }
        cr_assert(done);
    }
    cr_assert(ge(int, failures, 6 * (int)len(reasons)), "%d", failures);
}

/* The disk becomes full at 20 places of a checkpoint. */
Test(safetensors, a_disk_that_is_full_leaves_the_old_checkpoint)
{
    write_small();
    size_t n;
    char *bytes = read_bytes(path, &n);
    for (int i = 0; i < 20; i++) {
        struct rlimit limit = {(rlim_t)(i * (int)n / 20), RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
        struct dl_entry e = {"x", DL_U8, 1, {4000}, 4000, noise};
        setrlimit(RLIMIT_FSIZE, &limit);
        bool good = dl_safetensors_write(path, 1, &e, 0, NULL);
        setrlimit(RLIMIT_FSIZE, &none);
        cr_assert(not(good));
        cr_assert(contains("File too large"), "%s", dl_error_text());
        size_t m;
        char *now = read_bytes(path, &m);
        cr_assert(m == n && memcmp(now, bytes, n) == 0);
        free(now);
        cr_assert(eq(int, files(), 1));
    }
    free(bytes);
}

Test(safetensors, the_writer_refuses_what_the_reader_would_refuse)
{
    struct dl_entry twice[] = {{"a", DL_U8, 1, {1}, 1, "x"}, {"a", DL_U8, 1, {1}, 1, "x"}};
    struct dl_note same[] = {{"k", "v"}, {"k", "w"}}, ours = {"dlfs.crc32", "12345678"}, latin = {"k", "\xe9"};
    write_small();
    fails_with(dl_safetensors_write(path, 2, twice, 0, NULL), "dl_safetensors_write", "'a' occurs twice");
    fails_with(dl_safetensors_write(path, 0, NULL, 2, same), "'k' occurs twice");
    fails_with(dl_safetensors_write(path, 0, NULL, 1, &ours), "dlfs.crc32", "twice");
    fails_with(dl_safetensors_write(path, 0, NULL, 1, &latin), "not UTF-8");
    twice[1] = (struct dl_entry){"b", DL_F32, 1, {1}, 1, "x"};
    fails_with(dl_safetensors_write(path, 2, twice, 0, NULL), "'b' should have 4 bytes");
    twice[1] = (struct dl_entry){"\xff", DL_U8, 1, {1}, 1, "x"};
    fails_with(dl_safetensors_write(path, 2, twice, 0, NULL), "not UTF-8");
    twice[1] = (struct dl_entry){"__metadata__", DL_U8, 1, {1}, 1, "x"};
    fails_with(dl_safetensors_write(path, 2, twice, 0, NULL), "a second time");
    fails_with(dl_safetensors_write(NULL, 0, NULL, 0, NULL), "NULL");
    struct dl_safetensors f;
    cr_assert(dl_safetensors_read(&f, path), "the old file is as it was");
    dl_safetensors_free(&f);
    cr_assert(eq(int, files(), 1));
}

/* ---- Killed while saving ---------------------------------------------------------------------------------------- */

enum { LARGE = 50000 };

static void save_for_ever(int k)
{
    static float x[LARGE];
    for (;; k++) {
        for (int i = 0; i < LARGE; i++)
            x[i] = (float)k;
        struct dl_entry e = {"x", DL_F32, 1, {LARGE}, sizeof x, x};
        if (!dl_safetensors_write(path, 1, &e, 0, NULL))
            _exit(1);
    }
}

Test(safetensors, killed_at_200_moments_while_saving_a_valid_file_is_there)
{
    float last = 0;
    int status, changes = 0;
    dl_random_seed(&r, (uint64_t)time(NULL));
    static float zero[LARGE];
    struct dl_entry e = {"x", DL_F32, 1, {LARGE}, sizeof zero, zero};
    cr_assert(dl_safetensors_write(path, 1, &e, 0, NULL));
    for (int k = 0; k < 200; k++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            save_for_ever(1 + 1000 * k);
        usleep((unsigned)dl_random_below(&r, 12000));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        bool killed = WIFSIGNALED(status);
        cr_assert(killed, "the %dth save failed", k);
        struct dl_safetensors f;
        cr_assert(dl_safetensors_read(&f, path), "%s", dl_error_text());
        cr_assert(f.has_crc && f.n == 1 && f.list[0].size == sizeof zero);
        const float *x = f.list[0].data;
        float first, end;
        memcpy(&first, x, 4), memcpy(&end, x + LARGE - 1, 4);
        cr_assert(first == end);
        changes += first != last;
        last = first;
        dl_safetensors_free(&f);
        cr_assert(le(int, files(), 2), "the temporary file at most");
    }
    cr_assert(ge(int, changes, 10), "only %d saves were finished", changes);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static struct dl_params make_params(dl_real scale)
{
    struct dl_params p = {0};
    dl_tensor *w = dl_param(&p, "fc1.weight", DL_SHAPE(3, 4)), *b = dl_param(&p, "fc1.bias", DL_SHAPE(3)),
        *s = dl_param(&p, "scale", DL_SHAPE());
    for (int i = 0; i < 12; i++)
        dl_data(w)[i] = scale * (dl_real)(i - 5) / 3;
    for (int i = 0; i < 3; i++)
        dl_data(b)[i] = scale * (dl_real)i;
    dl_data(s)[0] = scale;
    return p;
}

static bool same_params(const struct dl_params *p, const struct dl_params *q)
{
    for (int i = 0; i < p->n; i++)
        if (memcmp(dl_data(p->list[i].tensor), dl_data(q->list[i].tensor), p->list[i].tensor->size * sizeof(dl_real)))
            return false;
    return p->n == q->n;
}

Test(params, go_out_and_come_back_to_the_bit)
{
    struct dl_params p = make_params(1), q = make_params(2);
    dl_data(p.list[0].tensor)[1] = -0.0;
    uint32_t signalling = 0x7fa12345;
    if (sizeof(dl_real) == 4)
        memcpy(dl_data(p.list[0].tensor) + 2, &signalling, 4);
    cr_assert(dl_params_save(&p, path), "%s", dl_error_text());
    uint64_t version = q.list[0].tensor->storage->version;
    cr_assert(dl_params_load(&q, path), "%s", dl_error_text());
    cr_assert(same_params(&p, &q));
    cr_assert(q.list[0].tensor->storage->version > version, "nobody was told");
    dl_params_free(&p), dl_params_free(&q);
}

static void refused(const struct dl_entry *list, int n, const char *why)
{
    struct dl_params p = make_params(1), q = make_params(1);
    cr_assert(dl_safetensors_write(path, n, list, 0, NULL), "%s", dl_error_text());
    cr_assert(not(dl_params_load(&p, path)));
    cr_assert(contains(why), "%s", dl_error_text());
    cr_assert(same_params(&p, &q), "something was changed");
    dl_params_free(&p), dl_params_free(&q);
}

Test(params, a_file_that_does_not_fit_is_refused_and_nothing_is_changed)
{
    static const float x[16] = {9};
    struct dl_entry list[] = {{"fc1.weight", DL_F32, 2, {3, 4}, 48, x}, {"fc1.bias", DL_F32, 1, {3}, 12, x},
                              {"scale", DL_F32, 0, {0}, 4, x}, {"more", DL_F32, 0, {0}, 4, x}};
    refused(list, 2, "it has no 'scale'");
    refused(list, 4, "it has 4 tensors, and we have 3");
    list[2].type = DL_I32;
    refused(list, 3, "'scale' is of type I32");
    list[2] = (struct dl_entry){"scale", DL_F32, 1, {1}, 4, x};
    refused(list, 3, "'scale' does not have the shape []");
    list[2] = (struct dl_entry){"scale", DL_F32, 0, {0}, 4, x};
    list[0].dim[0] = 4, list[0].dim[1] = 3;
    refused(list, 3, "'fc1.weight' does not have the shape [3, 4]");
    list[0] = (struct dl_entry){"fc2.weight", DL_F32, 2, {3, 4}, 48, x};
    refused(list, 3, "it has no 'fc1.weight'");
}

Test(params, what_begins_with_train_is_passed_over_and_numbers_are_converted)
{
    double w[12];
    uint16_t b[3] = {0x3c00, 0xc100, 0x0001}, s[1] = {0xc049};
    for (int i = 0; i < 12; i++)
        w[i] = 1.0 / (i + 1);
    struct dl_entry list[] = {{"fc1.weight", DL_F64, 2, {3, 4}, 96, w}, {"fc1.bias", DL_F16, 1, {3}, 6, b},
                              {"scale", DL_BF16, 0, {0}, 2, s}, {"train/log", DL_U8, 1, {3}, 3, "abc"}};
    struct dl_params p = make_params(7);
    cr_assert(dl_safetensors_write(path, 4, list, 0, NULL));
    cr_assert(dl_params_load(&p, path), "%s", dl_error_text());
    for (int i = 0; i < 12; i++)
        cr_assert(dl_data(p.list[0].tensor)[i] == (dl_real)w[i]);
    const dl_real *half = dl_data(p.list[1].tensor);
    cr_assert(half[0] == 1 && half[1] == -2.5 && half[2] == (dl_real)0x1p-24);
    cr_assert(dl_item(p.list[2].tensor) == (dl_real)-3.140625);
    dl_params_free(&p);
}

Test(params, every_half_precision_number_is_what_the_standard_says)
{
    static uint16_t h[65536];
    for (int i = 0; i < 65536; i++)
        h[i] = (uint16_t)i;
    struct dl_entry e = {"h", DL_F16, 1, {65536}, sizeof h, h};
    dl_tensor *t = dl_empty(DL_SHAPE(65536));
    cr_assert(dl_entry_copy(&e, t));
    for (int i = 0; i < 65536; i++) {
        int exponent = (i & 0x7fff) / 1024, fraction = i % 1024;
        double x = exponent == 0 ? ldexp(fraction, -24) : ldexp(1 + fraction / 1024.0, exponent - 15);
        x = i < 32768 ? x : -x;
        dl_real got = dl_data(t)[i];
        if (exponent == 31)
            cr_assert(fraction == 0 ? isinf(got) && (got < 0) == (i >= 32768) : isnan(got), "%04x", i);
        else
            cr_assert(got == (dl_real)x && !!signbit(got) == (i >= 32768), "%04x: %g", i, (double)got);
    }
    dl_tensor_free(t);
}
