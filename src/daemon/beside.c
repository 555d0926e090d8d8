/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/beside.h"

#include <errno.h>

#include "os/sock.h"

typedef bool each_fn(struct listener *l, const void *arg);

/* Call fn for each listener at work that overlaps with `conf`, until it returns false. */
static struct listener *each(const struct ruleset *set, const struct conf_listen *conf, each_fn *fn,
                             const void *arg)
{
    for (size_t i = 0; i < set->count; i++) {
        list_for_each (link, next, &set->rules[i]->listeners) {
            struct listener *l = container_of(link, struct listener, link);

            if (conf_listens_overlap(l->conf, conf) && !fn(l, arg))
                return l;
        }
    }
    return NULL;
}

static bool found(struct listener *l, const void *arg)
{
    (void)l;
    (void)arg;
    return false;
}

struct listener *beside_whom(const struct ruleset *set, const struct conf_listen *conf)
{
    return each(set, conf, found, NULL);
}

static bool goes(struct listener *l, const void *arg)
{
    return conf_diff_new(arg, l->conf) == NULL;
}

static bool share(struct listener *l, const void *arg)
{
    const bool *on = arg;

    return sock_share_port(l->fd, *on) == 0;
}

int beside_open(const struct ruleset *set, const struct conf_diff *diff, struct listener *l,
                const char **why)
{
    const bool on = true, off = false;
    int error = -EADDRINUSE;

    if (!beside_whom(set, l->conf) || each(set, l->conf, goes, diff))
        return error;
    if (!each(set, l->conf, share, &on))
        error = listener_open_beside(l, why);
    each(set, l->conf, share, &off);
    return error;
}
