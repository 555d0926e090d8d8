/* SPDX-License-Identifier: BSD-2-Clause */
/* An address as words to hash: every bit of them counts, and no padding is among them. */
#ifndef PENSTOCK_FLOW_UDP_WORDS_H
#define PENSTOCK_FLOW_UDP_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "os/addr.h"

#define ADDR_WORDS 3 /* at most */

/* Returns how many it needs; the first says that, too, by the family. */
static inline size_t addr_words(const struct addr *a, uint64_t words[ADDR_WORDS])
{
    words[0] = (uint64_t)a->family << 48 | (uint64_t)a->port << 32;
    switch (a->family) {
    case AF_INET:
        words[0] |= a->v4.s_addr;
        return 1;
    case AF_INET6:
        words[0] |= a->scope;
        memcpy(&words[1], &a->v6, sizeof(a->v6));
        return 3;
    default:
        return 1;
    }
}

#endif
