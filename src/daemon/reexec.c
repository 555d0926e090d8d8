/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/reexec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/reexec_env.h"
#include "flow/persist.h"
#include "os/memfile.h"
#include "os/sock.h"

/* Of what the new program says when it refuses. */
#define OUTPUT_LINES 20

/* Reading a config takes well under a second. */
#define CHECK_MS 10000
#define STEP_MS  10

static struct log *log_of(const struct reexec *r)
{
    return r->set->worker->log;
}

/* What is there by now may be another program than the one that runs. A path that we were started
 * by is followed, symbolic links and all; a bare name was found by PATH, and where is no more
 * known. */
static char *own_path(const char *name)
{
    char path[PATH_MAX];
    ssize_t n;

    if (name && strchr(name, '/'))
        return strdup(name);
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    return strdup(path);
}

int reexec_init(struct reexec *r, struct ruleset *set, const struct store *store,
                const struct reload *reload, const struct steering *steering, char **argv)
{
    *r = (struct reexec){.set = set,
                         .store = store,
                         .reload = reload,
                         .steering = steering,
                         .argv = argv,
                         .watch = WATCH_NONE};
    r->program = own_path(argv[0]);
    return 0;
}

static void not_handed_over(const struct reexec *r, const char *why)
{
    log_fields(
        log_of(r), LEVEL_ERROR, "not handed over",
        (struct log_field[]){LOG_TEXT("to", r->program ? r->program : "-"), LOG_TEXT("error", why)},
        2);
}

/* --- taking the step ------------------------------------------------------------------------- */

/* If the new program dies before it has taken them up, they are closed with it: a stream that is
 * cut must not look whole. */
static int keep_all(const struct handover *h, const struct ops_sockets *more)
{
    int error = 0;

    if (more->control >= 0)
        error = sock_keep_on_exec(more->control, true);
    if (more->http >= 0 && error == 0)
        error = sock_keep_on_exec(more->http, true);
    for (size_t i = 0; i < h->listener_count && error == 0; i++)
        error = sock_keep_on_exec(h->listeners[i], true);
    for (size_t i = 0; i < h->session_count && error == 0; i++) {
        sock_reset_at_end(h->sessions[i], true);
        error = sock_keep_on_exec(h->sessions[i], true);
    }
    return error;
}

/* All of them, whatever becomes of one. */
static void take_back(const struct handover *h, const struct ops_sockets *more)
{
    if (more->control >= 0)
        sock_keep_on_exec(more->control, false);
    if (more->http >= 0)
        sock_keep_on_exec(more->http, false);
    for (size_t i = 0; i < h->listener_count; i++)
        sock_keep_on_exec(h->listeners[i], false);
    for (size_t i = 0; i < h->session_count; i++) {
        sock_keep_on_exec(h->sessions[i], false);
        sock_reset_at_end(h->sessions[i], false);
    }
}

/* Returns how long it is. Names come last: a program that has less room for it can do without. */
static size_t write_operators(char *out, size_t size, const struct ops_sockets *more)
{
    char file[SOCK_FILE_ID_TEXT];
    size_t at = 0;

    out[0] = '\0';
    sock_file_id_print(&more->file, file);
    if (more->control >= 0)
        at += (size_t)snprintf(out, size, ":%d:%s", more->control, file);
    if (more->http >= 0)
        at += (size_t)snprintf(out + at, size - at, ":%d", more->http);
    return at;
}

/* Returns only when it fails. */
static int become(const struct reexec *r, const struct handover *h, const struct ops_sockets *more,
                  int snapshot)
{
    char variable[sizeof(REEXEC_VARIABLE) + REEXEC_VALUE_MAX], **environment;
    int error = sock_keep_on_exec(snapshot, true);
    size_t length;

    if (error == 0)
        error = keep_all(h, more);
    if (error)
        return error;
    length = (size_t)snprintf(variable, sizeof(variable), "%s=%d", REEXEC_VARIABLE, snapshot);
    length += write_operators(variable + length, sizeof(variable) - length, more);
    store_names(r->store, variable + length, sizeof(variable) - length);
    environment = child_environment(variable);
    if (!environment)
        return -ENOMEM;
    execve(r->program, r->argv, environment);
    error = -errno;
    free(environment);
    return error;
}

static void hand_over(struct reexec *r)
{
    const struct ops_sockets more = ops_sockets(r->steering->ops);
    struct handover h;
    int error, snapshot = -1;

    if (!persist_suspend(r->set->worker)) {
        not_handed_over(r, "the service manager does not read what it is told");
        persist_resume(r->set->worker);
        return;
    }
    error = handover_save(r->set, &h);
    if (error == 0)
        error = snapshot = memfile_new("penstock-snapshot", h.bytes, h.size);
    if (error >= 0) {
        log_fields(log_of(r), LEVEL_INFO, "handing over",
                   (struct log_field[]){LOG_TEXT("to", r->program),
                                        LOG_NUMBER("sessions", r->set->worker->live),
                                        LOG_NUMBER("listeners", r->set->listeners)},
                   3);
        error = become(r, &h, &more, snapshot);
    }
    not_handed_over(r, strerror(-error));
    take_back(&h, &more);
    if (snapshot >= 0)
        close(snapshot);
    handover_free(&h);
    persist_resume(r->set->worker);
}

