/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/totals.h"

#include <stdlib.h>

#include "flow/rule.h"
#include "flow/session.h"
#include "flow/udp.h"

static uint64_t load(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What its live sessions have carried is not in there yet. */
static struct totals before_sessions(const struct rule *rule)
{
    const struct account *a = &rule->account;

    return (struct totals){.live = atomic_load(&rule->live),
                           .opened = load(&a->opened),
                           .bytes_in = load(&a->bytes_in),
                           .bytes_out = load(&a->bytes_out),
                           .datagrams_in = load(&a->datagrams_in),
                           .datagrams_out = load(&a->datagrams_out),
                           .dropped = load(&a->dropped)};
}

static void add(struct totals *t, const struct session *s)
{
    t->bytes_in += s->flow[CLIENT].bytes;
    t->bytes_out += s->flow[UPSTREAM].bytes;
    if (!s->udp)
        return;
    t->datagrams_in += s->udp->datagrams[CLIENT];
    t->datagrams_out += s->udp->datagrams[UPSTREAM];
    t->dropped += s->udp->dropped[CLIENT] + s->udp->dropped[UPSTREAM];
}

void totals_of_rule(const struct rule *rule, struct totals *out)
{
    *out = before_sessions(rule);
    if (out->live == 0)
        return;
    list_for_each (link, next, &rule->worker->sessions) {
        const struct session *s = container_of(link, struct session, link);

        if (s->rule == rule)
            add(out, s);
    }
}

struct totals *totals_of_rules(struct worker *w, size_t *count)
{
    struct totals *all;
    size_t rules = 0;

    list_for_each (link, next, &w->rules)
        container_of(link, struct rule, link)->number = (unsigned)rules++;
    all = calloc(rules + 1, sizeof(*all));
    *count = rules;
    if (!all)
        return NULL;
    list_for_each (link, next, &w->rules) {
        const struct rule *rule = container_of(link, struct rule, link);

        all[rule->number] = before_sessions(rule);
    }
    list_for_each (link, next, &w->sessions) {
        const struct session *s = container_of(link, struct session, link);

        add(&all[s->rule->number], s);
    }
    return all;
}
