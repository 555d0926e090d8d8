/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/order.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/must.h"
#include "ctl/value.h"

struct ranked {
    int64_t rank, id;
    json_t *session;
};

bool order_is_known(const char *key)
{
    return key &&
           (strcmp(key, "age") == 0 || strcmp(key, "idle") == 0 || strcmp(key, "bytes") == 0);
}

static int64_t rank_of(const json_t *s, const char *key)
{
    if (strcmp(key, "bytes") == 0)
        return (int64_t)((uint64_t)value_number(s, "bytes_in") +
                         (uint64_t)value_number(s, "bytes_out"));
    return value_number(s, strcmp(key, "age") == 0 ? "age_ms" : "idle_ms");
}

/* For qsort(3). Equal ones stay in the order of their ids. */
static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void order_sessions(json_t *sessions, const char *key, uint64_t most)
{
    size_t count = json_array_size(sessions);
    struct ranked *all = must(calloc(count + 1, sizeof(*all)));

    for (size_t i = 0; i < count; i++) {
        json_t *s = json_array_get(sessions, i);

        all[i] = (struct ranked){rank_of(s, key), value_number(s, "id"), json_incref(s)};
    }
    qsort(all, count, sizeof(*all), compare);
    json_array_clear(sessions);
    for (size_t i = 0; i < count; i++) {
        if (i < most)
            json_array_append(sessions, all[i].session);
        json_decref(all[i].session);
    }
    free(all);
}
