/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/idle.h"

#include "flow/listener.h"

void idle_init(struct idle *idle, const struct ruleset *set, int64_t override_ms, idle_fn *fn,
               void *arg)
{
    *idle = (struct idle){.set = set, .override_ms = override_ms, .fn = fn, .arg = arg};
}

static int64_t idle_ms(const struct idle *idle)
{
    return idle->override_ms >= 0 ? idle->override_ms : idle->set->conf->daemon.exit_idle_time;
}

/* That a rule is paused would be forgotten, and its clients, who wait, would start us at once. */
static bool may_end(const struct ruleset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->rules[i]->state != RULE_RUNNING)
            return false;
        list_for_each (link, next, &set->rules[i]->listeners) {
            if (container_of(link, struct listener, link)->conf->kind != ADDR_SYSTEMD)
                return false;
        }
    }
    return true;
}

static void on_timer(struct timer *t)
{
    struct idle *idle = container_of(t, struct idle, timer);

    idle->fn(idle->arg);
}

void idle_changed(struct idle *idle)
{
    const struct worker *w = idle->set->worker;
    int64_t ms = idle_ms(idle);

    if (w->live > 0 || ms <= 0 || !may_end(idle->set))
        loop_timer_stop(w->loop, &idle->timer);
    else
        loop_timer(w->loop, &idle->timer, ms, on_timer);
}

void idle_stop(struct idle *idle)
{
    if (idle->set)
        loop_timer_stop(idle->set->worker->loop, &idle->timer);
}
