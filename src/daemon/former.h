/* SPDX-License-Identifier: BSD-2-Clause */
/* The former process, as seen by the one that comes after it: what it has left, and what of that
 * can be gone on with. */
#ifndef PENSTOCK_DAEMON_FORMER_H
#define PENSTOCK_DAEMON_FORMER_H

#include <stdint.h>

#include "daemon/handover.h"
#include "daemon/passed.h"
#include "daemon/ruleset.h"

/* Zeroed, there was none. */
struct former {
    struct inheritance in;
    void (*forget)(struct inheritance *in); /* of the carrier; NULL: nothing was left */
    const char *problem;                    /* something was, and it is of no use */
    uint64_t inherited;                     /* descriptors that are open and not in `passed` */
};

/* Look what has come, by an upgrade in place or through the service manager's store. */
void former_find(struct former *f, struct passed *passed);

/* The config that was at work, with one reference: for one that has none of its own. NULL: there is
 * none, or it is not understood. */
struct conf *former_conf(const struct former *f);

/* What was at work goes on in *set, which must be empty; both outcomes are logged. It stays empty
 * when there was nothing to go on with; listening sockets are in *passed then. */
void former_take_over(struct former *f, struct ruleset *set, struct passed *passed);

/* It has not come to that: reset the connections. */
void former_drop(struct former *f);

#endif
