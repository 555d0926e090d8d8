/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/conf_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/files.h"
#include "ctl/ctl.h"
#include "ctl/must.h"

#define BETWEEN_MS 20

/* --- the directory --------------------------------------------------------------------------- */

/* Others may hold it for as long as a reload takes. */
static int lock(int fd, int64_t ms)
{
    int64_t end = clock_monotonic_ms() + ms;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_monotonic_ms() >= end)
            return -EBUSY;
        ctl_rest(BETWEEN_MS);
    }
    return 0;
}

/* Another who has made it may have taken it away just before we have locked it. */
static bool is_there(const struct conf_dir *d)
{
    struct stat st;

    return fstat(d->fd, &st) == 0 && st.st_nlink > 0;
}

/* What is there can't be opened for want of it: it has gone meanwhile, or it leads nowhere. */
static bool is_dangling(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && stat(path, &st) != 0 && errno == ENOENT;
}

int conf_dir_open(struct conf_dir *d, const char *config, int64_t ms)
{
    char *beside = must(files_directory(config));
    int error = 0;

    *d = (struct conf_dir){.fd = -1};
    d->path = must_print("%s/conf.d", beside);
    free(beside);
    for (bool again = true; again && error == 0;) {
        d->made = mkdir(d->path, 0755) == 0;
        if (!d->made && errno != EEXIST)
            return -errno;
        d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->fd < 0 && errno != ENOENT)
            return -errno;
        if (d->fd < 0 && is_dangling(d->path))
            return -ENOLINK;
        if (d->made && d->fd >= 0 && fchmod(d->fd, 0755) != 0) /* whatever our umask is */
            return -errno;
        error = d->fd >= 0 ? lock(d->fd, ms) : 0;
        again = error == 0 && !(d->fd >= 0 && is_there(d));
        if (again && d->fd >= 0) {
            close(d->fd);
            d->fd = -1;
        }
    }
    return error;
}

void conf_dir_close(struct conf_dir *d)
{
    if (d->made)
        rmdir(d->path); /* which fails when there is something in it */
    if (d->fd >= 0)
        close(d->fd);
    free(d->path);
    *d = (struct conf_dir){.fd = -1};
}

char *conf_dir_path(const struct conf_dir *d, const char *name)
{
    return must_print("%s/%s", d->path, name);
}

bool conf_dir_has(const struct conf_dir *d, const char *name)
{
    struct stat st;

    return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Not every file system can do the first. */
static int rename_to_new(int fd, const char *from, const char *to)
{
    if (renameat2(fd, from, fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(fd, from, fd, to, 0) != 0)
        return -errno;
    return unlinkat(fd, from, 0) == 0 ? 0 : -errno;
}

/* A file system that has nothing to write out says EINVAL: fsync(2). */
static int settle(const struct conf_dir *d)
{
    return fsync(d->fd) == 0 || errno == EINVAL ? 0 : -errno;
}

static char *aside(const char *name, const char *kind)
{
    return must_print(".%s.%s", name, kind);
}

/* Who holds the directory can tell that a file aside is one that was left behind. */
static int make(const struct conf_dir *d, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(d->fd, name, flags, 0644);

    if (fd < 0 && errno == EEXIST && unlinkat(d->fd, name, 0) == 0)
        fd = openat(d->fd, name, flags, 0644);
    return fd >= 0 ? fd : -errno;
}

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

static int fill(struct conf_dir *d, int fd, const char *text)
{
    int error = write_all(fd, text);

    if (error == 0 && (fchmod(fd, 0644) != 0 || fsync(fd) != 0 || fstat(fd, &d->put) != 0))
        error = -errno;
    if (close(fd) != 0 && error == 0)
        error = -errno;
    return error;
}

int conf_dir_put(struct conf_dir *d, const char *name, const char *text)
{
    char *new = aside(name, "new");
    int fd = make(d, new), error = fd < 0 ? fd : fill(d, fd, text);

    if (error == 0)
        error = rename_to_new(d->fd, new, name);
    if (error != 0 && fd >= 0)
        unlinkat(d->fd, new, 0);
    free(new);
    if (error != 0)
        return error;
    error = settle(d);
    if (error != 0)
        conf_dir_unput(d, name);
    return error;
}

int conf_dir_unput(struct conf_dir *d, const char *name)
{
    struct stat st;

    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (st.st_ino != d->put.st_ino || st.st_dev != d->put.st_dev || st.st_size != d->put.st_size ||
        st.st_mtim.tv_sec != d->put.st_mtim.tv_sec || st.st_mtim.tv_nsec != d->put.st_mtim.tv_nsec)
        return -ESTALE;
    if (unlinkat(d->fd, name, 0) != 0)
        return -errno;
    settle(d);
    return 0;
}

int conf_dir_take(struct conf_dir *d, const char *name)
{
    char *old = aside(name, "old");
    int error = renameat(d->fd, name, d->fd, old) == 0 ? 0 : -errno;

    if (error == 0) {
        error = settle(d);
        if (error != 0 && rename_to_new(d->fd, old, name) == 0)
            settle(d);
    }
    free(old);
    return error;
}

int conf_dir_untake(struct conf_dir *d, const char *name)
{
    char *old = aside(name, "old");
    int error = rename_to_new(d->fd, old, name);

    if (error == 0)
        settle(d);
    free(old);
    return error;
}

int conf_dir_forget(struct conf_dir *d, const char *name)
{
    char *old = aside(name, "old");
    int error = unlinkat(d->fd, old, 0) == 0 ? 0 : -errno;

    if (error == 0)
        settle(d);
    free(old);
    return error;
}
