/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load over UDP. Clients have connected sockets; the upstream has one socket for all of them.
 * Each datagram is sent and received by itself, so that what the proxy makes of many is its own
 * doing; with --runs neighbours to the same address are sent as one packet (UDP_SEGMENT, udp(7)),
 * as QUIC does. None is received as a part of one (UDP_GRO).
 *
 * The number of datagrams under way is bounded for each client and in total, so that the queues of
 * a proxy that keeps the kernel's default sizes are not overrun; what does not arrive within
 * LOAD_LOST_NS is given up, and another is sent in its place: unless it comes later, it is lost.
 * Every datagram carries a mark, and behind it bytes that follow from the mark: one that is cut,
 * merged with another, changed, or brought to the wrong client ends the measurement.
 */
#ifndef TESTS_BENCH_LOAD_UDP_H
#define TESTS_BENCH_LOAD_UDP_H

#include "load.h"

#include <sys/socket.h>

#define LOAD_BATCH   64                  /* datagrams in a system call, at most */
#define LOAD_LOST_NS UINT64_C(200000000) /* after this long a datagram is given up */
#define LOAD_FIRST   UINT32_MAX          /* the slot of a mark that opens a session */

#define LOAD_MOST 65507 /* bytes in a datagram, or in a run of them */

/* The slot put down for an empty datagram, which is counted: none of ours, but rinetd sends some.
 */
#define LOAD_EMPTY (UINT32_MAX - 1)

/* What a datagram begins with. */
struct load_mark {
    uint64_t number; /* counted by its client */
    uint32_t client;
    uint32_t slot; /* of its client; or LOAD_FIRST: sent back by the upstream in any work */
};

/* Datagrams to be sent or received with one system call. */
struct load_batch {
    unsigned size; /* of each datagram */
    bool runs;
    struct load_shared *shared;
    struct mmsghdr messages[LOAD_BATCH];
    struct iovec parts[LOAD_BATCH][2]; /* of a datagram, or of a run of them, one behind another */
    struct mmsghdr out[LOAD_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[LOAD_BATCH][CMSG_SPACE(sizeof(uint16_t))];
    struct load_mark marks[LOAD_BATCH];
    struct sockaddr_in names[LOAD_BATCH];
    uint8_t *received; /* room for LOAD_BATCH datagrams that are larger than they should be */
    uint8_t *pattern;
};

struct load_batch *load_batch_new(const struct load_options *options, struct load_shared *shared);

/*
 * Receives up to `most`, with their senders' names if wanted. Returns how many, or 0 when there is
 * none, or when an ICMP error was waiting instead. Each is checked, and its mark put into marks[].
 */
unsigned load_receive(struct load_batch *b, int fd, unsigned most, bool named, int flags);

/* Sends back `count` of what was received. */
void load_send_back(struct load_batch *b, int fd, unsigned first, unsigned count);

/* Sends datagrams with the first `count` of marks[] on a connected socket. One that can't be sent
 * is as good as lost on its way. */
void load_send(struct load_batch *b, int fd, unsigned count);

/* A connected socket of a new client, over which a first datagram has gone to the upstream and come
 * back. `*number` counts what it took. Dies unless that is so before the deadline. */
int load_open(struct load_batch *b, const struct load_options *options, unsigned client,
              uint64_t *number, uint64_t deadline_ns);

/* The upstream's bound socket. */
int load_udp_listen(const struct sockaddr_in *addr);

/* As load_upstream() and load_clients(). */
void load_udp_upstream(const struct load_options *options, int fd, struct load_shared *shared)
    __attribute__((noreturn));
void load_udp_clients(const struct load_options *options, struct load_shared *shared,
                      pid_t upstream, struct load_result *result);
void load_udp_bursts(const struct load_options *options, struct load_shared *shared, pid_t upstream,
                     struct load_result *result);

#endif
