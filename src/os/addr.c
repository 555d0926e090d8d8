/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "os/addr.h"

static void print_unix(const struct addr *a, char *out, size_t size)
{
    if (a->un.path != NULL)
        snprintf(out, size, "unix:%s", a->un.path);
    else
        snprintf(out, size, "unix:pid=%" PRIu32 ",uid=%" PRIu32, a->un.peer_pid, a->un.peer_uid);
}

const char *addr_print(const struct addr *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (size == 0)
        return out;
    switch (a->family) {
    case AF_INET:
        inet_ntop(AF_INET, &a->v4, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, (unsigned)a->port);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a->v6, host, sizeof(host));
        if (a->scope != 0)
            snprintf(out, size, "[%s%%%" PRIu32 "]:%u", host, a->scope, (unsigned)a->port);
        else
            snprintf(out, size, "[%s]:%u", host, (unsigned)a->port);
        break;
    case AF_UNIX:
        print_unix(a, out, size);
        break;
    default:
        snprintf(out, size, "-");
        break;
    }
    return out;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return false;
    switch (a->family) {
    case AF_INET:
        return a->port == b->port && a->v4.s_addr == b->v4.s_addr;
    case AF_INET6:
        return a->port == b->port && a->scope == b->scope &&
               memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
    case AF_UNIX:
        if (a->un.path != NULL && b->un.path != NULL)
            return strcmp(a->un.path, b->un.path) == 0;
        return a->un.path == b->un.path && a->un.peer_pid == b->un.peer_pid &&
               a->un.peer_uid == b->un.peer_uid;
    default:
        return true;
    }
}

/* unix(7): a path ends with a NUL, which counts; an abstract name begins with one and has no
 * other end than its length. */
static socklen_t unix_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    size_t len;

    if (a->un.path == NULL)
        return 0;
    len = strlen(a->un.path);
    un->sun_family = AF_UNIX;
    if (a->un.path[0] == '@') {
        if (len > sizeof(un->sun_path))
            return 0;
        memcpy(un->sun_path, a->un.path, len);
        un->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    }
    if (len == 0 || len >= sizeof(un->sun_path))
        return 0;
    memcpy(un->sun_path, a->un.path, len + 1);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    switch (a->family) {
    case AF_INET:
        in4->sin_family = AF_INET;
        in4->sin_port = htons(a->port);
        in4->sin_addr = a->v4;
        return sizeof(*in4);
    case AF_INET6:
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(a->port);
        in6->sin6_addr = a->v6;
        in6->sin6_scope_id = a->scope;
        return sizeof(*in6);
    case AF_UNIX:
        return unix_to_sockaddr(a, out);
    default:
        return 0;
    }
}

void addr_from_sockaddr(struct addr *out, const struct sockaddr_storage *in, socklen_t len)
{
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)in;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)in;

    memset(out, 0, sizeof(*out));
    if (len < sizeof(in->ss_family))
        return;
    if (in->ss_family == AF_INET && len >= sizeof(*in4)) {
        out->family = AF_INET;
        out->port = ntohs(in4->sin_port);
        out->v4 = in4->sin_addr;
    } else if (in->ss_family == AF_INET6 && len >= sizeof(*in6)) {
        out->port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            out->family = AF_INET;
            memcpy(&out->v4, &in6->sin6_addr.s6_addr[12], sizeof(out->v4));
        } else {
            out->family = AF_INET6;
            out->v6 = in6->sin6_addr;
            out->scope = in6->sin6_scope_id;
        }
    } else if (in->ss_family == AF_UNIX) {
        out->family = AF_UNIX;
    }
}

bool addr_is_wildcard(const struct addr *a)
{
    return (a->family == AF_INET && a->v4.s_addr == htonl(INADDR_ANY)) ||
           (a->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6));
}

bool addr_is_group(const struct addr *a)
{
    return (a->family == AF_INET && IN_MULTICAST(ntohl(a->v4.s_addr))) ||
           (a->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->v6));
}

bool addr_is_broadcast(const struct addr *a)
{
    return a->family == AF_INET && a->v4.s_addr == htonl(INADDR_BROADCAST);
}
