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
 * The descriptor is valid in every state but CLOSED, and watched for reading only in LISTENING, and
 * not while its rule is paused: then nobody is accepted, whatever the state. One of datagrams is
 * always LISTENING.
 */
#ifndef PENSTOCK_FLOW_LISTENER_H
#define PENSTOCK_FLOW_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "os/sock_file.h"

struct rule;
struct udp_listener;
struct worker;

struct listener {
    struct list link; /* in the rule's list */
    struct watch watch;
    struct timer rest;
    struct list waiting; /* in the rule's list while WAITING */
    struct worker *worker;
    uint64_t id;       /* another one each time that a rule gets it, from 1: in a rule's
                          list they ascend */
    struct rule *rule; /* NULL: it has none yet, and nobody is accepted */
    const struct conf_listen *conf; /* of the rule's snapshot */
    atomic_uint live;               /* sessions that came in here */
    int fd;                         /* -1 when CLOSED */
    sa_family_t family;             /* of the socket */
    struct udp_listener *udp;       /* it takes datagrams (udp.h); or NULL: connections */
    unsigned number;                /* for whoever numbers them all to find them again */
    unsigned rest_ms;               /* how long the last rest was; 0 after a good accept */
    bool owns_file;                 /* it made the socket file, and will remove it ... */
    struct sock_file_id file;       /* ... if it is still this one ... */
    bool maybe_file;                /* ... and, if this is set, nobody else listens there */
};

/* A listener of no rule yet, CLOSED; NULL without memory. `conf` is borrowed. */
struct listener *listener_new(struct worker *worker, const struct conf_listen *conf);

/* Close it and free it; no session may point to it any more. */
void listener_free(struct listener *l);

/* Give it to `rule`, which owns it from here on; another one may have had it. */
void listener_attach(struct listener *l, struct rule *rule);

/*
 * Bind and listen as the config says, but accept nobody yet. Returns 0 or a negative errno, with
 * *why set to static text when the errno alone would not tell (or NULL).
 */
int listener_open(struct listener *l, const char **why);

/* The same beside listeners that are about to close, and for which sock_share_port() was called. */
int listener_open_beside(struct listener *l, const char **why);

/*
 * Use `fd`, a socket that was passed to us and belongs to the listener from here on. Returns 0; or
 * a negative errno, with *why as above, and then it is the caller's still: -ENOTSOCK, -EINVAL or
 * -EPROTOTYPE when it is not one that the config means, -EMFILE when the descriptors promised are
 * more than there are.
 */
int listener_adopt(struct listener *l, int fd, const char **why);

/* It is ours to remove the socket file at its path, if that is the file so numbered. */
void listener_own_file(struct listener *l, struct sock_file_id file);

/* The file at its path is this one, and likely ours: it is removed if nobody listens there when we
 * don't any more. */
void listener_find_file(struct listener *l, struct sock_file_id file);

/* Begin to accept, once it has a rule. Returns 0 or a negative errno. */
int listener_start(struct listener *l);

/*
 * Go on under `conf`, which has the same address, with the options it has there. Returns 0, or a
 * negative errno when one of them could not be applied to the socket; the others were, and *why
 * names it.
 */
int listener_change(struct listener *l, const struct conf_listen *conf, const char **why);

/* Accept all who wait in the backlog and for whom there is a place: before it closes for good. */
void listener_empty(struct listener *l);

/* Refuse clients from here on, whoever else has the socket (but the service manager, if it is one
 * that was passed by it), and remove the socket file that it made. CLOSED: nothing. */
void listener_close(struct listener *l);

/* Close the descriptor only: another process goes on with the socket and its file. */
void listener_abandon(struct listener *l);

/* From WAITING to LISTENING; in another state: nothing. */
void listener_wake(struct listener *l);

/* Its rule was paused, or resumed: accept accordingly. */
void listener_follow(struct listener *l);

#endif
