/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/account.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "flow/observe.h"
#include "flow/rule.h"
#include "flow/session.h"
#include "flow/udp.h"
#include "flow/worker.h"

/* Refused clients of one rule are summed up for this long. */
#define REFUSALS_MS 1000

/* Of datagrams' sessions that nobody has answered so many have a line of their own in that time. */
#define LINES_MOST 20

const char *end_word(enum end end)
{
    static const char *const words[] = {
#define END(name, word, help) [END_##name] = word,
#include "flow/ends.def"
    };

    return words[end];
}

/* What the end alone doesn't tell. A plain reset is told by it. */
static const char *error_text(const struct session *s, enum end end)
{
    if (s->why)
        return s->why;
    if (s->udp && s->error == EACCES) /* connect(2), sendto(2) */
        return "Permission denied (a broadcast address needs broadcast = true)";
    if (s->udp && s->udp->dropped[CLIENT] > 0 && s->error)
        return strerror(s->error);
    switch (end) {
    case END_CLIENT_RESET:
    case END_UPSTREAM_RESET:
        return s->error == ECONNRESET || s->error == EPIPE || s->error == 0 ? NULL
                                                                            : strerror(s->error);
    case END_CONNECT_FAILED:
    case END_UPSTREAM_REFUSED:
    case END_NO_DESCRIPTORS:
    case END_ERROR:
        return s->error ? strerror(s->error) : NULL;
    default:
        return NULL;
    }
}

/* An upstream that can't be reached, and what we failed at, are to be found by whoever looks for
 * trouble. */
static enum log_level level_of(enum end end)
{
    switch (end) {
    case END_CONNECT_REFUSED:
    case END_CONNECT_TIMEOUT:
    case END_CONNECT_FAILED:
    case END_UPSTREAM_REFUSED:
    case END_RESOLVE_FAILED:
    case END_NO_DESCRIPTORS:
        return LEVEL_WARNING;
    case END_ERROR:
        return LEVEL_ERROR;
    default:
        return LEVEL_INFO;
    }
}

#define LOG_FIELDS_MOST 13

static void log_session(const struct session *s, enum end end)
{
    char client[ADDR_TEXT_MAX], upstream[ADDR_TEXT_MAX];
    const char *error = error_text(s, end);
    struct log_field fields[LOG_FIELDS_MOST] = {
        LOG_TEXT("rule", s->rule->conf->name),
        LOG_NUMBER("id", s->id),
        LOG_TEXT("client", addr_print(&s->client, client, sizeof(client))),
        LOG_TEXT("upstream", s->upstream.family == AF_UNSPEC
                                 ? s->conf->rule->upstream_text
                                 : addr_print(&s->upstream, upstream, sizeof(upstream))),
        LOG_TEXT("end", end_word(end)),
        LOG_NUMBER("in", s->flow[CLIENT].bytes),
        LOG_NUMBER("out", s->flow[UPSTREAM].bytes),
        LOG_NUMBER("ms", clock_monotonic_ms() - s->started),
        LOG_NUMBER("connect_ms", s->connect_ms),
    };
    size_t n = 9;

    if (s->udp) {
        uint64_t dropped = s->udp->dropped[CLIENT] + s->udp->dropped[UPSTREAM];

        fields[n++] = LOG_NUMBER("datagrams_in", s->udp->datagrams[CLIENT]);
        fields[n++] = LOG_NUMBER("datagrams_out", s->udp->datagrams[UPSTREAM]);
        if (dropped > 0)
            fields[n++] = LOG_NUMBER("dropped", dropped);
    }
    if (error)
        fields[n++] = LOG_TEXT("error", error);
    log_fields(s->worker->log, level_of(end), NULL, fields, n);
}

static void count_datagrams(struct account *a, const struct udp_session *u)
{
    atomic_fetch_add_explicit(&a->datagrams_in, u->datagrams[CLIENT], memory_order_relaxed);
    atomic_fetch_add_explicit(&a->datagrams_out, u->datagrams[UPSTREAM], memory_order_relaxed);
    atomic_fetch_add_explicit(&a->dropped, u->dropped[CLIENT] + u->dropped[UPSTREAM],
                              memory_order_relaxed);
}

static void log_refused(struct rule *rule, const struct addr *client, enum end end, unsigned count,
                        const char *why)
{
    char text[ADDR_TEXT_MAX];
    struct log_field fields[5];
    size_t n = 0;

    fields[n++] = LOG_TEXT("rule", rule->conf->name);
    fields[n++] = LOG_TEXT("end", end_word(end));
    fields[n++] = LOG_NUMBER("count", count);
    if (client)
        fields[n++] = LOG_TEXT("client", addr_print(client, text, sizeof(text)));
    if (why)
        fields[n++] = LOG_TEXT("error", why);
    log_fields(rule->worker->log, LEVEL_WARNING, NULL, fields, n);
}

