/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "conf/listen_text.h"

#include <stdio.h>
#include <string.h>

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
