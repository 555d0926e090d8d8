/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/siphash.h"

struct link {
    char name[IF_NAMESIZE];
    unsigned index;
    bool up;
};

struct local {
    struct addr addr; /* without a port */
    char name[IF_NAMESIZE];
};

struct interfaces {
    struct link *links;
    size_t link_count;
    struct local *locals; /* sorted by address */
    size_t local_count;
};

/* --- looking --------------------------------------------------------------------------------- */

/* An address may have a label of its own behind the name of its interface, "eth0:1"
 * (ip-address(8)).
 */
static void copy_name(char out[IF_NAMESIZE], const char *name)
{
    size_t len = strcspn(name, ":");

    if (len >= IF_NAMESIZE)
        len = IF_NAMESIZE - 1;
    memcpy(out, name, len);
    out[len] = '\0';
}

static void add_link(struct interfaces *is, const struct ifaddrs *ifa)
{
    const struct sockaddr_ll *ll = (const void *)ifa->ifa_addr;
    struct link *link = &is->links[is->link_count++];

    copy_name(link->name, ifa->ifa_name);
    link->index = (unsigned)ll->sll_ifindex;
    link->up = ifa->ifa_flags & IFF_UP;
}

static void add_local(struct interfaces *is, const struct ifaddrs *ifa)
{
    struct local *local = &is->locals[is->local_count++];
    bool is_v4 = ifa->ifa_addr->sa_family == AF_INET;
    socklen_t len = is_v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof(ss));
    memcpy(&ss, ifa->ifa_addr, len);
    addr_from_sockaddr(&local->addr, &ss, len);
    local->addr.port = 0;
    copy_name(local->name, ifa->ifa_name);
}

static int compare(const void *left, const void *right)
{
    const struct addr *a = &((const struct local *)left)->addr;
    const struct addr *b = &((const struct local *)right)->addr;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    return a->family == AF_INET ? memcmp(&a->v4, &b->v4, sizeof(a->v4))
                                : memcmp(&a->v6, &b->v6, sizeof(a->v6));
}

static int look(struct interfaces *is)
{
    struct ifaddrs *all;
    size_t count = 1; /* not 0, which calloc(3) may answer with NULL */

    if (getifaddrs(&all) < 0)
        return -errno;
    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next)
        count++;
    is->links = calloc(count, sizeof(*is->links));
    is->locals = calloc(count, sizeof(*is->locals));
    if (!is->links || !is->locals) {
        freeifaddrs(all);
        return -ENOMEM;
    }
    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next) {
        int family = ifa->ifa_addr ? ifa->ifa_addr->sa_family : AF_UNSPEC;

        if (family == AF_PACKET)
            add_link(is, ifa);
        else if (family == AF_INET || family == AF_INET6)
            add_local(is, ifa);
    }
    freeifaddrs(all);
    qsort(is->locals, is->local_count, sizeof(*is->locals), compare);
    return 0;
}

static void forget(struct interfaces *is)
{
    free(is->links);
    free(is->locals);
}

struct interfaces *interfaces_new(void)
{
    struct interfaces *is = calloc(1, sizeof(*is));
    int error;

    if (!is)
        return NULL;
    error = look(is);
    if (error == 0)
        return is;
    interfaces_free(is);
    errno = -error;
    return NULL;
}

void interfaces_free(struct interfaces *is)
{
    if (is)
        forget(is);
    free(is);
}

int interfaces_refresh(struct interfaces *is)
{
    struct interfaces now = {0};
    int error = look(&now);

    if (error) {
        forget(&now);
        return error;
    }
    forget(is);
    *is = now;
    return 0;
}

/* --- what there is --------------------------------------------------------------------------- */

unsigned interfaces_index(const struct interfaces *is, const char *name)
{
    for (size_t i = 0; i < is->link_count; i++) {
        if (is->links[i].up && strcmp(is->links[i].name, name) == 0)
            return is->links[i].index;
    }
    return 0;
}

const char *interfaces_name(const struct interfaces *is, unsigned index)
{
    for (size_t i = 0; i < is->link_count; i++) {
        if (is->links[i].index == index)
            return is->links[i].name;
    }
    return NULL;
}

static const struct local *find(const struct interfaces *is, const struct addr *a)
{
    struct local wanted = {.addr = *a};

    if (a->family != AF_INET && a->family != AF_INET6)
        return NULL;
    return bsearch(&wanted, is->locals, is->local_count, sizeof(wanted), compare);
}

bool interfaces_has(const struct interfaces *is, const struct addr *a)
{
    /* all of 127.0.0.0/8 is this machine (RFC 1122 section 3.2.1.3) */
    if (a->family == AF_INET && ntohl(a->v4.s_addr) >> 24 == IN_LOOPBACKNET)
        return true;
    return find(is, a) != NULL;
}

uint64_t interfaces_stamp(const struct interfaces *is, unsigned index, sa_family_t family)
{
    static const uint64_t key[2] = {0, 0}; /* nobody has a reason to deceive himself */
    const char *name = interfaces_name(is, index);
    uint64_t stamp = index;

    for (size_t i = 0; name && i < is->local_count; i++) {
        const struct local *l = &is->locals[i];
        uint64_t words[3] = {stamp, 0, 0};

        if (l->addr.family != family || strcmp(l->name, name) != 0)
            continue;
        if (family == AF_INET)
            memcpy(&words[1], &l->addr.v4, sizeof(l->addr.v4));
        else
            memcpy(&words[1], &l->addr.v6, sizeof(l->addr.v6));
        stamp = siphash(key, words, sizeof(words));
    }
    return stamp;
}

/* Does it say nothing about the routes? */
static bool is_shortage(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN: /* no port is free */
        return true;
    default:
        return false;
    }
}

/* Nothing is sent by connecting: the kernel only looks for the way, and where it begins. Returns 0
 * or a negative errno. */
static int look_for_way(int fd, const struct addr *to, struct addr *from)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(to, &ss);
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        connect(fd, (const struct sockaddr *)&ss, len) < 0)
        return -errno;
    len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    addr_from_sockaddr(from, &ss, len);
    return 0;
}

int interfaces_towards(const struct interfaces *is, const struct addr *to)
{
    const struct local *local;
    struct addr from;
    int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return is_shortage(errno) ? -errno : 0;
    error = look_for_way(fd, to, &from);
    close(fd);
    if (error)
        return is_shortage(-error) ? error : 0;
    local = find(is, &from);
    return local ? (int)interfaces_index(is, local->name) : 0;
}

/* Who does not say that he means to (SO_BROADCAST) may not connect to one (ip(7)). */
bool interfaces_is_broadcast(const struct addr *a)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    struct addr from;
    bool is_broadcast;
    int fd;

    if (a->family != AF_INET)
        return false;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    is_broadcast = connect(fd, (const struct sockaddr *)&ss, len) < 0 && errno == EACCES &&
                   look_for_way(fd, a, &from) == 0;
    close(fd);
    return is_broadcast;
}

/* --- word of changes ---------------------------------------------------------------------------
 */

int interfaces_watch(void)
{
    struct sockaddr_nl nl = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error;

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&nl, sizeof(nl)) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

bool interfaces_news(int fd)
{
    char message[16];
    bool any = false;

    /* What it says is asked for anew, so that nothing depends on its being whole. */
    for (;;) {
        if (recv(fd, message, sizeof(message), 0) >= 0 || errno == ENOBUFS)
            any = true;
        else if (errno != EINTR)
            return any;
    }
}
