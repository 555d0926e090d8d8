/* SPDX-License-Identifier: BSD-2-Clause */
/* What an object of the API says, whatever it is. Pure. */
#ifndef PENSTOCK_CTL_VALUE_H
#define PENSTOCK_CTL_VALUE_H

#include <jansson.h>
#include <stdint.h>

/* A text, borrowed; "-" when there is none. */
const char *value_text(const json_t *object, const char *key);

/* A whole number; 0 when there is none. */
int64_t value_number(const json_t *object, const char *key);

/* The sum of all numbers in an object; 0 when there is none. */
int64_t value_sum(const json_t *object, const char *key);

#endif
