/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket to a local log daemon (journald, syslogd) that is never waited for. The libraries'
 * own calls, sd_journal_sendv(3) and syslog(3), send on a blocking socket: a log daemon that
 * has stopped would stop every session with it.
 */
#ifndef PENSTOCK_OS_LOG_DATAGRAM_H
#define PENSTOCK_OS_LOG_DATAGRAM_H

#include <stddef.h>
#include <sys/un.h>

struct log_datagram {
    int fd;
    struct sockaddr_un to;
};

/* Connect to the datagram socket at `path`. Returns 0 or a negative errno (nothing is open then).
 */
int log_datagram_open(struct log_datagram *d, const char *path);

/* Send one event; connects again when the daemon was restarted. Returns 0, or -EAGAIN: lost. */
int log_datagram_send(struct log_datagram *d, const char *bytes, size_t length);

void log_datagram_close(struct log_datagram *d);

#endif
