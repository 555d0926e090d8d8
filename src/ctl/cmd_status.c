/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/human.h"
#include "ctl/value.h"

static const struct column columns[] = {{0}, {.shrinks = true}};

static void add_reload(struct table *t, const json_t *config, int64_t now)
{
    const json_t *reload = json_object_get(config, "reload");
    const char *outcome = value_text(reload, "outcome");
    int64_t failed = value_number(reload, "failed");
    char ago[HUMAN_MAX];

    human_span(ago, now - value_number(reload, "at_ms"));
    table_cell(t, STYLE_STRONG, "last reload");
    if (strcmp(outcome, "none") == 0 && failed > 0)
        table_cell(t, STYLE_BAD, "none yet, but %" PRId64 " %s could not be had", failed,
                   failed == 1 ? "rule or option" : "rules or options");
    else if (strcmp(outcome, "none") == 0)
        table_cell(t, STYLE_PLAIN, "none yet");
    else if (strcmp(outcome, "busy") == 0)
        table_cell(t, STYLE_ODD, "under way");
    else if (strcmp(outcome, "ok") == 0 && failed > 0)
        table_cell(t, STYLE_BAD, "%s ago, but %" PRId64 " %s could not change", ago, failed,
                   failed == 1 ? "rule or option" : "rules or options");
    else if (strcmp(outcome, "ok") == 0)
        table_cell(t, STYLE_GOOD, "ok, %s ago", ago);
    else
        table_cell(t, STYLE_BAD, "%s %s ago: %s", outcome, ago, value_text(reload, "error"));
}

static void print(struct ctl *ctl, const json_t *body)
{
    struct table *t = table_begin(columns, 2);
    const json_t *config = json_object_get(body, "config");
    const json_t *descriptors = json_object_get(body, "descriptors");
    /* The daemon's own clock says what time it is. */
    int64_t now = value_add(value_number(body, "started_at_ms"), value_number(body, "uptime_ms"));
    char span[HUMAN_MAX];

    table_cell(t, STYLE_STRONG, "penstockd");
    table_cell(t, STYLE_PLAIN, "%s, process %" PRId64 ", up %s", value_text(body, "version"),
               value_number(body, "pid"), human_span(span, value_number(body, "uptime_ms")));
    table_cell(t, STYLE_STRONG, "sessions");
    table_cell(t, STYLE_PLAIN, "%" PRId64 " live, %" PRId64 " served, %" PRId64 " refused",
               value_number(body, "sessions"), value_number(body, "served"),
               value_number(body, "refused"));
    table_cell(t, STYLE_STRONG, "rules");
    table_cell(t, STYLE_PLAIN, "%" PRId64 ", with %" PRId64 " listeners",
               value_number(body, "rules"), value_number(body, "listeners"));
    table_cell(t, STYLE_STRONG, "descriptors");
    table_cell(t, STYLE_PLAIN, "%" PRId64 " booked of %" PRId64,
               value_number(descriptors, "booked"), value_number(descriptors, "room"));
    table_cell(t, STYLE_STRONG, "engine");
    table_cell(t, STYLE_PLAIN, "%s, watching %" PRId64, value_text(body, "engine"),
               value_number(body, "watched"));
    table_cell(t, STYLE_STRONG, "config");
    table_cell(t, STYLE_PLAIN, "%s, generation %" PRId64 ", loaded %s ago",
               value_text(config, "path"), value_number(config, "generation"),
               human_span(span, now - value_number(config, "loaded_at_ms")));
    add_reload(t, config, now);
    screen_table(&ctl->screen, t);
}

static struct reply get(struct ctl *ctl)
{
    return client_call(ctl->client, "GET", "/v1/status", "config");
}

int cmd_status(struct ctl *ctl)
{
    return ctl_get(ctl, get, print);
}
