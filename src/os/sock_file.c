/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/sock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A lock is held for a few system calls: whoever holds it for this long has stopped. */
#define LOCK_ATTEMPTS 300
#define LOCK_PAUSE_NS 10000000L

/* --- the lock -------------------------------------------------------------------------------- */

struct lock {
    int fd;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(".lock")];
};

/* Is it still the file that everybody else would lock? */
static bool is_current(const struct lock *lock)
{
    struct stat ours, there;

    return fstat(lock->fd, &ours) == 0 && lstat(lock->path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int lock_once(struct lock *lock)
{
    int result;

    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock->fd < 0)
        return -errno;
    if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0)
        result = errno == EWOULDBLOCK ? -EBUSY : -errno;
    else
        result = is_current(lock) ? 0 : -EBUSY; /* the one before us has removed it */
    if (result)
        close(lock->fd);
    return result;
}

static int lock_take(struct lock *lock, const char *path)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int result;

    if ((size_t)snprintf(lock->path, sizeof(lock->path), "%s.lock", path) >= sizeof(lock->path))
        return -ENAMETOOLONG;
    result = lock_once(lock);
    for (int i = 1; result == -EBUSY && i < LOCK_ATTEMPTS; i++) {
        nanosleep(&pause, NULL);
        result = lock_once(lock);
    }
    return result;
}

/* Only an empty file can be one that we have made. It goes while it is locked: who waits for it
 * finds that it is not current any more. */
static void lock_drop(struct lock *lock)
{
    struct stat st;

    if (fstat(lock->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        unlink(lock->path);
    close(lock->fd);
}

/* --- the socket's file ----------------------------------------------------------------------- */

/* Does anybody listen on the socket file? Only a refusal proves that nobody does (unix(7)). */
static bool is_stale(const struct sockaddr_storage *ss, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool stale;

    if (fd < 0)
        return false;
    stale = connect(fd, (const struct sockaddr *)ss, len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

/* On Linux the file gets the mode of the socket's own inode, less the umask. */
static int bind_mode(int fd, const struct sockaddr_storage *ss, socklen_t len, mode_t mode)
{
    mode_t old;
    int result;

    if (fchmod(fd, mode) < 0)
        return -errno;
    old = umask(0);
    result = bind(fd, (const struct sockaddr *)ss, len) < 0 ? -errno : 0;
    umask(old);
    return result;
}

static int bind_replacing(int fd, const struct sockaddr_storage *ss, socklen_t len,
                          const char *path, mode_t mode)
{
    int result = bind_mode(fd, ss, len, mode);
    struct stat st;

    if (result != -EADDRINUSE || lstat(path, &st) < 0)
        return result;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if (!is_stale(ss, len) || unlink(path) < 0)
        return result;
    return bind_mode(fd, ss, len, mode);
}

/* Is the open file one that may be changed? */
typedef bool is_ours_fn(const struct stat *st, const void *arg);

/* Whoever owns the directory may have put something else at the path: nothing but a socket of ours
 * is touched, through a descriptor of the file itself (O_PATH, open(2)). */
static int give_away(const char *path, is_ours_fn *is_ours, const void *arg,
                     const struct sock_file *file)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), result = 0;
    char self[32];
    struct stat st;

    if (fd < 0)
        return -errno;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) < 0)
        result = -errno;
    else if (!S_ISSOCK(st.st_mode) || !is_ours(&st, arg))
        result = -EEXIST;
    else if (fchownat(fd, "", file->owner, file->group, AT_EMPTY_PATH) < 0 ||
             chmod(self, file->mode) < 0)
        result = -errno;
    close(fd);
    return result;
}

static bool is_made_by_us(const struct stat *st, const void *arg)
{
    (void)arg;
    return st->st_uid == geteuid();
}

static bool is_that_file(const struct stat *st, const void *arg)
{
    const struct sock_file_id *id = arg;

    return st->st_dev == id->dev && st->st_ino == id->ino;
}

bool sock_file_is_stale(const struct addr *a)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);

    return len > 0 && is_stale(&ss, len);
}

void sock_file_id_print(const struct sock_file_id *id, char out[SOCK_FILE_ID_TEXT])
{
    snprintf(out, SOCK_FILE_ID_TEXT, "@%" PRIx64 ".%" PRIx64, (uint64_t)id->dev, (uint64_t)id->ino);
}

bool sock_file_id_parse(const char *text, struct sock_file_id *out)
{
    const char *at = strrchr(text, '@');
    uint64_t dev, ino;
    int length = 0;

    if (!at || sscanf(at, "@%16" SCNx64 ".%16" SCNx64 "%n", &dev, &ino, &length) != 2 ||
        at[length] || ino == 0)
        return false;
    *out = (struct sock_file_id){(dev_t)dev, (ino_t)ino};
    return true;
}

bool sock_file_is_at(const char *path, const struct sock_file_id *id)
{
    struct stat st;

    return lstat(path, &st) == 0 && is_that_file(&st, id);
}

int sock_file_change(const char *path, const struct sock_file_id *id, const struct sock_file *file)
{
    return give_away(path, is_that_file, id, file);
}

int sock_file_listen(int fd, const struct addr *a, int backlog, const struct sock_file *file)
{
    bool to_another = file->owner != (uid_t)-1 || file->group != (gid_t)-1;
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    struct lock lock;
    int result;

    if (len == 0)
        return -EINVAL;
    result = lock_take(&lock, a->un.path);
    if (result)
        return result;
    /* What the final owner's group may do is not for the first one's: nobody may, until then. */
    result = bind_replacing(fd, &ss, len, a->un.path, to_another ? 0 : file->mode);
    if (result == 0) {
        if (to_another)
            result = give_away(a->un.path, is_made_by_us, NULL, file);
        if (result == 0 && listen(fd, backlog) < 0)
            result = -errno;
        if (result)
            unlink(a->un.path);
    }
    lock_drop(&lock);
    return result;
}
