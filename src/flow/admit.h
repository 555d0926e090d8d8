/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Admission: whether the next client may come in, decided and booked before it is accepted. A place
 * is one of the rule's and one of the listener's; with it go the two descriptors of a session.
 */
#ifndef PENSTOCK_FLOW_ADMIT_H
#define PENSTOCK_FLOW_ADMIT_H

#include <stdbool.h>

struct listener;
struct rule;

enum admit {
    ADMIT_YES,           /* a place is taken: admit_release() gives it back */
    ADMIT_FULL,          /* a limit is reached */
    ADMIT_NO_DESCRIPTORS /* there is a place, but no descriptors */
};

/* Descriptors that a session needs at most at a time: its client's and its upstream's. One of
 * datagrams has the upstream's only. */
#define SESSION_FDS           2
#define SESSION_FDS_DATAGRAMS 1

/* Take a place on `l` and its rule. Exact under concurrency: a limit is never exceeded, not for a
 * moment. */
enum admit admit_take(struct listener *l);

/* Take a place for a session that is here already, whatever the limits say; `l` may be NULL. False:
 * there are no descriptors. */
bool admit_adopt(struct rule *rule, struct listener *l, unsigned fds);

/* Is there a place on both? It may be gone a moment later. */
bool admit_has_room(const struct listener *l);

/* Give a place of `rule` back with its `fds` descriptors, and one of `l` unless that is NULL; wake
 * the listeners that wait for one. */
void admit_release(struct rule *rule, struct listener *l, unsigned fds);

/* Wake the listeners of `rule` that wait for a place and for whom there is one now. */
void admit_wake(struct rule *rule);

#endif
