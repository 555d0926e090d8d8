/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules at work, and how a config becomes them: at start, at a reload, after a handover. */
#ifndef PENSTOCK_DAEMON_RULESET_H
#define PENSTOCK_DAEMON_RULESET_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "daemon/left_ports.h"
#include "daemon/passed.h"
#include "flow/rule.h"
#include "flow/worker.h"

struct ruleset {
    struct worker *worker;
    struct conf *conf; /* at work; referenced. A rule that could not change is of an earlier one */
    struct rule **rules; /* one reference each; in the order of the config */
    size_t count;
    size_t listeners;       /* of them all */
    struct left_ports left; /* by rules that have changed */
    struct conf_errors
        *failures; /* who is told why a rule can't change, besides the log; or NULL */
};

/* What a config has changed, in rules. */
struct ruleset_changes {
    size_t added, removed, changed;
    size_t failed; /* could not change, or be added: each has been logged */
};

/* No rules yet. */
void ruleset_init(struct ruleset *set, struct worker *worker);

/*
 * Make `conf` the one at work. Sockets are taken from the rules at work, then from `passed`, then
 * opened. Every new one is open before an old one closes; what stays is not touched, and accepts as
 * before. A rule of which an address can't be had stays as it was, or is left out if it is new.
 * Sessions of rules that are gone, or go elsewhere now, have it as on_change says.
 *
 * Returns 0, or -ENOMEM when there was not even memory to try; then nothing has changed.
 */
int ruleset_apply(struct ruleset *set, struct conf *conf, struct passed *passed,
                  struct ruleset_changes *changes);

/* Close every listener: no new client from here on. Sessions go on. */
void ruleset_close(struct ruleset *set);

/* Close and let go of the rules; those with sessions live on in them. */
void ruleset_free(struct ruleset *set);

#endif
