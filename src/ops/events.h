/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, as a stream of JSON lines for whoever reads along. All readers read from one ring
 * of bounded size; one who is so slow that the ring has gone past him is dropped, and nobody ever
 * waits for him.
 */
#ifndef PENSTOCK_OPS_EVENTS_H
#define PENSTOCK_OPS_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "flow/observe.h"
#include "loop/loop.h"
#include "ops/http.h"
#include "ops/ring.h"

struct ops_reload;
struct worker;

/* The ring; with it the memory of all readers is bounded. */
#define EVENTS_BYTES (256u << 10)

struct events {
    struct worker *worker;
    struct observer observer; /* the worker's, while there are readers */
    struct list readers;
    struct ring ring;     /* empty while nobody reads */
    struct deferred wake; /* readers are told once a turn of the loop ... */
    bool waking;          /* ... that there is something */
};

void events_init(struct events *e, struct worker *worker);

/* Every reader's stream ends. */
void events_stop(struct events *e);

/* A stream of all that happens from here on; NULL without memory. */
struct answer *events_read(struct events *e);

/* A reload is over. */
void events_reloaded(struct events *e, const struct ops_reload *r);

/* A rule was paused, resumed or drained: `word` is "paused", "resumed" or "draining". */
void events_rule(struct events *e, const struct rule *rule, const char *word);

#endif
