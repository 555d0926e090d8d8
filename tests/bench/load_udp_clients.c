/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of datagrams that come back: each keeps some under way, as long as all may. */
#include "config.h"

#include "load_udp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS   256
#define SWEEP_NS UINT64_C(20000000)

/* A datagram under way. */
struct slot {
    uint64_t number;
    uint64_t sent_ns;
    bool busy;
};

struct client {
    int fd;
    unsigned index;
    unsigned busy;   /* slots */
    uint64_t next;   /* number */
    uint64_t newest; /* number that has come back */
    struct slot *slots;
    struct client *behind; /* in the queue */
    bool queued;
};

struct clients {
    const struct load_options *options;
    struct load_shared *shared;
    struct load_result *result;
    struct load_batch *batch;
    struct client *all;
    struct client *first, **last; /* the queue of those that may send: they take turns */
    unsigned under_way;
    int epoll;
    bool measuring;
    uint64_t taken; /* since the start of the window */
    uint64_t last_ns;
    uint64_t sweep_ns;
};

static void enqueue(struct clients *c, struct client *client)
{
    if (client->queued)
        return;
    client->queued = true;
    client->behind = NULL;
    *c->last = client;
    c->last = &client->behind;
}

static struct client *dequeue(struct clients *c)
{
    struct client *client = c->first;

    c->first = client->behind;
    if (!c->first)
        c->last = &c->first;
    client->queued = false;
    return client;
}

static void fill(struct clients *c, struct client *client, unsigned count, uint64_t now)
{
    unsigned at = 0;

    for (unsigned i = 0; at < count; i++) {
        struct slot *slot = &client->slots[i];

        if (slot->busy)
            continue;
        *slot = (struct slot){.number = client->next++, .sent_ns = now, .busy = true};
        c->batch->marks[at++] = (struct load_mark){slot->number, client->index, i};
    }
    client->busy += count;
    c->under_way += count;
    if (c->measuring)
        c->result->sent += count;
    load_send(c->batch, client->fd, count);
}

/* Sends as much as may be under way. */
static void send_some(struct clients *c)
{
    const struct load_options *o = c->options;

    while (c->first && c->under_way < o->flight) {
        struct client *client = dequeue(c);
        unsigned count = o->each - client->busy;

        if (count > o->flight - c->under_way)
            count = o->flight - c->under_way;
        if (count)
            fill(c, client, count, load_now());
        if (client->busy < o->each)
            enqueue(c, client);
    }
}

static void release(struct clients *c, struct client *client, struct slot *slot)
{
    slot->busy = false;
    client->busy--;
    c->under_way--;
    enqueue(c, client);
}

/* One that had been given up: it was not lost. */
static void take_late(struct clients *c)
{
    if (!c->measuring || c->result->lost == 0)
        return;
    c->result->lost--;
    c->taken++;
}

static void take(struct clients *c, struct client *client, const struct load_mark *mark,
                 uint64_t now)
{
    struct slot *slot;

    if (mark->slot == LOAD_EMPTY)
        return;
    if (mark->client != client->index)
        load_die("client %u got the datagram of client %u", client->index + 1, mark->client + 1);
    if (mark->number >= client->next)
        load_die("a datagram came back that was never sent");
    if (mark->slot == LOAD_FIRST) /* one of several tries, late */
        return;
    if (mark->slot >= c->options->each)
        load_die("a datagram came back with another mark");
    slot = &client->slots[mark->slot];
    if (slot->number == mark->number && !slot->busy && now - slot->sent_ns < LOAD_LOST_NS)
        load_die("a datagram came back twice");
    if (slot->number != mark->number || !slot->busy) {
        take_late(c);
        return;
    }
    if (c->measuring) {
        c->taken++;
        c->result->disordered += mark->number < client->newest;
        load_record(&c->result->hist, now - slot->sent_ns);
    }
    if (mark->number > client->newest)
        client->newest = mark->number;
    release(c, client, slot);
}

static void on_readable(struct clients *c, struct client *client)
{
    unsigned most = client->busy ? client->busy : 1;
    unsigned count =
        load_receive(c->batch, client->fd, most < LOAD_BATCH ? most : LOAD_BATCH, false, 0);
    uint64_t now = load_now();

    for (unsigned i = 0; i < count; i++)
        take(c, client, &c->batch->marks[i], now);
    if (count)
        c->last_ns = now;
}

/* Gives up what is out for too long. */
static void sweep(struct clients *c)
{
    uint64_t now = load_now();

    if (now - c->sweep_ns < SWEEP_NS)
        return;
    c->sweep_ns = now;
    for (unsigned i = 0; i < c->options->conns; i++) {
        struct client *client = &c->all[i];

        for (unsigned j = 0; j < c->options->each && client->busy; j++) {
            struct slot *slot = &client->slots[j];

            if (!slot->busy || now - slot->sent_ns < LOAD_LOST_NS)
                continue;
            if (c->measuring)
                c->result->lost++;
            release(c, client, slot);
        }
    }
}

static void run_until(struct clients *c, uint64_t end_ns)
{
    struct epoll_event events[EVENTS];

    for (uint64_t now = load_now(); now < end_ns; now = load_now()) {
        int count;

        send_some(c);
        count = epoll_wait(c->epoll, events, EVENTS, 20);
        for (int i = 0; i < count; i++)
            on_readable(c, events[i].data.ptr);
        sweep(c);
        if (now > c->last_ns && now - c->last_ns > LOAD_STALL_NS)
            load_die("nothing came through for 3 s");
    }
}

static void measure(struct clients *c, pid_t upstream)
{
    const struct load_options *o = c->options;
    struct load_result *r = c->result;
    struct load_cpu before;
    uint64_t start, sunk, empty;

    c->last_ns = c->sweep_ns = load_now();
    run_until(c, load_now() + o->warm_ns);
    before = load_cpu_now(o, upstream);
    sunk = atomic_load(&c->shared->sunk);
    empty = atomic_load(&c->shared->empty);
    c->measuring = true;
    start = load_now();
    run_until(c, start + o->window_ns);
    r->elapsed_ns = load_now() - start;
    r->units = c->taken + atomic_load(&c->shared->sunk) - sunk;
    r->empty = atomic_load(&c->shared->empty) - empty;
    load_cpu_since(&before, o, upstream, r);
    if (c->taken == 0)
        load_die("no datagram came back within 0.2 s");
}

static void open_client(struct clients *c, unsigned index, uint64_t deadline)
{
    struct client *client = &c->all[index];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    client->index = index;
    client->slots = calloc(c->options->each, sizeof *client->slots);
    if (!client->slots)
        load_die("out of memory");
    client->fd = load_open(c->batch, c->options, index, &client->next, deadline);
    if (fcntl(client->fd, F_SETFL, O_NONBLOCK) == -1 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, client->fd, &event) == -1)
        load_die("client: %s", strerror(errno));
    enqueue(c, client);
}

void load_udp_clients(const struct load_options *o, struct load_shared *shared, pid_t upstream,
                      struct load_result *result)
{
    struct clients c = {.options = o, .shared = shared, .result = result};
    uint64_t deadline = load_now() + LOAD_OPEN_NS;

    c.batch = load_batch_new(o, shared);
    c.all = calloc(o->conns, sizeof *c.all);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    c.last = &c.first;
    if (!c.all || c.epoll == -1)
        load_die("out of memory");
    for (unsigned i = 0; i < o->conns; i++)
        open_client(&c, i, deadline);
    measure(&c, upstream);
}
