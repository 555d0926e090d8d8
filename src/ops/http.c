/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server: when the library runs. It has an epoll descriptor of its own, which is one watch of
 * the loop under any engine; what it wants to do besides waits for a timer. It never runs twice in
 * a batch without need: who has more to send, or waits for his turn, goes on in a later one.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/http_parts.h"

#define CLIENTS_LOCAL  1024
#define CLIENTS_REMOTE 256
#define IDLE_S         30
#define KEPT_S         2
#define CLIENT_MEMORY  (32u * 1024)  /* for a request's line and headers, and what is being sent */
#define FAR_MS         (3600 * 1000) /* no need to run */

static void on_time(struct timer *t);

/* Set anew, the timer can't fail. */
static void plan(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = FAR_MS;

    if (MHD_get_timeout(h->library, &ms) == MHD_NO || ms > FAR_MS)
        ms = FAR_MS;
    if (ms > 1 && (h->is_due || !list_empty(&h->in_turn)))
        ms = 1;
    loop_timer(h->loop, &h->timer, (int64_t)ms, on_time);
}

void http_run_soon(struct http *h)
{
    h->is_due = true;
    if (!h->running && h->timer.place) /* else that is planned, or nothing is any more */
        loop_timer(h->loop, &h->timer, 1, on_time);
}

static void run(struct http *h)
{
    h->running = true;
    h->is_due = false;
    http_begin_turn(h);
    MHD_run(h->library);
    h->running = false;
    plan(h);
    if (h->clients > 0)
        http_look_later(h);
}

/* Its place in the heap has just become free: setting it again can't fail here, nor later on. */
static void on_time(struct timer *t)
{
    struct http *h = container_of(t, struct http, timer);

    loop_timer(h->loop, &h->timer, FAR_MS, on_time);
    run(h);
}

static void on_event(struct watch *w, unsigned events)
{
    (void)events;
    run(container_of(w, struct http, watch));
}

static int make_failure(struct http *h)
{
    char text[] = "{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}\n";

    h->failure = MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_MUST_COPY);
    if (!h->failure || MHD_add_response_header(h->failure, MHD_HTTP_HEADER_CONTENT_TYPE,
                                               "application/json") == MHD_NO)
        return -ENOMEM;
    return 0;
}

/* No thread, no listening socket, no words on standard error. */
static int start_library(struct http *h)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;

    errno = 0;
    h->library = MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, h, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_LIMIT, h->server.clients, MHD_OPTION_CONNECTION_TIMEOUT,
        h->server.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, h, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_end, h, MHD_OPTION_URI_LOG_CALLBACK, http_on_line, h, MHD_OPTION_END);
    if (!h->library)
        return errno ? -errno : -ENOMEM;
    return make_failure(h);
}

static int start(struct http *h)
{
    const union MHD_DaemonInfo *info;
    int error = start_library(h);

    if (error)
        return error;
    info = MHD_get_daemon_info(h->library, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return -ENOTSUP;
    error = loop_timer(h->loop, &h->timer, 1, on_time);
    if (error == 0)
        error = loop_watch(h->loop, &h->watch, info->epoll_fd, LOOP_READ, on_event);
    return error ? error : http_listen(h);
}

struct http *http_new(struct loop *loop, struct fds *fds, const struct http_server *server,
                      http_handler *handler, void *arg)
{
    struct http *h = calloc(1, sizeof(*h));
    int error;

    if (!h)
        return NULL;
    h->loop = loop;
    h->fds = fds;
    h->server = *server;
    if (h->server.clients == 0)
        h->server.clients = server->is_local ? CLIENTS_LOCAL : CLIENTS_REMOTE;
    if (h->server.idle_s == 0)
        h->server.idle_s = IDLE_S;
    if (h->server.kept_s == 0)
        h->server.kept_s = KEPT_S;
    h->handler = handler;
    h->arg = arg;
    h->watch = h->listening = WATCH_NONE;
    list_init(&h->all);
    list_init(&h->asleep);
    list_init(&h->in_turn);
    error = start(h);
    if (error == 0)
        return h;
    h->server.fd = -1;
    http_free(h);
    errno = -error;
    return NULL;
}

/* The library must not be stopped while a connection is suspended. */
void http_free(struct http *h)
{
    if (!h)
        return;
    assert(!h->running);
    http_stop_listening(h);
    loop_unwatch(h->loop, &h->watch);
    loop_timer_stop(h->loop, &h->timer);
    loop_timer_stop(h->loop, &h->look);
    list_for_each (link, next, &h->asleep)
        http_wake(container_of(link, struct request, link));
    if (h->library)
        MHD_stop_daemon(h->library);
    if (h->failure)
        MHD_destroy_response(h->failure);
    free(h);
}
