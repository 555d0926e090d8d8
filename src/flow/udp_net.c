/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups and broadcasts are not there yet. */
#include "config.h"

#include "flow/udp_net.h"

#include <errno.h>
#include <stddef.h>

void udp_net_free(struct worker *w)
{
    (void)w;
}

int udp_net_join(struct listener *l, const struct addr *bound, const char **why)
{
    (void)l;
    (void)bound;
    *why = "groups and broadcasts are not there yet";
    return -ENOTSUP;
}

int udp_net_change(struct listener *l, const char **why)
{
    (void)l;
    *why = NULL;
    return 0;
}

void udp_net_leave(struct listener *l)
{
    (void)l;
}

bool udp_net_takes(struct listener *l, const struct dgram *d)
{
    (void)l;
    (void)d;
    return false;
}

int udp_net_open(struct session *s)
{
    (void)s;
    return -ENOTSUP;
}

void udp_net_resume(struct session *s)
{
    (void)s;
}

void udp_net_close(struct session *s)
{
    (void)s;
}

void udp_net_send(struct session *s, struct dgram *const *list, unsigned count)
{
    (void)s;
    (void)list;
    (void)count;
}

bool udp_net_answers(const struct session *s, const struct dgram *d)
{
    (void)s;
    (void)d;
    return false;
}
