/* SPDX-License-Identifier: BSD-2-Clause */
/* No two listeners on one address, in any rule of any file. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "conf/checking.h"

/* bind(2): a wildcard takes its port on every address of the family; "*" does so for both. */
static bool takes_all(const struct conf_listen *l, sa_family_t family)
{
    if (l->kind == ADDR_ANY)
        return true;
    if (family == AF_INET)
        return l->address.family == AF_INET && l->address.v4.s_addr == htonl(INADDR_ANY);
    return l->address.family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&l->address.v6);
}

static bool is_inet(const struct conf_listen *l)
{
    return l->kind == ADDR_LITERAL || l->kind == ADDR_ANY;
}

static bool has_family(const struct conf_listen *l, sa_family_t family)
{
    return l->kind == ADDR_ANY || l->address.family == family;
}

static bool overlap_in(const struct conf_listen *a, const struct conf_listen *b, sa_family_t family)
{
    return has_family(a, family) && has_family(b, family) &&
           (takes_all(a, family) || takes_all(b, family));
}

bool conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b)
{
    return is_inet(a) && is_inet(b) && a->protocol == b->protocol &&
           a->address.port == b->address.port && strcmp(a->text, b->text) != 0 &&
           (overlap_in(a, b, AF_INET) || overlap_in(a, b, AF_INET6));
}

/* What stands before the keys of its protocol. */
static const char *scheme_of(const struct conf_listen *l)
{
    return l->protocol == PROTOCOL_DATAGRAM ? "udp:" : "";
}

/* The listen that already has what `l` wants of a family, or NULL. */
static const struct conf_listen *taken_by(const struct checking *c, const struct conf_listen *l,
                                          sa_family_t family)
{
    char key[32];
    const struct conf_listen *other;
    unsigned port = l->address.port;

    if (takes_all(l, family)) {
        snprintf(key, sizeof(key), "%s%c %u", scheme_of(l), family == AF_INET ? '4' : '6', port);
        return table_find(c->ports, key);
    }
    snprintf(key, sizeof(key), "%s%s:%u", scheme_of(l), family == AF_INET ? "0.0.0.0" : "[::]",
             port);
    other = table_find(c->listens, key);
    if (other != NULL)
        return other;
    snprintf(key, sizeof(key), "%s*:%u", scheme_of(l), port);
    return table_find(c->listens, key);
}

static void take_port(struct checking *c, struct conf_listen *l, sa_family_t family)
{
    char key[32];
    const char *kept;

    snprintf(key, sizeof(key), "%s%c %u", scheme_of(l), family == AF_INET ? '4' : '6',
             (unsigned)l->address.port);
    if (table_find(c->ports, key) != NULL)
        return;
    kept = arena_strdup(c->arena, key);
    if (kept == NULL || table_insert(c->ports, kept, l) != 0)
        c->no_memory = true;
}

static const struct conf_listen *find_conflict(const struct checking *c,
                                               const struct conf_listen *l)
{
    const struct conf_listen *other = table_find(c->listens, l->text);

    if (other == NULL && is_inet(l) && (l->kind == ADDR_ANY || l->address.family == AF_INET))
        other = taken_by(c, l, AF_INET);
    if (other == NULL && is_inet(l) && l->address.family == AF_INET6)
        other = taken_by(c, l, AF_INET6);
    return other;
}

void checking_conflicts(struct checking *c, struct conf_rule *rule)
{
    const struct conf_node *reported = NULL; /* once for a whole range */

    for (size_t i = 0; i < rule->listen_count && !c->no_memory; i++) {
        struct conf_listen *l = &rule->listens[i];
        const struct conf_listen *other = find_conflict(c, l);

        if (other != NULL) {
            if (c->pending[i].source != reported)
                conf_errors_add(c->errors, l->at, "rule \"%s\": %s is taken by %s at %s:%u",
                                rule->name, l->text, other->text, other->at.file, other->at.line);
            reported = c->pending[i].source;
            continue;
        }
        if (table_insert(c->listens, l->text, l) != 0)
            c->no_memory = true;
        if (is_inet(l) && (l->kind == ADDR_ANY || l->address.family == AF_INET))
            take_port(c, l, AF_INET);
        if (is_inet(l) && l->address.family == AF_INET6)
            take_port(c, l, AF_INET6);
    }
}
