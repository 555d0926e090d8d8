/* SPDX-License-Identifier: BSD-2-Clause */
/* What each rule has. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/histogram.h"
#include "flow/listener.h"
#include "flow/rule.h"
#include "flow/totals.h"
#include "ops/json.h"
#include "ops/metrics.h"

typedef struct om_label labels[4]; /* ended by a NULL name */

static const char *name_of(const struct metrics_rule *r)
{
    return r->rule->conf->name;
}

static void write_number(struct om *om, const char *name, const char *suffix,
                         const struct metrics_rule *r, uint64_t value)
{
    om_number(om, name, suffix, (labels){{"rule", name_of(r)}}, value);
}

static void write_both(struct om *om, const char *name, const struct metrics_rule *r, uint64_t in,
                       uint64_t out)
{
    om_number(om, name, "_total", (labels){{"rule", name_of(r)}, {"direction", "in"}}, in);
    om_number(om, name, "_total", (labels){{"rule", name_of(r)}, {"direction", "out"}}, out);
}

/* --- the rule -------------------------------------------------------------------------------- */

static void write_state(struct om *om, const char *name, const struct metrics_rule *r)
{
    static const char *const words[] = {"running", "paused", "draining", "removed"};
    const char *now = rule_state_word(r->rule);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        om_number(om, name, "", (labels){{"rule", name_of(r)}, {"state", words[i]}},
                  strcmp(words[i], now) == 0);
}

static void write_sessions(struct om *om, const char *name, const struct metrics_rule *r)
{
    write_number(om, name, "", r, atomic_load(&r->rule->live));
}

static void write_limit(struct om *om, const char *name, const struct metrics_rule *r)
{
    write_number(om, name, "", r, r->rule->conf->options.max_connections);
}

static void write_opened(struct om *om, const char *name, const struct metrics_rule *r)
{
    write_number(om, name, "_total", r, r->totals->opened);
}

/* Those that are usual are there from the beginning: what appears with its first value has not
 * grown, as far as Prometheus knows. */
static void write_ends(struct om *om, const char *name, const struct metrics_rule *r,
                       const char *label, const atomic_ullong counts[ENDS], const bool usual[ENDS])
{
    for (enum end end = 0; end < ENDS; end++) {
        uint64_t n = atomic_load_explicit(&counts[end], memory_order_relaxed);

        if (n > 0 || usual[end])
            om_number(om, name, "_total", (labels){{"rule", name_of(r)}, {label, end_word(end)}},
                      n);
    }
}

static void write_ended(struct om *om, const char *name, const struct metrics_rule *r)
{
    static const bool usual[ENDS] = {[END_DONE] = true,
                                     [END_CLIENT_RESET] = true,
                                     [END_UPSTREAM_RESET] = true,
                                     [END_CONNECT_REFUSED] = true,
                                     [END_CONNECT_TIMEOUT] = true,
                                     [END_CONNECT_FAILED] = true,
                                     [END_RESOLVE_FAILED] = true,
                                     [END_IDLE_TIMEOUT] = true,
                                     [END_ERROR] = true};

    write_ends(om, name, r, "end", r->rule->account.ended, usual);
}

static void write_refused(struct om *om, const char *name, const struct metrics_rule *r)
{
    static const bool usual[ENDS] = {
        [END_LIMIT] = true, [END_DENIED] = true, [END_NO_DESCRIPTORS] = true, [END_ERROR] = true};

    write_ends(om, name, r, "reason", r->rule->account.refused, usual);
}

/* --- what it has carried --------------------------------------------------------------------- */

static void write_bytes(struct om *om, const char *name, const struct metrics_rule *r)
{
    write_both(om, name, r, r->totals->bytes_in, r->totals->bytes_out);
}

static bool has_datagrams(const struct metrics_rule *r)
{
    list_for_each (link, next, &r->rule->listeners)
        if (container_of(link, struct listener, link)->udp)
            return true;
    return r->totals->datagrams_in + r->totals->datagrams_out + r->totals->dropped > 0;
}

static void write_datagrams(struct om *om, const char *name, const struct metrics_rule *r)
{
    if (has_datagrams(r))
        write_both(om, name, r, r->totals->datagrams_in, r->totals->datagrams_out);
}

static void write_dropped(struct om *om, const char *name, const struct metrics_rule *r)
{
    if (has_datagrams(r))
        write_number(om, name, "_total", r, r->totals->dropped);
}

/* --- how long it took ------------------------------------------------------------------------ */

/* Seconds as all write them (OpenMetrics 1.0, "Canonical Numbers"): never without a point. */
static void print_bound(char *out, size_t size, uint64_t ms)
{
    snprintf(out, size, ms % 1000 ? "%g" : "%g.0", (double)ms / 1000);
}

