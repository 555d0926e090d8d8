/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/watchdir.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

/* IN_CREATE is for links and directories, which are never written to. */
#define OF_FILES     (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define OF_DIRECTORY (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

int watchdir_new(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int watchdir_add(int fd, const char *dir)
{
    int number = inotify_add_watch(fd, dir, OF_FILES | OF_DIRECTORY);

    return number < 0 ? -errno : number;
}

static bool is_wanted(int fd, const struct inotify_event *event, watchdir_fn *wanted, void *arg)
{
    struct watchdir_news news = {.directory = event->wd,
                                 .name = event->len > 0 ? event->name : "",
                                 .created = event->mask & IN_CREATE};

    if (event->mask & IN_Q_OVERFLOW)
        return true;
    if (event->mask & IN_IGNORED)
        return false; /* the end of a watch, of which the cause has been told */
    if (event->mask & IN_MOVE_SELF)
        inotify_rm_watch(fd, event->wd); /* or it would follow to the new name */
    return wanted(arg, &news);
}

bool watchdir_read(int fd, watchdir_fn *wanted, void *arg)
{
    _Alignas(struct inotify_event) char news[8192];
    bool any = false;
    ssize_t n;

    while ((n = read(fd, news, sizeof(news))) > 0 || (n < 0 && errno == EINTR)) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(news + at);

            if (is_wanted(fd, event, wanted, arg))
                any = true;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return any;
}
