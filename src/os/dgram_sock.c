/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagram sockets: made, checked and set. */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/dgram.h"
#include "os/dgram_kernel.h"
#include "os/sock.h"

#define TYPE (SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* Bytes that may wait in either direction: some tens of the largest packets. */
#define BUFFER (4 * 1024 * 1024)

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The system's default is room for three runs of the largest size. The kernel gives what it may
 * (net.core.rmem_max, wmem_max), which may be less than the default. */
static void enlarge(int fd, int option)
{
    int size;
    socklen_t len = sizeof(size);

    if (getsockopt(fd, SOL_SOCKET, option, &size, &len) == 0 && size < BUFFER)
        set_int(fd, SOL_SOCKET, option, BUFFER);
}

static void enlarge_buffers(int fd)
{
    enlarge(fd, SO_RCVBUF);
    enlarge(fd, SO_SNDBUF);
}

void dgram_set(int fd, const struct addr *bound, unsigned how)
{
    bool is_ipv6 = bound->family == AF_INET6;

    /* Those of IPv4 are for an IPv6 socket, too: it may take both. */
    set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (is_ipv6)
        set_int(fd, IPPROTO_IPV6, DGRAM_IPV6_MULTICAST_ALL, 0);
    if (how & DGRAM_PATHS)
        set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    if (how & DGRAM_PATHS && is_ipv6)
        set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (how & DGRAM_TTL)
        set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
    if (how & DGRAM_TTL && is_ipv6)
        set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    if (how & DGRAM_BROADCAST)
        set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (how & DGRAM_RUNS)
        dgram_receive_runs(fd);
}

void dgram_receive_runs(int fd)
{
    set_int(fd, IPPROTO_UDP, DGRAM_UDP_GRO, 1);
    dgram_receive_many(fd);
}

void dgram_receive_many(int fd)
{
    enlarge(fd, SO_RCVBUF);
}

bool dgram_hears_runs(int fd)
{
    int on;
    socklen_t len = sizeof(on);

    return getsockopt(fd, IPPROTO_UDP, DGRAM_UDP_GRO, &on, &len) == 0 && on != 0;
}

bool dgram_sends_runs(int fd)
{
    int size;
    socklen_t len = sizeof(size);

    return getsockopt(fd, IPPROTO_UDP, DGRAM_UDP_SEGMENT, &size, &len) == 0;
}

/* The index of lo in every network namespace. */
#define LOOPBACK 1

static bool needs_zone(const struct addr *a)
{
    return a->family == AF_INET6 && a->scope == 0 &&
           (IN6_IS_ADDR_MC_LINKLOCAL(&a->v6) || IN6_IS_ADDR_MC_NODELOCAL(&a->v6));
}

/* A group of a link can't be bound to but in one zone, and then the socket hears there alone. Linux
 * lets it forget the zone, and keep the group, when it is told to be connected no more. (Bound to
 * the wildcard instead it would take from others on this machine what is sent to a host.) */
static int bind_to(int fd, const struct addr *a)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    bool has_to_forget = needs_zone(a);
    struct addr address = *a;
    struct sockaddr_storage ss;
    socklen_t len;

    if (has_to_forget)
        address.scope = LOOPBACK;
    len = addr_to_sockaddr(&address, &ss);
    if (bind(fd, (const struct sockaddr *)&ss, len) < 0)
        return -errno;
    if (has_to_forget && connect(fd, &nobody, sizeof(nobody)) < 0)
        return -errno;
    return 0;
}

int dgram_open(const struct addr *a, unsigned how)
{
    int fd, result = 0;

    if (a->family != AF_INET && a->family != AF_INET6)
        return -EINVAL;
    fd = socket(a->family, TYPE, 0);
    if (fd < 0)
        return -errno;
    /* Before it is bound: from then on it hears. */
    dgram_set(fd, a, how);
    enlarge_buffers(fd);
    if (a->family == AF_INET6)
        result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !(how & DGRAM_DUAL));
    if (result == 0 && how & DGRAM_SHARED)
        result = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result == 0 && how & DGRAM_BESIDE)
        result = sock_share_port(fd, true);
    if (result == 0)
        result = bind_to(fd, a);
    if (result == 0 && how & DGRAM_BESIDE)
        result = sock_share_port(fd, false);
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

/* A name is needed to be answered; the kernel chooses it (autobind, unix(7)). */
static int bind_unix(int fd)
{
    struct sockaddr unnamed = {.sa_family = AF_UNIX};

    return bind(fd, &unnamed, sizeof(unnamed.sa_family)) < 0 ? -errno : 0;
}

int dgram_connect(const struct addr *a)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    int fd, result = 0;

    if (len == 0)
        return -EINVAL;
    fd = socket(a->family, TYPE, 0);
    if (fd < 0)
        return -errno;
    if (a->family == AF_UNIX)
        result = bind_unix(fd);
    if (result == 0 && connect(fd, (const struct sockaddr *)&ss, len) < 0)
        result = -errno;
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

static bool is_udp(int fd)
{
    int type, protocol;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == IPPROTO_UDP;
}

int dgram_check(int fd, struct addr *bound)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -ENOTSOCK;
    if (!is_udp(fd))
        return -EINVAL;
    addr_from_sockaddr(bound, &ss, len);
    return bound->port != 0 ? 0 : -EINVAL;
}
