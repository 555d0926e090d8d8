/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "os/systemd.h"

#define TELL_MS 1000

/* A manager that does not read is asked again this often. */
#define AGAIN_MS 100

static void on_timer(struct timer *t);

/* Counts alone are not worth another attempt: the next change tells newer ones, and what is owed if
 * there was no memory for the timer. */
static void tell(struct status *st)
{
    const struct worker *w = st->worker;
    char text[256];

    snprintf(text, sizeof(text),
             "%sSTATUS=%" PRIu64 " sessions, %" PRIu64 " served, %" PRIu64
             " refused; %zu rules on %zu listeners; %s",
             st->owed ? st->owed : "", w->live, w->served, w->refused, st->rules, st->listeners,
             loop_engine_name(w->loop));
    if (systemd_notify(text) != -EAGAIN)
        st->owed = NULL;
    else if (st->owed)
        loop_timer(w->loop, &st->timer, AGAIN_MS, on_timer);
}

static void on_timer(struct timer *t)
{
    tell(container_of(t, struct status, timer));
}

static void on_pulse(struct timer *t)
{
    struct status *st = container_of(t, struct status, pulse);
    bool again = systemd_notify("WATCHDOG=1") == -EAGAIN && AGAIN_MS < st->pulse_ms;

    loop_timer(st->worker->loop, t, again ? AGAIN_MS : st->pulse_ms, on_pulse);
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
    st->owed = "READY=1\n";
    tell(st);
}

void status_stopping(struct status *st)
{
    st->owed = "STOPPING=1\n";
    tell(st);
}

void status_changed(struct status *st)
{
    if (st->timer.place == 0)
        loop_timer(st->worker->loop, &st->timer, TELL_MS, on_timer);
}
