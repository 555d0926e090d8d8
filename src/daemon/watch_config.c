/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/watch_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/files.h"
#include "os/watchdir.h"

/* Editors write a file in steps, and people save more than one. */
#define QUIET_MS 200

/* But something may be saved all the time. */
#define LATEST_MS 2000

void watch_config_init(struct watch_config *wc, const struct ruleset *set, struct reload *reload)
{
    *wc = (struct watch_config){.set = set, .reload = reload, .watch = WATCH_NONE};
}

/* The path of a file in the main file's directory, or in conf.d there. NULL without memory. */
static char *path_of(const struct watch_config *wc, bool in_conf_d, const char *name)
{
    char *dir = files_directory(wc->set->conf->path), *path = NULL;

    if (dir && asprintf(&path, "%s/%s%s", dir, in_conf_d ? "conf.d/" : "", name) < 0)
        path = NULL; /* undefined after a failure */
    free(dir);
    return path;
}

static int add_directory(int fd, char *path)
{
    int number = path ? watchdir_add(fd, path) : -ENOMEM;

    free(path);
    return number;
}

/* The main file's directory, and conf.d in it if that is there. */
static int add_directories(struct watch_config *wc, int fd)
{
    int error;

    wc->main = add_directory(fd, path_of(wc, false, ""));
    error = wc->main < 0 ? wc->main : add_directory(fd, path_of(wc, true, ""));
    if (error == -ENOENT || error == -ENOTDIR)
        return 0; /* as when it is read: there are no such files */
    return error < 0 ? error : 0;
}

static void warn(const struct watch_config *wc, int error)
{
    log_message(wc->set->worker->log, LEVEL_WARNING,
                "watch_config: the files can't be watched: %s; SIGHUP reloads them",
                strerror(-error));
}

static void request(struct watch_config *wc)
{
    wc->latest = 0;
    reload_request(wc->reload);
}

static void on_quiet(struct timer *t)
{
    request(container_of(t, struct watch_config, timer));
}

static bool is_named_so(const struct watch_config *wc, const struct watchdir_news *news)
{
    const char *path = wc->set->conf->path, *slash = strrchr(path, '/');
    const char *name = news->name, *dot = strrchr(name, '.');

    if (name[0] == '\0')
        return true;
    if (news->directory == wc->main)
        return strcmp(name, slash ? slash + 1 : path) == 0 || strcmp(name, "conf.d") == 0;
    return name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

/* A file is heard of again when it has been written; a link to one, or a directory, is not. */
static bool is_whole(const struct watch_config *wc, const struct watchdir_news *news)
{
    char *path = path_of(wc, news->directory != wc->main, news->name);
    struct stat st;
    bool whole = true;

    if (path && lstat(path, &st) == 0)
        whole = !S_ISREG(st.st_mode) || st.st_nlink > 1;
    free(path);
    return whole;
}

static bool is_config(void *arg, const struct watchdir_news *news)
{
    const struct watch_config *wc = arg;

    return is_named_so(wc, news) && (!news->created || is_whole(wc, news));
}

/* Wait for more, each time anew, but not for ever. */
static void wait_for_quiet(struct watch_config *wc)
{
    struct loop *loop = wc->set->worker->loop;
    int64_t now = loop_now(loop), delay;

    if (wc->latest == 0)
        wc->latest = now + LATEST_MS;
    delay = wc->latest - now;
    if (delay > QUIET_MS)
        delay = QUIET_MS;
    if (loop_timer(loop, &wc->timer, delay > 0 ? delay : 1, on_quiet))
        request(wc);
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
    wait_for_quiet(wc);
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
    wc->latest = 0;
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
