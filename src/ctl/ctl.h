/* SPDX-License-Identifier: BSD-2-Clause */
/* What every command has: the command line, the daemon, and where it prints. */
#ifndef PENSTOCK_CTL_CTL_H
#define PENSTOCK_CTL_CTL_H

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/screen.h"

struct ctl {
    struct args args;
    struct client *client;
    struct screen screen;
};

/* Each returns the exit status (client.h); what went wrong has been said. */
int cmd_status(struct ctl *ctl);   /* cmd_status.c */
int cmd_rules(struct ctl *ctl);    /* cmd_rules.c */
int cmd_steer(struct ctl *ctl);    /* pause, resume and drain */
int cmd_sessions(struct ctl *ctl); /* cmd_sessions.c */
int cmd_show(struct ctl *ctl);     /* cmd_session.c */
int cmd_kill(struct ctl *ctl);
int cmd_reload(struct ctl *ctl);     /* cmd_reload.c */
int cmd_diff(struct ctl *ctl);       /* cmd_diff.c */
int cmd_add(struct ctl *ctl);        /* cmd_add.c */
int cmd_remove(struct ctl *ctl);     /* cmd_remove.c */
int cmd_tail(struct ctl *ctl);       /* cmd_tail.c */
int cmd_top(struct ctl *ctl);        /* top.c, or top_none.c where there is no ncurses */
int cmd_check(struct ctl *ctl);      /* cmd_local.c */
int cmd_wait_ready(struct ctl *ctl); /* cmd_local.c */

/* What top is, or that this build has none. */
extern const char top_summary[];

/*
 * Print what `get` gets by `print`, or as it is with --json; again and again with --watch. (get.c)
 */
int ctl_get(struct ctl *ctl, struct reply (*get)(struct ctl *ctl),
            void (*print)(struct ctl *ctl, const json_t *body));

/* Print what a reload says that it has changed. STATUS_REFUSED, which is said, when that is not all
 * that was to change. (cmd_reload.c) */
int reload_print(struct ctl *ctl, const json_t *body);

/* Do nothing for so long. */
void ctl_rest(int64_t ms);

/* Change something, and print the answer, which has to have a key, likewise. */
int ctl_change(struct ctl *ctl, const char *method, const char *path, const char *key,
               void (*print)(struct ctl *ctl, const json_t *body));

#endif
