/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/rule.h"

#include <stdlib.h>

#include "flow/drain.h"
#include "flow/listener.h"

struct rule *rule_new(struct worker *worker, const struct conf_rule *conf)
{
    struct rule *rule = calloc(1, sizeof(*rule));

    if (!rule)
        return NULL;
    conf_ref(conf->conf);
    rule->conf = conf;
    rule->worker = worker;
    rule->refs = 1;
    rule->running = true;
    list_append(&worker->rules, &rule->link);
    list_init(&rule->waiting);
    list_init(&rule->listeners);
    list_init(&rule->lines[0]);
    list_init(&rule->lines[1]);
    return rule;
}

struct rule *rule_ref(struct rule *rule)
{
    rule->refs++;
    return rule;
}

void rule_unref(struct rule *rule)
{
    struct list *link;

    if (--rule->refs > 0)
        return;
    while ((link = list_take_first(&rule->listeners)))
        listener_free(container_of(link, struct listener, link));
    account_flush(rule);
    list_remove(&rule->link);
    conf_unref(rule->conf->conf);
    free(rule);
}

void rule_change(struct rule *rule, const struct conf_rule *conf)
{
    struct conf *before = rule->conf->conf;

    conf_ref(conf->conf);
    rule->conf = conf;
    conf_unref(before);
}

/* --- steered by its operator ----------------------------------------------------------------- */

static void change_state(struct rule *rule, enum rule_state state, const char *word)
{
    if (rule->state == state)
        return;
    rule->state = state;
    if (state != RULE_DRAINING)
        drain_rule_not(rule);
    list_for_each (link, next, &rule->listeners)
        listener_follow(container_of(link, struct listener, link));
    log_fields(rule->worker->log, LEVEL_INFO, word,
               (struct log_field[]){LOG_TEXT("rule", rule->conf->name)}, 1);
    worker_changed(rule->worker);
}

void rule_pause(struct rule *rule)
{
    change_state(rule, RULE_PAUSED, "paused");
}

int rule_drain(struct rule *rule)
{
    int error = 0;

    if (rule->state != RULE_DRAINING)
        error = drain_rule(rule, rule->conf->conf->daemon.drain_timeout);
    if (error == 0)
        change_state(rule, RULE_DRAINING, "draining");
    return error;
}

void rule_resume(struct rule *rule)
{
    change_state(rule, RULE_RUNNING, "resumed");
}

const char *rule_state_word(const struct rule *rule)
{
    static const char *const words[] = {
        [RULE_RUNNING] = "running", [RULE_PAUSED] = "paused", [RULE_DRAINING] = "draining"};

    return rule->running ? words[rule->state] : "removed";
}

bool rule_has_gone(const struct rule *rule)
{
    return !rule->running && atomic_load(&rule->live) == 0;
}

void rule_close(struct rule *rule)
{
    list_for_each (link, next, &rule->listeners)
        listener_close(container_of(link, struct listener, link));
}

struct sock_keepalive rule_keepalive(const struct conf_options *o)
{
    return (struct sock_keepalive){.on = o->keepalive,
                                   .idle_s = (int)(o->keepalive_idle / 1000),
                                   .interval_s = (int)(o->keepalive_interval / 1000),
                                   .count = (int)o->keepalive_count};
}
