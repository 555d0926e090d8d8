/* SPDX-License-Identifier: BSD-2-Clause */
/* Which groups listeners are in, on which interfaces: joined as these come, left as they go. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "flow/listener.h"
#include "flow/udp_net_inside.h"
#include "flow/worker.h"

/* --- the log --------------------------------------------------------------------------------- */

static const char *explain(const struct udp_membership *m, const struct udp_place *p, int error)
{
    if (error == -ENODEV)
        return p->name[0] ? "there is no such interface, or it is down"
                          : "no route leads to the group";
    if (error == -ENOBUFS && m->group.family == AF_INET)
        return m->source_count > 0 ? "more sources than net.ipv4.igmp_max_msf allows, or more "
                                     "groups than net.ipv4.igmp_max_memberships"
                                   : "more groups than net.ipv4.igmp_max_memberships allows";
    return strerror(-error);
}

/* Once for each thing that there is to say. */
static void tell(struct udp_net *net, const struct udp_membership *m, struct udp_place *p,
                 int error)
{
    int news = error ? error : PLACE_JOINED;
    bool is_group = m->group.family != AF_UNSPEC;
    const char *name = p->name[0] ? p->name : interfaces_name(net->interfaces, p->index);
    char group[ADDR_TEXT_MAX];
    struct log_field fields[4];
    size_t count = 0;

    if (p->told == news || (!is_group && !error && p->told == 0))
        return;
    p->told = news;
    fields[count++] = LOG_TEXT("rule", m->listener->conf->rule->name);
    if (is_group)
        fields[count++] = LOG_TEXT("group", addr_print(&m->group, group, sizeof(group)));
    else
        fields[count++] = LOG_TEXT("address", m->listener->conf->text);
    if (name)
        fields[count++] = LOG_TEXT("interface", name);
    if (error)
        fields[count++] = LOG_TEXT("error", explain(m, p, error));
    if (is_group)
        log_fields(net->worker->log, error ? LEVEL_WARNING : LEVEL_INFO,
                   error ? "cannot join" : "joined", fields, count);
    else
        log_fields(net->worker->log, error ? LEVEL_WARNING : LEVEL_INFO,
                   error ? "cannot listen on interface" : "interface is there", fields, count);
}

/* --- joining and leaving --------------------------------------------------------------------- */

/* Joined already it is when another process has handed the socket over. */
static int join_one(const struct udp_membership *m, unsigned index, const struct addr *source)
{
    int error = dgram_join(m->listener->fd, &m->group, index, source);

    return error == -EADDRINUSE ? 0 : error;
}

static int join(const struct udp_membership *m, unsigned index)
{
    int error = 0;

    if (m->source_count == 0)
        return join_one(m, index, NULL);
    for (size_t i = 0; i < m->source_count && error == 0; i++)
        error = join_one(m, index, &m->sources[i]);
    return error;
}

/* Of all its sources in one: those of an interface that is gone can't be left one by one. That
 * nothing was joined is no matter. */
static void leave(const struct udp_membership *m, unsigned index)
{
    dgram_leave(m->listener->fd, &m->group, index, NULL);
}

/* 0: there is none; or a negative errno. */
static int find(const struct udp_net *net, const struct udp_membership *m,
                const struct udp_place *p)
{
    return p->name[0] ? (int)interfaces_index(net->interfaces, p->name)
                      : interfaces_towards(net->interfaces, &m->group);
}

/* Be where the interface is now, if that is another place than before. */
static void update_place(struct udp_net *net, const struct udp_membership *m, struct udp_place *p)
{
    int found = find(net, m, p);
    unsigned index = found > 0 ? (unsigned)found : 0;
    uint64_t stamp = interfaces_stamp(net->interfaces, index, m->group.family);
    bool is_group = m->group.family != AF_UNSPEC;
    int error = 0;

    if (found < 0) {
        p->joined = false; /* until it is known that nothing has changed */
        tell(net, m, p, found);
        return;
    }
    if (p->joined && p->index == index && p->stamp == stamp)
        return;
    if (is_group && p->index != 0)
        leave(m, p->index);
    p->index = index;
    p->stamp = stamp;
    if (index == 0)
        error = -ENODEV;
    else if (is_group)
        error = join(m, index);
    p->joined = error == 0;
    tell(net, m, p, error);
}

/* Is there something that no news of interfaces will mend? */
static bool is_stuck(const struct udp_place *p)
{
    return !p->joined && (p->index != 0 || p->name[0] == '\0');
}

static void update(struct udp_net *net, struct udp_membership *m)
{
    bool stuck = false;

    for (size_t i = 0; i < m->place_count; i++) {
        update_place(net, m, &m->places[i]);
        stuck = stuck || is_stuck(&m->places[i]);
    }
    if (stuck)
        udp_net_retry(net);
}

