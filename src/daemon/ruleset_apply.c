/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A config becomes the one at work in two steps. Planning allocates and opens whatever the new
 * rules need, and may fail for one rule or for all. Carrying it out can't fail: it moves listeners,
 * closes what nobody wants, and tells the sessions.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "conf/diff.h"
#include "daemon/beside.h"
#include "daemon/ruleset.h"
#include "flow/admit.h"
#include "flow/drain.h"
#include "flow/listener.h"
#include "flow/session.h"

/* What is to become of one rule of the new config. */
struct plan {
    const struct diff_rule *diff;
    struct rule *rule; /* the one of that name, if it is alive; else a new one */
    bool is_new;       /* nothing refers to it but the plan */
    bool failed;
    struct list opened; /* listeners for its new addresses */
};

struct apply {
    struct ruleset *set;
    struct conf *conf;
    struct passed *passed;
    struct ruleset_changes *changes;
    struct conf_diff diff;
    struct plan *plans; /* one each for conf->rules */
    size_t plan_count;
    struct rule **rules;          /* the new set->rules */
    const struct conf_rule **old; /* the rules at work, their snapshots referenced */
    size_t old_count;
    struct table *alive;   /* rules by name, also those that live for their sessions only */
    struct table *by_name; /* plans */
};

/* --- planning -------------------------------------------------------------------------------- */

/* At start there is nothing that a rule could stay. */
static void plan_failed(struct apply *ap, struct plan *p, const struct conf_listen *at, int error,
                        const char *why)
{
    const char *outcome = "";

    if (p->diff->old)
        outcome = "; the rule stays as it was";
    else if (ap->old_count > 0)
        outcome = "; the rule is left out";
    p->failed = true;
    log_message(ap->set->worker->log, LEVEL_ERROR, "%s:%u: rule %s: cannot listen on %s: %s%s%s%s",
                at->at.file, at->at.line, p->diff->new->name, at->text, strerror(-error),
                why ? ": " : "", why ? why : "", outcome);
}

/* Ready to accept, but for a rule to do it for. */
static int add_listener(struct plan *p, struct listener *l)
{
    int error = listener_start(l);

    if (error)
        return error;
    list_append(&p->opened, &l->link);
    return 0;
}

static void open_one(struct apply *ap, struct plan *p, const struct conf_listen *conf)
{
    struct listener *l = listener_new(ap->set->worker, conf);
    int passed = passed_find(ap->passed, conf, 0), error = -ENOMEM;
    const char *why = NULL;

    if (l)
        error = passed >= 0 ? passed_adopt(ap->passed, passed, l, &why) : listener_open(l, &why);
    if (error == -EADDRINUSE && beside_open(ap->set, &ap->diff, l, &why) == 0)
        error = 0;
    if (error == 0)
        error = add_listener(p, l);
    if (error == 0)
        return;
    plan_failed(ap, p, conf, error, why);
    if (l)
        listener_free(l);
}

/* Each of the sockets passed under one name is a listener of its own. */
static void open_passed(struct apply *ap, struct plan *p, const struct conf_listen *conf)
{
    int index = passed_find(ap->passed, conf, 0);

    if (index < 0)
        plan_failed(ap, p, conf, -ENOENT,
                    "the service manager passed no socket of this name (FileDescriptorName=)");
    for (; index >= 0 && !p->failed; index = passed_find(ap->passed, conf, index + 1))
        open_one(ap, p, conf);
}

static void close_opened(struct plan *p)
{
    struct list *link;

    while ((link = list_take_first(&p->opened)))
        listener_free(container_of(link, struct listener, link));
}

/* Every address is tried, so that every error is told at once. */
static void plan_listens(struct apply *ap, struct plan *p)
{
    for (size_t i = 0; i < p->diff->new->listen_count; i++) {
        const struct conf_listen *conf = &p->diff->new->listens[i];

        if (conf_diff_old(&ap->diff, conf))
            continue;
        if (conf->kind == ADDR_SYSTEMD)
            open_passed(ap, p, conf);
        else
            open_one(ap, p, conf);
    }
    if (p->failed)
        close_opened(p);
}

static int plan_rule(struct apply *ap, struct plan *p)
{
    p->rule = table_find(ap->alive, p->diff->new->name);
    if (!p->rule) {
        p->rule = rule_new(ap->set->worker, p->diff->new);
        p->is_new = true;
    }
    if (!p->rule || table_insert(ap->by_name, p->diff->new->name, p))
        return -ENOMEM;
    plan_listens(ap, p);
    return 0;
}

/* A rule that stays as it was keeps addresses that others were to have. Returns whether one of them
 * can't change either, for that reason. */
