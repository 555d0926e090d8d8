/* SPDX-License-Identifier: BSD-2-Clause */
/* Carries all that lives from one world to the next, as the environment or the store do it. */
#ifndef PENSTOCK_TESTS_CARRIER_H
#define PENSTOCK_TESTS_CARRIER_H

#include <check.h>
#include <fcntl.h>

#include "daemon/handover.h"
#include "suite.h"
#include "world.h"

struct brought {
    struct {
        uint64_t cookie;
        int fd; /* -1: it has been taken */
    } fds[64];
    size_t count;
};

static inline int take(void *arg, const struct snap_fd *fd)
{
    struct brought *b = arg;

    for (size_t i = 0; i < b->count; i++) {
        int there = b->fds[i].fd;

        if (b->fds[i].cookie == fd->cookie && there >= 0) {
            b->fds[i].fd = -1;
            return there;
        }
    }
    return -1;
}

static inline void bring(struct brought *b, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(b->count, COUNT_OF(b->fds));
        ck_assert_int_eq(sock_id(fds[i], &b->fds[b->count].cookie), 0);
        b->fds[b->count++].fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
    }
}

static inline struct arena *read_back(const struct handover *h, struct snapshot *out)
{
    struct arena *arena = arena_new();

    ck_assert_ptr_null(snapshot_read(out, h->bytes, h->size, arena));
    return arena;
}

/* Save all, forget all, and begin the next world. */
static inline void carry_world(struct world *w, struct inheritance *in, struct brought *b)
{
    struct handover h;

    ck_assert_int_eq(handover_save(&w->set, &h), 0);
    *b = (struct brought){0};
    *in = (struct inheritance){.take = take, .arg = b};
    in->arena = read_back(&h, &in->snapshot);
    bring(b, h.listeners, h.listener_count);
    bring(b, h.sessions, h.session_count);
    handover_free(&h);
    handover_abandon(&w->set);
    world_turn(w);
    world_end(w);
    world_begin(w);
}

/* Nothing that was brought is left for nobody. */
static inline void all_is_taken(const struct brought *b)
{
    for (size_t i = 0; i < b->count; i++)
        ck_assert_int_eq(b->fds[i].fd, -1);
}

/* What must not be the same: numbers of descriptors, and times go on. */
static inline void take_over_differences(const struct snapshot *from, struct snapshot *to)
{
    ck_assert_uint_ge(to->taken_ms, from->taken_ms);
    ck_assert_uint_eq(from->session_count, to->session_count);
    ck_assert_uint_eq(from->listener_count, to->listener_count);
    to->taken_ms = from->taken_ms;
    for (uint32_t i = 0; i < to->listener_count; i++)
        to->listeners[i].fd.number = from->listeners[i].fd.number;
    for (uint32_t i = 0; i < to->rule_count; i++) {
        ck_assert_uint_le(to->rules[i].drain_ms, from->rules[i].drain_ms + 1);
        to->rules[i].drain_ms = from->rules[i].drain_ms;
    }
    for (uint32_t i = 0; i < to->session_count; i++) {
        const struct snap_session *a = &from->sessions[i];
        struct snap_session *b = &to->sessions[i];

        ck_assert_uint_ge(b->age_ms, a->age_ms);
        ck_assert_uint_ge(b->quiet_ms, a->quiet_ms);
        ck_assert_int_eq(b->drain_ms == UINT64_MAX, a->drain_ms == UINT64_MAX);
        ck_assert(a->drain_ms == UINT64_MAX || b->drain_ms <= a->drain_ms + 1);
        ck_assert_uint_le(b->dial.attempt_ms, a->dial.attempt_ms);
        b->age_ms = a->age_ms;
        b->quiet_ms = a->quiet_ms;
        b->drain_ms = a->drain_ms;
        b->dial.attempt_ms = a->dial.attempt_ms;
        for (enum side side = CLIENT; side <= UPSTREAM; side++)
            b->fd[side].number = a->fd[side].number;
    }
}

#endif
