/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/account.h"
#include "flow/udp.h"
#include "flow/worker.h"
#include "os/dgram.h"
#include "os/sock.h"
#include "upstream/resolve.h"

/* How long to wait before asking a UNIX listener again whose backlog is full (connect(2), EAGAIN).
 */
#define AGAIN_MS 20

struct dial {
    struct session *session;
    struct resolve_request request;
    int64_t deadline; /* of it all */
    int64_t attempt;  /* of the address being tried */
    struct addr *addrs;
    size_t count;
    size_t next;   /* the address to try after the current one */
    enum end last; /* what the last attempt came to */
    int error;     /* the errno of that */
    bool entering; /* dial_enter() has not returned: verdicts go through it */
    struct verdict verdict;
};

static int64_t left(const struct session *s, int64_t until)
{
    return until - loop_now(s->worker->loop);
}

static enum end end_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* a UNIX path that nobody has bound */
        return END_CONNECT_REFUSED;
    case ECONNRESET: /* it had accepted: before that a reset is a refusal (connect(2), tcp(7)) */
    case EPIPE:
        return END_UPSTREAM_RESET;
    case ETIMEDOUT:
        return END_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
        return END_NO_DESCRIPTORS;
    default:
        return END_CONNECT_FAILED;
    }
}

static struct verdict failed(struct session *s, enum end end, int error)
{
    s->reset[CLIENT] = true;
    s->reset[UPSTREAM] = true;
    s->error = error;
    if (!s->udp)
        return VERDICT_END(end);
    return error == EAGAIN ? udp_session_no_port(s) : udp_session_fail(s, end);
}

static bool is_over(const struct session *s)
{
    return s->udp && s->udp->failed;
}

static void drop_attempt(struct session *s)
{
    loop_unwatch(s->worker->loop, &s->watch[UPSTREAM]);
    if (s->fd[UPSTREAM] >= 0)
        sock_reset(s->fd[UPSTREAM]); /* it may have come up meanwhile: no clean end of nothing */
    s->fd[UPSTREAM] = -1;
}

static void note_failure(struct session *s, int error)
{
    s->dial->last = end_of(error);
    s->dial->error = error;
}

static struct verdict connected(struct session *s)
{
    s->connected = true;
    s->connect_ms = (uint32_t)(clock_monotonic_ms() - s->started);
    account_connected(s);
    return VERDICT_NEXT;
}

/* Wait at most until `delay_ms` have passed. Meanwhile the client is watched for a reset only: what
 * it sends stays in the kernel. */
static int wait_for(struct session *s, int64_t delay_ms)
{
    int error = s->udp ? 0 : session_watch(s, CLIENT, 0);

    return error ? error : session_timer(s, delay_ms);
}

/* Begin to connect to one address. WAIT: it is under way. END: this one can't be had (not the
 * verdict of the stage, but of the attempt). */
static struct verdict try_address(struct session *s, const struct addr *a)
{
    struct dial *d = s->dial;
    bool done = true;
    int fd = s->udp ? dgram_connect(a) : sock_connect(a, &done);

    s->upstream = *a;
    if (fd == -EAGAIN && !s->udp && wait_for(s, AGAIN_MS) == 0) {
        d->next--; /* the same one again */
        note_failure(s, ETIMEDOUT);
        return VERDICT_WAIT;
    }
    if (fd < 0) {
        note_failure(s, -fd);
        return VERDICT_END(d->last);
    }
    s->fd[UPSTREAM] = fd;
    if (done)
        return connected(s);
    int error = session_watch(s, UPSTREAM, LOOP_WRITE);

    if (error == 0)
        error = wait_for(s, left(s, d->attempt));
    if (error == 0)
        return VERDICT_WAIT;
    note_failure(s, -error);
    drop_attempt(s);
    return VERDICT_END(d->last);
}

/* Try the addresses that are left, until one is under way or none is left. */
static struct verdict try_next(struct session *s)
{
    struct dial *d = s->dial;

    while (d->next < d->count) {
        int64_t remains = left(s, d->deadline);

        if (remains <= 0)
            return failed(s, END_CONNECT_TIMEOUT, ETIMEDOUT);
        d->attempt = d->deadline - remains + remains / (int64_t)(d->count - d->next);
        struct verdict v = try_address(s, &d->addrs[d->next++]);

        if (v.what != END)
            return v;
    }
    return failed(s, d->last, d->error);
}

/* The first that is tried. Of datagrams each connect(2) succeeds, and a refusal comes later: then
 * the next session begins with another one. */
