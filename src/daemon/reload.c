/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/errors.h"
#include "conf/options.h"

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

static size_t count_parts(unsigned parts)
{
    return (size_t)__builtin_popcount(parts);
}

void reload_init(struct reload *r, struct ruleset *set, struct status *status,
                 const struct reload_listener *listener, const struct reload_lack *lack)
{
    *r = (struct reload){.set = set, .status = status, .listener = *listener};
    daemon_now_begin(&r->now, set->conf, lack->parts);
    r->last.failed = lack->rules + count_parts(lack->parts);
    r->last.generation = 1;
    r->last.loaded_at_ms = clock_wall_ms();
}

void reload_fini(struct reload *r)
{
    daemon_now_end(&r->now);
    conf_errors_free(&r->errors);
    r->last.errors = NULL;
}

static struct log *log_of(const struct reload *r)
{
    return r->set->worker->log;
}

static void log_errors(struct log *log, const struct conf_errors *errors, size_t from)
{
    for (size_t i = from; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];
        enum log_level level = e->warning ? LEVEL_WARNING : LEVEL_ERROR;

        if (e->at.line == 0)
            log_message(log, level, "%s: %s", e->at.file, e->text);
        else
            log_message(log, level, "%s:%u: %s", e->at.file, e->at.line, e->text);
    }
}

void reload_log_errors(struct log *log, const struct conf_errors *errors)
{
    log_errors(log, errors, 0);
}

/* --- what came of it ------------------------------------------------------------------------- */

/* `errors` is taken. */
static void keep_errors(struct reload *r, struct conf_errors *errors)
{
    conf_errors_free(&r->errors);
    r->errors = *errors;
    *errors = (struct conf_errors){0};
    r->last.errors = &r->errors;
}

static void note(struct reload *r, enum ops_outcome outcome, const char *error)
{
    snprintf(r->error, sizeof(r->error), "%s", error ? error : "");
    r->last.outcome = outcome;
    r->last.at_ms = clock_wall_ms();
    r->last.error = error ? r->error : NULL;
}

static void over(struct reload *r, enum ops_outcome outcome, const char *error)
{
    r->last.number = r->begun;
    note(r, outcome, error);
    if (outcome == OPS_RELOAD_OK)
        r->last.loaded_at_ms = r->last.at_ms;
    if (r->listener.over)
        r->listener.over(r->listener.arg);
}

void reload_note_failed(struct reload *r, const char *error)
{
    note(r, OPS_RELOAD_FAILED, error);
}

/* --- what was read --------------------------------------------------------------------------- */

/* What only a start can change. */
static void warn_of_late(struct reload *r, const struct conf *conf)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!table[i].late || option_equal(&table[i], IN_DAEMON, &r->now.options, &conf->daemon))
            continue;
        conf_errors_warn(&r->errors, conf_daemon_near(conf, table[i].name),
                         "%s takes effect with the next start", table[i].name);
    }
}

/* Which parts of the daemon's options could not be set. */
static unsigned set_log(struct reload *r, const struct conf *conf)
{
    const struct conf_daemon *is = &r->now.options, *d = &conf->daemon;
    int error;

    if (is->log_level == d->log_level && is->log_format == d->log_format &&
        is->log_target == d->log_target)
        return 0;
    error = log_configure(log_of(r), (enum log_level)d->log_level, (enum log_format)d->log_format,
                          (enum log_target)d->log_target);
    if (!error)
        return 0;
    conf_errors_add(&r->errors, conf_daemon_near(conf, "log_target"),
                    "log_target: %s; the log goes on as it was",
                    error == -ENOTSUP ? "this build has no such target" : strerror(-error));
    return DAEMON_PART(DAEMON_LOG);
}

/* How many could not be set. */
static size_t set_options(struct reload *r, struct conf *conf)
{
    size_t before = r->errors.count;
    unsigned failed = set_log(r, conf);

    warn_of_late(r, conf);
    if (r->listener.applied)
        failed |= r->listener.applied(r->listener.arg, &r->errors);
    log_errors(log_of(r), &r->errors, before);
    daemon_now_change(&r->now, conf, failed);
    return count_parts(failed);
}

