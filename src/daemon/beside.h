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

/* The listeners at work by port. Most reloads never ask: it is filled at the first question. */
struct beside {
    const struct ruleset *set;
    struct listener **by_port; /* NULL: not filled; of one protocol and port those on all
                                  addresses first */
    size_t count;
};

/* `set` is borrowed; its listeners must stay as they are until the end. */
void beside_init(struct beside *b, const struct ruleset *set);
void beside_fini(struct beside *b);

/* Open `l` beside those at work that it overlaps with. Returns 0 or a negative errno: -EADDRINUSE
 * when there is none, or one of them is not to go. */
int beside_open(struct beside *b, const struct conf_diff *diff, struct listener *l,
                const char **why);

/* Call fn for each listener at work that overlaps with `conf`, until it returns something else than
 * 0, which is returned then; or -ENOMEM, or 0. */
typedef int beside_fn(struct listener *at_work, void *arg);
int beside_each(struct beside *b, const struct conf_listen *conf, beside_fn *fn, void *arg);

#endif
