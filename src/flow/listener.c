/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/admit.h"
#include "flow/listening.h"
#include "flow/rule.h"
#include "flow/session.h"
#include "flow/udp.h"
#include "os/sock.h"

/* Clients accepted in one turn: the backlog can't starve the sessions. */
#define ACCEPT_TURN 16

/* And those of a backlog that goes: as many as the system holds at most, and not for ever. */
#define EMPTY_MOST 65536

/* A listener rests this long when the machine has run out of something, and twice as long each
 * time. */
#define REST_FIRST_MS 10
#define REST_MOST_MS  1000

static void on_readable(struct watch *w, unsigned events);

struct listener *listener_new(struct worker *worker, const struct conf_listen *conf)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->watch = WATCH_NONE;
    l->fd = -1;
    l->worker = worker;
    l->conf = conf;
    list_init(&l->link);
    list_init(&l->waiting);
    return l;
}

void listener_free(struct listener *l)
{
    listener_close(l);
    list_remove(&l->link);
    free(l);
}

void listener_attach(struct listener *l, struct rule *rule)
{
    listener_wake(l);
    list_remove(&l->link);
    list_append(&rule->listeners, &l->link);
    l->id = l->worker->next_listener++;
    l->rule = rule;
    listener_follow(l);
}

static void remove_file(struct listener *l)
{
    struct stat st;

    if (l->owns_file && lstat(l->conf->address.un.path, &st) == 0 && st.st_dev == l->file.dev &&
        st.st_ino == l->file.ino && (!l->maybe_file || sock_file_is_stale(&l->conf->address)))
        unlink(l->conf->address.un.path);
    l->owns_file = false;
}

void listener_own_file(struct listener *l, struct sock_file_id file)
{
    l->owns_file = true;
    l->maybe_file = false;
    l->file = file;
}

void listener_find_file(struct listener *l, struct sock_file_id file)
{
    listener_own_file(l, file);
    l->maybe_file = true;
}

