/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of datagrams that are not answered: each in turn sends a burst. That the upstream has got
 * them is known from memory shared with it, not from anything that went through the proxy.
 */
#include "config.h"

#include "load_udp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bursts {
    const struct load_options *options;
    struct load_shared *shared;
    struct load_batch *batch;
    int *fds;
    uint64_t *numbers; /* the next, by client */
    unsigned turn;     /* of this client */
    uint64_t sent, lost, seen;
    uint64_t seen_ns; /* when there was last news, or nothing to wait for */
};

/* How many are under way; after long silence these are lost. */
static unsigned under_way(struct bursts *b)
{
    uint64_t sunk = atomic_load(&b->shared->sunk), now = load_now();

    if (sunk + b->lost > b->sent) /* some that were given up have come after all */
        b->lost = b->sent - sunk;
    if (sunk != b->seen || sunk + b->lost == b->sent)
        b->seen_ns = now;
    b->seen = sunk;
    if (now - b->seen_ns > LOAD_LOST_NS) {
        if (sunk == 0)
            load_die("nothing came through");
        b->lost = b->sent - sunk;
        b->seen_ns = now;
    }
    return (unsigned)(b->sent - b->lost - sunk);
}

static void wait_for_news(struct bursts *b)
{
    struct pollfd news = {.fd = b->shared->news, .events = POLLIN};
    uint64_t count;

    if (poll(&news, 1, 20) == 1 && read(news.fd, &count, sizeof count) == -1 && errno != EAGAIN)
        load_die("eventfd: %s", strerror(errno));
}

static void send_burst(struct bursts *b)
{
    unsigned client = b->turn;

    b->turn = (b->turn + 1) % b->options->conns;
    for (unsigned i = 0; i < b->options->each; i++)
        b->batch->marks[i] = (struct load_mark){b->numbers[client]++, client, 0};
    load_send(b->batch, b->fds[client], b->options->each);
    b->sent += b->options->each;
}

static void run_until(struct bursts *b, uint64_t end_ns)
{
    while (load_now() < end_ns) {
        if (under_way(b) + b->options->each <= b->options->flight)
            send_burst(b);
        else
            wait_for_news(b);
    }
}

static void measure(struct bursts *b, pid_t upstream, struct load_result *r)
{
    const struct load_options *o = b->options;
    uint64_t start, sunk, empty, sent, lost;
    struct load_cpu before;

    b->seen_ns = load_now();
    run_until(b, load_now() + o->warm_ns);
    before = load_cpu_now(o, upstream);
    sunk = atomic_load(&b->shared->sunk);
    empty = atomic_load(&b->shared->empty);
    sent = b->sent;
    lost = b->lost;
    start = load_now();
    run_until(b, start + o->window_ns);
    r->elapsed_ns = load_now() - start;
    r->units = atomic_load(&b->shared->sunk) - sunk;
    r->sent = b->sent - sent;
    r->lost = b->lost > lost ? b->lost - lost : 0;
    r->disordered = atomic_load(&b->shared->disordered);
    r->empty = atomic_load(&b->shared->empty) - empty;
    load_cpu_since(&before, o, upstream, r);
    if (r->units == 0)
        load_die("nothing came through in the window");
}

void load_udp_bursts(const struct load_options *o, struct load_shared *shared, pid_t upstream,
                     struct load_result *result)
{
    struct bursts b = {.options = o, .shared = shared, .batch = load_batch_new(o, shared)};
    uint64_t deadline = load_now() + LOAD_OPEN_NS;

    b.fds = calloc(o->conns, sizeof *b.fds);
    b.numbers = calloc(o->conns, sizeof *b.numbers);
    if (!b.fds || !b.numbers)
        load_die("out of memory");
    for (unsigned i = 0; i < o->conns; i++)
        b.fds[i] = load_open(b.batch, o, i, &b.numbers[i], deadline);
    measure(&b, upstream, result);
}
