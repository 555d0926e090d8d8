/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the loop watch: one end of a pair, and what was called for it. */
#ifndef PENSTOCK_TESTS_LOOP_PROBE_H
#define PENSTOCK_TESTS_LOOP_PROBE_H

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/engine.h"
#include "loop/loop.h"

/* Those that are built in. */
static inline int engine_count(void)
{
    return engine_epoll ? 2 : 1;
}

static inline enum loop_engine engine_number(int i)
{
    return i == 0 ? LOOP_SELECT : LOOP_EPOLL;
}

static inline struct loop *make(int i)
{
    struct loop *loop = loop_new(engine_number(i));

    ck_assert_ptr_nonnull(loop);
    return loop;
}

/* What the callbacks of these tests see and do. */
struct probe {
    struct watch watch;
    struct loop *loop;
    int calls;
    unsigned events;
    int near; /* our end of a pair, and ... */
    int peer; /* ... the other */
    struct probe *victim;
    int *left; /* what is counted down */
    struct deferred deferred;
};

static inline void set_up(struct probe *p, struct loop *loop)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *p = (struct probe){.watch = WATCH_NONE, .loop = loop, .near = fds[0], .peer = fds[1]};
}

static inline void start(struct probe *p, unsigned events, watch_fn *fn)
{
    ck_assert_int_eq(loop_watch(p->loop, &p->watch, p->near, events, fn), 0);
}

static inline void tear_down(struct probe *p)
{
    int fd = p->watch.fd;

    loop_unwatch(p->loop, &p->watch);
    if (fd >= 0)
        close(fd);
    if (p->peer >= 0)
        close(p->peer);
}

static inline void note_and_stop(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);

    p->calls++;
    p->events = events;
    loop_stop(p->loop);
}

/* A loop that is stopped by a timer, for what must not happen. */
struct stopper {
    struct timer timer;
    struct loop *loop;
};

static inline void stop_at(struct timer *t)
{
    loop_stop(container_of(t, struct stopper, timer)->loop);
}

static inline void run_for(struct loop *loop, int ms)
{
    struct stopper s = {.loop = loop};

    ck_assert_int_eq(loop_timer(loop, &s.timer, ms, stop_at), 0);
    ck_assert_int_eq(loop_run(loop), 0);
    loop_timer_stop(loop, &s.timer);
}

#endif
