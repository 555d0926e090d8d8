/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32 as in IEEE 802.3, gzip and zlib: tells damage, not malice. Pure. */
#ifndef PENSTOCK_BASE_CRC32_H
#define PENSTOCK_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes. Every change within 32 bits in a row changes it; other damage slips through once
 * in 2^32. */
uint32_t crc32_of(const void *bytes, size_t size);

#endif
