/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of clients: of those whose connection is suspended, which the library doesn't look at,
 * and of those that it doesn't find.
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

static void on_look(struct timer *t)
{
    struct http *h = container_of(t, struct http, look);

    list_for_each (link, next, &h->all) {
        struct request *rq = container_of(link, struct request, place);

        if (!rq->asleep)
            show_end(rq);
        else if (rq->looked_at && has_gone(rq))
            hang_up(rq);
        else if (rq->looked_at)
            http_look_later(h);
    }
}

/* Without memory for the timer they are found when their time is over, or their answer goes on. */
void http_look_later(struct http *h)
{
    if (h->look.place == 0)
        loop_timer(h->loop, &h->look, LOOK_MS, on_look);
}
