/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a rule listens, and which port of the upstream belongs to which address. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

#define LISTENS_MAX 262144 /* of all rules: a range is quickly written, each port is a socket */

const struct conf_node *checking_address(struct checking *c, const struct conf_rule *rule,
                                         const struct conf_node *node, const char *what)
{
    bool is_listen = strcmp(what, "listen") == 0;
    const struct conf_node *address = node;

    if (node->type == NODE_GROUP)
        address = checking_member(node, "address");
    if (address == NULL)
        conf_errors_add(c->errors, node->at,
                        "rule \"%s\": %s: the group has no \"address\", needed: address = "
                        "\"...\";",
                        rule->name, what);
    else if (address->type != NODE_TEXT)
        conf_errors_add(c->errors, address->at,
                        "rule \"%s\": %s must be an address in quotes such as \"%s\", a group { "
                        "address = \"...\"; } or %sa list of these",
                        rule->name, what, is_listen ? "[::]:80" : "192.0.2.7:22",
                        is_listen ? "" : "for UDP ");
    else
        return address;
    return NULL;
}

static bool parse_listen(struct checking *c, const struct conf_rule *rule,
                         const struct conf_node *node, struct addr_spec *spec)
{
    const char *error = addr_spec_parse_for(ADDR_TO_LISTEN, node->text, spec);

    if (error != NULL)
        ;
    else if (spec->kind == ADDR_NAME)
        error = "a host name can't be listened on, allowed: an address such as 127.0.0.1 or [::1], "
                "or * for all";
    if (error != NULL)
        conf_errors_add(c->errors, node->at, "rule \"%s\": listen \"%s\": %s", rule->name,
                        node->text, error);
    return error == NULL;
}

static enum conf_protocol protocol_of(const struct addr_spec *spec)
{
    if (spec->kind == ADDR_SYSTEMD)
        return PROTOCOL_EITHER;
    return spec->scheme == ADDR_SCHEME_UDP ? PROTOCOL_DATAGRAM : PROTOCOL_STREAM;
}

/* The upstream takes what the listener does, or does not say. */
static bool check_scheme(struct checking *c, const struct conf_rule *rule,
                         const struct conf_node *node, const struct addr_spec *spec)
{
    enum conf_protocol here = protocol_of(spec), there = rule->upstream_protocol;

    if (rule->upstream_text == NULL || here == PROTOCOL_EITHER || there == PROTOCOL_EITHER ||
        here == there)
        return true;
    if (rule->target_count > 0)
        conf_errors_add(c->errors, node->at,
                        "rule \"%s\": listen \"%s\" is for TCP, but an upstream that is a list, a "
                        "group, a broadcast address or reached through an interface is for UDP "
                        "alone, allowed: udp:",
                        rule->name, node->text);
    else
        conf_errors_add(
            c->errors, node->at,
            "rule \"%s\": listen \"%s\" is for %s but upstream \"%s\" for %s, allowed: the "
            "same, or an upstream without a scheme, which takes its listener's",
            rule->name, node->text, here == PROTOCOL_DATAGRAM ? "UDP" : "TCP", rule->upstream_text,
            there == PROTOCOL_DATAGRAM ? "UDP" : "TCP");
    return false;
}

/* As many ports on both sides, or one upstream port for all. */
static bool check_range(struct checking *c, const struct conf_rule *rule,
                        const struct conf_node *node, const struct addr_spec *spec,
                        const struct upstream_ports *ports)
{
    unsigned here = (unsigned)spec->port_last - spec->port_first + 1;
    unsigned there = ports->last - ports->first + 1;

    if (c->listen_count + here > LISTENS_MAX) {
        conf_errors_add(c->errors, node->at,
                        "rule \"%s\": listen \"%s\": too many addresses, allowed: %d in all rules",
                        rule->name, node->text, LISTENS_MAX);
        return false;
    }
    if (there == 1 || here == there)
        return true;
    conf_errors_add(c->errors, node->at,
                    "rule \"%s\": listen \"%s\" has %u port%s but upstream \"%s\" has %u, allowed: "
                    "as many, or one upstream port for all",
                    rule->name, node->text, here, here == 1 ? "" : "s", rule->upstream_text, there);
    return false;
}

