/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes in the files that penstockd has not taken in. Pure. */
#ifndef PENSTOCK_CTL_PENDING_H
#define PENSTOCK_CTL_PENDING_H

#include <jansson.h>
#include <stdbool.h>

/* What a reload would change, by what GET /v1/config/diff answers: how many rules, without that of
 * the name `but` (NULL: none), and options of the group daemon, without those that need a restart.
 * Neither are those counted that could not change at the last reload, by what "reload" of GET
 * /v1/status has (NULL: it is not known which). */
size_t pending_count(const json_t *diff, const char *but, const json_t *last);

#endif
