/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told while we run: STATUS= with live counts, and the watchdog's
 * pulse. */
#ifndef PENSTOCK_DAEMON_STATUS_H
#define PENSTOCK_DAEMON_STATUS_H

#include <stddef.h>

#include "flow/worker.h"
#include "loop/loop.h"

struct status {
    const struct worker *worker;
    struct timer timer; /* set while a change has not been told yet */
    struct timer pulse;
    int64_t pulse_ms;
    size_t rules;
    size_t listeners;
};

/* Begin to beat for the watchdog, if the manager asks for it: from the loop, so that a loop that is
 * stuck is noticed (sd_watchdog_enabled(3)). `st` is zeroed but for what the caller has set. */
void status_start(struct status *st, const struct worker *w, size_t rules, size_t listeners);
void status_stop(struct status *st);

/* Tell READY=1 and the first status. */
void status_ready(struct status *st);

/* Tell STOPPING=1. */
void status_stopping(struct status *st);

/* The counts have changed: tell within a second, and at most once in one. */
void status_changed(struct status *st);

#endif