/*
 * The name by which the address is known: one text for one address. Several can share the address
 * of a group or of broadcasts, and are told apart by the way. So is what makes another socket of
 * it: one that tells the interface, or that others may be bound beside.
 */
static bool set_text(struct checking *c, struct conf_listen *listen, const struct addr_spec *spec)
{
    const char *interface = listen->interface, *source = listen->source;
    /* the broadcast address takes nothing else */
    bool both = listen->broadcast && !addr_is_broadcast(&listen->address);
    char text[LISTEN_TEXT_MAX];

    switch (spec->kind) {
    case ADDR_SYSTEMD:
        listen->text = arena_printf(c->arena, "systemd:%s", spec->name);
        if (listen->text != NULL)
            listen->systemd = listen->text + strlen("systemd:");
        break;
    case ADDR_PATH:
        listen->text = arena_printf(c->arena, "unix:%s", spec->name);
        listen->address.family = AF_UNIX;
        if (listen->text != NULL)
            listen->address.un.path = listen->text + strlen("unix:");
        break;
    default:
        listen->text =
            arena_printf(c->arena, "%s%s%s%s%s%s", listen_address(listen, text, sizeof(text)),
                         both ? "+broadcast" : "", interface != NULL ? "%" : "",
                         interface != NULL ? interface : "", source != NULL ? "<" : "",
                         source != NULL ? source : "");
        break;
    }
    return listen->text != NULL;
}

static struct checking_listen *new_pending(struct checking *c)
{
    if (c->pending_count == c->pending_room) {
        size_t room = c->pending_room == 0 ? 16 : c->pending_room * 2;
        struct checking_listen *pending = reallocarray(c->pending, room, sizeof(*pending));

        if (pending == NULL)
            return NULL;
        c->pending = pending;
        c->pending_room = room;
    }
    return &c->pending[c->pending_count];
}

/* One for each port. */
static void add_listens(struct checking *c, const struct conf_listen *model,
                        const struct conf_node *node, const struct addr_spec *spec,
                        const struct upstream_ports *ports)
{
    unsigned count = (unsigned)spec->port_last - spec->port_first + 1;

    for (unsigned i = 0; i < count; i++) {
        struct checking_listen *p = new_pending(c);

        if (p == NULL) {
            c->no_memory = true;
            return;
        }
        *p = (struct checking_listen){*model, node};
        p->listen.address = spec->literal;
        p->listen.address.port = spec->port_first == 0 ? 0 : (in_port_t)(spec->port_first + i);
        if (spec->kind == ADDR_ANY) {
            p->listen.address.family = AF_INET6;
            p->listen.address.v6 = in6addr_any;
        }
        p->listen.upstream_port =
            (uint16_t)(ports->first == ports->last ? ports->first : ports->first + i);
        if (!set_text(c, &p->listen, spec)) {
            c->no_memory = true;
            return;
        }
        c->pending_count++;
    }
    c->listen_count += count;
}

/* What a rule's own options say for each of its addresses. */
static struct conf_listen inherit(const struct conf_rule *rule, const struct conf_node *node)
{
    return (struct conf_listen){.at = node->at,
                                .rule = rule,
                                .max_connections = UINT32_MAX,
                                .backlog = rule->options.backlog,
                                .socket_mode = rule->options.socket_mode,
                                .socket_owner = rule->options.socket_owner,
                                .socket_group = rule->options.socket_group,
                                .interface = rule->options.interface,
                                .source = rule->options.source,
                                .broadcast = rule->options.broadcast};
}

/* `group`: the address's own options, or NULL. */
static void clear(struct checking *c, struct conf_listen *model, const struct conf_node *group,
                  const char *name, const char *why)
{
    const struct conf_node *m = group != NULL ? checking_member(group, name) : NULL;

    if (m != NULL)
        conf_errors_warn(c->errors, m->at, "rule \"%s\": %s has no effect, %s", model->rule->name,
                         name, why);
    option_reset(option_find(name), IN_LISTEN, model);
}

