/* SPDX-License-Identifier: BSD-2-Clause */
/* A build without the control socket. */
#include "config.h"

#include "ops/ops.h"

#include <string.h>

bool ops_built_in(void)
{
    return false;
}

/* The default, which a dump of the config has as well, asks for nothing. */
const char *ops_missing(const struct conf *conf)
{
    const struct conf_daemon *d = &conf->daemon;

    if (conf_has_control(d) && strcmp(d->control, CONF_CONTROL_DEFAULT) != 0)
        return "control";
    return d->http ? "http" : NULL;
}

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

void ops_end_reloads(struct ops *ops)
{
    (void)ops;
}

void ops_stop(struct ops *ops)
{
    (void)ops;
}
