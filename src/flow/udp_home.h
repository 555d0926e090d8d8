/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a session sends from. A connected socket keeps the address that it was given when it was
 * connected: once this machine does not have that any more (DHCP, a new prefix), no answer can
 * reach it, and the kernel says so at most when something is sent. Such a session ends, and the
 * client's next datagram begins another.
 */
#ifndef PENSTOCK_FLOW_UDP_HOME_H
#define PENSTOCK_FLOW_UDP_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct interfaces;
struct session;
struct worker;

/* A walk over the worker's sessions, by id. */
struct udp_homes {
    struct worker *worker;
    const struct interfaces *interfaces;
    struct timer timer; /* while it is under way */
    uint64_t after;     /* looked at up to this id */
};

/* Is the address gone that its socket to the upstream sends from; or, as long as nothing has come
 * from there, would another one be sent from now? Of a session whose rule has targets, or whose
 * upstream is a UNIX socket: never. */
bool udp_home_is_gone(const struct session *s, const struct interfaces *is);

/* Nothing to do yet. Both are borrowed. */
void udp_homes_init(struct udp_homes *h, struct worker *w, const struct interfaces *is);

/* Addresses of this machine have changed: end those sessions (END_ADDRESS_GONE). The first are
 * looked at before it returns, the others in slices, soon; a walk under way begins anew. */
void udp_homes_update(struct udp_homes *h);

void udp_homes_stop(struct udp_homes *h);

#endif
