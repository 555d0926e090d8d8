/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/session.h"

#include <stdlib.h>
#include <unistd.h>

#include "flow/admit.h"
#include "flow/dial.h"
#include "flow/listener.h"
#include "flow/persist.h"
#include "flow/relay.h"
#include "flow/udp.h"
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

/* Likewise of a session of datagrams. */
static const struct stage_ops udp_stages[] = {
    [STAGE_DIAL] = {dial_enter, dial_event, dial_timer, dial_leave},
    [STAGE_RELAY] = {udp_relay_enter, udp_relay_event, udp_relay_timer, udp_relay_leave},
};

static const struct stage_ops *stage_of(const struct session *s)
{
    return s->udp ? &udp_stages[s->stage] : &stages[s->stage];
}

/* An ended session's memory is there until the batch is over. */
static void on_event(struct session *s, enum side side, unsigned events)
{
    if (s->slot)
        persist_before(s);
    session_step(s, stage_of(s)->event(s, side, events));
    if (s->slot)
        persist_after(s);
}

static void on_client(struct watch *w, unsigned events)
{
    on_event(container_of(w, struct session, watch[CLIENT]), CLIENT, events);
}

static void on_upstream(struct watch *w, unsigned events)
{
    on_event(container_of(w, struct session, watch[UPSTREAM]), UPSTREAM, events);
}

static void on_timer(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);

    if (s->slot)
        persist_before(s);
    session_step(s, stage_of(s)->timer(s));
    if (s->slot)
        persist_after(s);
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
    if (s->slot || s->shared) /* the manager has it too */
        (s->reset[side] ? sock_abort : sock_end)(s->fd[side]);
    else if (s->reset[side])
        sock_reset(s->fd[side]);
    else
        close(s->fd[side]);
    s->fd[side] = -1;
}

static void free_session(struct deferred *d)
{
    struct session *s = container_of(d, struct session, free);

    free(s->udp);
    conf_unref(s->conf->rule->conf);
    rule_unref(s->rule);
    free(s);
}

unsigned session_fds(const struct session *s)
{
    return s->udp ? SESSION_FDS_DATAGRAMS : SESSION_FDS;
}

static void end_session(struct session *s, enum end end)
{
    struct worker *w = s->worker;

    s->ended = true;
    stage_of(s)->leave(s);
    loop_timer_stop(w->loop, &s->timer);
    close_side(s, CLIENT);
    close_side(s, UPSTREAM);
    persist_end(s);
    if (s->udp)
        udp_session_detach(s);
    list_remove(&s->link);
    w->live--;
    w->served++;
    account_session(s, end);
    admit_release(s->rule, s->listener, session_fds(s));
    loop_defer(w->loop, &s->free, free_session);
    worker_changed(w);
}

void session_step(struct session *s, struct verdict v)
{
    while (v.what == NEXT) {
        stage_of(s)->leave(s);
        s->stage++;
        v = stage_of(s)->enter(s);
    }
    if (v.what == END)
        end_session(s, v.end);
}

void session_end_now(struct session *s, enum end end)
{
    bool relaying = s->stage == STAGE_RELAY && !s->udp;

    for (enum side side = CLIENT; side <= UPSTREAM; side++)
        s->reset[side] = !relaying || !relay_is_whole(s, side);
    end_session(s, relaying && relay_is_flushing(s) ? (enum end)s->half_end : end);
}

void session_abandon(struct session *s)
{
    struct worker *w = s->worker;

    s->ended = true;
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        loop_unwatch(w->loop, &s->watch[side]);
        if (s->fd[side] >= 0)
            close(s->fd[side]);
        s->fd[side] = -1;
    }
    stage_of(s)->leave(s);
    loop_timer_stop(w->loop, &s->timer);
    if (s->udp)
        udp_session_detach(s);
    list_remove(&s->link);
    w->live--;
    admit_release(s->rule, s->listener, session_fds(s));
    loop_defer(w->loop, &s->free, free_session);
}

static struct session *new_session(struct rule *rule, struct listener *l,
                                   const struct conf_listen *conf)
{
    struct worker *w = rule->worker;
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->worker = w;
    s->rule = rule_ref(rule);
    s->listener = l;
    s->conf = conf;
    conf_ref(conf->rule->conf);
    s->watch[CLIENT] = s->watch[UPSTREAM] = WATCH_NONE;
    s->fd[CLIENT] = s->fd[UPSTREAM] = -1;
    s->started = s->active = loop_now(w->loop);
    list_append(&w->sessions, &s->link);
    w->live++;
    return s;
}

/* One that has not begun after all. */
static void drop_session(struct session *s)
{
    list_remove(&s->link);
    s->worker->live--;
    free_session(&s->free);
}

void session_begin(struct listener *l, int fd, const struct addr *client)
{
    struct rule *rule = l->rule;
    struct session *s = new_session(rule, l, l->conf);

    if (!s) {
        sock_reset(fd);
        admit_release(rule, l, SESSION_FDS);
        account_refused(rule, client, END_ERROR, "no memory for a session");
        return;
    }
    s->fd[CLIENT] = fd;
    s->client = *client;
    s->id = rule->worker->next_id++;
    account_opened(s);
    worker_changed(rule->worker);
    session_step(s, dial_enter(s));
}

struct session *session_begin_datagrams(struct listener *l, const struct dgram_path *from)
{
    struct rule *rule = l->rule;
    struct session *s = new_session(rule, l, l->conf);

    if (s)
        s->client = from->peer;
    if (!s || udp_session_attach(s, &from->local)) {
        if (s)
            drop_session(s);
        admit_release(rule, l, SESSION_FDS_DATAGRAMS);
        account_refused(rule, &from->peer, END_ERROR, "no memory for a session");
        return NULL;
    }
    s->id = rule->worker->next_id++;
    s->stage = l->conf->rule->target_count > 0 ? STAGE_RELAY : STAGE_DIAL;
    account_opened(s);
    worker_changed(rule->worker);
    session_step(s, stage_of(s)->enter(s));
    return s->ended ? NULL : s;
}

struct session *session_adopt(struct rule *rule, struct listener *l, const struct conf_listen *conf)
{
    struct session *s;

    if (!admit_adopt(rule, l, SESSION_FDS))
        return NULL;
    s = new_session(rule, l, conf);
    if (s)
        account_adopted(s);
    else
        admit_release(rule, l, SESSION_FDS);
    return s;
}

struct session *session_adopt_datagrams(struct rule *rule, struct listener *l,
                                        const struct conf_listen *conf,
                                        const struct dgram_path *from)
{
    struct session *s;

    if (!admit_adopt(rule, l, SESSION_FDS_DATAGRAMS))
        return NULL;
    s = new_session(rule, l, conf);
    if (s)
        s->client = from->peer;
    if (s && udp_session_attach(s, &from->local) == 0) {
        account_adopted(s);
        return s;
    }
    if (s)
        drop_session(s);
    admit_release(rule, l, SESSION_FDS_DATAGRAMS);
    return NULL;
}

void session_resume(struct session *s, const struct dial_state *dial)
{
    if (s->stage == STAGE_DIAL)
        session_step(s, dial_resume(s, dial));
    else
        session_step(s, s->udp ? udp_relay_resume(s) : relay_resume(s));
}
