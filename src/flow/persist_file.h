/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file in memory that outlives a crash: for each session of a rule with persist = "crash" a
 * slot with all that is needed to go on. It is written as the session runs, and read by the next
 * process of the same program and version of the layout; any other drops it.
 */
#ifndef PENSTOCK_FLOW_PERSIST_FILE_H
#define PENSTOCK_FLOW_PERSIST_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/half.h"
#include "os/addr.h"

#define PERSIST_SLOTS 256

struct persist_slot {
    atomic_uint used; /* the rest is there, and its sockets are on their way to the store */
    atomic_uint held; /* bytes of it may be in our hands: it can't be gone on with */
    uint64_t id;
    uint64_t cookie[2]; /* of its sockets, by enum side */
    int64_t started;    /* clock_monotonic_ms() */
    int64_t active;
    uint64_t bytes[2];
    uint32_t connect_ms;
    struct half half;
    uint8_t keepalive;            /* is it still to be set on the upstream? */
    struct addr client, upstream; /* without paths */
    char rule[72];
    char listen[ADDR_TEXT_MAX];
};

struct persist_file {
    char magic[8];
    uint32_t version;
    uint32_t slot_size;
    uint32_t generation; /* in the names of this file and its slots; 0: it is given up */
    uint64_t next_id;    /* at the least */
    struct persist_slot slots[PERSIST_SLOTS];
};

#define PERSIST_MAGIC   "PENSLOTS"
#define PERSIST_VERSION 1

/* Is it one that this program can read: a copy of `size` bytes? Every text in it ends then, and
 * every half state and time is one that can be gone on with, or its slot is marked as held. */
bool persist_file_check(struct persist_file *file, size_t size);

#endif
