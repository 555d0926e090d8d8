/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ending when nobody needs us (exit_idle_time): the service manager listens on, and starts us again
 * for the next client. So it happens only while every listener is one of the manager's, and no rule
 * is paused.
 */
#ifndef PENSTOCK_DAEMON_IDLE_H
#define PENSTOCK_DAEMON_IDLE_H

#include <stdint.h>

#include "daemon/ruleset.h"
#include "loop/loop.h"

/* Told once that it is time to end. */
typedef void idle_fn(void *arg);

struct idle {
    const struct ruleset *set;
    int64_t override_ms; /* of the command line, in place of the config's; -1: none */
    struct timer timer;  /* set while nobody is there */
    idle_fn *fn;
    void *arg;
};

void idle_init(struct idle *idle, const struct ruleset *set, int64_t override_ms, idle_fn *fn,
               void *arg);

/* Sessions have begun or ended, or the rules have changed. */
void idle_changed(struct idle *idle);

void idle_stop(struct idle *idle);

#endif
