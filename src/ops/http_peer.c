/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is asking, as the kernel knows it of the other end of a UNIX socket (unix(7)). */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/http_parts.h"

static bool get_credentials(const struct request *rq, struct ucred *out)
{
    socklen_t size = sizeof(*out);

    return rq->http->server.is_local &&
           getsockopt(rq->fd, SOL_SOCKET, SO_PEERCRED, out, &size) == 0 && size == sizeof(*out);
}

/* Its supplementary groups, as they were when it connected (SO_PEERGROUPS, Linux 4.13): asked for
 * without room, the kernel tells their size. */
static bool has_group(int fd, gid_t group)
{
    socklen_t size = 0;
    gid_t *groups;
    bool found = false;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
        return false;
    groups = malloc(size);
    if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
        for (size_t i = 0; i < size / sizeof(*groups); i++)
            found |= groups[i] == group;
    }
    free(groups);
    return found;
}

bool request_peer(const struct request *rq, pid_t *pid, uid_t *uid)
{
    struct ucred peer;

    if (!get_credentials(rq, &peer))
        return false;
    *pid = peer.pid;
    *uid = peer.uid;
    return true;
}

void http_set_rights(struct http *h, uid_t owner, gid_t group, bool group_may)
{
    h->server.owner = owner;
    h->server.group = group;
    h->server.group_may = group_may;
}

bool request_may_steer(const struct request *rq)
{
    const struct http_server *server = &rq->http->server;
    struct ucred peer;

    if (!get_credentials(rq, &peer))
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == server->owner)
        return true;
    return server->group_may && (peer.gid == server->group || has_group(rq->fd, server->group));
}
