/* SPDX-License-Identifier: BSD-2-Clause */
/* A table on the whole terminal: titles, and the rows of a list that are seen. */
#ifndef PENSTOCK_CTL_TOP_TABLE_H
#define PENSTOCK_CTL_TOP_TABLE_H

#include "ctl/top_draw.h"
#include "ctl/top_layout.h"
#include "ctl/top_list.h"
#include "ctl/top_text.h"

struct top_cell {
    const char *text; /* safe (text.h); what is in `own`, unless it is set to something else */
    enum ink ink;
    const char *more; /* behind it, in the ink `more_ink`; likewise `own_more`, or NULL */
    enum ink more_ink;
    char own[CELL_MAX], own_more[CELL_MAX];
};

struct top_table {
    struct slot *slots; /* which have been fitted */
    size_t count;
    size_t sorted; /* the slot by which it is sorted; `count`: none of them */
    /* What is in a slot of a row; the cell is empty. */
    void (*cell)(const void *arg, size_t row, size_t slot, struct top_cell *cell);
    const void *arg;
};

void table_draw(const struct draw *d, int row, const struct top_table *t,
                const struct top_list *list);

#endif