void metrics_histogram(struct om *om, const char *name, const struct om_label *which,
                       const struct histogram *h)
{
    labels all = {0};
    uint64_t count = 0;
    size_t n = 0;
    char le[32];

    for (; which && which[n].name; n++)
        all[n] = which[n];
    all[n] = (struct om_label){"le", le};
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        if (i < HISTOGRAM_BUCKETS - 1)
            print_bound(le, sizeof(le), histogram_bound(i));
        else
            snprintf(le, sizeof(le), "+Inf");
        om_number(om, name, "_bucket", all, count);
    }
    om_number(om, name, "_count", which, count);
    om_real(om, name, "_sum", which,
            (double)atomic_load_explicit(&h->sum_ms, memory_order_relaxed) / 1000);
}

static void write_connect(struct om *om, const char *name, const struct metrics_rule *r)
{
    metrics_histogram(om, name, (labels){{"rule", name_of(r)}}, &r->rule->account.connect);
}

static void write_lasted(struct om *om, const char *name, const struct metrics_rule *r)
{
    metrics_histogram(om, name, (labels){{"rule", name_of(r)}}, &r->rule->account.lasted);
}

/* --- its listeners --------------------------------------------------------------------------- */

/* Sockets passed under one name are listeners of one text: the second is "systemd:web#2". */
static const char *label_of(const struct listener *l, char *out, size_t size)
{
    unsigned before = 0;

    if (l->conf->kind != ADDR_SYSTEMD)
        return l->conf->text;
    for (const struct list *p = l->link.prev; p != &l->rule->listeners; p = p->prev)
        before += container_of(p, struct listener, link)->conf == l->conf;
    if (before == 0)
        return l->conf->text;
    snprintf(out, size, "%s#%u", l->conf->text, before + 1);
    return out;
}

#define LABEL_MAX 300

static void write_listener_state(struct om *om, const char *name, const struct metrics_rule *r,
                                 const struct listener *l)
{
    static const char *const words[] = {"listening", "waiting",      "paused",
                                        "resting",   "no-interface", "closed"};
    char text[LABEL_MAX];
    const char *label = label_of(l, text, sizeof(text)), *now = json_listener_state(l);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        om_number(om, name, "",
                  (labels){{"rule", name_of(r)}, {"listener", label}, {"state", words[i]}},
                  strcmp(words[i], now) == 0);
}

static void write_listener_sessions(struct om *om, const char *name, const struct metrics_rule *r,
                                    const struct listener *l)
{
    char text[LABEL_MAX];

    om_number(om, name, "",
              (labels){{"rule", name_of(r)}, {"listener", label_of(l, text, sizeof(text))}},
              atomic_load(&l->live));
}

static void write_listener_limit(struct om *om, const char *name, const struct metrics_rule *r,
                                 const struct listener *l)
{
    char text[LABEL_MAX];

    if (l->conf->max_connections != UINT32_MAX)
        om_number(om, name, "",
                  (labels){{"rule", name_of(r)}, {"listener", label_of(l, text, sizeof(text))}},
                  l->conf->max_connections);
}

/* --- all of it ------------------------------------------------------------------------------- */

const struct metrics_family *metrics_family(unsigned number)
{
    static const struct metrics_family all[] = {
        {"penstock_rule_state", "gauge", NULL,
         "Whether the rule is in this state; a removed one lives for its last sessions only.",
         write_state, NULL},
        {"penstock_sessions", "gauge", NULL, "Sessions that are live.", write_sessions, NULL},
        {"penstock_sessions_limit", "gauge", NULL,
         "How many sessions the rule may have at a time (max_connections).", write_limit, NULL},
        {"penstock_sessions_opened", "counter", NULL, "Sessions that have begun.", write_opened,
         NULL},
        {"penstock_sessions_ended", "counter", NULL, "Sessions that have ended, by the reason.",
         write_ended, NULL},
        {"penstock_clients_refused", "counter", NULL,
         "Clients (TCP, UNIX) and datagrams (UDP) that got no session, by the reason.",
         write_refused, NULL},
        {"penstock_relayed_bytes", "counter", "bytes",
         "Bytes that the other side's kernel has taken; in: from client to upstream.", write_bytes,
         NULL},
        {"penstock_relayed_datagrams", "counter", NULL,
         "Datagrams that were sent on (UDP); in: from client to upstream.", write_datagrams, NULL},
        {"penstock_dropped_datagrams", "counter", NULL,
         "Datagrams of sessions that were not sent on (UDP).", write_dropped, NULL},
        {"penstock_connect_duration_seconds", "histogram", "seconds",
         "How long a client waited for its upstream (TCP, UNIX).", write_connect, NULL},
        {"penstock_session_duration_seconds", "histogram", "seconds",
         "From begin to end of the sessions that have ended.", write_lasted, NULL},
        {"penstock_listener_state", "gauge", NULL, "Whether the listener is in this state.", NULL,
         write_listener_state},
        {"penstock_listener_sessions", "gauge", NULL, "Live sessions that came in here.", NULL,
         write_listener_sessions},
        {"penstock_listener_sessions_limit", "gauge", NULL,
         "How many may come in here at a time, where it has a limit of its own.", NULL,
         write_listener_limit},
    };

    return number < sizeof(all) / sizeof(all[0]) ? &all[number] : NULL;
}
