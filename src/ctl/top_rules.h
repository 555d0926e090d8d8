/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules that top shows: what the daemon says of them, and what that makes over time. Pure. */
#ifndef PENSTOCK_CTL_TOP_RULES_H
#define PENSTOCK_CTL_TOP_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/top_text.h"

struct top_rule {
    const char *name; /* as the daemon has it, for requests */
    char *label;      /* these are fit to be shown (text.h) */
    char *listen, *upstream;
    char *state;        /* of the rule, or of the worst of its listeners when the rule runs */
    bool is_removed;    /* by a reload; another may have its name */
    bool takes_clients; /* it is running */
    json_t *said;       /* by the daemon */
    size_t place;       /* in what the daemon said */
    int64_t sessions, limit, opened, bytes_in, bytes_out;
    int64_t refused;           /* clients */
    int64_t failed;            /* sessions that ended as their upstream could not be reached */
    int64_t rate_in, rate_out; /* bytes a second; -1 when that isn't known yet */
    struct top_trend traffic;  /* bytes a second, both ways */
    struct top_trend refusals, failures;
};

enum rules_sort {
    RULES_AS_CONFIGURED,
    RULES_BY_NAME,
    RULES_BY_SESSIONS,
    RULES_BY_FULLNESS,
    RULES_BY_IN,
    RULES_BY_OUT,
    RULES_BY_REFUSED,
    RULES_BY_FAILED,
};

struct top_rules {
    struct top_rule *all;
    size_t count;
    const struct top_rule **shown; /* those that pass the filter, in order */
    size_t shown_count;
    int64_t at_ms; /* of the answer; 0: the next one can't be compared with it */
};

/* What /v1/rules says at `now_ms` of a clock that never jumps. What is shown is to be arranged
 * anew. */
void rules_take(struct top_rules *r, const json_t *body, int64_t now_ms);

/* The next answer comes from another process: nothing has flown between this one and that. */
void rules_other_process(struct top_rules *r);

/* Which are shown, in which order: numbers with the largest first. A filter is a part of a name or
 * an address, or a state; an empty one passes all. */
void rules_arrange(struct top_rules *r, const char *filter, enum rules_sort sort, bool reverse);

/* The rule of that name, rather one that takes clients; NULL when there is none. */
const struct top_rule *rules_find(const struct top_rules *r, const char *name);

void rules_free(struct top_rules *r);

#endif
