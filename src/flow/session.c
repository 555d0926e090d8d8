/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/session.h"

#include <stdlib.h>
#include <unistd.h>

#include "flow/admit.h"
#include "flow/dial.h"
#include "flow/listener.h"
#include "flow/relay.h"
#include "flow/worker.h"
#include "os/sock.h"

/* What a stage is made of. `leave` is called once for each `enter`, whatever the verdict. */
struct stage_ops {
    struct verdict (*enter)(struct session *s);
    struct verdict (*event)(struct session *s, enum side side, unsigned events);
    struct verdict (*timer)(struct session *s);
    void (*leave)(struct session *s);
};

static const struct stage_ops stages[] = {
    [STAGE_DIAL] = {dial_enter, dial_event, dial_timer, dial_leave},
    [STAGE_RELAY] = {relay_enter, relay_event, relay_timer, relay_leave},
};

static void on_client(struct watch *w, unsigned events)
{
    struct session *s = container_of(w, struct session, watch[CLIENT]);

    session_step(s, stages[s->stage].event(s, CLIENT, events));
}

static void on_upstream(struct watch *w, unsigned events)
{
    struct session *s = container_of(w, struct session, watch[UPSTREAM]);

    session_step(s, stages[s->stage].event(s, UPSTREAM, events));
}

static void on_timer(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);

    session_step(s, stages[s->stage].timer(s));
}

int session_watch(struct session *s, enum side side, unsigned events)
{
    struct watch *w = &s->watch[side];

    if (w->fd < 0)
        return loop_watch(s->worker->loop, w, s->fd[side], events,
                          side == CLIENT ? on_client : on_upstream);
    loop_change(s->worker->loop, w, events);
    return 0;
}

int session_timer(struct session *s, int64_t delay_ms)
{
    return loop_timer(s->worker->loop, &s->timer, delay_ms, on_timer);
}

static void close_side(struct session *s, enum side side)
{
    loop_unwatch(s->worker->loop, &s->watch[side]);
    if (s->fd[side] < 0)
        return;
    if (s->reset[side])
        sock_reset(s->fd[side]);
    else
        close(s->fd[side]);
    s->fd[side] = -1;
}

static void free_session(struct deferred *d)
{
    struct session *s = container_of(d, struct session, free);

    conf_unref(s->conf->rule->conf);
    rule_unref(s->rule);
    free(s);
}

static void end_session(struct session *s, enum end end)
{
    struct worker *w = s->worker;

    s->ended = true;
    stages[s->stage].leave(s);
    loop_timer_stop(w->loop, &s->timer);
    close_side(s, CLIENT);
    close_side(s, UPSTREAM);
    list_remove(&s->link);
    w->live--;
    w->served++;
    account_session(s, end);
    admit_release(s->rule, s->listener);
    loop_defer(w->loop, &s->free, free_session);
    worker_changed(w);
}

void session_step(struct session *s, struct verdict v)
{
    while (v.what == NEXT) {
        stages[s->stage].leave(s);
        s->stage++;
        v = stages[s->stage].enter(s);
    }
    if (v.what == END)
        end_session(s, v.end);
}

void session_end_now(struct session *s, enum end end)
{
    bool relaying = s->stage == STAGE_RELAY;

    for (enum side side = CLIENT; side <= UPSTREAM; side++)
        s->reset[side] = !relaying || !relay_is_whole(s, side);
    end_session(s, relaying && relay_is_flushing(s) ? (enum end)s->half_end : end);
}

void session_begin(struct listener *l, int fd, const struct addr *client)
{
    struct rule *rule = l->rule;
    struct worker *w = rule->worker;
    struct session *s = calloc(1, sizeof(*s));

    if (!s) {
        sock_reset(fd);
        admit_release(rule, l);
        account_refused(rule, client, END_ERROR, "no memory for a session");
        return;
    }
    s->worker = w;
    s->rule = rule_ref(rule);
    s->listener = l;
    s->conf = l->conf;
    conf_ref(l->conf->rule->conf);
    s->watch[CLIENT] = s->watch[UPSTREAM] = WATCH_NONE;
    s->fd[CLIENT] = fd;
    s->fd[UPSTREAM] = -1;
    s->client = *client;
    s->id = w->next_id++;
    s->started = s->active = loop_now(w->loop);
    list_append(&w->sessions, &s->link);
    w->live++;
    worker_changed(w);
    s->stage = STAGE_DIAL;
    session_step(s, dial_enter(s));
}
