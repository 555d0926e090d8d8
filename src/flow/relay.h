/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stage that moves bytes, both ways, until both directions have ended. A direction that is idle
 * owns nothing. What one side sends is read and sent on at once; only what the other side would not
 * take is kept, and while any is kept nothing more is read from there, so that backpressure goes
 * through.
 */
#ifndef PENSTOCK_FLOW_RELAY_H
#define PENSTOCK_FLOW_RELAY_H

#include "flow/session.h"

struct verdict relay_enter(struct session *s);
struct verdict relay_event(struct session *s, enum side side, unsigned events);
struct verdict relay_timer(struct session *s);
void relay_leave(struct session *s);

/* Go on where another process has stopped: in place of relay_enter(). */
struct verdict relay_resume(struct session *s);

/* Has `side` got the whole of the other side's stream, its FIN included? */
bool relay_is_whole(const struct session *s, enum side side);

/* Has one side been reset, and is the other still getting what was received before? */
bool relay_is_flushing(const struct session *s);

#endif
