/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/memfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* MFD_NOEXEC_SEAL of Linux 6.3, which older headers lack: where vm.memfd_noexec is 2, nothing goes
 * without it. */
#define NOEXEC 0x0008U

static int create(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | NOEXEC);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

int memfile_new(const char *name, const void *bytes, size_t size)
{
    int fd = create(name), error;

    if (fd < 0)
        return fd;
    error = write_all(fd, bytes, size);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(fd, bytes + at, size - at, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO; /* it was cut meanwhile */
        at += (size_t)n;
    }
    return 0;
}

int memfile_read(int fd, size_t most, uint8_t **bytes, size_t *size)
{
    struct stat st;
    uint8_t *copy;
    int error;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uintmax_t)st.st_size > most)
        return -EFBIG;
    copy = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (!copy)
        return -ENOMEM;
    error = read_all(fd, copy, (size_t)st.st_size);
    if (error) {
        free(copy);
        return error;
    }
    *bytes = copy;
    *size = (size_t)st.st_size;
    return 0;
}

int memfile_shared(const char *name, size_t size, void **map)
{
    int fd = create(name), error;

    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) == 0) {
        *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (*map != MAP_FAILED)
            return fd;
    }
    error = -errno;
    close(fd);
    return error;
}

void memfile_unmap(void *map, size_t size)
{
    munmap(map, size);
}

void memfile_spoil(int fd)
{
    while (ftruncate(fd, 0) < 0 && errno == EINTR)
        ;
}

bool memfile_is_spoilt(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size == 0;
}
