/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question, one answer: c-ares run by the loop. No cache, no coalescing; resolve.c adds them.
 * dns.c is the only file that knows c-ares.
 */
#ifndef PENSTOCK_UPSTREAM_DNS_H
#define PENSTOCK_UPSTREAM_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "os/addr.h"
#include "upstream/resolve.h"

enum dns_outcome {
    DNS_FOUND,  /* at least one address */
    DNS_NONE,   /* an answer, and it is that there is no such name or no address for it */
    DNS_FAILED, /* no answer: servers that are silent, refuse or fail; no memory */
};

struct dns_answer {
    enum dns_outcome outcome;
    size_t count;                   /* 0 unless DNS_FOUND */
    struct addr addrs[RESOLVE_MAX]; /* in the order to try them (RFC 6724 section 6), port 0 */
    int64_t ttl_ms;                 /* the smallest of the answer; 0 for one from /etc/hosts */
    const char *why;                /* static text; NULL for DNS_FOUND */
};

typedef void dns_fn(void *arg, const struct dns_answer *answer);

struct dns;

/* NULL without memory. `loop` must outlive it. */
struct dns *dns_new(struct loop *loop);

/* Ends every query under way; none of them is answered. NULL is allowed. Not from within a dns_fn.
 */
void dns_free(struct dns *dns);

/*
 * Look at /etc/resolv.conf; when it has changed, later questions go by the new one, and those under
 * way end as they began. Returns a number that is another one after each change.
 */
unsigned dns_generation(struct dns *dns);

/* Ask for every address of `name` (copied). fn is called exactly once, now or later. */
void dns_ask(struct dns *dns, const char *name, dns_fn *fn, void *arg);

#endif
