/* SPDX-License-Identifier: BSD-2-Clause */
/* The upstream side of the load over UDP: sends datagrams back, or takes them. */
#include "config.h"

#include "load_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* LOAD_UDP: all but the empty ones. */
static void echo(struct load_shared *shared, int fd, struct load_batch *b, unsigned count)
{
    unsigned first = 0, empty = 0;

    for (unsigned i = 0; i < count; i++) {
        if (b->marks[i].slot != LOAD_EMPTY)
            continue;
        load_send_back(b, fd, first, i - first);
        first = i + 1;
        empty++;
    }
    load_send_back(b, fd, first, count - first);
    atomic_fetch_add_explicit(&shared->sunk, count - empty, memory_order_relaxed);
}

/* LOAD_BURST: counts what came of each client; sends back only what opens a session. */
static void sink(const struct load_options *o, struct load_shared *shared, int fd,
                 struct load_batch *b, unsigned count, uint64_t *next)
{
    uint64_t one = 1;
    unsigned sunk = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct load_mark *mark = &b->marks[i];

        if (mark->slot == LOAD_EMPTY)
            continue;
        if (mark->client >= o->conns)
            load_die("a datagram came of a client that is not there");
        if (mark->slot == LOAD_FIRST) {
            load_send_back(b, fd, i, 1);
            continue;
        }
        if (mark->number + 1 == next[mark->client])
            load_die("a datagram came twice");
        if (mark->number < next[mark->client])
            atomic_fetch_add_explicit(&shared->disordered, 1, memory_order_relaxed);
        else
            next[mark->client] = mark->number + 1;
        sunk++;
    }
    atomic_fetch_add(&shared->sunk, sunk);
    if (sunk && write(shared->news, &one, sizeof one) == -1 && errno != EAGAIN)
        load_die("eventfd: %s", strerror(errno));
}

void load_udp_upstream(const struct load_options *o, int fd, struct load_shared *shared)
{
    struct load_batch *b = load_batch_new(o, shared);
    uint64_t *next = calloc(o->conns, sizeof *next);

    if (!next)
        load_die("out of memory");
    for (;;) {
        unsigned count = load_receive(b, fd, LOAD_BATCH, true, MSG_WAITFORONE);

        if (o->work == LOAD_BURST)
            sink(o, shared, fd, b, count, next);
        else
            echo(shared, fd, b, count);
    }
}