/* --- the new program shows what it can do ---------------------------------------------------- */

/* What it had to say, line by line; the beginning tells most. */
static void log_output(const struct reexec *r, char *text)
{
    char *rest = text;
    size_t count = 0;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (strncmp(line, REEXEC_ANSWER_BEGIN, strlen(REEXEC_ANSWER_BEGIN)) == 0)
            continue; /* that it could is not what is wrong */
        if (line[0] && count++ < OUTPUT_LINES)
            log_message(log_of(r), LEVEL_ERROR, "%s: %s", r->program, line);
    }
    if (count > OUTPUT_LINES)
        log_message(log_of(r), LEVEL_ERROR, "%s: and %zu lines more", r->program,
                    count - OUTPUT_LINES);
}

/* NULL: it has found no fault. */
static const char *verdict(const struct child_end *end, int error, char *text, size_t size)
{
    char answer[64];

    snprintf(answer, sizeof(answer), REEXEC_ANSWER, SNAPSHOT_VERSION);
    if (error)
        snprintf(text, size, "how the new program ended is not known: %s", strerror(-error));
    else if (end->signal)
        snprintf(text, size, "the new program was killed by signal %d", end->signal);
    else if (end->status)
        snprintf(text, size, "the new program ended with status %d at --check", end->status);
    else if (!end->output || !strstr(end->output, answer))
        snprintf(text, size, "what is there now is not penstockd, or can't take over");
    else
        return NULL;
    return text;
}

/* Who has asked for a reload waits for its outcome, which the step would cut off. */
static void on_step(struct timer *t)
{
    struct reexec *r = container_of(t, struct reexec, step);
    struct loop *loop = r->set->worker->loop;

    if (!reload_is_busy(r->reload) || loop_now(loop) >= r->wait_until ||
        loop_timer(loop, t, STEP_MS, on_step))
        hand_over(r);
}

static void on_checked(struct watch *w, unsigned events)
{
    struct reexec *r = container_of(w, struct reexec, watch);
    struct child_end end = {0};
    char text[96];
    const char *why;
    int error;

    (void)events;
    loop_timer_stop(r->set->worker->loop, &r->timer);
    loop_unwatch(r->set->worker->loop, w);
    error = child_finish(&r->child, &end);
    if (r->given_up) {
        r->given_up = false;
        free(end.output);
        return;
    }
    why = verdict(&end, error, text, sizeof(text));
    if (why) {
        if (end.output)
            log_output(r, end.output);
        not_handed_over(r, why);
    }
    free(end.output);
    r->wait_until = loop_now(r->set->worker->loop) + CHECK_MS;
    if (!why)
        on_step(&r->step);
}

/* Its end still has to be heard of, whenever that comes. */
static void on_timeout(struct timer *t)
{
    struct reexec *r = container_of(t, struct reexec, timer);

    r->given_up = true;
    child_kill(&r->child);
    not_handed_over(r, "the new program does not end at --check");
}

/* Its end is waited for, but not for ever. */
static int watch_check(struct reexec *r)
{
    struct loop *loop = r->set->worker->loop;
    int error = loop_timer(loop, &r->timer, CHECK_MS, on_timeout);

    return error ? error : loop_watch(loop, &r->watch, r->child.fd, LOOP_READ, on_checked);
}

static size_t count_arguments(char *const *argv)
{
    size_t count = 0;

    while (argv[count])
        count++;
    return count;
}

/* Our own arguments with --check: that is what it will be started with. */
static int start_check(struct reexec *r)
{
    size_t count = count_arguments(r->argv);
    char **argv = calloc(count + 2, sizeof(*argv)), check[] = "--check", **environment;
    char version[sizeof(REEXEC_VERSION_VARIABLE) + 16];
    int error = -ENOMEM;

    if (!argv)
        return error;
    memcpy(argv, r->argv, count * sizeof(*argv));
    argv[0] = r->program;
    argv[count] = check;
    snprintf(version, sizeof(version), "%s=%d", REEXEC_VERSION_VARIABLE, SNAPSHOT_VERSION);
    environment = child_environment(version);
    if (environment)
        error = child_start(&r->child, argv, environment);
    free(environment);
    free(argv);
    return error;
}

void reexec_request(struct reexec *r)
{
    int error;

    if (r->watch.fd >= 0) { /* it is being checked */
        if (r->given_up)
            not_handed_over(r, "the new program of before has not ended yet");
        return;
    }
    if (r->step.place)
        return; /* it is about to be done */
    if (!r->program) {
        not_handed_over(r, "where the program is can't be told (/proc)");
        return;
    }
    error = start_check(r);
    if (error == 0) {
        error = watch_check(r);
        if (error) {
            loop_timer_stop(r->set->worker->loop, &r->timer);
            child_drop(&r->child);
        }
    }
    if (error)
        not_handed_over(r, strerror(-error));
}

void reexec_stop(struct reexec *r)
{
    if (!r->set)
        return;
    loop_timer_stop(r->set->worker->loop, &r->step);
    loop_timer_stop(r->set->worker->loop, &r->timer);
    if (r->watch.fd >= 0) {
        loop_unwatch(r->set->worker->loop, &r->watch);
        child_drop(&r->child);
    }
    free(r->program);
    r->program = NULL;
}
