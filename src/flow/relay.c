/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "flow/move.h"
#include "flow/persist.h"
#include "flow/worker.h"
#include "os/sock.h"

/*
 * After one side was reset, the other still gets what was received for it. That is bounded: it ends
 * when nothing has been taken for this long. A server's last words are worth more patience than
 * those of a client that has gone away.
 */
#define STALL_CLIENT_MS   5000
#define STALL_UPSTREAM_MS 250

/* How often to look whether the kernel has sent what was given to it: there is no event for that.
 */
#define SETTLE_MS 10

/*
 * Keepalive is set on the upstream once a session has lasted this long: most never need it, and for
 * a short one its system calls would be a good part of the cost. (The client's comes with the
 * listener's.)
 */
#define KEEPALIVE_AFTER_MS 1000

/* --- timers ---------------------------------------------------------------------------------- */

static bool is_flushing(const struct session *s)
{
    return s->half.phase == PHASE_FLUSHING_CLIENT || s->half.phase == PHASE_FLUSHING_UPSTREAM;
}

static enum side flushed_side(const struct session *s)
{
    return s->half.phase == PHASE_FLUSHING_CLIENT ? CLIENT : UPSTREAM;
}

/* After how much silence the session ends, and why; INT64_MAX: never. */
static int64_t patience(const struct session *s, enum end *why)
{
    const struct conf_options *o = session_options(s);
    int64_t ms = INT64_MAX;

    if (is_flushing(s)) {
        *why = s->half_end;
        return flushed_side(s) == CLIENT ? STALL_CLIENT_MS : STALL_UPSTREAM_MS;
    }
    *why = END_IDLE_TIMEOUT;
    if (o->idle_timeout > 0)
        ms = o->idle_timeout;
    if (half_is_closing(&s->half) && o->half_close_timeout > 0 && o->half_close_timeout < ms) {
        *why = END_HALF_CLOSE_TIMEOUT;
        ms = o->half_close_timeout;
    }
    return ms;
}

/* Set the timer for the state that the session is in. Bytes that move don't touch it: when it
 * fires, what is left is computed anew. */
static int arm(struct session *s)
{
    enum end why;
    int64_t ms = patience(s, &why);
    int64_t due = ms == INT64_MAX ? INT64_MAX : s->active + ms;

    if (is_flushing(s))
        return session_timer(s, SETTLE_MS);
    if (s->keepalive && due > s->started + KEEPALIVE_AFTER_MS)
        due = s->started + KEEPALIVE_AFTER_MS;
    return due == INT64_MAX ? 0 : session_timer(s, due - loop_now(s->worker->loop));
}

static void set_keepalive(struct session *s)
{
    struct sock_keepalive ka = rule_keepalive(session_options(s));

    sock_set_keepalive(s->fd[UPSTREAM], &s->upstream, &ka);
    s->keepalive = false;
}

/* --- half-close ------------------------------------------------------------------------------ */

static struct verdict reset_both(struct session *s, enum end end)
{
    s->reset[CLIENT] = true;
    s->reset[UPSTREAM] = true;
    return VERDICT_END(end);
}

static struct verdict act(struct session *s, unsigned actions);

static struct verdict feed(struct session *s, enum half_event event)
{
    return act(s, half_step(&s->half, event));
}

/* Has the kernel sent everything to the side that is flushed? Each bit of progress buys time. */
static struct verdict settle(struct session *s)
{
    unsigned unsent = sock_unsent(s->fd[flushed_side(s)]);

    if (unsent == 0)
        return feed(s, EVENT_SETTLED);
    if (unsent < s->unsent)
        s->active = loop_now(s->worker->loop);
    s->unsent = unsent;
    return VERDICT_WAIT;
}

static struct verdict act(struct session *s, unsigned actions)
{
    if (actions & ACT_INVALID)
        abort(); /* an impossible step: going on could only corrupt the stream */
    if (actions & ACT_DROP_CLIENT)
        move_drop(s, UPSTREAM);
    if (actions & ACT_DROP_UPSTREAM)
        move_drop(s, CLIENT);
    /* A side that can't be shut has just been reset; its own event will tell. */
    if (actions & ACT_SHUT_CLIENT)
        shutdown(s->fd[CLIENT], SHUT_WR);
    if (actions & ACT_SHUT_UPSTREAM)
        shutdown(s->fd[UPSTREAM], SHUT_WR);
    if (actions & ACT_CLOSE)
        return VERDICT_END(END_DONE);
    if (actions & ACT_RESET)
        return reset_both(s, s->half_end);
    if (actions & ACT_SETTLE) {
        s->unsent = UINT32_MAX;
        return settle(s);
    }
    return VERDICT_WAIT;
}

static struct verdict side_reset(struct session *s, enum side side, int error)
{
    if (s->half.phase == PHASE_RELAYING) {
        s->half_end = side == CLIENT ? END_CLIENT_RESET : END_UPSTREAM_RESET;
        s->error = error;
        s->active = loop_now(s->worker->loop);
    }
    return feed(s, half_on(EVENT_RST_CLIENT, side));
}

/* Is there anything left to do for the bytes of `from`? */
static bool is_moving(const struct session *s, enum side from)
{
    return s->half.dir[from] != DIR_SHUT &&
           (!is_flushing(s) || flushed_side(s) == other_side(from));
}

