/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that were read and could not be sent yet. An empty buf owns no memory; one that holds
 * bytes owns exactly as much as they needed when they were put in.
 */
#ifndef PENSTOCK_BASE_BUF_H
#define PENSTOCK_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most one buf may hold. */
#define BUF_MAX (16u << 20)

/* Zeroed, it is empty. */
struct buf {
    uint8_t *data;
    uint32_t start; /* first byte that is still wanted */
    uint32_t end;   /* one past the last */
};

static inline size_t buf_size(const struct buf *b)
{
    return b->end - b->start;
}

/* The bytes, buf_size() of them. */
static inline const uint8_t *buf_bytes(const struct buf *b)
{
    return b->data + b->start;
}

/* Put a copy of `size` bytes into an empty buf. Returns 0, -EINVAL (not empty, or size over
 * BUF_MAX) or -ENOMEM, and then it is as it was. */
int buf_fill(struct buf *b, const void *bytes, size_t size);

/* The same without a copy: of memory from malloc(3) for at least one byte, which is the buf's from
 * then on. Returns 0 or -EINVAL. */
int buf_take(struct buf *b, void *bytes, size_t size);

/* Forget the first `size` bytes (at most buf_size()); with the last one the memory is freed. */
void buf_consume(struct buf *b, size_t size);

/* Forget everything and free the memory. */
void buf_clear(struct buf *b);

#endif
