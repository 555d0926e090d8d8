/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_stall.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOOK_NS 250000000l
/* Looks at which nothing had moved, before a signal ends us: 3 s. The far side of a pseudo-terminal
 * makes room only when it has read some 4 kB. */
#define PATIENCE 12

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

/* All that we have ever written (proc(5), io): also a part of what is being written now, for to be
 * interrupted ends a write(2) that has written something. 0: there is no telling. */
static uint64_t written(void)
{
    char text[256];
    int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    uint64_t sum = 0;
    const char *at;

    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    at = strstr(text, "wchar: ");
    for (at += at ? strlen("wchar: ") : 0; at && *at >= '0' && *at <= '9'; at++)
        sum = sum * 10 + (uint64_t)(*at - '0');
    return sum;
}

/* Has the terminal taken nothing for so long that it won't? A line tells how much is under way
 * (ioctl_tty(2)); a pseudo-terminal says 0. */
static bool is_stuck(struct stall *s)
{
    uint64_t now = written();
    int queued;

    if (ioctl(STDOUT_FILENO, TIOCOUTQ, &queued) != 0)
        queued = 0;
    s->idle = now == s->written && queued >= s->queued ? s->idle + 1 : 0;
    s->written = now;
    s->queued = queued;
    return s->idle >= PATIENCE;
}

/*
 * In the middle of anything (signal-safety(7)). The modes are what can be given back; whatever is
 * written would only wait behind the rest.
 */
static void on_time(int number, siginfo_t *info, void *context)
{
    struct stall *s = info->si_value.sival_ptr;
    int error = errno, by;
    sigset_t one;

    (void)number;
    (void)context;
    if (info->si_code != SI_TIMER)
        return; /* somebody else's, which has no value of ours */
    by = is_stuck(s) ? asked(s) : 0;
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
    s->idle = 0;
    set(s, LOOK_NS);
}

void stall_end(struct stall *s)
{
    set(s, 0);
}
