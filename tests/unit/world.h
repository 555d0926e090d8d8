/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole penstock within a test, but for the process: a loop, a worker, rules. */
#ifndef PENSTOCK_TESTS_WORLD_H
#define PENSTOCK_TESTS_WORLD_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf_words.h"
#include "daemon/ruleset.h"
#include "flow/session.h"
#include "os/sock.h"

struct world {
    struct loop *loop;
    struct log *log;
    struct fds fds;
    struct worker worker;
    struct ruleset set;
};

/* What is logged is brought about on purpose. */
static inline struct log *silent_log(void)
{
    int shown = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct log *log;

    ck_assert_int_ge(shown, 0);
    ck_assert_int_ge(dup2(nowhere, STDERR_FILENO), 0);
    log = log_new();
    ck_assert_int_ge(dup2(shown, STDERR_FILENO), 0);
    close(shown);
    close(nowhere);
    return log;
}

static inline void world_begin_on(struct world *w, enum loop_engine engine)
{
    memset(w, 0, sizeof(*w));
    w->loop = loop_new(engine);
    ck_assert_ptr_nonnull(w->loop);
    w->log = silent_log();
    fds_budget(&w->fds, 1000);
    ck_assert_int_eq(worker_init(&w->worker, w->loop, w->log, &w->fds, 100), 0);
    ruleset_init(&w->set, &w->worker);
}

static inline void world_begin(struct world *w)
{
    world_begin_on(w, LOOP_AUTO);
}

static inline void world_is_in_order(const struct world *w)
{
    uint64_t last = 0;

    list_for_each (link, next, &w->worker.sessions) {
        const struct session *s = container_of(link, struct session, link);

        ck_assert_uint_gt(s->id, last);
        ck_assert_ptr_eq(session_by_id(&w->worker, s->id), s);
        last = s->id;
    }
    ck_assert_ptr_null(session_by_id(&w->worker, last + 1));
}

/* Everything ends, and nothing is booked any more. */
static inline void world_end(struct world *w)
{
    world_is_in_order(w);
    ruleset_close(&w->set);
    list_for_each (link, next, &w->worker.sessions)
        session_end_now(container_of(link, struct session, link), END_SHUTDOWN);
    ck_assert_uint_eq(w->worker.live, 0);
    ruleset_free(&w->set);
    worker_fini(&w->worker);
    ck_assert_uint_eq(atomic_load(&w->fds.booked), 0);
    loop_free(w->loop);
    log_free(w->log);
}

/* --- time ------------------------------------------------------------------------------------- */

typedef bool happened_fn(void *arg);

#define PATIENCE_MS 30000

struct awaited {
    struct timer timer;
    struct loop *loop;
    happened_fn *happened;
    void *arg;
    int left_ms;
    bool has;
};

static inline void look(struct timer *t)
{
    struct awaited *a = container_of(t, struct awaited, timer);

    a->has = a->happened(a->arg);
    if (a->has || a->left_ms-- == 0)
        loop_stop(a->loop);
    else
        loop_timer(a->loop, t, 1, look);
}

/* Let the loop run until it has happened. */
static inline void world_await(struct world *w, happened_fn *happened, void *arg)
{
    struct awaited a = {.loop = w->loop, .happened = happened, .arg = arg, .left_ms = PATIENCE_MS};

    ck_assert_int_eq(loop_timer(w->loop, &a.timer, 1, look), 0);
    ck_assert_int_eq(loop_run(w->loop), 0);
    loop_timer_stop(w->loop, &a.timer);
    ck_assert_msg(a.has, "waited in vain");
}

static inline bool at_once(void *arg)
{
    (void)arg;
    return true;
}

/* One turn: what is deferred is done. */
static inline void world_turn(struct world *w)
{
    world_await(w, at_once, NULL);
}

/* --- configs ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static inline struct conf *conf_of(const char *format, ...)
{
    struct conf_errors errors;
    char text[4096], *words;
    struct conf *conf;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conf = conf_load_text("c", text, strlen(text), &errors);
    words = said(&errors);
    ck_assert_msg(conf != NULL, "%s", words);
    free(words);
    conf_errors_free(&errors);
    return conf;
}

/* The set takes its own reference. Returns what ruleset_apply() says. */
static inline int world_apply(struct world *w, struct conf *conf, struct ruleset_changes *changes)
{
    struct passed passed = {0};

    return ruleset_apply(&w->set, conf, &passed, changes);
}

/* --- both ends -------------------------------------------------------------------------------- */

/* An address of this process alone: tests may run at the same time. */
static inline const char *own_host(void)
{
    static char text[INET_ADDRSTRLEN];
    unsigned pid = (unsigned)getpid();

    snprintf(text, sizeof(text), "127.%u.%u.%u", 1 + (pid >> 14 & 0x7f), pid >> 7 & 0x7f,
             1 + (pid & 0x7f));
    return text;
}

static inline struct sockaddr_in own_address(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};

    ck_assert_int_eq(inet_pton(AF_INET, own_host(), &in.sin_addr), 1);
    return in;
}

/* A socket that listens, for upstreams. */
static inline int upstream_at(unsigned port, int backlog)
{
    struct sockaddr_in in = own_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ck_assert_msg(bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0, "%s:%u: %s", own_host(), port,
                  strerror(errno));
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

/* Its client's descriptor; -1: refused. */
static inline int client_of(unsigned port)
{
    struct sockaddr_in in = own_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
        return fd;
    close(fd);
    return -1;
}

struct counted {
    const struct worker *worker;
    uint64_t begun;
    enum stage stage;
};

/* As many sessions as that have begun, and the last is in its stage. */
static inline bool has_begun(void *arg)
{
    const struct counted *c = arg;
    const struct list *last = c->worker->sessions.prev;

    return c->worker->live + c->worker->served == c->begun && last != &c->worker->sessions &&
           container_of(last, struct session, link)->stage == c->stage;
}

/* A client whose session is in that stage; *session is it. */
static inline int world_client(struct world *w, unsigned port, enum stage stage,
                               struct session **session)
{
    struct counted c = {&w->worker, w->worker.live + w->worker.served + 1, stage};
    int fd = client_of(port);

    ck_assert_msg(fd >= 0, "port %u: refused", port);
    world_await(w, has_begun, &c);
    *session = container_of(w->worker.sessions.prev, struct session, link);
    return fd;
}

#endif
