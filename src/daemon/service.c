/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/before_stop.h"
#include "daemon/former.h"
#include "daemon/handover.h"
#include "daemon/idle.h"
#include "daemon/passed.h"
#include "daemon/persist_take.h"
#include "daemon/privileges.h"
#include "daemon/reexec.h"
#include "daemon/refuse.h"
#include "daemon/reload.h"
#include "daemon/ruleset.h"
#include "daemon/status.h"
#include "daemon/steering.h"
#include "daemon/store.h"
#include "daemon/watch_config.h"
#include "flow/admit.h"
#include "flow/drain.h"
#include "flow/persist.h"
#include "flow/rule.h"
#include "flow/session.h"
#include "flow/worker.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "os/fds.h"
#include "os/log.h"
#include "os/systemd.h"

/* The stop follows its announcement at once; a stray one must not spoil a later stop. */
#define ANNOUNCED_MS 10000

struct service {
    struct conf *conf;   /* that it was started with; referenced */
    bool conf_is_former; /* its own has errors: this is the one handed over */
    char **argv;
    int64_t exit_idle_ms; /* of the command line; -1: the config's holds */
    struct log *log;
    struct loop *loop;
    struct signals *signals;
    struct fds fds;
    uint64_t available; /* descriptors that could be had at start */
    struct worker worker;
    struct passed passed;
    struct ruleset set;
    struct status status;
    struct reload_lack lack; /* at the start */
    struct reload reload;
    struct steering steering;
    struct former former;
    struct store store;
    struct idle idle;
    struct watch_config watch_config;
    struct reexec reexec;
    struct timer drain;
    struct timer announced; /* while it is set, to stop is to hand over (before_stop.h) */
    bool stopping;
    bool is_successor; /* of a process whose sessions go on */
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

/* No new clients; those that are here get drain_timeout. */
static void drain(struct service *sv)
{
    int64_t ms = sv->set.conf->daemon.drain_timeout;

    drain_datagrams(&sv->worker);
    ruleset_close(&sv->set);
    if (sv->worker.live == 0)
        loop_stop(sv->loop);
    else if (ms == 0 || loop_timer(sv->loop, &sv->drain, ms, on_drained))
        end_sessions(sv);
}

/* Give all we have to the service manager, for the next process. */
static bool hand_over(struct service *sv)
{
    struct handover h;
    int error;

    persist_suspend(&sv->worker);
    error = systemd_is_there() ? handover_save(&sv->set, &h) : -ENXIO;
    if (error == 0) {
        error = store_handover(&sv->store, &h);
        handover_free(&h);
        if (error)
            handover_share(&sv->set);
    }
    if (error) {
        log_fields(
            sv->log, LEVEL_ERROR, "not handed over",
            (struct log_field[]){LOG_TEXT("error", error == -ENXIO ? "there is no service manager"
                                                                   : strerror(-error))},
            1);
        return false;
    }
    log_fields(sv->log, LEVEL_INFO, "handed over",
               (struct log_field[]){LOG_NUMBER("sessions", sv->worker.live),
                                    LOG_NUMBER("listeners", sv->set.listeners)},
               2);
    steering_leave(&sv->steering);
    handover_abandon(&sv->set);
    return true;
}

/* A second signal ends the sessions at once. */
static void stop(struct service *sv, const char *signal)
{
    bool is_restart = sv->announced.place != 0;

    if (sv->stopping) {
        end_sessions(sv);
        return;
    }
    sv->stopping = true;
    log_fields(
        sv->log, LEVEL_INFO, "stopping",
        (struct log_field[]){LOG_TEXT("signal", signal), LOG_NUMBER("sessions", sv->worker.live)},
        2);
    steering_end_reloads(&sv->steering);
    reexec_stop(&sv->reexec);
    idle_stop(&sv->idle);
    watch_config_stop(&sv->watch_config);
    status_stopping(&sv->status);
    if (is_restart && hand_over(sv)) {
        loop_stop(sv->loop);
        return;
    }
    store_stop(&sv->store);
    drain(sv);
}

/* Nobody has stopped us after all. */
static void on_announced(struct timer *t)
{
    (void)t;
}

static void on_change(void *arg)
{
    struct service *sv = arg;

    if (!sv->status.set)
        return; /* sessions are being taken over */
    if (!sv->stopping) {
        status_changed(&sv->status);
        idle_changed(&sv->idle);
    } else if (sv->worker.live == 0) {
        loop_stop(sv->loop);
    }
}

static void on_idle(void *arg)
{
    stop(arg, "none, it is idle");
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
    case SIGUSR2:
        if (!sv->stopping)
            reexec_request(&sv->reexec);
        break;
    case BEFORE_STOP_SIGNAL:
        log_message(sv->log, LEVEL_INFO, "SIGUSR1: a SIGTERM within %d s means a restart",
                    ANNOUNCED_MS / 1000);
        loop_timer(sv->loop, &sv->announced, ANNOUNCED_MS, on_announced);
        break;
    default:
        break;
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

/* Is there something at work already? Then what can't be had as the config wants it is no reason to
 * end that. */
static bool goes_on(const struct service *sv)
{
    return sv->is_successor;
}

static bool start_log(struct service *sv)
{
    const struct conf_daemon *d = &sv->conf->daemon;
    int error = log_configure(sv->log, (enum log_level)d->log_level, (enum log_format)d->log_format,
                              (enum log_target)d->log_target);

    if (error)
        sv->lack.parts |= DAEMON_PART(DAEMON_LOG);
    return error == 0 ||
           refuse(sv->log, sv->conf, "log_target", NULL,
                  error == -ENOTSUP ? "this build has no such target" : strerror(-error)) ||
           goes_on(sv);
}

static bool start_loop(struct service *sv)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, 0};

