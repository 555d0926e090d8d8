/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Largest first, as printing wants them. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit sizes[] = {
    {"G", UINT64_C(1) << 30},
    {"M", UINT64_C(1) << 20},
    {"K", UINT64_C(1) << 10},
    {"", 1},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define DURATION_TOO_LARGE "the number is too large, allowed: at most 9223372036854775807ms"
#define DURATION_ALLOWED   "allowed: a whole number and ms, s, min, h or d (\"250ms\", \"10min\")"
#define SIZE_TOO_LARGE     "the number is too large, allowed: at most 18446744073709551615"
#define SIZE_ALLOWED       "allowed: a whole number and nothing, K, M or G (\"1500\", \"16K\")"

/* The digits that `text` begins with; *rest is set behind them. False when there are none, and
 * for more than 64 bits hold: then *huge. */
static bool read_number(const char *text, uint64_t *number, const char **rest, bool *huge)
{
    const char *p = text;

    *number = 0;
    *huge = false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*p - '0'), number)) {
            *huge = true;
            return false;
        }
    }
    *rest = p;
    return p != text;
}

const char *units_parse_duration(const char *text, int64_t *ms)
{
    uint64_t number, factor = 0;
    const char *suffix;
    bool huge;

    if (strcmp(text, "off") == 0) {
        *ms = 0;
        return NULL;
    }
    if (text[0] == '\0')
        return "it is empty, " DURATION_ALLOWED;
    if (!read_number(text, &number, &suffix, &huge))
        return huge ? DURATION_TOO_LARGE : "no duration, " DURATION_ALLOWED;
    if (*suffix == '\0')
        factor = 1000;
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        if (strcmp(suffix, durations[i].suffix) == 0)
            factor = durations[i].factor;
    }
    if (factor == 0)
        return "unknown unit, " DURATION_ALLOWED;
    if (__builtin_mul_overflow(number, factor, &number) || number > INT64_MAX)
        return DURATION_TOO_LARGE;
    *ms = (int64_t)number;
    return NULL;
}

const char *units_parse_size(const char *text, uint64_t *bytes)
{
    uint64_t number;
    const char *suffix;
    bool huge;

    if (text[0] == '\0')
        return "it is empty, " SIZE_ALLOWED;
    if (!read_number(text, &number, &suffix, &huge))
        return huge ? SIZE_TOO_LARGE : "no size, " SIZE_ALLOWED;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        if (strcmp(suffix, sizes[i].suffix) != 0)
            continue;
        if (__builtin_mul_overflow(number, sizes[i].factor, &number))
            return SIZE_TOO_LARGE;
        *bytes = number;
        return NULL;
    }
    return "unknown unit, " SIZE_ALLOWED;
}

/* In the largest unit that divides it; the last unit of every list is 1. */
static int print_in(const struct unit *units, char *out, size_t size, uint64_t number)
{
    while (number % units->factor != 0)
        units++;
    return snprintf(out, size, "%" PRIu64 "%s", number / units->factor, units->suffix);
}

int units_print_duration(char *out, size_t size, int64_t ms)
{
    if (ms <= 0)
        return snprintf(out, size, "off");
    return print_in(durations, out, size, (uint64_t)ms);
}

int units_print_size(char *out, size_t size, uint64_t bytes)
{
    if (bytes == 0)
        return snprintf(out, size, "0");
    return print_in(sizes, out, size, bytes);
}
