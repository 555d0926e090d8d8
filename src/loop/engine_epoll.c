/* SPDX-License-Identifier: BSD-2-Clause */
/* The epoll(7) engine: level-triggered, but for descriptors that are watched only for errors. */
#include "config.h"

#include "loop/engine.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop/loop.h"

struct epoll_state {
    int fd;
    struct epoll_event batch[ENGINE_BATCH];
};

static int epoll_init(void **state)
{
    struct epoll_state *s = malloc(sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->fd < 0) {
        int error = -errno;

        free(s);
        return error;
    }
    *state = s;
    return 0;
}

static void epoll_fini(void *state)
{
    struct epoll_state *s = state;

    close(s->fd);
    free(s);
}

/*
 * A socket of which both directions are shut is for ever EPOLLHUP, which can't be masked. Watched
 * only for errors it is edge-triggered, so that it reports each change once instead of spinning.
 */
static uint32_t to_epoll(int events)
{
    uint32_t set = 0;

    if (events & LOOP_READ)
        set |= EPOLLIN;
    if (events & LOOP_WRITE)
        set |= EPOLLOUT;
    return set ? set : EPOLLET;
}

static int epoll_modify(void *state, int fd, uint32_t tag, int old, int now)
{
    struct epoll_state *s = state;
    struct epoll_event event = {.data.u64 = (uint64_t)tag << 32 | (uint32_t)fd};
    int op = EPOLL_CTL_MOD;

    if (old == ENGINE_UNWATCHED)
        op = EPOLL_CTL_ADD;
    else if (now == ENGINE_UNWATCHED)
        op = EPOLL_CTL_DEL;
    if (now != ENGINE_UNWATCHED)
        event.events = to_epoll(now);
    return epoll_ctl(s->fd, op, fd, &event) < 0 ? -errno : 0;
}

static unsigned from_epoll(uint32_t set)
{
    unsigned events = 0;

    if (set & (EPOLLIN | EPOLLHUP))
        events |= LOOP_READ;
    if (set & (EPOLLOUT | EPOLLHUP))
        events |= LOOP_WRITE;
    if (set & EPOLLERR)
        events |= LOOP_READ | LOOP_WRITE | LOOP_ERROR;
    return events;
}

static int epoll_wait_(void *state, struct engine_event *out, int timeout_ms)
{
    struct epoll_state *s = state;
    int n = epoll_wait(s->fd, s->batch, ENGINE_BATCH, timeout_ms);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        out[i].fd = (int)(uint32_t)s->batch[i].data.u64;
        out[i].tag = (uint32_t)(s->batch[i].data.u64 >> 32);
        out[i].events = from_epoll(s->batch[i].events);
    }
    return n;
}

static size_t epoll_capacity(const void *state)
{
    (void)state;
    return INT_MAX;
}

static const struct engine engine = {
    .name = "epoll",
    .init = epoll_init,
    .fini = epoll_fini,
    .modify = epoll_modify,
    .wait = epoll_wait_,
    .capacity = epoll_capacity,
};

const struct engine *const engine_epoll = &engine;
