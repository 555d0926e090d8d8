/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of clients: of those whose connection is suspended, which the library doesn't look at,
 * of those that it doesn't find, and of those that are late.
 */
#include "config.h"

#include <poll.h>
#include <sys/socket.h>

#include "ops/http_parts.h"

#define LOOK_MS 500

/* --- suspended connections ------------------------------------------------------------------- */

/*
 * Has the client gone, and not only shut its sending side behind the request? A UNIX socket tells,
 * for it is hung up then. TCP doesn't, nor does it matter there: who waits for long only watches.
 */
static bool has_gone(const struct request *rq)
{
    struct pollfd p = {.fd = rq->fd, .events = rq->http->server.is_local ? 0 : POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

static void hang_up(struct request *rq)
{
    rq->hung_up = true;
    http_wake(rq);
}

/* Bytes are the next request, which can wait, as can the word that there is none. But then it is
 * readable for good, and only a look now and then can tell more. */
static void on_client(struct watch *w, unsigned events)
{
    struct request *rq = container_of(w, struct request, watch);

    (void)events;
    if (has_gone(rq)) {
        hang_up(rq);
        return;
    }
    loop_change(rq->http->loop, &rq->watch, 0);
    rq->looked_at = true;
    http_look_later(rq->http);
}

void http_doze(struct request *rq)
{
    MHD_suspend_connection(rq->connection);
    rq->asleep = true;
    rq->looked_at = false;
    list_append(&rq->http->asleep, &rq->link);
}

void http_sleep(struct request *rq)
{
    http_doze(rq);
    rq->looked_at = loop_watch(rq->http->loop, &rq->watch, rq->fd, LOOP_READ, on_client) != 0;
    if (rq->looked_at)
        http_look_later(rq->http);
}

void http_wake(struct request *rq)
{
    if (!rq->asleep)
        return;
    rq->asleep = false;
    list_remove(&rq->link);
    loop_unwatch(rq->http->loop, &rq->watch);
    MHD_resume_connection(rq->connection);
    http_run_soon(rq->http);
}

/* --- ends that nothing else finds ------------------------------------------------------------ */

/*
 * The library waits for edges (epoll(7)), and after a read that left room it waits for the next
 * one: an end that was there behind these bytes already is none. Another shutdown is.
 */
static void show_end(struct request *rq)
{
    struct pollfd p = {.fd = rq->fd, .events = POLLRDHUP};

    if (!rq->end_shown && poll(&p, 1, 0) > 0) {
        rq->end_shown = true;
        shutdown(rq->fd, SHUT_RD);
    }
}

/*
 * The library closes who says nothing. Who says a byte now and then keeps its place, and would
 * without an end: what counts is when the whole of a request is there. In milliseconds.
 */
static int64_t time_left(const struct request *rq)
{
    const struct http *h = rq->http;
    unsigned most_s = rq->is_kept ? h->server.kept_s : h->server.idle_s;

    return rq->since + (int64_t)most_s * 1000 - loop_now(h->loop);
}

static void cut(struct request *rq)
{
    rq->end_shown = true;
    shutdown(rq->fd, SHUT_RDWR);
}

/*
 * Its client has ended. The library reads no more in some states that odd requests bring it to, and
 * then would see no end before its time is over: so it is cut when it is still there, without a
 * request, at the next look.
 */
static int64_t look_at_ended(struct request *rq)
{
    if (rq->was_over) {
        cut(rq);
        return INT64_MAX;
    }
    rq->was_over = true;
    return LOOK_MS;
}

/* When to look at it again, in milliseconds; INT64_MAX: there is no need. */
static int64_t look_at(struct request *rq)
{
    int64_t left;

    if (rq->asleep) {
        if (!rq->looked_at)
            return INT64_MAX;
        if (!has_gone(rq))
            return LOOK_MS;
        hang_up(rq);
        return INT64_MAX;
    }
    show_end(rq);
    if (rq->has_come)
        return INT64_MAX;
    if (rq->end_shown)
        return look_at_ended(rq);
    left = time_left(rq);
    if (left > 0)
        return left;
    cut(rq);
    return INT64_MAX;
}

static void look_within(struct http *h, int64_t ms);

static void on_look(struct timer *t)
{
    struct http *h = container_of(t, struct http, look);
    int64_t soonest = INT64_MAX;

    list_for_each (link, next, &h->all) {
        int64_t ms = look_at(container_of(link, struct request, place));

        if (ms < soonest)
            soonest = ms;
    }
    if (soonest < INT64_MAX)
        look_within(h, soonest);
}

/* Without memory for the timer they are found when their time is over, or their answer goes on. */
static void look_within(struct http *h, int64_t ms)
{
    if (h->look.place == 0 || h->look.due > loop_now(h->loop) + ms)
        loop_timer(h->loop, &h->look, ms, on_look);
}

void http_look_later(struct http *h)
{
    look_within(h, LOOK_MS);
}