/* A reset that no event has told yet. */
static struct verdict find_reset(struct session *s)
{
    struct verdict v = VERDICT_WAIT;

    for (enum side side = CLIENT; side <= UPSTREAM && v.what == WAIT; side++) {
        int error = sock_error(s->fd[side]);

        if (error)
            v = side_reset(s, side, error);
    }
    return v;
}

/*
 * Nothing more will come from `from`, and nothing that came is held: it is not read while something
 * is. If this is the second FIN, both sides are about to be closed: the last chance to see that one
 * was reset.
 */
static struct verdict side_ended(struct session *s, enum side from)
{
    struct verdict v = feed(s, half_on(EVENT_FIN_CLIENT, from));

    s->active = loop_now(s->worker->loop); /* half_close_timeout counts from here */
    if (v.what == WAIT && !is_flushing(s) && s->half.dir[other_side(from)] == DIR_SHUT)
        v = find_reset(s);
    if (v.what == WAIT && is_moving(s, from))
        v = feed(s, half_on(EVENT_SENT_CLIENT, from));
    return v;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static struct verdict pump(struct session *s, enum side from)
{
    struct verdict v = VERDICT_WAIT;
    int error = 0;

    if (!is_moving(s, from))
        return VERDICT_WAIT;
    switch (move_bytes(s, from, half_reads(&s->half, from), &error)) {
    case MOVE_DRY:
    case MOVE_BLOCKED:
    case MOVE_MORE:
        break;
    case MOVE_EOF:
        return side_ended(s, from);
    case MOVE_SRC_RST:
        /* The kernel gives a reset only after the last byte that came before it. */
        if (!is_flushing(s))
            v = side_reset(s, from, error);
        return v.what == WAIT ? side_ended(s, from) : v;
    case MOVE_DST_RST:
        return side_reset(s, other_side(from), error);
    case MOVE_FAILED:
        s->error = error;
        return reset_both(s, END_ERROR);
    }
    return VERDICT_WAIT;
}

static unsigned interest(const struct session *s, enum side side)
{
    unsigned events = 0;

    if (half_reads(&s->half, side) && move_held(s, side) == 0)
        events |= LOOP_READ;
    if (move_held(s, other_side(side)) > 0)
        events |= LOOP_WRITE;
    return events;
}

static struct verdict watch_both(struct session *s)
{
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        int error = session_watch(s, side, interest(s, side));

        if (error) {
            s->error = -error;
            return reset_both(s, END_ERROR);
        }
    }
    return VERDICT_WAIT;
}

/* --- the stage ------------------------------------------------------------------------------- */

struct verdict relay_enter(struct session *s)
{
    bool splicing = session_options(s)->relay == RELAY_SPLICE && pipe_built_in();

    s->flow[CLIENT].splicing = splicing;
    s->flow[UPSTREAM].splicing = splicing;
    s->active = loop_now(s->worker->loop);
    s->keepalive = session_options(s)->keepalive && s->upstream.family != AF_UNIX;
    if (arm(s)) {
        s->error = ENOMEM;
        return reset_both(s, END_ERROR);
    }
    persist_begin(s);
    return watch_both(s);
}

struct verdict relay_resume(struct session *s)
{
    s->unsent = UINT32_MAX;
    if (arm(s)) {
        s->error = ENOMEM;
        return reset_both(s, END_ERROR);
    }
    persist_begin(s);
    return watch_both(s);
}

struct verdict relay_event(struct session *s, enum side side, unsigned events)
{
    struct half before = s->half;
    struct verdict v = VERDICT_WAIT;

    if (events & LOOP_ERROR) {
        int error = sock_error(s->fd[side]);

        if (error)
            v = side_reset(s, side, error);
    }
    if (v.what == WAIT && events & LOOP_READ)
        v = pump(s, side);
    if (v.what == WAIT && events & LOOP_WRITE)
        v = pump(s, other_side(side));
    if (v.what != WAIT)
        return v;
    if ((before.phase != s->half.phase || half_is_closing(&before) != half_is_closing(&s->half)) &&
        arm(s)) {
        s->error = ENOMEM;
        return reset_both(s, END_ERROR);
    }
    return watch_both(s);
}

struct verdict relay_timer(struct session *s)
{
    enum end why;
    int64_t quiet;

    if (is_flushing(s) && s->half.dir[other_side(flushed_side(s))] == DIR_SHUT) {
        struct verdict v = settle(s);

        if (v.what != WAIT)
            return v;
    }
    if (s->keepalive && loop_now(s->worker->loop) >= s->started + KEEPALIVE_AFTER_MS)
        set_keepalive(s);
    quiet = loop_now(s->worker->loop) - s->active;
    if (quiet >= patience(s, &why)) {
        s->half_end = (uint8_t)why;
        return feed(s, EVENT_TIMEOUT);
    }
    arm(s); /* it has a place in the heap's room, and can't fail */
    return VERDICT_WAIT;
}

void relay_leave(struct session *s)
{
    loop_timer_stop(s->worker->loop, &s->timer);
    move_drop(s, CLIENT);
    move_drop(s, UPSTREAM);
}

bool relay_is_whole(const struct session *s, enum side side)
{
    return !is_flushing(s) && s->half.dir[other_side(side)] == DIR_SHUT;
}

bool relay_is_flushing(const struct session *s)
{
    return is_flushing(s);
}
