/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told while we run: STATUS= with live counts, and the watchdog's
 * pulse. A manager that does not read is never waited for. */
#ifndef PENSTOCK_DAEMON_STATUS_H
#define PENSTOCK_DAEMON_STATUS_H

#include <stddef.h>

#include "flow/worker.h"
#include "loop/loop.h"

struct status {
    const struct worker *worker;
    struct timer timer; /* set while there is something to tell */
    const char *owed;   /* the assignment that the manager has not taken yet, or NULL */
    struct timer pulse;
    int64_t pulse_ms;
    size_t rules;
    size_t listeners;
};

/* Begin to beat for the watchdog, if the manager asks for it: from the loop, so that a loop that is
 * stuck is noticed (sd_watchdog_enabled(3)). `st` is zeroed but for what the caller has set. */
void status_start(struct status *st, const struct worker *w, size_t rules, size_t listeners);
void status_stop(struct status *st);

/* Tell READY=1 and the first status, again until it is taken or status_stopping() is called. */
void status_ready(struct status *st);

/* Tell STOPPING=1, again until it is taken or status_stop() is called. */
void status_stopping(struct status *st);

/* The counts have changed: tell within a second, and at most once in one. A manager that does not
 * read then is told with the next change. */
void status_changed(struct status *st);

#endif
