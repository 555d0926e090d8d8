/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keeps datagrams to groups and broadcast addresses from going in circles, between our own
 * rules or with other relays: a short memory of what was heard and sent where. The payload is never
 * changed. A datagram is a copy that came round when the same payload was heard on the same
 * segment, or sent there by us, within GUARD_MS, but by somebody else. One who says the same thing
 * twice is heard twice. Pure: whoever calls says the time.
 */
#ifndef PENSTOCK_FLOW_UDP_GUARD_H
#define PENSTOCK_FLOW_UDP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/addr.h"

/* How long it remembers: longer than any relay takes, shorter than two hosts need to say the same
 * by chance too often. */
#define GUARD_MS 500

/* Payloads that it remembers at most; the oldest go first. */
#define GUARD_ENTRIES 16384

struct udp_guard;

/* NULL without memory. `key` is secret and random: nobody can make two payloads look the same. */
struct udp_guard *udp_guard_new(const uint64_t key[2]);
void udp_guard_free(struct udp_guard *g); /* NULL is allowed */

/* Where datagrams can be heard: a group or broadcast address with its port, on an interface. */
struct udp_segment {
    struct addr to;
    uint32_t interface; /* index */
};

/* It was heard from `source`. Is it new? False: it is a copy, and must not be sent on. */
bool udp_guard_heard(struct udp_guard *g, const struct udp_segment *at, const struct addr *source,
                     const void *bytes, size_t size, int64_t now);

/* We have sent it. */
void udp_guard_sent(struct udp_guard *g, const struct udp_segment *at, const void *bytes,
                    size_t size, int64_t now);

#endif
