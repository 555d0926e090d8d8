/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void fds_open_standard(int mode)
{
    int fd;

    do
        fd = open("/dev/null", mode);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static uint64_t raise_limit(void)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
        return FOPEN_MAX;
    rl.rlim_cur = rl.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
        getrlimit(RLIMIT_NOFILE, &rl);
    return rl.rlim_cur;
}

void fds_raise_limit(void)
{
    raise_limit();
}

/* Without /proc: the standard three. */
static unsigned count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    if (!dir)
        return 3;
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the directory's own */
}

uint64_t fds_available(void)
{
    uint64_t limit = raise_limit();
    uint64_t taken = (uint64_t)count_open() + FDS_RESERVE;

    return limit > taken ? limit - taken : 0;
}

int fds_list(int **out)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0, room = 0;

    *out = NULL;
    if (!dir)
        return -errno;
    while ((entry = readdir(dir))) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.' || fd == dirfd(dir))
            continue;
        if (count == room) {
            int *grown = realloc(*out, (size_t)(room + 64) * sizeof(**out));

            if (!grown) {
                free(*out);
                *out = NULL;
                count = -ENOMEM;
                break;
            }
            *out = grown;
            room += 64;
        }
        (*out)[count++] = fd;
    }
    closedir(dir);
    return count;
}

void fds_budget(struct fds *fds, uint64_t room)
{
    atomic_init(&fds->booked, 0);
    atomic_init(&fds->spare, 0);
    fds->room = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    fds->most = fds->room;
    fds->pipes = fds->room / 8;
}

bool fds_book(struct fds *fds, unsigned count)
{
    unsigned booked = atomic_load_explicit(&fds->booked, memory_order_relaxed);

    do {
        if (count > fds->room || booked > fds->room - count)
            return false;
    } while (!atomic_compare_exchange_weak(&fds->booked, &booked, booked + count));
    return true;
}

void fds_release(struct fds *fds, unsigned count)
{
    atomic_fetch_sub(&fds->booked, count);
}

void fds_promise(struct fds *fds, uint64_t promised)
{
    unsigned rest, pipes = fds->room / 4;

    if (promised > fds->room) {
        fds->most = fds->pipes = fds->room / 8;
        return;
    }
    rest = fds->room - (unsigned)promised;
    if (rest / 4 * 3 < pipes)
        pipes = rest / 4 * 3;
    fds->most = rest - pipes;
    fds->pipes = pipes / 2;
}

bool fds_book_spare(struct fds *fds)
{
    if (atomic_fetch_add(&fds->spare, 1) < fds->most && fds_book(fds, 1))
        return true;
    atomic_fetch_sub(&fds->spare, 1);
    return false;
}

void fds_release_spare(struct fds *fds)
{
    fds_release(fds, 1);
    atomic_fetch_sub(&fds->spare, 1);
}
