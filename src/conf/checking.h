/* SPDX-License-Identifier: BSD-2-Clause */
/* A check under way: what check*.c share. */
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

/* The upstream's ports; both 0 when it has none, or when it is wrong, which has been reported. */
struct upstream_ports {
    unsigned first, last;
};

/* Options that say by which way datagrams come. */
enum option_of_way { WAY_INTERFACE, WAY_SOURCE, WAY_BROADCAST, OPTIONS_OF_WAY };

struct checking {
    struct arena *arena;
    struct conf_errors *errors;
    struct conf *conf;
    struct conf_options defaults;    /* of every rule */
    struct table *names;             /* a rule's name: its struct conf_node */
    struct table *listens;           /* a listen's text: its struct conf_listen */
    struct table *ports;             /* who has which port: the first struct conf_listen */
    size_t listen_count;             /* of all rules */
    struct checking_listen *pending; /* those of the rule being checked */
    size_t pending_count, pending_room;
    bool fits[OPTIONS_OF_WAY]; /* one of them has a use for the rule's option of that number */
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

/* The text of an address that is that or a group with one; NULL when there is none, which has been
 * reported. `what` is "listen" or "upstream". */
const struct conf_node *checking_address(struct checking *c, const struct conf_rule *rule,
                                         const struct conf_node *node, const char *what);

/* Set the rule's upstream. */
void checking_upstream(struct checking *c, struct conf_rule *rule, const struct conf_node *node,
                       struct upstream_ports *ports);

/*
 * Is what `model` says by which way datagrams come to the address (`text`, parsed to `spec`) right?
 * `group` has options of its own, or is NULL. Takes apart what is several, and clears what the rule
 * says for other addresses. False when it is wrong, which has been reported.
 */
bool checking_way(struct checking *c, struct conf_listen *model, const struct conf_node *text,
                  const struct addr_spec *spec, const struct conf_node *group);

/* Once all addresses are known: what the rule says of the way, in its own group, is for one of
 * them at least (`valid`: none of them was wrong). Then it is cleared: each address has it. */
void checking_way_of_rule(struct checking *c, struct conf_rule *rule, const struct conf_node *group,
                          bool valid);

/* Options of the rule that have no effect are warned of when they stand in its own group, and are
 * as if they had never been set. */
void checking_effects(struct checking *c, struct conf_rule *rule, const struct conf_node *group);

/* Set the rule's addresses and upstream from its group. */
void checking_addresses(struct checking *c, struct conf_rule *rule, const struct conf_node *group);

/* Which listener there is where `l` would be bound, or NULL. */
const struct conf_listen *checking_taken_by(const struct checking *c, const struct conf_listen *l);

/* Once all rules have been checked: the daemon's own sockets. */
void checking_control(struct checking *c);

/* Is none of the rule's addresses taken? */
void checking_conflicts(struct checking *c, struct conf_rule *rule);

/* The (first) listener of that address, as listen_address() writes it, whatever the interfaces; or
 * NULL. */
const struct conf_listen *checking_bound_to(const struct checking *c, const char *address);

/* Once all rules have been checked: warn of those that would be clients of themselves. */
void checking_loops(struct checking *c);

/* ... and of those that hear what they sent to many, also through others. */
void checking_feeds(struct checking *c);

/* The listener that takes what is sent to that address, or NULL. */
const struct conf_listen *checking_listener_at(const struct checking *c,
                                               enum conf_protocol protocol, const struct addr *a);

/* The listener behind the upstream of this one, which is no target, or NULL. */
const struct conf_listen *checking_next(const struct checking *c, const struct conf_listen *l);

#endif
