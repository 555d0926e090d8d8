/* SPDX-License-Identifier: BSD-2-Clause */
/* A request: from its first line to the handler, and its end. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ops/http_parts.h"

#define BODY_MOST   (64u * 1024)   /* nothing here needs one */
#define BODY_CUT    (1024u * 1024) /* who sends more than this is cut off */
#define TARGET_MOST (16u * 1024)   /* path and query, as they are sent */
#define KEYS_MOST   64             /* of a query; its refusal says so */

/* --- what it says ---------------------------------------------------------------------------- */

enum http_method request_method(const struct request *rq)
{
    return rq->method;
}

const char *request_path(const struct request *rq)
{
    return rq->path;
}

struct wanted {
    const char *key;
    const char *value;
};

/* The library's own search takes "Rule" for "rule". */
static enum MHD_Result look_for_key(void *arg, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct wanted *w = arg;

    (void)kind;
    if (strcmp(key, w->key) != 0)
        return MHD_YES;
    w->value = value ? value : "";
    return MHD_NO;
}

const char *request_query(const struct request *rq, const char *key)
{
    struct wanted w = {.key = key};

    MHD_get_connection_values(rq->connection, MHD_GET_ARGUMENT_KIND, look_for_key, &w);
    return w.value;
}

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

struct search {
    const char *const *known;
    const char *found;
};

static enum MHD_Result look_for_unknown(void *arg, enum MHD_ValueKind kind, const char *key,
                                        const char *value)
{
    struct search *s = arg;

    (void)kind;
    (void)value;
    for (const char *const *k = s->known; *k; k++) {
        if (strcmp(*k, key) == 0)
            return MHD_YES;
    }
    s->found = key;
    return MHD_NO;
}

const char *request_unknown(const struct request *rq, const char *const *known)
{
    struct search s = {.known = known};

    MHD_get_connection_values(rq->connection, MHD_GET_ARGUMENT_KIND, look_for_unknown, &s);
    return s.found;
}

struct count {
    const char *key;
    unsigned times;
};

static enum MHD_Result count_key(void *arg, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct count *c = arg;

    (void)kind;
    (void)value;
    c->times += strcmp(key, c->key) == 0;
    return c->times < 2 ? MHD_YES : MHD_NO;
}

const char *request_doubled(const struct request *rq, const char *const *known)
{
    for (const char *const *k = known; *k; k++) {
        struct count c = {.key = *k};

        MHD_get_connection_values(rq->connection, MHD_GET_ARGUMENT_KIND, count_key, &c);
        if (c.times > 1)
            return *k;
    }
    return NULL;
}

/* --- its way --------------------------------------------------------------------------------- */

static enum http_method to_method(const char *word)
{
    if (strcmp(word, MHD_HTTP_METHOD_GET) == 0 || strcmp(word, MHD_HTTP_METHOD_HEAD) == 0)
        return HTTP_GET;
    if (strcmp(word, MHD_HTTP_METHOD_POST) == 0)
        return HTTP_POST;
    return strcmp(word, MHD_HTTP_METHOD_DELETE) == 0 ? HTTP_DELETE : HTTP_OTHER;
}

static bool has_many_keys(const char *uri)
{
    unsigned keys = 1;

    for (const char *c = strchr(uri, '?'); c && (c = strchr(c, '&')); c++)
        keys++;
    return keys > KEYS_MOST;
}

/*
 * The library takes the memory of a connection for its line and for each key of the query, and when
 * that is used up it neither answers nor closes. So it is said here, where nothing else is under
 * way, and the connection ends.
 */
