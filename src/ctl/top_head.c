/* SPDX-License-Identifier: BSD-2-Clause */
/* What is above and below the table. */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl/human.h"
#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/top.h"
#include "ctl/value.h"

#define GAP 2

/* Where the next words go. */
struct pen {
    const struct draw *draw;
    int row, column;
};

/* Words, unless there is no room for all of them: a label and what it is. */
static void put(struct pen *pen, const char *label, enum ink ink, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void put(struct pen *pen, const char *label, enum ink ink, const char *format, ...)
{
    int left = pen->draw->columns - pen->column;
    char *text, *safe;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    must(length < 0 ? NULL : text);
    safe = text_safe(text);
    free(text);
    if (text_width(label) + (label[0] != '\0') + text_width(safe) <=
        (size_t)(left > 0 ? left : 0)) {
        pen->column += draw_text(pen->draw, pen->row, pen->column, left, INK_FAINT, label);
        pen->column += label[0] != '\0';
        pen->column += draw_text(pen->draw, pen->row, pen->column, left, ink, safe) + GAP;
    }
    free(safe);
}

/* --- above -------------------------------------------------------------------------------------
 */

static void put_reload(struct pen *pen, const json_t *config, int64_t now)
{
    const json_t *reload = json_object_get(config, "reload");
    const char *outcome = value_text(reload, "outcome");
    char ago[HUMAN_MAX];

    human_span(ago, now - value_number(reload, "at_ms"));
    if (strcmp(outcome, "none") == 0)
        put(pen, "loaded", INK_PLAIN, "%s ago",
            human_span(ago, now - value_number(config, "loaded_at_ms")));
    else if (strcmp(outcome, "busy") == 0)
        put(pen, "reload", INK_ODD, "under way");
    else if (strcmp(outcome, "ok") == 0 && value_number(reload, "failed") > 0)
        put(pen, "reload", INK_BAD, "%" PRId64 " failed %s ago", value_number(reload, "failed"),
            ago);
    else if (strcmp(outcome, "ok") == 0)
        put(pen, "reload", INK_GOOD, "ok %s ago", ago);
    else
        put(pen, "reload", INK_BAD, "%s %s ago", outcome, ago);
}

static void put_rates(struct pen *pen, const struct top *t)
{
    int64_t in = 0, out = 0;
    char text[HUMAN_MAX];

    for (size_t i = 0; i < t->rules.count; i++) {
        in = value_add(in, t->rules.all[i].rate_in > 0 ? t->rules.all[i].rate_in : 0);
        out = value_add(out, t->rules.all[i].rate_out > 0 ? t->rules.all[i].rate_out : 0);
    }
    put(pen, "in/s", INK_FLOW, "%s", top_size(text, in));
    put(pen, "out/s", INK_FLOW, "%s", top_size(text, out));
}

int head_draw(const struct top *t, int row)
{
    const json_t *s = t->status, *config = json_object_get(s, "config");
    const json_t *fds = json_object_get(s, "descriptors");
    int64_t booked = value_number(fds, "booked"), room = value_number(fds, "room");
    /* The daemon's own clock says what time it is. */
    int64_t now = value_add(value_number(s, "started_at_ms"), value_number(s, "uptime_ms"));
    struct pen pen = {&t->term.draw, row, 0};
    char text[HUMAN_MAX];

    put(&pen, "", INK_STRONG, "penstockd %s", value_text(s, "version"));
    put(&pen, "up", INK_PLAIN, "%s", human_span(text, value_number(s, "uptime_ms")));
    put(&pen, "engine", INK_PLAIN, "%s", value_text(s, "engine"));
    put(&pen, "sessions", INK_STRONG, "%" PRId64, value_number(s, "sessions"));
    put_rates(&pen, t);
    pen = (struct pen){&t->term.draw, row + 1, 0};
    put(&pen, "descriptors", (double)booked > (double)room * 0.9 ? INK_BAD : INK_PLAIN,
        "%" PRId64 "/%" PRId64, booked, room);
    put(&pen, "config", INK_PLAIN, "#%" PRId64, value_number(config, "generation"));
    put_reload(&pen, config, now);
    put(&pen, "served", INK_PLAIN, "%s", top_count(text, value_number(s, "served")));
    put(&pen, "refused", INK_PLAIN, "%s", top_count(text, value_number(s, "refused")));
    if (json_is_string(json_object_get(json_object_get(config, "reload"), "error")))
        put(&pen, "as", INK_BAD, "%s", value_text(json_object_get(config, "reload"), "error"));
    return row + 2;
}

/* --- above sessions ----------------------------------------------------------------------------
 */

static void put_words(struct pen *pen, const char *label, const json_t *words)
{
    const char *name;
    json_t *count;
    bool first = true;

    if (json_object_size(words) == 0)
        return;
    json_object_foreach((json_t *)words, name, count)
    {
        put(pen, first ? label : "", INK_PLAIN, "%s %" PRId64, name, value_number(words, name));
        first = false;
    }
}

static void put_listeners(struct pen *pen, const struct top_rule *rule)
{
    const json_t *listener;
    size_t i;

    json_array_foreach(json_object_get(rule->said, "listeners"), i, listener)
    {
        const char *state = value_text(listener, "state");
        bool is_bad = rule->takes_clients && strcmp(state, "listening") != 0;

        put(pen, i == 0 ? "listens on" : "", is_bad ? INK_BAD : INK_PLAIN, "%s%s%s%s",
            value_text(listener, "address"), is_bad ? " (" : "", is_bad ? state : "",
            is_bad ? ")" : "");
    }
}

int head_rule_draw(const struct top *t, int row, const struct top_rule *rule)
{
    struct pen pen = {&t->term.draw, row, 0};

    put_listeners(&pen, rule);
    pen = (struct pen){&t->term.draw, row + 1, 0};
    put(&pen, "upstream", INK_PLAIN, "%s", value_text(rule->said, "upstream"));
    put_words(&pen, "refused", json_object_get(rule->said, "refused"));
    put_words(&pen, "ended", json_object_get(rule->said, "ended"));
    return row + 2;
}

/* --- below -------------------------------------------------------------------------------------
 */

/* Where a text that is safe is broken, when it has to be: behind a word, if there is one. */
static size_t break_at(const char *safe, size_t columns)
{
    size_t used, fits = text_fit(safe, columns, &used), space = fits;

    if (safe[fits] == '\0')
        return fits;
    while (space > fits / 2 && safe[space] != ' ')
        space--;
    return safe[space] == ' ' ? space : fits;
}

/* A text, over two rows if it needs them. */
static void say(const struct top *t, int row, enum ink ink, const char *text)
{
    const struct draw *d = &t->term.draw;
    char *safe = text_safe(text);
    size_t end = break_at(safe, (size_t)d->columns);

    if (safe[end] != '\0') {
        const char *rest = safe + end + (safe[end] == ' ');

        draw_clear(d, row + 1);
        draw_text(d, row + 1, 0, d->columns, ink, rest);
        safe[end] = '\0';
    }
    draw_text(d, row, 0, d->columns, ink, safe);
    free(safe);
}

static void say_what_there_is(struct top *t, int row)
{
    const struct top_pane *p = top_pane(t);
    char *question, *text = NULL;

    if (t->message) {
        say(t, row, t->message_is_bad ? INK_BAD : INK_STRONG, t->message);
    } else if (t->ask.kind != ASK_NOTHING) {
        question = ask_text(t);
        text = must_print("%s [y/N] ", question);
        say(t, row, INK_ODD, text);
        free(question);
    } else if (p->typing) {
        text = must_print("Filter: %s", p->filter);
        say(t, row, INK_STRONG, text);
    } else if (t->away) {
        text = must_print("No answer, trying again. %s", t->away);
        say(t, row, INK_BAD, text);
    } else if (p->filter[0] != '\0') {
        text = must_print("Filter: %s (Esc clears it)", p->filter);
        say(t, row, INK_FAINT, text);
    }
    free(text);
}

/* A key and what it is for, if there is room. */
static void put_key(struct pen *pen, int gap, const char *key, enum ink ink, const char *word)
{
    const struct draw *d = pen->draw;
    int needed = (int)(text_width(key) + 1 + text_width(word));

    if (needed > d->columns - pen->column)
        return;
    pen->column += draw_text(d, pen->row, pen->column, needed, INK_STRONG, key) + 1;
    pen->column += draw_text(d, pen->row, pen->column, needed, ink, word) + gap;
}

static void draw_sorts(struct top *t, int row)
{
    const struct top_pane *p = top_pane(t);
    struct pen pen = {&t->term.draw, row, 0};

    pen.column += draw_text(pen.draw, row, 0, pen.draw->columns, INK_FAINT, "Sort") + 1;
    for (const struct top_sort *s = top_sorts(t); s->key != 0; s++) {
        char key[] = {(char)s->key, '\0'};

        put_key(&pen, 1, key, s->sort == p->sort ? INK_SORTED : INK_FAINT, s->word);
    }
    put_key(&pen, 1, "R", p->reverse ? INK_SORTED : INK_FAINT, "reverse");
}

static void draw_keys(struct top *t, int row)
{
    static const char *const keys[][2] = {{"/", "filter"}, {"k", "kill"},       {"p", "pause"},
                                          {"r", "reload"}, {"Space", "freeze"}, {"?", "help"}};
    struct pen pen = {&t->term.draw, row, 0};

    put_key(&pen, GAP, t->of ? "Esc" : "Enter", INK_FAINT, t->of ? "back" : "open");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        put_key(&pen, GAP, keys[i][0], INK_FAINT, keys[i][1]);
    put_key(&pen, GAP, t->of ? "Q" : "q", INK_FAINT, "quit");
}

void foot_draw(struct top *t)
{
    int last = t->term.draw.rows - 1;

    draw_keys(t, last);
    draw_sorts(t, last - 1);
    say_what_there_is(t, last - 2);
}
