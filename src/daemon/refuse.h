/* SPDX-License-Identifier: BSD-2-Clause */
/* What the config asks of the machine and can't have: told with its place. */
#ifndef PENSTOCK_DAEMON_REFUSE_H
#define PENSTOCK_DAEMON_REFUSE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "os/log.h"

/* Log why an option of the group `daemon` can't be had; `value` is NULL for one that speaks for
 * itself. Returns false. */
bool refuse(struct log *log, const struct conf *conf, const char *option, const char *value,
            const char *why);

#endif
