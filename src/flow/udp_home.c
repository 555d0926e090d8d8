/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/udp_home.h"

#include <unistd.h>

#include "flow/session.h"
#include "flow/udp.h"
#include "flow/udp_net_inside.h"
#include "flow/worker.h"
#include "os/dgram.h"
#include "os/interfaces.h"

/* A slice ends after so many sessions, or so many of what costs several system calls: questions to
 * the kernel, and sessions that end. */
#define SLICE_SESSIONS 256
#define SLICE_COSTLY   32
#define SLICE_GAP_MS   1

/* From where a new socket to an upstream would send; AF_UNSPEC: there is no way now. Kept from one
 * session to the next, which often has the same upstream. */
struct way_out {
    struct addr to; /* AF_UNSPEC: not asked yet */
    struct addr source;
    unsigned asked; /* how often */
};

static void ask(struct way_out *way, const struct addr *to)
{
    int fd = dgram_connect(to);

    way->to = *to;
    way->asked++;
    way->source.family = AF_UNSPEC;
    if (fd < 0)
        return;
    if (dgram_check(fd, &way->source))
        way->source.family = AF_UNSPEC;
    close(fd);
}

static bool is_gone(const struct session *s, const struct interfaces *is, struct way_out *way)
{
    struct addr local;
    bool is_ours;

    if (s->conf->rule->target_count > 0 || s->upstream.family == AF_UNIX ||
        dgram_check(s->fd[UPSTREAM], &local))
        return false;
    is_ours = interfaces_has(is, &local);
    if (is_ours && s->udp->answered)
        return false;
    /* One that no interface has may be local by a route; and while an address was new (RFC 4862
     * section 5.4) another was used for it, to which no answer may find its way. */
    if (!addr_equal(&way->to, &s->upstream))
        ask(way, &s->upstream);
    return way->source.family == AF_UNSPEC ? !is_ours : !udp_is_same_host(&way->source, &local);
}

bool udp_home_is_gone(const struct session *s, const struct interfaces *is)
{
    struct way_out way = {.to = {.family = AF_UNSPEC}};

    return is_gone(s, is, &way);
}

/* --- all of them ----------------------------------------------------------------------------- */

static struct session *next_of(const struct udp_homes *h)
{
    list_for_each (link, next, &h->worker->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->id > h->after)
            return s;
    }
    return NULL;
}

static bool is_looked_at(const struct session *s)
{
    return s->udp && !s->udp->failed && s->stage == STAGE_RELAY;
}

/* False when there are no more. The end of a session is the end of no other. */
static bool walk_slice(struct udp_homes *h)
{
    struct way_out way = {.to = {.family = AF_UNSPEC}};
    struct session *s = next_of(h);
    unsigned ended = 0;

    for (unsigned i = 0; s && i < SLICE_SESSIONS && way.asked + ended < SLICE_COSTLY; i++) {
        struct list *next = s->link.next;

        h->after = s->id;
        if (is_looked_at(s) && is_gone(s, h->interfaces, &way)) {
            session_end_now(s, END_ADDRESS_GONE);
            ended++;
        }
        s = next == &h->worker->sessions ? NULL : container_of(next, struct session, link);
    }
    return s != NULL;
}

/* Without memory for the timer there are no slices. */
static void on_timer(struct timer *t)
{
    struct udp_homes *h = container_of(t, struct udp_homes, timer);

    while (walk_slice(h)) {
        if (loop_timer(h->worker->loop, t, SLICE_GAP_MS, on_timer) == 0)
            return;
    }
}

void udp_homes_init(struct udp_homes *h, struct worker *w, const struct interfaces *is)
{
    *h = (struct udp_homes){.worker = w, .interfaces = is};
}

void udp_homes_update(struct udp_homes *h)
{
    h->after = 0;
    on_timer(&h->timer);
}

void udp_homes_stop(struct udp_homes *h)
{
    loop_timer_stop(h->worker->loop, &h->timer);
}
