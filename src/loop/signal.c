/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    struct watch watch;
    struct loop *loop;
    signal_fn *fn;
    void *arg;
};

static void on_readable(struct watch *w, unsigned events)
{
    struct signals *s = container_of(w, struct signals, watch);
    struct signalfd_siginfo info;

    (void)events;
    if (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        s->fn(s->arg, (int)info.ssi_signo);
}

struct signals *signals_new(struct loop *loop, const int *wanted, signal_fn *fn, void *arg)
{
    struct signals *s = calloc(1, sizeof(*s));
    sigset_t set;
    int fd, error;

    if (!s)
        return NULL;
    *s = (struct signals){.watch = WATCH_NONE, .loop = loop, .fn = fn, .arg = arg};
    sigemptyset(&set);
    for (; *wanted; wanted++)
        sigaddset(&set, *wanted);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd >= 0) {
        error = loop_watch(loop, &s->watch, fd, LOOP_READ, on_readable);
        if (error == 0)
            return s;
        close(fd);
        errno = -error;
    }
    free(s);
    return NULL;
}

void signals_free(struct signals *s)
{
    int fd;

    if (!s)
        return;
    fd = s->watch.fd;
    loop_unwatch(s->loop, &s->watch);
    close(fd);
    free(s);
}
