/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/log_datagram.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const struct log_datagram *d)
{
    return connect(d->fd, (const struct sockaddr *)&d->to, sizeof(d->to));
}

int log_datagram_open(struct log_datagram *d, const char *path)
{
    int err;

    d->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((size_t)snprintf(d->to.sun_path, sizeof(d->to.sun_path), "%s", path) >=
        sizeof(d->to.sun_path))
        return -ENAMETOOLONG;
    d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0)
        return -errno;
    if (connect_to(d) < 0) {
        err = -errno;
        close(d->fd);
        return err;
    }
    return 0;
}

int log_datagram_send(struct log_datagram *d, const char *bytes, size_t length)
{
    if (send(d->fd, bytes, length, MSG_NOSIGNAL) >= 0)
        return 0;
    /* ECONNREFUSED and ENOTCONN: the socket we were connected to is gone. */
    if ((errno == ECONNREFUSED || errno == ENOTCONN) && connect_to(d) == 0 &&
        send(d->fd, bytes, length, MSG_NOSIGNAL) >= 0)
        return 0;
    return -EAGAIN;
}

void log_datagram_close(struct log_datagram *d)
{
    close(d->fd);
}
