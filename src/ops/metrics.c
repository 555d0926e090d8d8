/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /metrics: written in slices while it is sent, a few families of a few rules at a time, as there
 * can be ten thousands of both.
 */
#include "config.h"

#include "ops/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "flow/listener.h"
#include "flow/rule.h"
#include "flow/totals.h"
#include "ops/api.h"
#include "ops/find.h"

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PLAIN       "text/plain; version=0.0.4; charset=utf-8"

/* A slice ends when it has so many bytes. */
#define SLICE_BYTES (16u << 10)

struct scrape {
    struct stream stream;
    const struct api *api;
    struct om om;  /* the slice at hand ... */
    size_t sent;   /* ... of which so much has gone */
    unsigned next; /* the family to go on with ... */
    size_t at;     /* ... at this rule ... */
    uint64_t told; /* ... behind the listener of it with this id; or 0 */
    bool headed;   /* the family has begun */
    bool begun, over;
    struct metrics_rule *rules;
    size_t count;
    struct totals *totals; /* of one moment: what a session has carried is never counted twice */
};

/* --- which rules ----------------------------------------------------------------------------- */

/* All that are alive; each name is there once. */
static int add_rules(struct scrape *sc, struct worker *w)
{
    size_t count;

    sc->totals = totals_of_rules(w, &count);
    sc->rules = calloc(count + 1, sizeof(*sc->rules));
    if (!sc->totals || !sc->rules)
        return -1;
    list_for_each (link, next, &w->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (!rule_has_gone(rule))
            sc->rules[sc->count++] =
                (struct metrics_rule){rule_ref(rule), &sc->totals[rule->number]};
    }
    return 0;
}

static void free_scrape(struct scrape *sc)
{
    for (size_t i = 0; i < sc->count; i++)
        rule_unref(sc->rules[i].rule);
    free(sc->rules);
    free(sc->totals);
    free(sc->om.text);
    free(sc);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Of a rule with many listeners as much as there is room for. */
static void write_rule(struct scrape *sc, const struct metrics_family *f,
                       const struct metrics_rule *r)
{
    const struct listener *l;

    if (!f->write_listener) {
        f->write(&sc->om, f->name, r);
        sc->at++;
        return;
    }
    l = find_listener_behind(r->rule, sc->told);
    while (l && sc->om.size < SLICE_BYTES) {
        f->write_listener(&sc->om, f->name, r, l);
        sc->told = l->id;
        l = l->link.next == &r->rule->listeners ? NULL
                                                : container_of(l->link.next, struct listener, link);
    }
    if (l)
        return;
    sc->told = 0;
    sc->at++;
}

static void write_some_rules(struct scrape *sc, const struct metrics_family *f)
{
    if (!sc->headed)
        om_family(&sc->om, f->name, f->type, f->unit, f->help);
    sc->headed = true;
    while (sc->at < sc->count && sc->om.size < SLICE_BYTES)
        write_rule(sc, f, &sc->rules[sc->at]);
    if (sc->at < sc->count)
        return;
    sc->at = 0;
    sc->headed = false;
    sc->next++;
}

/* The next slice, in place of the one that has been sent. */
static void write_slice(struct scrape *sc)
{
    const struct metrics_family *f;

    om_clear(&sc->om);
    sc->sent = 0;
    if (!sc->begun) {
        metrics_daemon(&sc->om, sc->api);
        metrics_process(&sc->om, sc->api);
    }
    sc->begun = true;
    while (sc->om.size < SLICE_BYTES && (f = metrics_family(sc->next)))
        write_some_rules(sc, f);
    if (metrics_family(sc->next))
        return;
    om_end(&sc->om);
    sc->over = true;
}

/* Without memory the text ends before its "# EOF", and the older format has nothing else than the
 * end of its connection to tell that it is cut. */
static ssize_t fill(struct stream *st, char *to, size_t size)
{
    struct scrape *sc = container_of(st, struct scrape, stream);

    if (sc->sent == sc->om.size) {
        if (sc->over)
            return STREAM_OVER;
        write_slice(sc);
    }
    if (sc->om.failed)
        return STREAM_BROKEN;
    if (size > sc->om.size - sc->sent)
        size = sc->om.size - sc->sent;
    memcpy(to, sc->om.text + sc->sent, size);
    sc->sent += size;
    return (ssize_t)size;
}

static void done(struct stream *st)
{
    free_scrape(container_of(st, struct scrape, stream));
}

/* --- asking ---------------------------------------------------------------------------------- */

/*
 * OpenMetrics for whoever names it, as Prometheus does, and the older text for everybody else: that
 * is what all exporters do, what browsers show, and what promtool reads.
 */
static bool wants_openmetrics(const struct request *rq)
{
    const char *accept = request_header(rq, "Accept");

    return accept && strcasestr(accept, "application/openmetrics-text");
}

struct answer *api_metrics(struct api_call *call)
{
    struct scrape *sc = calloc(1, sizeof(*sc));

    if (!sc)
        return NULL;
    sc->api = call->api;
    sc->stream = (struct stream){.fill = fill, .done = done};
    sc->om.plain = !wants_openmetrics(call->request);
    if (add_rules(sc, call->api->host.worker)) {
        free_scrape(sc);
        return NULL;
    }
    return answer_guarded(answer_stream(sc->om.plain ? PLAIN : OPENMETRICS, &sc->stream));
}
