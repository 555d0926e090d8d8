/* SPDX-License-Identifier: BSD-2-Clause */
/* The client side of the load over TCP. */
#include "config.h"

#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BATCH      256
#define BULK_WRITE (128 * 1024)
#define BULK_READ  (1024 * 1024)

/* Kept connections are opened so many at a time: below the smallest backlog among the peers. */
#define OPEN_AT_ONCE 4

struct client {
    int fd;
    bool idle;
    bool sent;         /* the request is out (LOAD_CONN: else still connecting) */
    unsigned got;      /* bytes of the present reply */
    uint64_t start_ns; /* of the present exchange or connection */
};

struct clients {
    const struct load_options *options;
    struct load_shared *shared;
    struct load_result *result;
    struct client *all; /* the busy ones first */
    int epoll;
    bool measuring;
    uint64_t units; /* since the start of the window */
    uint64_t last_ns;
    char *buffer;
};

/* --- opening connections -------------------------------------------------------------------- */

static void watch(struct clients *c, struct client *client, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (epoll_ctl(c->epoll, op, client->fd, &event) == -1)
        load_die("epoll_ctl: %s", strerror(errno));
}

static int new_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd == -1)
        load_die("the clients: socket: %s", strerror(errno));
    return fd;
}

/* Connects and sends the first request. */
static void begin_kept(struct clients *c, struct client *client, unsigned number)
{
    const struct load_options *o = c->options;
    struct timeval limit = {.tv_sec = LOAD_STALL_NS / 1000000000U};
    int fd = new_socket(0), one = 1;

    client->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&o->connect, sizeof o->connect) == -1)
        load_die("connection %u: connect: %s", number, strerror(errno));
    if (send(fd, c->buffer, o->request_size, 0) != (ssize_t)o->request_size)
        load_die("connection %u: send: %s", number, strerror(errno));
}

/* Waits for the first reply, and leaves the connection ready for its work. */
static void finish_kept(struct clients *c, struct client *client, unsigned number)
{
    const struct load_options *o = c->options;
    ssize_t n = 0;

    for (unsigned got = 0; got < o->reply_size; got += (unsigned)n) {
        n = recv(client->fd, c->buffer, o->reply_size - got, 0);
        if (n == 0)
            load_die("connection %u: closed before the first reply", number);
        if (n == -1)
            load_die("connection %u: first reply: %s", number,
                     errno == EAGAIN ? "none within 3 s" : strerror(errno));
    }
    if (fcntl(client->fd, F_SETFL, O_NONBLOCK) == -1)
        load_die("fcntl: %s", strerror(errno));
    watch(c, client, EPOLL_CTL_ADD, !client->idle && o->work == LOAD_UP ? EPOLLOUT : EPOLLIN);
}

/* Opens those from `first` to before `end`, a few at a time. */
static void open_kept(struct clients *c, unsigned first, unsigned end, bool idle)
{
    uint64_t start = load_now();

    for (unsigned i = first; i < end; i += OPEN_AT_ONCE) {
        unsigned stop = end - i < OPEN_AT_ONCE ? end : i + OPEN_AT_ONCE;

        if (load_now() - start > LOAD_OPEN_NS)
            load_die("only %u of %u connections were open after 12 s", i - first, end - first);
        for (unsigned j = i; j < stop; j++) {
            c->all[j].idle = idle;
            begin_kept(c, &c->all[j], j + 1);
        }
        for (unsigned j = i; j < stop; j++)
            finish_kept(c, &c->all[j], j + 1);
    }
}

static void send_request(struct clients *c, struct client *client)
{
    client->start_ns = load_now();
    client->got = 0;
    if (send(client->fd, c->buffer, c->options->request_size, 0) !=
        (ssize_t)c->options->request_size)
        load_die("send: %s", strerror(errno));
}

/* LOAD_CONN: begins a connection; on loopback it is mostly there at once. */
static void start_conn(struct clients *c, struct client *client)
{
    const struct load_options *o = c->options;

    client->start_ns = load_now();
    client->got = 0;
    client->fd = new_socket(SOCK_NONBLOCK);
    if (connect(client->fd, (const struct sockaddr *)&o->connect, sizeof o->connect) == -1 &&
        errno != EINPROGRESS)
        load_die("connect: %s", strerror(errno));
    client->sent =
        send(client->fd, c->buffer, o->request_size, MSG_NOSIGNAL) == (ssize_t)o->request_size;
    watch(c, client, EPOLL_CTL_ADD, client->sent ? EPOLLIN : EPOLLOUT);
}

/* --- work on events ------------------------------------------------------------------------- */

static void record(struct clients *c, uint64_t ns)
{
    c->last_ns = load_now();
    if (!c->measuring)
        return;
    c->units++;
    load_record(&c->result->hist, ns);
}

