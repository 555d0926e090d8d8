/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of rules while they change, sessions killed in slices; and both without memory. */
#include "config.h"

#include <check.h>
#include <jansson.h>

#include "flow/worker.h"
#include "memory.h"
#include "ops/api.h"
#include "ops/session_kill.h"
#include "suite.h"
#include "world.h"

#define RULES 200
#define CONF  "rules = {"
#define RULE  " r%u = { listen = \"unix:@penstock-%u-%u\"; upstream = \"192.0.2.1:80\"; };"

static struct world w;
static struct stream *stream;
static struct api api;

struct answer *__wrap_answer_stream(const char *type, struct stream *st);
struct answer *__wrap_answer_bytes(unsigned status, const char *type, char *body, size_t size);
struct answer *__wrap_request_wait(struct request *rq, void (*gone)(void *arg), void *arg);
void __wrap_request_answer(struct request *rq, struct answer *a);

char *__wrap_strdup(const char *text);

/* Memory that is counted. */
char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

/* --- in place of the HTTP server -------------------------------------------------------------- */

static char body_text[256]; /* the last body */
static bool answered;       /* by request_answer() */
static void (*on_gone)(void *arg);
static void *gone_arg;

/* Any but NULL. */
static struct answer *some_answer(void)
{
    return (struct answer *)(void *)body_text;
}

struct answer *__wrap_answer_stream(const char *type, struct stream *st)
{
    (void)type;
    stream = st;
    return NULL;
}

struct answer *__wrap_answer_bytes(unsigned status, const char *type, char *body, size_t size)
{
    (void)type;
    (void)status;
    if (body && size < sizeof(body_text)) {
        memcpy(body_text, body, size);
        body_text[size] = '\0';
    }
    free(body);
    return NULL;
}

struct answer *__wrap_request_wait(struct request *rq, void (*gone)(void *arg), void *arg)
{
    (void)rq;
    on_gone = gone;
    gone_arg = arg;
    return some_answer();
}

void __wrap_request_answer(struct request *rq, struct answer *a)
{
    (void)rq;
    (void)a;
    answered = true;
}

/* --- rules ----------------------------------------------------------------------------------- */

static struct conf *conf_at_work(void *arg)
{
    (void)arg;
    return w.set.conf;
}

static struct rule *const *rules_at_work(void *arg, size_t *count)
{
    (void)arg;
    *count = w.set.count;
    return w.set.rules;
}

/* The rules first, first + step, ... below RULES. */
static void apply(unsigned first, unsigned step)
{
    struct ruleset_changes changes;
    struct conf_errors errors;
    size_t size = 0, room = RULES * 200;
    char *text = malloc(room);
    struct conf *conf;

    ck_assert_ptr_nonnull(text);
    size += (size_t)snprintf(text, room, CONF);
    for (unsigned i = first; i < RULES; i += step)
        size += (size_t)snprintf(text + size, room - size, RULE, i, (unsigned)getpid(), i);
    size += (size_t)snprintf(text + size, room - size, " };");
    conf = conf_load_text("c", text, size, &errors);
    ck_assert_ptr_nonnull(conf);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    conf_errors_free(&errors);
    free(text);
}

static void begin(void)
{
    world_begin(&w);
    api.host = (struct ops_host){.worker = &w.worker, .conf = conf_at_work, .rules = rules_at_work};
    stream = NULL;
    answered = false;
    on_gone = NULL;
    body_text[0] = '\0';
}

static void end(void)
{
    world_end(&w);
}

static struct answer *ask_for_rules(void)
{
    struct api_call c = {.api = &api};

    return api_rules(&c);
}

/* A piece of the list; false: that was all. */
static bool read_on(char *text, size_t *size)
{
    ssize_t n = stream->fill(stream, text + *size, 1000);

    if (n > 0)
        *size += (size_t)n;
    return n > 0;
}

START_TEST(rules_that_change_while_they_are_told)
{
    char *text = malloc(1 << 20);
    size_t size = 0, i;
    json_t *o, *rule;
    long last = -1;

    apply(0, 1);
    ask_for_rules();
    ck_assert(read_on(text, &size));
    apply(1, 2); /* every other one goes */
    while (read_on(text, &size))
        continue;
    stream->done(stream);
    o = json_loadb(text, size, 0, NULL);
    ck_assert_msg(o != NULL, "%.*s", (int)size, text);
    json_array_foreach(json_object_get(o, "rules"), i, rule)
    {
        const char *name = json_string_value(json_object_get(rule, "name"));
        long number = strtol(name + 1, NULL, 10);

        ck_assert_int_gt(number, last);
        for (long n = last + 1; n < number; n++)
            ck_assert_int_eq(n % 2, 0);
        last = number;
    }
    ck_assert_int_eq(last, RULES - 1);
    ck_assert_uint_ge(json_array_size(json_object_get(o, "rules")), RULES / 2);
    ck_assert_uint_lt(json_array_size(json_object_get(o, "rules")), RULES);
    json_decref(o);
    free(text);
}
END_TEST

