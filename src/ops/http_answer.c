/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers: what the library calls responses. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "ops/http_parts.h"

struct answer *answer_bytes(unsigned status, const char *type, char *body, size_t size)
{
    struct answer *a = body ? calloc(1, sizeof(*a)) : NULL;

    if (a)
        a->response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    if (!a || !a->response) {
        free(body);
        free(a);
        return NULL;
    }
    a->status = status;
    answer_header(a, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return a;
}

void answer_status(struct answer *a, unsigned status)
{
    a->status = status;
}

/* An answer without one of its headers is none. */
void answer_header(struct answer *a, const char *name, const char *value)
{
    if (!a->response || MHD_add_response_header(a->response, name, value) == MHD_YES)
        return;
    MHD_destroy_response(a->response);
    a->response = NULL;
    a->stream = NULL;
}

struct answer *answer_refusal(unsigned status, const char *code, const char *message)
{
    struct answer *a;
    char *text;
    int size = asprintf(&text, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, message);

    if (size < 0)
        return NULL;
    a = answer_bytes(status, "application/json", text, (size_t)size);
    if (a)
        answer_header(a, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return a;
}

void answer_free(struct answer *a)
{
    if (a && a->response)
        MHD_destroy_response(a->response);
    free(a);
}

/* The client has shut its side behind the request: the library, which waits for edges (epoll(7)),
 * doesn't see that when both came at once, and would wait for another request. */
static bool is_last(const struct request *rq)
{
    char byte;

    return recv(rq->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* There must be places for those who only ask, however many listen. */
static struct answer *take_endless(struct answer *a, struct request *rq)
{
    struct http *h = rq->http;
    unsigned places = rq->is_kept ? http_kept_most(h) : h->server.clients;

    if (h->endless < (places + 1) / 2) {
        h->endless++;
        rq->endless = true;
        return a;
    }
    answer_free(a);
    return answer_refusal(503, "too-many",
                          "as many streams without an end as are allowed are read");
}

enum MHD_Result answer_send(struct answer *a, struct request *rq)
{
    bool is_whole;
    enum MHD_Result result;

    if (a && a->response && a->stream && a->stream->is_endless)
        a = take_endless(a, rq);
    /* Of the few places that are kept, the next one is waiting for his. */
    if (a && (rq->is_kept || is_last(rq)))
        answer_header(a, MHD_HTTP_HEADER_CONNECTION, "close");
    is_whole = a && a->response;
    if (is_whole && a->stream) {
        a->stream->connection = rq;
        rq->stream = a->stream;
    }
    result = MHD_queue_response(rq->connection, is_whole ? a->status : 500,
                                is_whole ? a->response : rq->http->failure);
    answer_free(a);
    return result;
}
