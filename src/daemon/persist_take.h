/* SPDX-License-Identifier: BSD-2-Clause */
/* After a crash: the sessions of rules with persist = "crash" (flow/persist.h) go on. */
#ifndef PENSTOCK_DAEMON_PERSIST_TAKE_H
#define PENSTOCK_DAEMON_PERSIST_TAKE_H

#include "daemon/passed.h"
#include "daemon/ruleset.h"

/*
 * Take up the sessions whose sockets are in `passed`, under the rules at work. Those of which bytes
 * were lost, or whose rule is gone, are reset, and logged.
 */
void persist_take(struct ruleset *set, struct passed *passed);

#endif
