/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "loop/engine.h"
#include "loop/pace.h"
#include "loop/timer.h"

/* By descriptor: who watches it. The generation tells this watch from earlier ones of the number.
 */
struct slot {
    struct watch *watch;
    uint32_t generation;
};

struct loop {
    const struct engine *engine;
    void *state;
    bool may_move; /* to epoll, once there are more than this engine serves well */
    bool stopping;
    struct slot *slots;
    size_t slot_count;
    size_t watched;
    struct timers timers;
    struct list deferred;
    int64_t now;
    unsigned received; /* datagrams in this batch */
    bool is_datagrams; /* the watch that was called has received some */
    bool in_a_hurry;   /* no rest after this batch */
    bool sleeps_exactly;
    struct pace pace;
    uint64_t turns;
    struct histogram slow; /* of them, those of 1 ms and more */
    loop_moved_fn *moved;
    void *moved_arg;
    struct engine_event batch[ENGINE_BATCH];
};

struct loop *loop_new(enum loop_engine which)
{
    struct loop *loop;
    int error;

    if (which == LOOP_EPOLL && !engine_epoll) {
        errno = ENOTSUP;
        return NULL;
    }
    loop = calloc(1, sizeof(*loop));
    if (!loop)
        return NULL;
    loop->engine = which == LOOP_EPOLL ? engine_epoll : &engine_select;
    loop->may_move = which == LOOP_AUTO && engine_epoll;
    list_init(&loop->deferred);
    loop->now = clock_monotonic_ms();
    error = loop->engine->init(&loop->state);
    if (error) {
        free(loop);
        errno = -error;
        return NULL;
    }
    return loop;
}

