/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/session_kill.h"

#include <stdlib.h>

#include "base/clock.h"
#include "flow/session.h"
#include "flow/worker.h"
#include "ops/api.h"

/* Ended in one turn of the loop: each costs two resets and a line in the log. */
#define KILL_SLICE 32

_Static_assert(KILL_SLICE <= FIND_AT_ONCE, "a slice is found at once");

struct kill {
    struct timer timer;
    struct worker *worker;
    struct request *request;
    struct filter again; /* what may hold no more: the state */
    struct found found;
    size_t at;
    uint64_t killed;
};

static void free_kill(struct kill *k)
{
    loop_timer_stop(k->worker->loop, &k->timer);
    free(k->found.ids);
    free(k);
}

static void on_gone(void *arg)
{
    free_kill(arg);
}

static struct answer *answer_killed(const struct kill *k)
{
    return answer_json(200, json_pack("{s:I}", "killed", (json_int_t)k->killed));
}

/* The end of one makes room for a client, which may evict another. */
static void kill_slice(struct kill *k)
{
    struct session *sessions[KILL_SLICE];
    size_t left = k->found.count - k->at, count = left < KILL_SLICE ? left : KILL_SLICE;
    int64_t now = clock_monotonic_ms();

    find_again(k->worker, k->found.ids + k->at, count, sessions);
    for (size_t i = 0; i < count; i++) {
        if (!sessions[i] || sessions[i]->ended || !filter_takes(&k->again, sessions[i], now))
            continue;
        session_end_now(sessions[i], END_KILLED);
        k->killed++;
    }
    k->at += count;
}

static void on_timer(struct timer *t);

/* There is room for a timer that has just been unset. */
static void go_on(struct kill *k)
{
    struct request *rq = k->request;
    struct answer *a;

    kill_slice(k);
    if (k->at < k->found.count) {
        loop_timer(k->worker->loop, &k->timer, 1, on_timer);
        return;
    }
    a = answer_killed(k);
    free_kill(k);
    request_answer(rq, a);
}

static void on_timer(struct timer *t)
{
    go_on(container_of(t, struct kill, timer));
}

static struct answer *begin(struct kill *k)
{
    struct answer *a;

    if (k->found.count <= KILL_SLICE) {
        kill_slice(k);
        a = answer_killed(k);
        free_kill(k);
        return a;
    }
    a = NULL;
    if (loop_timer(k->worker->loop, &k->timer, 1, on_timer) == 0)
        a = request_wait(k->request, on_gone, k);
    if (!a)
        free_kill(k);
    return a;
}

struct answer *kill_sessions(struct worker *w, const struct find *what, struct request *rq)
{
    struct kill *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->worker = w;
    k->request = rq;
    k->again = (struct filter){.has_state = what->filter.has_state, .state = what->filter.state};
    if (find_sessions(w, what, clock_monotonic_ms(), &k->found)) {
        free(k);
        return NULL;
    }
    return begin(k);
}
