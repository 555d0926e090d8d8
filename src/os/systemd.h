/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service manager offers: notification, watchdog, passed sockets. systemd.c uses
 * libsystemd; systemd_none.c is its sibling for a build without, chosen by Automake, so that no
 * caller needs an #ifdef. Without a manager every call is a cheap no-op.
 */
#ifndef PENSTOCK_OS_SYSTEMD_H
#define PENSTOCK_OS_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Was libsystemd built in? */
bool systemd_built_in(void);

/*
 * Send a notification as sd_notify(3) has it ("READY=1\nSTATUS=..."), without ever waiting. Returns
 * 0 when it was taken or nobody wants any, -EAGAIN when it was not taken now but may be later, or
 * another negative errno: it never will be.
 */
int systemd_notify(const char *state);

/* The watchdog's period in microseconds, or 0 when none is asked for (sd_watchdog_enabled(3)). */
uint64_t systemd_watchdog_usec(void);

/* A socket passed by the manager (sd_listen_fds_with_names(3)). */
struct systemd_socket {
    char *name;
    int fd;
};

/*
 * Take the passed sockets, once, at start: sets *out to an array that the caller frees with
 * systemd_sockets_free() and returns their number (0 without any), or a negative errno. The
 * descriptors belong to the caller; they are made close-on-exec and non-blocking, and the
 * environment variables are removed.
 */
int systemd_take_sockets(struct systemd_socket **out);
void systemd_sockets_free(struct systemd_socket *sockets, int count);

#endif
