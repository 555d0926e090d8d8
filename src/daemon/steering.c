/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/steering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct conf *conf_of(void *arg)
{
    const struct steering *st = arg;

    return st->set->conf;
}

static struct rule *const *rules(void *arg, size_t *count)
{
    const struct steering *st = arg;

    *count = st->set->count;
    return st->set->rules;
}

static const struct ops_reload *reloaded(void *arg)
{
    const struct steering *st = arg;

    return &st->reload->last;
}

static uint64_t reload(void *arg)
{
    struct steering *st = arg;

    return st->stopping ? 0 : reload_request(st->reload);
}

static const struct daemon_now *daemon_of(void *arg)
{
    const struct steering *st = arg;

    return &st->reload->now;
}

/* Whoever is told it is elsewhere. NULL without memory. */
static char *absolute(const char *path)
{
    char *here = path[0] == '/' ? NULL : getcwd(NULL, 0), *all = NULL;

    if (!here)
        return strdup(path);
    if (asprintf(&all, "%s/%s", here, path) < 0)
        all = NULL;
    free(here);
    return all;
}

unsigned steering_start(struct steering *st, struct ruleset *set, struct reload *rl,
                        const char *path, struct conf_errors *errors)
{
    struct ops_host host;
    unsigned failed;

    st->path = absolute(path);
    host = (struct ops_host){.worker = set->worker,
                             .config_path = st->path ? st->path : path,
                             .conf = conf_of,
                             .daemon = daemon_of,
                             .rules = rules,
                             .reloaded = reloaded,
                             .reload = reload,
                             .arg = st};
    st->set = set;
    st->reload = rl;
    failed = ops_start(&st->ops, &host, set->conf, &st->former, errors);
    st->former = OPS_NO_SOCKETS;
    return failed;
}

void steering_find(struct steering *st, struct passed *passed, const struct conf *conf,
                   const struct conf *before)
{
    st->former.control = passed_take_control(passed, conf, &st->former.file);
    st->former.http = passed_take_http(passed, conf);
    st->former.had_owner = before && before->daemon.control_owner;
    st->former.had_group = before && before->daemon.control_group;
}

unsigned steering_apply(struct steering *st, struct conf_errors *errors)
{
    return ops_change(st->ops, st->set->conf, errors);
}

void steering_reloaded(struct steering *st)
{
    ops_reloaded(st->ops);
}

void steering_end_reloads(struct steering *st)
{
    st->stopping = true;
    if (st->reload)
        reload_cancel(st->reload);
    ops_end_reloads(st->ops);
}

void steering_leave(struct steering *st)
{
    ops_leave(st->ops);
}

void steering_stop(struct steering *st)
{
    ops_stop(st->ops);
    st->ops = NULL;
    free(st->path);
    st->path = NULL;
    if (st->former.control >= 0)
        close(st->former.control);
    if (st->former.http >= 0)
        close(st->former.http);
    st->former = OPS_NO_SOCKETS;
}