/* True when the whole reply is here. */
static bool take_reply(struct clients *c, struct client *client, bool *over)
{
    ssize_t n = recv(client->fd, c->buffer, c->options->reply_size - client->got, 0);

    *over = n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
    if (n > 0)
        client->got += (unsigned)n;
    return client->got == c->options->reply_size;
}

static void on_rr(struct clients *c, struct client *client)
{
    bool over;

    if (take_reply(c, client, &over)) {
        record(c, load_now() - client->start_ns);
        send_request(c, client);
    } else if (over) {
        load_die("a busy connection was ended from the other side");
    }
}

static void on_conn(struct clients *c, struct client *client)
{
    const struct load_options *o = c->options;
    bool over = false, whole = false;

    if (!client->sent) {
        client->sent = send(client->fd, c->buffer, o->request_size, 0) == (ssize_t)o->request_size;
        over = !client->sent;
        if (client->sent)
            watch(c, client, EPOLL_CTL_MOD, EPOLLIN);
    } else {
        whole = take_reply(c, client, &over);
    }
    if (!whole && !over)
        return;
    close(client->fd);
    if (whole)
        record(c, load_now() - client->start_ns);
    else if (c->measuring)
        c->result->failed++;
    start_conn(c, client);
}

static void on_bulk(struct clients *c, struct client *client)
{
    ssize_t n;

    if (c->options->work == LOAD_UP)
        n = send(client->fd, c->buffer, BULK_WRITE, 0);
    else
        n = recv(client->fd, NULL, BULK_READ, MSG_TRUNC);
    if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
        load_die("a bulk connection was ended from the other side");
    if (n > 0)
        c->last_ns = load_now();
    if (n > 0 && c->options->work == LOAD_DOWN && c->measuring)
        c->units += (uint64_t)n;
}

static void on_idle(struct clients *c, struct client *client)
{
    c->result->idle_lost++;
    close(client->fd);
}

static void dispatch(struct clients *c, struct client *client)
{
    if (client->idle)
        on_idle(c, client);
    else if (c->options->work == LOAD_RR)
        on_rr(c, client);
    else if (c->options->work == LOAD_CONN)
        on_conn(c, client);
    else
        on_bulk(c, client);
}

static void run_until(struct clients *c, uint64_t end_ns)
{
    struct epoll_event events[BATCH];

    for (uint64_t now = load_now(); now < end_ns; now = load_now()) {
        int count = epoll_wait(c->epoll, events, BATCH, 20);

        for (int i = 0; i < count; i++)
            dispatch(c, events[i].data.ptr);
        if (count == 0 && load_now() - c->last_ns > LOAD_STALL_NS)
            load_die("nothing came through for 3 s");
    }
}

/* Tells the caller where we are, and waits until it has looked. */
static void hold(const char *phase)
{
    char line[16];

    printf("{\"phase\": \"%s\"}\n", phase);
    if (!fgets(line, sizeof line, stdin))
        exit(0);
}

static void measure(struct clients *c, pid_t upstream)
{
    const struct load_options *o = c->options;
    struct load_result *r = c->result;
    struct load_cpu before;
    uint64_t start, sunk;

    c->last_ns = load_now();
    run_until(c, load_now() + o->warm_ns);
    before = load_cpu_now(o, upstream);
    sunk = atomic_load(&c->shared->sunk);
    c->measuring = true;
    start = load_now();
    run_until(c, start + o->window_ns);
    r->elapsed_ns = load_now() - start;
    r->units = o->work == LOAD_UP ? atomic_load(&c->shared->sunk) - sunk : c->units;
    load_cpu_since(&before, o, upstream, r);
    if (r->units == 0)
        load_die("nothing came through in the window");
}

void load_clients(const struct load_options *o, struct load_shared *shared, pid_t upstream,
                  struct load_result *result)
{
    struct clients c = {.options = o, .shared = shared, .result = result};
    unsigned i;

    c.all = calloc(o->conns + o->idle, sizeof *c.all);
    c.buffer = malloc(BULK_WRITE);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!c.all || !c.buffer || c.epoll == -1)
        load_die("out of memory");
    memset(c.buffer, 'c', BULK_WRITE);
    if (o->work != LOAD_CONN)
        open_kept(&c, 0, o->conns, false);
    if (o->hold)
        hold("base");
    open_kept(&c, o->conns, o->conns + o->idle, true);
    if (o->hold) {
        hold("full");
    } else {
        for (i = 0; i < o->conns && o->work == LOAD_RR; i++)
            send_request(&c, &c.all[i]);
        for (i = 0; i < o->conns && o->work == LOAD_CONN; i++)
            start_conn(&c, &c.all[i]);
        measure(&c, upstream);
    }
    free(c.all);
    free(c.buffer);
}
