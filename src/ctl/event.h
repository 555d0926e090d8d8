/* SPDX-License-Identifier: BSD-2-Clause */
/* What has happened, in a line for people. Pure. */
#ifndef PENSTOCK_CTL_EVENT_H
#define PENSTOCK_CTL_EVENT_H

#include <jansson.h>

#include "ctl/table.h"

/* The line for an event of the API, not made safe yet; the caller frees it. */
char *event_text(const json_t *event, enum style *style);

#endif
