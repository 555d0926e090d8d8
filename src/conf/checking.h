/* SPDX-License-Identifier: BSD-2-Clause */
/* A check under way: what check.c and check_listen.c share. */
#ifndef PENSTOCK_CONF_CHECKING_H
#define PENSTOCK_CONF_CHECKING_H

#include "base/arena.h"
#include "base/table.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/node.h"
#include "conf/options.h"

/* One address to listen on, and the value of the config that it comes from. */
struct checking_listen {
    struct conf_listen listen;
    const struct conf_node *source;
};

struct checking {
    struct arena *arena;
    struct conf_errors *errors;
    struct conf *conf;
    struct conf_options defaults; /* of every rule */
    struct table *names;          /* a rule's name: its struct conf_node */
    struct table *listens;        /* a listen's text: its struct conf_listen */
    struct table *ports;          /* "4 80": the first struct conf_listen on that family's port */
    size_t listen_count;          /* of all rules */
    struct checking_listen *pending; /* those of the rule being checked */
    size_t pending_count, pending_room;
    bool no_memory;
};

/* The member of that name, or NULL. */
const struct conf_node *checking_member(const struct conf_node *group, const char *name);

/*
 * Set `base`, the struct of `where`, from the options in `group`. `more` names its members that are
 * no options (NULL ends them); `owner` says whose they are, for messages ("rule \"ssh\"").
 */
void checking_options(struct checking *c, const struct conf_node *group, const char *owner,
                      enum option_where where, void *base, const char *const *more);

/* Set the rule's addresses and upstream from its group. */
void checking_addresses(struct checking *c, struct conf_rule *rule, const struct conf_node *group);

/* Is none of the rule's addresses taken? */
void checking_conflicts(struct checking *c, struct conf_rule *rule);

/* Once all rules have been checked: warn of those that would be clients of themselves. */
void checking_loops(struct checking *c);

#endif
