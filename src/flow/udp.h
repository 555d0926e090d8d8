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

/* How long a session lives on whose upstream can't be had: the client goes on sending, and each
 * datagram would make another one. The upstream may be there again with the next. */
#define UDP_FAILED_MS 1000

/* What the log says then. */
#define UDP_NO_PORT                                                                                \
    "no local port is left: lower max_connections, or widen net.ipv4.ip_local_port_range"

/* Where a session stands in line to be evicted: those whose upstream has answered come last. */
enum udp_line { LINE_UNANSWERED, LINE_ANSWERED, UDP_LINES };

/* What the client has sent while the upstream's name is being resolved: a datagram, or a run of
 * some (dgram.h). */
struct udp_kept {
    struct list link;
    uint32_t size;
    uint32_t segment;
    uint8_t bytes[];
};

/* What a listener has for its datagrams. */
struct udp_listener {
    struct udp_table sessions;
    struct list lines[UDP_LINES];      /* its sessions, silent longest first */
    struct udp_membership *membership; /* of a group (udp_group.h); or NULL */
    bool whole;                        /* runs of replies can be sent as one packet (dgram.h) */
    in_port_t port;                    /* that it has for itself; or 0 */
    bool is_picky; /* not all that arrives is for it: udp_net_takes() tells (udp_net.h) */
};

/* What a session has for its datagrams. */
struct udp_session {
    struct udp_entry entry; /* in the table of its listener ... */
    struct session *session;
    struct list by_listener, by_rule; /* ... and in their lines */
    struct list touched;              /* in the worker's list: it has datagrams to send on ... */
    uint8_t chain_first;              /* ... from this slot of the batch on ... */
    uint8_t chain_last;               /* ... to this one ... */
    uint8_t chain_count;              /* ... so many */
    uint8_t waiting;                  /* replies in the worker's batch */
    uint32_t kept_bytes;              /* while dialling ... */
    struct list kept;                 /* ... struct udp_kept */
    unsigned turn;                    /* its rule's, when it began: which address it tried first */
    uint64_t datagrams[2];            /* that went, by the side they came from */
    uint64_t dropped[2];              /* that did not */
    uint32_t interface;               /* on which the client was heard, an index */
    bool answered;                    /* the upstream has sent something */
    bool failed;     /* its upstream can't be had: it takes datagrams for a while, and ends */
    bool refused;    /* ICMP said that nobody is there, and nothing has come since */
    uint8_t asked;   /* datagrams of the client's since replies were read: each may have one */
    uint8_t unasked; /* replies since the client's last datagram */
    uint8_t thin;    /* eager: reads in a row that brought one only */
    bool eager;      /* replies come in numbers: many are read at a time */
    bool runs;       /* they may come as runs (UDP_GRO) */
    bool whole;      /* runs can be sent as one packet */
};

/* What the worker has for all of them. */
struct udp {
    struct worker *worker;
    struct dgram_batch *in;              /* of the listener being read ... */
    uint8_t next[DGRAM_BATCH];           /* ... the next slot of the same session */
    struct dgram_batch *out;             /* replies of this turn, of any sessions ... */
    struct session *out_of[DGRAM_BATCH]; /* whose; NULL: not to be sent ... */
    struct dgram_path out_paths[DGRAM_BATCH];
    unsigned out_count;
    struct deferred flush; /* ... sent when the turn is over */
    bool flushing;
    bool sends_runs;           /* the kernel can (dgram_sends_runs()) */
    int64_t ports_again;       /* until then no local port is asked for: there was none */
    uint16_t listening[65536]; /* by port: listeners that have it for themselves */
    struct list touched;
    uint64_t key[2];     /* secret, of hashes */
    struct udp_net *net; /* udp_net.h; NULL until a rule needs it */
};

/* Of what dgram_send() was given: the bytes that went. Of a run the first ones go, if not all. */
static inline uint64_t udp_bytes_sent(const struct dgram *d)
{
    return d->sent == dgram_count(d) ? d->size : (uint64_t)d->sent * d->segment;
}

/* The worker's, made when first asked for; NULL without memory. */
struct udp *udp_of(struct worker *w);
void udp_free(struct worker *w);

/* Send the replies that are waiting. No session ends by that. */
void udp_flush(struct udp *u);

/* --- listeners (udp_listener.c) --------------------------------------------------------------- */

/* A socket as the listener's conf says; `how` may have DGRAM_BESIDE. Returns it and sets l->udp and
 * l->family; or a negative errno with *why set (static text, or NULL). */
int udp_listener_open(struct listener *l, unsigned how, const char **why);

/* Use `fd`, a UDP socket bound to `bound` (dgram_check()). Returns 0 or a negative errno. */
int udp_listener_adopt(struct listener *l, int fd, const struct addr *bound, const char **why);

/* Go on under the new conf. Returns 0, or a negative errno with *why set. */
int udp_listener_change(struct listener *l, const char **why);

/* Before its socket is closed: its sessions, which can't be answered any more, end for that reason
 * (ENDS: there are none). Frees l->udp. */
void udp_listener_close(struct listener *l, enum end end);

/* Datagrams have come. */
watch_fn udp_listener_readable;

/* --- sessions (udp_session.c) ----------------------------------------------------------------- */

/* Make `s`, of which client and listener are set, one of datagrams. Returns 0 or -ENOMEM. */
int udp_session_attach(struct session *s, const struct addr *local);

/* It has ended, or is abandoned: nothing points to it any more, and what it keeps is gone. */
void udp_session_detach(struct session *s);

/* A datagram of its client, in a slot of the worker's batch: it is to be sent on, or kept. */
void udp_session_take(struct session *s, unsigned slot);

/* Keep a copy of it until the upstream is there; it is dropped when there are too many. */
void udp_session_keep(struct session *s, const struct dgram *d);

/* Send on what was taken. */
void udp_session_send(struct session *s);

/* Something has moved: it goes to the end of its line. */
void udp_session_touch(struct session *s);

/* The session that is to make room on this listener and its rule; NULL: there is none. */
struct session *udp_session_to_evict(struct listener *l);

/* Its upstream can't be had, for that reason: the verdict of its stage. */
struct verdict udp_session_fail(struct session *s, enum end end);

/* No local port is left for it. To ask is expensive then: for a moment nobody does. */
struct verdict udp_session_no_port(struct session *s);

/* End those that have failed and only take datagrams. */
void udp_end_failed(struct worker *w);

/* How many replies it may still have (udp_replies for each of the client's datagrams), but for
 * those that are waiting to be sent. At 0 it ends. */
uint64_t udp_session_owed(const struct session *s);

static inline bool udp_session_is_done(const struct session *s)
{
    return udp_session_owed(s) == 0;
}

/* The socket had an error pending: ICMP may have said that nobody is there. */
void udp_session_refused(struct session *s, int error);

/* --- the stage that moves datagrams (udp_relay.c) --------------------------------------------- */

struct verdict udp_relay_enter(struct session *s);
struct verdict udp_relay_event(struct session *s, enum side side, unsigned events);
struct verdict udp_relay_timer(struct session *s);
void udp_relay_leave(struct session *s);

/* Go on where another process has stopped: in place of udp_relay_enter(). */
struct verdict udp_relay_resume(struct session *s);

#endif
