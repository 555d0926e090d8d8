/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/events.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/rule.h"
#include "flow/worker.h"
#include "ops/api.h"
#include "ops/json.h"
#include "ops/ops.h"

#define MEDIA_TYPE "application/jsonl"

struct reader {
    struct list link;
    struct stream stream;
    struct events *events;
    uint64_t at;     /* in the ring */
    char own[128];   /* what is said to this reader alone ... */
    size_t own_left; /* ... of which the last bytes are still to be said */
    size_t own_size;
    bool in_line; /* the end of a line is still to come */
    bool last;    /* nothing comes behind what is said to it alone */
};

/* --- writing --------------------------------------------------------------------------------- */

static void wake_readers(struct deferred *d)
{
    struct events *e = container_of(d, struct events, wake);

    e->waking = false;
    list_for_each (link, next, &e->readers)
        stream_wake(&container_of(link, struct reader, link)->stream);
}

/* One more line: `more` are its fields behind the first two; it is taken, also when it is NULL (no
 * memory). */
static void tell(struct events *e, const char *word, json_t *more)
{
    json_t *event = json_pack("{s:s, s:I}", "event", word, "at_ms", (json_int_t)clock_wall_ms());
    char *line = NULL;
    size_t size;

    if (event && more && json_object_update(event, more) == 0)
        line = json_dumps(event, JSON_COMPACT);
    if (line) {
        size = strlen(line);
        line[size] = '\n'; /* in place of its NUL */
        ring_put(&e->ring, line, size + 1);
    } else {
        ring_lose(&e->ring);
    }
    free(line);
    json_decref(event);
    json_decref(more);
    if (!e->waking)
        loop_defer(e->worker->loop, &e->wake, wake_readers);
    e->waking = true;
}

/* Set it, or forget the whole without memory. */
static json_t *with(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *text_or_null(const char *text)
{
    return text ? json_plain(text) : json_null();
}

/* A turn of the loop takes its time: both clocks are of when it began. */
static json_t *session_fields(const struct events *e, const struct session *s)
{
    int64_t now = loop_now(e->worker->loop);

    return json_session(s, now, clock_wall_ms() - (clock_monotonic_ms() - now));
}

static void on_opened(void *arg, const struct session *s)
{
    struct events *e = arg;

    tell(e, "opened", session_fields(e, s));
}

static void on_ended(void *arg, const struct session *s, enum end end, const char *error)
{
    struct events *e = arg;
    json_t *fields = session_fields(e, s);

    fields = with(fields, "end", json_string(end_word(end)));
    tell(e, "ended", with(fields, "error", text_or_null(error)));
}

static void on_refused(void *arg, const struct rule *rule, const struct addr *client, enum end end,
                       const char *error)
{
    char text[ADDR_TEXT_MAX];

    tell(arg, "refused",
         json_pack("{s:o, s:o, s:s, s:o}", "rule", json_plain(rule->conf->name), "client",
                   json_plain(addr_print(client, text, sizeof(text))), "end", end_word(end),
                   "error", text_or_null(error)));
}

void events_reloaded(struct events *e, const struct ops_reload *r)
{
    if (list_empty(&e->readers))
        return;
    tell(e, "reloaded",
         json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "outcome",
                   r->outcome == OPS_RELOAD_OK ? "ok" : "failed", "generation",
                   (json_int_t)r->generation, "added", (json_int_t)r->added, "removed",
                   (json_int_t)r->removed, "changed", (json_int_t)r->changed, "failed",
                   (json_int_t)r->failed, "error", text_or_null(r->error)));
}

void events_rule(struct events *e, const struct rule *rule, const char *word)
{
    if (!list_empty(&e->readers))
        tell(e, word, json_pack("{s:o}", "rule", json_plain(rule->conf->name)));
}

/* --- reading --------------------------------------------------------------------------------- */

/* Nothing is observed while nobody reads. */
static void rest(struct events *e)
{
    e->worker->observer = NULL;
    if (e->waking)
        list_remove(&e->wake.link);
    e->waking = false;
    ring_free(&e->ring);
}

static void say(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    r->own_size = r->own_left = (size_t)vsnprintf(r->own, sizeof(r->own), format, args);
    va_end(args);
}

static ssize_t take_own(struct reader *r, char *to, size_t size)
{
    if (size > r->own_left)
        size = r->own_left;
    memcpy(to, r->own + r->own_size - r->own_left, size);
    r->own_left -= size;
    return (ssize_t)size;
}

static ssize_t fill(struct stream *st, char *to, size_t size)
{
    struct reader *r = container_of(st, struct reader, stream);
    ssize_t taken;

    if (r->own_left > 0)
        return take_own(r, to, size);
    if (r->last)
        return STREAM_OVER;
    taken = ring_take(&r->events->ring, &r->at, to, size);
    if (taken > 0)
        r->in_line = to[taken - 1] != '\n';
    if (taken >= 0)
        return taken;
    say(r, "%s{\"event\":\"dropped\",\"at_ms\":%lld,\"error\":\"the reader was too slow\"}\n",
        r->in_line ? "\n" : "", (long long)clock_wall_ms());
    r->last = true;
    return take_own(r, to, size);
}

static void done(struct stream *st)
{
    struct reader *r = container_of(st, struct reader, stream);
    struct events *e = r->events;

    list_remove(&r->link);
    free(r);
    if (list_empty(&e->readers))
        rest(e);
}

struct answer *events_read(struct events *e)
{
    struct reader *r;
    struct answer *answer;

    if (list_empty(&e->readers) && ring_init(&e->ring, EVENTS_BYTES))
        return NULL;
    r = calloc(1, sizeof(*r));
    if (!r) {
        if (list_empty(&e->readers))
            rest(e);
        return NULL;
    }
    *r = (struct reader){.stream = {.fill = fill, .done = done, .is_endless = true},
                         .events = e,
                         .at = e->ring.head};
    list_append(&e->readers, &r->link);
    answer = answer_stream(MEDIA_TYPE, &r->stream);
    if (!answer)
        return NULL; /* and it is done with the reader */
    say(r, "{\"event\":\"hello\",\"at_ms\":%lld,\"version\":\"%s\",\"pid\":%ld}\n",
        (long long)clock_wall_ms(), PACKAGE_VERSION, (long)getpid());
    e->worker->observer = &e->observer;
    return answer;
}

void events_init(struct events *e, struct worker *worker)
{
    *e = (struct events){
        .worker = worker,
        .observer = {.opened = on_opened, .ended = on_ended, .refused = on_refused, .arg = e}};
    list_init(&e->readers);
}

void events_stop(struct events *e)
{
    list_for_each (link, next, &e->readers) {
        struct reader *r = container_of(link, struct reader, link);

        r->last = true;
        stream_wake(&r->stream);
    }
}
