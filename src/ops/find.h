/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the worker's rules and sessions a request means. */
#ifndef PENSTOCK_OPS_FIND_H
#define PENSTOCK_OPS_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops/filter.h"

struct rule;
struct worker;

/* The rule of that name, also one that lives for its last sessions only; or NULL. */
struct rule *find_rule(const struct worker *w, const char *name);

/* The rule's listener behind the one with the id `told`, which may have gone; NULL: that was the
 * last one. 0 is before the first. */
const struct listener *find_listener_behind(const struct rule *rule, uint64_t told);

enum find_order {
    FIND_BY_ID,
    FIND_BY_AGE,  /* the oldest first */
    FIND_BY_IDLE, /* silent longest first */
    FIND_BY_BYTES /* both directions together, the most first */
};

struct find {
    struct filter filter;
    enum find_order order;
    uint64_t after; /* by id: only those behind it */
    size_t limit;   /* not more than these */
};

/* Sessions by their ids, in the order that was asked for: they may have ended since. */
struct found {
    uint64_t *ids; /* to be freed */
    size_t count;
    bool more; /* by id: there are others behind the last one */
};

/* As it is now, by one walk over all sessions. 0 or -ENOMEM. */
int find_sessions(const struct worker *w, const struct find *what, int64_t now, struct found *out);

#define FIND_AT_ONCE 64

/* The sessions of these ids (at most FIND_AT_ONCE), each in its place, NULL where it has ended.
 * They are to be used in this turn of the loop. */
void find_again(const struct worker *w, const uint64_t *ids, size_t count, struct session **out);

#endif
