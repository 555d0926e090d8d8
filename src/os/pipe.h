/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes for splice(2), and a pool of them. pipe_none.c stands in where splice is not built in: its
 * pool never has a pipe, and the relay copies.
 */
#ifndef PENSTOCK_OS_PIPE_H
#define PENSTOCK_OS_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/list.h"
#include "os/fds.h"

struct pipe {
    struct list link; /* in the pool while it is free */
    int in;
    int out;
    size_t held; /* bytes in it */
};

struct pipe_pool {
    struct list free;
    unsigned idle; /* how many are free */
    unsigned open; /* and how many there are at all */
    unsigned most; /* that may be open */
    unsigned skip; /* requests to turn away before another pipe is tried: the last one failed */
    struct fds *fds;
};

/* Was splice built in? */
bool pipe_built_in(void);

/* A pool of at most `most` pipes, their descriptors booked in `fds`. */
void pipe_pool_init(struct pipe_pool *pool, struct fds *fds, unsigned most);

/* At most so many from here on: free ones are closed at once, others when they are given back. */
void pipe_pool_limit(struct pipe_pool *pool, unsigned most);
/* Closes the free ones. */
void pipe_pool_fini(struct pipe_pool *pool);

/* Close the free ones now: their descriptors are needed. */
void pipe_pool_trim(struct pipe_pool *pool);

/* An empty pipe, or NULL when there is none to be had just now. */
struct pipe *pipe_take(struct pipe_pool *pool);

/* Give it back. One that still holds bytes is closed, and they are lost. */
void pipe_give(struct pipe_pool *pool, struct pipe *p);

/* splice(2) from a socket into the pipe, as much as fits. Returns bytes, 0 at end of file, or a
 * negative errno (-EAGAIN: nothing there). The pipe must be empty. */
ssize_t pipe_fill(struct pipe *p, int from);

/* Read all that it holds into `bytes`. Returns 0 or a negative errno. */
int pipe_read(struct pipe *p, void *bytes);

/* splice(2) from the pipe to a socket. Returns bytes or a negative errno (-EAGAIN: no room). */
ssize_t pipe_drain(struct pipe *p, int to);

#endif
