/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Upstream names to addresses, through c-ares, without ever blocking the loop: /etc/hosts,
 * resolv.conf (re-read when it changes), every address a name has, and its TTL. Lookups of one
 * name at a time are one query; answers are kept as long as their TTL says (RFC 1035 3.2.1).
 */
#ifndef PENSTOCK_UPSTREAM_RESOLVE_H
#define PENSTOCK_UPSTREAM_RESOLVE_H

#include <stddef.h>

#include "base/list.h"
#include "loop/loop.h"
#include "os/addr.h"
#include "os/log.h"

struct resolver;

/* The most addresses of one name that are kept. */
#define RESOLVE_MAX 32

struct resolve_request;

/*
 * How a lookup ended: `count` addresses (their port is 0) in the order to try them (RFC 6724), or 0
 * and `why` (static text, such as "no such name"). `addrs` is borrowed for the call. May be called
 * from within resolve_start().
 */
typedef void resolve_fn(struct resolve_request *request, const struct addr *addrs, size_t count,
                        const char *why);

/* One lookup under way; embedded in what waits for it. Set nothing but through resolve_start(). */
struct resolve_request {
    struct list link;
    resolve_fn *fn;
};

/* A resolver on `loop`, logging to `log`; NULL without memory. Both must outlive it. */
struct resolver *resolver_new(struct loop *loop, struct log *log);

/* Ends every query; requests still waiting are dropped without a call. NULL is allowed. */
void resolver_free(struct resolver *r);

/* Ask for `name`. fn is called exactly once, now or later, unless resolve_cancel() comes first. */
void resolve_start(struct resolver *r, struct resolve_request *request, const char *name,
                   resolve_fn *fn);

/* Forget a request that has not been answered; one that is answered or never started, nothing. The
 * request must have been zeroed or started before. */
void resolve_cancel(struct resolve_request *request);

#endif
