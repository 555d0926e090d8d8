/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of which each datagram goes to many: from a socket that is not connected, to each target
 * through each of its interfaces. */
#include "config.h"

#include <errno.h>

#include "flow/listener.h"
#include "flow/udp_net_inside.h"
#include "flow/worker.h"

static bool is_to_many(const struct conf_target *t)
{
    return t->broadcast || addr_is_group(&t->address);
}

static struct addr address_of(const struct session *s, const struct conf_target *t)
{
    struct addr a = t->address;

    if (a.port == 0)
        a.port = s->conf->upstream_port;
    return a;
}

/* --- the socket ------------------------------------------------------------------------------ */

/*
 * Where a socket is bound that has nothing to hear, as its port is one that others have, too: to
 * the group that never is one (RFC 1112 section 4, RFC 4291 section 2.7). Bound to the wildcard it
 * would take from them what is sent to a host. It sends from the addresses of the interfaces all
 * the same.
 */
static struct addr nobodys_group(sa_family_t family, in_port_t port)
{
    struct addr a = {.family = family, .port = port};

    if (family == AF_INET)
        a.v4.s_addr = htonl(INADDR_UNSPEC_GROUP);
    else
        a.v6 = (struct in6_addr){.s6_addr = {0xff, 0x0e}};
    return a;
}

static int open_socket(const struct session *s)
{
    const struct conf_rule *rule = s->conf->rule;
    sa_family_t family = rule->targets[0].address.family;
    struct addr any = {.family = family};
    uint32_t port = rule->targets[0].source_port;
    unsigned how = 0;

    for (size_t i = 0; i < rule->target_count; i++)
        how |= rule->targets[i].broadcast ? DGRAM_BROADCAST : 0;
    if (port != 0) {
        how |= DGRAM_SHARED;
        any = nobodys_group(family, (in_port_t)port);
    }
    return dgram_open(&any, how);
}

/* What a socket of ours sends is known by its port. */
static void count_port(struct udp_net *net, int fd, int change)
{
    struct addr bound;
    uint32_t *count;

    if (dgram_check(fd, &bound) < 0)
        return;
    count = udp_net_port(net, &bound);
    if (count && (change > 0 || *count > 0))
        *count += (uint32_t)change;
}

int udp_net_open(struct session *s)
{
    struct udp_net *net = udp_net_of(s->worker);
    int fd;

    if (!net)
        return errno ? -errno : -ENOMEM;
    fd = open_socket(s);
    if (fd >= 0)
        count_port(net, fd, 1);
    return fd;
}

void udp_net_resume(struct session *s)
{
    struct udp_net *net = udp_net_of(s->worker);

    if (net)
        count_port(net, s->fd[UPSTREAM], 1);
}

