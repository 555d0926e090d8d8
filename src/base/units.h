/* SPDX-License-Identifier: BSD-2-Clause */
/* Durations and sizes as people write them. Pure: no I/O, no clock. */
#ifndef PENSTOCK_BASE_UNITS_H
#define PENSTOCK_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read a duration: a whole number and one of ms, s, min, h, d ("250ms", "5s", "10min", "1h");
 * a bare number is seconds; "off" is 0. Returns NULL and sets *ms, or returns what is wrong and
 * what is allowed (static text, for the end of an error message) and leaves *ms alone.
 */
const char *units_parse_duration(const char *text, int64_t *ms);

/*
 * Read a size: a whole number and nothing or one of K, M, G (powers of 1024). Returns NULL and
 * sets *bytes, or returns what is wrong (static text) and leaves *bytes alone.
 */
const char *units_parse_size(const char *text, uint64_t *bytes);

/*
 * Print a duration so that units_parse_duration() reads it back exactly, in the largest unit
 * that fits ("10min", "250ms", "off" for 0). Returns what snprintf(3) would.
 */
int units_print_duration(char *out, size_t size, int64_t ms);

/* Print a size likewise ("16K", "2M", "1500"). */
int units_print_size(char *out, size_t size, uint64_t bytes);

#endif
