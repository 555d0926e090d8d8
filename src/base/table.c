/* SPDX-License-Identifier: BSD-2-Clause */
/* Separate chaining; the number of chains doubles when there are as many entries. */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define FIRST_CHAINS 16 /* a power of two, as every later number */

struct entry {
    struct entry *next;
    const char *key;
    void *value;
    uint64_t hash;
};

struct table {
    struct entry **chains;
    size_t chain_count;
    size_t count;
};

/* FNV-1a, 64 bits: the constants are the algorithm's. */
static uint64_t hash_text(const char *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++) {
        hash ^= *p;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->chains = calloc(FIRST_CHAINS, sizeof(struct entry *));
    if (t->chains == NULL) {
        free(t);
        return NULL;
    }
    t->chain_count = FIRST_CHAINS;
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->chain_count; i++) {
        for (struct entry *e = t->chains[i], *next; e != NULL; e = next) {
            next = e->next;
            free(e);
        }
    }
    free(t->chains);
    free(t);
}

/* The link that leads to the key's entry, or the end of its chain. */
static struct entry **find_link(const struct table *t, const char *key, uint64_t hash)
{
    struct entry **link = &t->chains[hash & (t->chain_count - 1)];

    while (*link != NULL && ((*link)->hash != hash || strcmp((*link)->key, key) != 0))
        link = &(*link)->next;
    return link;
}

void *table_find(const struct table *t, const char *key)
{
    const struct entry *e = *find_link(t, key, hash_text(key));

    return e == NULL ? NULL : e->value;
}

/* Without memory the chains only stay longer than they should be. */
static void grow(struct table *t)
{
    size_t count = t->chain_count * 2;
    struct entry **chains = calloc(count, sizeof(struct entry *));

    if (chains == NULL)
        return;
    for (size_t i = 0; i < t->chain_count; i++) {
        for (struct entry *e = t->chains[i], *next; e != NULL; e = next) {
            struct entry **chain = &chains[e->hash & (count - 1)];

            next = e->next;
            e->next = *chain;
            *chain = e;
        }
    }
    free(t->chains);
    t->chains = chains;
    t->chain_count = count;
}

int table_insert(struct table *t, const char *key, void *value)
{
    uint64_t hash = hash_text(key);

    if (*find_link(t, key, hash) != NULL)
        return -EEXIST;
    struct entry *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    if (t->count >= t->chain_count)
        grow(t);

    struct entry **chain = &t->chains[hash & (t->chain_count - 1)];
    e->key = key;
    e->value = value;
    e->hash = hash;
    e->next = *chain;
    *chain = e;
    t->count++;
    return 0;
}

void *table_remove(struct table *t, const char *key)
{
    struct entry **link = find_link(t, key, hash_text(key));
    struct entry *e = *link;

    if (e == NULL)
        return NULL;
    void *value = e->value;
    *link = e->next;
    free(e);
    t->count--;
    return value;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void table_each(const struct table *t, void (*fn)(const char *key, void *value, void *arg),
                void *arg)
{
    for (size_t i = 0; i < t->chain_count; i++) {
        for (const struct entry *e = t->chains[i]; e != NULL; e = e->next)
            fn(e->key, e->value, arg);
    }
}
