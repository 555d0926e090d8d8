/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the config anew while everything goes on. The files are read and checked off the loop;
 * what has changed is applied in it. A config with errors changes nothing.
 */
#ifndef PENSTOCK_DAEMON_RELOAD_H
#define PENSTOCK_DAEMON_RELOAD_H

#include <stdbool.h>

#include "daemon/ruleset.h"
#include "daemon/status.h"
#include "loop/task.h"

/* Told when the rules have changed. */
typedef void reload_applied_fn(void *arg);

struct reload {
    struct ruleset *set;
    struct status *status;
    struct task *task; /* reading, or NULL */
    bool again;        /* asked for once more meanwhile */
    reload_applied_fn *applied;
    void *applied_arg;
};

/* Nothing to do yet; all is borrowed. */
void reload_init(struct reload *r, struct ruleset *set, struct status *status,
                 reload_applied_fn *applied, void *arg);

/* Do it, soon. However often this is called meanwhile, it is done once more after that. */
void reload_request(struct reload *r);

/* Is one under way? */
bool reload_is_busy(const struct reload *r);

/* Give up what is under way, without waiting for it: it may never end. */
void reload_cancel(struct reload *r);

/* Log what is wrong with a config, each error on a line of its own. */
void reload_log_errors(struct log *log, const struct conf_errors *errors);

#endif
