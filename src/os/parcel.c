/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/parcel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 253 /* of one message: SCM_MAX_FD of the kernel, which unix(7) tells */

/* A message is one byte, the number of descriptors that come with it. */
struct message {
    uint8_t count;
    struct iovec line;
    struct msghdr header;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * BATCH)];
    } control;
};

static void prepare(struct message *m)
{
    memset(m, 0, sizeof(*m));
    m->line = (struct iovec){.iov_base = &m->count, .iov_len = 1};
    m->header.msg_iov = &m->line;
    m->header.msg_iovlen = 1;
}

/* --- packing --------------------------------------------------------------------------------- */

static int send_batch(int to, const int *fds, size_t count)
{
    struct cmsghdr *c;
    struct message m;

    prepare(&m);
    m.count = (uint8_t)count;
    m.header.msg_control = &m.control;
    m.header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    c = CMSG_FIRSTHDR(&m.header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    return sendmsg(to, &m.header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Until the queue is full. */
static int send_all(int to, const int *fds, size_t count)
{
    size_t sent = 0;

    while (sent < count) {
        size_t batch = count - sent < BATCH ? count - sent : BATCH;
        int error = send_batch(to, fds + sent, batch);

        if (error == -EAGAIN && sent > 0)
            break;
        if (error)
            return error;
        sent += batch;
    }
    return (int)sent;
}

int parcel_pack(const int *fds, size_t count, int *parcel)
{
    int ends[2], result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    result = send_all(ends[1], fds, count);
    close(ends[1]); /* what is in the queue of the other stays there */
    if (result < 0)
        close(ends[0]);
    else
        *parcel = ends[0];
    return result;
}

/* --- unpacking ------------------------------------------------------------------------------- */

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* The next message's, into a buffer of BATCH: their number, 0 at the end, or a negative errno. */
static int receive_batch(int from, int *fds)
{
    const struct cmsghdr *c;
    struct message m;
    size_t count = 0;
    ssize_t n;

    prepare(&m);
    m.header.msg_control = &m.control;
    m.header.msg_controllen = sizeof(m.control);
    n = recvmsg(from, &m.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n <= 0)
        return n == 0 ? 0 : -EBADMSG;
    c = CMSG_FIRSTHDR(&m.header);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), count * sizeof(int));
    }
    if (count > 0 && count == m.count)
        return (int)count;
    close_all(fds, count);
    return m.header.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
}

int parcel_unpack(int parcel, int *fds, size_t room)
{
    size_t taken = 0;
    int batch[BATCH];
    int count = receive_batch(parcel, batch);

    while (count > 0 && (size_t)count <= room - taken) {
        memcpy(fds + taken, batch, sizeof(int) * (size_t)count);
        taken += (size_t)count;
        count = receive_batch(parcel, batch);
    }
    if (count == 0)
        return (int)taken;
    if (count > 0) {
        close_all(batch, (size_t)count);
        count = -E2BIG;
    }
    close_all(fds, taken);
    return count;
}
