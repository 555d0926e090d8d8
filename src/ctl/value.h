/* SPDX-License-Identifier: BSD-2-Clause */
/* What an object of the API says, whatever it is. Pure. */
#ifndef PENSTOCK_CTL_VALUE_H
#define PENSTOCK_CTL_VALUE_H

#include <jansson.h>
#include <stdint.h>

/* A text, borrowed; "-" when there is none. */
const char *value_text(const json_t *object, const char *key);

/* The texts of a list with commas between, or of each member's `key` unless that is NULL; "" when
 * there are none. The caller frees it. */
char *value_joined(const json_t *list, const char *key);

/* The most that a number is taken for, and its negative the least: two can be added or subtracted.
 */
#define VALUE_MOST (INT64_MAX / 2)

/* A whole number; 0 when there is none. */
int64_t value_number(const json_t *object, const char *key);

/* The sum of all numbers in an object; 0 when there is none. */
int64_t value_sum(const json_t *object, const char *key);

/* How many sessions of a rule did not get to the upstream. */
int64_t value_failed(const json_t *rule);

/* The sum of two numbers, whatever they are: at most VALUE_MOST. */
int64_t value_add(int64_t a, int64_t b);

/* So much in so many milliseconds, which are more than none, is so much in a second. */
int64_t value_rate(int64_t count, int64_t ms);

#endif
