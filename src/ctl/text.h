/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text from elsewhere, made fit to be shown: nothing in it can steer a terminal, break a line or
 * make it look like something else. Depends on the locale only (nl_langinfo(3), wcwidth(3)).
 */
#ifndef PENSTOCK_CTL_TEXT_H
#define PENSTOCK_CTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * `text` (UTF-8) with what is no printable character of this locale escaped: \\ \n \r \t, \xNN (a
 * byte that is not UTF-8), \uNNNN and \UNNNNNNNN. Characters without a width of their own that
 * change how others look (direction, joining) are escaped as well. Where the locale is not of UTF-8
 * nothing but ASCII is left: bytes of a character may be controls there. The caller frees it.
 */
char *text_safe(const char *text);

/* The same for a terminal that takes UTF-8, or not. */
char *text_safe_for(const char *text, bool utf8);

/* Does this locale's terminal take UTF-8? */
bool text_is_utf8(void);

/* As penstockd tells a text that is not UTF-8 (a path may be anything): '?' for each byte of it
 * that is not ASCII. The caller frees it. */
char *text_plain(const char *text);

/* How many columns a terminal shows a safe text in. */
size_t text_width(const char *safe);

/* How many bytes of a safe text fit into `columns`; *used is set to the columns that they take. */
size_t text_fit(const char *safe, size_t columns, size_t *used);

/* Print a line that is made safe as a whole; the newline is added. */
void text_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
