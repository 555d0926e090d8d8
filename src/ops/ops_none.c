/* SPDX-License-Identifier: BSD-2-Clause */
/* A build without the control socket. */
#include "config.h"

#include <errno.h>

#include "ops/ops.h"

int ops_start(struct ops **out, const struct ops_host *host, const struct conf *conf)
{
    (void)host;
    (void)conf;
    *out = NULL;
    return 0;
}

void ops_change(struct ops *ops, const struct conf *conf)
{
    (void)ops;
    (void)conf;
}

void ops_reloaded(struct ops *ops)
{
    (void)ops;
}

void ops_stop(struct ops *ops)
{
    (void)ops;
}
