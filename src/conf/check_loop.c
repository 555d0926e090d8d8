/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners whose clients are sent back to them: each would be a client of itself, without end. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "conf/checking.h"

#define LOOP_MAX 8 /* listeners; nobody writes a longer loop by mistake */

static bool is_wildcard(const struct addr *a)
{
    return a->family == AF_INET ? a->v4.s_addr == htonl(INADDR_ANY)
                                : IN6_IS_ADDR_UNSPECIFIED(&a->v6);
}

/* Is it surely an address of this machine? connect(2) takes a wildcard for the loopback address. */
static bool is_here(const struct addr *a)
{
    if (a->family == AF_INET)
        return is_wildcard(a) || ntohl(a->v4.s_addr) >> 24 == 127;
    return a->family == AF_INET6 && (is_wildcard(a) || IN6_IS_ADDR_LOOPBACK(&a->v6));
}

/* The listener that takes what connects to the address, or NULL. */
static const struct conf_listen *listener_at(const struct checking *c, const struct addr *a)
{
    char key[ADDR_TEXT_MAX];
    const struct conf_listen *l;

    if (a->family != AF_UNIX && is_wildcard(a)) {
        snprintf(key, sizeof(key), a->family == AF_INET ? "127.0.0.1:%u" : "[::1]:%u",
                 (unsigned)a->port);
        l = table_find(c->listens, key);
        if (l != NULL)
            return l;
    }
    l = table_find(c->listens, addr_print(a, key, sizeof(key)));
    if (l != NULL || !is_here(a))
        return l;
    snprintf(key, sizeof(key), a->family == AF_INET ? "0.0.0.0:%u" : "[::]:%u", (unsigned)a->port);
    l = table_find(c->listens, key);
    if (l != NULL)
        return l;
    snprintf(key, sizeof(key), "*:%u", (unsigned)a->port);
    return table_find(c->listens, key);
}

/* Where the listener's clients are sent. False when only the resolver knows, or it was wrong. */
static bool upstream_of(const struct conf_listen *l, struct addr *upstream)
{
    if (l->protocol != PROTOCOL_STREAM || l->rule->upstream_text == NULL ||
        l->rule->upstream_kind == ADDR_NAME)
        return false;
    *upstream = l->rule->upstream;
    if (upstream->family != AF_UNIX)
        upstream->port = l->upstream_port;
    return true;
}

/* The listener behind the listener's upstream, or NULL. */
static const struct conf_listen *next_of(const struct checking *c, const struct conf_listen *l)
{
    struct addr upstream;

    return upstream_of(l, &upstream) ? listener_at(c, &upstream) : NULL;
}

static bool leads_back(const struct checking *c, const struct conf_listen *start)
{
    const struct conf_listen *l = start;

    for (unsigned i = 0; i < LOOP_MAX && l != NULL; i++) {
        l = next_of(c, l);
        if (l == start)
            return true;
    }
    return false;
}

static void warn(struct checking *c, const struct conf_listen *l)
{
    const struct conf_listen *next = next_of(c, l);
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
        if (j < rule->listen_count) /* once a rule */
            warn(c, &rule->listens[j]);
    }
}
