/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/watch_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/files.h"
#include "os/watchdir.h"

/* Editors write a file in steps, and people save more than one. */
#define QUIET_MS 200

void watch_config_init(struct watch_config *wc, const struct ruleset *set, struct reload *reload)
{
    *wc = (struct watch_config){.set = set, .reload = reload, .watch = WATCH_NONE};
}

/* The main file's directory, and conf.d in it if that is there. */
static int add_directories(const struct watch_config *wc, int fd)
{
    char *dir = files_directory(wc->set->conf->path), *sub = NULL;
    int error = -ENOMEM;

    if (dir && asprintf(&sub, "%s/conf.d", dir) >= 0) {
        error = watchdir_add(fd, dir);
        if (error == 0)
            error = watchdir_add(fd, sub);
        if (error == -ENOENT || error == -ENOTDIR)
            error = 0; /* as when it is read: there are no such files */
        free(sub);
    }
    free(dir);
    return error;
}

static void warn(const struct watch_config *wc, int error)
{
    log_message(wc->set->worker->log, LEVEL_WARNING,
                "watch_config: the files can't be watched: %s; SIGHUP reloads them",
                strerror(-error));
}

static void on_quiet(struct timer *t)
{
    reload_request(container_of(t, struct watch_config, timer)->reload);
}

static bool is_config(void *arg, const char *name)
{
    const struct watch_config *wc = arg;
    const char *path = wc->set->conf->path, *slash = strrchr(path, '/');
    const char *dot = strrchr(name, '.');

    return strcmp(name, slash ? slash + 1 : path) == 0 || strcmp(name, "conf.d") == 0 ||
           name[0] == '\0' || (name[0] != '.' && dot && strcmp(dot, ".conf") == 0);
}

static void on_news(struct watch *w, unsigned events)
{
    struct watch_config *wc = container_of(w, struct watch_config, watch);
    int error;

    (void)events;
    if (!watchdir_read(w->fd, is_config, wc))
        return;
    error = add_directories(wc, w->fd); /* conf.d may be there now, or another one */
    if (error)
        warn(wc, error);
    if (loop_timer(wc->set->worker->loop, &wc->timer, QUIET_MS, on_quiet))
        reload_request(wc->reload);
}

static void start(struct watch_config *wc)
{
    int fd = watchdir_new(), error;

    error = fd < 0 ? fd : add_directories(wc, fd);
    if (error == 0)
        error = loop_watch(wc->set->worker->loop, &wc->watch, fd, LOOP_READ, on_news);
    if (error == 0)
        return;
    warn(wc, error);
    if (fd >= 0)
        close(fd);
}

void watch_config_stop(struct watch_config *wc)
{
    int fd = wc->watch.fd;

    if (!wc->set)
        return;
    loop_timer_stop(wc->set->worker->loop, &wc->timer);
    if (fd < 0)
        return;
    loop_unwatch(wc->set->worker->loop, &wc->watch);
    close(fd);
}

void watch_config_apply(struct watch_config *wc)
{
    bool wanted = wc->set->conf->daemon.watch_config;

    if (wanted && wc->watch.fd < 0)
        start(wc);
    else if (!wanted && wc->watch.fd >= 0)
        watch_config_stop(wc);
}