static void log_changes(const struct reload *r, const struct ruleset_changes *c,
                        size_t failed_options)
{
    log_fields(log_of(r), LEVEL_INFO, "reloaded",
               (struct log_field[]){
                   LOG_NUMBER("rules", r->set->count), LOG_NUMBER("listeners", r->set->listeners),
                   LOG_NUMBER("added", c->added), LOG_NUMBER("removed", c->removed),
                   LOG_NUMBER("changed", c->changed),
                   LOG_NUMBER("failed", c->failed + failed_options)},
               6);
}

static void not_reloaded(struct reload *r, size_t errors, const char *first)
{
    char problem[sizeof(r->error) + 32];

    log_fields(log_of(r), LEVEL_WARNING, "config not reloaded",
               (struct log_field[]){LOG_NUMBER("errors", errors)}, 1);
    snprintf(problem, sizeof(problem), "config not reloaded: %s", first);
    status_reloaded(r->status, problem);
    over(r, OPS_RELOAD_FAILED, first);
}

static void reloaded(struct reload *r, const struct ruleset_changes *c, size_t failed_options)
{
    r->last.generation++;
    r->last.added = c->added;
    r->last.removed = c->removed;
    r->last.changed = c->changed;
    r->last.failed = c->failed + failed_options;
    log_changes(r, c, failed_options);
    status_reloaded(r->status,
                    r->last.failed > 0 ? "some rules or options could not change" : NULL);
    over(r, OPS_RELOAD_OK, NULL);
}

static void apply(struct reload *r, struct conf *conf)
{
    struct passed none = {0};
    struct ruleset_changes changes;
    int error;

    r->set->failures = &r->errors;
    error = ruleset_apply(r->set, conf, &none, &changes);
    r->set->failures = NULL;
    if (error) {
        log_message(log_of(r), LEVEL_ERROR, "reload: %s", strerror(-error));
        not_reloaded(r, 1, strerror(-error));
    } else {
        reloaded(r, &changes, set_options(r, conf));
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static void work(void *arg)
{
    struct reading *rd = arg;

    rd->conf = conf_load(rd->path, &rd->errors);
}

static void start(struct reload *r);

static void done(void *arg)
{
    struct reading *rd = arg;
    struct reload *r = rd->reload;
    char first[sizeof(r->error)];

    r->task = NULL;
    /* Only now: the manager would skip ExecStop=, and so the announcement of a restart
     * (before_stop.h), for as long as it believes that we are busy. */
    status_reloading(r->status);
    reload_log_errors(log_of(r), &rd->errors);
    keep_errors(r, &rd->errors);
    if (!conf_errors_first(&r->errors, first, sizeof(first)))
        snprintf(first, sizeof(first), "%s", strerror(ENOMEM));
    if (rd->conf)
        apply(r, rd->conf);
    else
        not_reloaded(r, r->errors.fatal, first);
    if (r->again)
        start(r);
}

static void start(struct reload *r)
{
    struct reading *rd = calloc(1, sizeof(*rd));

    r->again = false;
    r->begun++;
    r->last.outcome = OPS_RELOAD_BUSY;
    if (rd)
        rd->path = strdup(r->set->conf->path);
    if (!rd || !rd->path) {
        free(rd);
        log_message(log_of(r), LEVEL_ERROR, "reload: %s", strerror(ENOMEM));
        keep_errors(r, &(struct conf_errors){0});
        not_reloaded(r, 1, strerror(ENOMEM));
        return;
    }
    rd->reload = r;

    struct task *task = task_start(r->set->worker->loop, work, done, release, rd);

    if (task) /* else it is done already */
        r->task = task;
}

uint64_t reload_request(struct reload *r)
{
    uint64_t number = r->begun + 1;

    if (r->task)
        r->again = true;
    else
        start(r);
    return number;
}

bool reload_is_busy(const struct reload *r)
{
    return r->task != NULL;
}

void reload_cancel(struct reload *r)
{
    task_abandon(r->task);
    if (r->task) {
        keep_errors(r, &(struct conf_errors){0});
        r->task = NULL;
        r->begun += r->again;
        r->again = false;
        over(r, OPS_RELOAD_FAILED, "penstockd is about to end");
    }
}
