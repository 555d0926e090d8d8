/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon is. */
#include "config.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/options.h"
#include "flow/listener.h"
#include "flow/rule.h"
#include "ops/api.h"

struct answer *api_health(struct api_call *c)
{
    (void)c;
    return answer_json(200, json_pack("{s:s}", "status", "ok"));
}

static const char *outcome_word(enum ops_outcome outcome)
{
    static const char *const words[] = {[OPS_RELOAD_NONE] = "none",
                                        [OPS_RELOAD_BUSY] = "busy",
                                        [OPS_RELOAD_OK] = "ok",
                                        [OPS_RELOAD_FAILED] = "failed"};

    return words[outcome];
}

/* Which rules are not what the config at work says: left out, or still of an earlier one. Both are
 * in the config's order. */
static json_t *failed_rules(const struct ops_host *host)
{
    const struct conf *conf = host->conf(host->arg);
    json_t *names = json_array();
    size_t count, at = 0;
    struct rule *const *rules = host->rules(host->arg, &count);
    int error = 0;

    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *wanted = &conf->rules[i];
        const struct conf_rule *is = at < count ? rules[at]->conf : NULL;

        at += is && strcmp(is->name, wanted->name) == 0;
        if (is != wanted)
            error |= json_array_append_new(names, json_plain(wanted->name));
    }
    if (!error)
        return names;
    json_decref(names);
    return NULL;
}

/* Which of the daemon's options are not, though a reload sets them. */
static json_t *failed_options(const struct ops_host *host)
{
    const struct conf_daemon *wanted = &host->conf(host->arg)->daemon;
    const struct conf_daemon *is = &host->daemon(host->arg)->options;
    json_t *names = json_array();
    size_t count;
    const struct option *table = option_table(&count);
    int error = 0;

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], IN_DAEMON) && !table[i].late &&
            !option_equal(&table[i], IN_DAEMON, wanted, is))
            error |= json_array_append_new(names, json_string(table[i].name));
    }
    if (!error)
        return names;
    json_decref(names);
    return NULL;
}

static json_t *reload_json(const struct ops_host *host, const struct ops_reload *r)
{
    return json_pack("{s:s,s:o,s:o,s:I,s:o,s:o}", "outcome", outcome_word(r->outcome), "at_ms",
                     r->at_ms > 0 ? json_integer(r->at_ms) : json_null(), "error",
                     r->error ? json_plain(r->error) : json_null(), "failed", (json_int_t)r->failed,
                     "failed_rules", failed_rules(host), "failed_options", failed_options(host));
}

static json_t *config_json(const struct ops_host *host)
{
    const struct ops_reload *r = host->reloaded(host->arg);

    return json_pack("{s:o,s:I,s:I,s:o}", "path", json_plain(host->config_path), "generation",
                     (json_int_t)r->generation, "loaded_at_ms", (json_int_t)r->loaded_at_ms,
                     "reload", reload_json(host, r));
}

/* Of the rules at work. */
static void count_rules(const struct worker *w, size_t *rules, size_t *listeners)
{
    *rules = 0;
    *listeners = 0;
    list_for_each (link, next, &w->rules) {
        const struct rule *rule = container_of(link, struct rule, link);

        if (!rule->running)
            continue;
        ++*rules;
        list_for_each (l, next_listener, &rule->listeners)
            ++*listeners;
    }
}

struct answer *api_status(struct api_call *c)
{
    const struct api *api = c->api;
    const struct worker *w = api->host.worker;
    size_t rules, listeners;

    count_rules(w, &rules, &listeners);
    return answer_json(
        200, json_pack("{s:s,s:i,s:I,s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:{s:I,s:I},s:o}", "version",
                       PACKAGE_VERSION, "pid", (int)getpid(), "started_at_ms",
                       (json_int_t)api->started_at_ms, "uptime_ms",
                       (json_int_t)(clock_monotonic_ms() - api->started), "engine",
                       loop_engine_name(w->loop), "watched", (json_int_t)loop_watched(w->loop),
                       "sessions", (json_int_t)w->live, "served", (json_int_t)w->served, "refused",
                       (json_int_t)w->refused, "rules", (json_int_t)rules, "listeners",
                       (json_int_t)listeners, "descriptors", "booked",
                       (json_int_t)atomic_load(&w->fds->booked), "room", (json_int_t)w->fds->room,
                       "config", config_json(&api->host)));
}
