/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that would end us wait while something must not be left half done. */
#ifndef PENSTOCK_CTL_SIGNALS_H
#define PENSTOCK_CTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* SIGHUP, SIGINT, SIGQUIT, SIGTERM and SIGPIPE wait from here on. SIGXFSZ is ignored for good:
 * write(2) fails. */
void signals_hold(sigset_t *before);

/* Does one wait by which somebody wants us to end (all but SIGPIPE, and but what is ignored)? */
bool signals_wait(void);

/* One that waits ends us here. */
void signals_release(const sigset_t *before);

#endif
