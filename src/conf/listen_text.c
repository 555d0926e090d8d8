/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "conf/listen_text.h"

#include <stdio.h>
#include <string.h>

#include "conf/options.h"

const char *listen_address(const struct conf_listen *l, char *out, size_t size)
{
    const char *scheme = l->protocol == PROTOCOL_DATAGRAM ? "udp:" : "";
    char text[ADDR_TEXT_MAX];

    if (l->kind == ADDR_ANY)
        snprintf(out, size, "%s*:%u", scheme, (unsigned)l->address.port);
    else
        snprintf(out, size, "%s%s", scheme, addr_print(&l->address, text, sizeof(text)));
    return out;
}

static bool has_port(const struct conf_listen *l)
{
    return l->kind == ADDR_LITERAL || l->kind == ADDR_ANY;
}

/* Is `b` the next port of the range that `a` is in? `step`: of the ports upstream. */
static bool follows(const struct conf_listen *a, const struct conf_listen *b, unsigned step)
{
    struct addr next = a->address;

    if (!has_port(a) || a->kind != b->kind || a->protocol != b->protocol ||
        a->address.port == UINT16_MAX)
        return false;
    next.port++;
    return addr_equal(&next, &b->address) && a->upstream_port + step == b->upstream_port &&
           option_equal_all(IN_LISTEN, a, b);
}

size_t listen_range(const struct conf_rule *rule, size_t first)
{
    const struct conf_listen *l = &rule->listens[first];
    size_t left = rule->listen_count - first, count = 1;
    unsigned step;

    if (left == 1)
        return 1;
    step = l[0].upstream_port != l[1].upstream_port;
    while (count < left && follows(&l[count - 1], &l[count], step))
        count++;
    return count;
}

const char *listen_range_text(const struct conf_listen *l, size_t count, char *out, size_t size)
{
    size_t used;

    if (!has_port(l))
        return l->text;
    listen_address(l, out, size);
    used = strlen(out);
    if (count > 1)
        snprintf(out + used, size - used, "-%zu", l->address.port + count - 1);
    return out;
}

const char *target_text(const struct conf_rule *rule, const struct conf_target *t, char *out,
                        size_t size)
{
    struct addr address = t->address;
    in_port_t last = address.port;
    char text[ADDR_TEXT_MAX];

    if (address.port == 0) {
        address.port = rule->listens[0].upstream_port;
        last = rule->listens[rule->listen_count - 1].upstream_port;
    }
    addr_print(&address, text, sizeof(text));
    if (last == address.port)
        snprintf(out, size, "%s", text);
    else
        snprintf(out, size, "%s-%u", text, (unsigned)last);
    return out;
}

bool listen_is_shared(const struct conf_listen *l)
{
    return l->protocol == PROTOCOL_DATAGRAM && (l->broadcast || addr_is_group(&l->address));
}

bool listen_is_link_local_group(const struct addr *a)
{
    return a->family == AF_INET6 &&
           (IN6_IS_ADDR_MC_LINKLOCAL(&a->v6) || IN6_IS_ADDR_MC_NODELOCAL(&a->v6));
}

bool listen_names(struct conf_names *out, const char *joined, struct arena *arena)
{
    const char **list;
    size_t count = 1;
    char *text;

    *out = (struct conf_names){NULL, 0};
    if (joined == NULL)
        return true;
    for (const char *p = joined; *p != '\0'; p++)
        count += *p == ',';
    list = arena_array(arena, count, sizeof(*list));
    text = arena_strdup(arena, joined);
    if (list == NULL || text == NULL)
        return false;
    *out = (struct conf_names){list, count};
    for (size_t i = 0; i < count; i++) {
        char *comma = strchr(text, ',');

        list[i] = text;
        if (comma != NULL) {
            *comma = '\0';
            text = comma + 1;
        }
    }
    return true;
}
