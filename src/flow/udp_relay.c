/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "flow/listener.h"
#include "flow/udp.h"
#include "flow/udp_net.h"
#include "flow/worker.h"

/* A session whose replies come in numbers gets at least so many slots at a time. */
#define EAGER_LEAST 16

/* Replies come in numbers when so many came without a word of the client between; and no more when
 * so many reads in a row brought one only. */
#define UNASKED_LEAST 3
#define THIN_MOST     8

static struct verdict failed(struct session *s, int error)
{
    bool is_own_port = s->conf->rule->targets[0].source_port != 0;

    s->error = -error;
    if (error == -EADDRINUSE && !is_own_port)
        return udp_session_no_port(s);
    return udp_session_fail(s, error == -EMFILE || error == -ENFILE ? END_NO_DESCRIPTORS
                                                                    : END_CONNECT_FAILED);
}

/* --- the stage ------------------------------------------------------------------------------- */

static bool has_targets(const struct session *s)
{
    return s->conf->rule->target_count > 0;
}

/* Datagrams that move don't touch the timer: when it fires, what is left is computed anew. */
static int arm(struct session *s)
{
    int64_t left = s->active + session_options(s)->udp_timeout - loop_now(s->worker->loop);

    return session_timer(s, left > 0 ? left : 1);
}

static struct verdict begin(struct session *s)
{
    int error = session_watch(s, UPSTREAM, LOOP_READ);

    if (error == 0)
        error = arm(s);
    if (error) {
        s->error = -error;
        return VERDICT_END(END_ERROR);
    }
    s->connected = true;
    s->udp->whole = s->worker->udp->sends_runs && s->upstream.family != AF_UNIX;
    return VERDICT_WAIT;
}

struct verdict udp_relay_enter(struct session *s)
{
    struct verdict v;

    if (has_targets(s)) {
        int fd = udp_net_open(s);

        s->upstream = s->conf->rule->targets[0].address;
        if (s->upstream.port == 0)
            s->upstream.port = s->conf->upstream_port;
        if (fd < 0)
            return failed(s, fd);
        s->fd[UPSTREAM] = fd;
    }
    if (addr_equal(&s->client, &s->upstream)) { /* what it answers would be asked again */
        s->why = "the client is its upstream";
        return udp_session_fail(s, END_DENIED);
    }
    v = begin(s);
    if (v.what == WAIT)
        udp_session_send(s); /* what was kept meanwhile */
    return v;
}

struct verdict udp_relay_resume(struct session *s)
{
    if (has_targets(s))
        udp_net_resume(s);
    else if (udp_net_is_homeless(s))
        return VERDICT_END(END_ADDRESS_GONE);
    s->udp->runs = dgram_hears_runs(s->fd[UPSTREAM]);
    return begin(s);
}

void udp_relay_leave(struct session *s)
{
    if (s->udp->chain_count > 0)
        udp_session_send(s);
    if (s->udp->waiting > 0)
        udp_flush(s->worker->udp);
    if (has_targets(s) && s->fd[UPSTREAM] >= 0)
        udp_net_close(s);
}

struct verdict udp_relay_timer(struct session *s)
{
    if (s->udp->failed)
        return VERDICT_END((enum end)s->half_end);
    if (udp_session_is_done(s))
        return VERDICT_END(END_DONE);
    if (s->udp->refused)
        return VERDICT_END(END_UPSTREAM_REFUSED);
    if (s->active + session_options(s)->udp_timeout <= loop_now(s->worker->loop))
        return VERDICT_END(END_IDLE_TIMEOUT);
    arm(s);
    return VERDICT_WAIT;
}

/* --- replies --------------------------------------------------------------------------------- */

static void on_turn_over(struct deferred *d)
{
    struct udp *all = container_of(d, struct udp, flush);

    all->flushing = false;
    udp_flush(all);
}

/* How many replies may be read now; 0: it has had all that it may have. */
static unsigned room_for(const struct session *s)
{
    const struct udp_session *u = s->udp;
    unsigned most = u->eager ? DGRAM_BATCH : u->asked > 1 ? u->asked : 1;
    unsigned room = DGRAM_BATCH - s->worker->udp->out_count;
    uint64_t owed = udp_session_owed(s);

    if (most > room)
        most = room;
    return owed < most ? (unsigned)owed : most;
}

