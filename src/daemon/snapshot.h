/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handover snapshot: everything live in one block of bytes, for the process that goes on with
 * it. Pure: records to bytes and back; descriptors are only named here, never touched. The reader
 * trusts nothing: what it gives is complete and in bounds, or it gives nothing.
 *
 * The block: the magic "PENSTOCK", the format's version (32 bits), its own length (64 bits) and a
 * checksum of the rest (CRC-32), then the records: their fields in the order of snapshot.c. Numbers
 * are little-endian, texts and bytes have their length before them. Versions of before are read as
 * well, from SNAPSHOT_OLDEST on: what they lack is 0. Any other is refused as a whole.
 *
 * Version 1 is without datagrams; 1 and 2 without the state of rules and their histograms, and they
 * count the clients that were refused among the sessions that have ended.
 */
#ifndef PENSTOCK_DAEMON_SNAPSHOT_H
#define PENSTOCK_DAEMON_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "flow/half.h"
#include "os/addr.h"

#define SNAPSHOT_VERSION 3
#define SNAPSHOT_OLDEST  1

/* A block over this size is none. */
#define SNAPSHOT_SIZE_MOST ((size_t)UINT32_MAX)

/* The longest time span, and the latest time: sums of some can't overflow an int64_t. */
#define SNAP_MS_MAX ((uint64_t)INT64_MAX / 4)

/* The most addresses of one upstream. */
#define SNAP_ADDRS_MAX 1024

/* None, for an index. */
#define SNAP_NONE UINT32_MAX

/* A descriptor: its number in the old process, and the socket behind it (sock_id()), which tells it
 * whatever its number has become. No descriptor: cookie 0, number -1. */
struct snap_fd {
    uint64_t cookie;
    int32_t number;
};

/* A config of which rules or sessions are alive, in the config language (conf_dump_rules()). */
struct snap_conf {
    const char *path;
    const char *text;
    size_t length; /* of the text, which has no NUL within */
};

/* How many sessions ended so, or clients were refused, by the word of flow/ends.def. */
struct snap_ended {
    const char *word;
    uint64_t count;
};

/* So many took at most so long (UINT64_MAX: any time), and longer than the bound before. */
struct snap_bucket {
    uint64_t most_ms;
    uint64_t count;
};

struct snap_histogram {
    struct snap_bucket *buckets; /* those that are not empty */
    uint32_t bucket_count;
    uint64_t sum_ms;
};

enum snap_state { SNAP_RUNNING, SNAP_PAUSED, SNAP_DRAINING };

struct snap_rule {
    const char *name;
    uint32_t conf; /* index: the config whose rule of this name is the current one */
    bool running;  /* in the config at work; else it lives for its last sessions only */
    uint64_t bytes_in, bytes_out;
    uint64_t datagrams_in, datagrams_out, dropped;
    struct snap_ended *ended;
    uint32_t ended_count;
    struct snap_ended *refused;
    uint32_t refused_count;
    uint8_t state;     /* enum snap_state */
    uint64_t drain_ms; /* SNAP_DRAINING: until its sessions are ended */
    struct snap_histogram connect, lasted;
};

struct snap_listener {
    struct snap_fd fd;
    uint32_t rule;    /* index */
    const char *text; /* of its struct conf_listen in the rule's config */
    bool owns_file;
    uint64_t file_dev, file_ino;
};

/* One direction: what it has carried, and what was read and not sent on. */
struct snap_flow {
    uint64_t bytes;
    bool splicing;
    const uint8_t *kept;
    uint32_t kept_size; /* at most BUF_MAX */
};

enum snap_stage { SNAP_DIAL, SNAP_RELAY };

/* Only in SNAP_DIAL, else as if zeroed: how far the attempts have come. */
struct snap_dial {
    struct addr *addrs;   /* none yet: its name is still being resolved */
    uint32_t addr_count;  /* at most SNAP_ADDRS_MAX */
    uint32_t next;        /* at most addr_count */
    uint64_t attempt_ms;  /* left for the attempt under way */
    const char *last_end; /* word of the last failure, or "" */
    int32_t error;        /* its errno */
};

