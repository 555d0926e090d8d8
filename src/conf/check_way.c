/* SPDX-License-Identifier: BSD-2-Clause */
/* By which way datagrams come to an address: interfaces, senders, broadcasts. */
#include "config.h"

#include <arpa/inet.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

static const char *const names[] = {
    [WAY_INTERFACE] = "interface", [WAY_SOURCE] = "source", [WAY_BROADCAST] = "broadcast"};

/* What each is for. */
static const char *const uses[] = {
    [WAY_INTERFACE] = "it is for udp: addresses",
    [WAY_SOURCE] = "it is for udp: groups, such as udp:239.1.2.3:5000",
    [WAY_BROADCAST] = "it is for udp: addresses of IPv4 and udp:*, but not for groups"};

/* Can the address use it? What a passed socket does is said in its unit. */
static bool fits(enum option_of_way way, const struct conf_listen *l, const struct addr *a)
{
    if (l->protocol != PROTOCOL_DATAGRAM)
        return false;
    switch (way) {
    case WAY_SOURCE:
        return addr_is_group(a);
    case WAY_BROADCAST:
        return l->kind == ADDR_ANY || (a->family == AF_INET && !addr_is_group(a));
    default:
        return true;
    }
}

static bool is_set(enum option_of_way way, const char *interface, const char *source,
                   bool broadcast)
{
    return way == WAY_INTERFACE ? interface != NULL
           : way == WAY_SOURCE  ? source != NULL
                                : broadcast;
}

/* Those of the address that it can't use are wrong, those of the rule are for others. */
static bool check_fits(struct checking *c, struct conf_listen *model, const struct conf_node *text,
                       const struct addr *a, const struct conf_node *group)
{
    bool valid = true;

    for (enum option_of_way way = 0; way < OPTIONS_OF_WAY; way++) {
        const struct conf_node *own = group != NULL ? checking_member(group, names[way]) : NULL;

        if (fits(way, model, a)) {
            c->fits[way] = true;
            continue;
        }
        if (own != NULL && is_set(way, model->interface, model->source, model->broadcast)) {
            conf_errors_add(c->errors, own->at,
                            "rule \"%s\": listen \"%s\": %s can't be set here, %s",
                            model->rule->name, text->text, names[way], uses[way]);
            valid = false;
        }
        option_reset(option_find(names[way]), IN_LISTEN, model);
    }
    return valid;
}

static const char *check_literal(const struct conf_listen *model, const struct addr *a)
{
    bool group = addr_is_group(a);

    if (model->protocol == PROTOCOL_STREAM && (group || addr_is_broadcast(a)))
        return "TCP has no groups and no broadcasts, allowed for them: udp:";
    if (group && a->scope != 0)
        return "an interface has a name here, allowed: interface = \"eth1\" in place of the zone "
               "after %";
    if (listen_is_link_local_group(a) && model->interface == NULL)
        return "this group is another one on each network, needed: interface = \"eth1\"";
    return NULL;
}

/* Takes the senders apart; their texts have been checked. */
static const char *set_sources(struct checking *c, struct conf_listen *model, const struct addr *a)
{
    struct conf_names texts;
    struct addr *sources;

    if (!listen_names(&texts, model->source, c->arena)) {
        c->no_memory = true;
        return NULL;
    }
    sources = arena_array(c->arena, texts.count, sizeof(*sources));
    if (sources == NULL) {
        c->no_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < texts.count; i++) {
        sources[i].family =
            inet_pton(AF_INET, texts.list[i], &sources[i].v4) == 1 ? AF_INET : AF_INET6;
        if (sources[i].family == AF_INET6)
            inet_pton(AF_INET6, texts.list[i], &sources[i].v6);
        if (sources[i].family != a->family)
            return a->family == AF_INET ? "an IPv4 group has IPv4 senders, source is IPv6"
                                        : "an IPv6 group has IPv6 senders, source is IPv4";
    }
    model->sources = sources;
    model->source_count = texts.count;
    return NULL;
}

bool checking_way(struct checking *c, struct conf_listen *model, const struct conf_node *text,
                  const struct addr_spec *spec, const struct conf_node *group)
{
    const struct addr *a = &spec->literal;
    const char *error;

    if (!check_fits(c, model, text, a, group))
        return false;
    error = check_literal(model, a);
    if (error == NULL && model->source != NULL)
        error = set_sources(c, model, a);
    if (error != NULL)
        conf_errors_add(c->errors, text->at, "rule \"%s\": listen \"%s\": %s", model->rule->name,
                        text->text, error);
    if (addr_is_broadcast(a))
        model->broadcast = true;
    if (!listen_names(&model->interfaces, model->interface, c->arena))
        c->no_memory = true;
    return error == NULL && !c->no_memory;
}

void checking_way_of_rule(struct checking *c, struct conf_rule *rule, const struct conf_node *group,
                          bool valid)
{
    struct conf_options *o = &rule->options;

    for (enum option_of_way way = 0; way < OPTIONS_OF_WAY; way++) {
        const struct conf_node *own = checking_member(group, names[way]);

        if (own != NULL && valid && !c->fits[way] &&
            is_set(way, o->interface, o->source, o->broadcast))
            conf_errors_add(c->errors, own->at,
                            "rule \"%s\": %s can't be set here, no address of the rule has a use "
                            "for it: %s",
                            rule->name, names[way], uses[way]);
        option_reset(option_find(names[way]), IN_RULE, o);
    }
}
