/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_stall.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define PATIENCE_NS 250000000l /* a signal ends a write that takes longer */

/* The signal that asks us to end; 0: none does. */
static int asked(const struct stall *s)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    sigset_t waiting;

    sigpending(&waiting);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (sigismember(&waiting, ends[i]) == 1)
            return ends[i];
    }
    return *s->ended_by;
}

/*
 * In the middle of anything (signal-safety(7)). The modes are what can be given back; whatever is
 * written would only wait behind the rest.
 */
static void on_time(int number, siginfo_t *info, void *context)
{
    const struct stall *s = info->si_value.sival_ptr;
    int error = errno, by;
    sigset_t one;

    (void)number;
    (void)context;
    if (info->si_code != SI_TIMER)
        return; /* somebody else's, which has no value of ours */
    by = asked(s);
    if (by != 0) {
        tcsetattr(STDOUT_FILENO, TCSANOW, &s->modes);
        signal(by, SIG_DFL);
        raise(by);
        sigemptyset(&one);
        sigaddset(&one, by);
        sigprocmask(SIG_UNBLOCK, &one, NULL);
    }
    errno = error;
}

bool stall_open(struct stall *s, const int *ended_by)
{
    struct sigaction action = {.sa_sigaction = on_time, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    sigset_t alarm;

    *s = (struct stall){.ended_by = ended_by};
    event.sigev_value.sival_ptr = s;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGTTOU); /* the modes are given back from the background, too */
    if (tcgetattr(STDOUT_FILENO, &s->modes) || sigaction(SIGALRM, &action, NULL))
        return false;
    /* Whoever started us may have blocked it. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    s->is_open = timer_create(CLOCK_MONOTONIC, &event, &s->timer) == 0;
    return s->is_open;
}

void stall_close(struct stall *s)
{
    if (s->is_open)
        timer_delete(s->timer);
    s->is_open = false;
}

static void set(struct stall *s, long ns)
{
    struct itimerspec every = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};

    if (s->is_open)
        timer_settime(s->timer, 0, &every, NULL);
}

void stall_begin(struct stall *s)
{
    set(s, PATIENCE_NS);
}

void stall_end(struct stall *s)
{
    set(s, 0);
}
