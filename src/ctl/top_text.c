/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/value.h"

#define COUNT_PLAIN 99999 /* the most that is shown to the last digit */

void trend_add(struct top_trend *t, int64_t value)
{
    if (t->count == TREND_MAX)
        memmove(t->value, t->value + 1, sizeof(t->value) - sizeof(t->value[0]));
    else
        t->count++;
    t->value[t->count - 1] = value;
}

int64_t trend_sum(const struct top_trend *t, unsigned last)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < last && i < t->count; i++)
        sum = value_add(sum, t->value[t->count - 1 - i]);
    return sum;
}

/* `value` in steps of `step`, a tenth shown below a hundred. */
static const char *scaled(char out[HUMAN_MAX], int64_t value, int64_t step)
{
    static const char units[] = "KMGTPE";
    const char *unit = units;
    int64_t one = step, tenths;

    /* What would be rounded to a whole step is 1.0 of the next. */
    while (unit[1] != '\0' && value / one >= step - 1 && value - one * (step - 1) >= one / 2) {
        one *= step;
        unit++;
    }
    tenths = (int64_t)((double)value * 10 / (double)one + 0.5);
    if (tenths < 1000)
        snprintf(out, HUMAN_MAX, "%" PRId64 ".%" PRId64 "%c", tenths / 10, tenths % 10, *unit);
    else
        snprintf(out, HUMAN_MAX, "%" PRId64 "%c", (tenths + 5) / 10, *unit);
    return out;
}

const char *top_size(char out[HUMAN_MAX], int64_t bytes)
{
    if (bytes >= 1024)
        return scaled(out, bytes, 1024);
    snprintf(out, HUMAN_MAX, bytes < 0 ? "-" : "%" PRId64, bytes);
    return out;
}

const char *top_count(char out[HUMAN_MAX], int64_t count)
{
    if (count > COUNT_PLAIN)
        return scaled(out, count, 1000);
    snprintf(out, HUMAN_MAX, count < 0 ? "-" : "%" PRId64, count);
    return out;
}

static char *repeat(char *out, const char *what, unsigned times)
{
    size_t length = strlen(what);

    for (unsigned i = 0; i < times; i++, out += length)
        memcpy(out, what, length);
    *out = '\0';
    return out;
}

void top_bar(char out[CELL_MAX], char rest[CELL_MAX], unsigned columns, int64_t part, int64_t whole,
             bool utf8)
{
    unsigned most = (columns > TREND_MAX ? TREND_MAX : columns) * 2, halves = 0;

    if (part > 0 && part >= whole)
        halves = most;
    else if (part > 0)
        halves = (unsigned)((double)part / (double)whole * most);
    if (part > 0 && halves == 0 && most > 0)
        halves = 1;
    if (!utf8 && halves < most)
        halves = (halves + 1) / 2 * 2; /* there are no halves */
    if (part < whole && halves == most && most > 0)
        halves -= utf8 ? 1 : 2;
    out = repeat(out, utf8 ? "\342\224\201" : "#", halves / 2);
    repeat(out, "\342\225\270", halves % 2);
    repeat(rest, utf8 ? "\342\224\200" : ".", most / 2 - (halves + 1) / 2);
}

void top_spark(char out[CELL_MAX], const struct top_trend *t, unsigned columns, bool utf8)
{
    static const char *const blocks[] = {" ",
                                         "\342\226\201",
                                         "\342\226\202",
                                         "\342\226\203",
                                         "\342\226\204",
                                         "\342\226\205",
                                         "\342\226\206",
                                         "\342\226\207",
                                         "\342\226\210"};
    static const char *const signs[] = {" ", ".", ".", ":", "-", "=", "+", "*", "#"};
    unsigned shown = columns < t->count ? columns : t->count;
    const int64_t *value = t->value + (t->count - shown);
    int64_t most = 1;

    for (unsigned i = 0; i < shown; i++)
        most = value[i] > most ? value[i] : most;
    if (columns > TREND_MAX)
        columns = TREND_MAX;
    out = repeat(out, " ", columns - shown);
    for (unsigned i = 0; i < shown; i++) {
        double part = value[i] > 0 ? (double)value[i] / (double)most : 0;
        unsigned level = part > 0 ? 1 + (unsigned)(part * 7.0) : 0;

        out = repeat(out, (utf8 ? blocks : signs)[level], 1);
    }
}
