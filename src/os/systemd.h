/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service manager offers: watchdog and passed sockets (systemd.c), notification and the
 * descriptor store (systemd_notify.c), what it says of us (systemd_bus.c). systemd_none.c is their
 * sibling for a build without libsystemd, chosen by Automake, so that no caller needs an #ifdef.
 * Without a manager every call is a cheap no-op.
 */
#ifndef PENSTOCK_OS_SYSTEMD_H
#define PENSTOCK_OS_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Was libsystemd built in? */
bool systemd_built_in(void);

/* Is there a service manager that hears us ($NOTIFY_SOCKET)? */
bool systemd_is_there(void);

/*
 * Send a notification as sd_notify(3) has it ("READY=1\nSTATUS=..."), without ever waiting. Returns
 * 0 when it was taken or nobody wants any, -EAGAIN when it was not taken now but may be later, or
 * another negative errno: it never will be.
 */
int systemd_notify(const char *state);

/* The watchdog's period in microseconds, or 0 when none is asked for (sd_watchdog_enabled(3)). */
uint64_t systemd_watchdog_usec(void);

/* A descriptor passed by the manager (sd_listen_fds_with_names(3)): from a socket unit, or out of
 * the descriptor store. */
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

/* --- the descriptor store (sd_pid_notify_with_fds(3)) ---------------------------------------- */

/* The most descriptors that go with one message (SCM_MAX_FD of the kernel, unix(7)). */
#define SYSTEMD_STORE_BATCH 253

/*
 * Give the manager duplicates of up to SYSTEMD_STORE_BATCH descriptors, to keep under `name` until
 * they are removed or the service has stopped, whatever becomes of them (FDSTORE=1, FDPOLL=0), and
 * to pass to the next start. One that it has already stays under its first name. Never waits.
 * Returns 0 when the message was taken or there is no manager, -EAGAIN when it may be taken later,
 * or another negative errno. A message that was taken may still be refused: the manager says so to
 * the journal only. For each one it looks through all that it has, and does nothing else
 * meanwhile (2 s for 2000, half a minute for 8000): many go in a parcel (os/parcel.h).
 */
int systemd_store(const char *name, const int *fds, size_t count);

/* Let the manager close all it keeps under `name`. As above. */
int systemd_store_remove(const char *name);

/* The same, and wait for a manager that is busy, but for a second at most. */
void systemd_store_remove_now(const char *name);

/* Wait until the manager has read every message so far (sd_notify_barrier(3)), at most this long.
 * Returns 0, or a negative errno (-ETIMEDOUT). */
int systemd_barrier(int timeout_ms);

/* What the manager says of our unit, over D-Bus. */
struct systemd_unit {
    bool restarting;     /* its job is to restart us: it will pass the store to the next process */
    uint32_t store_most; /* FileDescriptorStoreMax= */
    uint32_t stored;     /* descriptors in the store */
};

/*
 * Ask the manager, and wait for the answer at most `timeout_ms`: for a thread that may wait;
 * nothing is shared. Returns 0 and fills *unit, or a negative errno when we are no unit of a
 * manager (-ENXIO) or it can't be asked. The user whose manager it is asks on the manager's own
 * socket, others on the bus; but dbus-daemon turns those away whom it can't find by name, as are
 * with systemd 250 and later the users of DynamicUser= (at once, as -ETIMEDOUT).
 */
int systemd_ask(struct systemd_unit *unit, int timeout_ms);

#endif
