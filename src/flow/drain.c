/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/drain.h"

#include "conf/conf.h"
#include "flow/session.h"
#include "flow/worker.h"

static void on_timer(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, drain);
    int64_t now = loop_now(w->loop), next = INT64_MAX;

    list_for_each (link, after, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->drain_at == 0)
            continue;
        if (s->drain_at <= now)
            session_end_now(s, END_DRAINED);
        else if (s->drain_at < next)
            next = s->drain_at;
    }
    if (next < INT64_MAX)
        loop_timer(w->loop, t, next - now, on_timer); /* there is room: it has just been unset */
}

int drain_session(struct session *s, int64_t ms)
{
    struct worker *w = s->worker;
    int64_t at = loop_now(w->loop) + ms;

    if (ms == 0) {
        session_end_now(s, END_KILLED);
        return 0;
    }
    if (s->drain_at != 0 && s->drain_at <= at)
        return 0;
    if (w->drain.place == 0 || at < w->drain.due) {
        int error = loop_timer(w->loop, &w->drain, ms, on_timer);

        if (error)
            return error;
    }
    s->drain_at = at;
    return 0;
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
