/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions before something is changed, and the changes. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/must.h"
#include "ctl/query.h"
#include "ctl/top.h"
#include "ctl/value.h"

#define CHANGE_MS 3000
#define RELOAD_MS 10000 /* it is answered when it is over */

void ask_begin(struct top *t, enum ask_kind kind, const char *rule, int64_t id)
{
    t->ask = (struct top_ask){.kind = kind, .rule = rule ? must(strdup(rule)) : NULL, .id = id};
    term_forget(); /* nothing that was pressed before answers it */
}

/* Of all rules of that name: one may have been removed, and another come. */
static int64_t sessions_of(const struct top *t, const char *rule)
{
    int64_t sum = 0;

    for (size_t i = 0; i < t->rules.count; i++) {
        if (strcmp(t->rules.all[i].name, rule) == 0)
            sum = value_add(sum, t->rules.all[i].sessions);
    }
    return sum;
}

static void forget(struct top *t)
{
    free(t->ask.rule);
    t->ask = (struct top_ask){.kind = ASK_NOTHING};
}

char *ask_text(const struct top *t)
{
    const struct top_ask *ask = &t->ask;
    switch (ask->kind) {
    case ASK_KILL:
        return must_print("End session %" PRId64 " of %s?", ask->id, ask->rule);
    case ASK_KILL_RULE:
        return must_print("End all sessions of %s (%" PRId64 " now)?", ask->rule,
                          sessions_of(t, ask->rule));
    case ASK_PAUSE:
        return must_print("Pause %s? New clients will wait, sessions go on.", ask->rule);
    case ASK_RESUME:
        return must_print("Resume %s, so that it takes clients again?", ask->rule);
    case ASK_RELOAD:
        return must_print("Reload the config?");
    default:
        return must(strdup(""));
    }
}

/* --- the changes -------------------------------------------------------------------------------
 */

/* What is asked of the daemon; the caller frees it. */
static char *path_of(const struct top_ask *ask)
{
    struct query q;
    char *name, *path;

    if (ask->kind == ASK_RELOAD)
        return must(strdup("/v1/reload"));
    if (ask->kind == ASK_KILL)
        return must_print("/v1/sessions/%" PRId64, ask->id);
    if (ask->kind == ASK_KILL_RULE) {
        query_begin(&q, "/v1/sessions");
        query_add(&q, "rule", ask->rule);
        return query_end(&q);
    }
    name = client_encode(ask->rule);
    path = must_print("/v1/rules/%s/%s", name, ask->kind == ASK_PAUSE ? "pause" : "resume");
    free(name);
    return path;
}

static void tell_done(struct top *t, const json_t *body)
{
    int64_t killed = value_number(body, "killed"), failed = value_number(body, "failed");

    if (t->ask.kind == ASK_RELOAD)
        top_say(t, failed > 0,
                "Reloaded: %" PRId64 " added, %" PRId64 " removed, %" PRId64 " changed, %" PRId64
                " failed.",
                value_number(body, "added"), value_number(body, "removed"),
                value_number(body, "changed"), failed);
    else if (t->ask.kind == ASK_PAUSE || t->ask.kind == ASK_RESUME)
        top_say(t, false, "%s is %s.", value_text(body, "name"), value_text(body, "state"));
    else
        top_say(t, false, "%" PRId64 " session%s ended.", killed, killed == 1 ? "" : "s");
}

/* Why not; of a config with errors the first one. */
static void tell_refused(struct top *t, const struct reply *reply)
{
    const json_t *error = json_array_get(json_object_get(reply->body, "errors"), 0);

    if (error)
        top_say(t, true, "%s: %s:%" PRId64 ": %s", reply->error, value_text(error, "file"),
                value_number(error, "line"), value_text(error, "text"));
    else
        top_say(t, true, "%s", reply->error);
}

/* What every answer to it has. */
static const char *key_of(enum ask_kind kind)
{
    if (kind == ASK_RELOAD)
        return "generation";
    return kind == ASK_PAUSE || kind == ASK_RESUME ? "state" : "killed";
}

static void change(struct top *t)
{
    bool kills = t->ask.kind == ASK_KILL || t->ask.kind == ASK_KILL_RULE;
    char *path = path_of(&t->ask);
    struct reply reply;

    top_say(t, false, "Waiting for penstockd ...");
    top_draw(t);
    client_limit(t->client, t->ask.kind == ASK_RELOAD ? RELOAD_MS : CHANGE_MS);
    reply = client_call(t->client, kills ? "DELETE" : "POST", path, key_of(t->ask.kind));
    if (reply.status == STATUS_OK)
        tell_done(t, reply.body);
    else
        tell_refused(t, &reply);
    reply_free(&reply);
    free(path);
    t->next_ms = 0; /* see what has come of it */
}

void ask_withdraw(struct top *t)
{
    if (t->ask.kind != ASK_KILL)
        return;
    forget(t);
    top_say(t, true,
            "Another penstockd answers now, whose sessions may be others. Nothing was done.");
}

/* An id means a session only to the process that has told it: is it still that one? */
static bool still_holds(struct top *t)
{
    return t->ask.kind != ASK_KILL || (top_fetch(t) == STATUS_OK && t->ask.kind == ASK_KILL);
}

/* Only a clear yes is one. */
void ask_answer(struct top *t, struct press press)
{
    if (press.kind == PRESS_OTHER)
        return;
    if (press.character != L'y' && press.character != L'Y')
        top_say(t, false, "Nothing was done.");
    else if (still_holds(t))
        change(t);
    forget(t);
}
