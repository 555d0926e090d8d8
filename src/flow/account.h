/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The account: every client that came leaves exactly one entry in the counters, and every session
 * one line in the log. Only here is a session's record closed.
 */
#ifndef PENSTOCK_FLOW_ACCOUNT_H
#define PENSTOCK_FLOW_ACCOUNT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/histogram.h"
#include "loop/loop.h"
#include "os/addr.h"

/* How a session ended (ends.def). */
enum end {
#define END(name, word, help) END_##name,
#include "flow/ends.def"
    ENDS
};

/* The word in the log. */
const char *end_word(enum end end);

struct session;
struct rule;

/* A rule's counters; they only grow. What a live session has carried is added when it ends:
 * totals.h has it all. Sessions that live now are `opened` less the sum of `ended`. */
struct account {
    atomic_ullong opened;        /* sessions that have begun */
    atomic_ullong ended[ENDS];   /* sessions that have ended, by reason */
    atomic_ullong refused[ENDS]; /* clients that never became one, by reason */
    atomic_ullong bytes_in;      /* client to upstream */
    atomic_ullong bytes_out;
    atomic_ullong datagrams_in; /* UDP, likewise */
    atomic_ullong datagrams_out;
    atomic_ullong dropped;    /* datagrams of sessions that were not sent on */
    struct histogram connect; /* TCP, UNIX: from accept until the upstream was connected */
    struct histogram lasted;  /* from begin to end */
};

/* Refused clients of one rule: logged at most once a second, with their count. */
struct refusals {
    struct timer timer;
    unsigned silent[ENDS]; /* refused since the last line, by reason */
    int64_t lines_since;   /* of sessions that make many lines ... */
    unsigned lines;        /* ... how many there have been since then */
};

/* Open the record of a session that is in the worker's list and has its id. */
void account_opened(const struct session *s);

/* The same for one that another process has begun; nobody is told. */
void account_adopted(const struct session *s);

/* Its upstream has been reached, as connect_ms says. */
void account_connected(const struct session *s);

/* Such a one that can't be gone on with: it has ended. */
void account_lost(struct rule *rule);

/* Close the record of an ended session: counters, and its line in the log. */
void account_session(const struct session *s, enum end end);

/*
 * A client that was refused, and why if `end` alone doesn't tell (or NULL). `client` is NULL when
 * none was accepted, but all are left in the backlog: that is logged likewise, and nobody is
 * counted as refused.
 */
void account_refused(struct rule *rule, const struct addr *client, enum end end, const char *why);

/* Log what is still silent, and stop the timer. */
void account_flush(struct rule *rule);

#endif
