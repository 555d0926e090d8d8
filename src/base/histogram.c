/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/histogram.h"

static const uint64_t bounds[HISTOGRAM_BUCKETS - 1] = HISTOGRAM_BOUNDS;

uint64_t histogram_bound(size_t bucket)
{
    return bounds[bucket];
}

size_t histogram_bucket(uint64_t ms)
{
    size_t bucket = 0;

    while (bucket < HISTOGRAM_BUCKETS - 1 && ms > bounds[bucket])
        bucket++;
    return bucket;
}

void histogram_add(struct histogram *h, uint64_t ms)
{
    atomic_fetch_add_explicit(&h->counts[histogram_bucket(ms)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ms, ms, memory_order_relaxed);
}
