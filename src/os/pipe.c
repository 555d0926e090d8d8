/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * What a pipe is asked to hold (F_SETPIPE_SZ), and the least that is worth having: beyond the limit
 * on a user's pipe pages (pipe(7), pipe-user-pages-soft) the kernel makes pipes of a page or two,
 * and copying costs less than those.
 */
#define PIPE_WANTED (1u << 20)
#define PIPE_LEAST  (64 << 10)

/* Trying for a pipe that can't be had costs more than copying does: so many do without before the
 * next try. */
#define SKIP_AFTER_FAILURE 1000

/* Free pipes that are kept for the next who asks. */
#define IDLE_MOST 32

bool pipe_built_in(void)
{
    return true;
}

void pipe_pool_init(struct pipe_pool *pool, struct fds *fds, unsigned most)
{
    *pool = (struct pipe_pool){.most = most, .fds = fds};
    list_init(&pool->free);
}

static void close_pipe(struct pipe_pool *pool, struct pipe *p)
{
    close(p->in);
    close(p->out);
    free(p);
    fds_release(pool->fds, 2);
    pool->open--;
}

void pipe_pool_trim(struct pipe_pool *pool)
{
    struct list *link;

    while ((link = list_take_first(&pool->free)))
        close_pipe(pool, container_of(link, struct pipe, link));
    pool->idle = 0;
}

void pipe_pool_limit(struct pipe_pool *pool, unsigned most)
{
    if (most > pool->most)
        pool->skip = 0;
    pool->most = most;
    if (pool->open > most)
        pipe_pool_trim(pool);
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    pipe_pool_trim(pool);
}

static struct pipe *open_pipe(struct pipe_pool *pool)
{
    struct pipe *p;
    int ends[2];

    if (pool->open >= pool->most || !fds_book(pool->fds, 2))
        return NULL;
    p = calloc(1, sizeof(*p));
    if (!p || pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
        free(p);
        fds_release(pool->fds, 2);
        return NULL;
    }
    list_init(&p->link);
    p->out = ends[0];
    p->in = ends[1];
    pool->open++;
    if (fcntl(p->in, F_SETPIPE_SZ, PIPE_WANTED) < 0 && fcntl(p->in, F_GETPIPE_SZ) < PIPE_LEAST) {
        close_pipe(pool, p);
        return NULL;
    }
    return p;
}

struct pipe *pipe_take(struct pipe_pool *pool)
{
    struct list *link = list_take_first(&pool->free);
    struct pipe *p;

    if (link) {
        pool->idle--;
        return container_of(link, struct pipe, link);
    }
    if (pool->skip > 0) {
        pool->skip--;
        return NULL;
    }
    p = open_pipe(pool);
    if (!p)
        pool->skip = SKIP_AFTER_FAILURE;
    return p;
}

void pipe_give(struct pipe_pool *pool, struct pipe *p)
{
    if (p->held > 0 || pool->idle >= IDLE_MOST || pool->open > pool->most) {
        close_pipe(pool, p);
        return;
    }
    list_prepend(&pool->free, &p->link); /* the next taker finds it warm in the cache */
    pool->idle++;
}

ssize_t pipe_fill(struct pipe *p, int from)
{
    ssize_t n = splice(from, NULL, p->in, NULL, 1u << 30, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n < 0)
        return -errno;
    p->held = (size_t)n;
    return n;
}

int pipe_read(struct pipe *p, void *bytes)
{
    uint8_t *to = bytes;

    while (p->held > 0) {
        ssize_t n = read(p->out, to, p->held);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        to += n;
        p->held -= (size_t)n;
    }
    return 0;
}

ssize_t pipe_drain(struct pipe *p, int to)
{
    ssize_t n = splice(p->out, NULL, to, NULL, p->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n < 0)
        return -errno;
    p->held -= (size_t)n;
    return n;
}
