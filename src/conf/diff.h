/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a new config changes for the rules at work. Pure. Rules are matched by name, listen
 * addresses by what they bind (the text of struct conf_listen), so that an address keeps its socket
 * when it goes from one rule to another.
 */
#ifndef PENSTOCK_CONF_DIFF_H
#define PENSTOCK_CONF_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/* One rule, of which at least one of `old` and `new` is there: no `old` is an added rule, no `new`
 * a removed one. */
struct diff_rule {
    const struct conf_rule *old;
    const struct conf_rule *new;
    bool options_changed;  /* any option of the rule or of an address that stays */
    bool upstream_changed; /* where its clients go, or go from an address that stays; of single
                              addresses diff_upstream_changed() tells */
    size_t kept;           /* addresses that it had and has */
    size_t opened;         /* ... that no rule had before */
    size_t closed;         /* ... that it had, and no rule has now */
    size_t moved_in;       /* ... that another rule had, and now it has */
    size_t moved_out;      /* ... that it had, and now another rule has */
};

struct conf_diff {
    struct diff_rule *rules; /* those of `new` in their order, then the removed ones in theirs */
    size_t rule_count;
    struct table *old_listens; /* by text: struct conf_listen */
    struct table *new_listens;
};

/*
 * Compare the rules at work, which may come from several snapshots, with those to come; names and
 * addresses are unique within each. Both are borrowed and must outlive *diff. Returns 0 or
 * -ENOMEM; -EEXIST when two of the old rules have one name, or two listens of either one address.
 * After an error there is nothing to free.
 */
int conf_diff(struct conf_diff *diff, const struct conf_rule *const *old, size_t old_count,
              const struct conf_rule *const *new, size_t new_count);
void conf_diff_free(struct conf_diff *diff);

/* Is it as it was: the same options, upstream and addresses? */
bool diff_rule_is_unchanged(const struct diff_rule *rule);

/* Which listen of the old ones has the address of `l`, or NULL; and which of the new ones. */
const struct conf_listen *conf_diff_old(const struct conf_diff *diff, const struct conf_listen *l);
const struct conf_listen *conf_diff_new(const struct conf_diff *diff, const struct conf_listen *l);

/*
 * Do clients who came in by `old` go to another place than those who come in by `new`? Of listens
 * with one address: the upstreams of their rules, and the ports there.
 */
bool diff_upstream_changed(const struct conf_listen *old, const struct conf_listen *new);

#endif
