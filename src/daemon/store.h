/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we have in the service manager's descriptor store. Our listening sockets are in there all
 * the time, so that whoever connects after a crash waits in the backlog for the next process.
 * Sessions go there with their snapshot when we are about to be restarted. Sockets of a socket unit
 * do not: the manager has those.
 */
#ifndef PENSTOCK_DAEMON_STORE_H
#define PENSTOCK_DAEMON_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/handover.h"
#include "daemon/passed.h"
#include "daemon/ruleset.h"
#include "loop/loop.h"
#include "ops/ops.h"

/* Room that it needs of the manager (FileDescriptorStoreMax=): parcels of sockets, and a snapshot.
 */
#define STORE_LEAST 16

struct store {
    const struct ruleset *set;
    struct timer timer; /* set while the manager is to be told again */
    struct list forget; /* names that it is to let go of */
    int *fds;           /* listeners that are stored, or being stored; borrowed ... */
    size_t count, next; /* ... and how far that has come */
    bool storing;
    char name[16 + SOCK_FILE_ID_TEXT];   /* under which; "": none yet */
    char before[16 + SOCK_FILE_ID_TEXT]; /* and under which the ones before are; "": none are */
    uint32_t serial;                     /* no name is used twice */
    bool warned;
    struct conf *conf; /* referenced: the one that is stored, or being stored ... */
    int conf_fd;       /* ... while it is, as a file; else -1 */
    char conf_name[16];
    char conf_before[16];
};

/* Take out of `passed` what a former process has stored with a snapshot. Returns 0, or -ENOENT when
 * there is no snapshot; or another negative errno with *why set: what was stored is reset. */
int store_take(struct passed *passed, struct inheritance *in, const char **why);
void store_forget(struct inheritance *in);

void store_init(struct store *st, const struct ruleset *set);

/* The manager may let go of what it has under this name; and of all that a former process had
 * there. It is told with the next store_tell(). */
void store_drop(struct store *st, const char *name);
void store_drop_passed(struct store *st, const struct passed *passed);

/* The names of what is there now, each after a colon, for a process that is not passed it; and let
 * go of such. */
void store_names(const struct store *st, char *out, size_t size);
void store_drop_names(struct store *st, const char *names);

/* Tell the manager what is to be told, now or when it is ready. Has it been told all? */
void store_tell(struct store *st);
bool store_is_told(const struct store *st);

/* Store these, or as many as a parcel holds, as one descriptor. Returns how many, or a negative
 * errno
 * (-EAGAIN: try again later). */
int store_parcel(const char *name, const int *fds, size_t count);

/* The config has changed: let the manager keep what it says, but for one that it has already. */
void store_conf(struct store *st);

/* The config that a former process has stored, with one reference; or NULL. Its file is taken out
 * of `passed`. */
struct conf *store_take_conf(struct passed *passed);

/* For store.c: tell of the config what is to be told; 0 or -EAGAIN. And: nothing more. */
int store_conf_tell(struct store *st);
void store_conf_stop(struct store *st);

/* The listeners have changed: let the manager keep those that there are, and `more`. */
void store_listeners(struct store *st, const struct ops_sockets *more);

/* Give the manager the sessions and the snapshot, and wait until it has them, for some seconds at
 * most. Returns 0 or a negative errno, and then it has none. */
int store_handover(struct store *st, const struct handover *h);

/* Tell nothing more. */
void store_stop(struct store *st);

#endif
