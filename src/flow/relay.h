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

/* Are there bytes for `side` that were read from the other and not sent yet? */
bool relay_owes(const struct session *s, enum side side);

#endif
