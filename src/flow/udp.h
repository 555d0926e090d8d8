/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: sessions of datagrams. A client is known by its address and the local one that it sends to;
 * its first datagram makes a session, which has a socket of its own for the upstream and ends after
 * udp_timeout of silence. Stages, limits, accounts and handover are those of any session
 * (session.h); what only UDP has is here.
 *
 *   listener ─ recvmmsg ─► session table ─► each session's socket ─► upstream
 *            ◄─ sendmmsg ─ replies of all sessions of a turn ◄────────
 *
 * Datagrams are read into a batch and sent on from there; none is ever kept for a socket that is
 * full: it is dropped and counted. Only while the upstream's name is being resolved some are kept.
 */
#ifndef PENSTOCK_FLOW_UDP_H
#define PENSTOCK_FLOW_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/session.h"
#include "flow/udp_table.h"
#include "loop/loop.h"
#include "os/dgram.h"

struct listener;
struct udp_membership;
struct udp_net;

/* Where a session stands in line to be evicted: those whose upstream has answered come last. */
enum udp_line { LINE_UNANSWERED, LINE_ANSWERED, UDP_LINES };

/* What a listener has for its datagrams. */
struct udp_listener {
    struct udp_table sessions;
    struct list lines[UDP_LINES]; /* its sessions, silent longest first */
    struct udp_membership *membership; /* of a group (udp_group.h); or NULL */
    bool whole;                        /* runs of replies can be sent as one packet (dgram.h) */
    bool is_picky; /* not all that arrives is for it: udp_net_takes() tells (udp_net.h) */
};

/* What a session has for its datagrams. */
struct udp_session {
    struct udp_entry entry; /* in the table of its listener ... */
    struct session *session;
    struct list by_listener, by_rule; /* ... and in their lines */
    struct list touched;              /* in the worker's list: it has datagrams to send on ... */
    struct dgram *chain[DGRAM_BATCH]; /* ... these */
    struct list kept;                 /* while dialling: datagrams of the client */
    uint64_t datagrams[2];            /* that went, by the side they came from */
    uint64_t dropped[2];
    uint32_t interface; /* on which the client was heard, an index */
    uint16_t kept_count;
    uint8_t chain_count;
    uint8_t replies_waiting; /* in the worker's batch */
    bool answered;           /* the upstream has sent something */
    bool refused;            /* ICMP said that nobody is there, and nothing has come since */
    bool eager;              /* the last read filled what it was given: there may be many */
    bool whole;              /* runs can be sent as one packet */
};

/* What the worker has for all of them. */
struct udp {
    struct worker *worker;
    struct dgram_batch *in;  /* of the listener being read */
    struct dgram_batch *out; /* replies of this turn, of any sessions ... */
    struct session *out_of[DGRAM_BATCH];
    struct dgram_path out_paths[DGRAM_BATCH];
    unsigned out_count;
    struct deferred flush; /* ... sent when the turn is over */
    bool flushing;
    struct list touched;
    uint64_t key[2]; /* secret, of hashes */
    struct udp_net *net; /* udp_net.h; NULL until a rule needs it */
};

/* The worker's, made when first asked for; NULL without memory. */
struct udp *udp_of(struct worker *w);
void udp_free(struct worker *w);

/* Send the replies that are waiting. */
void udp_flush(struct udp *u);

#endif
