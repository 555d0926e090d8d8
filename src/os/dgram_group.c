/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups: membership, and how far what is sent to them goes. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/dgram.h"

static int level_of(sa_family_t family)
{
    return family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

static int change(int fd, const struct addr *group, unsigned interface, int option)
{
    struct group_req request = {.gr_interface = interface};

    addr_to_sockaddr(group, &request.gr_group);
    return setsockopt(fd, level_of(group->family), option, &request, sizeof(request)) < 0 ? -errno
                                                                                          : 0;
}

static int change_source(int fd, const struct addr *group, unsigned interface, int option,
                         const struct addr *source)
{
    struct group_source_req request = {.gsr_interface = interface};

    addr_to_sockaddr(group, &request.gsr_group);
    addr_to_sockaddr(source, &request.gsr_source);
    return setsockopt(fd, level_of(group->family), option, &request, sizeof(request)) < 0 ? -errno
                                                                                          : 0;
}

int dgram_join(int fd, const struct addr *group, unsigned interface, const struct addr *source)
{
    int result;

    if (source == NULL)
        return change(fd, group, interface, MCAST_JOIN_GROUP);
    result = change_source(fd, group, interface, MCAST_JOIN_SOURCE_GROUP, source);
    /* What the kernel says of a source that is joined already. */
    return result == -EADDRNOTAVAIL ? -EADDRINUSE : result;
}

int dgram_leave(int fd, const struct addr *group, unsigned interface, const struct addr *source)
{
    if (source == NULL)
        return change(fd, group, interface, MCAST_LEAVE_GROUP);
    return change_source(fd, group, interface, MCAST_LEAVE_SOURCE_GROUP, source);
}

int dgram_group_ttl(int fd, sa_family_t family, unsigned ttl)
{
    int value = (int)ttl;
    int option = family == AF_INET6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL;

    return setsockopt(fd, level_of(family), option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int dgram_broadcast_ttl(int fd, unsigned ttl)
{
    int value = ttl == 0 ? -1 : (int)ttl; /* ip(7): -1 is the default */

    return setsockopt(fd, IPPROTO_IP, IP_TTL, &value, sizeof(value)) < 0 ? -errno : 0;
}
