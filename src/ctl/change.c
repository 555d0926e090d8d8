/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/at_work.h"
#include "ctl/findings.h"
#include "ctl/must.h"
#include "ctl/pending.h"
#include "ctl/rule_file.h"
#include "ctl/text.h"
#include "ctl/value.h"

#define ANSWER_MS 5000  /* for a daemon that is there but stuck */
#define BACK_MS   30000 /* for the reload back ... */
#define HASTE_MS  2000  /* ... of who is about to be ended by a signal */
#define LOCK_MS   30000 /* somebody else changes a rule */

/* --- which config ---------------------------------------------------------------------------- */

/* What is good with the one may break the other. `at_work` is taken. */
static int shared(const char *wanted, char *at_work)
{
    text_line(stderr,
              "penstock: %s: penstockd runs with %s, which has the same conf.d: a rule would come "
              "or go there, too",
              wanted, at_work);
    free(at_work);
    return STATUS_REFUSED;
}

static int with_daemon(struct change *c, const json_t *status)
{
    const char *wanted = c->ctl->args.config;
    char *at_work = at_work_config(status);

    if (!at_work && !wanted)
        return at_work_unknown();
    /* One whose path can't be told in JSON, or that is in a room of its own. */
    if (at_work && wanted && access(at_work, F_OK) != 0) {
        free(at_work);
        at_work = NULL;
    }
    if (at_work && wanted && !at_work_is_same(wanted, at_work)) {
        if (at_work_shares(wanted, at_work))
            return shared(wanted, at_work);
        c->asleep = must_print("penstockd runs with %s: it was not reloaded", at_work);
    }
    if (!at_work)
        c->asleep = must(strdup("penstockd's config can't be found from here: it was not reloaded "
                                "(if this is it: penstock reload)"));
    c->config = wanted ? must(strdup(wanted)) : at_work;
    if (wanted)
        free(at_work);
    return STATUS_OK;
}

static int find_config(struct change *c)
{
    struct reply reply;
    int status;

    client_limit(c->ctl->client, ANSWER_MS);
    reply = client_call(c->ctl->client, "GET", "/v1/status", "config");
    client_limit(c->ctl->client, 0);
    if (reply.status == STATUS_OK) {
        status = with_daemon(c, reply.body);
    } else if (at_work_is_down(&reply) && c->ctl->args.config) {
        c->config = must(strdup(c->ctl->args.config));
        c->asleep = must(strdup("penstockd is not running: it takes effect at its start"));
        status = STATUS_OK;
    } else {
        status = reply_tell(&reply);
        if (at_work_is_down(&reply))
            text_line(stderr, "penstock: to change a config that it does not run with, name it "
                              "with --config FILE");
    }
    reply_free(&reply);
    return status;
}

/* --- begin and end --------------------------------------------------------------------------- */

static const char *why_not_held(int error)
{
    switch (error) {
    case -EBUSY:
        return "another penstock is changing a rule there";
    case -ENOLINK:
        return "it is a link to what is not there";
    default:
        return strerror(-error);
    }
}

int change_begin(struct change *c, struct ctl *ctl, const char *rule)
{
    int status, error;

    *c = (struct change){.ctl = ctl, .rule = rule, .dir = {.fd = -1}};
    sigprocmask(SIG_BLOCK, NULL, &c->before);
    if (!rule_name_is_good(rule)) {
        text_line(stderr,
                  "penstock: \"%s\" is no name of a rule, allowed: up to 64 letters, "
                  "digits, \"_\" and \"-\", of which the first is a letter",
                  rule);
        return STATUS_USAGE;
    }
    status = find_config(c);
    if (status != STATUS_OK)
        return status;
    error = conf_dir_open(&c->dir, c->config, LOCK_MS);
    if (error != 0) {
        text_line(stderr, "penstock: %s: %s", c->dir.path, why_not_held(error));
        return STATUS_REFUSED;
    }
    signals_hold(&c->before);
    c->file = rule_file_name(rule);
    c->path = conf_dir_path(&c->dir, c->file);
    return STATUS_OK;
}

void change_end(struct change *c)
{
    conf_dir_close(&c->dir);
    reply_free(&c->reloaded);
    conf_errors_free(&c->said);
    free(c->config);
    free(c->file);
    free(c->path);
    free(c->asleep);
    signals_release(&c->before);
}

/* --- the config ------------------------------------------------------------------------------ */

struct conf *change_load(struct change *c, const char *text)
{
    struct conf_edit edit = {c->file, text};
    struct conf_errors errors;
    struct conf *conf = conf_load_edited(c->config, &edit, &errors);

    findings_print_own(&errors);
    conf_errors_free(&c->said);
    c->said = errors;
    return conf;
}

struct conf *change_load_now(struct change *c, bool say)
{
    struct conf_errors errors;
    struct conf *conf = conf_load(c->config, &errors);

    if (!conf && say)
        findings_print_own(&errors);
    conf_errors_free(&errors);
    return conf;
}

int change_failed(const struct change *c, const char *what, int error)
{
    text_line(stderr, "penstock: %s: can't be %s: %s", c->path, what, strerror(-error));
    return STATUS_REFUSED;
}

/* --- the daemon ------------------------------------------------------------------------------ */

