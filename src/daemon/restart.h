/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGTERM from a service manager: is it the end, or is the next process about to be started? Then
 * the sessions go into the manager's store and on in that one.
 */
#ifndef PENSTOCK_DAEMON_RESTART_H
#define PENSTOCK_DAEMON_RESTART_H

#include <stdbool.h>

#include "daemon/ruleset.h"
#include "daemon/store.h"
#include "loop/task.h"
#include "os/systemd.h"

/* Told once; `handed_over`: all is in the store, and what we have is to be abandoned. */
typedef void restart_decided_fn(void *arg, bool handed_over);

struct restart {
    struct ruleset *set;
    struct store *store;
    struct task *task;     /* asking, or NULL ... */
    struct answer *answer; /* ... and what it will say */
    restart_decided_fn *decided;
    void *arg;
};

void restart_init(struct restart *r, struct ruleset *set, struct store *store,
                  restart_decided_fn *decided, void *arg);

/* Find out, and act. Without a manager decided() is called at once. */
void restart_request(struct restart *r);

/* Give up what is under way; decided() is not called any more. */
void restart_cancel(struct restart *r);

#endif
