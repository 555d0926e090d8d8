/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the daemon, and keeping what it says in order. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/must.h"
#include "ctl/query.h"
#include "ctl/top.h"
#include "ctl/value.h"

#define LOOK_MS 1000 /* no key waits longer for an answer */
#define REST_MS 500  /* between looks at a daemon that does not answer, for keys */

/* --- what is picked ----------------------------------------------------------------------------
 */

struct top_pane *top_pane(struct top *t)
{
    return t->of ? &t->sessions_pane : &t->rules_pane;
}

const struct top_rule *top_picked_rule(const struct top *t)
{
    size_t at = t->rules_pane.list.at;

    if (t->of)
        return rules_find(&t->rules, t->of);
    return at < t->rules.shown_count ? t->rules.shown[at] : NULL;
}

const struct top_session *top_picked_session(const struct top *t)
{
    size_t at = t->sessions_pane.list.at;

    return t->of && at < t->sessions.shown_count ? t->sessions.shown[at] : NULL;
}

static void arrange_rules(struct top *t)
{
    struct top_pane *p = &t->rules_pane;

    rules_arrange(&t->rules, p->filter, (enum rules_sort)p->sort, p->reverse);
    for (size_t i = 0; t->picked && i < t->rules.shown_count; i++) {
        if (strcmp(t->rules.shown[i]->name, t->picked) == 0) {
            p->list.at = i;
            break;
        }
    }
    list_fit(&p->list, t->rules.shown_count, p->list.rows);
}

static void arrange_sessions(struct top *t)
{
    struct top_pane *p = &t->sessions_pane;

    sessions_arrange(&t->sessions, p->filter, (enum sessions_sort)p->sort, p->reverse);
    for (size_t i = 0; t->picked_id > 0 && i < t->sessions.shown_count; i++) {
        if (t->sessions.shown[i]->id == t->picked_id)
            p->list.at = i;
    }
    list_fit(&p->list, t->sessions.shown_count, p->list.rows);
}

void top_arrange(struct top *t)
{
    arrange_rules(t);
    if (t->of)
        arrange_sessions(t);
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* Is it the process that has answered before? Its counters go on then. */
static bool is_same(const json_t *status, const json_t *before)
{
    return value_number(status, "pid") == value_number(before, "pid") &&
           value_number(status, "started_at_ms") == value_number(before, "started_at_ms");
}

static void take_status(struct top *t, const struct reply *reply)
{
    if (t->status && !is_same(reply->body, t->status)) {
        rules_other_process(&t->rules);
        sessions_other(&t->sessions);
        t->picked_id = 0; /* its ids may be those of others */
        ask_withdraw(t);
    }
    json_decref(t->status);
    t->status = json_incref(reply->body);
}

static char *sessions_path(const struct top *t, size_t limit)
{
    const struct top_pane *p = &t->sessions_pane;
    struct query q;

    query_begin(&q, "/v1/sessions");
    query_add(&q, "rule", t->of);
    query_add(&q, "client", sessions_is_client(p->filter) ? p->filter : NULL);
    query_add(&q, "sort", sessions_sort_word((enum sessions_sort)p->sort));
    query_number(&q, "limit", limit);
    return query_end(&q);
}

static struct reply fetch_sessions(struct top *t)
{
    const struct top_pane *p = &t->sessions_pane;
    size_t seen = (p->list.at > p->list.first ? p->list.at : p->list.first) + 2 * p->list.rows;
    size_t limit = sessions_wanted(p->filter, (enum sessions_sort)p->sort, p->reverse, seen);
    char *path = sessions_path(t, limit);
    struct reply reply = client_call(t->client, "GET", path, "sessions");

    free(path);
    if (reply.status == STATUS_OK)
        sessions_take(&t->sessions, reply.body, limit, clock_monotonic_ms());
    return reply;
}

static struct reply fetch_rules(struct top *t)
{
    struct reply reply = client_call(t->client, "GET", "/v1/rules", "rules");

    if (reply.status == STATUS_OK)
        rules_take(&t->rules, reply.body, clock_monotonic_ms());
    return reply;
}

static struct reply fetch_status(struct top *t)
{
    struct reply reply = client_call(t->client, "GET", "/v1/status", "pid");

    if (reply.status == STATUS_OK)
        take_status(t, &reply);
    return reply;
}

int top_fetch(struct top *t)
{
    struct reply (*const fetches[])(struct top *) = {fetch_status, fetch_rules, fetch_sessions};
    size_t count = t->of ? 3 : 2;
    int status = STATUS_OK;

    free(t->away);
    t->away = NULL;
    client_limit(t->client, LOOK_MS);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct reply reply = fetches[i](t);

        status = reply.status;
        if (status != STATUS_OK)
            t->away = must(strdup(reply.error));
        reply_free(&reply);
    }
    top_arrange(t);
    t->next_ms = clock_monotonic_ms() +
                 (status != STATUS_OK && t->every_ms < REST_MS ? REST_MS : t->every_ms);
    return status;
}
