/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/findings.h"
#include "ctl/must.h"
#include "ctl/rule_file.h"
#include "ctl/text.h"
#include "ctl/value.h"

#define ANSWER_MS 5000  /* for a daemon that is there but stuck */
#define BACK_MS   2000  /* for the reload back of who is about to be ended by a signal */
#define LOCK_MS   30000 /* somebody else changes a rule */

/* --- which config ---------------------------------------------------------------------------- */

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The config of the daemon that answers; NULL when there is no telling. */
static char *config_at_work(const json_t *status)
{
    const char *path = value_text(json_object_get(status, "config"), "path");
    char *there, *found;

    if (path[0] == '/')
        return must(strdup(path));
    there = must_print("/proc/%" PRId64 "/cwd/%s", value_number(status, "pid"), path);
    found = realpath(there, NULL);
    free(there);
    return found;
}

static int with_daemon(struct change *c, const json_t *status)
{
    const char *wanted = c->ctl->args.config;
    char *at_work = config_at_work(status);

    if (!at_work && !wanted) {
        text_line(stderr, "penstock: penstockd's config can't be found from here: name it with "
                          "--config FILE");
        return STATUS_REFUSED;
    }
    if (wanted && !(at_work && is_same_file(wanted, at_work)))
        c->asleep = must_print("penstockd runs with %s: it was not reloaded",
                               at_work ? at_work : "another config");
    c->config = wanted ? must(strdup(wanted)) : at_work;
    if (wanted)
        free(at_work);
    return STATUS_OK;
}

static bool is_down(const struct reply *reply)
{
    return reply->status == STATUS_UNREACHED &&
           (reply->cause == ENOENT || reply->cause == ENOTDIR || reply->cause == ECONNREFUSED);
}

static int find_config(struct change *c)
{
    struct reply reply;
    int status;

    client_limit(c->ctl->client, ANSWER_MS);
    reply = client_call(c->ctl->client, "GET", "/v1/status");
    client_limit(c->ctl->client, 0);
    if (reply.status == STATUS_OK) {
        status = with_daemon(c, reply.body);
    } else if (is_down(&reply) && c->ctl->args.config) {
        c->config = must(strdup(c->ctl->args.config));
        c->asleep = must(strdup("penstockd is not running: it takes effect at its start"));
        status = STATUS_OK;
    } else {
        status = reply_tell(&reply);
        if (is_down(&reply))
            text_line(stderr, "penstock: to change a config that it does not run with, name it "
                              "with --config FILE");
    }
    reply_free(&reply);
    return status;
}

/* --- begin and end --------------------------------------------------------------------------- */

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
        text_line(stderr, "penstock: %s: %s", c->dir.path,
                  error == -EBUSY ? "another penstock is changing a rule there" : strerror(-error));
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
    conf_errors_free(&errors);
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

/* One that was removed may live on for its last sessions. */
static bool is_at_work(struct change *c)
{
    char *path = must_print("/v1/rules/%s", c->rule); /* a good name needs no encoding */
    struct reply reply = client_call(c->ctl->client, "GET", path);
    bool is = reply.status == STATUS_OK && strcmp(value_text(reply.body, "state"), "removed") != 0;

    reply_free(&reply);
    free(path);
    return is;
}

int change_reload(struct change *c, bool wanted)
{
    int status;

    if (c->asleep)
        return STATUS_OK;
    client_heed(c->ctl->client, signals_wait);
    c->reloaded = client_call(c->ctl->client, "POST", "/v1/reload");
    client_heed(c->ctl->client, NULL);
    if (c->reloaded.body)
        findings_print(json_object_get(c->reloaded.body, "errors"));
    status = c->reloaded.status;
    if (status != STATUS_OK && signals_wait())
        text_line(stderr, "penstock: interrupted");
    else
        reply_tell(&c->reloaded);
    if (status == STATUS_OK && is_at_work(c) != wanted) {
        text_line(stderr, "penstock: penstockd could not %s the rule \"%s\"",
                  wanted ? "open" : "close", c->rule);
        status = STATUS_REFUSED;
    }
    return status;
}

void change_reload_back(struct change *c)
{
    struct reply reply;

    if (signals_wait())
        client_limit(c->ctl->client, BACK_MS);
    reply = client_call(c->ctl->client, "POST", "/v1/reload");
    if (reply.status == STATUS_OK)
        text_line(stderr, "penstock: nothing was changed");
    else
        text_line(stderr,
                  "penstock: the files are as they were, but penstockd has not reloaded: %s",
                  reply.error);
    reply_free(&reply);
}

/* --- what was done --------------------------------------------------------------------------- */

static void report_json(struct change *c, const char *change)
{
    json_t *body = must(
        json_pack("{s:s,s:s,s:O?}", "file", c->path, "change", change, "reload", c->reloaded.body));

    screen_json(&c->ctl->screen, body);
    json_decref(body);
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