    sv->loop = loop_new(engine_of(sv->conf));
    if (!sv->loop && errno == ENOTSUP) {
        refuse(sv->log, sv->conf, "engine", "epoll", "this build has no epoll");
        if (!goes_on(sv))
            return false;
        sv->loop = loop_new(LOOP_AUTO);
    }
    if (!sv->loop)
        return fail(sv, "event loop", errno);
    loop_on_move(sv->loop, on_engine_moved, sv);
    sv->signals = signals_new(sv->loop, wanted, on_signal, sv);
    return sv->signals || fail(sv, "signals", errno);
}

static bool has_user(const struct service *sv)
{
    return !sv->conf || privileges_can_be_dropped(sv->log, sv->conf);
}

/* Before anything else is opened: the sockets passed to us, and how many descriptors are left. */
static bool start_fds(struct service *sv)
{
    int error;

    fds_raise_limit(); /* what is passed may be many */
    error = passed_take(&sv->passed);
    if (error)
        return fail(sv, "sockets passed by the service manager", error);
    if (sv->conf && passed_named(&sv->passed, PASSED_SNAPSHOT, 0) < 0 &&
        passed_drop_unwanted(&sv->passed, sv->conf))
        return fail(sv, "sockets of before", ENOMEM);
    former_find(&sv->former, &sv->passed);
    sv->is_successor = sv->former.forget != NULL;
    /* those are listeners and sessions, which the limits promise */
    sv->available = fds_available() + (unsigned)sv->passed.count + sv->former.inherited;
    return true;
}

/* With no config of our own the former one's will do: what runs goes on. */
static bool has_conf(struct service *sv)
{
    if (sv->conf)
        return true;
    sv->conf = former_conf(&sv->former);
    if (!sv->conf)
        sv->conf = store_take_conf(&sv->passed);
    sv->conf_is_former = sv->conf != NULL;
    return sv->conf_is_former;
}

/* What the limits promise against what can be had. */
static bool start_worker(struct service *sv)
{
    uint64_t listens = 0;

    for (size_t i = 0; i < sv->conf->rule_count; i++)
        listens += sv->conf->rules[i].listen_count;
    if (sv->available < listens + SESSION_FDS && !goes_on(sv)) {
        log_message(sv->log, LEVEL_ERROR,
                    "%" PRIu64 " listeners and one session need %" PRIu64 " descriptors, %" PRIu64
                    " can be had: raise the hard limit (LimitNOFILE= under systemd)",
                    listens, listens + SESSION_FDS, sv->available);
        return false;
    }
    fds_budget(&sv->fds, sv->available);
    if (worker_init(&sv->worker, sv->loop, sv->log, &sv->fds, 0)) /* as the limits promise */
        return fail(sv, "worker", ENOMEM);
    sv->worker.changed = on_change;
    sv->worker.changed_arg = sv;
    return true;
}

static void on_changed_rules(struct service *sv)
{
    const struct ops_sockets own = ops_sockets(sv->steering.ops);

    store_listeners(&sv->store, &own);
    store_conf(&sv->store);
    watch_config_apply(&sv->watch_config);
    idle_changed(&sv->idle);
}

static unsigned on_applied(void *arg, struct conf_errors *errors)
{
    struct service *sv = arg;
    unsigned failed = steering_apply(&sv->steering, errors);

    on_changed_rules(sv);
    return failed;
}