void udp_group_update(struct udp_net *net)
{
    list_for_each (link, next, &net->memberships)
        update(net, container_of(link, struct udp_membership, link));
}

/* --- listeners ------------------------------------------------------------------------------- */

static bool is_picky(const struct conf_listen *conf, const struct addr *bound)
{
    return addr_is_group(bound) || conf->broadcast || conf->interfaces.count > 0;
}

static void dispose(struct udp_membership *m)
{
    list_remove(&m->link);
    free(m->sources);
    free(m);
}

/* NULL without memory. */
static struct udp_membership *make(struct listener *l, const struct addr *bound)
{
    const struct conf_listen *conf = l->conf;
    bool is_group = addr_is_group(bound);
    size_t count = conf->interfaces.count;
    struct udp_membership *m;

    if (count == 0 && is_group)
        count = 1; /* where the routes lead */
    m = calloc(1, sizeof(*m) + count * sizeof(m->places[0]));
    if (!m)
        return NULL;
    list_init(&m->link);
    m->listener = l;
    m->bound = *bound;
    m->place_count = count;
    for (size_t i = 0; i < conf->interfaces.count; i++)
        snprintf(m->places[i].name, sizeof(m->places[i].name), "%s", conf->interfaces.list[i]);
    if (!is_group)
        return m;
    m->group = *bound;
    m->source_count = conf->source_count;
    if (m->source_count == 0)
        return m;
    m->sources = calloc(m->source_count, sizeof(*m->sources));
    if (m->sources) {
        memcpy(m->sources, conf->sources, m->source_count * sizeof(*m->sources));
        return m;
    }
    free(m);
    return NULL;
}

int udp_net_join(struct listener *l, const struct addr *bound, const char **why)
{
    bool picky = is_picky(l->conf, bound);
    struct udp_net *net;
    struct udp_membership *m;

    /* What comes there would be taken for unicast, and go round with nothing to hinder it. */
    if (!l->conf->broadcast && !addr_is_wildcard(bound) && interfaces_is_broadcast(bound)) {
        *why = "it is a broadcast address, which needs broadcast = true";
        return -EADDRNOTAVAIL;
    }
    /* What its sessions will need is had now, or told now that it can't be had. */
    if (!picky && l->conf->rule->target_count == 0)
        return 0;
    net = udp_net_of(l->worker);
    if (!net) {
        *why = "there is no word of network interfaces to be had (netlink)";
        return errno ? -errno : -ENOMEM;
    }
    if (!picky)
        return 0;
    m = make(l, bound);
    if (!m)
        return -ENOMEM;
    list_append(&net->memberships, &m->link);
    l->udp->membership = m;
    l->udp->is_picky = true;
    update(net, m);
    return 0;
}

void udp_net_leave(struct listener *l)
{
    if (l->udp->membership)
        dispose(l->udp->membership);
    l->udp->membership = NULL;
    l->udp->is_picky = false;
}

bool udp_net_is_deaf(const struct listener *l)
{
    const struct udp_membership *m = l->udp ? l->udp->membership : NULL;

    if (!m)
        return l->udp && l->udp->is_picky;
    for (size_t i = 0; i < m->place_count; i++) {
        if (m->places[i].joined)
            return false;
    }
    return m->place_count > 0;
}

/* Are the interfaces and sources those of the conf? Of a socket that was passed to us they may
 * change, and it stays. */
static bool is_as_written(const struct udp_membership *m, const struct conf_listen *conf)
{
    size_t named = m->place_count > 0 && m->places[0].name[0] ? m->place_count : 0;

    if (named != conf->interfaces.count || m->source_count != conf->source_count)
        return false;
    for (size_t i = 0; i < named; i++) {
        if (strcmp(m->places[i].name, conf->interfaces.list[i]) != 0)
            return false;
    }
    for (size_t i = 0; i < m->source_count; i++) {
        if (!addr_equal(&m->sources[i], &conf->sources[i]))
            return false;
    }
    return true;
}

int udp_net_change(struct listener *l, const char **why)
{
    struct udp_membership *m = l->udp->membership;
    struct addr bound = l->conf->address;
    int error = l->conf->kind == ADDR_SYSTEMD ? dgram_check(l->fd, &bound) : 0;

    if (error)
        return error;
    if (m && is_picky(l->conf, &bound) && is_as_written(m, l->conf))
        return 0;
    for (size_t i = 0; m && m->group.family != AF_UNSPEC && i < m->place_count; i++)
        leave(m, m->places[i].index);
    udp_net_leave(l);
    if (is_picky(l->conf, &bound))
        dgram_set(l->fd, &bound, DGRAM_PATHS | DGRAM_TTL);
    error = udp_net_join(l, &bound, why);
    if (error)
        l->udp->is_picky = true; /* nobody knows what is for it: nothing is */
    return error;
}
