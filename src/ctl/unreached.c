/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/unreached.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/must.h"

/* Whose it is, as far as we may see. */
static char *denied(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return must_print("%s: permission denied, its directory is closed to you: use sudo", path);

    const struct passwd *user = getpwuid(st.st_uid);
    char *owner = user ? must_print("%s", user->pw_name) : must_print("%u", (unsigned)st.st_uid);
    const struct group *entry = getgrgid(st.st_gid);
    char *group = entry ? must_print("%s", entry->gr_name) : must_print("%u", (unsigned)st.st_gid);
    unsigned mode = (unsigned)st.st_mode & 0777;
    bool group_may = (mode & S_IWGRP) && st.st_gid != 0;
    char *reason = must_print("%s: permission denied, it is for %s:%s (mode %04o): %s%s%s", path,
                              owner, group, mode, group_may ? "be in group " : "use sudo",
                              group_may ? group : "", group_may ? ", or use sudo" : "");

    free(owner);
    free(group);
    return reason;
}

char *unreached_reason(const char *path, int cause)
{
    switch (cause) {
    case EACCES:
    case EPERM:
        return denied(path);
    case ENOENT:
    case ENOTDIR:
        return must_print("%s: there is no such socket: is penstockd running (systemctl start "
                          "penstockd), and is this its daemon.control?",
                          path);
    case ECONNREFUSED:
        return must_print("%s: nobody listens there: penstockd has ended, or this is not its "
                          "daemon.control (systemctl status penstockd)",
                          path);
    case EAGAIN: /* its backlog is full (connect(2)) */
        return must_print("%s: penstockd does not answer: others wait there already", path);
    default:
        return must_print("%s: %s", path, strerror(cause));
    }
}
