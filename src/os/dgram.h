/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams, many with one system call: recvmmsg(2), sendmmsg(2), and where the kernel has it
 * several as one packet (UDP_GRO, UDP_SEGMENT; udp(7)). Boundaries always survive: each datagram
 * sent is one that was received, of the same size, in the same order.
 */
#ifndef PENSTOCK_OS_DGRAM_H
#define PENSTOCK_OS_DGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "os/addr.h"

/* The largest payload of a UDP datagram over IPv4 (RFC 768, RFC 791). */
#define DGRAM_MOST 65507

/* Slots of a batch: datagrams, or runs of them, in one system call. */
#define DGRAM_BATCH 64

/* What says where a datagram came from and went to, or is to go. */
struct dgram_path {
    struct addr peer;   /* from, or to whom */
    struct addr local;  /* the address of ours that it was sent to, or is to leave from, without a
                           port; AF_UNSPEC: unknown, or as the routes say. When it was sent to many:
                           the one to answer from; IPv6 tells none */
    uint32_t interface; /* index: through which it came, or must leave; 0: unknown, or any */
};

/*
 * A datagram, or a run of some with the same path. One that is larger than a UDP datagram can be (a
 * UNIX upstream may send such) is cut, but not to a size that could be sent on.
 */
struct dgram {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t segment; /* 0: it is one; else each is of this size, but the last, which may be less */
    uint32_t sent;    /* sent: how many of it went */
    int error;        /* sent: 0, or a positive errno: not one of them went */
    uint8_t ttl;      /* received: its TTL or hop limit; 0: unknown (DGRAM_TTL) */
    bool is_to_many;  /* received: it was sent to a group or a broadcast address (DGRAM_PATHS) */
    uint32_t interface; /* received: that of its path, which may have been taken from it */
    struct addr dest;   /* received: where to, without port or scope; AF_UNSPEC: unknown */
    const struct dgram_path *path; /* received: of its slot. To send: NULL on a connected socket */
};

/* How many datagrams it is: 1 also when it is empty. */
static inline uint32_t dgram_count(const struct dgram *d)
{
    return d->segment == 0 || d->size <= d->segment ? 1 : (d->size - 1) / d->segment + 1;
}

/* Memory to receive into: DGRAM_BATCH slots, each large enough for what the kernel may give. */
struct dgram_batch;

/* NULL without memory. Pages are only touched as they are used. */
struct dgram_batch *dgram_batch_new(void);
void dgram_batch_free(struct dgram_batch *b); /* NULL is allowed */

/* The datagram in a slot; the caller may set its path and what else it likes. */
struct dgram *dgram_at(struct dgram_batch *b, unsigned slot);

/*
 * Receive what there is into the slots from `first`, at most `most` of them. Never waits. Returns
 * how many slots were filled (at least 1), or a negative errno: -EAGAIN when there is none; another
 * is a pending error of the socket (ICMP, on a connected one), which is cleared by that.
 * `connected`: nobody needs to know from where or to where; paths are NULL then.
 */
int dgram_receive(int fd, struct dgram_batch *b, unsigned first, unsigned most, bool connected);

/* The same for one datagram of a connected socket that does not receive runs, at a third less. */
int dgram_receive_one(int fd, struct dgram_batch *b, unsigned slot);

/*
 * Send `count` of them in this order, in as few packets and calls as possible: neighbours with the
 * same path (by pointer) and size go together. Never waits. Each is told what became of it
 * (`sent`, `error`): one that can't be sent does not keep those behind it from being sent, but for
 * EAGAIN, when there is no room for any more.
 *
 * `family` is the socket's, which one that takes IPv4 and IPv6 needs for paths. `*whole` is what
 * the socket's owner remembers: whether runs can be sent as one packet, at first what
 * dgram_sends_runs() says. It is cleared when that turns out not to work, and then each goes by
 * itself.
 *
 * Returns 0, or a negative errno: a pending error of the socket (ICMP, or a UNIX peer that is
 * gone), which is about an earlier datagram. It may also be left for dgram_receive() to return;
 * some such error is told by one of them as long as there are any.
 */
int dgram_send(int fd, sa_family_t family, struct dgram *const *list, unsigned count, bool *whole);

/* --- sockets ---------------------------------------------------------------------------------- */

/* For dgram_open(): what the socket is to tell or to do; a set. */
#define DGRAM_DUAL      1u  /* an IPv6 wildcard: takes IPv4, too */
#define DGRAM_PATHS     2u  /* tell each datagram's local address and interface */
#define DGRAM_SHARED    4u  /* others may be bound to the same port (SO_REUSEADDR): for groups */
#define DGRAM_BROADCAST 8u  /* may send to broadcast addresses */
#define DGRAM_RUNS      16u /* receive runs as one (UDP_GRO), where the kernel has that */
#define DGRAM_BESIDE    32u /* as SOCK_BESIDE (sock.h) */
#define DGRAM_TTL       64u /* tell each datagram's TTL or hop limit */

/*
 * A socket bound to `a`, which is IPv4 or IPv6 (port 0: any). Groups that others have joined are
 * not heard (IP_MULTICAST_ALL, IPV6_MULTICAST_ALL). A group of a link without a zone is bound in
 * all zones. Returns it or a negative errno.
 */
int dgram_open(const struct addr *a, unsigned how);

/* A socket connected to `a`: UDP, or a UNIX datagram socket that has a name of its own
 * (autobind, unix(7)), so that it can be answered. Returns it or a negative errno. */
int dgram_connect(const struct addr *a);

/* Is `fd` a bound UDP socket? 0, -ENOTSOCK or -EINVAL; fills *bound. */
int dgram_check(int fd, struct addr *bound);

/* Give one that was passed to us what dgram_open() would have: DGRAM_PATHS, _TTL, _RUNS and
 * _BROADCAST, and no groups of others. Best effort. */
void dgram_set(int fd, const struct addr *bound, unsigned how);

/* Receive runs as one from here on, where the kernel has that (UDP_GRO), and have room for many. */
void dgram_receive_runs(int fd);

/* Have room for many only. */
void dgram_receive_many(int fd);

/* Have runs been asked for? A socket may have been handed over. */
bool dgram_hears_runs(int fd);

/* Can runs be sent as one packet (UDP_SEGMENT)? Not by a UNIX socket, nor before Linux 4.18. */
bool dgram_sends_runs(int fd);

/* TTL and hop limit of what is sent to groups (ip(7), ipv6(7)). Returns 0 or a negative errno. */
int dgram_group_ttl(int fd, sa_family_t family, unsigned ttl);

/* TTL of what is sent to hosts and broadcast addresses of IPv4; 0: the system's. Likewise. */
int dgram_broadcast_ttl(int fd, unsigned ttl);

/*
 * Membership of a group (RFC 3678), on the interface of that index (0: as the routes say), of all
 * senders or, unless `source` is NULL, of one alone. Returns 0 or a negative errno: -EADDRINUSE
 * (joined already), -ENODEV (no such interface, or no route), -EADDRNOTAVAIL (not joined),
 * -ENOBUFS (more than net.ipv4.igmp_max_memberships). An interface that has gone can be left. IPv6
 * does not keep interfaces apart: a socket hears a group of its wherever anybody on this machine
 * has joined it, so each datagram is to be asked for its interface.
 */
int dgram_join(int fd, const struct addr *group, unsigned interface, const struct addr *source);
int dgram_leave(int fd, const struct addr *group, unsigned interface, const struct addr *source);

#endif
