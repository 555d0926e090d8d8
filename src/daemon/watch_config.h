/* SPDX-License-Identifier: BSD-2-Clause */
/* Reloading by itself when a config file is saved (watch_config). */
#ifndef PENSTOCK_DAEMON_WATCH_CONFIG_H
#define PENSTOCK_DAEMON_WATCH_CONFIG_H

#include "daemon/reload.h"
#include "loop/loop.h"

struct watch_config {
    const struct ruleset *set;
    struct reload *reload;
    struct watch watch;
    struct timer timer; /* set while more may be saved: then all of it is read at once */
    int64_t latest;     /* but not after this (loop_now()); 0 when the timer is not set */
    int main;           /* number of the main file's directory (os/watchdir.h) */
};

void watch_config_init(struct watch_config *wc, const struct ruleset *set, struct reload *reload);

/* Begin or end to watch, as the config at work says. */
void watch_config_apply(struct watch_config *wc);

void watch_config_stop(struct watch_config *wc);

#endif
