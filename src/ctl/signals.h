/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that would end us (SIGHUP, SIGINT, SIGTERM) wait while something must not be left half
 * done. */
#ifndef PENSTOCK_CTL_SIGNALS_H
#define PENSTOCK_CTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

void signals_hold(sigset_t *before);

/* Does one wait? */
bool signals_wait(void);

/* One that waits ends us here. */
void signals_release(const sigset_t *before);

#endif