int listener_start(struct listener *l)
{
    return loop_watch(l->worker->loop, &l->watch, l->fd, LOOP_READ,
                      l->udp ? udp_listener_readable : on_readable);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_file(const struct conf_listen *a, const struct conf_listen *b)
{
    return a->socket_mode == b->socket_mode && is_same_text(a->socket_owner, b->socket_owner) &&
           is_same_text(a->socket_group, b->socket_group);
}

/* The file's mode and owner; one that is not ours is left alone. */
static int change_file(struct listener *l, const struct conf_listen *before, const char **why)
{
    struct sock_file file;
    int error;

    if (!l->owns_file || is_same_file(before, l->conf))
        return 0;
    *why = "the socket file keeps its mode and owner";
    error = listening_file(l->conf, &file, why);
    if (before->socket_owner && !l->conf->socket_owner)
        file.owner = geteuid();
    if (before->socket_group && !l->conf->socket_group)
        file.group = getegid();
    return error ? error : sock_file_change(l->conf->address.un.path, &l->file, &file);
}

int listener_change(struct listener *l, const struct conf_listen *conf, const char **why)
{
    const struct conf_listen *before = l->conf;
    int error = 0;

    l->conf = conf;
    if (l->fd < 0)
        return 0;
    if (l->udp)
        return udp_listener_change(l, why);
    listener_wake(l); /* whether to wait is decided anew */
    listening_set_inherited(l);
    if (before->backlog != conf->backlog && conf->kind != ADDR_SYSTEMD) {
        *why = "the backlog stays as it was";
        error = sock_relisten(l->fd, (int)conf->backlog);
    }
    if (error == 0)
        error = change_file(l, before, why);
    return error;
}

/* Out of the loop, and its descriptor is booked no more. */
static void let_go(struct listener *l)
{
    list_remove(&l->waiting);
    loop_timer_stop(l->worker->loop, &l->rest);
    loop_unwatch(l->worker->loop, &l->watch);
    fds_release(l->worker->fds, 1);
}

void listener_close(struct listener *l)
{
    if (l->fd < 0)
        return;
    let_go(l);
    if (l->udp)
        udp_listener_close(l, END_DRAINED);
    else if (l->conf->kind != ADDR_SYSTEMD)
        sock_stop_listening(l->fd);
    remove_file(l);
    close(l->fd);
    l->fd = -1;
}

void listener_abandon(struct listener *l)
{
    if (l->fd < 0)
        return;
    let_go(l);
    if (l->udp)
        udp_listener_close(l, END_DRAINED); /* its sessions went before */
    close(l->fd);
    l->fd = -1;
}

static bool is_paused(const struct listener *l)
{
    return l->rule && l->rule->state != RULE_RUNNING;
}

void listener_follow(struct listener *l)
{
    if (l->watch.fd < 0 || l->udp || l->rest.place || !list_empty(&l->waiting))
        return;
    loop_change(l->worker->loop, &l->watch, is_paused(l) ? 0 : LOOP_READ);
}

static void on_rested(struct timer *t)
{
    listener_follow(container_of(t, struct listener, rest));
}

/* Nothing is accepted for a while: accept(2) would fail again at once, and spin. */
static void rest(struct listener *l, const char *why)
{
    struct worker *w = l->worker;

    account_refused(l->rule, NULL, END_NO_DESCRIPTORS, why);
    l->rest_ms = l->rest_ms ? l->rest_ms * 2 : REST_FIRST_MS;
    if (l->rest_ms > REST_MOST_MS)
        l->rest_ms = REST_MOST_MS;
    /* Without memory for the timer it goes on watching: a busy listener is better than a lost one.
     */
    if (loop_timer(w->loop, &l->rest, l->rest_ms, on_rested) == 0)
        loop_change(w->loop, &l->watch, 0);
}

static void wait_for_place(struct listener *l)
{
    if (!list_empty(&l->waiting))
        return;
    list_append(&l->rule->waiting, &l->waiting);
    loop_change(l->worker->loop, &l->watch, 0);
}

void listener_wake(struct listener *l)
{
    if (list_empty(&l->waiting))
        return;
    list_remove(&l->waiting);
    listener_follow(l);
}

/* Errors of one client that is gone already (accept(2), "Error handling"): the next may be well. */
static bool is_clients_own(int error)
{
    switch (error) {
    case -ECONNABORTED:
    case -EINTR:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENONET:
        return true;
    default:
        return false;
    }
}

static void refuse(struct listener *l, int fd, const struct addr *client)
{
    if (l->rule->conf->options.on_limit == ON_LIMIT_RESET)
        sock_reset(fd);
    else
        close(fd);
    account_refused(l->rule, client, END_LIMIT, NULL);
}

/* Accept one. `certain`: there is one waiting. False: this turn is over. */
static bool accept_one(struct listener *l, bool certain)
{
    enum admit admit = admit_take(l);
    struct addr client;
    int fd;

    if (admit == ADMIT_NO_DESCRIPTORS) {
        if (certain)
            rest(l,
                 "the descriptor budget is used up: lower max_connections, or raise LimitNOFILE=");
        return false;
    }
    if (admit == ADMIT_FULL && l->rule->conf->options.on_limit == ON_LIMIT_WAIT) {
        if (certain) { /* else the next turn will tell */
            account_refused(l->rule, NULL, END_LIMIT, "clients wait in the backlog");
            wait_for_place(l);
        }
        return false;
    }
    fd = sock_accept(l->fd, &client);
    if (fd < 0) {
        if (admit == ADMIT_YES)
            admit_release(l->rule, l, SESSION_FDS);
        if (fd != -EAGAIN && !is_clients_own(fd))
            rest(l, strerror(-fd));
        return is_clients_own(fd);
    }
    l->rest_ms = 0;
    if (admit == ADMIT_FULL)
        refuse(l, fd, &client);
    else
        session_begin(l, fd, &client);
    return true;
}

static void on_readable(struct watch *w, unsigned events)
{
    struct listener *l = container_of(w, struct listener, watch);

    if (!(events & LOOP_READ) || is_paused(l))
        return; /* nothing is accepted now. Of an error of its socket accept(2) will tell */
    for (int i = 0; i < ACCEPT_TURN && accept_one(l, i == 0); i++)
        ;
}

void listener_empty(struct listener *l)
{
    if (l->udp || is_paused(l))
        return; /* nobody is let in yet */
    for (int i = 0; i < EMPTY_MOST && l->watch.fd >= 0 && accept_one(l, false); i++)
        ;
}
