/* SPDX-License-Identifier: BSD-2-Clause */
/* Users and groups by name: whose a socket file is, and whom the daemon becomes. */
#ifndef PENSTOCK_OS_USER_H
#define PENSTOCK_OS_USER_H

#include <sys/types.h>

/* A name or a number to an id. 0, or -ENOENT when there is none. */
int user_find(const char *name, uid_t *uid, gid_t *own_group);
int group_find(const char *name, gid_t *gid);

/*
 * Become `user` (may be NULL: only the group changes) and `group` (may be NULL: the user's own),
 * for good: supplementary groups, all ids, and it is proved that there is no way back. Returns 0 or
 * a negative errno (-ENOENT: no such user or group), and then the process must not go on.
 */
int user_become(const char *user, const char *group);

#endif
