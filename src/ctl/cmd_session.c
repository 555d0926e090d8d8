/* SPDX-License-Identifier: BSD-2-Clause */
/* One session, and the end of some. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/human.h"
#include "ctl/must.h"
#include "ctl/query.h"
#include "ctl/text.h"
#include "ctl/value.h"

static bool is_id(const char *text)
{
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0')
        return true;
    text_line(stderr, "penstock: \"%s\" is no session: its id is a number (penstock sessions)",
              text);
    return false;
}

/* --- show --------------------------------------------------------------------------------------
 */

static void add(struct table *t, const char *key, const char *value)
{
    table_cell(t, STYLE_STRONG, "%s", key);
    table_cell(t, STYLE_PLAIN, "%s", value);
}

static void add_bytes(struct table *t, const char *key, int64_t bytes)
{
    char text[HUMAN_MAX];

    table_cell(t, STYLE_STRONG, "%s", key);
    table_cell(t, STYLE_PLAIN, "%s (%" PRId64 ")", human_size(text, bytes), bytes);
}

static void add_count(struct table *t, const json_t *s, const char *key, const char *member)
{
    table_cell(t, STYLE_STRONG, "%s", key);
    table_cell(t, STYLE_PLAIN, "%" PRId64, value_number(s, member));
}

static void print_session(struct ctl *ctl, const json_t *s)
{
    static const struct column columns[] = {{0}, {.shrinks = true}};
    struct table *t = table_begin(columns, 2);
    char text[HUMAN_MAX];

    add_count(t, s, "id", "id");
    add(t, "rule", value_text(s, "rule"));
    add(t, "protocol", value_text(s, "protocol"));
    add(t, "state", value_text(s, "state"));
    add(t, "client", value_text(s, "client"));
    add(t, "listener", value_text(s, "listener"));
    add(t, "upstream", value_text(s, "upstream"));
    add(t, "started", human_date(text, value_number(s, "started_at_ms")));
    add(t, "age", human_span(text, value_number(s, "age_ms")));
    add(t, "idle", human_span(text, value_number(s, "idle_ms")));
    if (json_is_integer(json_object_get(s, "connect_ms")))
        add(t, "connected in", human_span(text, value_number(s, "connect_ms")));
    add_bytes(t, "in", value_number(s, "bytes_in"));
    add_bytes(t, "out", value_number(s, "bytes_out"));
    if (json_object_get(s, "datagrams_in")) {
        add_count(t, s, "datagrams in", "datagrams_in");
        add_count(t, s, "datagrams out", "datagrams_out");
        add_count(t, s, "dropped", "dropped");
    }
    screen_table(&ctl->screen, t);
}

static struct reply get_session(struct ctl *ctl)
{
    char *path = must_print("/v1/sessions/%s", ctl->args.operand);
    struct reply reply = client_call(ctl->client, "GET", path, "id");

    free(path);
    return reply;
}

int cmd_show(struct ctl *ctl)
{
    return is_id(ctl->args.operand) ? ctl_get(ctl, get_session, print_session) : STATUS_USAGE;
}

/* --- kill --------------------------------------------------------------------------------------
 */

static void print_killed(struct ctl *ctl, const json_t *body)
{
    int64_t killed = value_number(body, "killed");

    text_line(ctl->screen.to, "%" PRId64 " session%s killed", killed, killed == 1 ? "" : "s");
}

/* Whom to end is told in one way, so that no slip of the hand ends more than was meant. */
static bool is_one_way(const struct args *a)
{
    bool filtered = a->rule || a->client || a->state || a->older, all = a->given & TAKES_ALL;

    if ((a->operand != NULL) + filtered + all == 1)
        return true;
    text_line(stderr,
              "penstock: kill needs an ID, or --rule, --client, --state or --older, or --all");
    return false;
}

int cmd_kill(struct ctl *ctl)
{
    const struct args *a = &ctl->args;
    struct query q;
    char *path;
    int status;

    if (!is_one_way(a) || (a->operand && !is_id(a->operand)))
        return STATUS_USAGE;
    if (a->operand) {
        path = must_print("/v1/sessions/%s", a->operand);
    } else {
        query_begin(&q, "/v1/sessions");
        query_add(&q, "rule", a->rule);
        query_add(&q, "client", a->client);
        query_add(&q, "state", a->state);
        query_add(&q, "older", a->older);
        query_add(&q, "all", a->given & TAKES_ALL ? "true" : NULL);
        path = query_end(&q);
    }
    status = ctl_change(ctl, "DELETE", path, "killed", print_killed);
    free(path);
    return status;
}
