/* SPDX-License-Identifier: BSD-2-Clause */
/* An HTTP server within a test, and clients that speak bytes: all in one loop. */
#ifndef PENSTOCK_TESTS_HTTP_WORLD_H
#define PENSTOCK_TESTS_HTTP_WORLD_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/http.h"

#define PATIENCE_MS 30000

union socket_name {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

struct http_world {
    struct loop *loop;
    struct fds fds;
    struct http *http;
    struct http_server server;
    union socket_name name;
    socklen_t name_size;
};

/* --- time ------------------------------------------------------------------------------------- */

typedef bool happened_fn(void *arg);

struct awaited {
    struct timer timer;
    struct loop *loop;
    happened_fn *happened;
    void *arg;
    int64_t until;
    bool came;
};

static inline void look_whether(struct timer *t)
{
    struct awaited *a = container_of(t, struct awaited, timer);

    a->came = a->happened(a->arg);
    if (a->came || loop_now(a->loop) > a->until)
        loop_stop(a->loop);
    else
        loop_timer(a->loop, &a->timer, 1, look_whether);
}

/* Run the loop until it has happened; false: it has not, however long we waited. */
static inline bool http_await(struct http_world *w, happened_fn *happened, void *arg)
{
    struct awaited a = {.loop = w->loop, .happened = happened, .arg = arg};

    a.until = loop_now(w->loop) + PATIENCE_MS;
    ck_assert_int_eq(loop_timer(w->loop, &a.timer, 1, look_whether), 0);
    ck_assert_int_eq(loop_run(w->loop), 0);
    return a.came;
}

/* --- the server ------------------------------------------------------------------------------- */

static inline void http_world_begin(struct http_world *w, enum loop_engine engine, bool is_local)
{
    memset(w, 0, sizeof(*w));
    w->loop = loop_new(engine);
    ck_assert_ptr_nonnull(w->loop);
    fds_budget(&w->fds, 2000);
    w->server = (struct http_server){.is_local = is_local, .owner = (uid_t)-1};
}

/* Every test runs on a UNIX socket and on TCP, under either engine. */
#define HTTP_WAYS 4

/* False: this engine is not built in. */
static inline bool http_world_on_way(struct http_world *w, int way)
{
    enum loop_engine engine = way / 2 == 0 ? LOOP_SELECT : LOOP_EPOLL;
    struct loop *probe = loop_new(engine);

    loop_free(probe);
    if (probe)
        http_world_begin(w, engine, way % 2 == 0);
    return probe != NULL;
}

/* Each of these tests on every way. */
static inline Suite *http_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create("every way");

    tcase_set_timeout(t, 60);
    for (size_t i = 0; i < count; i++)
        tcase_add_loop_test(t, tests[i], 0, HTTP_WAYS);
    suite_add_tcase(s, t);
    return s;
}

/* On an address in the abstract name space, or a port of loopback: the kernel's choice. */
static inline void http_world_listen(struct http_world *w, http_handler *handler, void *arg)
{
    union socket_name name = {.in.sin_family = AF_INET};
    socklen_t size = w->server.is_local ? sizeof(sa_family_t) : sizeof(name.in);

    name.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (w->server.is_local)
        name.sa.sa_family = AF_UNIX;
    w->server.fd = socket(name.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(w->server.fd, 0);
    ck_assert_int_eq(bind(w->server.fd, &name.sa, size), 0);
    ck_assert_int_eq(listen(w->server.fd, 1024), 0);
    w->name_size = sizeof(w->name);
    ck_assert_int_eq(getsockname(w->server.fd, &w->name.sa, &w->name_size), 0);
    w->http = http_new(w->loop, &w->fds, &w->server, handler, arg);
    ck_assert_ptr_nonnull(w->http);
}

/* All is given back. */
static inline void http_world_end(struct http_world *w)
{
    http_free(w->http);
    ck_assert_uint_eq(atomic_load(&w->fds.booked), 0);
    ck_assert_uint_eq(loop_watched(w->loop), 0);
    loop_free(w->loop);
}

static inline struct answer *text_answer(unsigned status, const char *text)
{
    return answer_bytes(status, "text/plain", strdup(text), strlen(text));
}

/* --- clients ---------------------------------------------------------------------------------- */

struct client {
    int fd;
    size_t size; /* received */
    bool ended;  /* by the server */
    bool reset;
    size_t most; /* keep no more than this; the rest is only counted */
    char text[64 * 1024];
};

static inline void client_open(struct http_world *w, struct client *c)
{
    *c = (struct client){.most = sizeof(c->text) - 1};
    c->fd = socket(w->name.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(c->fd, 0);
    ck_assert_int_eq(connect(c->fd, &w->name.sa, w->name_size), 0);
    ck_assert_int_eq(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void client_close(struct client *c)
{
    close(c->fd);
}

static inline void client_send(struct client *c, const char *text)
{
    ck_assert_int_eq(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Take what has come, at most `most` bytes. */
static inline void client_take(struct client *c, size_t most)
{
    char rest[16 * 1024];

    while (!c->ended && most > 0) {
        bool keeps = c->size < c->most;
        size_t room = keeps ? c->most - c->size : sizeof(rest);
        ssize_t n = recv(c->fd, keeps ? c->text + c->size : rest, room < most ? room : most, 0);

        if (n < 0 && errno == EAGAIN)
            return;
        c->ended = n <= 0;
        c->reset = n < 0;
        if (n > 0) {
            c->size += (size_t)n;
            most -= (size_t)n;
        }
    }
}

struct sought {
    struct client *client;
    const char *text;
    unsigned times;
};

static inline bool has_come(void *arg)
{
    const struct sought *s = arg;
    unsigned times = 0;

    client_take(s->client, SIZE_MAX);
    for (const char *at = s->client->text; (at = strstr(at, s->text)); at += strlen(s->text))
        times++;
    return times >= s->times;
}

/* Wait until the text has come so many times. */
static inline void client_await(struct http_world *w, struct client *c, const char *text,
                                unsigned times)
{
    struct sought s = {.client = c, .text = text, .times = times};

    ck_assert_msg(http_await(w, has_come, &s), "%s has not come: %s", text, c->text);
}

static inline bool has_ended(void *arg)
{
    struct client *c = arg;

    client_take(c, SIZE_MAX);
    return c->ended;
}

static inline void client_await_end(struct http_world *w, struct client *c)
{
    ck_assert_msg(http_await(w, has_ended, c), "it has not ended: %s", c->text);
}

static inline bool has_looked_often(void *arg)
{
    return ++*(unsigned *)arg > 50;
}

/* Let the loop go on for a while. */
static inline void http_let_run(struct http_world *w)
{
    unsigned looks = 0;

    ck_assert(http_await(w, has_looked_often, &looks));
}

static inline bool has_no_client(void *arg)
{
    const struct http_world *w = arg;

    return atomic_load(&w->fds.booked) == 0;
}

/* Wait until the server knows that nobody is there. */
static inline void http_await_nobody(struct http_world *w)
{
    ck_assert_msg(http_await(w, has_no_client, w), "%u are there still",
                  atomic_load(&w->fds.booked));
}

#endif
