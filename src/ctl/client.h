/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP to penstockd on its control socket. This is the only room that knows libcurl. */
#ifndef PENSTOCK_CTL_CLIENT_H
#define PENSTOCK_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* How penstock ends (penstock(1)). */
enum { STATUS_OK, STATUS_REFUSED, STATUS_USAGE, STATUS_UNREACHED };

struct client;

/* Talk to the socket at `path`, which is borrowed. Nothing is connected yet. */
struct client *client_new(const char *path);
void client_free(struct client *c);

/* Each call from here on takes at most this long as a whole; 0: as long as it takes. */
void client_limit(struct client *c, int64_t ms);

/* Calls are given up, as not reached, once `enough` says so: it is asked every second or so. NULL:
 * they are not. */
void client_heed(struct client *c, bool (*enough)(void));

struct reply {
    int status;   /* STATUS_*: REFUSED and USAGE when the daemon said no */
    json_t *body; /* what it said: also when it said no; NULL: nothing that can be read */
    char *error;  /* one line, when the status is not OK; else NULL */
    int cause;    /* the errno for which it could not be connected to; else 0 */
};

/* `method` and a path with its query, all of it encoded. An answer to what was done or asked for
 * that has no `key` is none of penstockd's. To be given to reply_free(). */
struct reply client_call(struct client *c, const char *method, const char *path, const char *key);
void reply_free(struct reply *reply);

/* `reply` becomes `other`, which is no more. */
void reply_replace(struct reply *reply, struct reply *other);

/*
 * Read what never ends: `line` is called for each line as it comes, and returns false when it has
 * had enough (the status is OK then). That the daemon ends it is STATUS_UNREACHED.
 */
struct reply client_stream(struct client *c, const char *path,
                           bool (*line)(void *arg, const char *text), void *arg);

/* Text as a part of a path or a query. The caller frees it. */
char *client_encode(const char *text);

/* Say what is wrong on standard error: "penstock: ...". Returns the reply's status. */
int reply_tell(const struct reply *reply);

#endif
