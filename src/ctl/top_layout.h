/* SPDX-License-Identifier: BSD-2-Clause */
/* Which columns of a table are shown, and how wide. Pure. */
#ifndef PENSTOCK_CTL_TOP_LAYOUT_H
#define PENSTOCK_CTL_TOP_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

struct slot {
    const char *title;
    bool right;     /* aligned to the right: numbers */
    unsigned rank;  /* the largest is left out first and grows last; 0 stays */
    unsigned least; /* columns that it needs, */
    unsigned want;  /* and of which it makes use */
    unsigned width; /* what it gets; 0: it is left out */
};

/* Share `columns` out, with one between every two that are shown. */
void layout_fit(struct slot *slots, size_t count, unsigned columns);

#endif
