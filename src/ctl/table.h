/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables: rows of cells under titles, aligned by the width that a terminal shows them in. Every
 * text is made safe (text.h) as it comes in. Pure but for memory and the FILE it is printed to.
 */
#ifndef PENSTOCK_CTL_TABLE_H
#define PENSTOCK_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_STRONG, STYLE_GOOD, STYLE_ODD, STYLE_BAD, STYLE_FAINT };

struct column {
    const char *title;
    bool right;      /* aligned to the right: numbers */
    bool shrinks;    /* cut first when there is no room */
    unsigned leaves; /* left out when there is no room, before anything is cut: 1 first, then 2;
                        0: it stays */
};

struct table;

/* `columns` is borrowed. Without titles (all NULL) there is no head. */
struct table *table_begin(const struct column *columns, size_t count);
void table_end(struct table *t);

/* The next cell, row by row; a row is complete when it has all its cells. */
void table_cell(struct table *t, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line a row. `width` is how many columns there are: what doesn't fit is cut and marked with ~; 0
 * cuts nothing. */
void table_print(const struct table *t, FILE *to, size_t width, bool colour);

/* The sequence that begins a style (ECMA-48); "" for STYLE_PLAIN. STYLE_END ends any. */
const char *style_begin(enum style style);
#define STYLE_END "\033[0m"

#endif
