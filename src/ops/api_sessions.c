/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions: shown and ended. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "flow/session.h"
#include "flow/worker.h"
#include "ops/api.h"
#include "ops/json.h"
#include "ops/session_kill.h"
#include "ops/session_list.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    100000
#define SORTED_MOST   1000 /* in another order than by id */

#define ERROR_MAX 512

/* --- one ------------------------------------------------------------------------------------- */

/* NULL, and then *answer is what is to be said. */
static struct session *session_of(struct api_call *c, struct answer **answer)
{
    struct session *s;
    uint64_t id;

    if (!filter_number(c->name, &id)) {
        *answer =
            answer_error(400, "bad-request", "\"%s\" is no id, allowed: a whole number", c->name);
        return NULL;
    }
    s = session_by_id(c->api->host.worker, id);
    if (!s)
        *answer = answer_error(404, "not-found", "there is no session %" PRIu64, id);
    return s;
}

struct answer *api_session(struct api_call *c)
{
    struct answer *answer = NULL;
    const struct session *s = session_of(c, &answer);

    return s ? answer_json(200, json_session(s, clock_monotonic_ms(), clock_wall_ms())) : answer;
}

struct answer *api_kill(struct api_call *c)
{
    struct answer *answer = NULL;
    struct session *s = session_of(c, &answer);

    if (!s)
        return answer;
    session_end_now(s, END_KILLED);
    return answer_json(200, json_pack("{s:i}", "killed", 1));
}

/* --- many ------------------------------------------------------------------------------------ */

/* What the query says of the filter; *any: it says something. False: *answer is what is wrong. */
static bool read_filter(struct api_call *c, struct filter *f, bool *any, struct answer **answer)
{
    static const char *const keys[] = {"rule", "client", "state", "older"};
    char error[ERROR_MAX];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *text = request_query(c->request, keys[i]);

        if (!text)
            continue;
        *any = true;
        if (!filter_set(f, keys[i], text, error, sizeof(error))) {
            *answer = answer_error(400, "bad-request", "%s", error);
            return false;
        }
    }
    if (f->rule && !find_rule(c->api->host.worker, f->rule)) {
        *answer = answer_error(404, "not-found", "there is no rule \"%s\"", f->rule);
        return false;
    }
    return true;
}

static bool read_order(struct api_call *c, enum find_order *order, struct answer **answer)
{
    static const char *const words[] = {[FIND_BY_ID] = "id",
                                        [FIND_BY_AGE] = "age",
                                        [FIND_BY_IDLE] = "idle",
                                        [FIND_BY_BYTES] = "bytes"};
    const char *text = request_query(c->request, "sort");

    *order = FIND_BY_ID;
    if (!text)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *order = (enum find_order)i;
            return true;
        }
    }
    *answer =
        answer_error(400, "bad-request",
                     "sort: \"%s\" is none, allowed: \"id\", \"age\", \"idle\", \"bytes\"", text);
    return false;
}

static bool read_page(struct api_call *c, struct find *what, struct answer **answer)
{
    const char *after = request_query(c->request, "after");
    const char *limit = request_query(c->request, "limit");
    uint64_t most = what->order == FIND_BY_ID ? LIMIT_MOST : SORTED_MOST;
    uint64_t number = LIMIT_DEFAULT;

    if (after && what->order != FIND_BY_ID)
        *answer = answer_error(400, "bad-request", "after: pages go by id, allowed: sort=id");
    else if (after && !filter_number(after, &what->after))
        *answer = answer_error(400, "bad-request",
                               "after: \"%s\" is no id, allowed: a whole number", after);
    else if (limit && (!filter_number(limit, &number) || number == 0 || number > most))
        *answer =
            answer_error(400, "bad-request", "limit: \"%s\" is none, allowed: 1 to %" PRIu64 "%s",
                         limit, most, what->order == FIND_BY_ID ? "" : " (with sort=id: more)");
    what->limit = (size_t)number;
    return *answer == NULL;
}

struct answer *api_sessions(struct api_call *c)
{
    struct find what = {0};
    struct answer *answer = NULL;
    bool any = false;

    if (!read_filter(c, &what.filter, &any, &answer) || !read_order(c, &what.order, &answer) ||
        !read_page(c, &what, &answer))
        return answer;
    return answer_sessions(c->api->host.worker, &what);
}

/* Nobody is to end all sessions by leaving something out. */
struct answer *api_kill_some(struct api_call *c)
{
    const char *all = request_query(c->request, "all");
    struct find what = {.limit = SIZE_MAX};
    struct answer *answer = NULL;
    bool any = false;

    if (!read_filter(c, &what.filter, &any, &answer))
        return answer;
    if (all && strcmp(all, "true") != 0)
        return answer_error(400, "bad-request", "all: \"%s\" is none, allowed: \"true\"", all);
    if (all && any)
        return answer_error(400, "bad-request", "all: it leaves none out, allowed: alone");
    if (!all && !any)
        return answer_error(400, "bad-request",
                            "which sessions? allowed: rule, client, state, older, or all=true");
    return kill_sessions(c->api->host.worker, &what, c->request);
}
