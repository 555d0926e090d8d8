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

/* Kept free for what is not booked: our own few (the engine's, signals, the log), the resolver's
 * sockets, files being read, a client that is to be refused, the first clients of the API when
 * there is nothing else for them. */
#define FDS_RESERVE 32

struct fds {
    atomic_uint booked;
    atomic_uint spare; /* those of them that are booked as spare */
    unsigned room;     /* how many may be booked at a time */
    unsigned most;     /* how many of these as spare ... */
    unsigned pipes;    /* ... and how many pipes, of two each, there may be */
};

/* Open /dev/null in place of each of the descriptors 0 to 2 that is closed, so that no socket gets
 * such a number, and is written to as standard error. `mode`: O_RDWR; or O_RDONLY, so that what is
 * written there is still an error. */
void fds_open_standard(int mode);

/* Raise the soft RLIMIT_NOFILE (getrlimit(2)) to the hard one, as far as that goes. */
void fds_raise_limit(void);

/*
 * How many descriptors listeners, sessions and pipes may have: RLIMIT_NOFILE (getrlimit(2)), raised
 * to its hard value, less those open now and the reserve. To be asked at start, before anything is
 * opened.
 */
uint64_t fds_available(void);

/* The descriptors that are open now, without the one that it takes to look: sets *out to an array
 * that the caller frees and returns their number, or a negative errno (there is no /proc). */
int fds_list(int **out);

/* A budget of `room` descriptors, of which none is promised. */
void fds_budget(struct fds *fds, uint64_t room);

/* Book `count`: true, or false when there are not as many left. */
bool fds_book(struct fds *fds, unsigned count);
void fds_release(struct fds *fds, unsigned count);

/* So many are promised to listeners and sessions: what is spare is neither that nor what pipes may
 * have, which is a quarter of all, but at most three quarters of what isn't promised. If more is
 * promised than there is anyway pipes may have a quarter of all, and an eighth is spare. */
void fds_promise(struct fds *fds, uint64_t promised);

/* Book one that is spare. */
bool fds_book_spare(struct fds *fds);
void fds_release_spare(struct fds *fds);

#endif
