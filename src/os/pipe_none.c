/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for pipe.c in a build without splice(2). */
#include "config.h"

#include "os/pipe.h"

#include <errno.h>

bool pipe_built_in(void)
{
    return false;
}

void pipe_pool_init(struct pipe_pool *pool, struct fds *fds, unsigned most)
{
    (void)fds;
    (void)most;
    *pool = (struct pipe_pool){0};
}

void pipe_pool_limit(struct pipe_pool *pool, unsigned most)
{
    (void)pool;
    (void)most;
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    (void)pool;
}

void pipe_pool_trim(struct pipe_pool *pool)
{
    (void)pool;
}

struct pipe *pipe_take(struct pipe_pool *pool)
{
    (void)pool;
    return NULL;
}

void pipe_give(struct pipe_pool *pool, struct pipe *p)
{
    (void)pool;
    (void)p;
}

ssize_t pipe_fill(struct pipe *p, int from)
{
    (void)p;
    (void)from;
    return -ENOSYS;
}

int pipe_read(struct pipe *p, void *bytes)
{
    (void)p;
    (void)bytes;
    return -ENOSYS;
}

ssize_t pipe_drain(struct pipe *p, int to)
{
    (void)p;
    (void)to;
    return -ENOSYS;
}
