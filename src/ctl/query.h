/* SPDX-License-Identifier: BSD-2-Clause */
/* A path with a query, put together piece by piece. */
#ifndef PENSTOCK_CTL_QUERY_H
#define PENSTOCK_CTL_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct query {
    FILE *to;
    char *text;
    size_t size;
    bool has_key;
};

/* `path` is encoded already. */
void query_begin(struct query *q, const char *path);

/* Add a key with its value, which is encoded; without a value (NULL) nothing is added. */
void query_add(struct query *q, const char *key, const char *value);
void query_number(struct query *q, const char *key, uint64_t value);

/* What has become of it; the caller frees it. */
char *query_end(struct query *q);

#endif
