/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes in the files that penstockd has not taken in. Pure. */
#ifndef PENSTOCK_CTL_PENDING_H
#define PENSTOCK_CTL_PENDING_H

#include <jansson.h>
#include <stdbool.h>

/* What a reload would change, by what GET /v1/config/diff answers: how many rules, that of the name
 * `but` (NULL: none) left out, and options of the group daemon, those that need a restart left
 * out. */
size_t pending_count(const json_t *diff, const char *but);

#endif
