/* SPDX-License-Identifier: BSD-2-Clause */
/* No two listeners on one address, in any rule of any file. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

bool conf_listen_takes_all(const struct conf_listen *l)
{
    return l->kind == ADDR_ANY || addr_is_wildcard(&l->address) ||
           listen_is_link_local_group(&l->address);
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
           (conf_listen_takes_all(a) || conf_listen_takes_all(b) ||
            addr_equal(&a->address, &b->address));
}

bool conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b)
{
    return is_inet(a) && is_inet(b) && a->protocol == b->protocol &&
           a->address.port == b->address.port && strcmp(a->text, b->text) != 0 &&
           !(listen_is_shared(a) && listen_is_shared(b)) &&
           (overlap_in(a, b, AF_INET) || overlap_in(a, b, AF_INET6));
}

/* --- who has which port ---------------------------------------------------------------------- */

#define KEY_MAX (LISTEN_TEXT_MAX + 16)

/* What of a port a listener has, or may find taken by another. */
enum taking { ON_ANY, ON_ALL, ON_ONE };

/*
 * Under which the first that takes something is found: that has the port on any address of the
 * family, on all, on that one. Those that share are apart from those that don't.
 */
static const char *key_of(const struct conf_listen *l, sa_family_t family, enum taking taking,
                          bool shared, char *key)
{
    static const char *const words[] = {[ON_ANY] = "any", [ON_ALL] = "all"};
    char text[LISTEN_TEXT_MAX];

    if (taking == ON_ONE)
        snprintf(key, KEY_MAX, "%s %s", shared ? "shared" : "alone",
                 listen_address(l, text, sizeof(text)));
    else
        snprintf(key, KEY_MAX, "%s %s %s %c %u", shared ? "shared" : "alone",
                 l->protocol == PROTOCOL_DATAGRAM ? "udp" : "tcp", words[taking],
                 family == AF_INET ? '4' : '6', (unsigned)l->address.port);
    return key;
}

const struct conf_listen *checking_bound_to(const struct checking *c, const char *address)
{
    const struct conf_listen *l = table_find(c->listens, address);
    char key[KEY_MAX];

    for (unsigned i = 0; i < 2 && l == NULL; i++) {
        snprintf(key, sizeof(key), "%s %s", i == 0 ? "alone" : "shared", address);
        l = table_find(c->ports, key);
    }
    return l;
}

/* The listen that already has what `l` wants of a family, or NULL. */
static const struct conf_listen *taken_by(const struct checking *c, const struct conf_listen *l,
                                          sa_family_t family, bool shared)
{
    const struct conf_listen *other;
    char key[KEY_MAX];

    if (!has_family(l, family))
        return NULL;
    if (conf_listen_takes_all(l))
        return table_find(c->ports, key_of(l, family, ON_ANY, shared, key));
    other = table_find(c->ports, key_of(l, family, ON_ALL, shared, key));
    if (other == NULL)
        other = table_find(c->ports, key_of(l, family, ON_ONE, shared, key));
    return other;
}

const struct conf_listen *checking_taken_by(const struct checking *c, const struct conf_listen *l)
{
    const struct conf_listen *other = table_find(c->listens, l->text);
    bool shared = listen_is_shared(l);

    for (unsigned i = 0; i < 2 && other == NULL && is_inet(l); i++) {
        bool with_shared = i == 1;

        if (shared && with_shared)
            break; /* both have agreed to share */
        other = taken_by(c, l, AF_INET, with_shared);
        if (other == NULL)
            other = taken_by(c, l, AF_INET6, with_shared);
    }
    return other;
}

static void take(struct checking *c, struct conf_listen *l, sa_family_t family, enum taking taking)
{
    char key[KEY_MAX];
    const char *kept;

    if (table_find(c->ports, key_of(l, family, taking, listen_is_shared(l), key)) != NULL)
        return;
    kept = arena_strdup(c->arena, key);
    if (kept == NULL || table_insert(c->ports, kept, l) != 0)
        c->no_memory = true;
}

static void take_family(struct checking *c, struct conf_listen *l, sa_family_t family)
{
    if (!has_family(l, family))
        return;
    take(c, l, family, ON_ANY);
    if (conf_listen_takes_all(l))
        take(c, l, family, ON_ALL);
}

void checking_conflicts(struct checking *c, struct conf_rule *rule)
{
    const struct conf_node *reported = NULL; /* once for a whole range */

    for (size_t i = 0; i < rule->listen_count && !c->no_memory; i++) {
        struct conf_listen *l = &rule->listens[i];
        const struct conf_listen *other = checking_taken_by(c, l);

        if (other != NULL) {
            if (c->pending[i].source != reported)
                conf_errors_add(c->errors, l->at, "rule \"%s\": %s is taken by %s at %s:%u",
                                rule->name, l->text, other->text, other->at.file, other->at.line);
            reported = c->pending[i].source;
            continue;
        }
        if (table_insert(c->listens, l->text, l) != 0)
            c->no_memory = true;
        if (!is_inet(l))
            continue;
        take_family(c, l, AF_INET);
        take_family(c, l, AF_INET6);
        if (l->protocol == PROTOCOL_DATAGRAM) /* of others the text is the address */
            take(c, l, l->address.family, ON_ONE);
    }
}
