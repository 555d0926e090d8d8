/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values to bytes and back: little-endian numbers, and blocks and texts with their length before
 * them as 32 bits. Pure. Errors stick, so that a caller may pack or unpack a whole record and look
 * at `error` once.
 */
#ifndef PENSTOCK_BASE_PACK_H
#define PENSTOCK_BASE_PACK_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* Zeroed, it is empty. It owns `bytes`: free(3) them, or pack_free(). */
struct packer {
    uint8_t *bytes;
    size_t size;
    size_t room;
    size_t most; /* that `size` may be; 0: as memory has it */
    /* 0, -ENOMEM, -EOVERFLOW: a block over 4 GiB, or -EFBIG: over `most`; then nothing more is
     * packed
     */
    int error;
};

void pack_u8(struct packer *p, uint8_t value);
void pack_u16(struct packer *p, uint16_t value);
void pack_u32(struct packer *p, uint32_t value);
void pack_u64(struct packer *p, uint64_t value);
void pack_i32(struct packer *p, int32_t value);
void pack_raw(struct packer *p, const void *bytes, size_t size); /* without a length */
void pack_block(struct packer *p, const void *bytes, size_t size);
void pack_text(struct packer *p, const char *text);

/* Overwrite what was packed at this offset, which must be there if there was no error. */
void pack_u32_at(struct packer *p, size_t offset, uint32_t value);
void pack_u64_at(struct packer *p, size_t offset, uint64_t value);

void pack_free(struct packer *p);

/* Set `at` and `left` to the bytes, which are borrowed, and the rest to 0. */
struct unpacker {
    const uint8_t *at;
    size_t left;
    int error; /* 0, -EBADMSG: the bytes end too early or are malformed, or -ENOMEM */
};

/* After an error they return 0. */
uint8_t unpack_u8(struct unpacker *u);
uint16_t unpack_u16(struct unpacker *u);
uint32_t unpack_u32(struct unpacker *u);
uint64_t unpack_u64(struct unpacker *u);
int32_t unpack_i32(struct unpacker *u);

/* Copy `size` bytes to `out`; after an error, zeros. */
void unpack_raw(struct unpacker *u, void *out, size_t size);

/* A block and a text; their memory is the arena's. After an error: NULL and *size 0; the empty
 * text. An empty block is NULL too. A text with a NUL inside is malformed. */
uint8_t *unpack_block(struct unpacker *u, uint32_t *size, struct arena *arena);
const char *unpack_text(struct unpacker *u, struct arena *arena);

/*
 * How many records follow, of which each takes at least `least` bytes (not 0). More than can be
 * there are malformed, so that what is allocated for them is bounded by the bytes that came. After
 * an error: 0.
 */
uint32_t unpack_count(struct unpacker *u, size_t least);

#endif
