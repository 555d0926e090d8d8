/* SPDX-License-Identifier: BSD-2-Clause */
/* The config that penstockd runs with, seen from here. */
#ifndef PENSTOCK_CTL_AT_WORK_H
#define PENSTOCK_CTL_AT_WORK_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/client.h"

/*
 * Where it is, by what GET /v1/status answers: a relative path is one from penstockd's working
 * directory. Only its directory is resolved: conf.d is beside the name that penstockd was given,
 * whatever that is a link to. The caller frees it; NULL when there is no telling.
 */
char *at_work_config(const json_t *status);

/* Is the same conf.d, if there is one, beside both? */
bool at_work_shares(const char *a, const char *b);

/* Are these one config: the same file, and the same conf.d beside it? */
bool at_work_is_same(const char *a, const char *b);

/* Is there no daemon at all, by what it answers? */
bool at_work_is_down(const struct reply *reply);

/* Say that it can't be found, and what to do. Returns the exit status. */
int at_work_unknown(void);

#endif
