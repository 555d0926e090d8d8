/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to the manager on its notification socket (sd_notify(3)), the descriptor store
 * included. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/addr.h"
#include "os/systemd.h"

#define RETRY_MS 5

/* What may go away by itself: the manager's queue is full, the machine has run out of something, or
 * too many descriptors are on their way (ETOOMANYREFS, unix(7)). */
static bool is_passing(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EMFILE ||
           error == ENFILE || error == ETOOMANYREFS;
}

/* The manager's address: its length, 0 when there is none, or a negative errno. */
static int find_manager(struct sockaddr_storage *to)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct addr manager = {.family = AF_UNIX, .un.path = path};
    socklen_t length;

    if (!path)
        return 0;
    length = path[0] == '/' || path[0] == '@' ? addr_to_sockaddr(&manager, to) : 0;
    return length > 0 ? (int)length : -EINVAL;
}

/* As wide as SYSTEMD_STORE_BATCH descriptors, and aligned as cmsg(3) wants it. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * SYSTEMD_STORE_BATCH)];
};

static void add_descriptors(struct msghdr *message, union control *control, const int *fds,
                            size_t count)
{
    struct cmsghdr *header;

    memset(control, 0, sizeof(*control));
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
}

/* Not sd_notify(3): it sends on a blocking socket, and a manager that has stopped to read would
 * stop us too. */
static int tell(const char *text, const int *fds, size_t count)
{
    struct sockaddr_storage to;
    struct iovec line = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_name = &to, .msg_iov = &line, .msg_iovlen = 1};
    union control control;
    int length = find_manager(&to), fd, error = 0;

    if (length <= 0)
        return length;
    message.msg_namelen = (socklen_t)length;
    if (count > 0)
        add_descriptors(&message, &control, fds, count);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return is_passing(errno) ? -EAGAIN : -errno;
    if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
        error = is_passing(errno) ? -EAGAIN : -errno;
    close(fd);
    return error;
}

int systemd_notify(const char *state)
{
    return tell(state, NULL, 0);
}

/* --- the descriptor store -------------------------------------------------------------------- */

/* With the name that the descriptors have in the store: one that can't be, the manager would
 * replace by "stored". */
static int tell_of(const char *what, const char *name, const int *fds, size_t count)
{
    char text[320];
    size_t length = strlen(name);

    if (length == 0 || length > 255)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
            return -EINVAL;
    }
    snprintf(text, sizeof(text), "%s\nFDNAME=%s", what, name);
    return tell(text, fds, count);
}

int systemd_store(const char *name, const int *fds, size_t count)
{
    if (count == 0)
        return 0;
    if (count > SYSTEMD_STORE_BATCH)
        return -EINVAL;
    return tell_of("FDSTORE=1\nFDPOLL=0", name, fds, count);
}

int systemd_store_remove(const char *name)
{
    return tell_of("FDSTOREREMOVE=1", name, NULL, 0);
}

void systemd_store_remove_now(const char *name)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

    for (int left_ms = 1000; systemd_store_remove(name) == -EAGAIN && left_ms > 0;
         left_ms -= RETRY_MS)
        nanosleep(&pause, NULL);
}

/* --- the barrier ----------------------------------------------------------------------------- */

/* Until the manager has room for it. */
static int send_barrier(int fd, int64_t deadline)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    int error = tell("BARRIER=1", &fd, 1);

    while (error == -EAGAIN && clock_monotonic_ms() < deadline) {
        nanosleep(&pause, NULL);
        error = tell("BARRIER=1", &fd, 1);
    }
    return error == -EAGAIN ? -ETIMEDOUT : error;
}

/* Until nobody holds the other end any more. */
static int await_hangup(int fd, int64_t deadline)
{
    struct pollfd p = {.fd = fd};
    int64_t left;
    int n;

    do {
        left = deadline - clock_monotonic_ms();
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n > 0 ? 0 : -ETIMEDOUT;
}

/* Not sd_notify_barrier(3), for the reason above. Messages are read in the order in which they were
 * sent; the manager closes this one's descriptor. */
bool systemd_is_there(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

int systemd_barrier(int timeout_ms)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    int ends[2], error;

    if (!systemd_is_there())
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    error = send_barrier(ends[1], deadline);
    close(ends[1]);
    if (error == 0)
        error = await_hangup(ends[0], deadline);
    close(ends[0]);
    return error;
}
