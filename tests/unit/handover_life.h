/* SPDX-License-Identifier: BSD-2-Clause */
/* A world full of life, to be handed over: a session in each state that one can be in. */
#ifndef PENSTOCK_TESTS_HANDOVER_LIFE_H
#define PENSTOCK_TESTS_HANDOVER_LIFE_H

#include <check.h>
#include <fcntl.h>

#include "carrier.h"
#include "daemon/handover.h"
#include "flow/drain.h"
#include "flow/move.h"
#include "suite.h"
#include "world.h"

#define PORT_OLD   22001
#define PORT_GOES  22002
#define PORT_PLAIN 22003
#define PORT_BULK  22004
#define PORT_DIAL  22005
#define PORT_UP    23001
#define PORT_FULL  23002

/* --- a world full of life --------------------------------------------------------------------- */

enum who { OLD, GOES, IDLE, HALF, ENDED, KEPT, BULK, FLUSHED, DIALING, LOCAL, CLIENTS };

struct client {
    int fd;   /* the client's end */
    int peer; /* and the upstream's; -1: none yet */
    uint64_t id;
    size_t sent; /* by the client */
    size_t received;
    bool has_end;
};

struct life {
    struct world w;
    int up, full, local, queued[2];
    struct client clients[CLIENTS];
    unsigned count;
};

static inline void local_name(char *out, size_t size, const char *what)
{
    snprintf(out, size, "@penstock-test-%d-%s", (int)getpid(), what);
}

static inline struct conf *conf_first(void)
{
    const char *h = own_host();

    return conf_of("rules = {"
                   "old = { listen = \"%s:%u\"; upstream = \"%s:%u\"; on_change = \"keep\"; };"
                   "goes = { listen = \"%s:%u\"; upstream = \"%s:%u\"; on_change = \"drain:1h\"; };"
                   "};",
                   h, PORT_OLD, h, PORT_UP, h, PORT_GOES, h, PORT_UP);
}

static inline struct conf *conf_second(void)
{
    const char *h = own_host();
    char in[64], out[64];

    local_name(in, sizeof(in), "in");
    local_name(out, sizeof(out), "out");
    return conf_of(
        "rules = {"
        "plain = { listen = \"%s:%u\"; upstream = \"%s:%u\"; relay = \"copy\"; };"
        "bulk = { listen = \"%s:%u\"; upstream = \"%s:%u\"; relay = \"splice\"; };"
        "dial = { listen = \"%s:%u\"; upstream = \"%s:%u\"; connect_timeout = \"10min\"; };"
        "local = { listen = \"unix:%s\"; upstream = \"unix:%s\"; };"
        "};",
        h, PORT_PLAIN, h, PORT_UP, h, PORT_BULK, h, PORT_UP, h, PORT_DIAL, h, PORT_FULL, in, out);
}

