/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions that have only so long left, because their rule was removed, or its upstream has changed
 * (on_change), or their operator wants it so (rule_drain()). One timer of the worker serves them
 * all.
 */
#ifndef PENSTOCK_FLOW_DRAIN_H
#define PENSTOCK_FLOW_DRAIN_H

#include <stdint.h>

struct rule;
struct session;
struct worker;

/* Give it `ms` to end by itself, or less if that is what it has already; then it is ended
 * (END_DRAINED). 0: it is ended now (END_KILLED). Returns 0 or -ENOMEM, and then it goes on. */
int drain_session(struct session *s, int64_t ms);

/* Give all of the rule's sessions at most `ms` to end by themselves; with 0 they end as soon as the
 * loop goes on. Returns 0 or -ENOMEM, and then they go on. */
int drain_rule(struct rule *rule, int64_t ms);

/* Take that back: they have the time that they had before. */
void drain_rule_not(struct rule *rule);

/* The loop time at which it is ended for either reason; 0: it isn't. */
int64_t drain_due(const struct session *s);

/* End the sessions of datagrams (END_SHUTDOWN): they never do so before their time, and nobody
 * waits for that. */
void drain_datagrams(struct worker *w);

/* What an on_change of the config means in milliseconds, or -1 when sessions are kept. */
int64_t drain_time(int64_t on_change, int64_t drain_timeout);

#endif
