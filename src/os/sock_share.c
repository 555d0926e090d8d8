/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of which other processes hold duplicates: close(2) ends no such socket. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/sock.h"

int sock_id(int fd, uint64_t *id)
{
    socklen_t size = sizeof(*id);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, id, &size) < 0 ? -errno : 0;
}

/* --- the text of a listening socket ---------------------------------------------------------- */

/* unix(7): a path may lack its NUL, and an abstract name begins with one. */
static bool unix_text(const struct sockaddr_un *un, socklen_t len, char *out, size_t size)
{
    size_t at = offsetof(struct sockaddr_un, sun_path);
    size_t bytes = len > at ? len - at : 0;
    bool is_abstract = bytes > 0 && un->sun_path[0] == '\0';
    const char *name = un->sun_path + is_abstract;
    size_t name_len;

    bytes -= is_abstract;
    name_len = strnlen(name, bytes);
    if (name_len == 0 || (is_abstract && name_len < bytes))
        return false; /* no name, or one that can't be written */
    return (size_t)snprintf(out, size, "unix:%s%.*s", is_abstract ? "@" : "", (int)name_len, name) <
           size;
}

static bool is_dual(int fd, const struct addr *a)
{
    int v6only = 1;
    socklen_t size = sizeof(v6only);

    return a->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size) == 0 && !v6only;
}

static int get_int(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

/* Those of sessions are connected, and those of groups and broadcasts share their port. */
static bool takes_whoever_comes(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    return getpeername(fd, (struct sockaddr *)&ss, &len) < 0 && get_int(fd, SO_REUSEADDR) == 0;
}

bool sock_text(int fd, char *out, size_t size)
{
    bool is_datagrams = get_int(fd, SO_TYPE) == SOCK_DGRAM;
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    char text[ADDR_TEXT_MAX];
    struct addr a;

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return false;
    if (ss.ss_family == AF_UNIX)
        return unix_text((const struct sockaddr_un *)&ss, len, out, size);
    addr_from_sockaddr(&a, &ss, len);
    if (a.family == AF_UNSPEC || (is_datagrams && (a.port == 0 || !takes_whoever_comes(fd))))
        return false;
    if (is_dual(fd, &a))
        snprintf(text, sizeof(text), "*:%u", (unsigned)a.port);
    else
        addr_print(&a, text, sizeof(text));
    return (size_t)snprintf(out, size, "%s%s", is_datagrams ? "udp:" : "", text) < size;
}

/* --- to end what others hold too -------------------------------------------------------------- */

/* TCP resets those who wait in its backlog; a UNIX socket lets them wait for as long as somebody
 * holds it, but nobody new comes now. */
static void refuse_waiting(int fd)
{
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    while (client >= 0) {
        close(client);
        client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
}

void sock_stop_listening(int fd)
{
    if (shutdown(fd, SHUT_RDWR) == 0)
        refuse_waiting(fd);
}

int sock_retire(int fd)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    int error = sock_share_port(fd, true);

    if (error)
        return error;
    /* From then on it takes only what it sends itself. */
    if (getsockname(fd, (struct sockaddr *)&own, &len) < 0 ||
        connect(fd, (const struct sockaddr *)&own, len) < 0)
        return -errno;
    return 0;
}

void sock_end(int fd)
{
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

void sock_abort(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    if (connect(fd, &none, sizeof(none)) < 0)
        shutdown(fd, SHUT_RDWR);
    sock_reset(fd);
}

/* --- to hand on ------------------------------------------------------------------------------- */

void sock_reset_at_end(int fd, bool reset)
{
    const struct linger linger = {.l_onoff = reset};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int sock_keep_on_exec(int fd, bool keep)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0)
        return -errno;
    flags = keep ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC;
    return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}

int sock_relisten(int fd, int backlog)
{
    return listen(fd, backlog > 0 ? backlog : INT_MAX) < 0 ? -errno : 0;
}