static void refuse(const struct request *rq, const char *status, const char *code,
                   const char *message)
{
    char text[512];
    int size = snprintf(text, sizeof(text),
                        "HTTP/1.1 %s\r\n"
                        "Connection: close\r\n"
                        "Cache-Control: no-store\r\n"
                        "Content-Type: application/json\r\n\r\n"
                        "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
                        status, code, message);

    send(rq->fd, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(rq->fd, SHUT_RDWR);
}

void *http_on_line(void *arg, const char *uri, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *rq = info->socket_context;

    (void)arg;
    http_end_request(rq);
    if (strlen(uri) > TARGET_MOST) /* without a path it is no request */
        refuse(rq, "414 URI Too Long", "too-large", "a target of at most 16 KiB is allowed");
    else if (has_many_keys(uri))
        refuse(rq, "400 Bad Request", "bad-request", "the query has too many keys, allowed: 64");
    else
        rq->path = strndup(uri, strcspn(uri, "?"));
    return rq;
}

void http_end_request(struct request *rq)
{
    void (*gone)(void *arg) = rq->waits ? rq->gone : NULL;

    http_leave_turn(rq);
    rq->http->endless -= rq->endless;
    rq->endless = false;
    answer_free(rq->answer);
    free(rq->path);
    rq->answer = NULL;
    rq->path = NULL;
    rq->begun = rq->has_come = rq->waits = rq->answered = false;
    rq->body = 0;
    if (gone)
        gone(rq->gone_arg);
}

void http_on_end(void *arg, struct MHD_Connection *connection, void **context,
                 enum MHD_RequestTerminationCode why)
{
    struct request *rq = *context;

    (void)arg;
    (void)connection;
    (void)why;
    if (rq) {
        http_end_request(rq);
        rq->since = loop_now(rq->http->loop);
    }
    *context = NULL;
}

static struct answer *too_large(void)
{
    return answer_refusal(413, "too-large", "a body of at most 64 KiB is allowed");
}

/* Texts end at a NUL: one that has it would be taken for another. */
static enum MHD_Result look_for_nul(void *arg, enum MHD_ValueKind kind, const char *key,
                                    size_t key_size, const char *value, size_t size)
{
    bool *found = arg;

    (void)kind;
    *found = strlen(key) != key_size || (value && strlen(value) != size);
    return *found ? MHD_NO : MHD_YES;
}

static bool has_nul(struct request *rq)
{
    bool found = false;

    MHD_get_connection_values_n(rq->connection, MHD_GET_ARGUMENT_KIND, look_for_nul, &found);
    return found;
}

/* An answer to the headers alone ends the connection, since a body may be on its way. */
static enum MHD_Result begin(struct request *rq, const char *method)
{
    const char *length = request_header(rq, MHD_HTTP_HEADER_CONTENT_LENGTH);

    rq->begun = true;
    rq->method = to_method(method);
    if (length && strtoull(length, NULL, 10) > BODY_CUT)
        return answer_send(too_large(), rq);
    return MHD_YES;
}

static struct answer *ask(struct request *rq)
{
    struct http *h = rq->http;

    if (rq->body > BODY_MOST)
        return too_large();
    if (has_nul(rq))
        return answer_refusal(400, "bad-request", "the query has a NUL");
    return h->handler(h->arg, rq);
}

/*
 * All of it has been read; or its turn has come, or an answer that was waited for. One that waits
 * is suspended only when the library asks for its answer again, which it does at once: by then it
 * expects no more of the request. Resumed before that it would read first, and take the end of a
 * client that has only shut its sending side for the end of all.
 */
static enum MHD_Result answer(struct request *rq)
{
    bool in_turn = !list_empty(&rq->turn);
    struct answer *a;

    rq->has_come = true;
    rq->was_over = false;
    if (rq->hung_up)
        return MHD_NO;
    if (!rq->answered) {
        if (rq->waits) {
            http_sleep(rq);
            return MHD_YES;
        }
        if (!http_has_turn(rq)) {
            if (in_turn)
                http_doze(rq);
            return MHD_YES;
        }
        a = ask(rq);
        if (a != &rq->later)
            return answer_send(a, rq);
        if (!rq->answered)
            return MHD_YES;
    }
    a = rq->answer;
    rq->answer = NULL;
    return answer_send(a, rq);
}

enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context)
{
    struct request *rq = *context;

    (void)arg;
    (void)connection;
    (void)url;
    (void)version;
    (void)data;
    if (!rq || !rq->path)
        return MHD_NO;
    if (!rq->begun)
        return begin(rq, method);
    if (*size == 0)
        return answer(rq);
    rq->body += *size;
    *size = 0;
    return rq->body > BODY_CUT ? MHD_NO : MHD_YES;
}

/* --- answers that come later ----------------------------------------------------------------- */

struct answer *request_wait(struct request *rq, void (*gone)(void *arg), void *arg)
{
    rq->waits = true;
    rq->gone = gone;
    rq->gone_arg = arg;
    return &rq->later;
}

void request_answer(struct request *rq, struct answer *a)
{
    rq->waits = false;
    rq->answered = true;
    rq->answer = a;
    http_wake(rq);
}
