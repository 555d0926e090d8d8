/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct user {
    uid_t uid;
    gid_t gid; /* its own group */
    char name[LOGIN_NAME_MAX];
};

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

static int look_up(const char *name, struct user *user)
{
    const struct passwd *pw = getpwnam(name);
    unsigned id;

    if (!pw && read_id(name, &id))
        pw = getpwuid(id);
    if (!pw ||
        (size_t)snprintf(user->name, sizeof(user->name), "%s", pw->pw_name) >= sizeof(user->name))
        return -ENOENT;
    user->uid = pw->pw_uid;
    user->gid = pw->pw_gid;
    return 0;
}

int user_find(const char *name, uid_t *uid, gid_t *own_group)
{
    struct user user;
    int error = look_up(name, &user);

    if (error)
        return error;
    *uid = user.uid;
    *own_group = user.gid;
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

/* A process that is nobody else can't set its groups, and has no need to. */
static bool is_already(uid_t uid, gid_t gid)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;

    return getresuid(&r, &e, &s) == 0 && getresgid(&gr, &ge, &gs) == 0 && uid != 0 && r == uid &&
           e == uid && s == uid && gr == gid && ge == gid && gs == gid;
}

int user_become(const char *user, const char *group)
{
    struct user to = {.uid = geteuid(), .gid = getegid()};
    gid_t gid;

    if (user && look_up(user, &to))
        return -ENOENT;
    gid = to.gid;
    if (group && group_find(group, &gid))
        return -ENOENT;
    if (is_already(to.uid, gid))
        return 0;
    /* The group database knows members by name, also of a user that was given by number. */
    if ((user ? initgroups(to.name, gid) : setgroups(1, &gid)) < 0)
        return -errno;
    if (setresgid(gid, gid, gid) < 0 || setresuid(to.uid, to.uid, to.uid) < 0)
        return -errno;
    if (user && to.uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
        return -EPERM;
    return 0;
}
