/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests and fuzzers: a config that is no file. */
#ifndef PENSTOCK_CONF_LOAD_H
#define PENSTOCK_CONF_LOAD_H

#include "conf/conf.h"

/* conf_load(), with `text` of `len` bytes as the one file, called `path`. Touches no file, and
 * so does not know which directories exist. */
struct conf *conf_load_text(const char *path, const char *text, size_t len,
                            struct conf_errors *errors);

#endif
