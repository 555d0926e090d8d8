/* SPDX-License-Identifier: BSD-2-Clause */
/* Time, read in one place. All of penstock counts in milliseconds. */
#ifndef PENSTOCK_BASE_CLOCK_H
#define PENSTOCK_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC (clock_gettime(2)): never jumps, counts from boot. */
int64_t clock_monotonic_ms(void);

/* The same clock in microseconds, for a protocol that wants it so. */
int64_t clock_monotonic_us(void);

/* CPU time that the calling thread has used, in microseconds (CLOCK_THREAD_CPUTIME_ID); 0 where
 * that can't be told. */
int64_t clock_thread_cpu_us(void);

/* Milliseconds since the Unix epoch (CLOCK_REALTIME): for people, never for timers. */
int64_t clock_wall_ms(void);

#endif
