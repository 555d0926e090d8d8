/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an engine does for the loop: it knows which descriptors are watched for what, and waits.
 * It knows nothing of watches, timers or callbacks. engine_select.c and engine_epoll.c each give
 * one; a build without epoll has engine_epoll_none.c in its place.
 */
#ifndef PENSTOCK_LOOP_ENGINE_H
#define PENSTOCK_LOOP_ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* A descriptor in the engine's sets has a tag, the loop's generation of the watch. */
struct engine_event {
    int fd;
    uint32_t tag;
    unsigned events; /* of enum loop_event, 0 in no event */
};

/* The most events of one wait: what is left over is level-triggered and comes with the next. */
#define ENGINE_BATCH 256

/* Not a set of events: the descriptor is not watched at all. */
#define ENGINE_UNWATCHED (-1)

struct engine {
    const char *name;

    /* Set *state to a new, empty engine. Returns 0 or a negative errno. */
    int (*init)(void **state);

    /* Free it. What is watched is forgotten, no descriptor but the engine's own is closed. */
    void (*fini)(void *state);

    /*
     * Watch `fd` for `now` instead of `old`; each is a set of LOOP_READ and LOOP_WRITE, or
     * ENGINE_UNWATCHED. Events on it will carry `tag`. From ENGINE_UNWATCHED: returns 0, -ENOMEM or
     * -ENOSPC, and then it is not watched. Otherwise it can't fail. A descriptor must be taken
     * out before it is closed.
     */
    int (*modify)(void *state, int fd, uint32_t tag, int old, int now);

    /*
     * Wait until something happens or `timeout_ms` pass (-1: for ever), and write at most
     * ENGINE_BATCH events. Returns their number, 0 also when a signal came, or a negative errno.
     * A descriptor watched for the empty set yields LOOP_ERROR, at the latest LOOP_ERROR_MS after
     * the error came about, and maybe only once; waiting costs nothing while there are none of
     * them.
     */
    int (*wait)(void *state, struct engine_event *out, int timeout_ms);

    /* How many descriptors it serves well. The loop may watch more, to its cost. */
    size_t (*capacity)(const void *state);
};

extern const struct engine engine_select;

/* NULL when this build has no epoll. */
extern const struct engine *const engine_epoll;

#endif
