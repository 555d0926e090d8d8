/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/signals.h"

#include <stddef.h>

static const int ours[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

#define OURS (sizeof(ours) / sizeof(ours[0]))

void signals_hold(sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < OURS; i++)
        sigaddset(&set, ours[i]);
    /* What was begun is brought to its end also when nobody reads what is said of it. */
    sigaddset(&set, SIGPIPE);
    /* A file that can't grow is an error like others. */
    signal(SIGXFSZ, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, before);
}

/* As whoever started us may have it: nohup(1), a shell without job control. Such a signal waits as
 * well while it is held, but would not end us. */
static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool signals_wait(void)
{
    sigset_t waiting;

    sigpending(&waiting);
    for (size_t i = 0; i < OURS; i++) {
        if (sigismember(&waiting, ours[i]) == 1 && !is_ignored(ours[i]))
            return true;
    }
    return false;
}

void signals_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}
