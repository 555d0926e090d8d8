/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/timer.h"

#include <errno.h>
#include <stdlib.h>

static void put(struct timers *ts, uint32_t place, struct timer *t)
{
    ts->heap[place] = t;
    t->place = place;
}

/* Find the place of `t`, starting from a free one: up while its parent is due later ... */
static uint32_t sift_up(struct timers *ts, uint32_t place, int64_t due)
{
    while (place > 1 && ts->heap[place / 2]->due > due) {
        put(ts, place, ts->heap[place / 2]);
        place /= 2;
    }
    return place;
}

/* ... or down while a child is due sooner. */
static uint32_t sift_down(struct timers *ts, uint32_t place, int64_t due)
{
    for (;;) {
        uint32_t child = place * 2;

        if (child > ts->count)
            return place;
        if (child < ts->count && ts->heap[child + 1]->due < ts->heap[child]->due)
            child++;
        if (ts->heap[child]->due >= due)
            return place;
        put(ts, place, ts->heap[child]);
        place = child;
    }
}

static int make_room(struct timers *ts)
{
    uint32_t room = ts->room ? ts->room * 2 : 64;
    struct timer **grown;

    if (ts->count + 1 < ts->room)
        return 0;
    grown = realloc(ts->heap, room * sizeof(struct timer *));
    if (!grown)
        return -ENOMEM;
    ts->heap = grown;
    ts->room = room;
    return 0;
}

int timers_set(struct timers *ts, struct timer *t, int64_t due, timer_fn *fn)
{
    uint32_t place = t->place;

    if (place == 0) {
        if (make_room(ts))
            return -ENOMEM;
        place = ++ts->count;
    }
    place = sift_up(ts, place, due);
    place = sift_down(ts, place, due);
    t->due = due;
    t->fn = fn;
    put(ts, place, t);
    return 0;
}

void timers_unset(struct timers *ts, struct timer *t)
{
    uint32_t place = t->place;
    struct timer *last;

    if (place == 0)
        return;
    t->place = 0;
    last = ts->heap[ts->count--];
    if (last == t)
        return;
    place = sift_up(ts, place, last->due);
    place = sift_down(ts, place, last->due);
    put(ts, place, last);
}

struct timer *timers_first(const struct timers *ts)
{
    return ts->count ? ts->heap[1] : NULL;
}

void timers_free(struct timers *ts)
{
    free(ts->heap);
    *ts = (struct timers){0};
}
