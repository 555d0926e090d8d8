/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: shown, paused, drained, resumed. */
#include "config.h"

#include <stdlib.h>

#include "base/table.h"
#include "flow/rule.h"
#include "flow/totals.h"
#include "ops/api.h"
#include "ops/find.h"
#include "ops/json.h"
#include "ops/json_list.h"

/* --- one ------------------------------------------------------------------------------------- */

static struct answer *no_rule(const char *name)
{
    return answer_error(404, "not-found", "there is no rule \"%s\"", name);
}

static struct answer *answer_rule(const struct rule *rule)
{
    struct totals totals;

    totals_of_rule(rule, &totals);
    return answer_json(200, json_rule(rule, &totals));
}

struct answer *api_rule(struct api_call *c)
{
    const struct rule *rule = find_rule(c->api->host.worker, c->name);

    return rule ? answer_rule(rule) : no_rule(c->name);
}

/* A rule that can be steered; NULL, and then *answer is what is to be said. */
static struct rule *rule_of(struct api_call *c, struct answer **answer)
{
    struct rule *rule = find_rule(c->api->host.worker, c->name);

    *answer = NULL;
    if (rule && rule->running)
        return rule;
    *answer =
        rule ? answer_error(409, "conflict",
                            "the rule \"%s\" is in the config no more, and lets nobody in", c->name)
             : no_rule(c->name);
    return NULL;
}

struct answer *api_pause(struct api_call *c)
{
    struct answer *answer;
    struct rule *rule = rule_of(c, &answer);

    if (!rule)
        return answer;
    rule_pause(rule);
    events_rule(&c->api->events, rule, "paused");
    return answer_rule(rule);
}

struct answer *api_resume(struct api_call *c)
{
    struct answer *answer;
    struct rule *rule = rule_of(c, &answer);

    if (!rule)
        return answer;
    rule_resume(rule);
    events_rule(&c->api->events, rule, "resumed");
    return answer_rule(rule);
}

struct answer *api_drain(struct api_call *c)
{
    struct answer *answer;
    struct rule *rule = rule_of(c, &answer);

    if (!rule)
        return answer;
    if (rule_drain(rule))
        return NULL;
    events_rule(&c->api->events, rule, "draining");
    return answer_rule(rule);
}

/* --- all ------------------------------------------------------------------------------------- */

struct shown_rule {
    const struct conf_rule *conf; /* its name; the snapshot is referenced */
    struct totals totals;         /* of all at the same moment */
};

struct rule_list {
    struct json_list list;
    struct worker *worker;
    struct shown_rule *rules;

    /* Of the slice. */
    size_t first;
    const struct rule *found[JSON_LIST_SLICE];
};

static void free_list(struct json_list *list)
{
    struct rule_list *l = container_of(list, struct rule_list, list);

    for (size_t i = 0; i < list->count; i++)
        conf_unref(l->rules[i].conf->conf);
    free(l->rules);
    free(l);
}

/* The slice's rules, by their names: each leads to its place. NULL without memory. */
static struct table *places_of(struct rule_list *l, size_t count)
{
    struct table *places = table_new();

    for (size_t i = 0; places && i < count; i++) {
        l->found[i] = NULL;
        if (table_insert(places, l->rules[l->first + i].conf->name, &l->found[i])) {
            table_free(places);
            return NULL;
        }
    }
    return places;
}

/* One may have gone since the list began, or have come back. */
static bool look(struct json_list *list, size_t first, size_t count)
{
    struct rule_list *l = container_of(list, struct rule_list, list);
    struct table *places;

    l->first = first;
    places = places_of(l, count);
    if (!places)
        return false;
    list_for_each (link, next, &l->worker->rules) {
        const struct rule *rule = container_of(link, struct rule, link);
        const struct rule **place = table_find(places, rule->conf->name);

        if (place)
            *place = rule;
    }
    table_free(places);
    return true;
}

static bool item(struct json_list *list, size_t i, json_t **out)
{
    struct rule_list *l = container_of(list, struct rule_list, list);
    const struct rule *rule = l->found[i - l->first];

    if (!rule)
        return true;
    *out = json_rule(rule, &l->rules[i].totals);
    return *out != NULL;
}

static void add(struct rule_list *l, const struct rule *rule, const struct totals *totals)
{
    conf_ref(rule->conf->conf);
    l->rules[l->list.count++] = (struct shown_rule){rule->conf, totals[rule->number]};
}

/* The rules by their names; NULL without memory. */
static struct table *names_of(const struct worker *w)
{
    struct table *names = table_new();

    if (!names)
        return NULL;
    list_for_each (link, next, &w->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (table_insert(names, rule->conf->name, rule)) {
            table_free(names);
            return NULL;
        }
    }
    return names;
}

/* Those of the config in its order, and then the others. 0, or -1 without memory. */
static int fill_list(struct rule_list *l, const struct conf *conf)
{
    struct table *names = names_of(l->worker);
    size_t count = 0;
    struct totals *totals = names ? totals_of_rules(l->worker, &count) : NULL;

    l->rules = totals ? calloc(count + 1, sizeof(*l->rules)) : NULL;
    for (size_t i = 0; l->rules && i < conf->rule_count; i++) {
        const struct rule *rule = table_remove(names, conf->rules[i].name);

        if (rule)
            add(l, rule, totals);
    }
    list_for_each (link, next, &l->worker->rules) {
        const struct rule *rule = container_of(link, struct rule, link);

        if (l->rules && table_find(names, rule->conf->name))
            add(l, rule, totals);
    }
    free(totals);
    table_free(names);
    return l->rules ? 0 : -1;
}

struct answer *api_rules(struct api_call *c)
{
    struct ops_host *host = &c->api->host;
    struct rule_list *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->worker = host->worker;
    l->list.name = "rules";
    l->list.look = look;
    l->list.item = item;
    l->list.free = free_list;
    if (fill_list(l, host->conf(host->arg))) {
        free(l);
        return NULL;
    }
    return answer_json_list(&l->list);
}