static void send_later(struct udp *all)
{
    if (all->flushing)
        return;
    all->flushing = true;
    loop_defer(all->worker->loop, &all->flush, on_turn_over);
}

/* They came into the slots from `out_count`. Those that nobody was asked for are left out. */
static void take_replies(struct session *s, unsigned count)
{
    struct udp *all = s->worker->udp;
    struct udp_session *u = s->udp;
    unsigned first = all->out_count, taken = 0;
    struct dgram_path *path = &all->out_paths[first];
    /* Who has no address yet (RFC 2131) can't be answered: to send there is to send to ourselves.
     */
    bool is_known = !addr_is_wildcard(&s->client);

    *path =
        (struct dgram_path){.peer = s->client, .local = u->entry.local, .interface = u->interface};
    for (unsigned i = first; i < first + count; i++) {
        struct dgram *d = dgram_at(all->out, i);
        bool is_answer = is_known && (!has_targets(s) || udp_net_answers(s, d));

        d->path = path;
        all->out_of[i] = is_answer ? s : NULL;
        taken += is_answer;
    }
    if (taken == 0)
        return;
    all->out_count += count;
    u->waiting += (uint8_t)taken;
    u->answered = true;
    u->refused = false;
    udp_session_touch(s);
    send_later(all);
}

/* Where replies come in numbers it is worth to ask for several at a time, and for runs; where they
 * come one by one each such question is in vain. */
static void learn(struct session *s, unsigned count)
{
    struct udp_session *u = s->udp;

    u->thin = count > 1 ? 0 : (uint8_t)(u->thin + 1);
    if (u->eager && u->thin == THIN_MOST)
        u->eager = false;
    u->unasked = (uint8_t)(u->unasked + count);
    if (u->unasked > UNASKED_LEAST)
        u->unasked = UNASKED_LEAST;
    if (u->eager || u->unasked < UNASKED_LEAST)
        return;
    u->eager = true;
    u->thin = 0;
    if (u->runs || has_targets(s) || s->upstream.family == AF_UNIX)
        return;
    u->runs = session_options(s)->udp_replies == 0; /* a run could be more than is owed */
    if (u->runs)
        dgram_receive_runs(s->fd[UPSTREAM]);
    else
        dgram_receive_many(s->fd[UPSTREAM]);
}

/* Fewer than were asked for: not each is answered, or only later. */
static void count_answers(struct udp_session *u, unsigned count, unsigned most)
{
    u->asked = count < most || count > u->asked ? 0 : (uint8_t)(u->asked - count);
}

static int read_replies(struct session *s, unsigned most)
{
    struct udp *all = s->worker->udp;

    if (most == 1 && !s->udp->runs && !has_targets(s))
        return dgram_receive_one(s->fd[UPSTREAM], all->out, all->out_count);
    return dgram_receive(s->fd[UPSTREAM], all->out, all->out_count, most, !has_targets(s));
}

struct verdict udp_relay_event(struct session *s, enum side side, unsigned events)
{
    struct udp *all = s->worker->udp;
    unsigned most;
    int count;

    (void)side;
    (void)events; /* an error is read like a datagram */
    if (all->out_count == DGRAM_BATCH ||
        (s->udp->eager && all->out_count > DGRAM_BATCH - EAGER_LEAST))
        udp_flush(all);
    most = room_for(s);
    if (most == 0)
        return VERDICT_END(END_DONE); /* nobody has asked for this one */
    count = read_replies(s, most);
    if (count > 0) {
        /* As many as it may have been owed, or fewer than there was room for: that is all. */
        loop_received(s->worker->loop, (unsigned)count,
                      (unsigned)count < most || (unsigned)count == s->udp->asked);
        take_replies(s, (unsigned)count);
        learn(s, (unsigned)count);
        count_answers(s->udp, (unsigned)count, most);
    } else if (count != -EAGAIN) {
        udp_session_refused(s, -count);
    }
    return VERDICT_WAIT;
}
