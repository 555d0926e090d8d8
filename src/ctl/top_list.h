/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of which a few rows can be seen, and one is picked. Pure. */
#ifndef PENSTOCK_CTL_TOP_LIST_H
#define PENSTOCK_CTL_TOP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/top_press.h"

struct top_list {
    size_t count; /* of all */
    size_t rows;  /* that can be seen */
    size_t at;    /* the one that is picked; 0 when there is none */
    size_t first; /* that is seen */
};

/* So many there are, and so many can be seen: the one that is picked is among them. */
void list_fit(struct top_list *l, size_t count, size_t rows);

/* A key that moves: up, down, a page, to either end. False when it is another one. */
bool list_press(struct top_list *l, enum press_kind kind);

#endif
