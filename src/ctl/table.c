/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "ctl/must.h"
#include "ctl/text.h"

#define GAP        2
#define LEFT_OUT   SIZE_MAX /* instead of a width */
#define SHRUNK_MIN 8

struct cell {
    char *text;
    size_t width;
    enum style style;
};

struct table {
    const struct column *columns;
    size_t count;
    struct cell *cells;
    size_t used, room;
};

const char *style_begin(enum style style)
{
    static const char *const begins[] = {"",         "\033[1m",  "\033[32m",
                                         "\033[33m", "\033[31m", "\033[2m"};

    return begins[style];
}

static void add(struct table *t, enum style style, const char *text)
{
    if (t->used == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->cells = must_resize(t->cells, t->room, sizeof(*t->cells));
    }
    struct cell *cell = &t->cells[t->used++];
    cell->text = text_safe(text);
    cell->width = text_width(cell->text);
    cell->style = style;
}

struct table *table_begin(const struct column *columns, size_t count)
{
    struct table *t = must(calloc(1, sizeof(*t)));

    t->columns = columns;
    t->count = count;
    for (size_t i = 0; columns[0].title && i < count; i++)
        add(t, STYLE_STRONG, columns[i].title);
    return t;
}

void table_end(struct table *t)
{
    for (size_t i = 0; i < t->used; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

void table_cell(struct table *t, enum style style, const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    must(length < 0 ? NULL : text);
    add(t, style, text);
    free(text);
}

/* The widest of the columns that may be cut further; NULL: none. */
static size_t *widest(const struct table *t, size_t *widths)
{
    size_t *found = NULL;

    for (size_t i = 0; i < t->count; i++) {
        if (t->columns[i].shrinks && widths[i] != LEFT_OUT && widths[i] > SHRUNK_MIN &&
            (!found || widths[i] > *found))
            found = &widths[i];
    }
    return found;
}

/* Columns that may leave do so until the others have room, or none may any more. Returns how much
 * is left of `total`. */
static size_t leave(const struct table *t, size_t *widths, size_t total, size_t width)
{
    for (unsigned rank = 1; total > width; rank++) {
        size_t i = 0;

        while (i < t->count && t->columns[i].leaves != rank)
            i++;
        if (i == t->count)
            break;
        total -= widths[i] + GAP;
        widths[i] = LEFT_OUT;
    }
    return total;
}

/* How wide each column is. */
static size_t *measure(const struct table *t, size_t width)
{
    size_t *widths = must(calloc(t->count, sizeof(*widths))), total = GAP * (t->count - 1), *most;

    for (size_t i = 0; i < t->used; i++) {
        if (t->cells[i].width > widths[i % t->count])
            widths[i % t->count] = t->cells[i].width;
    }
    for (size_t i = 0; i < t->count; i++)
        total += widths[i];
    if (width > 0)
        total = leave(t, widths, total, width);
    for (; width > 0 && total > width && (most = widest(t, widths)); total--)
        (*most)--;
    return widths;
}

/* Print a cell that has `width` columns, and cut it if it is wider. */
static void print_cell(const struct cell *cell, size_t width, FILE *to, bool colour)
{
    size_t used = cell->width, bytes;
    const char *begin = colour ? style_begin(cell->style) : "";

    fputs(begin, to);
    if (cell->width <= width) {
        fputs(cell->text, to);
    } else {
        bytes = text_fit(cell->text, width > 0 ? width - 1 : 0, &used);
        fprintf(to, "%.*s%s", (int)bytes, cell->text, width > 0 ? "~" : "");
        used += width > 0;
    }
    fputs(begin[0] ? STYLE_END : "", to);
    if (used < width)
        fprintf(to, "%*s", (int)(width - used), "");
}

static void print_row(const struct table *t, const struct cell *row, const size_t *widths,
                      size_t width, FILE *to, bool colour)
{
    size_t left = width > 0 ? width : SIZE_MAX, end = t->count;

    while (end > 1 && widths[end - 1] == LEFT_OUT)
        end--;
    for (size_t i = 0; i < end; i++) {
        bool last = i + 1 == end, right = t->columns[i].right;
        size_t room = widths[i] < left ? widths[i] : left;
        size_t pad = right && row[i].width < room ? room - row[i].width : 0;

        if (widths[i] == LEFT_OUT)
            continue;
        fprintf(to, "%*s", (int)pad, "");
        /* Nothing behind the last one. */
        print_cell(&row[i], (right || last) && row[i].width < room ? row[i].width : room, to,
                   colour);
        left -= room;
        if (last || left <= GAP)
            break;
        fprintf(to, "%*s", GAP, "");
        left -= GAP;
    }
    fputc('\n', to);
}

void table_print(const struct table *t, FILE *to, size_t width, bool colour)
{
    size_t *widths = measure(t, width);

    for (size_t i = 0; i + t->count <= t->used; i += t->count)
        print_row(t, &t->cells[i], widths, width, to, colour);
    free(widths);
}
