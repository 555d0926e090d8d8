/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/admit.h"

#include "flow/listener.h"
#include "flow/rule.h"
#include "os/fds.h"

/* Add one unless that would exceed `most`. */
static bool take_place(atomic_uint *live, unsigned most)
{
    unsigned now = atomic_load_explicit(live, memory_order_relaxed);

    do {
        if (now >= most)
            return false;
    } while (!atomic_compare_exchange_weak(live, &now, now + 1));
    return true;
}

/* Sessions come before the pipes that are kept for the next transfer. */
static bool book_session(struct worker *w, unsigned fds)
{
    if (fds_book(w->fds, fds))
        return true;
    pipe_pool_trim(&w->pipes);
    return fds_book(w->fds, fds);
}

enum admit admit_take(struct listener *l)
{
    struct rule *rule = l->rule;

    if (!take_place(&rule->live, rule->conf->options.max_connections))
        return ADMIT_FULL;
    if (!take_place(&l->live, l->conf->max_connections)) {
        atomic_fetch_sub(&rule->live, 1);
        return ADMIT_FULL;
    }
    if (!book_session(rule->worker, l->udp ? SESSION_FDS_DATAGRAMS : SESSION_FDS)) {
        atomic_fetch_sub(&l->live, 1);
        atomic_fetch_sub(&rule->live, 1);
        return ADMIT_NO_DESCRIPTORS;
    }
    return ADMIT_YES;
}

bool admit_adopt(struct rule *rule, struct listener *l, unsigned fds)
{
    if (!book_session(rule->worker, fds))
        return false;
    atomic_fetch_add(&rule->live, 1);
    if (l)
        atomic_fetch_add(&l->live, 1);
    return true;
}

bool admit_has_room(const struct listener *l)
{
    return atomic_load(&l->rule->live) < l->rule->conf->options.max_connections &&
           atomic_load(&l->live) < l->conf->max_connections;
}

void admit_wake(struct rule *rule)
{
    list_for_each (link, next, &rule->waiting) {
        struct listener *waiting = container_of(link, struct listener, waiting);

        if (admit_has_room(waiting))
            listener_wake(waiting);
    }
}

void admit_release(struct rule *rule, struct listener *l, unsigned fds)
{
    fds_release(rule->worker->fds, fds);
    atomic_fetch_sub(&rule->live, 1);
    if (l)
        atomic_fetch_sub(&l->live, 1);
    admit_wake(rule);
    if (l && l->rule != rule) /* it has been given to another rule */
        admit_wake(l->rule);
}
