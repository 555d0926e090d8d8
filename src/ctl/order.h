/* SPDX-License-Identifier: BSD-2-Clause */
/* The orders in which penstockd lists sessions, for when it doesn't itself. Pure. */
#ifndef PENSTOCK_CTL_ORDER_H
#define PENSTOCK_CTL_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Is it "age", "idle" or "bytes"? NULL and "id", which is how they come, are none of them. */
bool order_is_known(const char *key);

/* Put an array of sessions in that order, the largest first, and leave the first `most`. */
void order_sessions(json_t *sessions, const char *key, uint64_t most);

#endif
