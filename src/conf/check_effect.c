/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of a rule that have no effect: as if they had never been set. */
#include "config.h"

#include <string.h>

#include "conf/checking.h"

/* What a rule listens for. */
struct uses {
    bool stream, datagram, socket_file;
    bool group, to_many; /* its datagrams are sent to groups; to groups or broadcast addresses */
};

static struct uses uses_of(const struct conf_rule *rule)
{
    struct uses uses = {0};

    for (size_t i = 0; i < rule->listen_count; i++) {
        const struct conf_listen *l = &rule->listens[i];

        uses.stream = uses.stream || l->protocol != PROTOCOL_DATAGRAM;
        uses.datagram = uses.datagram || l->protocol != PROTOCOL_STREAM;
        uses.socket_file =
            uses.socket_file || (l->kind == ADDR_PATH && l->address.un.path[0] == '/');
    }
    for (size_t i = 0; i < rule->target_count; i++) {
        bool group = addr_is_group(&rule->targets[i].address);

        uses.group = uses.group || group;
        uses.to_many = uses.to_many || group || rule->targets[i].broadcast;
    }
    return uses;
}

/* Warned of where the rule itself says so; nothing is said of a rule that is wrong otherwise. */
static void clear(struct checking *c, struct conf_rule *rule, const struct conf_node *group,
                  const char *name, const char *why)
{
    const struct conf_node *m = checking_member(group, name);

    if (m != NULL && rule->listen_count > 0 && rule->upstream_text != NULL)
        conf_errors_warn(c->errors, m->at, "rule \"%s\": %s has no effect, %s", rule->name, name,
                         why);
    option_reset(option_find(name), IN_RULE, &rule->options);
}

/* What the limit does to the one protocol is nothing for the other. */
static void check_on_limit(struct checking *c, struct conf_rule *rule,
                           const struct conf_node *group, const struct uses *uses)
{
    int on_limit = rule->options.on_limit;

    if (!uses->stream && (on_limit == ON_LIMIT_RESET || on_limit == ON_LIMIT_WAIT))
        clear(c, rule, group, "on_limit",
              "UDP has no connections to reset or to keep waiting, allowed for it: \"drop\", "
              "\"evict\"");
    if (!uses->datagram && on_limit == ON_LIMIT_EVICT)
        clear(c, rule, group, "on_limit",
              "\"evict\" is for udp: addresses, allowed for TCP: \"drop\", \"reset\", \"wait\"");
}

static void clear_of_streams(struct checking *c, struct conf_rule *rule,
                             const struct conf_node *group)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (option_is_of_streams(&table[i]))
            clear(c, rule, group, table[i].name,
                  strcmp(table[i].name, "idle_timeout") == 0
                      ? "the rule has udp: addresses alone, for which there is udp_timeout"
                      : "the rule has udp: addresses alone");
    }
}

void checking_effects(struct checking *c, struct conf_rule *rule, const struct conf_node *group)
{
    static const char *const of_files[] = {"socket_mode", "socket_owner", "socket_group"};
    static const char *const of_udp[] = {"udp_timeout", "udp_replies"};
    struct uses uses = uses_of(rule);

    for (size_t i = 0; i < sizeof(of_files) / sizeof(of_files[0]) && !uses.socket_file; i++)
        clear(c, rule, group, of_files[i], "the rule has no unix:/path to listen on");
    for (size_t i = 0; i < sizeof(of_udp) / sizeof(of_udp[0]) && !uses.datagram; i++)
        clear(c, rule, group, of_udp[i], "the rule has no udp: address to listen on");
    if (!uses.stream)
        clear_of_streams(c, rule, group);
    check_on_limit(c, rule, group, &uses);
    if (!uses.stream && rule->options.persist == PERSIST_CRASH)
        clear(c, rule, group, "persist",
              "the rule has udp: addresses alone, and UDP sessions outlive a restart, not a crash");
    if (!uses.group)
        clear(c, rule, group, "ttl", "the upstream is no group");
    if (!uses.to_many)
        clear(c, rule, group, "source_port", "the upstream is no group and no broadcast address");
    /* They are the targets' now. */
    option_reset(option_find("ttl"), IN_RULE, &rule->options);
    option_reset(option_find("source_port"), IN_RULE, &rule->options);
}
