/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners whose clients are sent back to them: each would be a client of itself, without end. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "conf/checking.h"

#define LOOP_MAX 8 /* listeners; nobody writes a longer loop by mistake */

#define KEY_MAX (ADDR_TEXT_MAX + 4) /* "udp:" */

/* Is it surely an address of this machine? connect(2) takes a wildcard for the loopback address. */
static bool is_here(const struct addr *a)
{
    if (a->family == AF_INET)
        return addr_is_wildcard(a) || ntohl(a->v4.s_addr) >> 24 == 127;
    return a->family == AF_INET6 && (addr_is_wildcard(a) || IN6_IS_ADDR_LOOPBACK(&a->v6));
}

/* What this machine sends to itself comes by the loopback interface. */
static bool hears_this_machine(const struct conf_listen *l)
{
    bool heard = l->interfaces.count == 0;

    for (size_t i = 0; i < l->interfaces.count && !heard; i++)
        heard = strcmp(l->interfaces.list[i], "lo") == 0;
    return heard;
}

/* The listener bound to that address, in print, that would hear it; or NULL. */
static const struct conf_listen *bound_to(const struct checking *c, enum conf_protocol protocol,
                                          const char *address)
{
    const struct conf_listen *l;
    char key[KEY_MAX];

    snprintf(key, sizeof(key), "%s%s", protocol == PROTOCOL_DATAGRAM ? "udp:" : "", address);
    l = checking_bound_to(c, key);
    return l != NULL && hears_this_machine(l) ? l : NULL;
}

/* The one on that host, and the port of `a`. */
static const struct conf_listen *find(const struct checking *c, enum conf_protocol protocol,
                                      const char *host, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    snprintf(text, sizeof(text), "%s:%u", host, (unsigned)a->port);
    return bound_to(c, protocol, text);
}

const struct conf_listen *checking_listener_at(const struct checking *c,
                                               enum conf_protocol protocol, const struct addr *a)
{
    bool is_v4 = a->family == AF_INET;
    const struct conf_listen *l = NULL;
    char text[ADDR_TEXT_MAX];

    if (addr_is_wildcard(a))
        l = find(c, protocol, is_v4 ? "127.0.0.1" : "[::1]", a);
    if (l != NULL)
        return l;
    l = bound_to(c, protocol, addr_print(a, text, sizeof(text)));
    if (l != NULL || !is_here(a))
        return l;
    l = find(c, protocol, is_v4 ? "0.0.0.0" : "[::]", a);
    return l != NULL ? l : find(c, protocol, "*", a);
}

/* Where the listener's clients are sent. False when only the resolver knows, when it was wrong, or
 * when they are targets (check_feed.c). */
static bool upstream_of(const struct conf_listen *l, struct addr *upstream)
{
    if (l->protocol == PROTOCOL_EITHER || l->rule->upstream_text == NULL ||
        l->rule->upstream_kind == ADDR_NAME || l->rule->target_count > 0)
        return false;
    *upstream = l->rule->upstream;
    if (upstream->family != AF_UNIX)
        upstream->port = l->upstream_port;
    return true;
}

const struct conf_listen *checking_next(const struct checking *c, const struct conf_listen *l)
{
    struct addr upstream;

    return upstream_of(l, &upstream) ? checking_listener_at(c, l->protocol, &upstream) : NULL;
}

static bool leads_back(const struct checking *c, const struct conf_listen *start)
{
    const struct conf_listen *l = start;

    for (unsigned i = 0; i < LOOP_MAX && l != NULL; i++) {
        l = checking_next(c, l);
        if (l == start)
            return true;
    }
    return false;
}

/* Of datagrams that evict each other one goes round for ever: nothing is ever full. */
static bool is_endless(const struct checking *c, const struct conf_listen *start)
{
    const struct conf_listen *l = start;

    do {
        if (l->protocol != PROTOCOL_DATAGRAM || l->rule->options.on_limit != ON_LIMIT_EVICT)
            return false;
        l = checking_next(c, l);
    } while (l != start);
    return true;
}

static void refuse(struct checking *c, const struct conf_listen *l)
{
    conf_errors_add(c->errors, l->at,
                    "rule \"%s\": its upstream leads back to %s, and with on_limit = \"evict\" a "
                    "datagram would go round for ever, allowed: an upstream that is elsewhere, or "
                    "on_limit = \"drop\"",
                    l->rule->name, l->text);
}

static void warn(struct checking *c, const struct conf_listen *l)
{
    const struct conf_listen *next = checking_next(c, l);
    struct addr upstream;
    char text[ADDR_TEXT_MAX];

    upstream_of(l, &upstream);
    addr_print(&upstream, text, sizeof(text));
    if (next == l)
        conf_errors_warn(c->errors, l->at,
                         "rule \"%s\": upstream %s is its own listener: each client would fill the "
                         "rule up to max_connections",
                         l->rule->name, text);
    else
        conf_errors_warn(
            c->errors, l->at,
            "rule \"%s\": upstream %s is the listener at %s:%u, which leads back here: "
            "each client would fill the rule up to max_connections",
            l->rule->name, text, next->at.file, next->at.line);
}

void checking_loops(struct checking *c)
{
    for (size_t i = 0; i < c->conf->rule_count; i++) {
        const struct conf_rule *rule = &c->conf->rules[i];
        size_t j = 0;

        while (j < rule->listen_count && !leads_back(c, &rule->listens[j]))
            j++;
        if (j == rule->listen_count)
            continue;
        if (is_endless(c, &rule->listens[j]))
            refuse(c, &rule->listens[j]);
        else /* once a rule */
            warn(c, &rule->listens[j]);
    }
}
