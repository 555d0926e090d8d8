/* SPDX-License-Identifier: BSD-2-Clause */
/* Collecting what is wrong with a config. */
#ifndef PENSTOCK_CONF_ERRORS_H
#define PENSTOCK_CONF_ERRORS_H

#include "conf/conf.h"

/* Add an error at a place. Control characters (of hostile input) become '?'. Without memory the
 * text is lost, but the error counts. */
void conf_errors_add(struct conf_errors *errors, struct conf_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add a warning likewise. */
void conf_errors_warn(struct conf_errors *errors, struct conf_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put the errors into the order of the files, the one at `main_path` first, and of their lines; of
 * equal ones in a line one stays. */
void conf_errors_sort(struct conf_errors *errors, const char *main_path);

#endif
