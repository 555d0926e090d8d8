/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_sessions.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/value.h"

#define AHEAD 50 /* rows that are asked for beyond those that are seen */

/* --- what the daemon says ----------------------------------------------------------------------
 */

static void read_session(struct top_session *s, const json_t *said, size_t place)
{
    *s = (struct top_session){
        .id = value_number(said, "id"),
        .age_ms = value_number(said, "age_ms"),
        .idle_ms = value_number(said, "idle_ms"),
        .bytes_in = value_number(said, "bytes_in"),
        .bytes_out = value_number(said, "bytes_out"),
        .rate_in = -1,
        .rate_out = -1,
        .client = text_safe(value_text(said, "client")),
        .upstream = text_safe(value_text(said, "upstream")),
        .state = text_safe(value_text(said, "state")),
        .place = place,
    };
}

static void drop(struct top_session *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(sessions[i].client);
        free(sessions[i].upstream);
        free(sessions[i].state);
    }
    free(sessions);
}

/* For qsort(3) and bsearch(3). */
static int by_id(const void *left, const void *right)
{
    const struct top_session *a = left, *b = right;

    return a->id < b->id ? -1 : a->id > b->id;
}

static int64_t rate(int64_t now, int64_t was, int64_t ms)
{
    return now > was ? value_rate(now - was, ms) : 0;
}

void sessions_take(struct top_sessions *s, const json_t *body, size_t limit, int64_t now_ms)
{
    const json_t *list = json_object_get(body, "sessions"), *said;
    size_t count = json_array_size(list), i;
    struct top_session *all = must(calloc(count + 1, sizeof(*all)));
    int64_t ms = s->at_ms > 0 ? now_ms - s->at_ms : 0;

    json_array_foreach(list, i, said)
    {
        const struct top_session *was;

        read_session(&all[i], said, i);
        was = ms > 0 ? bsearch(&all[i], s->all, s->count, sizeof(*all), by_id) : NULL;
        if (was) {
            all[i].rate_in = rate(all[i].bytes_in, was->bytes_in, ms);
            all[i].rate_out = rate(all[i].bytes_out, was->bytes_out, ms);
        }
    }
    qsort(all, count, sizeof(*all), by_id);
    drop(s->all, s->count);
    free(s->shown);
    *s = (struct top_sessions){.all = all, .count = count, .more = count >= limit, .at_ms = now_ms};
}

void sessions_other(struct top_sessions *s)
{
    s->at_ms = 0;
}

/* --- what to ask for ---------------------------------------------------------------------------
 */

const char *sessions_sort_word(enum sessions_sort sort)
{
    static const char *const words[] = {
        [SESSIONS_BY_ID] = "id",       [SESSIONS_BY_AGE] = "age",    [SESSIONS_BY_IDLE] = "idle",
        [SESSIONS_BY_BYTES] = "bytes", [SESSIONS_BY_RATE] = "bytes",
    };

    return words[sort];
}

bool sessions_is_client(const char *filter)
{
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(filter, "/");
    const char *bits = filter + length;
    unsigned char binary[sizeof(struct in6_addr)];
    bool is_v4, is_v6;
    long most;
    char *end;

    if (length == 0 || length >= sizeof(address))
        return false;
    memcpy(address, filter, length);
    address[length] = '\0';
    is_v4 = inet_pton(AF_INET, address, binary) == 1;
    is_v6 = !is_v4 && inet_pton(AF_INET6, address, binary) == 1;
    most = is_v4 ? 32 : 128;
    if (*bits == '\0' || !(is_v4 || is_v6))
        return is_v4 || is_v6;
    return bits[1] >= '0' && bits[1] <= '9' && strtol(bits + 1, &end, 10) <= most && *end == '\0';
}

size_t sessions_wanted(const char *filter, enum sessions_sort sort, bool reverse, size_t last)
{
    bool picked_here = filter[0] != '\0' && !sessions_is_client(filter);

    if (picked_here || reverse || sort == SESSIONS_BY_RATE || last + AHEAD > SESSIONS_MOST)
        return SESSIONS_MOST;
    return last + AHEAD;
}

/* --- what is shown -----------------------------------------------------------------------------
 */

static bool passes(const struct top_session *s, const char *filter)
{
    char id[24];

    snprintf(id, sizeof(id), "%" PRId64, s->id);
    return strcasestr(s->client, filter) || strcasestr(s->upstream, filter) ||
           strcasecmp(s->state, filter) == 0 || strcmp(id, filter) == 0;
}

struct order {
    enum sessions_sort sort;
    bool reverse;
};

/* For qsort_r(3): as the daemon has sorted them, or by what it doesn't know. */
static int in_order(const void *left, const void *right, void *arg)
{
    const struct top_session *a = *(const struct top_session *const *)left;
    const struct top_session *b = *(const struct top_session *const *)right;
    const struct order *order = arg;
    int64_t rate_a = a->rate_in + a->rate_out, rate_b = b->rate_in + b->rate_out;
    int found = a->place < b->place ? -1 : a->place > b->place;

    if (order->sort == SESSIONS_BY_RATE && rate_a != rate_b)
        found = rate_a > rate_b ? -1 : 1;
    return order->reverse ? -found : found;
}

void sessions_arrange(struct top_sessions *s, const char *filter, enum sessions_sort sort,
                      bool reverse)
{
    bool passes_all = filter[0] == '\0' || sessions_is_client(filter);
    struct order order = {sort, reverse};

    s->shown = must_resize(s->shown, s->count + 1, sizeof(struct top_session *));
    s->shown_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (passes_all || passes(&s->all[i], filter))
            s->shown[s->shown_count++] = &s->all[i];
    }
    qsort_r(s->shown, s->shown_count, sizeof(struct top_session *), in_order, &order);
}

void sessions_free(struct top_sessions *s)
{
    drop(s->all, s->count);
    free(s->shown);
    *s = (struct top_sessions){0};
}
