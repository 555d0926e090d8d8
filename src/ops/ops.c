/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/errors.h"
#include "ops/api.h"
#include "ops/ops_open.h"
#include "os/log.h"

/* Who is being answered on a socket that the config has no more gets this long. */
#define LAST_WORDS_MS 1000

struct ops {
    struct api api;
    struct api_door local, remote;
    struct ops_socket *control, *http; /* NULL: closed */
    struct ops_sockets former;         /* not used yet */
    struct list closing;               /* sockets of before */
    struct timer last_words;
};

/* --- sockets of before ----------------------------------------------------------------------- */

static void free_closing(struct ops *ops)
{
    struct list *link;

    while ((link = list_take_first(&ops->closing)))
        ops_socket_free(container_of(link, struct ops_socket, link));
}

static void on_last_words(struct timer *t)
{
    free_closing(container_of(t, struct ops, last_words));
}

/* Who has asked for the reload that takes the socket away is still to be answered. Without memory
 * for the timer it goes with the next one, or in the end. */
static void give_up(struct ops *ops, struct ops_socket **s)
{
    if (!*s)
        return;
    ops_socket_close(*s);
    list_append(&ops->closing, &(*s)->link);
    loop_timer(ops->api.host.worker->loop, &ops->last_words, LAST_WORDS_MS, on_last_words);
    *s = NULL;
}

static void replace(struct ops *ops, struct ops_socket **s, struct ops_socket *by)
{
    give_up(ops, s);
    *s = by;
}

/* --- sockets of a former process -------------------------------------------------------------- */

static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static void close_former(struct ops_sockets *former)
{
    if (former->control >= 0)
        close(take(&former->control));
    if (former->http >= 0)
        close(take(&former->http));
}

/* --- as the config says ---------------------------------------------------------------------- */

struct attempt {
    const struct conf *conf;
    struct conf_errors *errors; /* what can't be had is added */
};

static void complain(const struct attempt *a, bool is_warning, const char *option,
                     const char *value, const char *why, int error)
{
    struct conf_place at = conf_daemon_near(a->conf, option);

    if (!why)
        why = strerror(-error);
    if (is_warning)
        conf_errors_warn(a->errors, at, "%s \"%s\": %s", option, value, why);
    else
        conf_errors_add(a->errors, at, "%s \"%s\": %s", option, value, why);
}

/* At its default place a socket may be missing; but one that is there is to be as the config says.
 */
static unsigned could_not(const struct ops *ops, const struct attempt *a, unsigned part,
                          const char *why, int error)
{
    const char *path = a->conf->daemon.control;
    bool may_be_missing = !ops->control && strcmp(path, CONF_CONTROL_DEFAULT) == 0;

    complain(a, may_be_missing, "control", path, why, error);
    return may_be_missing ? 0 : DAEMON_PART(part);
}

static unsigned open_control(struct ops *ops, const struct attempt *a)
{
    struct ops_socket *s;
    const char *why = NULL;
    int error = ops_open_control(&s, ops->api.host.worker, &ops->local, &a->conf->daemon,
                                 &ops->former, &why);

    if (error)
        return could_not(ops, a, DAEMON_CONTROL, why, error);
    replace(ops, &ops->control, s);
    return 0;
}

static unsigned apply_control(struct ops *ops, const struct attempt *a)
{
    const struct conf_daemon *d = &a->conf->daemon;
    const char *why = NULL;
    unsigned failed;
    int error;

    if (!conf_has_control(d)) {
        give_up(ops, &ops->control);
        return 0;
    }
    if (!ops->control && ops_leaves_out_control(a->conf))
        return 0;
    if (!ops->control || !ops_socket_is_at(ops->control, d->control)) {
        failed = open_control(ops, a);
        if (failed || !ops->control)
            return failed;
    }
    error = ops_socket_change(ops->control, d, &why);
    return error ? could_not(ops, a, DAEMON_RIGHTS, why, error) : 0;
}

