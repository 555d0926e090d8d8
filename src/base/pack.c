/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/pack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define FIRST_ROOM 4096

/* --- packing ------------------------------------------------------------------------------------
 */

static bool grow(struct packer *p, size_t size)
{
    size_t room = p->room > 0 ? p->room : FIRST_ROOM;
    size_t wanted;
    uint8_t *bytes;

    if (__builtin_add_overflow(p->size, size, &wanted))
        return false;
    if (wanted <= p->room)
        return true;
    while (room < wanted) {
        if (__builtin_mul_overflow(room, 2, &room))
            return false;
    }
    bytes = realloc(p->bytes, room);
    if (bytes == NULL)
        return false;
    p->bytes = bytes;
    p->room = room;
    return true;
}

void pack_raw(struct packer *p, const void *bytes, size_t size)
{
    if (p->error != 0 || size == 0)
        return;
    if (p->most > 0 && size > p->most - p->size) {
        p->error = -EFBIG;
        return;
    }
    if (!grow(p, size)) {
        p->error = -ENOMEM;
        return;
    }
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
}

static void put(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static void pack_number(struct packer *p, uint64_t value, size_t size)
{
    uint8_t bytes[sizeof(value)];

    put(bytes, value, size);
    pack_raw(p, bytes, size);
}

void pack_u8(struct packer *p, uint8_t value)
{
    pack_number(p, value, sizeof(value));
}

void pack_u16(struct packer *p, uint16_t value)
{
    pack_number(p, value, sizeof(value));
}

void pack_u32(struct packer *p, uint32_t value)
{
    pack_number(p, value, sizeof(value));
}

void pack_u64(struct packer *p, uint64_t value)
{
    pack_number(p, value, sizeof(value));
}

void pack_i32(struct packer *p, int32_t value)
{
    pack_u32(p, (uint32_t)value);
}

void pack_block(struct packer *p, const void *bytes, size_t size)
{
    if (p->error == 0 && size > UINT32_MAX)
        p->error = -EOVERFLOW;
    pack_u32(p, (uint32_t)size);
    pack_raw(p, bytes, size);
}

void pack_text(struct packer *p, const char *text)
{
    pack_block(p, text, strlen(text));
}

void pack_u32_at(struct packer *p, size_t offset, uint32_t value)
{
    if (p->error == 0)
        put(p->bytes + offset, value, sizeof(value));
}

void pack_u64_at(struct packer *p, size_t offset, uint64_t value)
{
    if (p->error == 0)
        put(p->bytes + offset, value, sizeof(value));
}

void pack_free(struct packer *p)
{
    free(p->bytes);
    *p = (struct packer){0};
}

/* --- unpacking ----------------------------------------------------------------------------------
 */

/* The next `size` bytes, or NULL. */
static const uint8_t *take(struct unpacker *u, size_t size)
{
    const uint8_t *at = u->at;

    if (u->error != 0)
        return NULL;
    if (size > u->left) {
        u->error = -EBADMSG;
        return NULL;
    }
    u->at += size;
    u->left -= size;
    return at;
}

static uint64_t unpack_number(struct unpacker *u, size_t size)
{
    const uint8_t *bytes = take(u, size);
    uint64_t value = 0;

    for (size_t i = 0; bytes != NULL && i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint8_t unpack_u8(struct unpacker *u)
{
    return (uint8_t)unpack_number(u, sizeof(uint8_t));
}

uint16_t unpack_u16(struct unpacker *u)
{
    return (uint16_t)unpack_number(u, sizeof(uint16_t));
}

uint32_t unpack_u32(struct unpacker *u)
{
    return (uint32_t)unpack_number(u, sizeof(uint32_t));
}

uint64_t unpack_u64(struct unpacker *u)
{
    return unpack_number(u, sizeof(uint64_t));
}

int32_t unpack_i32(struct unpacker *u)
{
    return (int32_t)unpack_u32(u);
}

void unpack_raw(struct unpacker *u, void *out, size_t size)
{
    const uint8_t *bytes = take(u, size);

    if (bytes != NULL)
        memcpy(out, bytes, size);
    else
        memset(out, 0, size);
}

uint8_t *unpack_block(struct unpacker *u, uint32_t *size, struct arena *arena)
{
    uint32_t length = unpack_u32(u);
    const uint8_t *bytes = take(u, length);
    uint8_t *copy;

    *size = 0;
    if (bytes == NULL || length == 0)
        return NULL;
    copy = arena_alloc(arena, length);
    if (copy == NULL) {
        u->error = -ENOMEM;
        return NULL;
    }
    memcpy(copy, bytes, length);
    *size = length;
    return copy;
}

const char *unpack_text(struct unpacker *u, struct arena *arena)
{
    uint32_t length = unpack_u32(u);
    const uint8_t *bytes = take(u, length);
    char *copy;

    if (bytes == NULL || length == 0)
        return "";
    if (memchr(bytes, '\0', length) != NULL) {
        u->error = -EBADMSG;
        return "";
    }
    copy = arena_alloc(arena, (size_t)length + 1);
    if (copy == NULL) {
        u->error = -ENOMEM;
        return "";
    }
    memcpy(copy, bytes, length);
    return copy;
}

uint32_t unpack_count(struct unpacker *u, size_t least)
{
    uint32_t count = unpack_u32(u);

    if (count > u->left / least) {
        u->error = -EBADMSG; /* an earlier one would have made it 0 */
        return 0;
    }
    return count;
}
