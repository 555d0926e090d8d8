/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that come bit by bit. The library asks for more whenever it could send; how often that is
 * passed on is decided here: each call of fill() is a slice, for which a stream waits in line. One
 * that has nothing suspends its connection.
 */
#include "config.h"

#include <stdlib.h>

#include "ops/http_parts.h"

#define SLICE_MOST ((size_t)16 * 1024)
#define BLOCK      4096 /* the library's own buffer, for clients that can't take chunks */

/*
 * In 0.9.75 the library forgets a connection that it closes at the end of a stream until those that
 * have been idle for longer are closed, unless it is one that is to be looked at: so is one that is
 * resumed.
 */
static ssize_t end(struct request *rq, ssize_t how)
{
    MHD_suspend_connection(rq->connection);
    MHD_resume_connection(rq->connection);
    http_run_soon(rq->http);
    return how;
}

static ssize_t on_room(void *arg, uint64_t sent, char *to, size_t size)
{
    struct stream *st = arg;
    struct request *rq = st->connection;
    ssize_t n;

    (void)sent;
    if (rq->hung_up)
        return end(rq, MHD_CONTENT_READER_END_WITH_ERROR);
    if (!http_has_turn(rq))
        return 0;
    rq->woken = false;
    n = st->fill(st, to, size < SLICE_MOST ? size : SLICE_MOST);
    if (n < 0)
        return end(rq, n == STREAM_OVER ? MHD_CONTENT_READER_END_OF_STREAM
                                        : MHD_CONTENT_READER_END_WITH_ERROR);
    if (n == 0 && !rq->woken)
        http_sleep(rq);
    return n;
}

static void on_done(void *arg)
{
    struct stream *st = arg;
    struct request *rq = st->connection;

    if (rq) {
        http_leave_turn(rq);
        rq->stream = NULL;
        st->connection = NULL;
    }
    st->done(st);
}

struct answer *answer_stream(const char *type, struct stream *st)
{
    struct answer *a = calloc(1, sizeof(*a));

    st->connection = NULL;
    if (a)
        a->response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_room, st, on_done);
    if (!a || !a->response) {
        free(a);
        st->done(st);
        return NULL;
    }
    a->status = 200;
    a->stream = st;
    answer_header(a, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (a->response)
        return a;
    free(a); /* st is done with, and no longer there */
    return NULL;
}

void stream_wake(struct stream *st)
{
    struct request *rq = st->connection;

    if (!rq)
        return;
    rq->woken = true;
    http_wake(rq);
}
