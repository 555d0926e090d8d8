/* SPDX-License-Identifier: BSD-2-Clause */
/* Putting text on the terminal. What is drawn is shown all at once. */
#ifndef PENSTOCK_CTL_TOP_DRAW_H
#define PENSTOCK_CTL_TOP_DRAW_H

#include <stdbool.h>
#include <stddef.h>

/* What text means; how it looks depends on what the terminal can do. */
enum ink {
    INK_PLAIN,
    INK_STRONG,
    INK_FAINT,
    INK_GOOD,
    INK_ODD,
    INK_BAD,
    INK_FLOW,   /* what moves */
    INK_TITLE,  /* of a column */
    INK_SORTED, /* the title of the column by which it is sorted */
    INK_PICKED,
};

struct draw {
    int rows, columns;
    bool utf8;   /* blocks can be shown */
    bool colour; /* there are colours, and they are wanted */
};

/* Make the colours; once, when there are to be any. */
void draw_colours(void);

/* Begin with nothing; and show what was drawn since. The cursor is not seen, or where the last text
 * ended. */
void draw_begin(void);
void draw_show(bool cursor);

/*
 * Put a text that is safe (text.h) at a row and a column, into at most `width` columns: what
 * doesn't fit is cut and marked with ~. Nothing leaves the screen. Returns the columns that were
 * taken.
 */
int draw_text(const struct draw *d, int row, int column, int width, enum ink ink, const char *safe);

/* The same, made of pieces; not safe yet. */
int draw_print(const struct draw *d, int row, int column, int width, enum ink ink,
               const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Make a row blank. */
void draw_clear(const struct draw *d, int row);

/* Make all of a row look so, whatever is in it. */
void draw_row(const struct draw *d, int row, enum ink ink);

#endif
