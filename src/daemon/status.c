/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "os/systemd.h"

#define TELL_MS 1000

static void tell(const struct status *st, const char *also)
{
    const struct worker *w = st->worker;
    char text[256];

    snprintf(text, sizeof(text),
             "%sSTATUS=%" PRIu64 " sessions, %" PRIu64 " served, %" PRIu64
             " refused; %zu rules on %zu listeners; %s",
             also, w->live, w->served, w->refused, st->rules, st->listeners,
             loop_engine_name(w->loop));
    systemd_notify(text);
}

static void on_timer(struct timer *t)
{
    tell(container_of(t, struct status, timer), "");
}

static void on_pulse(struct timer *t)
{
    struct status *st = container_of(t, struct status, pulse);

    systemd_notify("WATCHDOG=1");
    loop_timer(st->worker->loop, t, st->pulse_ms, on_pulse);
}

void status_start(struct status *st, const struct worker *w, size_t rules, size_t listeners)
{
    uint64_t usec = systemd_watchdog_usec();

    *st = (struct status){.worker = w, .rules = rules, .listeners = listeners};
    if (usec == 0)
        return;
    st->pulse_ms = (int64_t)(usec / 2000); /* twice in the time allowed */
    loop_timer(w->loop, &st->pulse, st->pulse_ms, on_pulse);
}

void status_stop(struct status *st)
{
    loop_timer_stop(st->worker->loop, &st->timer);
    loop_timer_stop(st->worker->loop, &st->pulse);
}

void status_ready(struct status *st)
{
    tell(st, "READY=1\n");
}

void status_stopping(struct status *st)
{
    tell(st, "STOPPING=1\n");
}

void status_changed(struct status *st)
{
    if (st->timer.place == 0)
        loop_timer(st->worker->loop, &st->timer, TELL_MS, on_timer);
}
