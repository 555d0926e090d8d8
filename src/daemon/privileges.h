/* SPDX-License-Identifier: BSD-2-Clause */
/* The user and group that the config says. */
#ifndef PENSTOCK_DAEMON_PRIVILEGES_H
#define PENSTOCK_DAEMON_PRIVILEGES_H

#include <stdbool.h>

#include "conf/conf.h"
#include "os/log.h"

/* Are there such? Asked before anything is touched that a former process has left: the next start
 * may do better. Who isn't root becomes nobody else, and may go on without. */
bool privileges_can_be_dropped(struct log *log, const struct conf *conf);

/* Become that. With `goes_on`, who isn't root any more goes on as who it is. False: the process
 * must not go on. Why it can't be is logged. */
bool privileges_drop(struct log *log, const struct conf *conf, bool goes_on);

#endif
