/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow/listener.h"
#include "flow/udp.h"
#include "flow/udp_net.h"
#include "flow/worker.h"

/* What is kept of a client until the upstream's name has been resolved, in bytes, or one datagram
 * whatever its size; each counts as a little more than it is. */
#define KEPT_MOST     (32u << 10)
#define KEPT_OVERHEAD 64u

/* --- where it stands ------------------------------------------------------------------------- */

int udp_session_attach(struct session *s, const struct addr *local)
{
    struct udp_session *u = calloc(1, sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->session = s;
    u->turn = s->rule->turn;
    u->entry.client = s->client;
    u->entry.local = *local;
    u->entry.local.port = 0;
    list_init(&u->by_listener);
    list_init(&u->by_rule);
    list_init(&u->touched);
    list_init(&u->kept);
    if (udp_table_insert(&s->listener->udp->sessions, &u->entry)) {
        free(u);
        return -ENOMEM;
    }
    s->udp = u;
    udp_session_touch(s);
    return 0;
}

void udp_session_detach(struct session *s)
{
    struct udp_session *u = s->udp;
    struct list *link;

    udp_table_remove(&s->listener->udp->sessions, &u->entry);
    list_remove(&u->by_listener);
    list_remove(&u->by_rule);
    list_remove(&u->touched);
    while ((link = list_take_first(&u->kept))) {
        struct udp_kept *k = container_of(link, struct udp_kept, link);

        u->dropped[CLIENT] += dgram_count(&(struct dgram){.size = k->size, .segment = k->segment});
        free(k);
    }
}

void udp_session_touch(struct session *s)
{
    struct udp_session *u = s->udp;
    enum udp_line line = u->answered ? LINE_ANSWERED : LINE_UNANSWERED;

    s->active = loop_now(s->worker->loop);
    list_remove(&u->by_listener);
    list_append(&s->listener->udp->lines[line], &u->by_listener);
    list_remove(&u->by_rule);
    list_append(&s->rule->lines[line], &u->by_rule);
}

/* Where the limit is that keeps a new one out, there one has to go. */
struct session *udp_session_to_evict(struct listener *l)
{
    bool by_listener = atomic_load(&l->live) >= l->conf->max_connections;

    for (enum udp_line line = 0; line < UDP_LINES; line++) {
        const struct list *head = by_listener ? &l->udp->lines[line] : &l->rule->lines[line];

        if (list_empty(head))
            continue;
        return by_listener ? container_of(head->next, struct udp_session, by_listener)->session
                           : container_of(head->next, struct udp_session, by_rule)->session;
    }
    return NULL;
}

uint64_t udp_session_owed(const struct session *s)
{
    const struct udp_session *u = s->udp;
    uint64_t asked = u->datagrams[CLIENT] + u->dropped[CLIENT];
    uint64_t had = u->datagrams[UPSTREAM] + u->dropped[UPSTREAM] + u->waiting;
    uint64_t due = asked * session_options(s)->udp_replies;

    if (session_options(s)->udp_replies == 0)
        return UINT64_MAX;
    return due > had ? due - had : 0;
}

/* --- datagrams of the client ----------------------------------------------------------------- */

void udp_session_keep(struct session *s, const struct dgram *d)
{
    struct udp_session *u = s->udp;
    struct udp_kept *k = NULL;

    if (u->kept_bytes == 0 || u->kept_bytes + d->size + KEPT_OVERHEAD <= KEPT_MOST)
        k = malloc(sizeof(*k) + d->size);
    if (!k) {
        u->dropped[CLIENT] += dgram_count(d);
        return;
    }
    k->size = d->size;
    k->segment = d->segment;
    if (d->size > 0)
        memcpy(k->bytes, d->bytes, d->size);
    list_append(&u->kept, &k->link);
    u->kept_bytes += d->size + KEPT_OVERHEAD;
}

void udp_session_take(struct session *s, unsigned slot)
{
    struct udp *all = s->worker->udp;
    struct udp_session *u = s->udp;

    if (u->chain_count == 0) { /* at once: a new client in this batch may have to evict somebody */
        u->unasked = 0;
        udp_session_touch(s);
    }
    if (u->failed) {
        u->dropped[CLIENT] += dgram_count(dgram_at(all->in, slot));
        return;
    }
    if (s->stage == STAGE_DIAL) {
        udp_session_keep(s, dgram_at(all->in, slot));
        return;
    }
    if (u->chain_count == 0) {
        list_append(&all->touched, &u->touched);
        u->chain_first = (uint8_t)slot;
    } else {
        all->next[u->chain_last] = (uint8_t)slot;
    }
    u->chain_last = (uint8_t)slot;
    u->chain_count++;
}

/* Does it say that nobody is there? Others are about one datagram, such as EMSGSIZE (ip(7),
 * IP_MTU_DISCOVER). */
static bool is_refusal(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENODEV: /* its interface is not there */
    case ENOPROTOOPT:
    case EACCES:
        return true;
    default:
        return false;
    }
}