static inline void apply(struct world *w, struct conf *conf)
{
    struct ruleset_changes changes;

    ck_assert_int_eq(world_apply(w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static inline socklen_t local_address(struct sockaddr_storage *ss, char *name, size_t size,
                                      const char *what)
{
    struct addr a = {.family = AF_UNIX, .un = {.path = name}};

    local_name(name, size, what);
    return addr_to_sockaddr(&a, ss);
}

static inline int local_listener(const char *what)
{
    struct sockaddr_storage ss;
    char name[64];
    socklen_t len = local_address(&ss, name, sizeof(name), what);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

/* Whoever connects to it now waits: its backlog is full. */
static inline void fill_backlog(struct life *life)
{
    struct sockaddr_in in = own_address(PORT_FULL);

    for (size_t i = 0; i < COUNT_OF(life->queued); i++) {
        life->queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(life->queued[i], (struct sockaddr *)&in, sizeof(in));
    }
    ck_assert_int_eq(errno, EINPROGRESS);
}

static inline void life_begin(struct life *life)
{
    const int small = 16384;

    memset(life, 0, sizeof(*life));
    world_begin(&life->w);
    life->up = upstream_at(PORT_UP, 100);
    setsockopt(life->up, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    life->full = upstream_at(PORT_FULL, 0);
    life->local = local_listener("out");
    fill_backlog(life);
    for (size_t i = 0; i < CLIENTS; i++)
        life->clients[i] = (struct client){.fd = -1, .peer = -1};
}

static inline void life_end(struct life *life)
{
    world_end(&life->w);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (life->clients[i].fd >= 0)
            close(life->clients[i].fd);
        if (life->clients[i].peer >= 0)
            close(life->clients[i].peer);
    }
    for (size_t i = 0; i < COUNT_OF(life->queued); i++)
        close(life->queued[i]);
    close(life->up);
    close(life->full);
    close(life->local);
}

/* Its session, in whichever world. */
static inline struct session *session_of(const struct world *w, const struct client *c)
{
    list_for_each (link, next, &w->worker.sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->id == c->id)
            return s;
    }
    return NULL;
}

static inline void begin(struct life *life, enum who who, unsigned port)
{
    struct client *c = &life->clients[who];
    struct session *s;

    c->fd = world_client(&life->w, port, port == PORT_DIAL ? STAGE_DIAL : STAGE_RELAY, &s);
    if (port != PORT_DIAL) {
        c->peer = accept4(life->up, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ck_assert_int_ge(c->peer, 0);
    }
    c->id = s->id;
    life->count++;
}

static inline void begin_local(struct life *life)
{
    struct client *c = &life->clients[LOCAL];
    struct counted counted = {&life->w.worker, life->w.worker.live + 1, STAGE_RELAY};
    struct sockaddr_storage ss;
    char name[64];
    socklen_t len = local_address(&ss, name, sizeof(name), "in");

    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&ss, len), 0);
    world_await(&life->w, has_begun, &counted);
    c->peer = accept4(life->local, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(c->peer, 0);
    c->id = container_of(life->w.worker.sessions.prev, struct session, link)->id;
    life->count++;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static inline uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* A client that sends, and a peer that reads. */
struct talk {
    const struct world *w;
    struct client *c;
};

static inline bool send_until_held(void *arg)
{
    const struct talk *t = arg;
    const struct session *s = session_of(t->w, t->c);
    uint8_t bytes[4096];
    ssize_t n;

    do {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = byte_at(t->c->sent + i);
        n = send(t->c->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        t->c->sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return errno == EAGAIN && move_held(s, CLIENT) > 0;
}

static inline bool receive_all(void *arg)
{
    const struct talk *t = arg;
    uint8_t bytes[65536], expected[sizeof(bytes)];
    ssize_t n;

    while ((n = recv(t->c->peer, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            expected[i] = byte_at(t->c->received++);
        ck_assert_mem_eq(bytes, expected, (size_t)n);
    }
    t->c->has_end = n == 0;
    ck_assert(n == 0 || errno == EAGAIN);
    return t->c->has_end || t->c->received == t->c->sent;
}

static inline bool half_closed(void *arg)
{
    const struct talk *t = arg;
    const struct half *h = &session_of(t->w, t->c)->half;

    return h->dir[CLIENT] == DIR_SHUT || h->dir[UPSTREAM] == DIR_SHUT;
}

static inline void half_close(struct life *life, struct client *c, int fd)
{
    struct talk t = {&life->w, c};

    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    world_await(&life->w, half_closed, &t);
}

static inline void send_much(struct life *life, struct client *c)
{
    struct talk t = {&life->w, c};

    world_await(&life->w, send_until_held, &t);
}

/* What of it is on its way still comes, and nothing else. */
static inline void all_arrives(struct world *w, struct client *c)
{
    struct talk t = {w, c};

    world_await(w, receive_all, &t);
    ck_assert_uint_eq(c->received, c->sent);
    ck_assert(!c->has_end);
    shutdown(c->fd, SHUT_WR);
    c->sent++; /* that can't come: there is only the end */
    world_await(w, receive_all, &t);
    ck_assert(c->has_end);
}

/* The handful for which memory runs out. */
static inline void live_a_little(struct life *life)
{
    apply(&life->w, conf_second());
    begin(life, HALF, PORT_PLAIN);
    begin(life, KEPT, PORT_PLAIN);
    begin(life, BULK, PORT_BULK);
    begin(life, DIALING, PORT_DIAL);
    half_close(life, &life->clients[HALF], life->clients[HALF].fd);
    send_much(life, &life->clients[KEPT]);
    send_much(life, &life->clients[BULK]);
}

/* Every stage, every kind of address, and rules that live for their sessions only. */
static inline void live(struct life *life)
{
    struct session *s;

    apply(&life->w, conf_first());
    begin(life, OLD, PORT_OLD);
    begin(life, GOES, PORT_GOES);
    live_a_little(life);
    begin(life, IDLE, PORT_PLAIN);
    begin(life, ENDED, PORT_PLAIN);
    half_close(life, &life->clients[ENDED], life->clients[ENDED].peer);
    begin(life, FLUSHED, PORT_PLAIN);
    begin_local(life);

    /* as if its upstream had been reset just now; to bring that about takes time */
    s = session_of(&life->w, &life->clients[FLUSHED]);
    s->half.phase = PHASE_FLUSHING_CLIENT;
    s->half_end = END_UPSTREAM_RESET;
    s->error = ECONNRESET;
}

/* --- handing over ---------------------------------------------------------------------------- */

static inline void carry(struct life *life, struct inheritance *in, struct brought *b)
{
    carry_world(&life->w, in, b);
}

/* For somebody else to take: they still listen. */
static inline void listeners_are_left(const struct inheritance *in)
{
    for (uint32_t i = 0; i < in->snapshot.listener_count; i++) {
        int fd = in->take(in->arg, &in->snapshot.listeners[i].fd);
        struct addr bound;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
        close(fd);
    }
}

#endif
