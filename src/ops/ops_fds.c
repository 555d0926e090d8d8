/* SPDX-License-Identifier: BSD-2-Clause */
/* What the sockets of this side will take; by itself, as who promises descriptors needs no more. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/ops.h"
#include "ops/ops_open.h"

static bool directory_is_there(const char *path)
{
    char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
    bool there = !directory || access(directory, F_OK) == 0;

    free(directory);
    return there;
}

bool ops_leaves_out_control(const struct conf *conf)
{
    return conf_daemon_place(conf, "control").line == 0 &&
           !directory_is_there(conf->daemon.control);
}

uint64_t ops_descriptors(const struct conf *conf)
{
    const struct conf_daemon *d = &conf->daemon;
    uint64_t count = d->http ? OPS_SOCKET_FDS : 0;

    if (conf_has_control(d) && !ops_leaves_out_control(conf))
        count += OPS_SOCKET_FDS;
    return count;
}
