/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that are answered when something is over that has a number: a reload. */
#ifndef PENSTOCK_OPS_WAITERS_H
#define PENSTOCK_OPS_WAITERS_H

#include <stdint.h>

#include "base/list.h"
#include "ops/http.h"

/* The request waits in this list until `number` is over, or its client has gone. To be returned by
 * its handler; NULL without memory. */
struct answer *waiters_add(struct list *waiting, struct request *rq, uint64_t number);

/* All up to `number` are over: answer who waits for them with what make(arg) makes for each. */
void waiters_answer(struct list *waiting, uint64_t number, struct answer *(*make)(const void *arg),
                    const void *arg);

#endif
