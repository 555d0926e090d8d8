/* SPDX-License-Identifier: BSD-2-Clause */
/* penstock top: the rules and their sessions as they are, on the whole terminal. */
#include "config.h"

#include "ctl/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/text.h"
#include "ctl/value.h"

#define LEAST_ROWS    6
#define LEAST_COLUMNS 40
#define ROOMY_ROWS    12 /* from here on there is room for more than the table */

const char top_summary[] = "rules and sessions live, on the whole terminal";

/* --- drawing -----------------------------------------------------------------------------------
 */

/* What is in the table. Returns the columns that are taken. */
static int draw_caption(const struct top *t, int row)
{
    const struct draw *d = &t->term.draw;
    const struct top_rule *rule = t->of ? top_picked_rule(t) : NULL;
    bool cut =
        rule && t->sessions.count >= SESSIONS_MOST && rule->sessions > (int64_t)t->sessions.count;

    if (!t->of)
        return draw_print(d, row, 0, d->columns, INK_STRONG, "%zu of %zu rules",
                          t->rules.shown_count, t->rules.count);
    if (!rule)
        return draw_print(d, row, 0, d->columns, INK_BAD, "There is no rule %s any more", t->of);
    return draw_print(d, row, 0, d->columns, INK_STRONG, "%s: %s, %zu of %" PRId64 " sessions%s",
                      rule->name, value_text(rule->said, "state"), t->sessions.shown_count,
                      rule->sessions, cut ? " (the first 1000 are looked at)" : "");
}

/* What else is to be known of it. */
static void draw_mark(const struct top *t, int row, int column)
{
    const struct draw *d = &t->term.draw;

    if (t->frozen)
        draw_text(d, row, column, d->columns, INK_ODD, "FROZEN");
    else if (t->away)
        draw_text(d, row, column, d->columns, INK_BAD, "NO ANSWER");
}

static void draw_tables(struct top *t)
{
    const struct top_rule *rule = t->of ? top_picked_rule(t) : NULL;
    bool is_roomy = t->term.draw.rows >= ROOMY_ROWS;
    int row = is_roomy ? head_draw(t, 0) : 0, left;

    draw_mark(t, row, draw_caption(t, row) + 2);
    row++;
    if (is_roomy && rule)
        row = head_rule_draw(t, row, rule);
    left = t->term.draw.rows - 3 - row;
    if (t->of)
        sessions_draw(t, row, left);
    else
        rules_draw(t, row, left);
    foot_draw(t);
}

bool top_is_small(const struct top *t)
{
    return t->term.draw.rows < LEAST_ROWS || t->term.draw.columns < LEAST_COLUMNS;
}

static void draw_small(const struct draw *d)
{
    draw_print(d, 0, 0, d->columns, INK_PLAIN, "too small: %dx%d", d->columns, d->rows);
    draw_print(d, 1, 0, d->columns, INK_PLAIN, "top needs %dx%d", LEAST_COLUMNS, LEAST_ROWS);
}

void top_draw(struct top *t)
{
    const struct draw *d = &t->term.draw;

    draw_begin();
    if (top_is_small(t))
        draw_small(d);
    else if (t->helping)
        help_draw(t);
    else
        draw_tables(t);
    term_show(&t->term, top_pane(t)->typing || t->ask.kind != ASK_NOTHING);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void turn(struct top *t)
{
    int64_t left = t->next_ms - clock_monotonic_ms();
    struct press press;

    top_draw(t);
    term_wait(&t->term, t->frozen ? -1 : left > 0 ? left : 0);
    while (!t->done && (press = term_press()).kind != PRESS_NONE)
        top_press(t, press);
    if (!t->frozen && t->term.ended_by == 0 && clock_monotonic_ms() >= t->next_ms)
        top_fetch(t);
}

static int run(struct top *t, bool colour)
{
    char *error = term_open(&t->term, colour);

    if (error) {
        text_line(stderr, "penstock: %s; see penstock rules --watch", error);
        free(error);
        return STATUS_USAGE;
    }
    while (!t->done && t->term.ended_by == 0)
        turn(t);
    term_close(&t->term);
    return STATUS_OK;
}

static void end(struct top *t)
{
    json_decref(t->status);
    rules_free(&t->rules);
    sessions_free(&t->sessions);
    free(t->away);
    free(t->message);
    free(t->picked);
    free(t->of);
    free(t->ask.rule);
}

int cmd_top(struct ctl *ctl)
{
    struct top t = {.client = ctl->client, .every_ms = ctl->args.interval_ms};
    int status;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        text_line(stderr, "penstock: top needs a terminal; see penstock rules --watch, and --json "
                          "for programs");
        return STATUS_USAGE;
    }
    status = top_fetch(&t);
    if (status == STATUS_OK)
        status = run(&t, ctl->screen.colour);
    else
        text_line(stderr, "penstock: %s", t.away);
    end(&t);
    term_die(&t.term);
    return status;
}
