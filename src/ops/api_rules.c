/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: shown, paused, drained, resumed. */
#include "config.h"

#include <stdlib.h>

#include "flow/listener.h"
#include "flow/rule.h"
#include "flow/totals.h"
#include "ops/api.h"
#include "ops/find.h"
#include "ops/json.h"
#include "ops/json_list.h"

/* --- shown ----------------------------------------------------------------------------------- */

struct shown_rule {
    struct rule *rule;    /* referenced */
    struct totals totals; /* of all at the same moment */
};

struct rule_list {
    struct json_list list;
    struct shown_rule *rules;
    uint64_t told;               /* the id of the last listener of the rule being told; or 0 */
    const struct listener *next; /* of the slice */
};

static void free_list(struct json_list *list)
{
    struct rule_list *l = container_of(list, struct rule_list, list);

    for (size_t i = 0; i < list->count; i++)
        rule_unref(l->rules[i].rule);
    free(l->rules);
    free(l);
}

static const struct listener *listener_at(const struct rule *rule, const struct list *link)
{
    return link != &rule->listeners ? container_of(link, struct listener, link) : NULL;
}

/* A reload may have taken any of them away between two slices. */
static bool look(struct json_list *list, size_t first, size_t count)
{
    struct rule_list *l = container_of(list, struct rule_list, list);

    if (count > 0)
        l->next = find_listener_behind(l->rules[first].rule, l->told);
    return true;
}

static bool item(struct json_list *list, size_t i, json_t **out)
{
    struct rule_list *l = container_of(list, struct rule_list, list);
    const struct rule *rule = l->rules[i].rule;

    if (rule_has_gone(rule))
        return true; /* since the list began */
    l->told = 0;
    l->next = listener_at(rule, rule->listeners.next);
    *out = json_rule_head(rule);
    return *out != NULL;
}

static bool part(struct json_list *list, size_t i, json_t **out)
{
    struct rule_list *l = container_of(list, struct rule_list, list);

    if (!l->next)
        return true;
    l->told = l->next->id;
    *out = json_listener(l->next);
    l->next = listener_at(l->rules[i].rule, l->next->link.next);
    return *out != NULL;
}

static bool rest(struct json_list *list, size_t i, json_t **out)
{
    struct rule_list *l = container_of(list, struct rule_list, list);

    l->told = 0;
    *out = json_rule_rest(l->rules[i].rule, &l->rules[i].totals);
    return *out != NULL;
}

static void add(struct rule_list *l, struct rule *rule, const struct totals *totals)
{
    l->rules[l->list.count++] = (struct shown_rule){rule_ref(rule), totals[rule->number]};
}

/* Those of the config in its order, and then the others. 0, or -1 without memory. */
static int fill_list(struct rule_list *l, const struct ops_host *host)
{
    size_t all, running;
    struct totals *totals = totals_of_rules(host->worker, &all);
    struct rule *const *rules = host->rules(host->arg, &running);

    l->rules = totals ? calloc(all + 1, sizeof(*l->rules)) : NULL;
    for (size_t i = 0; l->rules && i < running; i++)
        add(l, rules[i], totals);
    list_for_each (link, next, &host->worker->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (l->rules && !rule->running && !rule_has_gone(rule))
            add(l, rule, totals);
    }
    free(totals);
    return l->rules ? 0 : -1;
}

static struct rule_list *new_list(const char *name)
{
    struct rule_list *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->list.name = name;
    l->list.look = look;
    l->list.item = item;
    l->list.inner = "listeners";
    l->list.part = part;
    l->list.rest = rest;
    l->list.free = free_list;
    return l;
}

/* A rule can have thousands of listeners. */
static struct answer *answer_rule(struct rule *rule)
{
    struct rule_list *l = new_list(NULL);

    if (!l || !(l->rules = malloc(sizeof(*l->rules)))) {
        free(l);
        return NULL;
    }
    l->rules[0].rule = rule_ref(rule);
    totals_of_rule(rule, &l->rules[0].totals);
    l->list.count = 1;
    return answer_json_list(&l->list);
}

static struct answer *no_rule(const char *name)
{
    return answer_error(404, "not-found", "there is no rule \"%s\"", name);
}

struct answer *api_rule(struct api_call *c)
{
    struct rule *rule = find_rule(c->api->host.worker, c->name);

    return rule ? answer_rule(rule) : no_rule(c->name);
}

struct answer *api_rules(struct api_call *c)
{
    struct rule_list *l = new_list("rules");

    if (!l)
        return NULL;
    if (fill_list(l, &c->api->host)) {
        free(l);
        return NULL;
    }
    return answer_json_list(&l->list);
}

/* --- steered --------------------------------------------------------------------------------- */

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
