/* replace.c - files that appear when they are complete; locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base.h"
#include "replace.h"

static bool is_still(const char *name, int fd)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && S_ISREG(here.st_mode)
           && lstat(name, &there) == 0 && here.st_ino == there.st_ino
           && here.st_dev == there.st_dev;
}

static int open_alone(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK
                        | O_CLOEXEC, 0666);
    if (fd < 0)
        return dl_error("%s: %s", name, strerror(errno)), -1;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        dl_error("%s: %s", name, strerror(errno));
    else if (!locked || !is_still(name, fd))
        dl_error("%s: another program holds it, or it is not a file", name);
    else
        return fd;
    close(fd);
    return -1;
}

static bool may_be_replaced(const char *path)
{
    struct stat status;
    if (path[0] == '\0')
        return dl_error("the file's name is empty");
    if (lstat(path, &status) != 0)
        return errno == ENOENT || dl_error("%s: %s", path, strerror(errno));
    return S_ISREG(status.st_mode)
           || dl_error("%s: it is not a regular file", path);
}

bool dl_replace_begin(struct dl_replacement *r, const char *path)
{
    dl_check(path != NULL, "the path is NULL");
    int n = snprintf(r->temporary, sizeof r->temporary, "%s.tmp", path);
    if (n >= (int)sizeof r->temporary)
        return dl_error("%.60s...: the name is too long", path);
    strcpy(r->path, path);
    if (!may_be_replaced(path))
        return false;
    if ((r->fd = open_alone(r->temporary)) < 0)
        return false;
    if (ftruncate(r->fd, 0) == 0)
        return true;
    int reason = errno;
    dl_replace_abandon(r);
    return dl_error("%s: %s", path, strerror(reason));
}

bool dl_replace_write(struct dl_replacement *r, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t taken = write(r->fd, from, n);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            return dl_error("%s: %s", r->temporary, strerror(errno));
        from += taken;
        n -= (size_t)taken;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char folder[DL_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1,
                 path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0 || errno == EINVAL;
    int reason = errno;
    close(fd);
    errno = reason;
    return good;
}

bool dl_replace_commit(struct dl_replacement *r)
{
    if (fsync(r->fd) != 0 || rename(r->temporary, r->path) != 0) {
        int reason = errno;
        dl_replace_abandon(r);
        return dl_error("%s: %s", r->path, strerror(reason));
    }
    bool good = sync_folder(r->path);
    int reason = errno;
    close(r->fd);
    return good || dl_error("%s: its folder: %s", r->path,
                            strerror(reason));
}

void dl_replace_abandon(struct dl_replacement *r)
{
    unlink(r->temporary);
    close(r->fd);
}

int dl_lock(const char *path)
{
    char name[DL_PATH_MAX];
    dl_check(path != NULL, "the path is NULL");
    int n = snprintf(name, sizeof name, "%s.lock", path);
    if (n >= (int)sizeof name)
        return dl_error("%.60s...: the name is too long", path), -1;
    return may_be_replaced(path) ? open_alone(name) : -1;
}

void dl_unlock(int lock)
{
    close(lock);
}
