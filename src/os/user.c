/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static bool read_id(const char *text, unsigned *id)
{
    char *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    /* (uid_t)-1 means "leave it" to the kernel and is nobody's id */
    if (errno || *end || value >= UINT_MAX)
        return false;
    *id = (unsigned)value;
    return true;
}

int user_find(const char *name, uid_t *uid, gid_t *own_group)
{
    const struct passwd *pw = getpwnam(name);

    if (!pw && read_id(name, uid))
        pw = getpwuid(*uid);
    if (!pw)
        return -ENOENT;
    *uid = pw->pw_uid;
    *own_group = pw->pw_gid;
    return 0;
}

int group_find(const char *name, gid_t *gid)
{
    const struct group *gr = getgrnam(name);

    if (gr) {
        *gid = gr->gr_gid;
        return 0;
    }
    return read_id(name, gid) ? 0 : -ENOENT;
}

int user_become(const char *user, const char *group)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if ((user && user_find(user, &uid, &gid)) || (group && group_find(group, &gid)))
        return -ENOENT;
    if ((user ? initgroups(user, gid) : setgroups(1, &gid)) < 0)
        return -errno;
    if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    if (user && uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
        return -EPERM;
    return 0;
}
