/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP, spoken by libmicrohttpd within the loop: one server a socket, its epoll descriptor watched
 * by ours. Only http*.c know the library.
 */
#ifndef PENSTOCK_OPS_HTTP_H
#define PENSTOCK_OPS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loop/loop.h"
#include "os/fds.h"

struct http;
struct answer;
struct request;

/* --- requests -------------------------------------------------------------------------------- */

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_OTHER };

enum http_method request_method(const struct request *rq); /* HEAD is GET without the body */
const char *request_path(const struct request *rq);        /* without the query; not decoded */

/* The value of a key of the query, decoded; NULL when it isn't there, "" when it has none. */
const char *request_query(const struct request *rq, const char *key);

/* Is there a key in the query that is not in `known` (ended by NULL)? The first such, or NULL. */
const char *request_unknown(const struct request *rq, const char *const *known);

/* Is one of these keys (ended by NULL) in the query more than once? The first such, or NULL. */
const char *request_doubled(const struct request *rq, const char *const *known);

/* A header's value, or NULL; the name in any case. */
const char *request_header(const struct request *rq, const char *name);

/* Who is asking, on a UNIX socket (SO_PEERCRED, unix(7)); false on TCP. */
bool request_peer(const struct request *rq, pid_t *pid, uid_t *uid);

/* May it change anything? Who is asking is known on a UNIX socket only (SO_PEERCRED, unix(7)). */
bool request_may_steer(const struct request *rq);

/* --- answers --------------------------------------------------------------------------------- */

/* A body of `size` bytes, which is freed with free(3) in any case. NULL without memory, also when
 * `body` is NULL: the client then gets 500. `type`: a media type. */
struct answer *answer_bytes(unsigned status, const char *type, char *body, size_t size);

/*
 * A body that comes bit by bit. `fill` puts at most `size` bytes into `to` and returns how many;
 * 0: nothing now, go on when stream_wake() is called; STREAM_OVER: that was all; STREAM_BROKEN: it
 * can't go on (no memory), and the connection is closed so that what was sent does not look whole.
 * It is called again in a later turn of the loop, so that each call is a slice. `done` is called
 * exactly once, also when the client has gone, or there was no memory for the answer (NULL).
 * stream_wake() is allowed between, also within fill().
 */
enum { STREAM_OVER = -1, STREAM_BROKEN = -2 };

struct stream {
    ssize_t (*fill)(struct stream *st, char *to, size_t size);
    void (*done)(struct stream *st);
    bool is_endless;  /* such ones have half of the places for clients; who comes then gets 503 */
    void *connection; /* http.c's own */
};

struct answer *answer_stream(const char *type, struct stream *st); /* its status is 200 ... */
void answer_status(struct answer *a, unsigned status);             /* ... or this */
void stream_wake(struct stream *st);

/* Add a header; both texts are copied. */
void answer_header(struct answer *a, const char *name, const char *value);

/*
 * An answer that comes later (a reload): the handler returns request_wait(), keeps the request, and
 * calls request_answer() once. `gone` is called instead when the client has gone. On a UNIX socket
 * one that has only shut its sending side is there still; on TCP, where nothing tells the two apart
 * before something is sent, it counts as gone. So do readers of streams.
 */
struct answer *request_wait(struct request *rq, void (*gone)(void *arg), void *arg);
void request_answer(struct request *rq, struct answer *a);

/* --- servers --------------------------------------------------------------------------------- */

/* Makes an answer, or NULL without memory. Each call is a slice, of which a turn has only some. */
typedef struct answer *http_handler(void *arg, struct request *rq);

struct http_server {
    int fd;         /* listening, non-blocking; the server closes it */
    bool is_local;  /* a UNIX socket: requests have credentials */
    uid_t owner;    /* of its file: may steer ... */
    gid_t group;    /* ... as may this group ... */
    bool group_may; /* ... if that is set */

    unsigned clients; /* at a time, the others wait; 0: 1024 on a UNIX socket, 256 on TCP */

    /* Who neither says nor takes anything for so long is closed; and so is who has not said the
     * whole of a request so long after it has connected, or its last answer has ended. */
    unsigned idle_s; /* 0: 30 */
    unsigned kept_s; /* the same for those whose descriptor is of the reserve; 0: 2 */
};

/* Serve on it; each connection books a spare descriptor of `fds`, or is one of the few for which
 * the reserve has some, or waits. NULL and errno on failure, and then the descriptor is the
 * caller's still. */
struct http *http_new(struct loop *loop, struct fds *fds, const struct http_server *server,
                      http_handler *handler, void *arg);

/* Others may steer from here on: as of struct http_server. */
void http_set_rights(struct http *h, uid_t owner, gid_t group, bool group_may);

/* The listening socket; -1: it is closed. */
int http_socket(const struct http *h);

/* Close the socket: no new clients, whoever else holds it; those who are here are served on. */
void http_stop_listening(struct http *h);

/* The same, but somebody else goes on with it: clients wait for him. */
void http_leave_socket(struct http *h);

/* Close the socket and every connection, done() and gone() are called. Never from within one of
 * these, a handler or fill(). NULL is allowed. */
void http_free(struct http *h);

#endif
