/* SPDX-License-Identifier: BSD-2-Clause */
/* The sessions of one rule that top shows: of many the first few, as the daemon sorts them. Pure.
 */
#ifndef PENSTOCK_CTL_TOP_SESSIONS_H
#define PENSTOCK_CTL_TOP_SESSIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many are asked for, no matter how many there are: what the daemon sorts at a time. */
#define SESSIONS_MOST 1000

struct top_session {
    int64_t id, age_ms, idle_ms, bytes_in, bytes_out;
    int64_t rate_in, rate_out;       /* bytes a second; -1 when that isn't known yet */
    char *client, *upstream, *state; /* fit to be shown (text.h) */
    size_t place;                    /* in what the daemon said */
};

enum sessions_sort {
    SESSIONS_BY_ID,
    SESSIONS_BY_AGE,
    SESSIONS_BY_IDLE,
    SESSIONS_BY_BYTES,
    SESSIONS_BY_RATE,
};

struct top_sessions {
    struct top_session *all; /* by id */
    size_t count;
    const struct top_session **shown; /* those that pass the filter, in order */
    size_t shown_count;
    bool more;     /* there are some that were not asked for */
    int64_t at_ms; /* of the answer; 0: the next one can't be compared with it */
};

/* What /v1/sessions says at `now_ms` of a clock that never jumps, asked for at most `limit`. What
 * is shown is to be arranged anew. */
void sessions_take(struct top_sessions *s, const json_t *body, size_t limit, int64_t now_ms);

/* The next answer comes from another process, or is about another rule. */
void sessions_other(struct top_sessions *s);

/* The order in which to ask for them, so that the first are those that are wanted. */
const char *sessions_sort_word(enum sessions_sort sort);

/* Is what somebody types an address, or a network, for which the daemon can look? */
bool sessions_is_client(const char *filter);

/* How many have to be asked for, when rows up to `last` are seen. */
size_t sessions_wanted(const char *filter, enum sessions_sort sort, bool reverse, size_t last);

/* Which are shown, in which order. A filter is a part of an address, a state, or an id. */
void sessions_arrange(struct top_sessions *s, const char *filter, enum sessions_sort sort,
                      bool reverse);

void sessions_free(struct top_sessions *s);

#endif
