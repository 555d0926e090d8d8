/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/findings.h"
#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/value.h"

/* As diff(1) ends. */
enum { SAME, DIFFERENT, TROUBLE };

/* --- words ----------------------------------------------------------------------------------- */

/* An option's value, without quotes; the caller frees it. */
static char *shown(const json_t *value)
{
    if (json_is_string(value))
        return must(strdup(json_string_value(value)));
    if (json_is_array(value))
        return value_joined(value, NULL);
    return json_is_null(value) ? must(strdup("unset")) : must(json_dumps(value, JSON_ENCODE_ANY));
}

/* A line in a colour, if there are some. */
static void line(struct ctl *ctl, enum style style, const char *text)
{
    char *safe = text_safe(text);
    const char *begin = ctl->screen.colour ? style_begin(style) : "";

    fprintf(ctl->screen.to, "%s%s%s\n", begin, safe, begin[0] ? STYLE_END : "");
    free(safe);
}

/* --- changes --------------------------------------------------------------------------------- */

static void print_option(struct ctl *ctl, const json_t *change)
{
    const char *address = json_string_value(json_object_get(change, "address"));
    bool late = json_is_true(json_object_get(change, "needs_restart"));
    char *old = shown(json_object_get(change, "old")), *new = shown(json_object_get(change, "new"));

    text_line(ctl->screen.to, "    %s%s%s: %s -> %s%s", address ? address : "", address ? " " : "",
              value_text(change, "name"), old, new, late ? " (needs a restart)" : "");
    free(old);
    free(new);
}

static void print_options(struct ctl *ctl, const json_t *changes)
{
    const json_t *change;
    size_t i;

    json_array_foreach(changes, i, change) print_option(ctl, change);
}

static void print_addresses(struct ctl *ctl, const json_t *listen, const char *key,
                            const char *sign, const char *more)
{
    const json_t *address;
    size_t i;

    json_array_foreach(json_object_get(listen, key), i, address)
        text_line(ctl->screen.to, "    listen: %s %s%s", sign, json_string_value(address), more);
}

static void print_changed(struct ctl *ctl, const json_t *rule)
{
    const json_t *listen = json_object_get(rule, "listen");
    const json_t *upstream = json_object_get(rule, "upstream");
    const char *old = value_text(upstream, "old"), *new = value_text(upstream, "new");
    char *head = must_print("~ rule %s", value_text(rule, "name"));

    line(ctl, STYLE_ODD, head);
    free(head);
    print_addresses(ctl, listen, "opened", "+", "");
    print_addresses(ctl, listen, "moved_in", "+", " (from another rule)");
    print_addresses(ctl, listen, "closed", "-", "");
    print_addresses(ctl, listen, "moved_out", "-", " (to another rule)");
    if (json_is_object(upstream) && strcmp(old, new) != 0)
        text_line(ctl->screen.to, "    upstream: %s -> %s", old, new);
    else if (json_is_object(upstream))
        text_line(ctl->screen.to, "    upstream: %s, but reached otherwise", old);
    print_options(ctl, json_object_get(rule, "options"));
}

/* All that an added or removed rule has is its own. */
static void print_whole(struct ctl *ctl, const json_t *rule, bool added)
{
    const json_t *listen = json_object_get(rule, "listen");
    char *own = value_joined(json_object_get(listen, added ? "opened" : "closed"), NULL);
    char *moved = value_joined(json_object_get(listen, added ? "moved_in" : "moved_out"), NULL);
    char *text = must_print("%s rule %s  listen %s%s%s -> %s", added ? "+" : "-",
                            value_text(rule, "name"), own, own[0] && moved[0] ? "," : "", moved,
                            value_text(json_object_get(rule, "upstream"), added ? "new" : "old"));

    line(ctl, added ? STYLE_GOOD : STYLE_BAD, text);
    free(text);
    free(moved);
    free(own);
}

static void print(struct ctl *ctl, const json_t *body)
{
    const json_t *daemon = json_object_get(body, "daemon"), *rule;
    size_t i;

    json_array_foreach(json_object_get(body, "rules"), i, rule)
    {
        const char *change = value_text(rule, "change");

        if (strcmp(change, "changed") == 0)
            print_changed(ctl, rule);
        else
            print_whole(ctl, rule, strcmp(change, "added") == 0);
    }
    if (json_array_size(daemon) > 0)
        line(ctl, STYLE_ODD, "~ daemon");
    print_options(ctl, daemon);
}

int cmd_diff(struct ctl *ctl)
{
    struct reply reply = client_call(ctl->client, "GET", "/v1/config/diff", "changes");
    bool changes = json_is_true(json_object_get(reply.body, "changes"));
    int status = reply.status;

    findings_tell(ctl, &reply);
    if (status == STATUS_OK && !ctl->screen.json)
        print(ctl, reply.body);
    reply_free(&reply);
    if (status == STATUS_OK)
        return changes ? DIFFERENT : SAME;
    return status == STATUS_UNREACHED ? status : TROUBLE;
}
