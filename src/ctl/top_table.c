/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_table.h"

#include "ctl/text.h"

static void draw_titles(const struct draw *d, int row, const struct top_table *t)
{
    int column = 0;

    draw_row(d, row, INK_TITLE);
    for (size_t i = 0; i < t->count; i++) {
        const struct slot *s = &t->slots[i];
        int width = (int)s->width, length = (int)text_width(s->title);

        if (width == 0)
            continue;
        draw_text(d, row, column + (s->right && length < width ? width - length : 0), width,
                  i == t->sorted ? INK_SORTED : INK_TITLE, s->title);
        column += width + 1;
    }
}

static void draw_cell(const struct draw *d, int row, int column, const struct slot *s,
                      const struct top_cell *cell)
{
    int width = (int)s->width, length = (int)text_width(cell->text), used;

    if (s->right && length < width) {
        column += width - length;
        width = length;
    }
    used = draw_text(d, row, column, width, cell->ink, cell->text);
    if (cell->more)
        draw_text(d, row, column + used, width - used, cell->more_ink, cell->more);
}

static void draw_row_of(const struct draw *d, int row, const struct top_table *t, size_t item)
{
    int column = 0;

    for (size_t i = 0; i < t->count; i++) {
        struct top_cell cell;

        if (t->slots[i].width == 0)
            continue;
        cell.text = cell.own;
        cell.own[0] = '\0';
        cell.ink = cell.more_ink = INK_PLAIN;
        cell.more = NULL;
        t->cell(t->arg, item, i, &cell);
        draw_cell(d, row, column, &t->slots[i], &cell);
        column += (int)t->slots[i].width + 1;
    }
}

void table_draw(const struct draw *d, int row, const struct top_table *t,
                const struct top_list *list)
{
    draw_titles(d, row, t);
    for (size_t i = 0; i < list->rows && list->first + i < list->count; i++) {
        int at = row + 1 + (int)i;

        draw_row_of(d, at, t, list->first + i);
        if (list->first + i == list->at)
            draw_row(d, at, INK_PICKED);
    }
}
