/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/passed.h"
#include "daemon/reload.h"
#include "daemon/ruleset.h"
#include "daemon/status.h"
#include "flow/admit.h"
#include "flow/rule.h"
#include "flow/session.h"
#include "flow/worker.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "os/fds.h"
#include "os/log.h"
#include "os/user.h"

struct service {
    struct conf *conf; /* that it was started with */
    struct log *log;
    struct loop *loop;
    struct signals *signals;
    struct fds fds;
    uint64_t available; /* descriptors that could be had at start */
    struct worker worker;
    struct passed passed;
    struct ruleset set;
    struct status status;
    struct reload reload;
    struct timer drain;
    bool stopping;
};

/* --- stopping -------------------------------------------------------------------------------- */

static void end_sessions(struct service *sv)
{
    list_for_each (link, next, &sv->worker.sessions)
        session_end_now(container_of(link, struct session, link), END_SHUTDOWN);
}

static void on_drained(struct timer *t)
{
    end_sessions(container_of(t, struct service, drain));
}

/* No new clients; those that are here get drain_timeout. A second call ends them at once. */
static void stop(struct service *sv, const char *why)
{
    int64_t drain = sv->set.conf->daemon.drain_timeout;

    if (sv->stopping) {
        end_sessions(sv);
        return;
    }
    sv->stopping = true;
    log_fields(
        sv->log, LEVEL_INFO, "stopping",
        (struct log_field[]){LOG_TEXT("signal", why), LOG_NUMBER("sessions", sv->worker.live)}, 2);
    status_stopping(&sv->status);
    reload_cancel(&sv->reload);
    ruleset_close(&sv->set);
    if (sv->worker.live == 0)
        loop_stop(sv->loop);
    else if (drain == 0 || loop_timer(sv->loop, &sv->drain, drain, on_drained))
        end_sessions(sv);
}

static void on_change(void *arg)
{
    struct service *sv = arg;

    if (!sv->stopping)
        status_changed(&sv->status);
    else if (sv->worker.live == 0)
        loop_stop(sv->loop);
}

static void on_signal(void *arg, int signal)
{
    struct service *sv = arg;

    switch (signal) {
    case SIGTERM:
    case SIGINT:
        stop(sv, signal == SIGTERM ? "SIGTERM" : "SIGINT");
        break;
    case SIGHUP:
        if (!sv->stopping)
            reload_request(&sv->reload);
        break;
    default: /* of which the default action would end us */
        log_message(sv->log, LEVEL_INFO, "%s is ignored",
                    signal == SIGUSR1 ? "SIGUSR1" : "SIGUSR2");
    }
}

static void on_engine_moved(void *arg, const char *engine)
{
    struct service *sv = arg;

    log_fields(sv->log, LEVEL_INFO, "engine changed",
               (struct log_field[]){LOG_TEXT("engine", engine),
                                    LOG_NUMBER("watched", loop_watched(sv->loop))},
               2);
}

/* --- starting -------------------------------------------------------------------------------- */

static bool fail(struct service *sv, const char *what, int error)
{
    log_message(sv->log, LEVEL_ERROR, "%s: %s", what, strerror(error < 0 ? -error : error));
    return false;
}

/* What the config asks of the machine and can't have; `value` is NULL for one that speaks for
 * itself. */
static bool refuse(struct service *sv, const char *option, const char *value, const char *why)
{
    struct conf_place at = conf_daemon_place(sv->conf, option);

    if (at.line == 0)
        log_message(sv->log, LEVEL_ERROR, "%s: %s", option, why);
    else
        log_message(sv->log, LEVEL_ERROR, "%s:%u: %s%s%s%s: %s", at.file, at.line, option,
                    value ? " \"" : "", value ? value : "", value ? "\"" : "", why);
    return false;
}

static enum loop_engine engine_of(const struct conf *conf)
{
    switch (conf->daemon.engine) {
    case ENGINE_SELECT:
        return LOOP_SELECT;
    case ENGINE_EPOLL:
        return LOOP_EPOLL;
    default:
        return LOOP_AUTO;
    }
}

static bool start_log(struct service *sv)
{
    const struct conf_daemon *d = &sv->conf->daemon;
    int error = log_configure(sv->log, (enum log_level)d->log_level, (enum log_format)d->log_format,
                              (enum log_target)d->log_target);

    return error == 0 ||
           refuse(sv, "log_target", NULL,
                  error == -ENOTSUP ? "this build has no such target" : strerror(-error));
}

static bool start_loop(struct service *sv)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, 0};

    sv->loop = loop_new(engine_of(sv->conf));
    if (!sv->loop && errno == ENOTSUP)
        return refuse(sv, "engine", "epoll", "this build has no epoll");
    if (!sv->loop)
        return fail(sv, "event loop", errno);
    loop_on_move(sv->loop, on_engine_moved, sv);
    sv->signals = signals_new(sv->loop, wanted, on_signal, sv);
    return sv->signals || fail(sv, "signals", errno);
}

