/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/human.h"
#include "ctl/order.h"
#include "ctl/query.h"
#include "ctl/value.h"

#define PAGE                                                                                       \
    1000 /* sessions that are asked for at a time; the most that the daemon puts in order */

static const struct column columns[] = {
    {.title = "ID", .right = true},
    {.title = "RULE", .shrinks = true},
    {.title = "PROTO"},
    {.title = "STATE"},
    {.title = "CLIENT", .shrinks = true},
    {.title = "UPSTREAM", .shrinks = true},
    {.title = "AGE", .right = true},
    {.title = "IDLE", .right = true},
    {.title = "IN", .right = true},
    {.title = "OUT", .right = true},
};

static void add_session(struct table *t, const json_t *s)
{
    char text[HUMAN_MAX];

    table_cell(t, STYLE_PLAIN, "%" PRId64, value_number(s, "id"));
    table_cell(t, STYLE_PLAIN, "%s", value_text(s, "rule"));
    table_cell(t, STYLE_PLAIN, "%s", value_text(s, "protocol"));
    table_cell(t, strcmp(value_text(s, "state"), "open") == 0 ? STYLE_PLAIN : STYLE_ODD, "%s",
               value_text(s, "state"));
    table_cell(t, STYLE_PLAIN, "%s", value_text(s, "client"));
    table_cell(t, STYLE_PLAIN, "%s", value_text(s, "upstream"));
    table_cell(t, STYLE_PLAIN, "%s", human_span(text, value_number(s, "age_ms")));
    table_cell(t, STYLE_PLAIN, "%s", human_span(text, value_number(s, "idle_ms")));
    table_cell(t, STYLE_PLAIN, "%s", human_size(text, value_number(s, "bytes_in")));
    table_cell(t, STYLE_PLAIN, "%s", human_size(text, value_number(s, "bytes_out")));
}

static void print(struct ctl *ctl, const json_t *body)
{
    struct table *t = table_begin(columns, sizeof(columns) / sizeof(columns[0]));
    const json_t *session;
    size_t i;

    json_array_foreach(json_object_get(body, "sessions"), i, session) add_session(t, session);
    screen_table(&ctl->screen, t);
}

/* How many are wanted: no more than can be shown, when they are shown again and again. */
static uint64_t wanted(const struct ctl *ctl)
{
    uint64_t rows = screen_rows(&ctl->screen);

    return ctl->args.watch_ms > 0 && rows > 0 && rows < ctl->args.limit ? rows : ctl->args.limit;
}

/* The daemon puts one page in order, and that is the quick way to the first few. Of more than a
 * page all are taken by id, and put in order here. An order that isn't known here is left to the
 * daemon, which will say what is wrong with it. */
static bool sorts_here(const struct ctl *ctl)
{
    return wanted(ctl) > PAGE && order_is_known(ctl->args.sort);
}

/* The next page: behind session `after`, unless that is 0. */
static struct reply get_page(struct ctl *ctl, const json_t *after, uint64_t limit)
{
    const struct args *a = &ctl->args;
    struct query q;
    struct reply reply;
    char *path;

    query_begin(&q, "/v1/sessions");
    query_add(&q, "rule", a->rule);
    query_add(&q, "client", a->client);
    query_add(&q, "state", a->state);
    query_add(&q, "older", a->older);
    if (!sorts_here(ctl))
        query_add(&q, "sort", a->sort);
    query_number(&q, "limit", limit);
    if (json_is_integer(after))
        query_number(&q, "after", (uint64_t)json_integer_value(after));
    path = query_end(&q);
    reply = client_call(ctl->client, "GET", path, "sessions");
    free(path);
    return reply;
}

static uint64_t page_limit(const struct ctl *ctl, uint64_t have)
{
    uint64_t left = wanted(ctl) - have;

    return !sorts_here(ctl) && left < PAGE ? left : PAGE;
}

/* Where the page behind `before` says that the next begins; null when it is the last, and when it
 * would go round in circles. */
static json_t *next_after(const json_t *page, int64_t before)
{
    json_t *next = json_object_get(page, "next");

    return json_is_integer(next) && json_integer_value(next) > before ? next : json_null();
}

/* Add the next page to all. False behind the last, and at an error, which `all` is then. */
static bool add_page(struct ctl *ctl, struct reply *all)
{
    json_t *sessions = json_object_get(all->body, "sessions");
    json_t *next = json_object_get(all->body, "next");
    uint64_t have = json_array_size(sessions);
    struct reply page;

    if (!json_is_array(sessions) || !json_is_integer(next) ||
        (have >= wanted(ctl) && !sorts_here(ctl)))
        return false;
    page = get_page(ctl, next, page_limit(ctl, have));
    if (page.status != STATUS_OK) {
        reply_replace(all, &page);
        return false;
    }
    json_array_extend(sessions, json_object_get(page.body, "sessions"));
    json_object_set(all->body, "next", next_after(page.body, json_integer_value(next)));
    reply_free(&page);
    return true;
}

/* All pages in one, or as many sessions as were asked for. */
static struct reply get(struct ctl *ctl)
{
    struct reply all = get_page(ctl, NULL, page_limit(ctl, 0));

    while (all.status == STATUS_OK && add_page(ctl, &all))
        ;
    if (all.status == STATUS_OK && sorts_here(ctl))
        order_sessions(json_object_get(all.body, "sessions"), ctl->args.sort, wanted(ctl));
    return all;
}

int cmd_sessions(struct ctl *ctl)
{
    return ctl_get(ctl, get, print);
}
