/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything live, from one process to the next: to a snapshot and back to work. How snapshot and
 * descriptors travel is the carriers' business (reexec.h, store.h).
 */
#ifndef PENSTOCK_DAEMON_HANDOVER_H
#define PENSTOCK_DAEMON_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/ruleset.h"
#include "daemon/snapshot.h"

/* A snapshot, and the descriptors that it names; those are borrowed. */
struct handover {
    uint8_t *bytes;
    size_t size;
    int *listeners; /* descriptors */
    size_t listener_count;
    int *sessions;
    size_t session_count; /* descriptors, not sessions */
};

/*
 * Write down all that lives. Bytes in pipes are taken into memory for it, and replies that wait are
 * sent; apart from that nothing changes, and all may go on afterwards. Returns 0 and fills *h,
 * which the caller frees; or a negative errno.
 */
int handover_save(struct ruleset *set, struct handover *h);
void handover_free(struct handover *h);

/* It may have been handed over after all: what ends from here on does so for everybody. */
void handover_share(struct ruleset *set);

/* Close what was handed over, and forget it without a word to anybody. */
void handover_abandon(struct ruleset *set);

/* Room for the names of all that is in the manager's store, and a few numbers. */
#define HANDOVER_NAMES_MAX 256

/* What a carrier has brought. */
struct inheritance {
    struct snapshot snapshot;
    struct arena *arena; /* of the snapshot; NULL: there is none */
    /* The descriptor so named, which is the caller's from then on; -1: it is not there. */
    int (*take)(void *arg, const struct snap_fd *fd);
    void *arg;
    char stored[HANDOVER_NAMES_MAX]; /* in the manager's store, each after a colon */
};

/* What was taken up, and what could not be. */
struct inherited {
    uint64_t sessions, listeners;
    uint64_t lost; /* sessions that were reset */
};

/*
 * Take it up: *set, which must be empty, becomes what it was, its sessions go on. A session of
 * which something is missing is reset, and logged. Returns NULL, or what kept it from being taken
 * up at all (static text): then it has been refused.
 */
const char *handover_restore(struct ruleset *set, const struct inheritance *in,
                             struct inherited *out);

/* Take every session's descriptors and reset the connections. Listening sockets are not taken: each
 * tells by itself what it is for. */
void handover_refuse(const struct inheritance *in);

#endif