static int set_addresses(struct session *s, const struct addr *addrs, size_t count)
{
    size_t first = s->udp ? s->udp->turn % count : 0;
    struct dial *d = s->dial;

    d->addrs = malloc(count * sizeof(*addrs));
    if (!d->addrs)
        return -ENOMEM;
    d->count = count;
    for (size_t i = 0; i < count; i++) {
        d->addrs[i] = addrs[(i + first) % count];
        if (d->addrs[i].family != AF_UNIX)
            d->addrs[i].port = s->conf->upstream_port;
    }
    return 0;
}

static struct verdict resolved(struct session *s, const struct addr *addrs, size_t count,
                               const char *why)
{
    if (count == 0) {
        s->why = why;
        return failed(s, END_RESOLVE_FAILED, 0);
    }
    if (set_addresses(s, addrs, count))
        return failed(s, END_ERROR, ENOMEM);
    return try_next(s);
}

static void on_resolved(struct resolve_request *request, const struct addr *addrs, size_t count,
                        const char *why)
{
    struct dial *d = container_of(request, struct dial, request);
    struct verdict v = resolved(d->session, addrs, count, why);

    if (d->entering)
        d->verdict = v;
    else
        session_step(d->session, v);
}

/* The name's answer may come at once, from within the call, or later. */
static struct verdict resolve(struct session *s)
{
    struct dial *d = s->dial;

    d->verdict = VERDICT_WAIT;
    d->entering = true;
    d->last = END_RESOLVE_FAILED;
    resolve_start(s->worker->resolver, &d->request, s->conf->rule->upstream_name, on_resolved);
    d->entering = false;
    if (d->verdict.what != WAIT || d->count > 0 || is_over(s))
        return d->verdict;
    if (wait_for(s, left(s, d->deadline)))
        return failed(s, END_ERROR, ENOMEM);
    return VERDICT_WAIT;
}

struct verdict dial_enter(struct session *s)
{
    struct dial *d = calloc(1, sizeof(*d));

    s->dial = d;
    if (!d)
        return failed(s, END_ERROR, ENOMEM);
    d->session = s;
    d->deadline = s->started + session_options(s)->connect_timeout;
    if (s->conf->rule->upstream_kind == ADDR_NAME)
        return resolve(s);
    return resolved(s, &s->conf->rule->upstream, 1, NULL);
}

struct dial_state dial_state(const struct session *s)
{
    const struct dial *d = s->dial;

    return (struct dial_state){.addrs = d->addrs,
                               .count = d->count,
                               .next = d->next,
                               .attempt_ms = d->attempt > 0 ? left(s, d->attempt) : 0,
                               .last = d->last,
                               .error = d->error};
}

struct verdict dial_resume(struct session *s, const struct dial_state *state)
{
    struct dial *d;
    int error;

    if (state->count == 0)
        return dial_enter(s);
    d = s->dial = calloc(1, sizeof(*d));
    if (!d || set_addresses(s, state->addrs, state->count))
        return failed(s, END_ERROR, ENOMEM);
    d->session = s;
    d->deadline = s->started + session_options(s)->connect_timeout;
    d->attempt = loop_now(s->worker->loop) + state->attempt_ms;
    d->next = state->next;
    note_failure(s, state->error);
    d->last = state->last;
    if (s->fd[UPSTREAM] < 0)
        return try_next(s);
    error = session_watch(s, UPSTREAM, LOOP_WRITE);
    if (error == 0)
        error = wait_for(s, left(s, d->attempt));
    return error ? failed(s, END_ERROR, -error) : VERDICT_WAIT;
}

struct verdict dial_event(struct session *s, enum side side, unsigned events)
{
    int error;

    (void)events;
    if (side == CLIENT) {
        if (sock_error(s->fd[CLIENT]) == 0)
            return VERDICT_WAIT;
        s->reset[CLIENT] = true;
        return VERDICT_END(END_CLIENT_RESET);
    }
    error = sock_connected(s->fd[UPSTREAM]);
    if (error == 0)
        return connected(s);
    note_failure(s, error);
    drop_attempt(s);
    return try_next(s);
}

struct verdict dial_timer(struct session *s)
{
    struct dial *d = s->dial;

    if (is_over(s))
        return VERDICT_END((enum end)s->half_end);
    if (d->count == 0) {
        s->why = "no answer within connect_timeout";
        return failed(s, END_RESOLVE_FAILED, 0);
    }
    if (left(s, d->deadline) <= 0)
        return failed(s, END_CONNECT_TIMEOUT, ETIMEDOUT);
    if (s->fd[UPSTREAM] >= 0) {
        note_failure(s, ETIMEDOUT);
        drop_attempt(s);
    }
    return try_next(s);
}

void dial_leave(struct session *s)
{
    struct dial *d = s->dial;

    if (!d)
        return;
    if (!s->connected)
        drop_attempt(s);
    loop_timer_stop(s->worker->loop, &s->timer);
    resolve_cancel(&d->request);
    free(d->addrs);
    free(d);
    s->dial = NULL;
}