static bool plan_loses(struct apply *ap, struct plan *p)
{
    for (size_t i = 0; i < p->diff->new->listen_count && !p->failed; i++) {
        const struct conf_listen *conf = &p->diff->new->listens[i];
        const struct conf_listen *old = conf_diff_old(&ap->diff, conf);
        const struct plan *keeper = old ? table_find(ap->by_name, old->rule->name) : NULL;

        if (keeper && keeper != p && keeper->failed)
            plan_failed(ap, p, conf, -EADDRINUSE, "the rule that has it can't change");
    }
    list_for_each (link, next, &p->opened) {
        const struct listener *l = container_of(link, struct listener, link);
        const struct listener *old = beside_whom(ap->set, l->conf);
        const struct plan *keeper = old ? table_find(ap->by_name, old->rule->conf->name) : NULL;

        if (keeper && keeper->failed && !p->failed)
            plan_failed(ap, p, l->conf, -EADDRINUSE, "the rule that has it can't change");
    }
    if (p->failed)
        close_opened(p);
    return p->failed;
}

/* One that fails may be the reason for another to fail. */
static void settle_plans(struct apply *ap)
{
    bool again = false;

    for (size_t i = 0; i < ap->plan_count; i++)
        again = again || ap->plans[i].failed;
    while (again) {
        again = false;
        for (size_t i = 0; i < ap->plan_count; i++) {
            if (!ap->plans[i].failed &&
                (ap->plans[i].diff->moved_in > 0 || !list_empty(&ap->plans[i].opened)))
                again = plan_loses(ap, &ap->plans[i]) || again;
        }
    }
}

