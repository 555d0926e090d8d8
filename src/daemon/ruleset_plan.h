/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A config becomes the one at work in two steps. Planning, which is this, allocates and opens
 * whatever the new rules need, and may fail for one rule or for all. Carrying it out can't fail
 * (ruleset_apply.c).
 */
#ifndef PENSTOCK_DAEMON_RULESET_PLAN_H
#define PENSTOCK_DAEMON_RULESET_PLAN_H

#include "conf/diff.h"
#include "daemon/beside.h"
#include "daemon/ruleset.h"

/* What is to become of one rule of the new config. */
struct plan {
    const struct diff_rule *diff;
    struct rule *rule;          /* the one of that name, if it is alive; else a new one */
    bool is_new;                /* nothing refers to it but the plan */
    bool failed;                /* the rule stays as it was, or is left out */
    struct list failed_link;    /* in ruleset_plan.failed */
    struct list opened;         /* listeners for its new addresses */
    struct list has_neighbours; /* who counts on its listeners at work to close: ruleset_plan.c */
};

struct ruleset_plan {
    struct ruleset *set;
    struct conf *conf;
    struct passed *passed;
    struct conf_diff diff;
    struct plan *plans; /* one each for conf->rules */
    size_t plan_count;
    struct rule **rules;          /* room for the new set->rules */
    const struct conf_rule **old; /* the rules at work, their snapshots referenced */
    size_t old_count;
    struct table *alive;     /* rules by name, also those that live for their sessions only */
    struct table *by_name;   /* plans */
    struct table *listening; /* listeners at work by their text: one may have been lost */
    struct beside beside;
    struct list failed; /* plans of which others have not been told yet */
};

/*
 * Plan to make `conf` the one at work; all is borrowed. Returns 0, with each rule that can't change
 * logged, or -ENOMEM: nothing has changed. Either way ruleset_plan_free() undoes what has not been
 * carried out.
 */
int ruleset_plan_make(struct ruleset_plan *rp, struct ruleset *set, struct conf *conf,
                      struct passed *passed);
void ruleset_plan_free(struct ruleset_plan *rp);

#endif