/* Only a socket file has a mode and an owner, only what takes connections has a backlog. */
static void clear_socket_options(struct checking *c, struct conf_listen *model,
                                 const struct addr_spec *spec, const struct conf_node *group)
{
    static const char *const names[] = {"socket_mode", "socket_owner", "socket_group"};
    bool is_file = spec->kind == ADDR_PATH && spec->name[0] == '/';

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !is_file; i++)
        clear(c, model, group, names[i], "this address is no unix:/path");
    if (model->protocol == PROTOCOL_DATAGRAM)
        clear(c, model, group, "backlog", "this address is for UDP");
}

/* The options of an address that is a group; its `address` has been looked at. */
static void check_group(struct checking *c, const struct conf_rule *rule,
                        const struct conf_node *group, struct conf_listen *model)
{
    static const char *const more[] = {"address", NULL};
    const char *owner = arena_printf(c->arena, "rule \"%s\": listen", rule->name);

    if (owner != NULL)
        checking_options(c, group, owner, IN_LISTEN, model, more);
    else
        c->no_memory = true;
}

/* One address: a string, or a group with options of its own. */
static void check_listen(struct checking *c, struct conf_rule *rule, const struct conf_node *node,
                         const struct upstream_ports *ports)
{
    const struct conf_node *group = node->type == NODE_GROUP ? node : NULL;
    const struct conf_node *address = checking_address(c, rule, node, "listen");
    struct conf_listen model = inherit(rule, address != NULL ? address : node);
    struct addr_spec spec;
    bool valid = address != NULL && parse_listen(c, rule, address, &spec) &&
                 check_scheme(c, rule, address, &spec) &&
                 check_range(c, rule, address, &spec, ports);

    if (group != NULL)
        check_group(c, rule, group, &model);
    if (!valid || c->no_memory)
        return;
    model.kind = spec.kind;
    model.protocol = protocol_of(&spec);
    clear_socket_options(c, &model, &spec, group);
    if (checking_way(c, &model, address, &spec, group))
        add_listens(c, &model, address, &spec, ports);
}

static void check_listens(struct checking *c, struct conf_rule *rule, const struct conf_node *group,
                          const struct upstream_ports *ports)
{
    const struct conf_node *listen = checking_member(group, "listen");

    if (listen == NULL)
        conf_errors_add(c->errors, rule->at,
                        "rule \"%s\": listen is missing, needed: listen = \"...\";", rule->name);
    else if (listen->type != NODE_LIST)
        check_listen(c, rule, listen, ports);
    else if (listen->first == NULL)
        conf_errors_add(c->errors, listen->at,
                        "rule \"%s\": listen is empty, needed is one address "
                        "at least",
                        rule->name);
    else
        for (const struct conf_node *m = listen->first; m != NULL && !c->no_memory; m = m->next)
            check_listen(c, rule, m, ports);
}

void checking_addresses(struct checking *c, struct conf_rule *rule, const struct conf_node *group)
{
    const struct conf_node *upstream = checking_member(group, "upstream");
    struct upstream_ports ports = {0, 0};
    size_t errors;

    c->pending_count = 0;
    memset(c->fits, 0, sizeof(c->fits));
    if (upstream != NULL)
        checking_upstream(c, rule, upstream, &ports);
    else
        conf_errors_add(c->errors, rule->at,
                        "rule \"%s\": upstream is missing, needed: upstream = \"...\";",
                        rule->name);
    errors = c->errors->fatal;
    check_listens(c, rule, group, &ports);
    checking_way_of_rule(c, rule, group, c->errors->fatal == errors);
    rule->listens = arena_array(c->arena, c->pending_count, sizeof(*rule->listens));
    if (rule->listens == NULL) {
        c->no_memory = true;
        return;
    }
    rule->listen_count = c->pending_count;
    for (size_t i = 0; i < c->pending_count; i++)
        rule->listens[i] = c->pending[i].listen;
}
