/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of the files; the thread's until it is done. */
struct reading {
    struct reload *reload;
    char *path;
    struct conf *conf;
    struct conf_errors errors;
};

static void release(void *arg)
{
    struct reading *rd = arg;

    conf_unref(rd->conf);
    conf_errors_free(&rd->errors);
    free(rd->path);
    free(rd);
}

void reload_init(struct reload *r, struct ruleset *set, struct status *status,
                 reload_applied_fn *applied, void *arg)
{
    *r = (struct reload){.set = set, .status = status, .applied = applied, .applied_arg = arg};
}

static struct log *log_of(const struct reload *r)
{
    return r->set->worker->log;
}

void reload_log_errors(struct log *log, const struct conf_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];
        enum log_level level = e->warning ? LEVEL_WARNING : LEVEL_ERROR;

        if (e->at.line == 0)
            log_message(log, level, "%s: %s", e->at.file, e->text);
        else
            log_message(log, level, "%s:%u: %s", e->at.file, e->at.line, e->text);
    }
}

/* --- what was read --------------------------------------------------------------------------- */

/* What only a start can change. */
static void warn_of_late(const struct reload *r, const struct conf *before, const struct conf *now)
{
    const struct {
        const char *option;
        bool changed;
    } late[] = {
        {"engine", before->daemon.engine != now->daemon.engine},
        {"user", strcmp(before->daemon.user ? before->daemon.user : "",
                        now->daemon.user ? now->daemon.user : "") != 0},
        {"group", strcmp(before->daemon.group ? before->daemon.group : "",
                         now->daemon.group ? now->daemon.group : "") != 0},
    };

    for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
        struct conf_place at = conf_daemon_place(now, late[i].option);

        if (late[i].changed)
            log_message(log_of(r), LEVEL_WARNING, "%s:%u: %s takes effect with the next start",
                        at.file, at.line, late[i].option);
    }
}

static void set_log(const struct reload *r, const struct conf_daemon *before,
                    const struct conf_daemon *now)
{
    int error;

    if (before->log_level == now->log_level && before->log_format == now->log_format &&
        before->log_target == now->log_target)
        return;
    error = log_configure(log_of(r), (enum log_level)now->log_level,
                          (enum log_format)now->log_format, (enum log_target)now->log_target);
    if (error)
        log_message(log_of(r), LEVEL_ERROR, "log_target: %s; the log goes on as it was",
                    error == -ENOTSUP ? "this build has no such target" : strerror(-error));
}

static void log_changes(const struct reload *r, const struct ruleset_changes *c)
{
    log_fields(log_of(r), LEVEL_INFO, "reloaded",
               (struct log_field[]){
                   LOG_NUMBER("rules", r->set->count), LOG_NUMBER("listeners", r->set->listeners),
                   LOG_NUMBER("added", c->added), LOG_NUMBER("removed", c->removed),
                   LOG_NUMBER("changed", c->changed), LOG_NUMBER("failed", c->failed)},
               6);
}

static void not_reloaded(struct reload *r, size_t errors, const char *first)
{
    char problem[256];

    log_fields(log_of(r), LEVEL_WARNING, "config not reloaded",
               (struct log_field[]){LOG_NUMBER("errors", errors)}, 1);
    snprintf(problem, sizeof(problem), "config not reloaded: %s", first);
    status_reloaded(r->status, problem);
}

static void apply(struct reload *r, struct conf *conf)
{
    struct conf *before = conf_ref(r->set->conf);
    struct passed none = {0};
    struct ruleset_changes changes;
    int error = ruleset_apply(r->set, conf, &none, &changes);

    if (error) {
        log_message(log_of(r), LEVEL_ERROR, "reload: %s", strerror(-error));
        not_reloaded(r, 1, strerror(-error));
    } else {
        set_log(r, &before->daemon, &conf->daemon);
        warn_of_late(r, before, conf);
        log_changes(r, &changes);
        r->applied(r->applied_arg);
        status_reloaded(r->status, changes.failed > 0 ? "some rules could not change" : NULL);
    }
    conf_unref(before);
}

/* --- reading --------------------------------------------------------------------------------- */

static void work(void *arg)
{
    struct reading *rd = arg;

    rd->conf = conf_load(rd->path, &rd->errors);
}

static const char *first_error(const struct conf_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        if (!errors->list[i].warning)
            return errors->list[i].text;
    }
    return "out of memory";
}

static void start(struct reload *r);

static void done(void *arg)
{
    struct reading *rd = arg;
    struct reload *r = rd->reload;

    r->task = NULL;
    /* Only now: the manager would skip ExecStop=, and so the announcement of a restart
     * (before_stop.h), for as long as it believes that we are busy. */
    status_reloading(r->status);
    reload_log_errors(log_of(r), &rd->errors);
    if (rd->conf)
        apply(r, rd->conf);
    else
        not_reloaded(r, rd->errors.fatal, first_error(&rd->errors));
    if (r->again)
        start(r);
}

static void start(struct reload *r)
{
    struct reading *rd = calloc(1, sizeof(*rd));

    r->again = false;
    if (rd)
        rd->path = strdup(r->set->conf->path);
    if (!rd || !rd->path) {
        free(rd);
        log_message(log_of(r), LEVEL_ERROR, "reload: %s", strerror(ENOMEM));
        not_reloaded(r, 1, strerror(ENOMEM));
        return;
    }
    rd->reload = r;

    struct task *task = task_start(r->set->worker->loop, work, done, release, rd);

    if (task) /* else it is done already */
        r->task = task;
}

void reload_request(struct reload *r)
{
    if (r->task)
        r->again = true;
    else
        start(r);
}

bool reload_is_busy(const struct reload *r)
{
    return r->task != NULL;
}

void reload_cancel(struct reload *r)
{
    task_abandon(r->task);
    r->task = NULL;
}