/* It is given up for a signal, and after `ms` (0: never). */
static struct reply ask(struct change *c, const char *method, const char *path, const char *key,
                        int64_t ms)
{
    struct reply reply;

    client_limit(c->ctl->client, ms);
    client_heed(c->ctl->client, signals_wait);
    reply = client_call(c->ctl->client, method, path, key);
    client_heed(c->ctl->client, NULL);
    client_limit(c->ctl->client, 0);
    return reply;
}

/* Why it was not as it should. */
static int tell(const struct reply *reply)
{
    if (reply->status == STATUS_OK || !signals_wait())
        return reply_tell(reply);
    text_line(stderr, "penstock: interrupted");
    return reply->status;
}

/* What could not change at the last reload is tried anew by each: it is no change of somebody who
 * is in the middle of one. The caller frees it; NULL: it is not known. */
static json_t *last_reload(struct change *c)
{
    struct reply reply = ask(c, "GET", "/v1/status", "config", ANSWER_MS);
    json_t *last = json_object_get(json_object_get(reply.body, "config"), "reload");

    json_incref(last);
    reply_free(&reply);
    return last;
}

/* Would a reload change something that is neither the rule, if that is `own`, nor tried anew? */
static bool has_others(struct change *c, const json_t *diff, const char *own)
{
    json_t *last = c->mixed ? last_reload(c) : NULL;
    bool has = pending_count(diff, own, last) > 0;

    json_decref(last);
    return has;
}

int change_alone(struct change *c, bool wanted)
{
    struct reply reply;
    int status;

    if (c->asleep)
        return STATUS_OK;
    reply = ask(c, "GET", "/v1/config/diff", "changes", 0);
    if (reply.status != STATUS_OK && reply.body)
        findings_print(json_object_get(reply.body, "errors"), &c->said);
    status = tell(&reply);
    c->mixed = pending_count(reply.body, NULL, NULL) > 0;
    if (status == STATUS_OK && has_others(c, reply.body, wanted ? NULL : c->rule)) {
        text_line(stderr, "penstock: the files have other changes, which penstockd would take in "
                          "as well: look at penstock diff, and penstock reload first");
        status = STATUS_REFUSED;
    }
    reply_free(&reply);
    return status;
}

/* Is the rule at work, as wanted? One that was removed may live on for its last sessions. */
static int check_rule(struct change *c, bool wanted)
{
    char *path = must_print("/v1/rules/%s", c->rule); /* a good name needs no encoding */
    struct reply reply = ask(c, "GET", path, "state", ANSWER_MS);
    bool is = reply.status == STATUS_OK && strcmp(value_text(reply.body, "state"), "removed") != 0;
    int status = STATUS_OK;

    if (reply.status == STATUS_UNREACHED) {
        status = tell(&reply);
    } else if (is != wanted) {
        text_line(stderr, "penstock: penstockd could not %s the rule \"%s\"",
                  wanted ? "open" : "close", c->rule);
        status = STATUS_REFUSED;
    }
    reply_free(&reply);
    free(path);
    return status;
}

int change_reload(struct change *c, bool wanted)
{
    int status;

    if (c->asleep)
        return STATUS_OK;
    c->reloaded = ask(c, "POST", "/v1/reload", "generation", 0);
    if (c->reloaded.body)
        findings_print(json_object_get(c->reloaded.body, "errors"), &c->said);
    status = tell(&c->reloaded);
    return status == STATUS_OK ? check_rule(c, wanted) : status;
}

/* Who was interrupted already has little time left, but some. */
static struct reply reload_back(struct change *c)
{
    struct reply reply;

    if (!signals_wait())
        return ask(c, "POST", "/v1/reload", "generation", BACK_MS);
    client_limit(c->ctl->client, HASTE_MS);
    reply = client_call(c->ctl->client, "POST", "/v1/reload", "generation");
    client_limit(c->ctl->client, 0);
    return reply;
}

void change_reload_back(struct change *c)
{
    bool was_waiting = signals_wait();
    struct reply reply = reload_back(c);

    if (reply.status == STATUS_OK && c->mixed)
        text_line(stderr, "penstock: the files are as they were, and penstockd has reloaded them");
    else if (reply.status == STATUS_OK)
        text_line(stderr, "penstock: nothing was changed");
    else
        text_line(stderr,
                  "penstock: the files are as they were, but penstockd has not reloaded: %s",
                  !was_waiting && signals_wait() ? "interrupted" : reply.error);
    reply_free(&reply);
}

/* --- what was done --------------------------------------------------------------------------- */

static void report_json(struct change *c, const char *change)
{
    char *file = text_plain(c->path);
    json_t *body = must(
        json_pack("{s:s,s:s,s:O?}", "file", file, "change", change, "reload", c->reloaded.body));

    screen_json(&c->ctl->screen, body);
    json_decref(body);
    free(file);
}

void change_report(struct change *c, const char *change)
{
    if (c->ctl->screen.json) {
        report_json(c, change);
        return;
    }
    text_line(c->ctl->screen.to, "%s: rule %s, %s", c->path, c->rule, change);
    if (c->asleep)
        text_line(c->ctl->screen.to, "%s", c->asleep);
    else
        reload_print(c->ctl, c->reloaded.body);
}
