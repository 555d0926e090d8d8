/* SPDX-License-Identifier: BSD-2-Clause */
/* The service: owns everything that runs, and wires it together. */
#ifndef PENSTOCK_DAEMON_SERVICE_H
#define PENSTOCK_DAEMON_SERVICE_H

#include "conf/conf.h"

/* Run `conf` until a signal ends it. Returns the exit status of the process; why it is not 0 has
 * been logged. */
int service_run(struct conf *conf);

#endif
