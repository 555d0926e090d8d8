/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *r, size_t room)
{
    *r = (struct ring){.bytes = malloc(room), .room = room};
    return r->bytes ? 0 : -ENOMEM;
}

void ring_free(struct ring *r)
{
    free(r->bytes);
    *r = (struct ring){0};
}

void ring_put(struct ring *r, const char *lines, size_t size)
{
    size_t place = r->head % r->room, first = r->room - place;

    if (first > size)
        first = size;
    memcpy(r->bytes + place, lines, first);
    memcpy(r->bytes, lines + first, size - first);
    r->head += size;
}

/* Forget what stands behind the last newline, if there is one. */
static size_t cut_to_lines(const char *bytes, size_t size)
{
    const char *newline = memrchr(bytes, '\n', size);

    return newline ? (size_t)(newline - bytes) + 1 : size;
}

ssize_t ring_take(const struct ring *r, uint64_t *at, char *to, size_t size)
{
    uint64_t left = r->head - *at;
    size_t place = *at % r->room, first = r->room - place;

    if (left > r->room)
        return -1;
    if (size > left)
        size = left;
    if (first > size)
        first = size;
    memcpy(to, r->bytes + place, first);
    memcpy(to + first, r->bytes, size - first);
    if (size < left)
        size = cut_to_lines(to, size);
    *at += size;
    return (ssize_t)size;
}

void ring_lose(struct ring *r)
{
    r->head += r->room + 1;
}
