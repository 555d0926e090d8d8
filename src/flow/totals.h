/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule's counters with what its live sessions have carried so far, at one moment. */
#ifndef PENSTOCK_FLOW_TOTALS_H
#define PENSTOCK_FLOW_TOTALS_H

#include <stddef.h>
#include <stdint.h>

struct rule;
struct worker;

/* As in struct account (account.h): they only grow. And its live sessions. */
struct totals {
    unsigned live;
    uint64_t opened;
    uint64_t bytes_in, bytes_out;
    uint64_t datagrams_in, datagrams_out, dropped;
};

/* Those of one rule. It walks over the worker's sessions, unless the rule has none. */
void totals_of_rule(const struct rule *rule, struct totals *out);

/*
 * Those of all rules of the worker with one walk over its sessions: an array in the order of
 * w->rules, to be freed, and *count. Each rule has its place in there as its `number` then, until
 * the next call of this or a handover. NULL without memory.
 */
struct totals *totals_of_rules(struct worker *w, size_t *count);

#endif
