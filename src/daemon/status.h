/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told while we run: STATUS= with live counts, and the watchdog's
 * pulse. A manager that does not read is never waited for. */
#ifndef PENSTOCK_DAEMON_STATUS_H
#define PENSTOCK_DAEMON_STATUS_H

#include "daemon/ruleset.h"
#include "loop/loop.h"

struct status {
    const struct ruleset *set;
    struct timer timer; /* set while there is something to tell */
    char owed[64];      /* the assignments that the manager has not taken yet, or "" */
    char problem[256];  /* what an administrator should know, or "" */
    struct timer pulse;
    int64_t pulse_ms;
};

/* Begin to beat for the watchdog, if the manager asks for it: from the loop, so that a loop that is
 * stuck is noticed (sd_watchdog_enabled(3)). `st` is zeroed but for what the caller has set. */
void status_start(struct status *st, const struct ruleset *set);
void status_stop(struct status *st);

/* Tell READY=1 and the first status, again until it is taken or status_stopping() is called. */
void status_ready(struct status *st);

/* Tell RELOADING=1 (sd_notify(3)); and when that is over READY=1, with a problem that the status
 * shows until the next reload, or NULL. */
void status_reloading(struct status *st);
void status_reloaded(struct status *st, const char *problem);

/* Tell STOPPING=1, again until it is taken or status_stop() is called. */
void status_stopping(struct status *st);

/* The counts have changed: tell within a second, and at most once in one. A manager that does not
 * read then is told with the next change. */
void status_changed(struct status *st);

#endif
