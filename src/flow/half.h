/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Half-close: what a FIN, a reset or a delivered byte on one side means for the other. A pure state
 * machine: no descriptor, no clock, no bytes. Events change the state and yield actions; actions
 * never change the state. doc/ARCHITECTURE.md shows the whole table, printed by its unit test.
 *
 * Each direction, named by the side its bytes come from:
 *
 *      OPEN ── FIN ──► ENDED ── DELIVERED ──► SHUT
 *
 * ENDED: the source's FIN has been read, bytes before it are still to be sent. SHUT: FIN passed on.
 *
 * And over both directions:
 *
 *      RELAYING ── both SHUT ─────────────────────────────► CLOSED
 *         │ RST of one side
 *         ▼
 *      FLUSHING ── the other side has all there was ──────► RESET
 *         └─────── RST of the other side, or TIMEOUT ─────►
 *
 * FLUSHING: one side was reset. What it sent before that still goes to the other side, which is
 * then reset as well.
 */
#ifndef PENSTOCK_FLOW_HALF_H
#define PENSTOCK_FLOW_HALF_H

#include <stdint.h>

enum side { CLIENT, UPSTREAM };

static inline enum side other_side(enum side s)
{
    return s == CLIENT ? UPSTREAM : CLIENT;
}

enum half_dir { DIR_OPEN, DIR_ENDED, DIR_SHUT, DIR_STATES };

enum half_phase {
    PHASE_RELAYING,
    PHASE_FLUSHING_CLIENT,   /* the upstream was reset */
    PHASE_FLUSHING_UPSTREAM, /* the client was reset */
    PHASE_CLOSED,            /* final: both directions ended well */
    PHASE_RESET,             /* final: what is still open is to be reset */
    PHASE_STATES
};

/* Zeroed, it is a fresh connection: both directions open. */
struct half {
    uint8_t dir[2]; /* enum half_dir, by the side the bytes come from */
    uint8_t phase;  /* enum half_phase */
};

enum half_event {
    EVENT_FIN_CLIENT,   /* end of file was read from the client */
    EVENT_FIN_UPSTREAM, /* ... from the upstream */
    EVENT_SENT_CLIENT,  /* all that was read from the ended client has been sent on */
    EVENT_SENT_UPSTREAM,
    EVENT_RST_CLIENT, /* the client reset the connection */
    EVENT_RST_UPSTREAM,
    EVENT_SETTLED, /* while flushing: the kernel's send queue is empty, or its time is up */
    EVENT_TIMEOUT, /* an idle or half-close timeout */
    HALF_EVENTS
};

/* The event of this kind on side `s`: half_on(EVENT_FIN_CLIENT, UPSTREAM) is EVENT_FIN_UPSTREAM. */
static inline enum half_event half_on(enum half_event client_event, enum side s)
{
    return (enum half_event)((int)client_event + (int)s);
}

/* What is to be done; a set. */
enum half_action {
    ACT_SHUT_CLIENT = 1 << 0,   /* shutdown(SHUT_WR) on the client */
    ACT_SHUT_UPSTREAM = 1 << 1, /* ... on the upstream */
    ACT_DROP_CLIENT = 1 << 2,   /* forget what is kept for the client: it is gone */
    ACT_DROP_UPSTREAM = 1 << 3,
    ACT_SETTLE = 1 << 4, /* wait for the send queue of the side that is flushed, then SETTLED */
    ACT_CLOSE = 1 << 5,  /* close both sides */
    ACT_RESET = 1 << 6,  /* reset both sides */
    ACT_INVALID = 1 << 7 /* this event can't happen in this state: a bug of the caller */
};

/* Take one step. Returns the actions. After ACT_INVALID the state is as it was. */
unsigned half_step(struct half *h, enum half_event event);

/* May bytes be read from `s`? */
int half_reads(const struct half *h, enum side s);

/* Has one direction ended, or one side been reset, while the connection lives on? */
int half_is_closing(const struct half *h);

#endif
