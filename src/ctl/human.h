/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes and spans as people like to read them; for what is read back, see base/units.h. Pure. */
#ifndef PENSTOCK_CTL_HUMAN_H
#define PENSTOCK_CTL_HUMAN_H

#include <stdint.h>

/* Enough for any of them. */
#define HUMAN_MAX 32

/* "0 B", "1023 B", "12.3 MiB": powers of 1024, rounded to a tenth. Returns `out`. */
const char *human_size(char out[HUMAN_MAX], int64_t bytes);

/* "250ms", "12s", "3m12s", "2h05m", "3d04h": the two largest units, rounded down. Less than none is
 * 0ms. Returns `out`. */
const char *human_span(char out[HUMAN_MAX], int64_t ms);

/* The time of day here, "12:03:11". Returns `out`. */
const char *human_clock(char out[HUMAN_MAX], int64_t at_ms);

/* Day and time here, "2026-03-01 12:03:11". Returns `out`. */
const char *human_date(char out[HUMAN_MAX], int64_t at_ms);

#endif
