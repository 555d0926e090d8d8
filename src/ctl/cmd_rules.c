/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/human.h"
#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/value.h"

static const struct column columns[] = {
    {.title = "RULE", .shrinks = true},
    {.title = "STATE"},
    {.title = "LISTEN", .shrinks = true},
    {.title = "UPSTREAM", .shrinks = true},
    {.title = "SESSIONS", .right = true},
    {.title = "OPENED", .right = true, .leaves = 1},
    {.title = "REFUSED", .right = true, .leaves = 2},
    {.title = "FAILED", .right = true, .leaves = 3},
    {.title = "IN", .right = true},
    {.title = "OUT", .right = true},
};

static enum style state_style(const char *state)
{
    return strcmp(state, "running") == 0   ? STYLE_GOOD
           : strcmp(state, "removed") == 0 ? STYLE_FAINT
                                           : STYLE_ODD;
}

/* Listens as its rule wants it to: the rule's own state stands in another column. */
static bool is_well(const json_t *listener)
{
    const char *state = value_text(listener, "state");

    return strcmp(state, "listening") == 0 || strcmp(state, "paused") == 0;
}

static char *append(char *text, const json_t *listener)
{
    bool plain = is_well(listener);
    char *more =
        must_print("%s%s%s%s%s%s", text, text[0] ? "," : "", value_text(listener, "address"),
                   plain ? "" : "(", plain ? "" : value_text(listener, "state"), plain ? "" : ")");

    free(text);
    return more;
}

/* Two addresses, or the first of more and how many others there are; of these, how many don't
 * listen. */
static char *listen_text(const json_t *rule)
{
    const json_t *listeners = json_object_get(rule, "listeners"), *listener;
    size_t count = json_array_size(listeners), i, odd = 0;
    char *text = must(strdup("")), *more;

    json_array_foreach(listeners, i, listener)
    {
        if (i == 0 || count == 2)
            text = append(text, listener);
        else
            odd += !is_well(listener);
    }
    if (count <= 2)
        return text;
    more = odd > 0 ? must_print("%s +%zu (%zu not listening)", text, count - 1, odd)
                   : must_print("%s +%zu", text, count - 1);
    free(text);
    return more;
}

static void add_rule(struct table *t, const json_t *rule)
{
    int64_t sessions = value_number(rule, "sessions"), limit = value_number(rule, "limit");
    const char *state = value_text(rule, "state");
    char *listen = listen_text(rule), in[HUMAN_MAX], out[HUMAN_MAX];
    int64_t refused = value_sum(rule, "refused"), failed = value_failed(rule);

    table_cell(t, STYLE_PLAIN, "%s", value_text(rule, "name"));
    table_cell(t, state_style(state), "%s", state);
    table_cell(t, STYLE_PLAIN, "%s", listen[0] ? listen : "-");
    table_cell(t, STYLE_PLAIN, "%s", value_text(rule, "upstream"));
    table_cell(t, sessions >= limit ? STYLE_ODD : STYLE_PLAIN, "%" PRId64 "/%" PRId64, sessions,
               limit);
    table_cell(t, STYLE_PLAIN, "%" PRId64, value_number(rule, "opened"));
    table_cell(t, refused > 0 ? STYLE_ODD : STYLE_PLAIN, "%" PRId64, refused);
    table_cell(t, failed > 0 ? STYLE_BAD : STYLE_PLAIN, "%" PRId64, failed);
    table_cell(t, STYLE_PLAIN, "%s", human_size(in, value_number(rule, "bytes_in")));
    table_cell(t, STYLE_PLAIN, "%s", human_size(out, value_number(rule, "bytes_out")));
    free(listen);
}

static void print(struct ctl *ctl, const json_t *body)
{
    struct table *t = table_begin(columns, sizeof(columns) / sizeof(columns[0]));
    const json_t *rule;
    size_t i;

    json_array_foreach(json_object_get(body, "rules"), i, rule) add_rule(t, rule);
    screen_table(&ctl->screen, t);
}

static struct reply get(struct ctl *ctl)
{
    return client_call(ctl->client, "GET", "/v1/rules", "rules");
}

int cmd_rules(struct ctl *ctl)
{
    return ctl_get(ctl, get, print);
}

/* --- pause, resume, drain ----------------------------------------------------------------------
 */

static void print_steered(struct ctl *ctl, const json_t *rule)
{
    int64_t sessions = value_number(rule, "sessions");

    text_line(ctl->screen.to, "%s: %s, %" PRId64 " session%s", value_text(rule, "name"),
              value_text(rule, "state"), sessions, sessions == 1 ? "" : "s");
}

int cmd_steer(struct ctl *ctl)
{
    char *name = client_encode(ctl->args.operand);
    char *path = must_print("/v1/rules/%s/%s", name, ctl->args.command->name);
    int status = ctl_change(ctl, "POST", path, "state", print_steered);

    free(path);
    free(name);
    return status;
}
