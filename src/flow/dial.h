/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stage that reaches the upstream: its name is resolved, and its addresses are tried one after
 * the other until one accepts. All of that within connect_timeout, which the addresses share: each
 * gets an equal part of what is left, so that a silent one does not use up the others' time.
 */
#ifndef PENSTOCK_FLOW_DIAL_H
#define PENSTOCK_FLOW_DIAL_H

#include "flow/session.h"

struct verdict dial_enter(struct session *s);
struct verdict dial_event(struct session *s, enum side side, unsigned events);
struct verdict dial_timer(struct session *s);
void dial_leave(struct session *s);

/* How far it has come. */
struct dial_state {
    const struct addr *addrs; /* of the session, or of the caller; NULL: no answer yet */
    size_t count;
    size_t next;        /* the address to try after the current one */
    int64_t attempt_ms; /* left for the address being tried */
    enum end last;      /* what the last attempt came to */
    int error;          /* the errno of that */
};

struct dial_state dial_state(const struct session *s);

/* Go on from there: in place of dial_enter(). */
struct verdict dial_resume(struct session *s, const struct dial_state *state);

#endif
