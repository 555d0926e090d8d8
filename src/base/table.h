/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table from text to pointer. It grows by itself; find, insert and remove are O(1). */
#ifndef PENSTOCK_BASE_TABLE_H
#define PENSTOCK_BASE_TABLE_H

#include <stddef.h>

struct table;

/* An empty table, or NULL without memory. The caller frees it with table_free(). */
struct table *table_new(void);

/* Free the table, not what its values point to. NULL is allowed. */
void table_free(struct table *t);

/* The value of `key`, or NULL. */
void *table_find(const struct table *t, const char *key);

/*
 * Set `key` to `value` (not NULL). The key is borrowed, not copied: it must live and stay
 * unchanged as long as the entry does. Returns 0, -EEXIST (the old value stays) or -ENOMEM.
 */
int table_insert(struct table *t, const char *key, void *value);

/* Remove `key` and return its value, or NULL when there was none. */
void *table_remove(struct table *t, const char *key);

/* How many entries there are. */
size_t table_count(const struct table *t);

/* Call fn for each entry, in no order. fn must not insert or remove. */
void table_each(const struct table *t, void (*fn)(const char *key, void *value, void *arg),
                void *arg);

#endif
