/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

bool systemd_built_in(void)
{
    return true;
}

uint64_t systemd_watchdog_usec(void)
{
    uint64_t usec;

    return sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void free_names(char **names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        free(names[i]);
    free(names);
}

int systemd_take_sockets(struct systemd_socket **out)
{
    struct systemd_socket *sockets = NULL;
    char **names = NULL;
    int err, count = sd_listen_fds_with_names(1, &names);

    *out = NULL;
    if (count <= 0)
        return count;
    sockets = calloc((size_t)count, sizeof(*sockets));
    if (sockets == NULL) {
        free_names(names);
        return -ENOMEM;
    }
    for (int i = 0; i < count; i++) {
        sockets[i] = (struct systemd_socket){.name = names[i], .fd = SD_LISTEN_FDS_START + i};
        names[i] = NULL;
    }
    free(names); /* each name has moved to its socket */
    for (int i = 0; i < count; i++) {
        err = set_nonblocking(sockets[i].fd);
        if (err < 0) {
            systemd_sockets_free(sockets, count);
            return err;
        }
    }
    *out = sockets;
    return count;
}

void systemd_sockets_free(struct systemd_socket *sockets, int count)
{
    for (int i = 0; i < count; i++)
        free(sockets[i].name);
    free(sockets);
}