/* Log what was silent. Was there any? */
static bool log_silent(struct rule *rule)
{
    bool any = false;

    for (enum end end = 0; end < ENDS; end++) {
        unsigned count = rule->refusals.silent[end];

        if (count == 0)
            continue;
        rule->refusals.silent[end] = 0;
        log_refused(rule, NULL, end, count, NULL);
        any = true;
    }
    return any;
}

static void on_timer(struct timer *t)
{
    struct rule *rule = container_of(t, struct rule, refusals.timer);

    if (log_silent(rule))
        loop_timer(rule->worker->loop, t, REFUSALS_MS, on_timer);
}

static void count_refused(struct rule *rule, const struct addr *client, enum end end,
                          const char *why)
{
    struct worker *w = rule->worker;

    atomic_fetch_add_explicit(&rule->account.refused[end], 1, memory_order_relaxed);
    w->refused++;
    if (w->observer)
        w->observer->refused(w->observer->arg, rule, client, end, why);
    worker_changed(w);
}

void account_refused(struct rule *rule, const struct addr *client, enum end end, const char *why)
{
    struct refusals *r = &rule->refusals;

    if (client)
        count_refused(rule, client, end, why);
    if (r->timer.place) {
        r->silent[end]++;
        return;
    }
    log_refused(rule, client, end, 1, why);
    loop_timer(rule->worker->loop, &r->timer, REFUSALS_MS, on_timer);
}

void account_flush(struct rule *rule)
{
    loop_timer_stop(rule->worker->loop, &rule->refusals.timer);
    log_silent(rule);
}

/* --- sessions -------------------------------------------------------------------------------- */

/* Whoever forges addresses makes as many sessions as he likes, and would make as many lines: of a
 * session of datagrams that nobody has answered. */
static bool is_one_of_many(const struct session *s, enum end end)
{
    if (!s->udp || s->udp->answered)
        return false;
    switch (end) {
    case END_CONNECT_REFUSED:
    case END_CONNECT_FAILED:
    case END_UPSTREAM_REFUSED:
    case END_RESOLVE_FAILED:
    case END_EVICTED:
    case END_DENIED:
    case END_NO_DESCRIPTORS:
        return true;
    default:
        return false;
    }
}

/* A few in each second have a line of their own, the others are counted, but for who asks for all.
 */
static bool is_silent(struct refusals *r, enum end end, struct rule *rule)
{
    int64_t now = loop_now(rule->worker->loop);

    if (log_wants(rule->worker->log, LEVEL_DEBUG))
        return false;
    if (now - r->lines_since >= REFUSALS_MS) {
        r->lines_since = now;
        r->lines = 0;
    }
    if (r->lines < LINES_MOST) {
        r->lines++;
        return false;
    }
    r->silent[end]++;
    if (!r->timer.place)
        loop_timer(rule->worker->loop, &r->timer, REFUSALS_MS, on_timer);
    return true;
}

void account_opened(const struct session *s)
{
    const struct observer *o = s->worker->observer;

    account_adopted(s);
    if (o)
        o->opened(o->arg, s);
}

void account_adopted(const struct session *s)
{
    atomic_fetch_add_explicit(&s->rule->account.opened, 1, memory_order_relaxed);
}

void account_connected(const struct session *s)
{
    if (!s->udp)
        histogram_add(&s->rule->account.connect, s->connect_ms);
}

static void time_session(struct account *a, const struct session *s)
{
    int64_t lasted = clock_monotonic_ms() - s->started;

    histogram_add(&a->lasted, lasted > 0 ? (uint64_t)lasted : 0);
}

void account_lost(struct rule *rule)
{
    atomic_fetch_add_explicit(&rule->account.opened, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&rule->account.ended[END_ERROR], 1, memory_order_relaxed);
}

void account_session(const struct session *s, enum end end)
{
    struct account *a = &s->rule->account;
    const struct observer *o = s->worker->observer;

    atomic_fetch_add_explicit(&a->ended[end], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&a->bytes_in, s->flow[CLIENT].bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&a->bytes_out, s->flow[UPSTREAM].bytes, memory_order_relaxed);
    if (s->udp)
        count_datagrams(a, s->udp);
    time_session(a, s);
    if (o)
        o->ended(o->arg, s, end, error_text(s, end));
    if (log_wants(s->worker->log, level_of(end)) &&
        !(is_one_of_many(s, end) && is_silent(&s->rule->refusals, end, s->rule)))
        log_session(s, end);
}