/* Not one of its datagrams could be sent to any of the rule's targets. (A connected socket tells
 * that by itself.) */
static bool is_in_vain(const struct session *s)
{
    const struct udp_session *u = s->udp;

    return s->conf->rule->target_count > 0 && u->datagrams[CLIENT] == 0 && u->dropped[CLIENT] > 0 &&
           is_refusal(s->error) && !u->failed;
}

static void send_on(struct session *s, struct dgram *const *list, unsigned count)
{
    struct udp_session *u = s->udp;
    uint32_t asked = u->asked;
    int refused = 0;

    if (s->conf->rule->target_count > 0)
        udp_net_send(s, list, count);
    else
        refused = dgram_send(s->fd[UPSTREAM], s->upstream.family, list, count, &u->whole);
    for (unsigned i = 0; i < count; i++) {
        u->datagrams[CLIENT] += list[i]->sent;
        u->dropped[CLIENT] += dgram_count(list[i]) - list[i]->sent;
        s->flow[CLIENT].bytes += udp_bytes_sent(list[i]);
        asked += list[i]->sent;
        if (list[i]->sent == 0)
            s->error = list[i]->error;
    }
    u->asked = (uint8_t)(asked < DGRAM_BATCH ? asked : DGRAM_BATCH);
    if (refused)
        udp_session_refused(s, -refused);
    else if (is_in_vain(s))
        session_step(s, udp_session_fail(s, END_CONNECT_FAILED));
}

void udp_session_send(struct session *s)
{
    struct udp *all = s->worker->udp;
    struct udp_session *u = s->udp;
    struct dgram *list[DGRAM_BATCH];
    struct udp_kept *k;

    while (!list_empty(&u->kept)) {
        k = container_of(list_take_first(&u->kept), struct udp_kept, link);
        list[0] = &(struct dgram){.bytes = k->bytes, .size = k->size, .segment = k->segment};
        send_on(s, list, 1);
        free(k);
    }
    if (u->chain_count == 0)
        return;
    for (unsigned i = 0, slot = u->chain_first; i < u->chain_count; i++, slot = all->next[slot]) {
        list[i] = dgram_at(all->in, slot);
        list[i]->path = NULL;
    }
    list_remove(&u->touched);
    unsigned count = u->chain_count;
    u->chain_count = 0;
    send_on(s, list, count);
}

void udp_session_refused(struct session *s, int error)
{
    if (!is_refusal(error))
        return;
    s->error = error;
    if (s->udp->refused || udp_session_is_done(s))
        return;
    s->udp->refused = true;
    if (!s->udp->answered && s->rule->turn == s->udp->turn)
        s->rule->turn++; /* the next one may have more luck with another address */
    session_timer(s, UDP_FAILED_MS);
}

/* --- upstreams that can't be had ------------------------------------------------------------- */

/* The client does not hear of it and goes on sending: each datagram would be an attempt of its own,
 * and a line in the log. */
struct verdict udp_session_fail(struct session *s, enum end end)
{
    s->udp->failed = true;
    s->half_end = (uint8_t)end;
    return session_timer(s, UDP_FAILED_MS) ? VERDICT_END(end) : VERDICT_WAIT;
}

/* The kernel looks through all ports in vain, which takes milliseconds. */
#define PORTS_MS 100

struct verdict udp_session_no_port(struct session *s)
{
    s->why = UDP_NO_PORT;
    s->worker->udp->ports_again = loop_now(s->worker->loop) + PORTS_MS;
    return VERDICT_END(END_NO_DESCRIPTORS);
}

void udp_end_failed(struct worker *w)
{
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->udp && s->udp->failed)
            session_end_now(s, (enum end)s->half_end);
    }
}
