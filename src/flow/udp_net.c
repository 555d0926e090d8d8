/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker knows of the networks around it, and whether a datagram has any business here. */
#include "config.h"

#include "flow/udp_net.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/siphash.h"
#include "flow/listener.h"
#include "flow/udp_home.h"
#include "flow/udp_net_inside.h"
#include "flow/worker.h"

/* After news it is not listened to any for so long: on some machines something changes all the
 * time, and to look costs as much as there are addresses. */
#define REST_MS 100

/* What has failed is tried again after this time: of the end of its reason nobody may tell us. */
#define RETRY_MS 10000

#define PORTS 65536

static void watch_news(struct watch *w, unsigned events);

/* --- the worker's ---------------------------------------------------------------------------- */

static void dispose(struct udp_net *net)
{
    loop_timer_stop(net->worker->loop, &net->rest);
    loop_timer_stop(net->worker->loop, &net->retry);
    udp_homes_stop(&net->homes);
    loop_unwatch(net->worker->loop, &net->watch);
    if (net->fd >= 0)
        close(net->fd);
    interfaces_free(net->interfaces);
    udp_guard_free(net->guard);
    free(net->ports[0]);
    free(net->ports[1]);
    free(net);
}

/* Returns 0 or a negative errno. The watch comes first: what changes from there on is news. */
static int set_up(struct udp_net *net)
{
    uint64_t key[2];
    int error;

    net->fd = interfaces_watch();
    if (net->fd < 0)
        return net->fd;
    error = loop_watch(net->worker->loop, &net->watch, net->fd, LOOP_READ, watch_news);
    if (error)
        return error;
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return -errno;
    errno = ENOMEM; /* what is missing, unless interfaces_new() knows better */
    net->guard = udp_guard_new(key);
    net->ports[0] = calloc(PORTS, sizeof(*net->ports[0]));
    net->ports[1] = calloc(PORTS, sizeof(*net->ports[1]));
    net->interfaces = interfaces_new();
    udp_homes_init(&net->homes, net->worker, net->interfaces);
    return net->guard && net->ports[0] && net->ports[1] && net->interfaces ? 0 : -errno;
}

static struct udp_net *make(struct worker *w)
{
    struct udp_net *net = calloc(1, sizeof(*net));
    int error;

    if (!net)
        return NULL;
    net->worker = net->homes.worker = w;
    net->watch = WATCH_NONE;
    list_init(&net->memberships);
    error = set_up(net);
    if (error == 0)
        return net;
    dispose(net);
    errno = -error;
    return NULL;
}

struct udp_net *udp_net_of(struct worker *w)
{
    struct udp *u = udp_of(w);

    if (!u) {
        errno = ENOMEM;
        return NULL;
    }
    if (!u->net)
        u->net = make(w);
    return u->net;
}

void udp_net_free(struct worker *w)
{
    if (!w->udp || !w->udp->net)
        return;
    dispose(w->udp->net);
    w->udp->net = NULL;
}

bool udp_net_is_ours(struct worker *w, const struct addr *a)
{
    const struct udp_net *net = udp_net_of(w);

    return net && interfaces_has(net->interfaces, a);
}

bool udp_net_is_homeless(const struct session *s)
{
    const struct udp_net *net = udp_net_of(s->worker);

    return net && udp_home_is_gone(s, net->interfaces);
}

/* --- interfaces that change ------------------------------------------------------------------ */

static void on_rested(struct timer *t)
{
    struct udp_net *net = container_of(t, struct udp_net, rest);

    loop_change(net->worker->loop, &net->watch, LOOP_READ);
}

static void look_again(struct udp_net *net)
{
    int error = interfaces_refresh(net->interfaces);

    if (error) {
        struct log_field why = LOG_TEXT("error", strerror(-error));

        log_fields(net->worker->log, LEVEL_WARNING, "cannot look at the network interfaces", &why,
                   1);
        udp_net_retry(net);
        return;
    }
    memset(net->ways, 0, sizeof(net->ways));
    udp_group_update(net);
    udp_homes_update(&net->homes);
}

static void on_retry(struct timer *t)
{
    look_again(container_of(t, struct udp_net, retry));
}

void udp_net_retry(struct udp_net *net)
{
    loop_timer(net->worker->loop, &net->retry, RETRY_MS, on_retry);
}

static void watch_news(struct watch *w, unsigned events)
{
    struct udp_net *net = container_of(w, struct udp_net, watch);

    (void)events; /* an error is that messages were lost */
    if (!interfaces_news(net->fd))
        return;
    if (loop_timer(net->worker->loop, &net->rest, REST_MS, on_rested) == 0)
        loop_change(net->worker->loop, &net->watch, 0);
    look_again(net);
}

