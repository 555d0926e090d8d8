/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying out a plan: listeners move, those that nobody wants close, the sessions are told. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "daemon/ruleset.h"
#include "daemon/ruleset_plan.h"
#include "flow/admit.h"
#include "flow/drain.h"
#include "flow/listener.h"
#include "flow/session.h"
#include "flow/udp.h"
#include "ops/ops.h"
#include "os/sock.h"
#include "os/systemd.h"

/* The plan that has an address now; NULL: nobody, or one that stays as it was. */
static struct plan *new_owner(const struct ruleset_plan *rp, const struct conf_listen *old,
                              const struct conf_listen **new)
{
    struct plan *p;

    *new = conf_diff_new(&rp->diff, old);
    p = *new ? table_find(rp->by_name, (*new)->rule->name) : NULL;
    return p && !p->failed ? p : NULL;
}

static void keep_listener(struct ruleset_plan *rp, struct plan *p, struct listener *l,
                          const struct conf_listen *new)
{
    const char *why = NULL;
    int error = listener_change(l, new, &why);

    if (error)
        log_message(rp->set->worker->log, LEVEL_WARNING, "%s:%u: rule %s: %s: %s: %s", new->at.file,
                    new->at.line, new->rule->name, new->text, why ? why : "", strerror(-error));
    if (l->rule != p->rule)
        listener_attach(l, p->rule);
}

/* What the rule at work has to give, to others or up; it takes the rest along. What closes goes to
 * `closing`. */
static void sort_listeners(struct ruleset_plan *rp, struct rule *rule, struct list *closing)
{
    list_for_each (link, next, &rule->listeners) {
        struct listener *l = container_of(link, struct listener, link);
        const struct conf_listen *new;
        struct plan *owner = new_owner(rp, l->conf, &new);

        if (owner) {
            keep_listener(rp, owner, l, new);
            continue;
        }
        list_remove(&l->link);
        list_append(closing, &l->link);
    }
}

static bool stays_as_it_was(const struct ruleset_plan *rp, const struct rule *rule)
{
    const struct plan *p = table_find(rp->by_name, rule->conf->name);

    return p && p->failed;
}

/* The service manager has its socket, too (store.h). */
static void leave_port(struct ruleset *set, const struct listener *l)
{
    if (l->conf->kind != ADDR_SYSTEMD && !l->udp->is_picky && systemd_is_there() &&
        sock_retire(l->fd) == 0)
        left_ports_add(&set->left, l->conf->address.port);
}

/* Clients who have been let in already are served: they came while the rule was at work. */
static void close_listeners(struct ruleset_plan *rp, struct list *closing)
{
    if (list_empty(closing))
        return;
    list_for_each (link, next, closing)
        listener_empty(container_of(link, struct listener, link));
    list_for_each (link, next, closing) {
        struct listener *l = container_of(link, struct listener, link);

        if (l->udp)
            leave_port(rp->set, l);
        listener_close(l); /* ends its sessions of datagrams */
    }
    list_for_each (link, next, &rp->set->worker->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->listener && s->listener->fd < 0)
            s->listener = NULL;
    }
    struct list *link;

    while ((link = list_take_first(closing)))
        listener_free(container_of(link, struct listener, link));
}

/* Has this session to go, and if so in how many milliseconds? -1: it hasn't. */
static int64_t time_left(const struct ruleset_plan *rp, const struct session *s)
{
    const struct plan *p = table_find(rp->by_name, s->rule->conf->name);
    const struct conf_listen *new;

    if (!s->rule->running)
        return drain_time(s->rule->conf->options.on_change, rp->conf->daemon.drain_timeout);
    if (!p || p->failed || !p->diff->upstream_changed)
        return -1;
    new = conf_diff_new(&rp->diff, s->conf);
    if (new &&new->rule == p->diff->new && !diff_upstream_changed(s->conf, new))
        return -1;
    return drain_time(p->diff->new->options.on_change, rp->conf->daemon.drain_timeout);
}

static bool concerns_sessions(const struct ruleset_plan *rp)
{
    for (size_t i = 0; i < rp->diff.rule_count; i++) {
        if (!rp->diff.rules[i].new || rp->diff.rules[i].upstream_changed)
            return true;
    }
    return false;
}

