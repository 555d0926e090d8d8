/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers of one loop, the soonest first: a binary heap. Pure: whoever calls says the time. */
#ifndef PENSTOCK_LOOP_TIMER_H
#define PENSTOCK_LOOP_TIMER_H

#include "loop/loop.h"

/* Zeroed, there are none. */
struct timers {
    struct timer **heap; /* from 1 to count; a timer knows its place */
    uint32_t count;
    uint32_t room;
};

/* Set `t`, or set it anew, to call fn when `due` has come. Returns 0 or -ENOMEM. */
int timers_set(struct timers *ts, struct timer *t, int64_t due, timer_fn *fn);

/* Unset it; one that is not set: nothing. */
void timers_unset(struct timers *ts, struct timer *t);

/* The timer that is due first, or NULL. It stays set. */
struct timer *timers_first(const struct timers *ts);

/* Free the heap. Timers still set are forgotten. */
void timers_free(struct timers *ts);

#endif
