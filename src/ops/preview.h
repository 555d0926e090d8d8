/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a reload would change now. The files are read and compared with the rules at work in a
 * thread, one reading at a time however many ask; who asks while one goes on waits for the next,
 * as the files may have changed since it began. It begins at once if one of them may steer (who
 * could as well have a reload); else a second after the one before began at the earliest, and so
 * that all of them take a tenth of a CPU at most.
 */
#ifndef PENSTOCK_OPS_PREVIEW_H
#define PENSTOCK_OPS_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"
#include "ops/http.h"
#include "ops/ops.h"

struct shared_text;
struct task;

struct preview {
    const struct ops_host *host;
    struct list waiting; /* waiters.h */
    struct task *task;   /* reading, or NULL */
    uint64_t begun;      /* readings */
    uint64_t over;
    int64_t started;    /* the last one, in loop time ... */
    int64_t earliest;   /* ... and the next one for who may not steer */
    struct timer timer; /* set until then, if it is asked for */
    bool again;         /* one more is asked for ... */
    bool hurry;         /* ... by somebody who may steer */
    bool ended;         /* for good */
    struct shared_text *last;
};

/* Nothing to do yet; `host` is borrowed. */
void preview_init(struct preview *p, const struct ops_host *host);

/* Answer the request, when the files have been read for it. NULL without memory. */
struct answer *preview_ask(struct preview *p, struct request *rq);

/* Refuse all who wait, and who will ask. Twice is allowed. */
void preview_end(struct preview *p);

#endif
