/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_draw.h"

#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>

#include "ctl/must.h"
#include "ctl/text.h"

/* Pairs of colours go by the ink. */
void draw_colours(void)
{
    static const struct {
        enum ink ink;
        short colour;
    } all[] = {{INK_GOOD, COLOR_GREEN},
               {INK_ODD, COLOR_YELLOW},
               {INK_BAD, COLOR_RED},
               {INK_FLOW, COLOR_CYAN},
               {INK_SORTED, COLOR_CYAN}};

    start_color();
    use_default_colors();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        init_pair((short)all[i].ink, all[i].colour, -1);
}

static attr_t look(const struct draw *d, enum ink ink)
{
    switch (ink) {
    case INK_STRONG:
        return A_BOLD;
    case INK_FAINT:
        return A_DIM;
    case INK_GOOD:
    case INK_FLOW:
        return d->colour ? (attr_t)COLOR_PAIR(ink) : A_NORMAL;
    case INK_ODD:
    case INK_BAD:
        return d->colour ? (attr_t)COLOR_PAIR(ink) : A_BOLD;
    case INK_TITLE:
        return A_UNDERLINE;
    case INK_SORTED:
        return A_UNDERLINE | A_BOLD | (d->colour ? (attr_t)COLOR_PAIR(ink) : 0);
    case INK_PICKED:
        return A_REVERSE;
    default:
        return A_NORMAL;
    }
}

void draw_begin(void)
{
    erase();
}

void draw_show(bool cursor)
{
    curs_set(cursor ? 1 : 0);
    wnoutrefresh(stdscr);
    doupdate();
}

int draw_text(const struct draw *d, int row, int column, int width, enum ink ink, const char *safe)
{
    size_t used, bytes, room;

    if (width > d->columns - column)
        width = d->columns - column;
    if (row < 0 || row >= d->rows || column < 0 || width <= 0)
        return 0;
    room = (size_t)width;
    attrset(look(d, ink));
    if (text_width(safe) <= room) {
        bytes = text_fit(safe, room, &used);
        mvaddnstr(row, column, safe, (int)bytes);
    } else {
        bytes = text_fit(safe, room - 1, &used);
        mvaddnstr(row, column, safe, (int)bytes);
        addch('~');
        used++;
    }
    attrset(A_NORMAL);
    return (int)used;
}

int draw_print(const struct draw *d, int row, int column, int width, enum ink ink,
               const char *format, ...)
{
    char *text, *safe;
    va_list args;
    int length, used;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    must(length < 0 ? NULL : text);
    safe = text_safe(text);
    used = draw_text(d, row, column, width, ink, safe);
    free(safe);
    free(text);
    return used;
}

void draw_clear(const struct draw *d, int row)
{
    if (row >= 0 && row < d->rows && move(row, 0) == OK)
        clrtoeol();
}

void draw_row(const struct draw *d, int row, enum ink ink)
{
    if (row >= 0 && row < d->rows)
        mvchgat(row, 0, -1, look(d, ink), 0, NULL);
}
