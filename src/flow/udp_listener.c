/* SPDX-License-Identifier: BSD-2-Clause */
/* A listener of datagrams: its socket, and whose each datagram is. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow/admit.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "flow/udp_net.h"
#include "flow/worker.h"
#include "os/sock.h"

/* Batches read in one turn: a busy listener can't starve the sessions. */
#define TURNS 4

/* --- its socket ------------------------------------------------------------------------------ */

/* Do others listen on its port as well (SO_REUSEADDR)? */
static bool is_shared(const struct conf_listen *conf, const struct addr *bound)
{
    return addr_is_group(bound) || conf->broadcast;
}

static int attach(struct listener *l, const struct addr *bound)
{
    struct udp *all = udp_of(l->worker);
    struct udp_listener *u = all ? calloc(1, sizeof(*u)) : NULL;

    if (!u)
        return -ENOMEM;
    u->sessions.key[0] = all->key[0];
    u->sessions.key[1] = all->key[1];
    for (enum udp_line line = 0; line < UDP_LINES; line++)
        list_init(&u->lines[line]);
    udp_net_of(l->worker); /* it has to know when addresses go; without it nobody tells */
    all->sends_runs = dgram_sends_runs(l->fd);
    u->whole = all->sends_runs;
    u->port = is_shared(l->conf, bound) ? 0 : bound->port;
    all->listening[u->port]++;
    l->udp = u;
    return 0;
}

static void detach(struct listener *l)
{
    l->worker->udp->listening[l->udp->port]--;
    udp_table_free(&l->udp->sessions);
    free(l->udp);
    l->udp = NULL;
}

/* What its socket has to tell and to do. */
static unsigned wanted(const struct conf_listen *conf, const struct addr *bound)
{
    unsigned how = 0;

    if (is_shared(conf, bound))
        how |= DGRAM_SHARED | DGRAM_PATHS | DGRAM_TTL;
    else
        how |= DGRAM_RUNS;
    if (addr_is_wildcard(bound) || bound->family == AF_INET6 || conf->interfaces.count > 0)
        how |= DGRAM_PATHS;
    if (conf->kind == ADDR_ANY)
        how |= DGRAM_DUAL;
    return how;
}

static int set_up(struct listener *l, const struct addr *bound, const char **why)
{
    int error = attach(l, bound);

    if (error)
        return error;
    error = udp_net_join(l, bound, why);
    if (error)
        detach(l);
    return error;
}

int udp_listener_open(struct listener *l, unsigned how, const char **why)
{
    const struct conf_listen *conf = l->conf;
    struct addr address = conf->address;
    int fd, error;

    how |= wanted(conf, &conf->address);
    fd = dgram_open(&address, how);
    if (fd == -EAFNOSUPPORT && conf->kind == ADDR_ANY) {
        /* "*" on a machine without IPv6 */
        address = (struct addr){.family = AF_INET, .port = address.port};
        fd = dgram_open(&address, how & ~DGRAM_DUAL);
    }
    if (fd < 0)
        return fd;
    l->fd = fd;
    l->family = address.family;
    error = set_up(l, &conf->address, why);
    if (error == 0)
        return fd;
    l->fd = -1;
    close(fd);
    return error;
}

int udp_listener_adopt(struct listener *l, int fd, const struct addr *bound, const char **why)
{
    const struct addr *address = l->conf->kind == ADDR_SYSTEMD ? bound : &l->conf->address;
    int error;

    dgram_set(fd, bound, wanted(l->conf, address));
    l->fd = fd;
    l->family = bound->family;
    error = set_up(l, address, why);
    if (error)
        l->fd = -1;
    return error;
}

int udp_listener_change(struct listener *l, const char **why)
{
    return udp_net_change(l, why);
}

void udp_listener_close(struct listener *l, enum end end)
{
    for (enum udp_line line = 0; line < UDP_LINES; line++) {
        while (!list_empty(&l->udp->lines[line])) {
            struct list *first = l->udp->lines[line].next;

            session_end_now(container_of(first, struct udp_session, by_listener)->session, end);
        }
    }
    udp_net_leave(l);
    detach(l);
}

