/* SPDX-License-Identifier: BSD-2-Clause */
/* What the worker has for UDP, and the replies of one turn on their way to the clients. */
#include "config.h"

#include "flow/udp.h"

#include <stdlib.h>
#include <sys/random.h>

#include "flow/listener.h"
#include "flow/udp_net.h"
#include "flow/worker.h"

static struct udp *make(struct worker *w)
{
    struct udp *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->worker = w;
    u->in = dgram_batch_new();
    u->out = dgram_batch_new();
    list_init(&u->touched);
    if (u->in && u->out && getrandom(u->key, sizeof(u->key), 0) == sizeof(u->key))
        return u;
    dgram_batch_free(u->in);
    dgram_batch_free(u->out);
    free(u);
    return NULL;
}

struct udp *udp_of(struct worker *w)
{
    if (!w->udp)
        w->udp = make(w);
    return w->udp;
}

void udp_free(struct worker *w)
{
    if (!w->udp)
        return;
    if (w->udp->net)
        udp_net_free(w);
    if (w->udp->flushing)
        list_remove(&w->udp->flush.link);
    dgram_batch_free(w->udp->in);
    dgram_batch_free(w->udp->out);
    free(w->udp);
    w->udp = NULL;
}

/* --- replies --------------------------------------------------------------------------------- */

/* Send those that leave by the same listener as the first; returns where the others begin. */
static unsigned send_some(struct udp *u, unsigned first, unsigned count)
{
    struct listener *l = u->out_of[first]->listener;
    struct dgram *list[DGRAM_BATCH];
    unsigned n = 0, i = first;

    for (; i < count && (!u->out_of[i] || u->out_of[i]->listener == l); i++) {
        if (u->out_of[i])
            list[n++] = dgram_at(u->out, i);
    }
    dgram_send(l->fd, l->family, list, n, &l->udp->whole);
    return i;
}

/* What became of it. */
static void account(struct session *s, const struct dgram *d)
{
    struct udp_session *u = s->udp;

    u->waiting--;
    u->datagrams[UPSTREAM] += d->sent;
    u->dropped[UPSTREAM] += dgram_count(d) - d->sent;
    s->flow[UPSTREAM].bytes += udp_bytes_sent(d);
}

void udp_flush(struct udp *u)
{
    unsigned count = u->out_count;

    u->out_count = 0;
    for (unsigned i = 0; i < count;)
        i = u->out_of[i] ? send_some(u, i, count) : i + 1;
    for (unsigned i = 0; i < count; i++) {
        struct session *s = u->out_of[i];

        if (s)
            account(s, dgram_at(u->out, i));
        if (s && udp_session_is_done(s))
            session_timer(s, 1); /* not at once: somebody may be walking over the sessions */
    }
}
