/* SPDX-License-Identifier: BSD-2-Clause */
/* What the API says of a rule and of a session (penstock-api(7)). Each returns a new object, or
 * NULL without memory. */
#ifndef PENSTOCK_OPS_JSON_H
#define PENSTOCK_OPS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "flow/account.h"

struct listener;
struct rule;
struct session;
struct totals;

/* A rule in parts, for it can have ten thousands of listeners: what comes before "listeners", one
 * of these, and what comes behind. `totals` are the rule's (totals.h). */
json_t *json_rule_head(const struct rule *rule);
json_t *json_listener(const struct listener *l);
json_t *json_rule_rest(const struct rule *rule, const struct totals *totals);

/* "listening", "waiting", "no-interface" (udp_net_is_deaf()), "paused", "resting" or "closed". */
const char *json_listener_state(const struct listener *l);

/* `now` is loop time, `wall` the same moment since the epoch; both in milliseconds. */
json_t *json_session(const struct session *s, int64_t now, int64_t wall);

#endif
