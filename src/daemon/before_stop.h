/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that is told to stop can't see whether it is to be started again, and its manager does
 * not tell one of DynamicUser=. So the unit runs a little messenger before (ExecStop=+), as root:
 * it asks, and announces a restart to the service by SIGUSR1. The SIGTERM that follows then means
 * to hand over.
 */
#ifndef PENSTOCK_DAEMON_BEFORE_STOP_H
#define PENSTOCK_DAEMON_BEFORE_STOP_H

#include <signal.h>

/* "I ask you for what you have: you are being restarted." */
#define BEFORE_STOP_SIGNAL SIGUSR1

/* Be the messenger, for the process $MAINPID. Returns the exit status; 0 also when there is nothing
 * to announce. */
int before_stop(void);

#endif
