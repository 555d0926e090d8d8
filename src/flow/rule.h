/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule at work: its part of the config, its listeners, its live count and counters. Sessions keep
 * a reference, so that a rule that was taken out of the config lives until the last of them has
 * ended.
 */
#ifndef PENSTOCK_FLOW_RULE_H
#define PENSTOCK_FLOW_RULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "flow/account.h"
#include "flow/worker.h"
#include "os/sock.h"

struct rule {
    struct list link;             /* in the worker's list, as long as it lives */
    const struct conf_rule *conf; /* the current one; its snapshot is referenced */
    struct worker *worker;
    bool running; /* in the config at work; else it lives for its last sessions */
    unsigned refs;
    atomic_uint live;    /* sessions over all its addresses */
    unsigned number;     /* for whoever numbers them all to find them again */
    struct list waiting; /* listeners that rest until a place is free (on_limit = "wait") */
    struct account account;
    struct refusals refusals;
    struct list listeners; /* owned */
    unsigned turn;         /* which of its upstream's addresses the next UDP session tries first */
    struct list lines[2];  /* of its UDP sessions, by enum udp_line: silent longest first */
};

/* A rule without listeners, running, one reference; NULL without memory. */
struct rule *rule_new(struct worker *worker, const struct conf_rule *conf);

struct rule *rule_ref(struct rule *rule);

/* With the last reference its listeners are closed, and it is freed with them. */
void rule_unref(struct rule *rule);

/* Go on under `conf`; sessions keep what they began with. */
void rule_change(struct rule *rule, const struct conf_rule *conf);

/* TCP keepalive as the options say, for both sides of a session. */
struct sock_keepalive rule_keepalive(const struct conf_options *o);

/* Close every listener: no new client from here on. Sessions go on. */
void rule_close(struct rule *rule);

#endif