/* Before anything else is opened: the sockets passed to us, and how many descriptors are left. */
static bool start_fds(struct service *sv)
{
    int error = passed_take(&sv->passed);

    if (error)
        return fail(sv, "sockets passed by the service manager", error);
    /* those passed are listeners, which the limits promise */
    sv->available = fds_available() + (unsigned)sv->passed.count;
    return true;
}

/* Pipes may take a quarter of the room (two descriptors each), but nothing that is promised to
 * sessions, unless more is promised than there is anyway. Without a pipe the relay copies. */
static unsigned pipes_most(uint64_t room, uint64_t promised)
{
    uint64_t most = room / 8;

    if (promised <= room && (room - promised) / 2 < most)
        most = (room - promised) / 2;
    return (unsigned)most;
}

/* What the limits promise against what can be had. */
static bool start_worker(struct service *sv)
{
    uint64_t promised = conf_descriptors_promised(sv->conf);
    uint64_t listens = 0;

    for (size_t i = 0; i < sv->conf->rule_count; i++)
        listens += sv->conf->rules[i].listen_count;
    if (sv->available < listens + SESSION_FDS) {
        log_message(sv->log, LEVEL_ERROR,
                    "%" PRIu64 " listeners and one session need %" PRIu64 " descriptors, %" PRIu64
                    " can be had: raise the hard limit (LimitNOFILE= under systemd)",
                    listens, listens + SESSION_FDS, sv->available);
        return false;
    }
    if (promised > sv->available)
        log_fields(sv->log, LEVEL_WARNING,
                   "the limits promise more descriptors than can be had: lower max_connections, or "
                   "raise the hard limit (LimitNOFILE= under systemd)",
                   (struct log_field[]){LOG_NUMBER("promised", promised),
                                        LOG_NUMBER("available", sv->available)},
                   2);
    fds_budget(&sv->fds, sv->available);
    if (worker_init(&sv->worker, sv->loop, sv->log, &sv->fds,
                    pipes_most(sv->available - listens, promised - listens)))
        return fail(sv, "worker", ENOMEM);
    sv->worker.changed = on_change;
    sv->worker.changed_arg = sv;
    return true;
}

static void on_reloaded(void *arg)
{
    (void)arg;
}

/* Every listener is tried, so that every error is told at once. */
static bool open_rules(struct service *sv)
{
    struct ruleset_changes changes;
    int error;

    ruleset_init(&sv->set, &sv->worker);
    error = ruleset_apply(&sv->set, sv->conf, &sv->passed, &changes);
    passed_free(&sv->passed, sv->log);
    if (error)
        return fail(sv, "rules", error);
    return changes.failed == 0;
}

static bool drop_privileges(struct service *sv)
{
    const struct conf_daemon *d = &sv->conf->daemon;
    uid_t uid;
    gid_t gid;
    int error;

    if (!d->user && !d->group)
        return true;
    if (d->user && user_find(d->user, &uid, &gid))
        return refuse(sv, "user", d->user, "there is no such user");
    if (d->group && group_find(d->group, &gid))
        return refuse(sv, "group", d->group, "there is no such group");
    error = user_become(d->user, d->group);
    if (error)
        return refuse(sv, d->user ? "user" : "group", d->user ? d->user : d->group,
                      strerror(-error));
    return true;
}

static bool start_serving(struct service *sv)
{
    status_start(&sv->status, &sv->set);
    reload_init(&sv->reload, &sv->set, &sv->status, on_reloaded, sv);
    status_ready(&sv->status);
    log_fields(sv->log, LEVEL_INFO, "listening",
               (struct log_field[]){LOG_NUMBER("rules", sv->set.count),
                                    LOG_NUMBER("listeners", sv->set.listeners),
                                    LOG_TEXT("engine", loop_engine_name(sv->loop)),
                                    LOG_TEXT("config", sv->conf->path)},
               4);
    return true;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void tear_down(struct service *sv)
{
    ruleset_close(&sv->set);
    end_sessions(sv);
    if (sv->loop) {
        reload_cancel(&sv->reload);
        if (sv->status.set)
            status_stop(&sv->status);
        loop_timer_stop(sv->loop, &sv->drain);
    }
    signals_free(sv->signals);
    if (sv->worker.loop)
        worker_fini(&sv->worker);
    passed_free(&sv->passed, sv->log);
    ruleset_free(&sv->set);
    loop_free(sv->loop); /* and the sessions ended above, the last to hold their rules */
    log_free(sv->log);
}

int service_run(struct conf *conf)
{
    struct service sv = {.conf = conf, .log = log_new()};
    bool ok;

    list_init(&sv.worker.sessions);
    ok = start_fds(&sv) && start_log(&sv) && start_loop(&sv) && start_worker(&sv) &&
         open_rules(&sv) && drop_privileges(&sv) && start_serving(&sv);
    if (ok) {
        int error = loop_run(sv.loop);

        if (error)
            ok = fail(&sv, "event loop", error);
        else
            log_message(sv.log, LEVEL_INFO, "stopped");
    }
    tear_down(&sv);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
