/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/ruleset_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "conf/errors.h"
#include "flow/listener.h"

/* --- opening --------------------------------------------------------------------------------- */

/* At start there is nothing that a rule could stay. */
static void plan_failed(struct ruleset_plan *rp, struct plan *p, const struct conf_listen *at,
                        int error, const char *why)
{
    const char *outcome = "";

    if (p->diff->old)
        outcome = "; the rule stays as it was";
    else if (rp->old_count > 0)
        outcome = "; the rule is left out";
    if (!p->failed)
        list_append(&rp->failed, &p->failed_link);
    p->failed = true;
    if (rp->set->failures)
        conf_errors_add(rp->set->failures, at->at, "rule \"%s\": cannot listen on %s: %s%s%s%s",
                        p->diff->new->name, at->text, strerror(-error), why ? ": " : "",
                        why ? why : "", outcome);
    log_message(rp->set->worker->log, LEVEL_ERROR, "%s:%u: rule %s: cannot listen on %s: %s%s%s%s",
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

/* A listener was opened beside others. Should one of those stay, it can't. */
struct neighbour {
    struct list link; /* in the list of the plan for the rule that has the other */
    struct plan *plan;
    const struct conf_listen *conf;
};

struct opening {
    const struct ruleset_plan *rp;
    struct plan *plan;
    const struct conf_listen *conf;
};

static int remember_neighbour(struct listener *at_work, void *arg)
{
    const struct opening *o = arg;
    struct plan *keeper = table_find(o->rp->by_name, at_work->rule->conf->name);
    struct neighbour *n;

    if (!keeper || keeper == o->plan)
        return 0; /* it goes in any case; or fails together with this one */
    n = malloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    *n = (struct neighbour){.plan = o->plan, .conf = o->conf};
    list_append(&keeper->has_neighbours, &n->link);
    return 0;
}

static int open_beside(struct ruleset_plan *rp, struct plan *p, struct listener *l,
                       const char **why)
{
    struct opening o = {rp, p, l->conf};
    int error = beside_open(&rp->beside, &rp->diff, l, why);

    return error ? error : beside_each(&rp->beside, l->conf, remember_neighbour, &o);
}

/* It may be one of ours that is in the way, and is about to go. */
static bool is_left(const struct ruleset_plan *rp, const struct conf_listen *conf)
{
    return conf->protocol == PROTOCOL_DATAGRAM &&
           (left_ports_has(&rp->set->left, conf->address.port) ||
            left_ports_has(&rp->passed->left, conf->address.port));
}

static void open_one(struct ruleset_plan *rp, struct plan *p, const struct conf_listen *conf)
{
    struct listener *l = listener_new(rp->set->worker, conf);
    int passed = passed_find(rp->passed, conf, 0), error = -ENOMEM;
    const char *why = NULL;

    if (l)
        error = passed >= 0 ? passed_adopt(rp->passed, passed, l, &why) : listener_open(l, &why);
    if (error == -EADDRINUSE)
        error = open_beside(rp, p, l, &why);
    if (error == -EADDRINUSE && is_left(rp, conf))
        error = listener_open_beside(l, &why);
    if (error == 0)
        error = add_listener(p, l);
    if (error == 0)
        return;
    plan_failed(rp, p, conf, error, why);
    if (l)
        listener_free(l);
}

/* Each of the sockets passed under one name is a listener of its own. */
static void open_passed(struct ruleset_plan *rp, struct plan *p, const struct conf_listen *conf)
{
    int index = passed_find(rp->passed, conf, 0);

    if (index < 0)
        plan_failed(rp, p, conf, -ENOENT,
                    "the service manager passed no socket of this name (FileDescriptorName=)");
    for (; index >= 0 && !p->failed; index = passed_find(rp->passed, conf, index + 1))
        open_one(rp, p, conf);
}

static void close_opened(struct plan *p)
{
    struct list *link;

    while ((link = list_take_first(&p->opened)))
        listener_free(container_of(link, struct listener, link));
}

/* Every address is tried, so that every error is told at once. */
static void plan_listens(struct ruleset_plan *rp, struct plan *p)
{
    for (size_t i = 0; i < p->diff->new->listen_count; i++) {
        const struct conf_listen *conf = &p->diff->new->listens[i];

        if (conf_diff_old(&rp->diff, conf) && table_find(rp->listening, conf->text))
            continue;
        if (conf->kind == ADDR_SYSTEMD)
            open_passed(rp, p, conf);
        else
            open_one(rp, p, conf);
    }
    if (p->failed)
        close_opened(p);
}

static int plan_rule(struct ruleset_plan *rp, struct plan *p, const struct diff_rule *diff)
{
    p->diff = diff;
    list_init(&p->failed_link);
    list_init(&p->opened);
    list_init(&p->has_neighbours);
    p->rule = table_find(rp->alive, p->diff->new->name);
    if (!p->rule) {
        p->rule = rule_new(rp->set->worker, p->diff->new);
        p->is_new = true;
    }
    if (!p->rule || table_insert(rp->by_name, p->diff->new->name, p))
        return -ENOMEM;
    return 0;
}

/* --- one that fails may be the reason for another to fail ------------------------------------ */

static struct plan *plan_of(const struct ruleset_plan *rp, const struct conf_rule *rule)
{
    return table_find(rp->by_name, rule->name);
}

static void cannot_have(struct ruleset_plan *rp, struct plan *p, const struct conf_listen *conf)
{
    if (p->failed)
        return;
    plan_failed(rp, p, conf, -EADDRINUSE, "the rule that has it can't change");
    close_opened(p);
}

/* The rule of `p` stays as it was, and keeps addresses that others were to have. */
static void keeps_addresses(struct ruleset_plan *rp, const struct plan *p)
{
    const struct conf_rule *rule = p->diff->old;

    for (size_t i = 0; rule && i < rule->listen_count; i++) {
        const struct conf_listen *new = conf_diff_new(&rp->diff, &rule->listens[i]);

        if (new)
            cannot_have(rp, plan_of(rp, new->rule), new);
    }
    list_for_each (link, next, &p->has_neighbours) {
        const struct neighbour *n = container_of(link, struct neighbour, link);

        cannot_have(rp, n->plan, n->conf);
    }
}

static void settle_plans(struct ruleset_plan *rp)
{
    struct list *link;

    while ((link = list_take_first(&rp->failed)))
        keeps_addresses(rp, container_of(link, struct plan, failed_link));
}

/* --- all of it ------------------------------------------------------------------------------- */

static int find_alive(struct ruleset_plan *rp)
{
    rp->alive = table_new();
    rp->by_name = table_new();
    rp->listening = table_new();
    if (!rp->alive || !rp->by_name || !rp->listening)
        return -ENOMEM;
    list_for_each (link, next, &rp->set->worker->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (table_insert(rp->alive, rule->conf->name, rule) == -ENOMEM)
            return -ENOMEM;
    }
    for (size_t i = 0; i < rp->set->count; i++) {
        list_for_each (link, next, &rp->set->rules[i]->listeners) {
            struct listener *l = container_of(link, struct listener, link);

            if (table_insert(rp->listening, l->conf->text, l) == -ENOMEM)
                return -ENOMEM;
        }
    }
    return 0;
}

static int compare(struct ruleset_plan *rp)
{
    const struct conf_rule **new = calloc(rp->conf->rule_count, sizeof(*new));
    int error;

    rp->old = calloc(rp->set->count + 1, sizeof(*rp->old));
    rp->plans = calloc(rp->conf->rule_count, sizeof(*rp->plans));
    /* room for every rule that may stay */
    rp->rules = calloc(rp->conf->rule_count + 1, sizeof(struct rule *));
    if (!new || !rp->old || !rp->plans || !rp->rules) {
        free(new);
        return -ENOMEM;
    }
    for (size_t i = 0; i < rp->set->count; i++) {
        rp->old[rp->old_count++] = rp->set->rules[i]->conf;
        conf_ref(rp->set->rules[i]->conf->conf);
    }
    for (size_t i = 0; i < rp->conf->rule_count; i++)
        new[i] = &rp->conf->rules[i];
    error = conf_diff(&rp->diff, rp->old, rp->old_count, new, rp->conf->rule_count);
    free(new);
    return error;
}

int ruleset_plan_make(struct ruleset_plan *rp, struct ruleset *set, struct conf *conf,
                      struct passed *passed)
{
    int error;

    *rp = (struct ruleset_plan){.set = set, .conf = conf, .passed = passed};
    list_init(&rp->failed);
    beside_init(&rp->beside, set);
    error = compare(rp);
    if (error == 0)
        error = find_alive(rp);
    while (rp->plan_count < conf->rule_count && error == 0) {
        struct plan *p = &rp->plans[rp->plan_count];

        error = plan_rule(rp, p, &rp->diff.rules[rp->plan_count++]);
    }
    for (size_t i = 0; i < rp->plan_count && error == 0; i++)
        plan_listens(rp, &rp->plans[i]);
    if (error == 0)
        settle_plans(rp);
    return error;
}

static void forget_plan(struct plan *p)
{
    struct list *link;

    close_opened(p);
    while ((link = list_take_first(&p->has_neighbours)))
        free(container_of(link, struct neighbour, link));
    if (p->is_new && p->rule)
        rule_unref(p->rule);
}

void ruleset_plan_free(struct ruleset_plan *rp)
{
    for (size_t i = 0; i < rp->plan_count; i++)
        forget_plan(&rp->plans[i]);
    beside_fini(&rp->beside);
    for (size_t i = 0; i < rp->old_count; i++)
        conf_unref(rp->old[i]->conf);
    if (rp->diff.rules)
        conf_diff_free(&rp->diff);
    table_free(rp->alive);
    table_free(rp->by_name);
    table_free(rp->listening);
    free(rp->plans);
    free(rp->old);
    free(rp->rules);
}
