/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two programs of an upgrade in place agree on. */
#ifndef PENSTOCK_DAEMON_REEXEC_ENV_H
#define PENSTOCK_DAEMON_REEXEC_ENV_H

/* The environment variable with the number of the snapshot's descriptor; and, each after a colon,
 * the numbers of the operators' listening sockets, the file of the control socket
 * (sock_file_id_print()), and the names of what is in the service manager's store, which begin with
 * a dot. Whoever does not know what one of these is passes over it. */
#define REEXEC_VARIABLE  "PENSTOCK_HANDOVER"
#define REEXEC_VALUE_MAX 256

/* For --check: the version of snapshots that it will have to read. */
#define REEXEC_VERSION_VARIABLE "PENSTOCK_HANDOVER_VERSION"

/* Which it says then, as no program does that is none of us. */
#define REEXEC_ANSWER_BEGIN "takes over from version "
#define REEXEC_ANSWER       REEXEC_ANSWER_BEGIN "%d"

#endif
