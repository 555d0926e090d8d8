/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that is nowhere but in memory (memfd_create(2)): bytes that go to another process as a
 * descriptor. */
#ifndef PENSTOCK_OS_MEMFILE_H
#define PENSTOCK_OS_MEMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A close-on-exec file with these bytes. Returns the descriptor, or a negative errno. */
int memfile_new(const char *name, const void *bytes, size_t size);

/* Read all of it, wherever its offset stands. Returns 0 and sets *bytes, which the caller frees,
 * and *size; or a negative errno (-EFBIG: over `most` bytes; -EINVAL: no regular file). */
int memfile_read(int fd, size_t most, uint8_t **bytes, size_t *size);

/* Make it worthless for everybody who has it: empty. Was that done? */
void memfile_spoil(int fd);
bool memfile_is_spoilt(int fd);

/*
 * A close-on-exec file of `size` zeroes that is written as memory: what stands there outlives us as
 * long as somebody has the file. Returns the descriptor and sets *map; or a negative errno.
 */
int memfile_shared(const char *name, size_t size, void **map);
void memfile_unmap(void *map, size_t size);

#endif