START_TEST(rules_without_memory)
{
    char *text = malloc(1 << 20);
    bool ran_out = true;
    unsigned cut = 0;

    json_set_alloc_funcs(malloc, free);
    apply(0, 1);
    for (long until = 0; ran_out; until += until < 300 ? 1 : 97) {
        size_t size = 0;

        stream = NULL;
        memory_runs_out(until, false);
        ask_for_rules();
        while (stream && read_on(text, &size))
            continue;
        if (stream)
            stream->done(stream);
        ran_out = memory_is_back();
        ck_assert_int_eq(memory.live, 0);
        ck_assert_int_eq(ran_out, size == 0 || text[size - 1] != '\n');
        cut += ran_out && size > 0;
    }
    ck_assert_uint_gt(cut, 0);
    free(text);
}
END_TEST

/* --- killed ---------------------------------------------------------------------------------- */

#define KILLED 100
#define PORT   24151

static int clients[KILLED], up;

static void begin_with_clients(void)
{
    struct ruleset_changes changes;
    struct conf *conf;
    struct session *s;

    begin();
    up = upstream_at(PORT + 1, KILLED);
    conf = conf_of("rules = { r = { listen = \"%s:%u\"; upstream = \"%s:%u\"; }; };", own_host(),
                   PORT, own_host(), PORT + 1);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    for (unsigned i = 0; i < KILLED; i++)
        clients[i] = world_client(&w, PORT, STAGE_RELAY, &s);
}

static void end_with_clients(void)
{
    for (unsigned i = 0; i < KILLED; i++)
        close(clients[i]);
    close(up);
    end();
}

static bool has_answered(void *arg)
{
    (void)arg;
    return answered;
}

static uint64_t killed(void)
{
    return atomic_load(&w.set.rules[0]->account.ended[END_KILLED]);
}

START_TEST(who_comes_later_lives)
{
    struct find what = {.limit = SIZE_MAX};
    struct session *s;
    int later;

    ck_assert_ptr_eq(kill_sessions(&w.worker, &what, NULL), some_answer());
    ck_assert_uint_eq(killed(), 0);
    later = world_client(&w, PORT, STAGE_RELAY, &s);
    if (!answered)
        world_await(&w, has_answered, NULL);
    ck_assert_str_eq(body_text, "{\"killed\":100}\n");
    ck_assert_uint_eq(killed(), KILLED);
    ck_assert_uint_eq(w.worker.live, 1);
    ck_assert(!s->ended);
    close(later);
}
END_TEST

START_TEST(few_are_killed_at_once)
{
    struct find what = {.limit = 20};

    kill_sessions(&w.worker, &what, NULL);
    ck_assert_str_eq(body_text, "{\"killed\":20}\n");
    ck_assert_uint_eq(killed(), 20);
    ck_assert_ptr_null(on_gone);
}
END_TEST

START_TEST(who_is_in_another_state_by_then_lives)
{
    struct find what = {.limit = SIZE_MAX, .filter = {.has_state = true, .state = STATE_OPEN}};
    struct session *last = container_of(w.worker.sessions.prev, struct session, link);

    ck_assert_ptr_eq(kill_sessions(&w.worker, &what, NULL), some_answer());
    ck_assert_int_eq(shutdown(clients[KILLED - 1], SHUT_WR), 0);
    if (!answered)
        world_await(&w, has_answered, NULL);
    ck_assert_str_eq(body_text, "{\"killed\":99}\n");
    ck_assert_uint_eq(w.worker.live, 1);
    ck_assert_int_eq(session_state(last), STATE_HALF_CLOSED);
}
END_TEST

static bool has_begun_killing(void *arg)
{
    (void)arg;
    return killed() > 0;
}

/* Whoever asked is gone: no more are ended, and nobody is answered. */
START_TEST(who_asked_goes)
{
    struct find what = {.limit = SIZE_MAX};
    uint64_t before;

    ck_assert_ptr_eq(kill_sessions(&w.worker, &what, NULL), some_answer());
    world_await(&w, has_begun_killing, NULL);
    if (answered) /* a slow machine: all in one go */
        return;
    before = killed();
    on_gone(gone_arg);
    world_turn(&w);
    world_turn(&w);
    ck_assert_uint_eq(killed(), before);
    ck_assert(!answered);
}
END_TEST

START_TEST(killing_without_memory)
{
    struct find what = {.limit = SIZE_MAX};
    unsigned tries = 0;
    struct answer *a = NULL;

    for (long until = 0; !a; until++, tries++) {
        memory_runs_out(until, false);
        a = kill_sessions(&w.worker, &what, NULL);
        memory_is_back();
        ck_assert(a != NULL || memory.live == 0);
    }
    ck_assert_uint_gt(tries, 1);
    ck_assert_uint_eq(killed(), 0);
    on_gone(gone_arg);
    ck_assert_uint_eq(w.worker.live, KILLED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *rules = tcase_create("rules"), *kills = tcase_create("kills");

    suite_add_tcase(suite, rules);
    tcase_add_checked_fixture(rules, begin, end);
    tcase_set_timeout(rules, 120);
    tcase_add_test(rules, rules_that_change_while_they_are_told);
    tcase_add_test(rules, rules_without_memory);
    suite_add_tcase(suite, kills);
    tcase_add_checked_fixture(kills, begin_with_clients, end_with_clients);
    tcase_set_timeout(kills, 120);
    tcase_add_test(kills, who_comes_later_lives);
    tcase_add_test(kills, few_are_killed_at_once);
    tcase_add_test(kills, who_is_in_another_state_by_then_lives);
    tcase_add_test(kills, who_asked_goes);
    tcase_add_test(kills, killing_without_memory);
    return suite_run(suite);
}
