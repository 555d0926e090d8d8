/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/drain.h"

#include "conf/conf.h"
#include "flow/session.h"
#include "flow/worker.h"

/* Ended in one turn of the loop: each costs several system calls and a line in the log. */
#define SLICE 32

int64_t drain_due(const struct session *s)
{
    int64_t of_rule = s->rule->drain_at;

    if (s->drain_at == 0 || (of_rule != 0 && of_rule < s->drain_at))
        return of_rule;
    return s->drain_at;
}

/* Those that are due beyond a slice are found again a moment later. */
static void on_timer(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, drain);
    int64_t now = loop_now(w->loop), next = INT64_MAX;
    unsigned ended = 0;

    list_for_each (link, after, &w->sessions) {
        struct session *s = container_of(link, struct session, link);
        int64_t at = drain_due(s);

        if (at == 0)
            continue;
        if (at <= now && ended < SLICE) {
            session_end_now(s, END_DRAINED);
            ended++;
        } else if (at < next) {
            next = at <= now ? now + 1 : at;
        }
    }
    if (next < INT64_MAX)
        loop_timer(w->loop, t, next - now, on_timer); /* there is room: it has just been unset */
}

/* The timer goes off in `ms` at the latest. */
static int set_timer(struct worker *w, int64_t ms)
{
    if (w->drain.place != 0 && loop_now(w->loop) + ms >= w->drain.due)
        return 0;
    return loop_timer(w->loop, &w->drain, ms, on_timer);
}

int drain_session(struct session *s, int64_t ms)
{
    int64_t at = loop_now(s->worker->loop) + ms;
    int error;

    if (ms == 0) {
        session_end_now(s, END_KILLED);
        return 0;
    }
    if (s->drain_at != 0 && s->drain_at <= at)
        return 0;
    error = set_timer(s->worker, ms);
    if (error == 0)
        s->drain_at = at;
    return error;
}

int drain_rule(struct rule *rule, int64_t ms)
{
    int error;

    if (ms < 1)
        ms = 1;
    error = set_timer(rule->worker, ms);
    if (error == 0)
        rule->drain_at = loop_now(rule->worker->loop) + ms;
    return error;
}

void drain_rule_not(struct rule *rule)
{
    rule->drain_at = 0;
}

void drain_datagrams(struct worker *w)
{
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->udp)
            session_end_now(s, END_SHUTDOWN);
    }
}

int64_t drain_time(int64_t on_change, int64_t drain_timeout)
{
    switch (on_change) {
    case ON_CHANGE_KEEP:
        return -1;
    case ON_CHANGE_DRAIN:
        return drain_timeout;
    default:
        return on_change;
    }
}
