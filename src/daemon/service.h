/* SPDX-License-Identifier: BSD-2-Clause */
/* The service: owns everything that runs, and wires it together. */
#ifndef PENSTOCK_DAEMON_SERVICE_H
#define PENSTOCK_DAEMON_SERVICE_H

#include "conf/conf.h"

/* Run `conf`, whose reference is taken over, until a signal ends it; `argv` is the process's,
 * `exit_idle_ms` overrides exit_idle_time unless it is -1. A `conf` of NULL:
 * the config has errors, which have been told; then only what a former process has handed over is
 * gone on with, if anything. Returns the exit status of the process; why it is not 0 has been
 * logged. */
int service_run(struct conf *conf, char **argv, int64_t exit_idle_ms);

#endif
