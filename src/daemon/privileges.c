/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/privileges.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/refuse.h"
#include "os/user.h"

bool privileges_can_be_dropped(struct log *log, const struct conf *conf)
{
    const struct conf_daemon *d = &conf->daemon;
    uid_t uid;
    gid_t gid;

    if (geteuid() != 0)
        return true;
    if (d->user && user_find(d->user, &uid, &gid))
        return refuse(log, conf, "user", d->user, "there is no such user");
    if (d->group && group_find(d->group, &gid))
        return refuse(log, conf, "group", d->group, "there is no such group");
    return true;
}

bool privileges_drop(struct log *log, const struct conf *conf, bool goes_on)
{
    const struct conf_daemon *d = &conf->daemon;
    const char *option = d->user ? "user" : "group", *name = d->user ? d->user : d->group;
    bool may_stay = goes_on && geteuid() != 0;
    int error;

    if (!name)
        return true;
    error = user_become(d->user, d->group);
    if (error == -ENOENT)
        refuse(log, conf, option, name, "there is no such user or group");
    else if (error && may_stay)
        refuse(log, conf, option, name, "takes effect with the next start by root");
    else if (error)
        return refuse(log, conf, option, name, strerror(-error));
    return error == 0 || may_stay;
}
