/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/human.h"
#include "ctl/must.h"
#include "ctl/value.h"

/* " client" or " client > upstream", as far as it is known. */
static void print_way(FILE *to, const json_t *e)
{
    fprintf(to, " %s", value_text(e, "client"));
    if (json_is_string(json_object_get(e, "upstream")))
        fprintf(to, " > %s", value_text(e, "upstream"));
}

static void print_error(FILE *to, const json_t *e)
{
    if (json_is_string(json_object_get(e, "error")))
        fprintf(to, ": %s", value_text(e, "error"));
}

static void print_ended(FILE *to, const json_t *e)
{
    char in[HUMAN_MAX], out[HUMAN_MAX], age[HUMAN_MAX];

    print_way(to, e);
    fprintf(to, " %s, %s in, %s out, %s", value_text(e, "end"),
            human_size(in, value_number(e, "bytes_in")),
            human_size(out, value_number(e, "bytes_out")),
            human_span(age, value_number(e, "age_ms")));
    print_error(to, e);
}

static void print_reloaded(FILE *to, const json_t *e)
{
    fprintf(to, " %s", value_text(e, "outcome"));
    if (json_object_get(e, "added"))
        fprintf(to,
                ": %" PRId64 " added, %" PRId64 " removed, %" PRId64 " changed, %" PRId64 " failed",
                value_number(e, "added"), value_number(e, "removed"), value_number(e, "changed"),
                value_number(e, "failed"));
    print_error(to, e);
}

static void print_hello(FILE *to, const json_t *e)
{
    fprintf(to, " from penstockd %s, process %" PRId64, value_text(e, "version"),
            value_number(e, "pid"));
}

static enum style event_style(const char *kind, const json_t *e)
{
    const char *end = value_text(e, "end"), *outcome = value_text(e, "outcome");

    if (strcmp(kind, "hello") == 0)
        return STYLE_FAINT;
    if (strcmp(kind, "ended") == 0)
        return strcmp(end, "done") == 0 ? STYLE_PLAIN : STYLE_ODD;
    if (strcmp(kind, "reloaded") == 0)
        return strcmp(outcome, "ok") == 0 ? STYLE_GOOD : STYLE_BAD;
    if (strcmp(kind, "refused") == 0 || strcmp(kind, "dropped") == 0)
        return STYLE_BAD;
    return strcmp(kind, "opened") == 0 ? STYLE_PLAIN : STYLE_ODD;
}

char *event_text(const json_t *e, enum style *style)
{
    const char *kind = value_text(e, "event");
    char clock[HUMAN_MAX], *text = NULL;
    size_t size;
    FILE *to = must(open_memstream(&text, &size));

    fprintf(to, "%s %-8s", human_clock(clock, value_number(e, "at_ms")), kind);
    if (json_is_string(json_object_get(e, "rule")))
        fprintf(to, " %s", value_text(e, "rule"));
    if (json_is_integer(json_object_get(e, "id")))
        fprintf(to, " #%" PRId64, value_number(e, "id"));
    if (strcmp(kind, "opened") == 0) {
        print_way(to, e);
    } else if (strcmp(kind, "ended") == 0) {
        print_ended(to, e);
    } else if (strcmp(kind, "refused") == 0) {
        print_way(to, e);
        fprintf(to, " %s", value_text(e, "end"));
        print_error(to, e);
    } else if (strcmp(kind, "reloaded") == 0) {
        print_reloaded(to, e);
    } else if (strcmp(kind, "hello") == 0) {
        print_hello(to, e);
    } else {
        print_error(to, e);
    }
    *style = event_style(kind, e);
    fclose(to);
    return must(text);
}
