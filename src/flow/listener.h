/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listener: one listening socket, from which clients are accepted while there is a place for
 * them.
 *
 *              open                readable, no place, on_limit = wait
 *   CLOSED ───────────► LISTENING ────────────────────────────────────► WAITING
 *      ▲                 │    ▲ ▲      a place is free (listener_wake)     │
 *      │     EMFILE, ... │    │ └──────────────────────────────────────────┘
 *      │                 ▼    │ timer
 *      │ close          RESTING
 *      └──── from any state
 *
 * The descriptor is valid in every state but CLOSED, and watched for reading only in LISTENING.
 */
#ifndef PENSTOCK_FLOW_LISTENER_H
#define PENSTOCK_FLOW_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/list.h"
#include "conf/conf.h"
#include "loop/loop.h"

struct rule;

struct listener {
    struct list link; /* in the rule's list */
    struct watch watch;
    struct timer rest;
    struct list waiting; /* in the rule's list while WAITING */
    struct rule *rule;
    const struct conf_listen *conf; /* of the rule's snapshot */
    atomic_uint live;               /* sessions that came in here */
    int fd;                         /* -1 when CLOSED */
    unsigned rest_ms;               /* how long the last rest was; 0 after a good accept */
    bool owns_file;                 /* it made the socket file, and will remove it ... */
    dev_t file_dev;                 /* ... if it is still this one */
    ino_t file_ino;
};

/* A listener of `rule`, which owns it, CLOSED; NULL without memory. */
struct listener *listener_new(struct rule *rule, const struct conf_listen *conf);

/* Close it and free it; no session of it may be left. */
void listener_free(struct listener *l);

/*
 * Bind and listen as the config says, but accept nobody yet. Returns 0 or a negative errno, with
 * *why set to static text when the errno alone would not tell (or NULL).
 */
int listener_open(struct listener *l, const char **why);

/* Use `fd`, a listening socket that the service manager passed and bound to `bound`. It belongs to
 * the listener from here on. */
void listener_adopt(struct listener *l, int fd, const struct addr *bound);

/* Begin to accept. Returns 0 or a negative errno. */
int listener_start(struct listener *l);

/* Close, and remove the socket file that it made. Its sessions go on. CLOSED: nothing. */
void listener_close(struct listener *l);

/* From WAITING to LISTENING. */
void listener_wake(struct listener *l);

#endif