void udp_net_close(struct session *s)
{
    struct udp_net *net = s->worker->udp->net;

    if (net)
        count_port(net, s->fd[UPSTREAM], -1);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Some datagrams on their way to all targets. */
struct sending {
    struct session *session;
    struct udp_net *net;
    unsigned all_count;
    struct dgram *const *all; /* the caller's: what came, and the best that became of it */
    unsigned count;
    struct dgram *list[DGRAM_BATCH];  /* those of them that go to the target at hand ... */
    struct dgram copies[DGRAM_BATCH]; /* ... by its path */
    struct dgram *to_send[DGRAM_BATCH];
};

/* What came to many goes on with one hop less, so that nothing goes round for ever; of what came to
 * us alone this is not known, for it began anew with whoever sent it. 0: as far as the system has
 * it. */
static unsigned ttl_of(const struct conf_target *t, const struct dgram *d)
{
    unsigned left = d->is_to_many && d->ttl > 0 ? (d->ttl > 1 ? d->ttl - 1u : 1u) : 0;

    if (!addr_is_group(&t->address))
        return left;
    return left > 0 && left < t->ttl ? left : t->ttl;
}

static int set_ttl(int fd, const struct conf_target *t, unsigned ttl)
{
    return addr_is_group(&t->address) ? dgram_group_ttl(fd, t->address.family, ttl)
                                      : dgram_broadcast_ttl(fd, ttl);
}

/* Those from `first` on that go equally far; returns where the others begin. */
static unsigned send_some(struct sending *x, const struct conf_target *t, unsigned first)
{
    int fd = x->session->fd[UPSTREAM];
    unsigned ttl = ttl_of(t, x->list[first]), end = first + 1;
    int error = is_to_many(t) ? set_ttl(fd, t, ttl) : 0;

    while (end < x->count && (!is_to_many(t) || ttl_of(t, x->list[end]) == ttl))
        end++;
    if (error == 0) {
        dgram_send(fd, t->address.family, x->to_send + first, end - first, &x->session->udp->whole);
        return end;
    }
    for (unsigned i = first; i < end; i++)
        x->copies[i].error = -error;
    return end;
}

/* Whoever hears it from us hears a copy. */
static void remember(struct sending *x, const struct dgram *d, const struct dgram_path *path)
{
    struct udp_segment at = udp_net_segment(&path->peer, path->peer.port, path->interface);
    int64_t now = loop_now(x->net->worker->loop);
    uint32_t each = d->segment > 0 ? d->segment : d->size;

    for (uint32_t i = 0, offset = 0; i < d->sent; i++, offset += each) {
        uint32_t left = d->size - offset;

        udp_guard_sent(x->net->guard, &at, d->bytes + offset, left < each ? left : each, now);
    }
}

/* Who hears it there has heard it: a rule may join networks by one group on each of them. */
static bool came_from_there(const struct session *s, const struct dgram *d,
                            const struct dgram_path *path)
{
    const struct udp_membership *m = s->listener->udp->membership;

    if (!m || !d->is_to_many || d->interface != path->interface || m->bound.port != path->peer.port)
        return false;
    return addr_is_group(&path->peer) ? udp_is_same_host(&d->dest, &path->peer)
                                      : !addr_is_group(&d->dest);
}

static void choose(struct sending *x, const struct conf_target *t, const struct dgram_path *path)
{
    x->count = 0;
    for (unsigned i = 0; i < x->all_count; i++) {
        struct dgram *d = x->all[i];

        if (is_to_many(t) && came_from_there(x->session, d, path))
            continue;
        x->list[x->count] = d;
        x->copies[x->count] = *d;
        x->copies[x->count].path = path;
        x->copies[x->count].sent = 0;
        x->to_send[x->count] = &x->copies[x->count];
        x->count++;
    }
}

static void send_through(struct sending *x, const struct conf_target *t, unsigned interface)
{
    const struct dgram_path path = {.peer = address_of(x->session, t), .interface = interface};
    bool remembered = is_to_many(t) && !list_empty(&x->net->memberships);

    choose(x, t, &path);
    for (unsigned i = 0; i < x->count;)
        i = send_some(x, t, i);
    for (unsigned i = 0; i < x->count; i++) {
        struct dgram *d = x->list[i];

        if (remembered)
            remember(x, &x->copies[i], &path);
        if (x->copies[i].sent > d->sent)
            d->sent = x->copies[i].sent;
        d->error = d->sent > 0 ? 0 : x->copies[i].error;
    }
    if (t->broadcast)
        dgram_broadcast_ttl(x->session->fd[UPSTREAM], 0); /* hosts may be among the targets */
}

/* Which interface it will be must be known, or it would not be known where it was sent. */
static void send_by_route(struct sending *x, const struct conf_target *t)
{
    struct addr to = address_of(x->session, t);
    int way = is_to_many(t) ? udp_net_way(x->net, &to) : 0;

    if (way >= 0) {
        send_through(x, t, (unsigned)way);
        return;
    }
    for (unsigned i = 0; i < x->all_count; i++) {
        if (x->all[i]->sent == 0)
            x->all[i]->error = -way;
    }
}

static void send_to(struct sending *x, const struct conf_target *t)
{
    if (t->interfaces.count == 0)
        send_by_route(x, t);
    for (size_t i = 0; i < t->interfaces.count; i++) {
        unsigned interface = interfaces_index(x->net->interfaces, t->interfaces.list[i]);

        if (interface != 0)
            send_through(x, t, interface);
    }
}

void udp_net_send(struct session *s, struct dgram *const *list, unsigned count)
{
    const struct conf_rule *rule = s->conf->rule;
    struct sending x;

    x.session = s;
    x.net = s->worker->udp->net;
    x.all = list;
    x.all_count = count;
    for (unsigned i = 0; i < count; i++) {
        list[i]->sent = 0;
        list[i]->error = ENODEV; /* unless there is an interface */
    }
    for (size_t i = 0; x.net && i < rule->target_count; i++)
        send_to(&x, &rule->targets[i]);
}

/* --- answers --------------------------------------------------------------------------------- */

bool udp_net_answers(const struct session *s, const struct dgram *d)
{
    const struct conf_rule *rule = s->conf->rule;
    const struct addr *peer = &d->path->peer;

    for (size_t i = 0; i < rule->target_count; i++) {
        const struct conf_target *t = &rule->targets[i];
        struct addr a = address_of(s, t);

        if (is_to_many(t) || (a.port == peer->port && udp_is_same_host(&a, peer)))
            return true;
    }
    return false;
}
