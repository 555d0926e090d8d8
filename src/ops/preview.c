/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/preview.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/diff.h"
#include "flow/rule.h"
#include "loop/task.h"
#include "ops/api.h"
#include "ops/json_diff.h"
#include "ops/json_errors.h"
#include "ops/shared_text.h"
#include "ops/waiters.h"

/* Readings for who may change nothing: at most one a second, and a tenth of a CPU. */
#define REST_MS     1000
#define REST_FACTOR 10

/* The thread's until it is done. */
struct reading {
    struct preview *preview; /* the loop's */
    uint64_t generation;
    char *path;
    struct daemon_now before;       /* at work; referenced, as are the rules */
    const struct conf_rule **rules; /* at work; each may be of a snapshot of its own */
    size_t rule_count;

    unsigned status; /* of the answer ... */
    char *text;      /* ... and its body; NULL: no memory */
    size_t size;
    int64_t cpu_us; /* that it has taken */
};

static void release(void *arg)
{
    struct reading *rd = arg;

    for (size_t i = 0; i < rd->rule_count; i++)
        conf_unref(rd->rules[i]->conf);
    free(rd->rules);
    daemon_now_end(&rd->before);
    free(rd->path);
    free(rd->text);
    free(rd);
}

/* --- in the thread --------------------------------------------------------------------------- */

/* `body` is taken. */
static void write_down(struct reading *rd, unsigned status, json_t *body)
{
    size_t size = body ? json_dumpb(body, NULL, 0, JSON_COMPACT) : 0;

    rd->status = status;
    rd->text = size > 0 ? malloc(size + 1) : NULL;
    if (rd->text) {
        json_dumpb(body, rd->text, size, JSON_COMPACT);
        rd->text[size] = '\n';
        rd->size = size + 1;
    }
    json_decref(body);
}

static void compare(struct reading *rd, const struct conf *now, const struct conf_errors *warnings)
{
    const struct conf_rule **rules = calloc(now->rule_count, sizeof(struct conf_rule *));
    struct conf_diff diff;

    if (!rules)
        return;
    for (size_t i = 0; i < now->rule_count; i++)
        rules[i] = &now->rules[i];
    if (conf_diff(&diff, rd->rules, rd->rule_count, rules, now->rule_count) == 0) {
        write_down(rd, 200, json_diff(&rd->before.options, &now->daemon, &diff, warnings));
        conf_diff_free(&diff);
    }
    free(rules);
}

static void work(void *arg)
{
    struct reading *rd = arg;
    int64_t began = clock_thread_cpu_us();
    struct conf_errors errors;
    struct conf *now = conf_load(rd->path, &errors);
    char first[OPS_ERROR_MAX];

    if (now)
        compare(rd, now, &errors);
    else if (conf_errors_first(&errors, first, sizeof(first)))
        write_down(rd, 422, json_failure("conflict", first, &errors));
    conf_unref(now);
    conf_errors_free(&errors);
    rd->cpu_us = clock_thread_cpu_us() - began;
}

/* --- in the loop ----------------------------------------------------------------------------- */

static void start(struct preview *p);

static struct loop *loop_of(const struct preview *p)
{
    return p->host->worker->loop;
}

static void begin(struct preview *p)
{
    loop_timer_stop(loop_of(p), &p->timer);
    p->again = p->hurry = false;
    p->begun++;
    start(p);
}

static void on_timer(struct timer *t)
{
    struct preview *p = container_of(t, struct preview, timer);

    if (list_empty(&p->waiting))
        p->again = p->hurry = false; /* all have gone */
    else
        begin(p);
}

/* Now, or when it is time. Without memory for the timer nobody is kept waiting. */
static void go_on(struct preview *p)
{
    int64_t wait = p->hurry ? 0 : p->earliest - loop_now(loop_of(p));

    if (wait <= 0 || loop_timer(loop_of(p), &p->timer, wait, on_timer))
        begin(p);
}

/* What it has cost tells how soon the next one may begin. */
static void note_cost(struct preview *p, const struct reading *rd)
{
    int64_t rest = rd->cpu_us * REST_FACTOR / 1000;

    p->earliest = p->started + (rest > REST_MS ? rest : REST_MS);
}

/* One that says the same as before is the same: slow readers of many readings hold one text. */
static void keep(struct preview *p, struct reading *rd)
{
    struct shared_text *text = shared_text_new(rd->status, rd->text, rd->size);

    rd->text = NULL;
    if (text && p->last && shared_text_equal(p->last, text)) {
        shared_text_unref(text);
        return;
    }
    shared_text_unref(p->last);
    p->last = text;
}

static struct answer *answer(const void *arg)
{
    const struct preview *p = arg;

    return p->last ? answer_shared_text(p->last) : NULL;
}

static void over(struct preview *p)
{
    p->over = p->begun;
    waiters_answer(&p->waiting, p->over, answer, p);
    if (p->again)
        go_on(p);
}

static void done(void *arg)
{
    struct reading *rd = arg;
    struct preview *p = rd->preview;

    p->task = NULL;
    note_cost(p, rd);
    /* A reload has come between: it is compared with rules of before. */
    if (rd->generation != p->host->reloaded(p->host->arg)->generation) {
        start(p);
        return;
    }
    keep(p, rd);
    over(p);
}

static struct reading *prepare(struct preview *p)
{
    const struct ops_host *host = p->host;
    struct reading *rd = calloc(1, sizeof(*rd));
    struct rule *const *rules;
    size_t count;

    if (!rd)
        return NULL;
    rules = host->rules(host->arg, &count);
    rd->preview = p;
    rd->generation = host->reloaded(host->arg)->generation;
    rd->path = strdup(host->conf(host->arg)->path); /* as a reload */
    daemon_now_copy(&rd->before, host->daemon(host->arg));
    rd->rules = calloc(count + 1, sizeof(struct conf_rule *)); /* never of 0 bytes */
    if (!rd->path || !rd->rules) {
        release(rd);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        conf_ref(rules[i]->conf->conf);
        rd->rules[rd->rule_count++] = rules[i]->conf;
    }
    return rd;
}

/* Without memory for it that is what all who wait are told. */
static void start(struct preview *p)
{
    struct reading *rd = prepare(p);
    struct task *task;

    p->started = loop_now(loop_of(p));
    if (!rd) {
        shared_text_unref(p->last);
        p->last = NULL;
        over(p);
        return;
    }
    task = task_start(loop_of(p), work, done, release, rd);
    if (task) /* else it is done already */
        p->task = task;
}

/* --- asked ----------------------------------------------------------------------------------- */

static struct answer *refusal(const void *arg)
{
    (void)arg;
    return answer_error(409, "conflict", "penstockd is about to end, it reloads no more");
}

void preview_init(struct preview *p, const struct ops_host *host)
{
    *p = (struct preview){.host = host};
    list_init(&p->waiting);
}

struct answer *preview_ask(struct preview *p, struct request *rq)
{
    uint64_t number = p->begun + 1;

    if (p->ended)
        return refusal(NULL);
    p->again = true;
    p->hurry = p->hurry || request_may_steer(rq);
    if (!p->task)
        go_on(p);
    if (p->over >= number)
        return answer(p); /* there was no thread to wait for */
    return waiters_add(&p->waiting, rq, number);
}

void preview_end(struct preview *p)
{
    p->ended = true;
    p->again = p->hurry = false;
    loop_timer_stop(loop_of(p), &p->timer);
    task_abandon(p->task);
    p->task = NULL;
    waiters_answer(&p->waiting, UINT64_MAX, refusal, NULL);
    shared_text_unref(p->last);
    p->last = NULL;
}
