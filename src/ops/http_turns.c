/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns: many clients may be ready at once, and each may want what takes a while, a walk over all
 * sessions, say. A turn of the loop has room for some slices only, and for one of each client; who
 * wants more waits in line.
 */
#include "config.h"

#include "ops/http_parts.h"

static void grant(struct http *h, struct request *rq)
{
    h->slices++;
    rq->granted = true;
    http_wake(rq);
}

void http_begin_turn(struct http *h)
{
    struct list *link;

    h->turn++;
    h->slices = 0;
    while (h->slices < HTTP_SLICES && (link = list_take_first(&h->in_turn)))
        grant(h, container_of(link, struct request, turn));
}

bool http_has_turn(struct request *rq)
{
    struct http *h = rq->http;

    if (!rq->granted) {
        if (rq->slice_at == h->turn || h->slices >= HTTP_SLICES || !list_empty(&h->in_turn)) {
            if (list_empty(&rq->turn))
                list_append(&h->in_turn, &rq->turn);
            return false;
        }
        h->slices++;
    }
    rq->granted = false;
    rq->slice_at = h->turn;
    return true;
}

void http_leave_turn(struct request *rq)
{
    list_remove(&rq->turn);
    rq->granted = false;
}