static void run_deferred(struct loop *loop)
{
    struct list *link;

    while ((link = list_take_first(&loop->deferred))) {
        struct deferred *d = container_of(link, struct deferred, link);

        d->fn(d);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    run_deferred(loop);
    loop->engine->fini(loop->state);
    timers_free(&loop->timers);
    free(loop->slots);
    free(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

const char *loop_engine_name(const struct loop *loop)
{
    return loop->engine->name;
}

size_t loop_watched(const struct loop *loop)
{
    return loop->watched;
}

void loop_on_move(struct loop *loop, loop_moved_fn *fn, void *arg)
{
    loop->moved = fn;
    loop->moved_arg = arg;
}

/* Every watch goes to epoll, tags and all, so that events at hand stay valid; or none does. */
static void move_to_epoll(struct loop *loop)
{
    void *state;

    loop->may_move = false;
    if (engine_epoll->init(&state))
        return;
    for (size_t fd = 0; fd < loop->slot_count; fd++) {
        const struct slot *slot = &loop->slots[fd];

        if (slot->watch && engine_epoll->modify(state, (int)fd, slot->generation, ENGINE_UNWATCHED,
                                                slot->watch->events)) {
            engine_epoll->fini(state);
            return;
        }
    }
    loop->engine->fini(loop->state);
    loop->engine = engine_epoll;
    loop->state = state;
    if (loop->moved)
        loop->moved(loop->moved_arg, loop->engine->name);
}

static int make_slot(struct loop *loop, int fd)
{
    size_t count = loop->slot_count ? loop->slot_count : 64;
    struct slot *grown;

    if ((size_t)fd < loop->slot_count)
        return 0;
    while ((size_t)fd >= count)
        count *= 2;
    grown = realloc(loop->slots, count * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + loop->slot_count, 0, (count - loop->slot_count) * sizeof(*grown));
    loop->slots = grown;
    loop->slot_count = count;
    return 0;
}

int loop_watch(struct loop *loop, struct watch *w, int fd, unsigned events, watch_fn *fn)
{
    struct slot *slot;
    int error;

    assert(w->fd == -1 && fd >= 0);
    error = make_slot(loop, fd);
    if (error)
        return error;
    slot = &loop->slots[fd];
    assert(!slot->watch);
    slot->generation++;
    error = loop->engine->modify(loop->state, fd, slot->generation, ENGINE_UNWATCHED, (int)events);
    if (error)
        return error;
    slot->watch = w;
    *w = (struct watch){.fn = fn, .fd = fd, .events = (uint8_t)events};
    loop->watched++;
    if (loop->may_move && loop->watched > loop->engine->capacity(loop->state))
        move_to_epoll(loop);
    return 0;
}

void loop_change(struct loop *loop, struct watch *w, unsigned events)
{
    if (w->events == events)
        return;
    loop->engine->modify(loop->state, w->fd, loop->slots[w->fd].generation, w->events, (int)events);
    w->events = (uint8_t)events;
}

void loop_unwatch(struct loop *loop, struct watch *w)
{
    if (w->fd < 0)
        return;
    loop->engine->modify(loop->state, w->fd, 0, w->events, ENGINE_UNWATCHED);
    loop->slots[w->fd].watch = NULL;
    loop->watched--;
    w->fd = -1;
}

int loop_timer(struct loop *loop, struct timer *t, int64_t delay_ms, timer_fn *fn)
{
    return timers_set(&loop->timers, t, loop->now + (delay_ms > 0 ? delay_ms : 1), fn);
}

void loop_timer_stop(struct loop *loop, struct timer *t)
{
    timers_unset(&loop->timers, t);
}

void loop_defer(struct loop *loop, struct deferred *d, void (*fn)(struct deferred *d))
{
    d->fn = fn;
    list_append(&loop->deferred, &d->link);
}

static void run_timers(struct loop *loop)
{
    struct timer *t;

    while ((t = timers_first(&loop->timers)) && t->due <= loop->now) {
        timers_unset(&loop->timers, t);
        t->fn(t);
    }
}

/* How long to wait, if it is `now`. */
static int wait_ms(const struct loop *loop, int64_t now)
{
    const struct timer *t = timers_first(&loop->timers);
    int64_t left;

    if (!t)
        return -1;
    left = t->due - now;
    if (left <= 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

void loop_received(struct loop *loop, unsigned count, bool all)
{
    loop->received += count;
    loop->is_datagrams = true;
    if (!all)
        loop->in_a_hurry = true;
}

/* The kernel's slack is 50 us unless asked for less: more than the rest itself. What this thread
 * makes inherits that (prctl(2)), and is only woken more exactly. */
static void sleep_exactly(struct loop *loop, int64_t us)
{
    struct timespec t = {.tv_nsec = us * 1000};

    if (!loop->sleeps_exactly)
        prctl(PR_SET_TIMERSLACK, 1000UL);
    loop->sleeps_exactly = true;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* a signal ends it: so be it */
}

static void rest(struct loop *loop)
{
    int64_t now, us;

    if (loop->received > 0 && !loop->stopping) {
        now = clock_monotonic_us();
        us = pace_turn(&loop->pace, loop->received, now, clock_thread_cpu_us);
        if (us > 0 && !loop->in_a_hurry) {
            sleep_exactly(loop, us);
            pace_rested(&loop->pace, now, clock_monotonic_us());
        }
    }
    loop->received = 0;
    loop->in_a_hurry = false;
}

static void dispatch(struct loop *loop, const struct engine_event *event)
{
    const struct slot *slot = &loop->slots[event->fd];
    struct watch *w = slot->watch;
    unsigned events;

    if (!w || slot->generation != event->tag)
        return;
    events = event->events & (w->events | LOOP_ERROR);
    if (!events)
        return;
    loop->is_datagrams = false;
    w->fn(w, events);
    if (!loop->is_datagrams)
        loop->in_a_hurry = true; /* others have work here, and would pay for rests */
}

/* Most take so little that they are only counted. */
static void count_turn(struct loop *loop, int64_t took_ms)
{
    loop->turns++;
    if (took_ms > 0)
        histogram_add(&loop->slow, (uint64_t)took_ms);
}

void loop_turns(const struct loop *loop, struct histogram *out)
{
    uint64_t slow = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        out->counts[i] = loop->slow.counts[i];
        slow += loop->slow.counts[i];
    }
    out->counts[0] += loop->turns - slow;
    out->sum_ms = loop->slow.sum_ms;
}

int loop_run(struct loop *loop)
{
    int64_t end = clock_monotonic_ms();

    loop->stopping = false;
    while (!loop->stopping) {
        int n = loop->engine->wait(loop->state, loop->batch, wait_ms(loop, end));

        if (n < 0)
            return n;
        loop->now = clock_monotonic_ms();
        loop->in_a_hurry = n == ENGINE_BATCH; /* there is more */
        for (int i = 0; i < n; i++)
            dispatch(loop, &loop->batch[i]);
        run_timers(loop);
        run_deferred(loop);
        end = clock_monotonic_ms();
        count_turn(loop, end - loop->now);
        rest(loop);
    }
    return 0;
}
