/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the config anew while everything goes on. The files are read and checked off the loop;
 * what has changed is applied in it. A config with errors changes nothing.
 */
#ifndef PENSTOCK_DAEMON_RELOAD_H
#define PENSTOCK_DAEMON_RELOAD_H

#include <stdbool.h>

#include "conf/daemon_now.h"
#include "daemon/ruleset.h"
#include "daemon/status.h"
#include "loop/task.h"
#include "ops/ops.h"

/* Who is told. Any of them may be NULL. */
struct reload_listener {
    /* The rules have changed. Returns which parts of the daemon's options could not (daemon_now.h);
     * why is added to the errors. */
    unsigned (*applied)(void *arg, struct conf_errors *errors);
    void (*over)(void *arg); /* a reload is over, `last` says how */
    void *arg;
};

struct reload {
    struct ruleset *set;
    struct status *status;
    struct task *task; /* reading, or NULL */
    bool again;        /* asked for once more meanwhile */
    uint64_t begun;    /* how many have */
    struct reload_listener listener;
    struct daemon_now now;  /* the daemon's options at work */
    struct ops_reload last; /* its texts are those below */
    struct conf_errors errors;
    char error[OPS_ERROR_MAX];
};

/* What was not to be had at the start as the config says. */
struct reload_lack {
    unsigned parts; /* of the daemon's options (daemon_now.h) */
    size_t rules;
};

/* Nothing to do yet; all is borrowed. */
void reload_init(struct reload *r, struct ruleset *set, struct status *status,
                 const struct reload_listener *listener, const struct reload_lack *lack);

/* Do it, soon, and return its number: `last` has it once it is over. However often this is called
 * meanwhile, it is done once more after that. */
uint64_t reload_request(struct reload *r);

/* The process began with what a former one had: its own config has errors. */
void reload_note_failed(struct reload *r, const char *error);

/* Is one under way? */
bool reload_is_busy(const struct reload *r);

/* Give up what is under way, without waiting for it: it may never end. To whom waits for it, it is
 * over. */
void reload_cancel(struct reload *r);

/* Free what is kept of the last one. */
void reload_fini(struct reload *r);

/* Log what is wrong with a config, each error on a line of its own. */
void reload_log_errors(struct log *log, const struct conf_errors *errors);

#endif
