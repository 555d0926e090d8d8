/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fixed array of memories in chains by their hash, and in line by their age: the head of the line
 * is slot 0, which remembers nothing. A slot is known by its number, so 0 also ends a chain. Until
 * all slots have been used once, new ones are taken in order; then the oldest.
 *
 * The hash stands for segment and payload: with 64 bits and a secret key nobody finds two that are
 * the same, and by chance it happens once in 2^50 datagrams.
 */
#include "config.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "flow/udp_guard.h"
#include "flow/udp_words.h"

#define BUCKETS 16384u /* a power of two */

struct memory {
    uint64_t hash;
    int64_t at;         /* when it was last heard from `source`, or sent */
    struct addr source; /* AF_UNSPEC: us */
    uint16_t next;      /* in the chain */
    uint16_t older, newer;
};

struct udp_guard {
    uint64_t key[2];
    unsigned used; /* slots that ever were */
    uint16_t buckets[BUCKETS];
    struct memory slots[GUARD_ENTRIES + 1];
};

_Static_assert(GUARD_ENTRIES <= UINT16_MAX, "slots have numbers of 16 bits");

struct udp_guard *udp_guard_new(const uint64_t key[2])
{
    struct udp_guard *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return NULL;
    g->key[0] = key[0];
    g->key[1] = key[1];
    return g;
}

void udp_guard_free(struct udp_guard *g)
{
    free(g);
}

static uint64_t hash_of(const struct udp_guard *g, const struct udp_segment *at, const void *bytes,
                        size_t size)
{
    uint64_t words[2 + ADDR_WORDS];

    words[0] = siphash(g->key, bytes, size);
    words[1] = at->interface;
    return siphash(g->key, words, (2 + addr_words(&at->to, words + 2)) * sizeof(words[0]));
}

static void leave_line(struct udp_guard *g, uint16_t slot)
{
    struct memory *m = &g->slots[slot];

    g->slots[m->older].newer = m->newer;
    g->slots[m->newer].older = m->older;
}

static void join_line(struct udp_guard *g, uint16_t slot)
{
    struct memory *head = &g->slots[0];

    g->slots[slot].older = head->older;
    g->slots[slot].newer = 0;
    g->slots[head->older].newer = slot;
    head->older = slot;
}

static uint16_t find(const struct udp_guard *g, uint64_t hash)
{
    uint16_t slot = g->buckets[hash % BUCKETS];

    while (slot != 0 && g->slots[slot].hash != hash)
        slot = g->slots[slot].next;
    return slot;
}

static void leave_chain(struct udp_guard *g, uint16_t slot)
{
    uint16_t *link = &g->buckets[g->slots[slot].hash % BUCKETS];

    while (*link != slot)
        link = &g->slots[*link].next;
    *link = g->slots[slot].next;
}

/* A slot for what is not remembered yet: in a chain, in no line. */
static uint16_t take_slot(struct udp_guard *g, uint64_t hash)
{
    uint16_t *bucket = &g->buckets[hash % BUCKETS];
    uint16_t slot;

    if (g->used < GUARD_ENTRIES) {
        slot = (uint16_t)++g->used;
    } else {
        slot = g->slots[0].newer;
        leave_line(g, slot);
        leave_chain(g, slot);
    }
    g->slots[slot].hash = hash;
    g->slots[slot].next = *bucket;
    *bucket = slot;
    return slot;
}

/* `slot` is what it has in mind of that already, or 0. */
static void remember(struct udp_guard *g, uint16_t slot, uint64_t hash, const struct addr *source,
                     int64_t now)
{
    if (slot != 0)
        leave_line(g, slot);
    else
        slot = take_slot(g, hash);
    g->slots[slot].source = *source;
    g->slots[slot].at = now;
    join_line(g, slot);
}

bool udp_guard_heard(struct udp_guard *g, const struct udp_segment *at, const struct addr *source,
                     const void *bytes, size_t size, int64_t now)
{
    uint64_t hash = hash_of(g, at, bytes, size);
    uint16_t slot = find(g, hash);

    /* A copy is not remembered, or somebody who goes on saying it would never be heard. */
    if (slot != 0 && now - g->slots[slot].at <= GUARD_MS &&
        !addr_equal(&g->slots[slot].source, source))
        return false;
    remember(g, slot, hash, source, now);
    return true;
}

void udp_guard_sent(struct udp_guard *g, const struct udp_segment *at, const void *bytes,
                    size_t size, int64_t now)
{
    static const struct addr us = {.family = AF_UNSPEC};
    uint64_t hash = hash_of(g, at, bytes, size);

    remember(g, find(g, hash), hash, &us, now);
}