/* --- its datagrams --------------------------------------------------------------------------- */

/* A place for a new session, if need be that of another one. */
static enum admit take_place(struct listener *l)
{
    enum admit admit = admit_take(l);

    if (admit == ADMIT_YES || l->rule->conf->options.on_limit != ON_LIMIT_EVICT)
        return admit;
    while (admit != ADMIT_YES) { /* more than once where a limit was lowered */
        struct session *oldest = udp_session_to_evict(l);

        if (!oldest)
            return admit;
        session_end_now(oldest, END_EVICTED);
        admit = admit_take(l);
    }
    return admit;
}

/* A client that is a listener of ours, on a port that nobody shares: only a forged datagram can be
 * from there, and what it is answered would be a question again, for ever. (IPv4 from ourselves
 * does not come in from outside, but IPv6 does.) */
static bool is_listener(const struct listener *l, const struct dgram_path *path)
{
    return l->worker->udp->listening[path->peer.port] > 0 &&
           udp_net_is_ours(l->worker, &path->peer);
}

static struct session *begin(struct listener *l, const struct dgram_path *path)
{
    if (l->rule->state != RULE_RUNNING) {
        account_refused(l->rule, &path->peer, END_PAUSED, NULL);
        return NULL;
    }
    if (is_listener(l, path)) {
        account_refused(l->rule, &path->peer, END_DENIED, "it is a listener of this process");
        return NULL;
    }
    if (l->worker->udp->ports_again > loop_now(l->worker->loop)) {
        account_refused(l->rule, &path->peer, END_NO_DESCRIPTORS, UDP_NO_PORT);
        return NULL;
    }
    switch (take_place(l)) {
    case ADMIT_YES:
        return session_begin_datagrams(l, path);
    case ADMIT_FULL:
        account_refused(l->rule, &path->peer, END_LIMIT, NULL);
        return NULL;
    default:
        account_refused(
            l->rule, &path->peer, END_NO_DESCRIPTORS,
            "the descriptor budget is used up: lower max_connections, or raise LimitNOFILE=");
        return NULL;
    }
}

/* IPv4 within IPv6 comes from no host: Linux keeps it from TCP only. */
static bool is_forged(const struct dgram_path *path)
{
    return path->local.family != AF_UNSPEC && path->local.family != path->peer.family;
}

static void take(struct listener *l, unsigned slot)
{
    const struct dgram *d = dgram_at(l->worker->udp->in, slot);
    const struct dgram_path *path = d->path;
    const struct udp_entry *e;
    struct session *s;

    if (is_forged(path) || (!l->udp->is_picky && d->is_to_many))
        return;
    if (l->udp->is_picky)
        l = udp_net_takes(l, d);
    if (!l)
        return;
    e = udp_table_find(&l->udp->sessions, &path->peer, &path->local);
    s = e ? container_of(e, struct udp_session, entry)->session : begin(l, path);
    if (!s)
        return;
    s->udp->interface = d->is_to_many ? path->interface : 0; /* else the routes know the way back */
    udp_session_take(s, slot);
}

/* A session may end by what is sent, and others with it. */
static void send_touched(struct udp *all)
{
    struct list *link;

    while ((link = list_take_first(&all->touched)))
        udp_session_send(container_of(link, struct udp_session, touched)->session);
}

void udp_listener_readable(struct watch *w, unsigned events)
{
    struct listener *l = container_of(w, struct listener, watch);
    struct udp *all = l->worker->udp;

    (void)events; /* an error is read like a datagram */
    for (int turn = 0; turn < TURNS; turn++) {
        int count = dgram_receive(l->fd, all->in, 0, DGRAM_BATCH, false);

        for (int i = 0; i < count; i++)
            take(l, (unsigned)i);
        send_touched(all);
        if (count > 0)
            loop_received(l->worker->loop, (unsigned)count, count < DGRAM_BATCH);
        if (count < DGRAM_BATCH)
            break;
    }
}
