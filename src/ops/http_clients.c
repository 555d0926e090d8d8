/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients: accepted here and handed to the library, so that each has a descriptor that no session
 * was promised, that without one, and at the limit, the others wait in the backlog, and that
 * nothing spins when descriptors run out.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/http_parts.h"
#include "os/sock.h"

#define ACCEPT_TURN 16
#define REST_MS     500

/* So many clients have descriptors of the reserve when there are no others: whoever steers must get
 * in when sessions have all, and whoever watches should. */
#define KEPT_LOCAL  8
#define KEPT_REMOTE 4

/* --- accepting ------------------------------------------------------------------------------- */

static void listen_again(struct http *h)
{
    if (h->listening.fd >= 0 && h->rest.place == 0)
        loop_change(h->loop, &h->listening, h->clients < h->server.clients ? LOOP_READ : 0);
}

static void on_rested(struct timer *t)
{
    listen_again(container_of(t, struct http, rest));
}

/* Without memory for the timer it goes on watching: a busy listener is better than a lost one. */
static void rest(struct http *h)
{
    if (loop_timer(h->loop, &h->rest, REST_MS, on_rested) == 0)
        loop_change(h->loop, &h->listening, 0);
}

unsigned http_kept_most(const struct http *h)
{
    return h->server.is_local ? KEPT_LOCAL : KEPT_REMOTE;
}

/* False: there is none. */
static bool book(struct http *h, bool *is_kept)
{
    *is_kept = !fds_book_spare(h->fds);
    if (!*is_kept)
        return true;
    if (h->kept >= http_kept_most(h))
        return false;
    h->kept++;
    return true;
}

static void give_back(struct http *h, bool is_kept)
{
    if (is_kept)
        h->kept--;
    else
        fds_release_spare(h->fds);
}

static void forget(struct request *rq)
{
    struct http *h = rq->http;

    give_back(h, rq->is_kept);
    h->clients--;
    list_remove(&rq->place);
    free(rq);
    loop_timer_stop(h->loop, &h->rest);
    listen_again(h);
}

/* The library closes the descriptor in any case. */
static void begin(struct http *h, struct request *rq, const struct addr *peer)
{
    const struct sockaddr sa = {.sa_family = peer->family};

    *rq = (struct request){.http = h, .fd = rq->fd, .is_kept = rq->is_kept, .watch = WATCH_NONE};
    list_init(&rq->link);
    list_init(&rq->turn);
    list_append(&h->all, &rq->place);
    rq->since = loop_now(h->loop);
    h->clients++;
    h->arriving = rq;
    MHD_add_connection(h->library, rq->fd, &sa, sizeof(sa));
    if (h->arriving) /* not even begun */
        forget(rq);
    h->arriving = NULL;
}

/* Who comes while there is no descriptor for him waits for one. */
static bool take(struct http *h)
{
    struct addr peer;
    struct request *rq;
    bool is_kept;
    int fd;

    if (!book(h, &is_kept)) {
        rest(h);
        return false;
    }
    fd = sock_accept(h->server.fd, &peer);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
        rest(h);
    rq = fd < 0 ? NULL : malloc(sizeof(*rq));
    if (rq) {
        rq->fd = fd;
        rq->is_kept = is_kept;
        begin(h, rq, &peer);
        return true;
    }
    give_back(h, is_kept);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || fd == -ECONNABORTED || fd == -EINTR;
}

static void on_listening(struct watch *w, unsigned events)
{
    struct http *h = container_of(w, struct http, listening);

    (void)events;
    for (int i = 0; i < ACCEPT_TURN && h->clients < h->server.clients; i++) {
        if (!take(h))
            return;
    }
    listen_again(h);
}

int http_listen(struct http *h)
{
    return loop_watch(h->loop, &h->listening, h->server.fd, LOOP_READ, on_listening);
}

int http_socket(const struct http *h)
{
    return h->server.fd;
}

void http_stop_listening(struct http *h)
{
    if (h->server.fd >= 0)
        sock_stop_listening(h->server.fd);
    http_leave_socket(h);
}

void http_leave_socket(struct http *h)
{
    loop_timer_stop(h->loop, &h->rest);
    loop_unwatch(h->loop, &h->listening);
    if (h->server.fd >= 0)
        close(h->server.fd);
    h->server.fd = -1;
}

void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what)
{
    struct http *h = arg;
    struct request *rq = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        rq = *context = h->arriving;
        rq->connection = connection;
        h->arriving = NULL;
        if (rq->is_kept)
            MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, h->server.kept_s);
        return;
    }
    *context = NULL;
    http_end_request(rq);
    if (rq->stream)
        rq->stream->connection = NULL;
    forget(rq);
}
