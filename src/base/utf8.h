/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 (RFC 3629): what is to be told in it may come from where any bytes are allowed, as in a
 * path. Pure. */
#ifndef PENSTOCK_BASE_UTF8_H
#define PENSTOCK_BASE_UTF8_H

#include <stdbool.h>

/* Is the text nothing else? */
bool utf8_is_valid(const char *text);

/* What is told for a byte of a text that isn't: itself if it is ASCII, else '?'. */
char utf8_stand_in(char byte);

#endif
