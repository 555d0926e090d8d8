/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/waiters.h"

#include <stdlib.h>

struct waiter {
    struct list link;
    struct request *request;
    uint64_t number;
};

static void on_gone(void *arg)
{
    struct waiter *w = arg;

    list_remove(&w->link);
    free(w);
}

struct answer *waiters_add(struct list *waiting, struct request *rq, uint64_t number)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->request = rq;
    w->number = number;
    list_init(&w->link);
    list_append(waiting, &w->link);
    return request_wait(rq, on_gone, w);
}

void waiters_answer(struct list *waiting, uint64_t number, struct answer *(*make)(const void *arg),
                    const void *arg)
{
    list_for_each (link, next, waiting) {
        struct waiter *w = container_of(link, struct waiter, link);

        if (w->number > number)
            continue;
        request_answer(w->request, make(arg));
        on_gone(w);
    }
}
