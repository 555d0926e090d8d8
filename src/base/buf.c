/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int buf_fill(struct buf *b, const void *bytes, size_t size)
{
    if (b->data || size > BUF_MAX)
        return -EINVAL;
    if (size == 0)
        return 0;
    b->data = malloc(size);
    if (!b->data)
        return -ENOMEM;
    memcpy(b->data, bytes, size);
    b->start = 0;
    b->end = (uint32_t)size;
    return 0;
}

int buf_take(struct buf *b, void *bytes, size_t size)
{
    if (b->data || size == 0 || size > BUF_MAX)
        return -EINVAL;
    b->data = bytes;
    b->start = 0;
    b->end = (uint32_t)size;
    return 0;
}

void buf_consume(struct buf *b, size_t size)
{
    assert(size <= buf_size(b));
    b->start += (uint32_t)size;
    if (b->start == b->end)
        buf_clear(b);
}

void buf_clear(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
