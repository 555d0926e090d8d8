/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of udp_net.h share: groups that were joined (udp_group.c), what is sent to many
 * (udp_targets.c), and what both need to know (udp_net.c). */
#ifndef PENSTOCK_FLOW_UDP_NET_INSIDE_H
#define PENSTOCK_FLOW_UDP_NET_INSIDE_H

#include <net/if.h>
#include <stdint.h>
#include <string.h>

#include "base/list.h"
#include "flow/udp_guard.h"
#include "flow/udp_home.h"
#include "flow/udp_net.h"
#include "loop/loop.h"
#include "os/interfaces.h"

/* How long it is believed that the routes lead somewhere. There is room for several times the
 * targets that a rule can have (256), each in one of a few places. */
#define WAY_MS     1000
#define WAYS       1024
#define WAY_PLACES 8

struct udp_way {
    struct addr to;
    unsigned interface; /* index; 0: none */
    int64_t asked;
};

struct udp_net {
    struct worker *worker;
    struct interfaces *interfaces;
    struct udp_guard *guard;
    struct watch watch;      /* for news of interfaces ... */
    int fd;                  /* ... which come here ... */
    struct timer rest;       /* ... and wait while this runs */
    struct timer retry;      /* while something could not be done */
    struct udp_homes homes;  /* sessions whose own address may be gone */
    struct list memberships; /* of all listeners that are picky */
    uint32_t *ports[2];      /* of IPv4, IPv6: how many sockets to targets have each port */
    struct udp_way ways[WAYS];
};

/* An interface of a listener's. */
struct udp_place {
    char name[IF_NAMESIZE]; /* empty: where the routes lead */
    unsigned index;         /* 0: it is not there */
    uint64_t stamp;         /* interfaces_stamp() when the group was joined */
    bool joined;
    int told; /* what was last logged: PLACE_JOINED, or a negative errno; 0: nothing */
};

#define PLACE_JOINED 1

struct udp_membership {
    struct list link;
    struct listener *listener;
    struct addr group; /* AF_UNSPEC: none, it is picky for another reason */
    struct addr bound; /* its address, also when that is its group */
    struct addr *sources; /* of whom alone it hears; none: of all */
    size_t source_count;
    size_t place_count; /* none: it hears on all interfaces */
    struct udp_place places[];
};

/* Interfaces have changed: leave and join what that touches. */
void udp_group_update(struct udp_net *net);

/* Something has failed that no news of interfaces may mend: look again after a while. */
void udp_net_retry(struct udp_net *net);

/* The interface through which the routes lead there; 0: none; or a negative errno: it can't be told
 * now. */
int udp_net_way(struct udp_net *net, const struct addr *to);

/* Where a datagram sent to that group or broadcast address, on that interface, can be heard. All
 * broadcast addresses of a network are one: who hears one hears the others. */
struct udp_segment udp_net_segment(const struct addr *to, in_port_t port, unsigned interface);

/* The same IP address, whatever port and zone. */
static inline bool udp_is_same_host(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return false;
    return a->family == AF_INET ? a->v4.s_addr == b->v4.s_addr
                                : memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

/* The counter of that port's sockets, or NULL for a family that has none. */
static inline uint32_t *udp_net_port(const struct udp_net *net, const struct addr *a)
{
    if (a->family != AF_INET && a->family != AF_INET6)
        return NULL;
    return &net->ports[a->family == AF_INET6][a->port];
}

#endif
