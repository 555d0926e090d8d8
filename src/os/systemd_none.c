/* SPDX-License-Identifier: BSD-2-Clause */
/* Instead of systemd.c in a build without libsystemd. */
#include "config.h"

#include "os/systemd.h"

bool systemd_built_in(void)
{
    return false;
}

int systemd_notify(const char *state)
{
    (void)state;
    return 0;
}

uint64_t systemd_watchdog_usec(void)
{
    return 0;
}

int systemd_take_sockets(struct systemd_socket **out)
{
    *out = NULL;
    return 0;
}

void systemd_sockets_free(struct systemd_socket *sockets, int count)
{
    (void)sockets;
    (void)count;
}
