/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one thread of penstock has: its loop and everything that sessions share on it. Today there
 * is one worker; whatever belongs to a session hangs off its worker, whatever belongs to a rule is
 * atomic.
 */
#ifndef PENSTOCK_FLOW_WORKER_H
#define PENSTOCK_FLOW_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"
#include "os/fds.h"
#include "os/log.h"
#include "os/pipe.h"
#include "upstream/resolve.h"

struct observer;
struct persist;
struct udp;
struct worker;

/* Told each time that a session has begun or ended. */
typedef void worker_changed_fn(void *arg);

struct worker {
    struct loop *loop;
    struct log *log;
    struct resolver *resolver;
    struct fds *fds;
    struct pipe_pool pipes;
    uint8_t *scratch;        /* SCRATCH_SIZE bytes: every read that copies goes through here */
    struct list rules;       /* all that are alive */
    struct list sessions;    /* all that are alive, by id: the first is the oldest */
    struct timer drain;      /* drain.h */
    struct persist *persist; /* persist.h; NULL until a session needs it */
    struct udp *udp;         /* udp.h; NULL until a rule needs it */
    uint64_t next_id;        /* of a session ... */
    uint64_t next_listener;  /* ... and of a listener */
    uint64_t live;                   /* sessions in the list */
    uint64_t served;                 /* sessions that have ended */
    uint64_t refused;                /* clients that never became one */
    const struct observer *observer; /* observe.h; borrowed. NULL: nobody looks on */
    worker_changed_fn *changed;
    void *changed_arg;
};

/* Small enough to stay in the cache between recv and send, large enough to make calls rare. */
#define SCRATCH_SIZE (32u << 10)

/* Give *w what it needs to run on `loop`, with at most `pipes` pipes for splicing; loop, log and
 * fds are borrowed. Returns 0 or -ENOMEM. */
int worker_init(struct worker *w, struct loop *loop, struct log *log, struct fds *fds,
                unsigned pipes);

/* The sessions must have ended. */
void worker_fini(struct worker *w);

/* Something in the counts above has changed. */
void worker_changed(struct worker *w);

#endif