/* What the client has sent, and the upstream has not got: a datagram, or a run of some. */
struct snap_dgram {
    const uint8_t *bytes;
    uint32_t size;    /* at most SNAP_DGRAM_MOST */
    uint32_t segment; /* of dgram.h; at most `size` */
};

#define SNAP_DGRAM_MOST 65535

/* Only of a session of datagrams, else as if zeroed (flow/udp.h). */
struct snap_udp {
    struct addr local;     /* that the client sends to, without a port; or AF_UNSPEC */
    uint32_t interface;    /* on which it was heard, an index */
    uint64_t datagrams[2]; /* by the side they come from, as are the bytes of snap_flow */
    uint64_t dropped[2];
    bool answered, refused;
    struct snap_dgram *kept; /* only in SNAP_DIAL */
    uint32_t kept_count;
};

struct snap_session {
    uint64_t id;
    uint32_t rule;      /* index */
    uint32_t listener;  /* index, or SNAP_NONE: it is closed */
    uint32_t conf;      /* index: the config that it began with */
    const char *listen; /* text of its struct conf_listen in there */
    uint8_t stage;      /* enum snap_stage */
    bool is_datagrams;  /* it has no client's socket, and `udp` */
    struct snap_fd fd[2];
    struct addr client, upstream; /* a UNIX path is of the block's arena */
    uint64_t age_ms;              /* since it began */
    uint64_t quiet_ms;            /* since a byte last moved */
    uint64_t drain_ms;            /* until it is ended by on_change; UINT64_MAX: it isn't */
    uint32_t connect_ms;
    int32_t error;
    bool reset[2];
    bool keepalive;
    struct half half;         /* this and the next two only in SNAP_RELAY; never a final phase */
    const char *half_end;     /* word, or "" */
    struct snap_flow flow[2]; /* by the side the bytes come from; of datagrams only the count */
    struct snap_dial dial;
    struct snap_udp udp;
};

struct snapshot {
    const char *program; /* the version that wrote it, for messages */
    uint64_t taken_ms;   /* clock_monotonic_ms() of then */
    uint64_t next_id, served, refused;
    struct snap_conf *confs;
    struct snap_rule *rules;
    struct snap_listener *listeners;
    struct snap_session *sessions;
    uint32_t conf_count, rule_count, listener_count, session_count;
    uint32_t current; /* index of the config at work */
};

/*
 * Write it; no text may be NULL. Returns 0 and sets *bytes, which the caller frees, and *size; or
 * -ENOMEM, -EOVERFLOW (a text of over 4 GiB), or -EFBIG (over SNAPSHOT_SIZE_MOST). The same records
 * give the same bytes.
 */
int snapshot_write(const struct snapshot *s, uint8_t **bytes, size_t *size);

/*
 * Read it into the arena; `bytes` is copied where it is needed and not kept. Returns NULL, or what
 * is wrong with it (static text), and then *s is of no use. What it guarantees:
 *
 * - every index is in its range (a session's listener may be SNAP_NONE), every text ends and is not
 *   NULL, times are at most SNAP_MS_MAX, addresses are of a known family and fit a sockaddr;
 * - rules have names, no two the same, and a state; words of ends may be such as this program
 * doesn't know;
 * - ids of sessions are below next_id, no two the same;
 * - a listener has a socket, a session its client's unless it is of datagrams, in SNAP_RELAY its
 *   upstream's too; no socket is named twice;
 * - half states are such as can be gone on with, and bytes are kept only where they can still go;
 * - a client of datagrams has an address that they can be sent to, from the local one.
 */
const char *snapshot_read(struct snapshot *s, const void *bytes, size_t size, struct arena *arena);

#endif
