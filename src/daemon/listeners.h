/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the listeners of rules: bound by us, or passed by the service manager under a name. */
#ifndef PENSTOCK_DAEMON_LISTENERS_H
#define PENSTOCK_DAEMON_LISTENERS_H

#include <stddef.h>

#include "flow/rule.h"
#include "os/systemd.h"

/* The sockets that the manager has passed. `fd` is -1 in those that a listener has taken. */
struct passed {
    struct systemd_socket *sockets;
    int count;
};

/* Take them from the environment. Returns 0 or a negative errno. */
int passed_take(struct passed *p);

/* Close those that no rule has taken, each with a warning, and free the rest. */
void passed_free(struct passed *p, struct log *log);

/*
 * Open every listener of `rule`. Returns how many there are, or -1 when one can't be opened; each
 * that can't has been logged as an error with its place in the config.
 */
int listeners_open(struct rule *rule, struct passed *passed);

/* Begin to accept on all of them. Returns 0 or a negative errno. */
int listeners_start(struct rule *rule);

#endif
