/* SPDX-License-Identifier: BSD-2-Clause */
/* A build without the control socket. */
#include "config.h"

#include "ops/ops.h"

#include <string.h>
#include <unistd.h>

#include "conf/errors.h"

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

uint64_t ops_descriptors(const struct conf *conf)
{
    (void)conf;
    return 0;
}

static unsigned refuse(const struct conf *conf, struct conf_errors *errors)
{
    const char *missing = ops_missing(conf);

    if (!missing)
        return 0;
    conf_errors_add(errors, conf_daemon_near(conf, missing), "%s: this build has no control socket",
                    missing);
    return DAEMON_PART(strcmp(missing, "http") == 0 ? DAEMON_HTTP : DAEMON_CONTROL);
}

unsigned ops_start(struct ops **out, const struct ops_host *host, const struct conf *conf,
                   const struct ops_sockets *former, struct conf_errors *errors)
{
    (void)host;
    if (former->control >= 0)
        close(former->control);
    if (former->http >= 0)
        close(former->http);
    *out = NULL;
    return refuse(conf, errors);
}

struct ops_sockets ops_sockets(const struct ops *ops)
{
    (void)ops;
    return OPS_NO_SOCKETS;
}

void ops_leave(struct ops *ops)
{
    (void)ops;
}

unsigned ops_change(struct ops *ops, const struct conf *conf, struct conf_errors *errors)
{
    (void)ops;
    return refuse(conf, errors);
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
