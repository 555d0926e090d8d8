/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of rules. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/top.h"
#include "ctl/top_table.h"

#define LATELY 10 /* looks for which a refusal is marked */

enum {
    AT_NAME,
    AT_STATE,
    AT_BAR,
    AT_SESSIONS,
    AT_IN,
    AT_OUT,
    AT_TRAFFIC,
    AT_REFUSED,
    AT_HEALTH,
    AT_LISTEN,
    AT_UPSTREAM,
    SLOTS
};

static const struct slot slots[SLOTS] = {
    [AT_NAME] = {.title = "RULE", .least = 8, .want = 8},
    [AT_STATE] = {.title = "STATE", .rank = 3, .least = 8, .want = 8},
    [AT_BAR] = {.title = "SESSIONS", .rank = 4, .least = 6, .want = 12},
    [AT_SESSIONS] = {.title = "/LIMIT", .right = true, .least = 6, .want = 6},
    [AT_IN] = {.title = "IN/s", .right = true, .rank = 1, .least = 6, .want = 6},
    [AT_OUT] = {.title = "OUT/s", .right = true, .rank = 1, .least = 6, .want = 6},
    [AT_TRAFFIC] = {.title = "TRAFFIC", .rank = 6, .least = 8, .want = 30},
    [AT_REFUSED] = {.title = "REFUSED", .right = true, .rank = 5, .least = 7, .want = 7},
    [AT_HEALTH] = {.title = "UPSTREAM", .rank = 2, .least = 8, .want = 8},
    [AT_LISTEN] = {.title = "LISTEN", .rank = 8, .least = 15},
    [AT_UPSTREAM] = {.title = "ADDRESS", .rank = 7, .least = 15},
};

/* By the key that sorts by it. */
static size_t sorted_slot(int sort)
{
    static const size_t by[] = {
        [RULES_AS_CONFIGURED] = SLOTS,
        [RULES_BY_NAME] = AT_NAME,
        [RULES_BY_SESSIONS] = AT_SESSIONS,
        [RULES_BY_FULLNESS] = AT_BAR,
        [RULES_BY_IN] = AT_IN,
        [RULES_BY_OUT] = AT_OUT,
        [RULES_BY_REFUSED] = AT_REFUSED,
        [RULES_BY_FAILED] = AT_HEALTH,
    };

    return by[sort];
}

static void put_state(const struct top_rule *rule, struct top_cell *cell)
{
    cell->text = rule->state;
    if (rule->is_removed)
        cell->ink = INK_FAINT;
    else if (strcmp(rule->state, "running") == 0)
        cell->ink = INK_GOOD;
    else
        cell->ink = rule->takes_clients ? INK_BAD : INK_ODD;
}

static enum ink fullness(const struct top_rule *rule)
{
    if (rule->sessions >= rule->limit)
        return INK_BAD;
    return (double)rule->sessions >= (double)rule->limit * 0.8 ? INK_ODD : INK_GOOD;
}

static void put_rate(int64_t rate, struct top_cell *cell)
{
    top_size(cell->own, rate);
    cell->ink = rate > 0 ? INK_PLAIN : INK_FAINT;
}

static void put_refused(const struct top_rule *rule, struct top_cell *cell)
{
    top_count(cell->own, rule->refused);
    if (rule->refused == 0)
        cell->ink = INK_FAINT;
    else if (trend_sum(&rule->refusals, LATELY) > 0)
        cell->ink = INK_ODD;
}

/* Can its upstream be reached? What has been tried lately tells. */
static void put_health(const struct top_rule *rule, struct top_cell *cell)
{
    int64_t lately = trend_sum(&rule->failures, TREND_MAX);
    char count[HUMAN_MAX];

    if (lately > 0) {
        snprintf(cell->own, sizeof(cell->own), "%s fail", top_count(count, lately));
        cell->ink = trend_sum(&rule->failures, LATELY) > 0 ? INK_BAD : INK_ODD;
    } else if (rule->opened > rule->failed) {
        cell->text = "ok";
        cell->ink = INK_GOOD;
    } else {
        cell->text = rule->failed > 0 ? "failing" : "-";
        cell->ink = rule->failed > 0 ? INK_BAD : INK_FAINT;
    }
}

static void put(const struct top *t, const struct top_rule *rule, size_t slot, unsigned width,
                struct top_cell *cell)
{
    bool utf8 = t->term.draw.utf8;

    switch (slot) {
    case AT_NAME:
        cell->text = rule->label;
        cell->ink = INK_STRONG;
        break;
    case AT_STATE:
        put_state(rule, cell);
        break;
    case AT_BAR:
        top_bar(cell->own, cell->own_more, width, rule->sessions, rule->limit, utf8);
        cell->more = cell->own_more;
        cell->ink = fullness(rule);
        cell->more_ink = INK_FAINT;
        break;
    case AT_SESSIONS:
        snprintf(cell->own, sizeof(cell->own), "%" PRId64 "/%" PRId64, rule->sessions, rule->limit);
        cell->ink = rule->sessions > 0 ? INK_PLAIN : INK_FAINT;
        break;
    case AT_IN:
        put_rate(rule->rate_in, cell);
        break;
    case AT_OUT:
        put_rate(rule->rate_out, cell);
        break;
    case AT_TRAFFIC:
        top_spark(cell->own, &rule->traffic, width, utf8);
        cell->ink = INK_FLOW;
        break;
    case AT_REFUSED:
        put_refused(rule, cell);
        break;
    case AT_HEALTH:
        put_health(rule, cell);
        break;
    case AT_LISTEN:
        cell->text = rule->listen;
        break;
    case AT_UPSTREAM:
        cell->text = rule->upstream;
        break;
    }
}

struct rows {
    const struct top *top;
    const struct slot *slots;
};

static void put_cell(const void *arg, size_t row, size_t slot, struct top_cell *cell)
{
    const struct rows *rows = arg;

    put(rows->top, rows->top->rules.shown[row], slot, rows->slots[slot].width, cell);
}

static void at_least(unsigned *width, size_t needed)
{
    if (*width < needed)
        *width = (unsigned)needed;
}

/* All rules count, so that nothing moves sideways when the list is scrolled. */
static void measure(const struct top *t, struct slot *mine)
{
    for (size_t i = 0; i < t->rules.count; i++) {
        const struct top_rule *rule = &t->rules.all[i];
        int digits = snprintf(NULL, 0, "%" PRId64 "/%" PRId64, rule->limit, rule->limit);

        at_least(&mine[AT_NAME].want, text_width(rule->label));
        at_least(&mine[AT_SESSIONS].least, (size_t)digits);
        at_least(&mine[AT_LISTEN].want, text_width(rule->listen));
        at_least(&mine[AT_UPSTREAM].want, text_width(rule->upstream));
    }
}

void rules_draw(struct top *t, int row, int rows)
{
    struct slot mine[SLOTS];
    struct rows arg = {t, mine};
    struct top_table table = {.slots = mine,
                              .count = SLOTS,
                              .sorted = sorted_slot(t->rules_pane.sort),
                              .cell = put_cell,
                              .arg = &arg};

    memcpy(mine, slots, sizeof(mine));
    measure(t, mine);
    layout_fit(mine, SLOTS, (unsigned)t->term.draw.columns);
    list_fit(&t->rules_pane.list, t->rules.shown_count, (size_t)rows - 1);
    table_draw(&t->term.draw, row, &table, &t->rules_pane.list);
}
