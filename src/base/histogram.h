/* SPDX-License-Identifier: BSD-2-Clause */
/* How long things took: counts by upper bound, and their sum. Counters only grow and are atomic. */
#ifndef PENSTOCK_BASE_HISTOGRAM_H
#define PENSTOCK_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The upper bounds in milliseconds; what is above the last counts in a bucket of its own. From a
 * connect on the same machine to a session of a day. */
#define HISTOGRAM_BOUNDS                                                                           \
    {                                                                                              \
        1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000, 300000, 1000000, 3600000,        \
            14400000, 86400000                                                                     \
    }
#define HISTOGRAM_BUCKETS 17

struct histogram {
    atomic_ullong counts[HISTOGRAM_BUCKETS]; /* each of its own bucket only, not cumulative */
    atomic_ullong sum_ms;
};

/* The upper bound of a bucket but the last; bounds are inclusive. */
uint64_t histogram_bound(size_t bucket);

/* The one that counts what took so long. */
size_t histogram_bucket(uint64_t ms);

void histogram_add(struct histogram *h, uint64_t ms);

#endif
