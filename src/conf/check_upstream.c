/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a rule's clients go: one address, or the targets of datagrams that go to many. */
#include "config.h"

#include <stdlib.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

#define TARGETS_MAX 256 /* of a rule: every datagram is sent to each */

/* One upstream address as it was written. */
struct entry {
    const struct conf_node *address; /* its text */
    const struct conf_node *group;   /* with its options, or NULL */
    struct addr_spec spec;
    struct conf_target target;
};

/* What every upstream must be. */
static const char *check_address(const struct addr_spec *spec)
{
    if (spec->kind == ADDR_SYSTEMD)
        return "a socket passed by systemd is for listen, allowed: an address or unix:/path";
    if (spec->kind == ADDR_ANY)
        return "* is for listen, allowed: an address, a host name or unix:/path";
    if (spec->scheme == ADDR_SCHEME_TCP && spec->kind == ADDR_LITERAL &&
        (addr_is_group(&spec->literal) || addr_is_broadcast(&spec->literal)))
        return "TCP has one host at the other end, allowed for groups and broadcasts: udp:";
    return NULL;
}

/* How a datagram gets there. */
static const char *check_way(const struct entry *e)
{
    const struct conf_target *t = &e->target;
    bool group = addr_is_group(&t->address);

    if (e->spec.kind != ADDR_LITERAL)
        return t->interface != NULL || t->broadcast
                   ? "interface and broadcast are for IP addresses, allowed: such as 192.0.2.7:53"
                   : NULL;
    if ((group || t->interface != NULL) && t->address.scope != 0)
        return "an interface has a name here, allowed: interface = \"eth1\" in place of the zone "
               "after %";
    if (listen_is_link_local_group(&t->address) && t->interface == NULL)
        return "this group is another one on each network, needed: { address = \"...\"; interface "
               "= \"eth1\"; }";
    if (t->broadcast && group)
        return "a group is no broadcast address, allowed: one of them";
    if (t->broadcast && t->address.family == AF_INET6)
        return "IPv6 has no broadcasts, allowed: an IPv4 address, or a group such as [ff02::1]:53";
    return NULL;
}

/* What a list asks of each of its addresses. */
static const char *check_in_list(const struct entry *first, const struct entry *e)
{
    if (e->spec.kind != ADDR_LITERAL)
        return "a list has IP addresses alone, allowed: such as 192.0.2.7:53";
    if (e->spec.scheme == ADDR_SCHEME_TCP)
        return "a list is for UDP alone, where every datagram goes to each, allowed: one address";
    if (e->spec.port_first != e->spec.port_last)
        return "an address in a list has one port";
    if (e->spec.literal.family != first->spec.literal.family &&
        first->spec.literal.family != AF_UNSPEC)
        return "the first of the list is of the other family, allowed: all of IPv4, or all of IPv6";
    return NULL;
}

static bool report(struct checking *c, const struct conf_rule *rule,
                   const struct conf_node *address, const char *error)
{
    if (error != NULL)
        conf_errors_add(c->errors, address->at, "rule \"%s\": upstream \"%s\": %s", rule->name,
                        address->text, error);
    return error == NULL;
}

/* False when it is wrong, which has been reported. */
static bool read_entry(struct checking *c, const struct conf_rule *rule,
                       const struct conf_node *node, struct entry *e)
{
    static const char *const more[] = {"address", NULL};
    const char *owner, *error;

    *e = (struct entry){.address = checking_address(c, rule, node, "upstream"),
                        .group = node->type == NODE_GROUP ? node : NULL};
    e->target = (struct conf_target){.at = e->address != NULL ? e->address->at : node->at,
                                     .ttl = rule->options.ttl,
                                     .source_port = rule->options.source_port};
    if (e->group != NULL) {
        owner = arena_printf(c->arena, "rule \"%s\": upstream", rule->name);
        if (owner == NULL)
            c->no_memory = true;
        else
            checking_options(c, e->group, owner, IN_TARGET, &e->target, more);
    }
    if (e->address == NULL || c->no_memory)
        return false;
    error = addr_spec_parse_for(ADDR_OF_UPSTREAM, e->address->text, &e->spec);
    e->target.address = e->spec.literal;
    if (error == NULL)
        error = check_address(&e->spec);
    if (error == NULL)
        error = check_way(e);
    if (addr_is_broadcast(&e->target.address))
        e->target.broadcast = true;
    return report(c, rule, e->address, error);
}

/* --- one address ----------------------------------------------------------------------------- */

/* Must each datagram be told where to go, and through what? */
static bool is_target(const struct entry *e)
{
    return e->target.interface != NULL || e->target.broadcast || addr_is_group(&e->target.address);
}

static void set_upstream(struct checking *c, struct conf_rule *rule, const struct entry *e)
{
    const char *name;

    rule->upstream_kind = e->spec.kind;
    rule->upstream_text = e->address->text;
    rule->upstream = e->spec.literal;
    rule->upstream_protocol = e->spec.scheme == ADDR_SCHEME_NONE  ? PROTOCOL_EITHER
                              : e->spec.scheme == ADDR_SCHEME_UDP ? PROTOCOL_DATAGRAM
                                                                  : PROTOCOL_STREAM;
    if (e->spec.kind == ADDR_LITERAL)
        return;
    name = arena_strdup(c->arena, e->spec.name);
    if (name == NULL) {
        c->no_memory = true;
    } else if (e->spec.kind == ADDR_NAME) {
        rule->upstream_name = name;
    } else {
        rule->upstream.family = AF_UNIX;
        rule->upstream.un.path = name;
    }
}

/* --- targets --------------------------------------------------------------------------------- */

