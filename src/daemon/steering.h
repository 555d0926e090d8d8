/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operators' side (ops.h) is given of the daemon: the config at work, and reloads. */
#ifndef PENSTOCK_DAEMON_STEERING_H
#define PENSTOCK_DAEMON_STEERING_H

#include <stdbool.h>

#include "daemon/passed.h"
#include "daemon/reload.h"
#include "daemon/ruleset.h"
#include "ops/ops.h"

struct steering {
    struct ops *ops;           /* NULL: not there */
    struct ops_sockets former; /* of the process before, until it is started */
    struct ruleset *set;
    struct reload *reload;
    char *path; /* of the config, from the root */
    bool stopping;
};

/* Take what a former process has left for the addresses of this config; it had run with `before`
 * (NULL: that is not known). */
void steering_find(struct steering *st, struct passed *passed, const struct conf *conf,
                   const struct conf *before);

/* Open what the config asks for. Returns which parts of the daemon's options are not as it says
 * (daemon_now.h), why is added to the errors; what can be had is there all the same. All is
 * borrowed; `path` is the config's, `reload` may have to be initialised yet. */
unsigned steering_start(struct steering *st, struct ruleset *set, struct reload *reload,
                        const char *path, struct conf_errors *errors);

/* The config at work has changed. Returns which parts of the daemon's options could not
 * (daemon_now.h); why is added to the errors. */
unsigned steering_apply(struct steering *st, struct conf_errors *errors);

/* A reload is over. */
void steering_reloaded(struct steering *st);

/* There will be no reload any more; questions are answered on. */
void steering_end_reloads(struct steering *st);

/* Another process goes on with the sockets. */
void steering_leave(struct steering *st);

void steering_stop(struct steering *st);

#endif
