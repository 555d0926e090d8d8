/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the HTTP server have in common; nobody else includes this. */
#ifndef PENSTOCK_OPS_HTTP_PARTS_H
#define PENSTOCK_OPS_HTTP_PARTS_H

#include <microhttpd.h>
#include <stdint.h>

#include "base/list.h"
#include "ops/http.h"

/* Slices in one turn of the loop, of all clients together: calls of the handler and of fill(). The
 * others wait for their turn. */
#define HTTP_SLICES 8

struct http {
    struct loop *loop;
    struct fds *fds;
    struct http_server server; /* fd -1: closed */
    http_handler *handler;
    void *arg;
    struct MHD_Daemon *library;
    struct MHD_Response *failure; /* when there is no memory for an answer */
    struct watch watch;           /* of the library's epoll descriptor */
    struct timer timer;           /* when it wants to run; always set */
    struct watch listening;
    struct timer rest; /* out of descriptors or memory: accept again then */
    unsigned clients;
    unsigned kept;            /* of these have descriptors of the reserve */
    unsigned endless;         /* of these read a stream without an end */
    struct request *arriving; /* between accept and the library's word that it has begun */
    struct list all;          /* requests, one a connection */
    struct list asleep;       /* those of suspended connections */
    struct timer look;        /* for clients that have gone, or are late, and nothing tells */
    struct list in_turn;      /* requests that wait for their turn, the first one first */
    uint64_t turn;
    unsigned slices; /* in this turn */
    bool running;    /* within the library */
    bool is_due;     /* it is to run again, whatever it says itself */
};

struct answer {
    struct MHD_Response *response;
    unsigned status;
    struct stream *stream; /* or NULL */
};

/* One a connection, which has one request at a time. */
struct request {
    struct http *http;
    struct MHD_Connection *connection; /* NULL: not begun */
    int fd;
    bool is_kept;       /* the descriptor, of the reserve */
    bool end_shown;     /* to the library, which had not seen it; or made */
    bool was_over;      /* at a look: it had ended, and there was no request */
    int64_t since;      /* when it began, or the last answer ended: loop_now() */
    struct list place;  /* all */
    struct list link;   /* asleep */
    struct watch watch; /* for the client's end while it is asleep for long */
    bool asleep;
    bool looked_at; /* by a timer, since watching would tell nothing */
    bool hung_up;   /* while it was asleep */

    /* Its next slice. */
    struct list turn;  /* in_turn */
    bool granted;      /* one, in this turn */
    uint64_t slice_at; /* the turn of the last one */

    /* Of the request at hand. */
    char *path;
    enum http_method method;
    bool begun;          /* its headers have been read */
    bool has_come;       /* all of it */
    bool waits;          /* for request_answer() */
    bool answered;       /* it has been called, and the answer is not under way yet */
    uint64_t body;       /* bytes of it, thrown away */
    struct answer later; /* what stands for an answer that comes later */
    struct answer *answer;
    void (*gone)(void *arg);
    void *gone_arg;

    /* Of its answer, while that is a stream. */
    struct stream *stream;
    bool endless; /* it is counted as such */
    bool woken;   /* since the last call of fill() began */
};

/* --- http.c ---------------------------------------------------------------------------------- */

/* Have the library run in the next turn: without a thread of its own it doesn't by a connection
 * that is resumed. */
void http_run_soon(struct http *h);

/* --- http_clients.c --------------------------------------------------------------------------- */

/* Listen for clients; 0 or a negative errno. */
int http_listen(struct http *h);

/* The library has begun with a connection, or ended it (MHD_NotifyConnectionCallback). */
void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what);

/* So many have descriptors of the reserve, at most. */
unsigned http_kept_most(const struct http *h);

/* --- http_gone.c ------------------------------------------------------------------------------ */

/* Look after a while for clients that have gone or are late: when something has been read. */
void http_look_later(struct http *h);

/* Suspend the request's connection; that its client goes is watched for. */
void http_sleep(struct request *rq);

/* The same until its turn, which comes soon: nothing is watched for. */
void http_doze(struct request *rq);
void http_wake(struct request *rq);

/* --- http_request.c --------------------------------------------------------------------------- */

/* A request line has been read (MHD_OPTION_URI_LOG_CALLBACK). */
void *http_on_line(void *arg, const char *uri, struct MHD_Connection *connection);

/* More of a request has been read (MHD_AccessHandlerCallback). */
enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context);

/* A request is over (MHD_RequestCompletedCallback). */
void http_on_end(void *arg, struct MHD_Connection *connection, void **context,
                 enum MHD_RequestTerminationCode why);

/* It is over, if there is one. */
void http_end_request(struct request *rq);

/* --- http_answer.c ---------------------------------------------------------------------------- */

/* Send it; NULL: the client gets 500. The answer is freed. */
enum MHD_Result answer_send(struct answer *a, struct request *rq);

/* An error in the words of the API, which need no quoting in JSON. NULL without memory. */
struct answer *answer_refusal(unsigned status, const char *code, const char *message);
void answer_free(struct answer *a);

/* --- http_turns.c ----------------------------------------------------------------------------- */

/* A turn of the loop begins: who has waited longest is served first. */
void http_begin_turn(struct http *h);

/* May it have a slice in this turn? If not, it is in line for one of the next. */
bool http_has_turn(struct request *rq);

/* It wants none any more. */
void http_leave_turn(struct request *rq);

#endif
