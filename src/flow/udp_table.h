/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sessions of a UDP listener, by their client's address and the local one that it sends to. A
 * hash table of entries that live in the sessions: find, insert and remove are O(1). Whoever sends
 * from forged addresses can't choose them so that they collide: the hash has a secret key.
 * Pure: no I/O, no clock.
 */
#ifndef PENSTOCK_FLOW_UDP_TABLE_H
#define PENSTOCK_FLOW_UDP_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "os/addr.h"

/* Embedded in what it belongs to. */
struct udp_entry {
    struct udp_entry *next;
    uint64_t hash;
    struct addr client;
    struct addr local; /* without a port; AF_UNSPEC where it is always the same */
};

/* Zeroed but for the key, it is empty. */
struct udp_table {
    uint64_t key[2]; /* secret, random; the same as long as there are entries */
    struct udp_entry **buckets;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

/* Frees the buckets. Entries are forgotten. */
void udp_table_free(struct udp_table *t);

/* The entry of that pair, or NULL. */
struct udp_entry *udp_table_find(const struct udp_table *t, const struct addr *client,
                                 const struct addr *local);

/* Insert `e`, whose addresses are set and which are in no entry yet. Returns 0, or -ENOMEM when
 * there is no memory for the first buckets; later it only gets slower without. */
int udp_table_insert(struct udp_table *t, struct udp_entry *e);

/* Take out `e`, which must be in there. */
void udp_table_remove(struct udp_table *t, struct udp_entry *e);

#endif
