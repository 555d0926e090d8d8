/* SPDX-License-Identifier: BSD-2-Clause */
/* Instead of systemd*.c in a build without libsystemd. */
#include "config.h"

#include "os/systemd.h"

#include <errno.h>

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

int systemd_store(const char *name, const int *fds, size_t count)
{
    (void)name;
    (void)fds;
    (void)count;
    return 0;
}

int systemd_store_remove(const char *name)
{
    (void)name;
    return 0;
}

void systemd_store_remove_now(const char *name)
{
    (void)name;
}

bool systemd_is_there(void)
{
    return false;
}

int systemd_barrier(int timeout_ms)
{
    (void)timeout_ms;
    return 0;
}

int systemd_ask(struct systemd_unit *unit, int timeout_ms)
{
    (void)unit;
    (void)timeout_ms;
    return -ENXIO;
}
