/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups and broadcasts: which interfaces there are, who has joined what on them, what is ours and
 * what has been round already. A worker has one of these once it listens for
 * datagrams.
 */
#ifndef PENSTOCK_FLOW_UDP_NET_H
#define PENSTOCK_FLOW_UDP_NET_H

#include <stdbool.h>

#include "flow/udp.h"

struct udp_net;

/* The worker's, made when first asked for; NULL with errno. It watches for interfaces that come, go
 * or change their address. */
struct udp_net *udp_net_of(struct worker *w);
void udp_net_free(struct worker *w);

/* Is the address gone that the session's socket sends from (udp_home.h)? It can't be told without
 * the worker's; then it is not. */
bool udp_net_is_homeless(const struct session *s);

/* Has this machine that address (whatever the port)? Makes the worker's when first asked; false
 * when that can't be had. */
bool udp_net_is_ours(struct worker *w, const struct addr *a);

/*
 * The listener is bound, and picky (udp.h): join its group on its interfaces, if its address is
 * one, and remember it for when they change. An interface that is not there is joined when it
 * comes, and logged. One that is to be a host's and turns out to be a broadcast address is refused
 * (-EADDRNOTAVAIL). Returns 0 or a negative errno with *why set (static text, or NULL).
 */
int udp_net_join(struct listener *l, const struct addr *bound, const char **why);

/* Go on under the listener's new conf, which has the same address. */
int udp_net_change(struct listener *l, const char **why);

/* Before it closes; its groups are left with the socket. */
void udp_net_leave(struct listener *l);

/* Does it hear nothing, as far as is known now: are its interfaces not there, or has none of them
 * joined its group? False for one of connections. */
bool udp_net_is_deaf(const struct listener *l);

/*
 * Is this datagram for the listener, whose socket it came to? It asks for the interface, for
 * whether it was sent to its group or to a broadcast address, for whether it is one of our own, or
 * a copy that came round. Drops none of unicast but for its interface, by which it may be for
 * another listener of the same address. Returns the one that it is for, or NULL.
 */
struct listener *udp_net_takes(struct listener *l, const struct dgram *d);

/* --- to many (a rule with targets) ------------------------------------------------------------ */

/* The socket of a session whose rule has targets: bound, not connected. Returns it, or a negative
 * errno. */
int udp_net_open(struct session *s);

/* Likewise one that another process has opened: s->fd[UPSTREAM]. */
void udp_net_resume(struct session *s);

/* Before it is closed. */
void udp_net_close(struct session *s);

/* Send each of them to every target, through each of its interfaces. What could not be sent to at
 * least one is said in its `error`. */
void udp_net_send(struct session *s, struct dgram *const *list, unsigned count);

/* May this be an answer: does it come from a target, or has the rule one of which anybody may
 * answer (a group, a broadcast address)? */
bool udp_net_answers(const struct session *s, const struct dgram *d);

#endif
