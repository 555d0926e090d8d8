/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, bars and lines of history in as few columns as they can be read in. Pure. */
#ifndef PENSTOCK_CTL_TOP_TEXT_H
#define PENSTOCK_CTL_TOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/human.h"

/* How many looks a history goes back. */
#define TREND_MAX 60

/* What a cell of a table can hold: a history, of characters of three bytes. */
#define CELL_MAX (TREND_MAX * 3 + 1)

/* The last few of a number, the newest at the end. */
struct top_trend {
    int64_t value[TREND_MAX];
    unsigned count;
};

void trend_add(struct top_trend *t, int64_t value);
int64_t trend_sum(const struct top_trend *t, unsigned last);

/* A size as in the config, "0", "1023", "1.0K", "99.9M", "123G": at most five columns. Less than
 * none is "-". Returns `out`. */
const char *top_size(char out[HUMAN_MAX], int64_t bytes);

/* A count likewise, by thousands: "99999", "123K", "1.2M". Returns `out`. */
const char *top_count(char out[HUMAN_MAX], int64_t count);

/*
 * A bar of `columns` that is filled as `part` is of `whole`: `out` gets what is filled, `rest` what
 * isn't. Anything at all shows, and only all of it fills the bar.
 */
void top_bar(char out[CELL_MAX], char rest[CELL_MAX], unsigned columns, int64_t part, int64_t whole,
             bool utf8);

/* The history in `columns`, each as high as its value is of the largest; the newest at the right.
 * What is 0 is blank. */
void top_spark(char out[CELL_MAX], const struct top_trend *t, unsigned columns, bool utf8);

#endif
