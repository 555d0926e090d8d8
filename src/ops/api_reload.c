/* SPDX-License-Identifier: BSD-2-Clause */
/* To have the config read anew, and to be told what came of it. */
#include "config.h"

#include <stdlib.h>

#include "ops/api.h"

/* A request that is answered when that reload is over. */
struct waiter {
    struct list link;
    struct request *request;
    uint64_t reload;
};

static json_t *error_json(const struct conf_error *e)
{
    return json_pack("{s:o,s:I,s:o,s:b}", "file", json_plain(e->at.file), "line",
                     (json_int_t)e->at.line, "text", json_plain(e->text), "warning",
                     (int)e->warning);
}

static json_t *errors_json(const struct conf_errors *errors)
{
    json_t *list = json_array();

    for (size_t i = 0; errors && i < errors->count; i++) {
        if (json_array_append_new(list, error_json(&errors->list[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* With errors in it the config is to blame, else we are. */
static struct answer *failed(const struct ops_reload *r)
{
    bool is_config = r->errors && r->errors->fatal > 0;
    json_t *error = json_pack("{s:s,s:o}", "code", is_config ? "conflict" : "internal", "message",
                              json_plain(r->error));

    return answer_json(is_config ? 422 : 500,
                       json_pack("{s:o,s:o}", "error", error, "errors", errors_json(r->errors)));
}

static struct answer *outcome(const struct ops_reload *r)
{
    if (r->outcome == OPS_RELOAD_FAILED)
        return failed(r);
    return answer_json(200, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "outcome", "ok",
                                      "generation", (json_int_t)r->generation, "added",
                                      (json_int_t)r->added, "removed", (json_int_t)r->removed,
                                      "changed", (json_int_t)r->changed, "failed",
                                      (json_int_t)r->failed, "errors", errors_json(r->errors)));
}

static void on_gone(void *arg)
{
    struct waiter *w = arg;

    list_remove(&w->link);
    free(w);
}

struct answer *api_reload(struct api_call *c)
{
    const struct ops_host *host = &c->api->host;
    struct waiter *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    list_init(&w->link);
    w->request = c->request;
    w->reload = host->reload(host->arg);
    if (w->reload == 0) {
        free(w);
        return answer_error(409, "conflict", "penstockd is about to end, it reloads no more");
    }
    if (host->reloaded(host->arg)->number >= w->reload) {
        free(w);
        return outcome(host->reloaded(host->arg)); /* there was no thread to wait for */
    }
    list_append(&c->api->waiting, &w->link);
    return request_wait(c->request, on_gone, w);
}

void api_reloaded(struct api *api)
{
    const struct ops_reload *r = api->host.reloaded(api->host.arg);

    list_for_each (link, next, &api->waiting) {
        struct waiter *w = container_of(link, struct waiter, link);

        if (w->reload > r->number)
            continue;
        request_answer(w->request, outcome(r));
        on_gone(w);
    }
}

void api_reload_stop(struct api *api)
{
    list_for_each (link, next, &api->waiting) {
        struct waiter *w = container_of(link, struct waiter, link);

        request_answer(w->request, answer_error(409, "conflict", "penstockd has ended"));
        on_gone(w);
    }
}
