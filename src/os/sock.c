/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/sock.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/sock_file.h"

#define TYPE (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static bool is_ip(const struct addr *a)
{
    return a->family == AF_INET || a->family == AF_INET6;
}

static bool is_file(const struct addr *a)
{
    return a->family == AF_UNIX && a->un.path && a->un.path[0] != '@';
}

int sock_share_port(int fd, bool share)
{
    return set_int(fd, SOL_SOCKET, SO_REUSEPORT, share);
}

int sock_listen(const struct addr *a, int backlog, unsigned how, const struct sock_file *file)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    int fd, result = 0, queue = backlog > 0 ? backlog : INT_MAX;

    if (len == 0)
        return -EINVAL;
    fd = socket(a->family, TYPE, 0);
    if (fd < 0)
        return -errno;
    if (is_ip(a))
        result = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result == 0 && a->family == AF_INET6)
        result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !(how & SOCK_DUAL));
    if (result == 0 && how & SOCK_BESIDE)
        result = sock_share_port(fd, true);
    if (result == 0 && is_file(a))
        result = sock_file_listen(fd, a, queue, file);
    else if (result == 0 &&
             (bind(fd, (const struct sockaddr *)&ss, len) < 0 || listen(fd, queue) < 0))
        result = -errno;
    if (result == 0 && how & SOCK_BESIDE)
        result = sock_share_port(fd, false);
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

void sock_set_stream(int fd, const struct addr *a)
{
    if (!is_ip(a))
        return;
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

void sock_set_keepalive(int fd, const struct addr *a, const struct sock_keepalive *ka)
{
    if (!is_ip(a))
        return;
    if (!ka->on) {
        set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
        return;
    }
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, ka->idle_s);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, ka->interval_s);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, ka->count);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* A UNIX socket that was shut down still counts as listening, but it refuses everybody. */
static bool is_shut(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP);
}

int sock_check_listening(int fd, struct addr *bound)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    int listening, type;
    socklen_t size = sizeof(int);

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -ENOTSOCK;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM || is_shut(fd))
        return -EINVAL;
    addr_from_sockaddr(bound, &ss, len);
    return 0;
}

/* An unnamed UNIX client is known by its process. */
static void fill_credentials(int fd, struct addr *peer)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0) {
        peer->un.peer_pid = (uint32_t)cred.pid;
        peer->un.peer_uid = cred.uid;
    }
}

int sock_accept(int listener, struct addr *peer)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    int fd = accept4(listener, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return -errno;
    addr_from_sockaddr(peer, &ss, len);
    if (peer->family == AF_UNIX)
        fill_credentials(fd, peer);
    return fd;
}

int sock_connect(const struct addr *a, bool *done)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    int fd, error;

    if (len == 0)
        return -EINVAL;
    fd = socket(a->family, TYPE, 0);
    if (fd < 0)
        return -errno;
    sock_set_stream(fd, a);
    *done = connect(fd, (const struct sockaddr *)&ss, len) == 0;
    if (*done)
        return fd;
    /* On loopback the handshake is over before connect(2) returns: asking again spares a wait. */
    if (errno == EINPROGRESS) {
        *done = connect(fd, (const struct sockaddr *)&ss, len) == 0;
        if (*done || errno == EALREADY)
            return fd;
    }
    error = -errno;
    close(fd);
    return error;
}

int sock_connected(int fd)
{
    char byte;

    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == EAGAIN)
        return 0;
    return errno;
}

int sock_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

unsigned sock_unsent(int fd)
{
    int unsent = 0;

    return ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 ? (unsigned)unsent : 0;
}

void sock_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}
