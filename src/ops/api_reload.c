/* SPDX-License-Identifier: BSD-2-Clause */
/* To have the config read anew, and to be told what came of it. */
#include "config.h"

#include "ops/api.h"
#include "ops/json_errors.h"
#include "ops/waiters.h"

/* With errors in it the config is to blame, else we are. */
static struct answer *failed(const struct ops_reload *r)
{
    bool is_config = r->errors && r->errors->fatal > 0;

    return answer_json(is_config ? 422 : 500,
                       json_failure(is_config ? "conflict" : "internal", r->error, r->errors));
}

static struct answer *outcome(const void *arg)
{
    const struct ops_reload *r = arg;

    if (r->outcome == OPS_RELOAD_FAILED)
        return failed(r);
    return answer_json(
        200, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "outcome", "ok", "generation",
                       (json_int_t)r->generation, "added", (json_int_t)r->added, "removed",
                       (json_int_t)r->removed, "changed", (json_int_t)r->changed, "failed",
                       (json_int_t)r->failed, "errors", json_config_errors(r->errors)));
}

struct answer *api_reload(struct api_call *c)
{
    const struct ops_host *host = &c->api->host;
    uint64_t number = host->reload(host->arg);

    if (number == 0)
        return answer_error(409, "conflict", "penstockd is about to end, it reloads no more");
    if (host->reloaded(host->arg)->number >= number)
        return outcome(host->reloaded(host->arg)); /* there was no thread to wait for */
    return waiters_add(&c->api->waiting, c->request, number);
}

void api_reloaded(struct api *api)
{
    const struct ops_reload *r = api->host.reloaded(api->host.arg);

    waiters_answer(&api->waiting, r->number, outcome, r);
}

static struct answer *ended(const void *arg)
{
    (void)arg;
    return answer_error(409, "conflict", "penstockd has ended");
}

void api_reload_stop(struct api *api)
{
    waiters_answer(&api->waiting, UINT64_MAX, ended, NULL);
}
