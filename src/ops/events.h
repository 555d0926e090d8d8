/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, as a stream of JSON lines for whoever reads along. All readers read from one ring
 * of bounded size; one who is so slow that the ring has gone past him is dropped, and nobody ever
 * waits for him.
 */
#ifndef PENSTOCK_OPS_EVENTS_H
#define PENSTOCK_OPS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "flow/observe.h"

struct ops_reload;
struct worker;

/* The ring; with it the memory of all readers is bounded. */
#define EVENTS_BYTES (256u << 10)

struct events {
    struct worker *worker;
    struct observer observer; /* the worker's, while there are readers */
    struct list readers;
    char *ring;    /* NULL while nobody reads */
    uint64_t head; /* bytes ever written; the ring holds the last EVENTS_BYTES */
};

void events_init(struct events *e, struct worker *worker);

/* Every reader's stream ends. */
void events_stop(struct events *e);

/* A reload is over. */
void events_reloaded(struct events *e, const struct ops_reload *r);

#endif
