/* SPDX-License-Identifier: BSD-2-Clause */
/* Users, groups and network interfaces that a config names. */
#ifndef PENSTOCK_CONF_USERS_H
#define PENSTOCK_CONF_USERS_H

#include "conf/conf.h"
#include "conf/node.h"

/* Warn of each that this machine does not know. No error: they may be made before the start, and
 * an interface that comes later is used from then on. */
void users_check(const struct conf_tree *trees, size_t count, struct conf_errors *errors);

#endif
