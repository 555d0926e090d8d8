/* SPDX-License-Identifier: BSD-2-Clause */
/* The upstream side of the load: accepts everything, answers requests, takes or gives bulk data. */
#include "config.h"

#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH      256
#define ACCEPTS    64
#define BULK_WRITE (128 * 1024)
#define BULK_READ  (1024 * 1024)

struct peer {
    unsigned got;   /* bytes of the present request */
    bool exchanged; /* the first exchange is over */
};

struct upstream {
    const struct load_options *options;
    struct load_shared *shared;
    int epoll;
    int listener;
    struct peer *peers; /* by descriptor */
    unsigned capacity;
    char *buffer; /* BULK_WRITE bytes; also holds a reply and takes requests */
};

static void watch(struct upstream *u, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(u->epoll, op, fd, &event) == -1)
        load_die("upstream: epoll_ctl: %s", strerror(errno));
}

static void make_room(struct upstream *u, int fd)
{
    unsigned capacity = u->capacity ? u->capacity : 1024;

    while (capacity <= (unsigned)fd)
        capacity *= 2;
    if (capacity == u->capacity)
        return;
    u->peers = realloc(u->peers, capacity * sizeof *u->peers);
    if (!u->peers)
        load_die("upstream: out of memory");
    u->capacity = capacity;
}

static void accept_some(struct upstream *u)
{
    int one = 1;

    for (unsigned i = 0; i < ACCEPTS; i++) {
        int fd = accept4(u->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == -1) {
            if (errno == EMFILE || errno == ENFILE)
                load_die("the upstream of the load is out of descriptors");
            return;
        }
        make_room(u, fd);
        u->peers[fd] = (struct peer){0};
        if (u->options->work != LOAD_CONN)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(u, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* Takes request bytes; replies to a whole one. False when the connection is over. */
static bool take_request(struct upstream *u, int fd)
{
    const struct load_options *o = u->options;
    struct peer *peer = &u->peers[fd];
    ssize_t n = recv(fd, u->buffer, o->request_size - peer->got, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    peer->got += (unsigned)n;
    if (peer->got < o->request_size)
        return true;
    peer->got = 0;
    peer->exchanged = true;
    if (send(fd, u->buffer, o->reply_size, 0) != (ssize_t)o->reply_size)
        return false;
    if (o->work == LOAD_DOWN)
        watch(u, EPOLL_CTL_MOD, fd, EPOLLOUT);
    return true;
}

static bool sink(struct upstream *u, int fd)
{
    ssize_t n = recv(fd, NULL, BULK_READ, MSG_TRUNC);

    if (n > 0)
        atomic_fetch_add_explicit(&u->shared->sunk, (uint64_t)n, memory_order_relaxed);
    return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

static bool source(struct upstream *u, int fd)
{
    ssize_t n = send(fd, u->buffer, BULK_WRITE, 0);

    return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

static bool serve(struct upstream *u, int fd)
{
    if (!u->peers[fd].exchanged || u->options->work >= LOAD_RR)
        return take_request(u, fd);
    return u->options->work == LOAD_UP ? sink(u, fd) : source(u, fd);
}

void load_upstream(const struct load_options *options, int listener, struct load_shared *shared)
{
    struct upstream u = {.options = options, .shared = shared, .listener = listener};
    struct epoll_event events[BATCH];

    u.epoll = epoll_create1(EPOLL_CLOEXEC);
    u.buffer = malloc(BULK_WRITE);
    if (u.epoll == -1 || !u.buffer)
        load_die("upstream: %s", strerror(errno));
    memset(u.buffer, 'u', BULK_WRITE);
    watch(&u, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(u.epoll, events, BATCH, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == listener)
                accept_some(&u);
            else if (!serve(&u, fd))
                close(fd);
        }
    }
}
