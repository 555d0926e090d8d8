/* SPDX-License-Identifier: BSD-2-Clause */
/* The snapshot's life, and what follows from it alone. */
#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/options.h"

struct conf *conf_ref(struct conf *conf)
{
    atomic_fetch_add(&conf->refs, 1);
    return conf;
}

void conf_unref(struct conf *conf)
{
    if (conf != NULL && atomic_fetch_sub(&conf->refs, 1) == 1)
        arena_free(conf->arena); /* the snapshot itself is in there too */
}

struct conf_place conf_daemon_place(const struct conf *conf, const char *option)
{
    size_t count;
    const struct option *table = option_table(&count), *o = option_find(option);

    if (o == NULL || conf->daemon_at[o - table].file == NULL)
        return (struct conf_place){"default", 0};
    return conf->daemon_at[o - table];
}

struct conf_place conf_daemon_near(const struct conf *conf, const char *option)
{
    struct conf_place at = conf_daemon_place(conf, option);

    return at.line != 0 ? at : (struct conf_place){conf->path, 0};
}

bool conf_has_control(const struct conf_daemon *d)
{
    return strcmp(d->control, "off") != 0;
}

const struct conf_listen *conf_not_passed(const struct conf *conf)
{
    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];

        for (size_t j = 0; j < rule->listen_count; j++) {
            if (rule->listens[j].kind != ADDR_SYSTEMD)
                return &rule->listens[j];
        }
    }
    return NULL;
}

/* A rule's sessions are bounded by its own limit and by those of its addresses together; `udp`:
 * those of UDP alone. */
static uint64_t sessions_promised(const struct conf_rule *rule, bool udp)
{
    uint64_t sum = 0, limit = rule->options.max_connections;

    for (size_t i = 0; i < rule->listen_count && sum < limit; i++) {
        if (!udp || rule->listens[i].protocol == PROTOCOL_DATAGRAM)
            sum += rule->listens[i].max_connections;
    }
    return sum < limit ? sum : limit;
}

/* A client of UDP has no socket of its own. */
static unsigned descriptors_of_session(const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->listen_count; i++) {
        if (rule->listens[i].protocol != PROTOCOL_DATAGRAM)
            return 2;
    }
    return 1;
}

uint64_t conf_descriptors_promised(const struct conf *conf)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];

        sum += descriptors_of_session(rule) * sessions_promised(rule, false) + rule->listen_count;
    }
    return sum;
}

uint64_t conf_ports_promised(const struct conf *conf)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < conf->rule_count; i++) {
        if (conf->rules[i].upstream_kind != ADDR_PATH)
            sum += sessions_promised(&conf->rules[i], true);
    }
    return sum;
}
