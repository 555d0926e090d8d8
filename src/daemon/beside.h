/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address that overlaps with another which is about to go ("*:80" becomes "192.0.2.1:80"): the
 * new socket is bound beside the old one, so that nobody is refused in between.
 */
#ifndef PENSTOCK_DAEMON_BESIDE_H
#define PENSTOCK_DAEMON_BESIDE_H

#include "conf/diff.h"
#include "daemon/ruleset.h"
#include "flow/listener.h"

/* The listener at work that overlaps with `conf`, if any. */
struct listener *beside_whom(const struct ruleset *set, const struct conf_listen *conf);

/* Open `l` beside those at work that it overlaps with. Returns 0 or a negative errno: -EADDRINUSE
 * when one of them is not to go. */
int beside_open(const struct ruleset *set, const struct conf_diff *diff, struct listener *l,
                const char **why);

#endif
