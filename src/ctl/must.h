/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory, for a program that can do nothing sensible without it: it says so and exits. */
#ifndef PENSTOCK_CTL_MUST_H
#define PENSTOCK_CTL_MUST_H

#include <stddef.h>

/* `p`, or the end of the program with status 1 when it is NULL. */
void *must(void *p);

/* realloc(3) of `count` things of `size` bytes. */
void *must_resize(void *p, size_t count, size_t size);

/* asprintf(3). */
char *must_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