/* A session has one socket, and that has one port. */
static void check_source_ports(struct checking *c, const struct conf_rule *rule,
                               const struct conf_target *targets, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (targets[i].source_port == targets[0].source_port)
            continue;
        conf_errors_add(c->errors, targets[i].at,
                        "rule \"%s\": upstream: source_port differs from that of the first of the "
                        "list, allowed: the same for all, as all are sent to from one socket",
                        rule->name);
        return;
    }
}

static bool is_to_many(const struct conf_target *t)
{
    return t->broadcast || addr_is_group(&t->address);
}

/* Options that say nothing of this target are as if they had never been set. */
static void clear_options(struct checking *c, const struct conf_rule *rule, const struct entry *e,
                          struct conf_target *t, bool any_to_many)
{
    const struct conf_node *ttl = e->group != NULL ? checking_member(e->group, "ttl") : NULL;
    const struct conf_node *port =
        e->group != NULL ? checking_member(e->group, "source_port") : NULL;

    if (!addr_is_group(&t->address)) {
        if (ttl != NULL)
            conf_errors_warn(c->errors, ttl->at,
                             "rule \"%s\": ttl has no effect, this address is no group",
                             rule->name);
        option_reset(option_find("ttl"), IN_TARGET, t);
    }
    if (!any_to_many) {
        if (port != NULL)
            conf_errors_warn(
                c->errors, port->at,
                "rule \"%s\": source_port has no effect, the upstream is no group and no broadcast "
                "address",
                rule->name);
        option_reset(option_find("source_port"), IN_TARGET, t);
    }
}

/* "239.1.2.3:5000%eth1,eth2", "10.0.0.1:53 and 2 more". */
static const char *targets_text(struct checking *c, const struct entry *first, size_t count)
{
    const char *text = first->address->text, *interface = first->target.interface;
    const char *through = interface != NULL ? interface : "";
    const char *mark = interface != NULL ? "%" : "";

    if (count == 1)
        return arena_printf(c->arena, "%s%s%s", text, mark, through);
    return arena_printf(c->arena, "%s%s%s and %zu more", text, mark, through, count - 1);
}

static void set_targets(struct checking *c, struct conf_rule *rule, const struct entry *entries,
                        size_t count)
{
    struct conf_target *targets = arena_array(c->arena, count, sizeof(*targets));
    const char *text = targets_text(c, &entries[0], count);
    bool any_to_many = false;

    if (targets == NULL || text == NULL) {
        c->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        any_to_many = any_to_many || is_to_many(&entries[i].target);
    for (size_t i = 0; i < count; i++) {
        targets[i] = entries[i].target;
        clear_options(c, rule, &entries[i], &targets[i], any_to_many);
        if (entries[i].spec.port_first != entries[i].spec.port_last)
            targets[i].address.port = 0;
        if (!listen_names(&targets[i].interfaces, targets[i].interface, c->arena))
            c->no_memory = true;
    }
    check_source_ports(c, rule, targets, count);
    set_upstream(c, rule, &entries[0]);
    rule->upstream_text = text;
    rule->upstream_protocol = PROTOCOL_DATAGRAM;
    rule->targets = targets;
    rule->target_count = count;
}

static void check_twice(struct checking *c, const struct conf_rule *rule,
                        const struct entry *entries, size_t count)
{
    const struct entry *last = &entries[count - 1];

    for (size_t i = 0; i + 1 < count; i++) {
        const struct conf_target *a = &entries[i].target, *b = &last->target;

        if (!addr_equal(&a->address, &b->address) ||
            !option_equal(option_find("interface"), IN_TARGET, a, b))
            continue;
        report(c, rule, last->address, "this address stands in the list twice");
        return;
    }
}

/* Every one is judged, also behind a wrong one. */
static bool read_entries(struct checking *c, const struct conf_rule *rule,
                         const struct conf_node *node, struct entry *entries, size_t count)
{
    bool valid = true;

    for (size_t i = 0; i < count && !c->no_memory; i++, node = node->next) {
        bool right = read_entry(c, rule, node, &entries[i]);

        if (right && count > 1)
            right = report(c, rule, entries[i].address, check_in_list(&entries[0], &entries[i]));
        if (right && count > 1)
            check_twice(c, rule, entries, i + 1);
        valid = valid && right;
    }
    return valid && !c->no_memory;
}

/* With targets or without. */
static void set_all(struct checking *c, struct conf_rule *rule, struct entry *entries, size_t count,
                    struct upstream_ports *ports)
{
    ports->first = entries[0].spec.port_first;
    ports->last = entries[0].spec.port_last;
    if (count > 1 || is_target(&entries[0])) {
        set_targets(c, rule, entries, count);
        return;
    }
    clear_options(c, rule, &entries[0], &entries[0].target, false);
    set_upstream(c, rule, &entries[0]);
}

void checking_upstream(struct checking *c, struct conf_rule *rule, const struct conf_node *node,
                       struct upstream_ports *ports)
{
    bool is_list = node->type == NODE_LIST;
    const struct conf_node *first = is_list ? node->first : node;
    struct entry *entries;
    size_t count = is_list ? 0 : 1;

    for (const struct conf_node *m = first; is_list && m != NULL; m = m->next)
        count++;
    if (count == 0 || count > TARGETS_MAX) {
        conf_errors_add(c->errors, node->at,
                        "rule \"%s\": upstream is a list of %zu addresses, allowed: 1 to %d",
                        rule->name, count, TARGETS_MAX);
        return;
    }
    entries = calloc(count, sizeof(*entries));
    if (entries == NULL)
        c->no_memory = true;
    else if (read_entries(c, rule, first, entries, count))
        set_all(c, rule, entries, count, ports);
    free(entries);
}