static int find_alive(struct apply *ap)
{
    ap->alive = table_new();
    ap->by_name = table_new();
    if (!ap->alive || !ap->by_name)
        return -ENOMEM;
    list_for_each (link, next, &ap->set->worker->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (table_insert(ap->alive, rule->conf->name, rule) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

static int compare(struct apply *ap)
{
    const struct conf_rule **new = calloc(ap->conf->rule_count, sizeof(*new));
    int error;

    ap->old = calloc(ap->set->count + 1, sizeof(*ap->old));
    ap->plans = calloc(ap->conf->rule_count, sizeof(*ap->plans));
    /* room for every rule that may stay */
    ap->rules = calloc(ap->conf->rule_count + 1, sizeof(struct rule *));
    if (!new || !ap->old || !ap->plans || !ap->rules) {
        free(new);
        return -ENOMEM;
    }
    for (size_t i = 0; i < ap->set->count; i++) {
        ap->old[ap->old_count++] = ap->set->rules[i]->conf;
        conf_ref(ap->set->rules[i]->conf->conf);
    }
    for (size_t i = 0; i < ap->conf->rule_count; i++)
        new[i] = &ap->conf->rules[i];
    error = conf_diff(&ap->diff, ap->old, ap->old_count, new, ap->conf->rule_count);
    free(new);
    return error;
}

static int make_plans(struct apply *ap)
{
    int error = compare(ap);

    if (error == 0)
        error = find_alive(ap);
    for (size_t i = 0; i < ap->conf->rule_count && error == 0; i++) {
        struct plan *p = &ap->plans[ap->plan_count++];

        p->diff = &ap->diff.rules[i];
        list_init(&p->opened);
        error = plan_rule(ap, p);
    }
    if (error == 0)
        settle_plans(ap);
    return error;
}

static void forget_plans(struct apply *ap)
{
    for (size_t i = 0; i < ap->plan_count; i++) {
        close_opened(&ap->plans[i]);
        if (ap->plans[i].is_new && ap->plans[i].rule)
            rule_unref(ap->plans[i].rule);
    }
    for (size_t i = 0; i < ap->old_count; i++)
        conf_unref(ap->old[i]->conf);
    if (ap->diff.rules)
        conf_diff_free(&ap->diff);
    table_free(ap->alive);
    table_free(ap->by_name);
    free(ap->plans);
    free(ap->old);
    free(ap->rules);
}

/* --- carrying it out ------------------------------------------------------------------------- */

/* The plan that has an address now; NULL: nobody, or one that stays as it was. */
static struct plan *new_owner(const struct apply *ap, const struct conf_listen *old,
                              const struct conf_listen **new)
{
    struct plan *p;

    *new = conf_diff_new(&ap->diff, old);
    p = *new ? table_find(ap->by_name, (*new)->rule->name) : NULL;
    return p && !p->failed ? p : NULL;
}

static void keep_listener(struct apply *ap, struct plan *p, struct listener *l,
                          const struct conf_listen *new)
{
    const char *why = NULL;
    int error = listener_change(l, new, &why);

    if (error)
        log_message(ap->set->worker->log, LEVEL_WARNING, "%s:%u: rule %s: %s: %s: %s", new->at.file,
                    new->at.line, new->rule->name, new->text, why ? why : "", strerror(-error));
    if (l->rule != p->rule)
        listener_attach(l, p->rule);
}

/* What the rule at work has to give, to others or up; it takes the rest along. What closes goes to
 * `closing`. */
static void sort_listeners(struct apply *ap, struct rule *rule, struct list *closing)
{
    list_for_each (link, next, &rule->listeners) {
        struct listener *l = container_of(link, struct listener, link);
        const struct conf_listen *new;
        struct plan *owner = new_owner(ap, l->conf, &new);

        if (owner) {
            keep_listener(ap, owner, l, new);
            continue;
        }
        list_remove(&l->link);
        list_append(closing, &l->link);
    }
}

static bool stays_as_it_was(const struct apply *ap, const struct rule *rule)
{
    const struct plan *p = table_find(ap->by_name, rule->conf->name);

    return p && p->failed;
}

/* Clients who have been let in already are served: they came while the rule was at work. */
static void close_listeners(struct apply *ap, struct list *closing)
{
    if (list_empty(closing))
        return;
    list_for_each (link, next, closing)
        listener_empty(container_of(link, struct listener, link));
    list_for_each (link, next, closing)
        listener_close(container_of(link, struct listener, link));
    list_for_each (link, next, &ap->set->worker->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->listener && s->listener->fd < 0)
            s->listener = NULL;
    }
    struct list *link;

    while ((link = list_take_first(closing)))
        listener_free(container_of(link, struct listener, link));
}

/* Has this session to go, and if so in how many milliseconds? -1: it hasn't. */
static int64_t time_left(const struct apply *ap, const struct session *s)
{
    const struct plan *p = table_find(ap->by_name, s->rule->conf->name);
    const struct conf_listen *new;

    if (!s->rule->running)
        return drain_time(s->rule->conf->options.on_change, ap->conf->daemon.drain_timeout);
    if (!p || p->failed || !p->diff->upstream_changed)
        return -1;
    new = conf_diff_new(&ap->diff, s->conf);
    if (new &&new->rule == p->diff->new && !diff_upstream_changed(s->conf, new))
        return -1;
    return drain_time(p->diff->new->options.on_change, ap->conf->daemon.drain_timeout);
}

static bool concerns_sessions(const struct apply *ap)
{
    for (size_t i = 0; i < ap->diff.rule_count; i++) {
        if (!ap->diff.rules[i].new || ap->diff.rules[i].upstream_changed)
            return true;
    }
    return false;
}

/* Those of a rule that went at an earlier reload know already: to tell them again changes nothing.
 */
static void tell_sessions(struct apply *ap)
{
    if (!concerns_sessions(ap))
        return;
    list_for_each (link, next, &ap->set->worker->sessions) {
        struct session *s = container_of(link, struct session, link);
        int64_t ms = time_left(ap, s);

        if (ms >= 0 && drain_session(s, ms))
            log_message(ap->set->worker->log, LEVEL_ERROR, "rule %s: draining: %s",
                        s->rule->conf->name, strerror(ENOMEM));
    }
}

static void carry_out_plan(struct apply *ap, struct plan *p)
{
    struct list *link;

    if (p->failed)
        ap->changes->failed++;
    else if (!p->diff->old)
        ap->changes->added++;
    else if (!diff_rule_is_unchanged(p->diff))
        ap->changes->changed++;
    if (p->failed && !p->diff->old)
        return; /* left out */
    if (!p->failed) {
        rule_change(p->rule, p->diff->new);
        while ((link = list_take_first(&p->opened)))
            listener_attach(container_of(link, struct listener, link), p->rule);
    }
    ap->rules[ap->set->count++] = p->rule;
    if (!p->rule->running || !p->diff->old) {
        if (!p->is_new)
            rule_ref(p->rule); /* the one that the set had was given up */
        p->rule->running = true;
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

static void warn_of_promises(const struct worker *w, const struct conf *conf)
{
    uint64_t promised = conf_descriptors_promised(conf);

    if (promised > w->fds->room)
        log_fields(w->log, LEVEL_WARNING,
                   "the limits promise more descriptors than can be had: lower max_connections, or "
                   "raise the hard limit (LimitNOFILE= under systemd)",
                   (struct log_field[]){LOG_NUMBER("promised", promised),
                                        LOG_NUMBER("available", w->fds->room)},
                   2);
}

static void carry_out(struct apply *ap)
{
    struct ruleset *set = ap->set;
    struct rule **before = set->rules;
    size_t count = set->count;
    struct list closing;

    list_init(&closing);
    for (size_t i = 0; i < count; i++) {
        if (!stays_as_it_was(ap, before[i]))
            sort_listeners(ap, before[i], &closing);
        before[i]->running = table_find(ap->by_name, before[i]->conf->name) != NULL;
        ap->changes->removed += !before[i]->running;
    }
    close_listeners(ap, &closing);
    set->count = 0;
    for (size_t i = 0; i < ap->plan_count; i++)
        carry_out_plan(ap, &ap->plans[i]);
    set->rules = ap->rules;
    ap->rules = before;
    set->listeners = count_listeners(set);
    conf_ref(ap->conf);
    conf_unref(set->conf);
    set->conf = ap->conf;
    tell_sessions(ap);
    drop_removed(before, count);
}

int ruleset_apply(struct ruleset *set, struct conf *conf, struct passed *passed,
                  struct ruleset_changes *changes)
{
    struct apply ap = {.set = set, .conf = conf, .passed = passed, .changes = changes};
    int error;

    *changes = (struct ruleset_changes){0};
    error = make_plans(&ap);
    if (error == 0) {
        warn_of_promises(set->worker, conf);
        carry_out(&ap);
    }
    forget_plans(&ap);
    return error;
}