static unsigned apply_http(struct ops *ops, const struct attempt *a)
{
    const struct conf_daemon *d = &a->conf->daemon;
    struct ops_socket *s;
    const char *why = NULL;
    int error;

    if (!d->http) {
        give_up(ops, &ops->http);
        return 0;
    }
    if (ops->http && ops_socket_is_at(ops->http, d->http))
        return 0;
    error = ops_open_http(&s, ops->api.host.worker, &ops->remote, d, take(&ops->former.http), &why);
    if (error == 0) {
        replace(ops, &ops->http, s);
        return 0;
    }
    complain(a, false, "http", d->http, why, error);
    return DAEMON_PART(DAEMON_HTTP);
}

/* Both are tried, so that all that is wrong is told. */
static unsigned apply(struct ops *ops, const struct conf *conf, struct conf_errors *errors)
{
    const struct attempt a = {conf, errors};
    unsigned failed = apply_control(ops, &a);

    return failed | apply_http(ops, &a);
}

/* --- its life -------------------------------------------------------------------------------- */

unsigned ops_start(struct ops **out, const struct ops_host *host, const struct conf *conf,
                   const struct ops_sockets *former, struct conf_errors *errors)
{
    struct ops *ops = calloc(1, sizeof(*ops));
    unsigned failed;

    *out = ops;
    if (!ops) {
        struct ops_sockets unused = *former;

        close_former(&unused);
        conf_errors_add(errors, conf_daemon_near(conf, "control"), "control: %s", strerror(ENOMEM));
        return DAEMON_PART(DAEMON_CONTROL) | DAEMON_PART(DAEMON_HTTP);
    }
    ops->former = *former;
    ops->api.host = *host;
    ops->api.started = clock_monotonic_ms();
    ops->api.started_at_ms = clock_wall_ms();
    list_init(&ops->api.waiting);
    preview_init(&ops->api.preview, &ops->api.host);
    list_init(&ops->closing);
    events_init(&ops->api.events, host->worker);
    ops->local = (struct api_door){&ops->api, true};
    ops->remote = (struct api_door){&ops->api, false};
    if (conf_has_control(&conf->daemon) && ops_leaves_out_control(conf))
        log_message(host->worker->log, LEVEL_INFO,
                    "there is no directory for the control socket %s, and so none",
                    conf->daemon.control);
    failed = apply(ops, conf, errors);
    close_former(&ops->former);
    return failed;
}

struct ops_sockets ops_sockets(const struct ops *ops)
{
    struct ops_sockets open = OPS_NO_SOCKETS;

    if (ops && ops->control)
        open.control = http_socket(ops->control->http);
    if (open.control >= 0)
        open.file = ops->control->file;
    if (ops && ops->http)
        open.http = http_socket(ops->http->http);
    return open;
}

void ops_leave(struct ops *ops)
{
    if (ops && ops->control)
        ops_socket_leave(ops->control);
    if (ops && ops->http)
        ops_socket_leave(ops->http);
}

unsigned ops_change(struct ops *ops, const struct conf *conf, struct conf_errors *errors)
{
    return ops ? apply(ops, conf, errors) : 0;
}

void ops_reloaded(struct ops *ops)
{
    if (!ops)
        return;
    events_reloaded(&ops->api.events, ops->api.host.reloaded(ops->api.host.arg));
    api_reloaded(&ops->api);
}

void ops_end_reloads(struct ops *ops)
{
    if (ops)
        preview_end(&ops->api.preview);
}

void ops_stop(struct ops *ops)
{
    if (!ops)
        return;
    preview_end(&ops->api.preview);
    api_reload_stop(&ops->api);
    events_stop(&ops->api.events);
    loop_timer_stop(ops->api.host.worker->loop, &ops->last_words);
    free_closing(ops);
    ops_socket_free(ops->control);
    ops_socket_free(ops->http);
    free(ops);
}

bool ops_built_in(void)
{
    return true;
}

const char *ops_missing(const struct conf *conf)
{
    (void)conf;
    return NULL;
}