/* Those of a rule that went at an earlier reload know already: to tell them again changes nothing.
 */
static void tell_sessions(struct ruleset_plan *rp)
{
    if (!concerns_sessions(rp))
        return;
    list_for_each (link, next, &rp->set->worker->sessions) {
        struct session *s = container_of(link, struct session, link);
        int64_t ms = time_left(rp, s);

        if (ms >= 0 && drain_session(s, ms))
            log_message(rp->set->worker->log, LEVEL_ERROR, "rule %s: draining: %s",
                        s->rule->conf->name, strerror(ENOMEM));
    }
}

static void carry_out_plan(struct ruleset_plan *rp, struct plan *p, struct ruleset_changes *changes)
{
    struct list *link;

    if (p->failed)
        changes->failed++;
    else if (!p->diff->old)
        changes->added++;
    else if (!diff_rule_is_unchanged(p->diff))
        changes->changed++;
    if (p->failed && !p->diff->old)
        return; /* left out */
    if (!p->failed) {
        rule_change(p->rule, p->diff->new);
        while ((link = list_take_first(&p->opened)))
            listener_attach(container_of(link, struct listener, link), p->rule);
    }
    rp->rules[rp->set->count++] = p->rule;
    if (!p->rule->running || !p->diff->old) {
        if (!p->is_new)
            rule_ref(p->rule); /* the one that the set had was given up */
        p->rule->running = true;
        rule_resume(p->rule); /* it was taken out and comes back: as a new one */
        p->is_new = false;
    }
    admit_wake(p->rule); /* a limit may have been raised */
}

/* The set lets go of rules that are gone; those with sessions live on. */
static void drop_removed(struct rule **rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!rules[i]->running)
            rule_unref(rules[i]);
    }
}

static size_t count_listeners(const struct ruleset *set)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        list_for_each (link, next, &set->rules[i]->listeners)
            count++;
    }
    return count;
}

static void note_promises(struct worker *w, const struct conf *conf)
{
    uint64_t promised = conf_descriptors_promised(conf) + ops_descriptors(conf);

    fds_promise(w->fds, promised);
    pipe_pool_limit(&w->pipes, w->fds->pipes);
    if (promised > w->fds->room)
        log_fields(w->log, LEVEL_WARNING,
                   "the limits promise more descriptors than can be had: lower max_connections, or "
                   "raise the hard limit (LimitNOFILE= under systemd)",
                   (struct log_field[]){LOG_NUMBER("promised", promised),
                                        LOG_NUMBER("available", w->fds->room)},
                   2);
}

static void carry_out(struct ruleset_plan *rp, struct ruleset_changes *changes)
{
    struct ruleset *set = rp->set;
    struct rule **before = set->rules;
    size_t count = set->count;
    struct list closing;

    list_init(&closing);
    for (size_t i = 0; i < count; i++) {
        if (!stays_as_it_was(rp, before[i]))
            sort_listeners(rp, before[i], &closing);
        before[i]->running = table_find(rp->by_name, before[i]->conf->name) != NULL;
        changes->removed += !before[i]->running;
    }
    close_listeners(rp, &closing);
    set->count = 0;
    for (size_t i = 0; i < rp->plan_count; i++)
        carry_out_plan(rp, &rp->plans[i], changes);
    set->rules = rp->rules;
    rp->rules = before;
    set->listeners = count_listeners(set);
    conf_ref(rp->conf);
    conf_unref(set->conf);
    set->conf = rp->conf;
    tell_sessions(rp);
    drop_removed(before, count);
}

int ruleset_apply(struct ruleset *set, struct conf *conf, struct passed *passed,
                  struct ruleset_changes *changes)
{
    struct ruleset_plan rp;
    int error = ruleset_plan_make(&rp, set, conf, passed);

    *changes = (struct ruleset_changes){0};
    if (error == 0) {
        note_promises(set->worker, conf);
        carry_out(&rp, changes);
    }
    ruleset_plan_free(&rp);
    return error;
}
