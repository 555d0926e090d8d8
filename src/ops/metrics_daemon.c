/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon has once. */
#include "config.h"

#include <stdatomic.h>

#include "flow/rule.h"
#include "ops/api.h"
#include "ops/metrics.h"

static void write_gauge(struct om *om, const char *name, const char *help, uint64_t value)
{
    om_family(om, name, "gauge", NULL, help);
    om_number(om, name, "", NULL, value);
}

static void write_time(struct om *om, const char *name, const char *help, int64_t ms)
{
    om_family(om, name, "gauge", "seconds", help);
    om_real(om, name, "", NULL, (double)ms / 1000);
}

static void write_build(struct om *om)
{
    const struct om_label labels[] = {{"version", PACKAGE_VERSION}, {NULL, NULL}};

    om_family(om, "penstock_build", "info", NULL, "The program at work.");
    om_number(om, "penstock_build", "_info", labels, 1);
}

static void write_loop(struct om *om, const struct loop *loop)
{
    const struct om_label labels[] = {{"engine", loop_engine_name(loop)}, {NULL, NULL}};
    struct histogram turns = {0};

    om_family(om, "penstock_loop_engine", "info", NULL, "What the event loop waits with now.");
    om_number(om, "penstock_loop_engine", "_info", labels, 1);
    write_gauge(om, "penstock_loop_watched_descriptors", "Descriptors that the event loop watches.",
                loop_watched(loop));
    loop_turns(loop, &turns);
    om_family(om, "penstock_loop_lag_seconds", "histogram", "seconds",
              "How long each turn of the event loop took: the most by which anything that became "
              "due meanwhile was late.");
    metrics_histogram(om, "penstock_loop_lag_seconds", NULL, &turns);
}

static void write_descriptors(struct om *om, const struct worker *w)
{
    write_gauge(om, "penstock_descriptors_booked",
                "Descriptors booked by listeners, sessions, pipes and readers of this.",
                atomic_load(&w->fds->booked));
    write_gauge(om, "penstock_descriptors_limit", "How many can be booked.", w->fds->room);
    write_gauge(om, "penstock_pipes", "Pipes for splice(2) that are open.", w->pipes.open);
    write_gauge(om, "penstock_pipes_idle", "Of these, those that no session has.", w->pipes.idle);
    write_gauge(om, "penstock_pipes_limit", "How many may be open.", w->pipes.most);
}

/* By state, which are few. */
static void write_rules(struct om *om, const struct worker *w)
{
    uint64_t running = 0, paused = 0, draining = 0, removed = 0;

    list_for_each (link, next, &w->rules) {
        const struct rule *rule = container_of(link, struct rule, link);

        if (!rule->running)
            removed += !rule_has_gone(rule);
        else if (rule->state == RULE_PAUSED)
            paused++;
        else if (rule->state == RULE_DRAINING)
            draining++;
        else
            running++;
    }
    om_family(om, "penstock_rules", "gauge", NULL,
              "Rules by their state; removed ones live for their last sessions only.");
    om_number(om, "penstock_rules", "", (struct om_label[]){{"state", "running"}, {0}}, running);
    om_number(om, "penstock_rules", "", (struct om_label[]){{"state", "paused"}, {0}}, paused);
    om_number(om, "penstock_rules", "", (struct om_label[]){{"state", "draining"}, {0}}, draining);
    om_number(om, "penstock_rules", "", (struct om_label[]){{"state", "removed"}, {0}}, removed);
}

/* While a reload goes on nothing is known of the last one. */
static void write_config(struct om *om, const struct ops_reload *r)
{
    write_gauge(om, "penstock_config_generation",
                "Which config is at work: 1 at the start, and one more with each reload that "
                "was applied.",
                r->generation);
    write_time(om, "penstock_config_loaded_timestamp_seconds",
               "Since when it is at work, since the epoch.", r->loaded_at_ms);
    write_gauge(om, "penstock_config_reload_in_progress", "Whether a reload is going on.",
                r->outcome == OPS_RELOAD_BUSY);
    om_family(om, "penstock_config_last_reload_successful", "gauge", NULL,
              "Whether the last reload, or the start if there was none, went well: each rule, the "
              "sockets of the API and the log are as the config says.");
    if (r->outcome != OPS_RELOAD_BUSY)
        om_number(om, "penstock_config_last_reload_successful", "", NULL,
                  r->outcome != OPS_RELOAD_FAILED && r->failed == 0);
    om_family(om, "penstock_config_last_reload_timestamp_seconds", "gauge", "seconds",
              "When the last reload was over, since the epoch.");
    if (r->at_ms > 0)
        om_real(om, "penstock_config_last_reload_timestamp_seconds", "", NULL,
                (double)r->at_ms / 1000);
}

void metrics_daemon(struct om *om, const struct api *api)
{
    const struct ops_host *host = &api->host;

    write_build(om);
    write_config(om, host->reloaded(host->arg));
    write_rules(om, host->worker);
    write_loop(om, host->worker->loop);
    write_descriptors(om, host->worker);
}
