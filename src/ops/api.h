/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the API has: a table of methods and paths, and who answers each (route.c). A handler takes a
 * request and returns an answer (http.h); NULL is "no memory".
 */
#ifndef PENSTOCK_OPS_API_H
#define PENSTOCK_OPS_API_H

#include <jansson.h>
#include <stdbool.h>

#include "loop/loop.h"
#include "ops/events.h"
#include "ops/http.h"
#include "ops/ops.h"
#include "ops/preview.h"

/* What all handlers share. */
struct api {
    struct ops_host host;
    int64_t started_at_ms; /* since the epoch */
    int64_t started;       /* loop time */
    struct events events;
    struct list waiting; /* requests that are answered when a reload is over (waiters.h) */
    struct preview preview;
};

struct api_call {
    struct api *api;
    struct request *request;
    const char *name; /* what stands at {name} or {id} of the path, decoded; or NULL */
};

typedef struct answer *api_handler(struct api_call *call);

/* One of the sockets that the API is asked on. */
struct api_door {
    struct api *api;
    bool is_local; /* the UNIX socket, on which things can be changed */
};

/* The http_handler of both servers; `arg` is the struct api_door. */
struct answer *api_route(void *arg, struct request *rq);

/* --- answers (answer.c) ----------------------------------------------------------------------- */

/* `body` is taken, also when it is NULL (no memory). */
struct answer *answer_json(unsigned status, json_t *body);

/* Add the headers that every answer has: it is not to be kept, and is what its type says. Those of
 * the functions here have them already. NULL is allowed. */
struct answer *answer_guarded(struct answer *a);

/* {"error":{"code":...,"message":...}}; `code` is one of the API's few words. */
struct answer *answer_error(unsigned status, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text from outside (a path, a config's error): what is no UTF-8 becomes '?'. */
json_t *json_plain(const char *text);

/* --- handlers --------------------------------------------------------------------------------- */

api_handler api_health, api_status;                                /* api_status.c */
api_handler api_rules, api_rule, api_pause, api_resume, api_drain; /* api_rules.c */
api_handler api_sessions, api_session, api_kill, api_kill_some;    /* api_sessions.c */
api_handler api_events;                                            /* events.c */
api_handler api_config, api_config_diff;                           /* api_config.c */
api_handler api_reload;                                            /* api_reload.c */
api_handler api_metrics;                                           /* metrics.c */
api_handler api_page, api_page_file;                               /* page.c */

/* Answer those that wait for a reload, which is over. */
void api_reloaded(struct api *api);

/* Give up on them. */
void api_reload_stop(struct api *api);

#endif
