/* SPDX-License-Identifier: BSD-2-Clause */
/* How addresses of a rule are written. Pure. */
#ifndef PENSTOCK_CONF_LISTEN_TEXT_H
#define PENSTOCK_CONF_LISTEN_TEXT_H

#include "base/arena.h"
#include "conf/conf.h"

#define LISTEN_TEXT_MAX (ADDR_TEXT_MAX + 10) /* "udp:", "-65535" */

/* The address alone, as the config writes it: "0.0.0.0:80", "udp:*:53", "udp:239.1.2.3:5000". Of an
 * IP address only; of others text says it. Returns `out`. */
const char *listen_address(const struct conf_listen *l, char *out, size_t size);

/*
 * How many of the rule's addresses, from `first` on, are one range of ports as the config could
 * have written it: with the same options, and leading to one port or to as many.
 */
size_t listen_range(const struct conf_rule *rule, size_t first);

/* The address alone, of whatever kind, or a range of `count` that begins with it:
 * "0.0.0.0:7000-7009". It is in `out` or belongs to the rule. */
const char *listen_range_text(const struct conf_listen *first, size_t count, char *out,
                              size_t size);

/* A target's address, with the port or the ports to which the rule's addresses lead. Returns `out`.
 */
const char *target_text(const struct conf_rule *rule, const struct conf_target *t, char *out,
                        size_t size);

/* Can several sockets be bound to it? Groups and broadcasts reach all that are. */
bool listen_is_shared(const struct conf_listen *l);

/* Is that the scope of a group that is another one on each interface (RFC 4291 section 2.7)? */
bool listen_is_link_local_group(const struct addr *a);

/* Take "eth1,eth2" apart; NULL is none. False without memory. */
bool listen_names(struct conf_names *out, const char *joined, struct arena *arena);

#endif
