/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as readers get them; HTTP is played by the test. */
#include "config.h"

#include "world.h"

#include <jansson.h>

#include "base/clock.h"
#include "ops/api.h"
#include "ops/events.h"
#include "ops/json.h"
#include "ops/ops.h"
#include "suite.h"

/* --- HTTP ------------------------------------------------------------------------------------- */

/* What is behind an answer here. */
struct answer {
    struct stream *stream;
    unsigned woken;
};

static bool is_without_memory(bool change)
{
    static bool is;

    is ^= change;
    return is;
}

struct answer *answer_stream(const char *type, struct stream *st)
{
    struct answer *a = calloc(1, sizeof(*a));

    ck_assert_str_eq(type, "application/jsonl");
    ck_assert_ptr_nonnull(a);
    if (is_without_memory(false)) {
        free(a);
        st->done(st);
        return NULL;
    }
    a->stream = st;
    st->connection = a;
    return a;
}

void stream_wake(struct stream *st)
{
    ((struct answer *)st->connection)->woken++;
}

/* Less than the real one says. */
json_t *json_session(const struct session *s, int64_t now, int64_t wall)
{
    ck_assert_int_ge(now, s->started);
    ck_assert_int_ge(clock_wall_ms(), wall);
    return json_pack("{s:I, s:s}", "id", (json_int_t)s->id, "rule", s->rule->conf->name);
}

json_t *json_plain(const char *text)
{
    return json_string(text);
}

/* --- readers ---------------------------------------------------------------------------------- */

static struct answer *read_along(struct events *e)
{
    struct answer *a = events_read(e);

    ck_assert_ptr_nonnull(a);
    return a;
}

static void hang_up(struct answer *a)
{
    a->stream->done(a->stream);
    free(a);
}

static ssize_t take(struct answer *a, char *to, size_t size)
{
    return a->stream->fill(a->stream, to, size);
}

/* The next line as an object, read in pieces of that size. */
static json_t *next_line(struct answer *a, size_t piece)
{
    char line[4096];
    size_t used = 0;
    json_error_t error;
    json_t *event;

    do {
        ssize_t n = take(a, line + used, piece);

        ck_assert_int_gt(n, 0);
        used += (size_t)n;
        ck_assert_uint_le(used + piece, sizeof(line));
    } while (line[used - 1] != '\n');
    event = json_loadb(line, used, 0, &error);
    ck_assert_msg(event != NULL, "%.*s: %s", (int)used, line, error.text);
    ck_assert_int_gt(json_integer_value(json_object_get(event, "at_ms")), 0);
    return event;
}

static void check_field(const json_t *event, const char *key, const char *expected)
{
    const json_t *value = json_object_get(event, key);

    ck_assert_ptr_nonnull(value);
    if (expected)
        ck_assert_str_eq(json_string_value(value), expected);
    else
        ck_assert(json_is_null(value));
}

static void check_event(struct answer *a, const char *word)
{
    json_t *event = next_line(a, 1);

    check_field(event, "event", word);
    json_decref(event);
}

static void check_nothing(struct answer *a)
{
    char byte;

    ck_assert_int_eq(take(a, &byte, 1), 0);
}

static void check_end(struct answer *a)
{
    char byte;

    ck_assert_int_eq(take(a, &byte, 1), -1);
}

/* --- a world with events ---------------------------------------------------------------------- */

struct watched {
    struct world world;
    struct events events;
    struct rule *rule;
};

#define PORT 20600

static void begin(struct watched *w)
{
    struct ruleset_changes changes;
    struct conf *conf = conf_of("rules = { r = { listen = \"%s:%u\"; upstream = \"%s:%u\"; }; };",
                                own_host(), PORT, own_host(), PORT + 1);

    world_begin(&w->world);
    ck_assert_int_eq(world_apply(&w->world, conf, &changes), 0);
    conf_unref(conf);
    ck_assert_uint_eq(w->world.set.count, 1);
    w->rule = w->world.set.rules[0];
    events_init(&w->events, &w->world.worker);
}

static void end(struct watched *w)
{
    ck_assert_ptr_null(w->world.worker.observer);
    ck_assert_ptr_null(w->events.ring.bytes);
    world_end(&w->world);
}

static void refuse(struct watched *w)
{
    struct addr client = {.family = AF_INET, .port = 7};

    account_refused(w->rule, &client, END_LIMIT, NULL);
}

START_TEST(a_session_from_begin_to_end)
{
    struct watched w;
    struct answer *a;
    struct session *s;
    int upstream = upstream_at(PORT + 1, 5), client;
    json_t *event;

    begin(&w);
    a = read_along(&w.events);
    check_event(a, "hello");
    check_nothing(a);
    client = world_client(&w.world, PORT, STAGE_RELAY, &s);
    ck_assert_uint_gt(a->woken, 0);
    event = next_line(a, 100);
    check_field(event, "event", "opened");
    check_field(event, "rule", "r");
    ck_assert_int_eq(json_integer_value(json_object_get(event, "id")), s->id);
    json_decref(event);
    check_nothing(a);
    session_end_now(s, END_KILLED);
    event = next_line(a, 7);
    check_field(event, "event", "ended");
    check_field(event, "end", "killed");
    check_field(event, "error", NULL);
    json_decref(event);
    check_nothing(a);
    hang_up(a);
    close(client);
    close(upstream);
    end(&w);
}
END_TEST

