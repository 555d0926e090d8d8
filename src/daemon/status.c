/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "os/systemd.h"

#define TELL_MS 1000

/* A manager that does not read is asked again this often. */
#define AGAIN_MS 100

static void on_timer(struct timer *t);

static struct loop *loop_of(const struct status *st)
{
    return st->set->worker->loop;
}

/* Counts alone are not worth another attempt: the next change tells newer ones, and what is owed if
 * there was no memory for the timer. */
static void tell(struct status *st)
{
    const struct worker *w = st->set->worker;
    char text[640];

    snprintf(text, sizeof(text),
             "%sSTATUS=%s%s%" PRIu64 " sessions, %" PRIu64 " served, %" PRIu64
             " refused; %zu rules on %zu listeners; %s",
             st->owed, st->problem, st->problem[0] ? "; " : "", w->live, w->served, w->refused,
             st->set->count, st->set->listeners, loop_engine_name(w->loop));
    if (systemd_notify(text) != -EAGAIN)
        st->owed[0] = '\0';
    else if (st->owed[0])
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

    loop_timer(loop_of(st), t, again ? AGAIN_MS : st->pulse_ms, on_pulse);
}

void status_start(struct status *st, const struct ruleset *set)
{
    uint64_t usec = systemd_watchdog_usec();

    *st = (struct status){.set = set};
    if (usec == 0)
        return;
    st->pulse_ms = (int64_t)(usec / 2000); /* twice in the time allowed */
    loop_timer(loop_of(st), &st->pulse, st->pulse_ms, on_pulse);
}

void status_stop(struct status *st)
{
    loop_timer_stop(loop_of(st), &st->timer);
    loop_timer_stop(loop_of(st), &st->pulse);
}

static void owe(struct status *st, const char *assignments)
{
    snprintf(st->owed, sizeof(st->owed), "%s", assignments);
    tell(st);
}

void status_ready(struct status *st)
{
    owe(st, "READY=1\n");
}

void status_reloading(struct status *st)
{
    char text[sizeof(st->owed)];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_monotonic_us());
    owe(st, text);
}

void status_reloaded(struct status *st, const char *problem)
{
    snprintf(st->problem, sizeof(st->problem), "%s", problem ? problem : "");
    for (char *c = st->problem; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    owe(st, "READY=1\n");
}

void status_stopping(struct status *st)
{
    owe(st, "STOPPING=1\n");
}

void status_changed(struct status *st)
{
    if (st->timer.place == 0)
        loop_timer(loop_of(st), &st->timer, TELL_MS, on_timer);
}
