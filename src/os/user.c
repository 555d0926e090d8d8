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

/* Threads look up, too: nothing here may be of the C library's own memory. */
#define ROOM_MAX ((size_t)1024 * 1024)

/* By name, or by id if that is NULL. *room holds its texts and is to be freed in any case. */
static bool find_user(const char *name, uid_t id, struct passwd *pw, char **room)
{
    struct passwd *found = NULL;
    int error = ERANGE;

    *room = NULL;
    for (size_t size = 1024; error == ERANGE && size <= ROOM_MAX; size *= 4) {
        free(*room);
        *room = malloc(size);
        if (!*room)
            return false;
        error = name ? getpwnam_r(name, pw, *room, size, &found)
                     : getpwuid_r(id, pw, *room, size, &found);
    }
    return error == 0 && found;
}

static bool find_group(const char *name, gid_t *gid)
{
    struct group gr, *found = NULL;
    char *room = NULL;
    int error = ERANGE;

    for (size_t size = 1024; error == ERANGE && size <= ROOM_MAX; size *= 4) {
        free(room);
        room = malloc(size);
        if (!room)
            return false;
        error = getgrnam_r(name, &gr, room, size, &found);
    }
    if (error == 0 && found)
        *gid = gr.gr_gid;
    free(room);
    return error == 0 && found;
}

static int look_up(const char *name, struct user *user)
{
    struct passwd pw;
    char *room;
    unsigned id;
    bool found = find_user(name, 0, &pw, &room);

    if (!found && read_id(name, &id)) {
        free(room);
        found = find_user(NULL, id, &pw, &room);
    }
    if (found)
        found =
            (size_t)snprintf(user->name, sizeof(user->name), "%s", pw.pw_name) < sizeof(user->name);
    if (found) {
        user->uid = pw.pw_uid;
        user->gid = pw.pw_gid;
    }
    free(room);
    return found ? 0 : -ENOENT;
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
    return find_group(name, gid) || read_id(name, gid) ? 0 : -ENOENT;
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
