/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of one rule's sessions. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/top.h"
#include "ctl/top_table.h"

enum {
    AT_ID,
    AT_CLIENT,
    AT_UPSTREAM,
    AT_STATE,
    AT_AGE,
    AT_IDLE,
    AT_IN,
    AT_OUT,
    AT_IN_RATE,
    AT_OUT_RATE,
    SLOTS
};

static const struct slot slots[SLOTS] = {
    [AT_ID] = {.title = "ID", .right = true, .least = 4, .want = 4},
    [AT_CLIENT] = {.title = "CLIENT", .rank = 1, .least = 12, .want = 12},
    [AT_UPSTREAM] = {.title = "UPSTREAM", .rank = 7, .least = 8, .want = 12},
    [AT_STATE] = {.title = "STATE", .rank = 4, .least = 5, .want = 5},
    [AT_AGE] = {.title = "AGE", .right = true, .rank = 3, .least = 6, .want = 6},
    [AT_IDLE] = {.title = "IDLE", .right = true, .rank = 2, .least = 6, .want = 6},
    [AT_IN] = {.title = "IN", .right = true, .rank = 6, .least = 5, .want = 6},
    [AT_OUT] = {.title = "OUT", .right = true, .rank = 6, .least = 5, .want = 6},
    [AT_IN_RATE] = {.title = "IN/s", .right = true, .rank = 5, .least = 5, .want = 6},
    [AT_OUT_RATE] = {.title = "OUT/s", .right = true, .rank = 5, .least = 5, .want = 6},
};

static size_t sorted_slot(int sort)
{
    static const size_t by[] = {
        [SESSIONS_BY_ID] = AT_ID,         [SESSIONS_BY_AGE] = AT_AGE,
        [SESSIONS_BY_IDLE] = AT_IDLE,     [SESSIONS_BY_BYTES] = AT_OUT,
        [SESSIONS_BY_RATE] = AT_OUT_RATE,
    };

    return by[sort];
}

static void put_size(int64_t bytes, struct top_cell *cell)
{
    top_size(cell->own, bytes);
    cell->ink = bytes > 0 ? INK_PLAIN : INK_FAINT;
}

static void put_cell(const void *arg, size_t row, size_t slot, struct top_cell *cell)
{
    const struct top_session *s = ((const struct top *)arg)->sessions.shown[row];

    switch (slot) {
    case AT_ID:
        snprintf(cell->own, sizeof(cell->own), "%" PRId64, s->id);
        break;
    case AT_CLIENT:
        cell->text = s->client;
        cell->ink = INK_STRONG;
        break;
    case AT_UPSTREAM:
        cell->text = s->upstream;
        break;
    case AT_STATE:
        cell->text = s->state;
        cell->ink = strcmp(s->state, "open") == 0 ? INK_GOOD : INK_ODD;
        break;
    case AT_AGE:
        human_span(cell->own, s->age_ms);
        break;
    case AT_IDLE:
        human_span(cell->own, s->idle_ms);
        cell->ink = s->rate_in > 0 || s->rate_out > 0 ? INK_FAINT : INK_PLAIN;
        break;
    case AT_IN:
        put_size(s->bytes_in, cell);
        break;
    case AT_OUT:
        put_size(s->bytes_out, cell);
        break;
    case AT_IN_RATE:
        put_size(s->rate_in, cell);
        break;
    case AT_OUT_RATE:
        put_size(s->rate_out, cell);
        break;
    }
}

static void at_least(unsigned *width, size_t needed)
{
    if (*width < needed)
        *width = (unsigned)needed;
}

static void measure(const struct top *t, struct slot *mine)
{
    for (size_t i = 0; i < t->sessions.count; i++) {
        const struct top_session *s = &t->sessions.all[i];

        at_least(&mine[AT_ID].least, (size_t)snprintf(NULL, 0, "%" PRId64, s->id));
        at_least(&mine[AT_CLIENT].want, text_width(s->client));
        at_least(&mine[AT_UPSTREAM].want, text_width(s->upstream));
        at_least(&mine[AT_STATE].least, text_width(s->state));
    }
}

void sessions_draw(struct top *t, int row, int rows)
{
    struct slot mine[SLOTS];
    struct top_table table = {.slots = mine,
                              .count = SLOTS,
                              .sorted = sorted_slot(t->sessions_pane.sort),
                              .cell = put_cell,
                              .arg = t};

    memcpy(mine, slots, sizeof(mine));
    measure(t, mine);
    layout_fit(mine, SLOTS, (unsigned)t->term.draw.columns);
    list_fit(&t->sessions_pane.list, t->sessions.shown_count, (size_t)rows - 1);
    table_draw(&t->term.draw, row, &table, &t->sessions_pane.list);
}
