/* SPDX-License-Identifier: BSD-2-Clause */
/* The last lines of a text without end, read by many at their own pace. Whoever is too slow for it
 * has lost some. Pure. */
#ifndef PENSTOCK_OPS_RING_H
#define PENSTOCK_OPS_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring {
    char *bytes; /* NULL: it holds nothing */
    size_t room;
    uint64_t head; /* bytes ever put in; the last `room` of them are there */
};

/* Returns 0 or -ENOMEM. */
int ring_init(struct ring *r, size_t room);
void ring_free(struct ring *r);

/* Put in a line, or a few, each with its newline at the end; not more than there is room for. */
void ring_put(struct ring *r, const char *lines, size_t size);

/*
 * Take at most `size` bytes (of at least 1) from position `*at` on, which moves behind them: whole
 * lines only, unless not even one fits. Returns how many; 0 when there is no more; or -1 when what
 * comes next is no longer there.
 */
ssize_t ring_take(const struct ring *r, uint64_t *at, char *to, size_t size);

/* Something that should be in it is not: all who read now have lost it. */
void ring_lose(struct ring *r);

#endif
