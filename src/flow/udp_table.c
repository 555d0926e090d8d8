/* SPDX-License-Identifier: BSD-2-Clause */
/* Separate chaining; the number of buckets doubles when there are as many entries. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "flow/udp_table.h"
#include "flow/udp_words.h"

#define FIRST_SIZE 16 /* a power of two, as every later size */

static uint64_t hash_pair(const struct udp_table *t, const struct addr *client,
                          const struct addr *local)
{
    uint64_t words[2 * ADDR_WORDS];
    size_t count = addr_words(client, words);

    count += addr_words(local, words + count);
    return siphash(t->key, words, count * sizeof(words[0]));
}

static struct udp_entry **bucket_of(const struct udp_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->size - 1)];
}

void udp_table_free(struct udp_table *t)
{
    free(t->buckets);
    t->buckets = NULL;
    t->size = 0;
    t->count = 0;
}

struct udp_entry *udp_table_find(const struct udp_table *t, const struct addr *client,
                                 const struct addr *local)
{
    uint64_t hash;

    if (t->count == 0)
        return NULL;
    hash = hash_pair(t, client, local);
    for (struct udp_entry *e = *bucket_of(t, hash); e != NULL; e = e->next) {
        if (e->hash == hash && addr_equal(&e->client, client) && addr_equal(&e->local, local))
            return e;
    }
    return NULL;
}

static void put(struct udp_table *t, struct udp_entry *e)
{
    struct udp_entry **bucket = bucket_of(t, e->hash);

    e->next = *bucket;
    *bucket = e;
}

static int grow(struct udp_table *t)
{
    struct udp_entry **old = t->buckets;
    size_t old_size = t->size;
    size_t size = old_size == 0 ? FIRST_SIZE : old_size * 2;
    struct udp_entry **buckets = calloc(size, sizeof(*buckets));

    if (buckets == NULL)
        return -ENOMEM;
    t->buckets = buckets;
    t->size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (struct udp_entry *e = old[i], *next; e != NULL; e = next) {
            next = e->next;
            put(t, e);
        }
    }
    free(old);
    return 0;
}

int udp_table_insert(struct udp_table *t, struct udp_entry *e)
{
    if (t->count >= t->size && grow(t) < 0 && t->size == 0)
        return -ENOMEM;
    e->hash = hash_pair(t, &e->client, &e->local);
    put(t, e);
    t->count++;
    return 0;
}

void udp_table_remove(struct udp_table *t, struct udp_entry *e)
{
    struct udp_entry **link = bucket_of(t, e->hash);

    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    e->next = NULL;
    t->count--;
}