START_TEST(refused_reloaded_and_paused)
{
    struct watched w;
    struct answer *a;
    json_t *event;

    begin(&w);
    refuse(&w); /* nobody reads */
    events_reloaded(&w.events, &(struct ops_reload){.outcome = OPS_RELOAD_OK});
    events_rule(&w.events, w.rule, "paused");
    a = read_along(&w.events);
    check_event(a, "hello");
    check_nothing(a);
    refuse(&w);
    event = next_line(a, 1000);
    check_field(event, "event", "refused");
    check_field(event, "rule", "r");
    check_field(event, "client", "0.0.0.0:7");
    check_field(event, "end", "limit");
    check_field(event, "error", NULL);
    json_decref(event);
    events_reloaded(&w.events, &(struct ops_reload){.outcome = OPS_RELOAD_FAILED,
                                                    .generation = 3,
                                                    .error = "no \"such\" file"});
    event = next_line(a, 1000);
    check_field(event, "event", "reloaded");
    check_field(event, "outcome", "failed");
    check_field(event, "error", "no \"such\" file");
    ck_assert_int_eq(json_integer_value(json_object_get(event, "generation")), 3);
    json_decref(event);
    events_rule(&w.events, w.rule, "paused");
    event = next_line(a, 1000);
    check_field(event, "event", "paused");
    check_field(event, "rule", "r");
    json_decref(event);
    check_nothing(a);
    hang_up(a);
    end(&w);
}
END_TEST

START_TEST(readers_are_woken_once_a_turn)
{
    struct watched w;
    struct answer *a, *b;

    begin(&w);
    a = read_along(&w.events);
    b = read_along(&w.events);
    for (unsigned i = 0; i < 100; i++)
        refuse(&w);
    ck_assert_uint_eq(a->woken, 0);
    world_turn(&w.world);
    ck_assert_uint_eq(a->woken, 1);
    ck_assert_uint_eq(b->woken, 1);
    world_turn(&w.world);
    ck_assert_uint_eq(a->woken, 1);
    refuse(&w);
    hang_up(a); /* before it is woken */
    world_turn(&w.world);
    ck_assert_uint_eq(b->woken, 2);
    refuse(&w);
    hang_up(b);
    world_turn(&w.world);
    end(&w);
}
END_TEST

/* One that does not read is dropped; whoever does gets every line, and so does one that comes
 * later from then on. */
static void drop_one(struct watched *w, struct answer *slow, const char *before)
{
    struct answer *quick = read_along(&w->events), *late;
    char text[512];
    ssize_t n;

    check_event(quick, "hello");
    for (uint64_t sent = 0; sent <= EVENTS_BYTES;) {
        refuse(w);
        n = take(quick, text, sizeof(text));
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(text[n - 1], '\n');
        sent += (uint64_t)n;
    }
    n = take(slow, text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_msg(strncmp(text, before, strlen(before)) == 0, "%s", text);
    ck_assert_int_eq(text[strlen(before)], '{');
    ck_assert_ptr_nonnull(strstr(text, "\"event\":\"dropped\""));
    ck_assert_int_eq(text[n - 1], '\n');
    check_end(slow);
    late = read_along(&w->events);
    check_event(late, "hello");
    refuse(w);
    check_event(late, "refused");
    check_event(quick, "refused");
    check_nothing(quick);
    check_nothing(late);
    hang_up(quick);
    hang_up(late);
}

START_TEST(a_slow_reader_is_dropped)
{
    struct watched w;
    struct answer *slow;

    begin(&w);
    slow = read_along(&w.events);
    check_event(slow, "hello");
    drop_one(&w, slow, "");
    hang_up(slow);
    end(&w);
}
END_TEST

/* In the middle of a line: what comes then is a line of its own. */
START_TEST(a_slow_reader_is_dropped_within_a_line)
{
    struct watched w;
    struct answer *slow;
    char text[5];

    begin(&w);
    slow = read_along(&w.events);
    check_event(slow, "hello");
    refuse(&w);
    ck_assert_int_eq(take(slow, text, sizeof(text)), sizeof(text));
    drop_one(&w, slow, "\n");
    hang_up(slow);
    end(&w);
}
END_TEST

START_TEST(all_end_at_the_stop)
{
    struct watched w;
    struct answer *a, *b;
    char text[512];

    begin(&w);
    a = read_along(&w.events);
    b = read_along(&w.events);
    check_event(a, "hello");
    events_stop(&w.events);
    ck_assert_uint_eq(a->woken, 1);
    ck_assert_uint_eq(b->woken, 1);
    check_end(a);
    ck_assert_int_gt(take(b, text, sizeof(text)), 0);
    check_end(b);
    hang_up(a);
    hang_up(b);
    end(&w);
}
END_TEST

START_TEST(no_memory_for_a_reader)
{
    struct watched w;
    struct answer *a;

    begin(&w);
    is_without_memory(true);
    ck_assert_ptr_null(events_read(&w.events));
    ck_assert_ptr_null(w.world.worker.observer);
    ck_assert_ptr_null(w.events.ring.bytes);
    is_without_memory(true);
    a = read_along(&w.events);
    is_without_memory(true);
    ck_assert_ptr_null(events_read(&w.events));
    is_without_memory(true);
    check_event(a, "hello");
    refuse(&w);
    check_event(a, "refused");
    hang_up(a);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tcase = tcase_create("events");

    tcase_add_test(tcase, a_session_from_begin_to_end);
    tcase_add_test(tcase, refused_reloaded_and_paused);
    tcase_add_test(tcase, readers_are_woken_once_a_turn);
    tcase_add_test(tcase, a_slow_reader_is_dropped);
    tcase_add_test(tcase, a_slow_reader_is_dropped_within_a_line);
    tcase_add_test(tcase, all_end_at_the_stop);
    tcase_add_test(tcase, no_memory_for_a_reader);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
