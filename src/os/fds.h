/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptor budget. Descriptors are booked before they are made, so that running out is
 * something penstock decides and not something that happens to it in the middle of a session.
 */
#ifndef PENSTOCK_OS_FDS_H
#define PENSTOCK_OS_FDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Kept free for what is not booked: the resolver's sockets, reading files, a client to be refused.
 */
#define FDS_RESERVE 24

struct fds {
    atomic_uint booked;
    unsigned room; /* how many may be booked at a time */
};

/* Open /dev/null in place of each of the descriptors 0 to 2 that is closed, so that no socket gets
 * such a number, and is written to as standard error. */
void fds_open_standard(void);

/* Raise the soft RLIMIT_NOFILE to the hard one (getrlimit(2)) and return it. */
uint64_t fds_raise_limit(void);

/* How many descriptors this process has open (/proc/self/fd), or a negative errno. */
int fds_count_open(void);

/* What a budget of `limit` can promise to listeners and sessions before anything is open but the
 * reserve. */
uint64_t fds_available(uint64_t limit);

/* A budget of what is left of `limit` beside those open now and the reserve. */
void fds_budget(struct fds *fds, uint64_t limit, unsigned open_now);

/* Book `count`: true, or false when there are not as many left. */
bool fds_book(struct fds *fds, unsigned count);
void fds_release(struct fds *fds, unsigned count);

#endif
