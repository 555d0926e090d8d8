/* SPDX-License-Identifier: BSD-2-Clause */
/* Where commands print: standard output, which may be a terminal. */
#ifndef PENSTOCK_CTL_SCREEN_H
#define PENSTOCK_CTL_SCREEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/table.h"

struct screen {
    FILE *to; /* standard output, or the frame that is being made */
    bool is_terminal;
    bool colour;
    bool json;
    char *frame; /* while --watch makes one */
    size_t frame_size;
};

void screen_init(struct screen *s, bool json, bool no_color);

/* How many lines can be seen at once; 0 when there is no end. */
unsigned screen_rows(const struct screen *s);

/* Print a table, cut to the terminal's width if there is one; and free it. */
void screen_table(struct screen *s, struct table *t);

/* Print as JSON: a line for programs, indented on a terminal. */
void screen_json(struct screen *s, const json_t *json);

/* What is printed between them is shown at once; on a terminal in place of what was there. */
void screen_begin(struct screen *s);
void screen_show(struct screen *s);

/* Has all arrived? False when it can't: nobody reads any more, or (which is said) a disk is full.
 */
bool screen_flush(struct screen *s);

#endif
