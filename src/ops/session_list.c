/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/session_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "flow/session.h"
#include "flow/worker.h"
#include "ops/json.h"
#include "ops/json_list.h"

_Static_assert(JSON_LIST_SLICE <= FIND_AT_ONCE, "a slice is found at once");

struct session_list {
    struct json_list list;
    struct worker *worker;
    struct filter again; /* what may hold no more: the state */
    struct found found;

    /* Of the slice. */
    size_t first;
    struct session *sessions[JSON_LIST_SLICE];
    int64_t now, wall;
};

static bool look(struct json_list *list, size_t first, size_t count)
{
    struct session_list *l = container_of(list, struct session_list, list);

    find_again(l->worker, l->found.ids + first, count, l->sessions);
    l->first = first;
    l->now = clock_monotonic_ms();
    l->wall = clock_wall_ms();
    return true;
}

static bool item(struct json_list *list, size_t i, json_t **out)
{
    struct session_list *l = container_of(list, struct session_list, list);
    const struct session *s = l->sessions[i - l->first];

    if (!s || !filter_takes(&l->again, s, l->now))
        return true;
    *out = json_session(s, l->now, l->wall);
    return *out != NULL;
}

static void free_list(struct json_list *list)
{
    struct session_list *l = container_of(list, struct session_list, list);

    free(l->found.ids);
    free(l);
}

struct answer *answer_sessions(struct worker *w, const struct find *what)
{
    struct session_list *l = calloc(1, sizeof(*l));
    struct json_list *list;

    if (!l)
        return NULL;
    list = &l->list;
    if (find_sessions(w, what, clock_monotonic_ms(), &l->found)) {
        free(l);
        return NULL;
    }
    l->worker = w;
    l->again = (struct filter){.has_state = what->filter.has_state, .state = what->filter.state};
    list->name = "sessions";
    list->count = l->found.count;
    list->look = look;
    list->item = item;
    list->free = free_list;
    if (l->found.more)
        snprintf(list->tail, sizeof(list->tail), ",\"next\":%" PRIu64,
                 l->found.ids[l->found.count - 1]);
    else
        snprintf(list->tail, sizeof(list->tail), ",\"next\":null");
    return answer_json_list(list);
}
