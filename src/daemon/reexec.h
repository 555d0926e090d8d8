/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The upgrade in place (SIGUSR2): the program that is now at our path takes this process over, with
 * every descriptor and session (execve(2)). It must first have shown that it can start and read the
 * config; whatever fails, the one at work goes on.
 */
#ifndef PENSTOCK_DAEMON_REEXEC_H
#define PENSTOCK_DAEMON_REEXEC_H

#include "daemon/handover.h"
#include "daemon/reload.h"
#include "daemon/ruleset.h"
#include "daemon/steering.h"
#include "daemon/store.h"
#include "loop/loop.h"
#include "os/child.h"

struct reexec {
    struct ruleset *set;
    const struct store *store;
    const struct reload *reload;
    const struct steering *steering;
    char **argv;
    char *program;      /* its path, as it was at start; NULL: not known */
    struct child child; /* the new program, checking the config ... */
    struct watch watch; /* ... until it has ended; while it is watched there is one ... */
    struct timer timer; /* ... or this fires; then only its end is still waited for ... */
    bool given_up;      /* ... and this is set */
    struct timer step;  /* it has shown that it can: a reload under way is waited for ... */
    int64_t wait_until; /* ... until then */
};

/* `argv` is the process's, borrowed. Returns 0 or -ENOMEM. */
int reexec_init(struct reexec *r, struct ruleset *set, const struct store *store,
                const struct reload *reload, const struct steering *steering, char **argv);
void reexec_stop(struct reexec *r);

/* Begin. Returns before it is done; does not return from the loop if it works out. */
void reexec_request(struct reexec *r);

/*
 * What a former program has left to this process, if it has. Returns 0, or -ENOENT when there is
 * nothing; or another negative errno with *why set: every connection that it left has been reset;
 * listening sockets have been added to `passed`.
 */
int reexec_take(struct inheritance *in, struct passed *passed, const char **why);
void reexec_forget(struct inheritance *in);

#endif
