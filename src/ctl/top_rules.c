/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_rules.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/value.h"

/* --- what the daemon says ----------------------------------------------------------------------
 */

/* How bad it is when a listener is in that state, which none is that is not in its rule's. */
static int badness(const char *state)
{
    static const char *const states[] = {"waiting", "resting", "no-interface", "closed"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(state, states[i]) == 0)
            return (int)i + 1;
    }
    return 0;
}

static char *state_of(const json_t *said)
{
    const char *state = value_text(said, "state");
    const json_t *listener;
    size_t i;

    if (strcmp(state, "running") != 0)
        return text_safe(state);
    json_array_foreach(json_object_get(said, "listeners"), i, listener)
    {
        const char *its = value_text(listener, "state");

        if (badness(its) > badness(state))
            state = its;
    }
    return text_safe(state);
}

static char *listen_of(const json_t *said)
{
    char *text = value_joined(json_object_get(said, "listeners"), "address");
    char *safe = text_safe(text[0] ? text : "-");

    free(text);
    return safe;
}

static void read_rule(struct top_rule *rule, json_t *said, size_t place)
{
    const char *state = value_text(said, "state");

    *rule = (struct top_rule){
        .name = value_text(said, "name"),
        .label = text_safe(value_text(said, "name")),
        .listen = listen_of(said),
        .upstream = text_safe(value_text(said, "upstream")),
        .state = state_of(said),
        .is_removed = strcmp(state, "removed") == 0,
        .takes_clients = strcmp(state, "running") == 0,
        .said = json_incref(said),
        .place = place,
        .sessions = value_number(said, "sessions"),
        .limit = value_number(said, "limit"),
        .opened = value_number(said, "opened"),
        .bytes_in = value_number(said, "bytes_in"),
        .bytes_out = value_number(said, "bytes_out"),
        .refused = value_sum(said, "refused"),
        .failed = value_failed(said),
        .rate_in = -1,
        .rate_out = -1,
    };
}

static void drop(struct top_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rules[i].label);
        free(rules[i].listen);
        free(rules[i].upstream);
        free(rules[i].state);
        json_decref(rules[i].said);
    }
    free(rules);
}

/* --- over time ---------------------------------------------------------------------------------
 */

/* What the same rule was before. It mostly has the place that it had. */
static const struct top_rule *before(const struct top_rules *r, const struct top_rule *rule)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct top_rule *was = &r->all[(rule->place + i) % r->count];

        if (was->is_removed == rule->is_removed && strcmp(was->name, rule->name) == 0)
            return was;
    }
    return NULL;
}

/* A counter that has gone back began anew. */
static int64_t grown(int64_t now, int64_t was)
{
    return now >= was ? now - was : 0;
}

static void compare(struct top_rule *rule, const struct top_rule *was, int64_t ms)
{
    rule->traffic = was->traffic;
    rule->refusals = was->refusals;
    rule->failures = was->failures;
    if (ms <= 0)
        return;
    rule->rate_in = value_rate(grown(rule->bytes_in, was->bytes_in), ms);
    rule->rate_out = value_rate(grown(rule->bytes_out, was->bytes_out), ms);
    trend_add(&rule->traffic, rule->rate_in + rule->rate_out);
    trend_add(&rule->refusals, grown(rule->refused, was->refused));
    trend_add(&rule->failures, grown(rule->failed, was->failed));
}

void rules_take(struct top_rules *r, const json_t *body, int64_t now_ms)
{
    json_t *list = json_object_get(body, "rules"), *said;
    size_t count = json_array_size(list), i;
    struct top_rule *all = must(calloc(count + 1, sizeof(*all)));

    json_array_foreach(list, i, said)
    {
        const struct top_rule *was;

        read_rule(&all[i], said, i);
        was = before(r, &all[i]);
        if (was)
            compare(&all[i], was, r->at_ms > 0 ? now_ms - r->at_ms : 0);
    }
    drop(r->all, r->count);
    free(r->shown);
    *r = (struct top_rules){.all = all, .count = count, .at_ms = now_ms};
}

void rules_other_process(struct top_rules *r)
{
    r->at_ms = 0;
}

/* --- what is shown -----------------------------------------------------------------------------
 */

static bool passes(const struct top_rule *rule, const char *filter)
{
    return filter[0] == '\0' || strcasestr(rule->label, filter) ||
           strcasestr(rule->listen, filter) || strcasestr(rule->upstream, filter) ||
           strcasecmp(rule->state, filter) == 0;
}

static double rank(const struct top_rule *rule, enum rules_sort sort)
{
    switch (sort) {
    case RULES_BY_SESSIONS:
        return (double)rule->sessions;
    case RULES_BY_FULLNESS:
        return rule->limit > 0 ? (double)rule->sessions / (double)rule->limit : 0;
    case RULES_BY_IN:
        return (double)rule->rate_in;
    case RULES_BY_OUT:
        return (double)rule->rate_out;
    case RULES_BY_REFUSED:
        return (double)rule->refused;
    case RULES_BY_FAILED:
        return (double)trend_sum(&rule->failures, TREND_MAX);
    default:
        return 0;
    }
}

struct order {
    enum rules_sort sort;
    bool reverse;
};

/* For qsort_r(3). Equal ones stay as they are in the config. */
static int in_order(const void *left, const void *right, void *arg)
{
    const struct top_rule *a = *(const struct top_rule *const *)left;
    const struct top_rule *b = *(const struct top_rule *const *)right;
    const struct order *order = arg;
    double by_rank = rank(b, order->sort) - rank(a, order->sort);
    int by_place = a->place < b->place ? -1 : a->place > b->place;
    int found = by_rank < 0 ? -1 : by_rank > 0;

    if (order->sort == RULES_BY_NAME)
        found = strcmp(a->label, b->label);
    if (found == 0 && order->sort != RULES_AS_CONFIGURED)
        return by_place;
    found = found != 0 ? found : by_place;
    return order->reverse ? -found : found;
}

void rules_arrange(struct top_rules *r, const char *filter, enum rules_sort sort, bool reverse)
{
    struct order order = {sort, reverse};

    r->shown = must_resize(r->shown, r->count + 1, sizeof(struct top_rule *));
    r->shown_count = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (passes(&r->all[i], filter))
            r->shown[r->shown_count++] = &r->all[i];
    }
    qsort_r(r->shown, r->shown_count, sizeof(struct top_rule *), in_order, &order);
}

const struct top_rule *rules_find(const struct top_rules *r, const char *name)
{
    const struct top_rule *found = NULL;

    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->all[i].name, name) == 0 && (!found || found->is_removed))
            found = &r->all[i];
    }
    return found;
}

void rules_free(struct top_rules *r)
{
    drop(r->all, r->count);
    free(r->shown);
    *r = (struct top_rules){0};
}
