/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's list of sessions: in order, and one of them. */
#include "config.h"

#include "flow/session.h"
#include "flow/worker.h"

struct session *session_by_id(const struct worker *w, uint64_t id)
{
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->id >= id)
            return s->id == id ? s : NULL;
    }
    return NULL;
}

static uint64_t first_id(const struct list *head)
{
    return container_of(head->next, struct session, link)->id;
}

/* Move the first `most` of `from`, or all, to the end of `to`. */
static void move_some(struct list *from, struct list *to, size_t most)
{
    for (size_t i = 0; i < most && !list_empty(from); i++)
        list_append(to, list_take_first(from));
}

/* Two lists in order become the end of a third. */
static void merge(struct list *a, struct list *b, struct list *to)
{
    while (!list_empty(a) && !list_empty(b))
        list_append(to, list_take_first(first_id(a) <= first_id(b) ? a : b));
    move_some(a, to, SIZE_MAX);
    move_some(b, to, SIZE_MAX);
}

static bool is_sorted(const struct list *sessions)
{
    uint64_t last = 0;

    list_for_each (link, next, sessions) {
        uint64_t id = container_of(link, struct session, link)->id;

        if (id < last)
            return false;
        last = id;
    }
    return true;
}

/* Merge sort: runs that are in order grow to twice their length each time. It needs no memory. */
void sessions_sort(struct worker *w)
{
    struct list a, b, sorted;

    list_init(&a);
    list_init(&b);
    list_init(&sorted);
    for (size_t run = 1; !is_sorted(&w->sessions); run *= 2) {
        while (!list_empty(&w->sessions)) {
            move_some(&w->sessions, &a, run);
            move_some(&w->sessions, &b, run);
            merge(&a, &b, &sorted);
        }
        move_some(&sorted, &w->sessions, SIZE_MAX);
    }
}