static void on_reloaded(void *arg)
{
    struct service *sv = arg;

    steering_reloaded(&sv->steering);
}

/* Every listener is tried, so that every error is told at once. Where rules are at work already,
 * one that can't change is no reason to end them. */
static bool open_rules(struct service *sv)
{
    struct ruleset_changes changes = {0};
    bool crashed = passed_beginning(&sv->passed, PASSED_LISTENING, 0) >= 0;
    int error;

    ruleset_init(&sv->set, &sv->worker);
    former_take_over(&sv->former, &sv->set, &sv->passed);
    steering_find(&sv->steering, &sv->passed, sv->conf, sv->set.conf);
    sv->passed.superseded = sv->set.conf != NULL;
    sv->is_successor = sv->is_successor || crashed;
    error = ruleset_apply(&sv->set, sv->conf, &sv->passed, &changes);
    if (error == 0 && !sv->passed.superseded)
        persist_take(&sv->set, &sv->passed);
    store_init(&sv->store, &sv->set);
    store_drop_passed(&sv->store, &sv->passed);
    store_drop_names(&sv->store, sv->former.in.stored);
    passed_free(&sv->passed, sv->log);
    if (error)
        return fail(sv, "rules", error);
    sv->lack.rules = changes.failed;
    return changes.failed == 0 || goes_on(sv);
}

/* Before privileges are dropped: the directory may be root's. */
static bool start_steering(struct service *sv)
{
    struct conf_errors errors = {0};
    unsigned failed = steering_start(&sv->steering, &sv->set, &sv->reload, sv->conf->path, &errors);

    reload_log_errors(sv->log, &errors);
    conf_errors_free(&errors);
    sv->lack.parts |= failed;
    return failed == 0 || goes_on(sv);
}

static bool drop_privileges(struct service *sv)
{
    return privileges_drop(sv->log, sv->conf, goes_on(sv));
}

static bool start_serving(struct service *sv)
{
    const struct reload_listener told = {on_applied, on_reloaded, sv};

    status_start(&sv->status, &sv->set);
    reload_init(&sv->reload, &sv->set, &sv->status, &told, &sv->lack);
    if (reexec_init(&sv->reexec, &sv->set, &sv->store, &sv->reload, &sv->steering, sv->argv))
        return fail(sv, "upgrade", ENOMEM);
    idle_init(&sv->idle, &sv->set, sv->exit_idle_ms, on_idle, sv);
    watch_config_init(&sv->watch_config, &sv->set, &sv->reload);
    on_changed_rules(sv);
    status_ready(&sv->status);
    if (sv->conf_is_former) {
        log_message(sv->log, LEVEL_ERROR, "the config has errors: the former rules go on");
        status_reloaded(&sv->status, "the config has errors, the former rules go on");
        reload_note_failed(&sv->reload, "the config has errors, the former rules go on");
    }
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
    former_drop(&sv->former);
    ruleset_close(&sv->set);
    end_sessions(sv);
    if (sv->loop) {
        steering_end_reloads(&sv->steering);
        steering_stop(&sv->steering);
        reload_fini(&sv->reload);
        reexec_stop(&sv->reexec);
        store_stop(&sv->store);
        idle_stop(&sv->idle);
        watch_config_stop(&sv->watch_config);
        if (sv->status.set)
            status_stop(&sv->status);
        loop_timer_stop(sv->loop, &sv->drain);
        loop_timer_stop(sv->loop, &sv->announced);
    }
    signals_free(sv->signals);
    if (sv->worker.loop)
        worker_fini(&sv->worker);
    passed_free(&sv->passed, sv->log);
    ruleset_free(&sv->set);
    conf_unref(sv->conf);
    loop_free(sv->loop); /* and the sessions ended above, the last to hold their rules */
    log_free(sv->log);
}

int service_run(struct conf *conf, char **argv, int64_t exit_idle_ms)
{
    struct service sv = {.conf = conf,
                         .argv = argv,
                         .exit_idle_ms = exit_idle_ms,
                         .log = log_new(),
                         .steering = {.former = OPS_NO_SOCKETS}};
    bool ok;

    list_init(&sv.worker.sessions);
    if (!has_user(&sv) || !start_fds(&sv)) {
        tear_down(&sv);
        return EXIT_FAILURE;
    }
    if (!has_conf(&sv)) {
        tear_down(&sv);
        return EX_CONFIG;
    }
    ok = start_log(&sv) && start_loop(&sv) && start_worker(&sv) && open_rules(&sv) &&
         start_steering(&sv) && drop_privileges(&sv) && start_serving(&sv);
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
