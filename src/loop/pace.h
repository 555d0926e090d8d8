/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When many small things (datagrams) come thick and fast but few at a time, each wait and each read
 * of the loop is paid for a few of them only. To rest a moment before each wait lets more come
 * together, as network cards do with their interrupts. Whether that pays depends on who sends: who
 * waits for answers before he goes on is only kept waiting. So it is tried, and kept for as long as
 * a datagram is seen to cost less CPU by it, and not many fewer come through.
 *
 * Decides only; reads no clock and does not sleep.
 */
#ifndef PENSTOCK_LOOP_PACE_H
#define PENSTOCK_LOOP_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A rest, in microseconds: of that order are the latencies of a local network. With being put to
 * sleep and woken it takes up to twice that. */
#define PACE_REST_US 40

/* Zeroed, it has seen nothing yet. */
struct pace {
    bool resting;
    bool proven;        /* it has paid since it was last compared */
    uint32_t handled;   /* in this period ... */
    uint32_t rests;     /* ... with so many rests ... */
    int64_t slept;      /* ... which took so long in all ... */
    int64_t since;      /* ... which began then */
    int64_t cpu;        /* the thread's at that time */
    int64_t until;      /* resting: when it is compared anew. Else: not before that is it tried */
    int64_t wait;       /* not proven: so long until it is tried again */
    int64_t plain_rate; /* in the last period without rests: a second ... */
    int64_t plain_cost; /* ... and nanoseconds of CPU each */
};

/*
 * A turn of the loop has handled `count` (at least 1). `now` is a monotonic clock and `cpu_now()`
 * tells the CPU time of this thread, both in microseconds; the latter is asked at the end of a
 * period only. Returns for how many microseconds to rest now; 0: not at all.
 */
int64_t pace_turn(struct pace *p, unsigned count, int64_t now, int64_t (*cpu_now)(void));

/* It has rested between these two moments. Where that takes far longer than was asked for (timers
 * that are not fine enough, a CPU that others have meanwhile), it does not rest. */
void pace_rested(struct pace *p, int64_t from, int64_t to);

#endif
