/* SPDX-License-Identifier: BSD-2-Clause */
/* Could these records have been live in a process? Pure. */
#ifndef PENSTOCK_DAEMON_SNAPSHOT_CHECK_H
#define PENSTOCK_DAEMON_SNAPSHOT_CHECK_H

struct snapshot;

/*
 * Does it hold all that snapshot_read() guarantees? Returns NULL, or what is wrong (static text).
 * Who writes a snapshot may ask too, before anything is let go.
 */
const char *snapshot_check(const struct snapshot *s);

#endif
