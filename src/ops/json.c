/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/json.h"

#include "flow/listener.h"
#include "flow/rule.h"
#include "flow/session.h"
#include "flow/totals.h"
#include "flow/udp.h"
#include "flow/udp_net.h"
#include "ops/api.h"
#include "ops/filter.h"

/* Counts are below 2^63 for ever. */
static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

/* NULL when it, or a part of it, has got no memory. */
static json_t *whole(json_t *object, int error)
{
    if (!error)
        return object;
    json_decref(object);
    return NULL;
}

/* --- sessions -------------------------------------------------------------------------------- */

static const char *protocol_of(const struct session *s)
{
    if (s->udp)
        return "udp";
    return s->client.family == AF_UNIX ? "unix" : "tcp";
}

/* The address, once it is connected to it. One that sends to several has none of them, and is known
 * by what the config says, as in the log. */
static json_t *upstream_of(const struct session *s)
{
    char text[ADDR_TEXT_MAX];

    if (!s->connected)
        return json_null();
    return json_plain(s->upstream.family == AF_UNSPEC
                          ? s->conf->rule->upstream_text
                          : addr_print(&s->upstream, text, sizeof(text)));
}

static int add_datagrams(json_t *o, const struct udp_session *u)
{
    return json_object_set_new(o, "datagrams_in", number(u->datagrams[CLIENT])) |
           json_object_set_new(o, "datagrams_out", number(u->datagrams[UPSTREAM])) |
           json_object_set_new(o, "dropped", number(u->dropped[CLIENT] + u->dropped[UPSTREAM]));
}

json_t *json_session(const struct session *s, int64_t now, int64_t wall)
{
    char client[ADDR_TEXT_MAX];
    int64_t age = now - s->started;
    json_t *o = json_object();
    int error = 0;

    error |= json_object_set_new(o, "id", number(s->id));
    error |= json_object_set_new(o, "rule", json_plain(s->rule->conf->name));
    error |= json_object_set_new(o, "protocol", json_string(protocol_of(s)));
    error |= json_object_set_new(o, "state", json_string(session_state_word(session_state(s))));
    error |= json_object_set_new(o, "client",
                                 json_plain(addr_print(&s->client, client, sizeof(client))));
    error |= json_object_set_new(o, "listener", json_plain(s->conf->text));
    error |= json_object_set_new(o, "upstream", upstream_of(s));
    error |= json_object_set_new(o, "started_at_ms", json_integer(wall - age));
    error |= json_object_set_new(o, "age_ms", json_integer(age));
    error |= json_object_set_new(o, "idle_ms", json_integer(now - s->active));
    error |=
        json_object_set_new(o, "connect_ms", s->connected ? number(s->connect_ms) : json_null());
    error |= json_object_set_new(o, "bytes_in", number(s->flow[CLIENT].bytes));
    error |= json_object_set_new(o, "bytes_out", number(s->flow[UPSTREAM].bytes));
    if (s->udp)
        error |= add_datagrams(o, s->udp);
    return whole(o, error);
}

/* --- rules ----------------------------------------------------------------------------------- */

/* CLOSED and so on (listener.h); those of a rule that lets nobody in are paused. */
const char *json_listener_state(const struct listener *l)
{
    if (l->fd < 0)
        return "closed";
    if (l->rule->state != RULE_RUNNING)
        return "paused";
    if (udp_net_is_deaf(l))
        return "no-interface";
    if (l->rest.place != 0)
        return "resting";
    return list_empty(&l->waiting) ? "listening" : "waiting";
}

/* The limit of one that only the rule's bounds is null. */
json_t *json_listener(const struct listener *l)
{
    uint32_t limit = l->conf->max_connections;
    json_t *o = json_object();
    int error = 0;

    error |= json_object_set_new(o, "address", json_plain(l->conf->text));
    error |= json_object_set_new(o, "state", json_string(json_listener_state(l)));
    error |= json_object_set_new(o, "sessions", number(atomic_load(&l->live)));
    error |= json_object_set_new(o, "limit", limit == UINT32_MAX ? json_null() : number(limit));
    return whole(o, error);
}

/* By the word of the end; those that never came are left out. */
static json_t *json_ends(const atomic_ullong counts[ENDS])
{
    json_t *o = json_object();
    int error = 0;

    for (enum end end = 0; end < ENDS; end++) {
        uint64_t n = atomic_load_explicit(&counts[end], memory_order_relaxed);

        if (n > 0)
            error |= json_object_set_new(o, end_word(end), number(n));
    }
    return whole(o, error);
}

json_t *json_rule_head(const struct rule *rule)
{
    json_t *o = json_object();
    int error = 0;

    error |= json_object_set_new(o, "name", json_plain(rule->conf->name));
    error |= json_object_set_new(o, "state", json_string(rule_state_word(rule)));
    return whole(o, error);
}

json_t *json_rule_rest(const struct rule *rule, const struct totals *totals)
{
    json_t *o = json_object();
    int error = 0;

    error |= json_object_set_new(o, "upstream", json_plain(rule->conf->upstream_text));
    error |= json_object_set_new(o, "sessions", number(totals->live));
    error |= json_object_set_new(o, "limit", number(rule->conf->options.max_connections));
    error |= json_object_set_new(o, "opened", number(totals->opened));
    error |= json_object_set_new(o, "bytes_in", number(totals->bytes_in));
    error |= json_object_set_new(o, "bytes_out", number(totals->bytes_out));
    error |= json_object_set_new(o, "datagrams_in", number(totals->datagrams_in));
    error |= json_object_set_new(o, "datagrams_out", number(totals->datagrams_out));
    error |= json_object_set_new(o, "dropped", number(totals->dropped));
    error |= json_object_set_new(o, "ended", json_ends(rule->account.ended));
    error |= json_object_set_new(o, "refused", json_ends(rule->account.refused));
    return whole(o, error);
}
