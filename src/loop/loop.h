/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: descriptors watched through an engine, timers, and work put off to the end of
 * a batch. One thread owns a loop; nothing here is shared.
 */
#ifndef PENSTOCK_LOOP_LOOP_H
#define PENSTOCK_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/list.h"

struct loop;

/* What may happen on a descriptor; a set of them is an unsigned. */
enum loop_event {
    LOOP_READ = 1,  /* a read would not block: bytes, end of file, or an error to collect */
    LOOP_WRITE = 2, /* a write would not block: room, or an error to collect */
    LOOP_ERROR = 4, /* an error is pending (SO_ERROR). Always watched for, also with an empty
                       set, and then reported within LOOP_ERROR_MS under any engine */
};

#define LOOP_ERROR_MS 500

struct watch;
typedef void watch_fn(struct watch *w, unsigned events);

/* A watched descriptor; embedded in what it belongs to. Read `fd`; set nothing directly. */
struct watch {
    watch_fn *fn;
    int fd; /* -1 when not watched */
    uint8_t events;
};

#define WATCH_NONE ((struct watch){.fd = -1})

struct timer;
typedef void timer_fn(struct timer *t);

/* A timer; embedded in what it belongs to. Zeroed, it is a timer that is not set. */
struct timer {
    timer_fn *fn;
    int64_t due;    /* clock_monotonic_ms() */
    uint32_t place; /* in the heap, from 1; 0 when not set */
};

/* Work for the end of the batch; embedded in what it belongs to (and often frees it). */
struct deferred {
    struct list link;
    void (*fn)(struct deferred *d);
};

/* The engine to begin with. LOOP_AUTO begins with select and moves to epoll by itself. */
enum loop_engine { LOOP_AUTO, LOOP_SELECT, LOOP_EPOLL };

/*
 * A loop, or NULL and errno: ENOTSUP when the engine is not built in, ENOMEM, or the engine's own.
 * The caller frees it with loop_free(), after every watch and timer is gone; what was deferred
 * is done first.
 */
struct loop *loop_new(enum loop_engine engine);
void loop_free(struct loop *loop);

/* Run until loop_stop(). Returns 0, or a negative errno of the engine that makes going on useless.
 */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Milliseconds (monotonic) when this batch began: the time for all that is not measured finely. */
int64_t loop_now(const struct loop *loop);

/* The engine in use now ("select", "epoll"), and how many descriptors are watched. */
const char *loop_engine_name(const struct loop *loop);
size_t loop_watched(const struct loop *loop);

/* How long its turns have taken, from the end of one wait to the begin of the next: whatever became
 * due meanwhile was late by so much at most. */
void loop_turns(const struct loop *loop, struct histogram *out);

/* Call fn when LOOP_AUTO has moved to another engine. It may be within loop_watch(). */
typedef void loop_moved_fn(void *arg, const char *engine);
void loop_on_move(struct loop *loop, loop_moved_fn *fn, void *arg);

/*
 * Watch `fd` for `events` (a set of LOOP_READ and LOOP_WRITE, may be empty). Returns 0, or -ENOMEM
 * or -ENOSPC (the kernel's own limit on watches), and then nothing is watched. Level-triggered: fn
 * is called each batch for as long as it holds. `w` must be WATCH_NONE.
 */
int loop_watch(struct loop *loop, struct watch *w, int fd, unsigned events, watch_fn *fn);

/* Change the set. Can't fail: nothing is allocated. */
void loop_change(struct loop *loop, struct watch *w, unsigned events);

/*
 * Stop watching; do this before the descriptor is closed. No event that the current batch
 * still holds for it is delivered, also when the number is watched again by another within the
 * batch. A watch that is not watched: nothing.
 */
void loop_unwatch(struct loop *loop, struct watch *w);

/* Call fn once when `delay_ms` (at least 1) have passed; a timer that is set is set anew, which
 * can't fail. Returns 0 or -ENOMEM. */
int loop_timer(struct loop *loop, struct timer *t, int64_t delay_ms, timer_fn *fn);

/* Unset it; a timer that is not set: nothing. */
void loop_timer_stop(struct loop *loop, struct timer *t);

/* Call fn when every event of this batch has been dispatched. Once for each call. */
void loop_defer(struct loop *loop, struct deferred *d, void (*fn)(struct deferred *d));

/*
 * For a watch that has been called: it has received `count` datagrams (a run of them counts as
 * one), and with that all there were, or else there may be more. Where they come thick and fast but
 * few at a time the loop rests for some microseconds before it waits again, so that more come
 * together, as long as that pays (pace.h); but never after a batch in which anything else has
 * happened.
 */
void loop_received(struct loop *loop, unsigned count, bool all);

#endif
