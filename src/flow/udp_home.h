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

struct interfaces;
struct session;
struct worker;

/* Is the address gone that its socket to the upstream sends from; or, as long as nothing has come
 * from there, would another one be sent from now? Of a session whose rule has targets, or whose
 * upstream is a UNIX socket: never. */
bool udp_home_is_gone(const struct session *s, const struct interfaces *is);

/* Addresses of this machine have changed: end those sessions (END_ADDRESS_GONE). */
void udp_home_update(struct worker *w, const struct interfaces *is);

#endif
