/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/listening.h"

#include <errno.h>
#include <sys/stat.h>

#include "flow/rule.h"
#include "flow/udp.h"
#include "flow/worker.h"
#include "os/dgram.h"
#include "os/sock.h"
#include "os/user.h"

int listening_file(const struct conf_listen *conf, struct sock_file *file, const char **why)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1, own_group;

    if (conf->socket_owner && user_find(conf->socket_owner, &uid, &own_group)) {
        *why = "there is no such user as its socket_owner";
        return -ENOENT;
    }
    if (conf->socket_group && group_find(conf->socket_group, &gid)) {
        *why = "there is no such group as its socket_group";
        return -ENOENT;
    }
    *file = (struct sock_file){.mode = conf->socket_mode, .owner = uid, .group = gid};
    return 0;
}

void listening_set_inherited(const struct listener *l)
{
    const struct addr kind = {.family = l->family};
    struct sock_keepalive ka = rule_keepalive(&l->conf->rule->options);

    sock_set_stream(l->fd, &kind);
    sock_set_keepalive(l->fd, &kind, &ka);
}

/* --- opened ---------------------------------------------------------------------------------- */

static const char *explain(int error, const struct conf_listen *conf)
{
    bool is_path = conf->kind == ADDR_PATH;

    switch (error) {
    case -EADDRINUSE:
        return is_path ? "another process listens on it" : "another socket is bound to it";
    case -EADDRNOTAVAIL:
        return "no interface of this machine has this address";
    case -EEXIST:
        return "the file exists and is no socket";
    case -EBUSY:
        return is_path ? "another process keeps its lock file (.lock)" : NULL;
    case -EACCES:
    case -EPERM:
        return is_path ? "no permission for the file or its directory"
                       : "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    default:
        return NULL;
    }
}

/* Remember which file is ours, so that nobody else's is ever removed. */
static void remember_file(struct listener *l)
{
    struct stat st;

    if (l->conf->kind != ADDR_PATH || l->conf->address.un.path[0] == '@' ||
        lstat(l->conf->address.un.path, &st) < 0)
        return;
    listener_own_file(l, (struct sock_file_id){st.st_dev, st.st_ino});
}

/* A socket for connections; sets l->family. */
static int open_stream(struct listener *l, unsigned how, const char **why)
{
    const struct conf_listen *conf = l->conf;
    struct addr address = conf->address;
    struct sock_file file;
    int fd, error = listening_file(conf, &file, why);

    if (error)
        return error;
    fd = sock_listen(&address, (int)conf->backlog, how | (conf->kind == ADDR_ANY ? SOCK_DUAL : 0),
                     &file);
    if (fd == -EAFNOSUPPORT && conf->kind == ADDR_ANY) {
        /* "*" on a machine without IPv6 */
        address = (struct addr){.family = AF_INET, .port = address.port};
        fd = sock_listen(&address, (int)conf->backlog, how, NULL);
    }
    l->family = address.family;
    return fd;
}

static int open_listener(struct listener *l, bool beside, const char **why)
{
    const struct conf_listen *conf = l->conf;
    int fd;

    *why = NULL;
    if (!fds_book(l->worker->fds, 1)) {
        *why = "the descriptor budget is used up";
        return -EMFILE;
    }
    if (conf->protocol == PROTOCOL_DATAGRAM)
        fd = udp_listener_open(l, beside ? DGRAM_BESIDE : 0, why);
    else
        fd = open_stream(l, beside ? SOCK_BESIDE : 0, why);
    if (fd < 0) {
        fds_release(l->worker->fds, 1);
        if (!*why)
            *why = explain(fd, conf);
        return fd;
    }
    l->fd = fd;
    if (l->udp)
        return 0;
    listening_set_inherited(l);
    remember_file(l);
    return 0;
}

int listener_open(struct listener *l, const char **why)
{
    return open_listener(l, false, why);
}

int listener_open_beside(struct listener *l, const char **why)
{
    return open_listener(l, true, why);
}

/* --- passed ---------------------------------------------------------------------------------- */

/* What kind of socket it is, and whether that is what the config means. */
static int check_passed(const struct conf_listen *conf, int fd, struct addr *bound,
                        bool *is_datagram, const char **why)
{
    enum conf_protocol upstream = conf->rule->upstream_protocol;
    int error = sock_check_listening(fd, bound);

    *is_datagram = error && dgram_check(fd, bound) == 0;
    *why = "it is neither a listening stream socket nor a bound UDP socket";
    if (error && !*is_datagram)
        return error;
    *why = *is_datagram ? "it is a UDP socket, needed is one that listens for connections"
                        : "it listens for connections, needed is a UDP socket";
    if (conf->protocol != PROTOCOL_EITHER && *is_datagram != (conf->protocol == PROTOCOL_DATAGRAM))
        return -EPROTOTYPE;
    if ((upstream == PROTOCOL_STREAM && *is_datagram) ||
        (upstream == PROTOCOL_DATAGRAM && !*is_datagram))
        return -EPROTOTYPE;
    *why = NULL;
    return 0;
}

int listener_adopt(struct listener *l, int fd, const char **why)
{
    struct addr bound;
    bool is_datagram;
    int error = check_passed(l->conf, fd, &bound, &is_datagram, why);

    if (error == 0 && !fds_book(l->worker->fds, 1))
        error = -EMFILE;
    if (error)
        return error;
    if (is_datagram) {
        error = udp_listener_adopt(l, fd, &bound, why);
        if (error)
            fds_release(l->worker->fds, 1);
        return error;
    }
    l->fd = fd;
    l->family = bound.family;
    listening_set_inherited(l);
    return 0;
}
