/* SPDX-License-Identifier: BSD-2-Clause */
/* How addresses of a rule are written. Pure. */
#ifndef PENSTOCK_CONF_LISTEN_TEXT_H
#define PENSTOCK_CONF_LISTEN_TEXT_H

#include "base/arena.h"
#include "conf/conf.h"

#define LISTEN_TEXT_MAX (ADDR_TEXT_MAX + 4) /* "udp:" */

/* The address alone, as the config writes it: "0.0.0.0:80", "udp:*:53", "udp:239.1.2.3:5000". Of an
 * IP address only; of others text says it. Returns `out`. */
const char *listen_address(const struct conf_listen *l, char *out, size_t size);

/* Can several sockets be bound to it? Groups and broadcasts reach all that are. */
bool listen_is_shared(const struct conf_listen *l);

/* Is that the scope of a group that is another one on each interface (RFC 4291 section 2.7)? */
bool listen_is_link_local_group(const struct addr *a);

/* Take "eth1,eth2" apart; NULL is none. False without memory. */
bool listen_names(struct conf_names *out, const char *joined, struct arena *arena);

#endif
