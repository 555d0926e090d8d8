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

/* What its operator wants of it, for as long as it is in the config: a reload and a handover keep
 * it, a crash doesn't. */
enum rule_state {
    RULE_RUNNING,
    RULE_PAUSED,  /* no new client; sessions go on */
    RULE_DRAINING /* the same, and sessions have only so long left */
};

struct rule {
    struct list link;             /* in the worker's list, as long as it lives */
    const struct conf_rule *conf; /* the current one; its snapshot is referenced */
    struct worker *worker;
    bool running; /* in the config at work; else it lives for its last sessions */
    enum rule_state state;
    int64_t drain_at; /* DRAINING: loop time when its sessions are ended at the latest; else 0 */
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

/*
 * Let no new client in. Those that connect wait in the kernel's backlog until the rule is resumed;
 * if it is taken out of the config before, they are reset. Datagrams of clients that have a session
 * go on, those of others are dropped (END_PAUSED). A rule that was draining gives its sessions back
 * the time they had.
 */
void rule_pause(struct rule *rule);

/* The same, and end its sessions (END_DRAINED) after the daemon's drain_timeout. One that drains
 * already goes on with that. Returns 0; or -ENOMEM, and then it is as it was. */
int rule_drain(struct rule *rule);

/* Let clients in again; sessions of a rule that was draining have the time they had before. */
void rule_resume(struct rule *rule);

/* "running", "paused" or "draining"; "removed" when it lives for its last sessions only. */
const char *rule_state_word(const struct rule *rule);

/* Is it out of the config, without a session? Then only who reads of it keeps it, and nobody is to
 * begin to. */
bool rule_has_gone(const struct rule *rule);

/* Close every listener: no new client from here on. Sessions go on. */
void rule_close(struct rule *rule);

#endif
