/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who looks on: told of what becomes of clients as it happens. A worker has one observer or none;
 * to be looked at costs a session nothing but a call at its begin and one at its end.
 */
#ifndef PENSTOCK_FLOW_OBSERVE_H
#define PENSTOCK_FLOW_OBSERVE_H

#include "flow/account.h"
#include "os/addr.h"

struct rule;
struct session;

/* None of them may end a session or change a rule. */
struct observer {
    /* It is in the worker's list from here on; not yet connected to an upstream. */
    void (*opened)(void *arg, const struct session *s);
    /* Its last moment. `error` says more than `end`, or is NULL. */
    void (*ended)(void *arg, const struct session *s, enum end end, const char *error);
    /* A client that never became a session; also one that the log is silent about. */
    void (*refused)(void *arg, const struct rule *rule, const struct addr *client, enum end end,
                    const char *error);
    void *arg;
};

#endif