/* Its place: another one's, the longest known, if need be. */
static struct udp_way *place_of(struct udp_net *net, const struct addr *to)
{
    static const uint64_t key[2] = {0, 0}; /* targets are the config's, and nobody's choice */
    uint64_t words[3] = {(uint64_t)to->scope << 32 | (uint64_t)to->port << 16 | to->family, 0, 0};
    struct udp_way *oldest = NULL;
    uint64_t hash;

    if (to->family == AF_INET)
        memcpy(&words[1], &to->v4, sizeof(to->v4));
    else
        memcpy(&words[1], &to->v6, sizeof(to->v6));
    hash = siphash(key, words, sizeof(words));
    for (uint64_t i = 0; i < WAY_PLACES; i++) {
        struct udp_way *way = &net->ways[(hash + i) % WAYS];

        if (addr_equal(&way->to, to))
            return way;
        if (!oldest || way->asked < oldest->asked)
            oldest = way;
    }
    return oldest;
}

int udp_net_way(struct udp_net *net, const struct addr *to)
{
    struct udp_way *way = place_of(net, to);
    int64_t now = loop_now(net->worker->loop);
    int interface;

    if (addr_equal(&way->to, to) && now - way->asked < WAY_MS)
        return (int)way->interface;
    interface = interfaces_towards(net->interfaces, to);
    if (interface >= 0)
        *way = (struct udp_way){.to = *to, .interface = (unsigned)interface, .asked = now};
    return interface;
}

/* --- what has no business here --------------------------------------------------------------- */

struct udp_segment udp_net_segment(const struct addr *to, in_port_t port, unsigned interface)
{
    struct udp_segment at = {.interface = interface};

    if (addr_is_group(to)) {
        at.to = *to;
        at.to.scope = 0;
    } else {
        at.to.family = AF_INET;
        at.to.v4.s_addr = INADDR_BROADCAST;
    }
    at.to.port = port;
    return at;
}

static bool hears_on(const struct udp_membership *m, uint32_t interface)
{
    if (m->place_count == 0)
        return true;
    for (size_t i = 0; i < m->place_count; i++) {
        if (m->places[i].index == interface)
            return true;
    }
    return false;
}

static bool hears_of(const struct udp_membership *m, const struct addr *peer)
{
    if (m->source_count == 0)
        return true;
    for (size_t i = 0; i < m->source_count; i++) {
        if (udp_is_same_host(&m->sources[i], peer))
            return true;
    }
    return false;
}

/* Did a socket of ours send it? */
static bool is_own(const struct udp_net *net, const struct addr *peer)
{
    const uint32_t *port = udp_net_port(net, peer);

    return port && *port > 0 && interfaces_has(net->interfaces, peer);
}

/* Of listeners that share an address the kernel gives what is sent to a host to one, whichever that
 * is; by the interface it may be another one's. NULL: nobody's. */
static struct listener *whose(const struct udp_net *net, const struct udp_membership *m,
                              uint32_t interface)
{
    if (hears_on(m, interface))
        return m->listener;
    list_for_each (link, next, &net->memberships) {
        const struct udp_membership *other = container_of(link, struct udp_membership, link);

        if (addr_equal(&other->bound, &m->bound) &&
            other->listener->family == m->listener->family && hears_on(other, interface))
            return other->listener;
    }
    return NULL;
}

/* Was it sent to its group, or to a broadcast address? */
static bool is_meant(const struct udp_membership *m, const struct dgram *d)
{
    if (!hears_on(m, d->path->interface))
        return false;
    if (m->group.family != AF_UNSPEC)
        return udp_is_same_host(&m->group, &d->dest) && hears_of(m, &d->path->peer);
    return m->listener->conf->broadcast && !addr_is_group(&d->dest);
}

/* Where there are two relays each datagram has a copy: that is nothing to be told of, but to who
 * looks for one that has not come. */
static void tell_copy(const struct listener *l, const struct addr *peer)
{
    char client[ADDR_TEXT_MAX];

    if (log_wants(l->worker->log, LEVEL_DEBUG))
        log_fields(
            l->worker->log, LEVEL_DEBUG, "not sent on, the same was heard of another",
            (struct log_field[]){LOG_TEXT("rule", l->conf->rule->name),
                                 LOG_TEXT("client", addr_print(peer, client, sizeof(client)))},
            2);
}

struct listener *udp_net_takes(struct listener *l, const struct dgram *d)
{
    const struct udp_membership *m = l->udp->membership;
    struct udp_net *net = l->worker->udp->net;
    const struct dgram_path *path = d->path;
    struct udp_segment at;

    if (!m)
        return NULL;
    if (m->group.family == AF_UNSPEC && !d->is_to_many)
        return whose(net, m, path->interface);
    if (!is_meant(m, d) || is_own(net, &path->peer))
        return NULL;
    at = udp_net_segment(&d->dest, m->bound.port, path->interface);
    if (udp_guard_heard(net->guard, &at, &path->peer, d->bytes, d->size,
                        loop_now(net->worker->loop)))
        return l;
    tell_copy(l, &path->peer);
    return NULL;
}
