/* SPDX-License-Identifier: BSD-2-Clause */
/* Long lists, sent in slices while sessions come and go. */
#include "config.h"

#include <check.h>
#include <jansson.h>

#include "memory.h"
#include "ops/find.h"
#include "ops/json_list.h"
#include "ops/session_list.h"
#include "suite.h"
#include "world.h"

#define PORT 24141

static struct world w;
static struct rule *rules[2];
static struct stream *stream; /* the last answer's */

struct answer *__wrap_answer_stream(const char *type, struct stream *st);

/* In place of the HTTP server. */
struct answer *__wrap_answer_stream(const char *type, struct stream *st)
{
    stream = strcmp(type, "application/json") == 0 ? st : NULL;
    return NULL;
}

char *__wrap_strdup(const char *text);

/* Memory that is counted. */
char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

static void begin(void)
{
    struct ruleset_changes changes;
    struct conf *conf = conf_of("rules = {"
                                " a = { listen = \"%s:%u\"; upstream = \"192.0.2.1:80\"; };"
                                " b = { listen = \"%s:%u\"; upstream = \"192.0.2.1:80\"; }; };",
                                own_host(), PORT, own_host(), PORT + 1);

    world_begin(&w);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    rules[0] = w.set.rules[0];
    rules[1] = w.set.rules[1];
    stream = NULL;
    srandom(3);
}

static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

/* --- sessions that only stand in the list ---------------------------------------------------- */

static struct session *come(void)
{
    struct session *s = calloc(1, sizeof(*s));
    unsigned which = below(2);

    ck_assert_ptr_nonnull(s);
    s->worker = &w.worker;
    s->rule = rules[which];
    s->conf = &rules[which]->conf->listens[0];
    s->stage = below(2) ? STAGE_RELAY : STAGE_DIAL;
    s->client = (struct addr){.family = AF_INET, .port = 1 + (in_port_t)below(60000)};
    s->started = (int64_t)below(1000) - 500; /* before the machine has begun, too */
    s->active = (int64_t)below(1000) - 500;
    s->flow[CLIENT].bytes = below(10);
    s->flow[UPSTREAM].bytes = below(10);
    s->id = w.worker.next_id++;
    list_append(&w.worker.sessions, &s->link);
    w.worker.live++;
    return s;
}

static void go(struct session *s)
{
    list_remove(&s->link);
    w.worker.live--;
    free(s);
}

static struct session *any_session(void)
{
    struct list *link = w.worker.sessions.next;

    if (w.worker.live == 0)
        return NULL;
    for (unsigned i = below((unsigned)w.worker.live); i > 0; i--)
        link = link->next;
    return container_of(link, struct session, link);
}

static void some_come_and_go(unsigned most)
{
    for (unsigned i = below(most + 1); i > 0; i--) {
        struct session *s = any_session();

        if (below(2))
            come();
        else if (s)
            go(s);
    }
}

static void end(void)
{
    list_for_each (link, next, &w.worker.sessions)
        go(container_of(link, struct session, link));
    world_end(&w);
}

/* --- reading --------------------------------------------------------------------------------- */

struct page {
    char *text;
    size_t size;
};

/* The stream to its end, in pieces of at most `most` bytes; `between` each so many sessions come
 * and go. */
static struct page read_page(size_t most, unsigned between)
{
    struct page p = {malloc(1 << 22), 0};

    ck_assert_ptr_nonnull(p.text);
    for (;;) {
        size_t size = 1 + (most > 1 ? below((unsigned)most) : 0);
        ssize_t n = stream->fill(stream, p.text + p.size, size);

        if (n < 0)
            break;
        ck_assert_int_gt(n, 0);
        ck_assert_uint_le((size_t)n, size);
        p.size += (size_t)n;
        if (between > 0)
            some_come_and_go(between);
    }
    ck_assert_int_eq(stream->fill(stream, p.text, 1), -1);
    stream->done(stream);
    return p;
}

static json_t *parsed(struct page p)
{
    json_error_t error;
    json_t *o = json_loadb(p.text, p.size, JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(o != NULL, "%s at %d: %.80s", error.text, error.position, p.text);
    free(p.text);
    return o;
}

static json_t *ask(const struct find *what, size_t most, unsigned between)
{
    ck_assert_ptr_null(answer_sessions(&w.worker, what));
    return parsed(read_page(most, between));
}

static uint64_t id_of(const json_t *o)
{
    return (uint64_t)json_integer_value(json_object_get(o, "id"));
}

/* --- tests ----------------------------------------------------------------------------------- */

START_TEST(no_session_at_all)
{
    struct find what = {.limit = 100};
    struct page p;

    ck_assert_ptr_null(answer_sessions(&w.worker, &what));
    p = read_page(1, 0);
    ck_assert_uint_eq(p.size, strlen("{\"sessions\":[],\"next\":null}\n"));
    ck_assert_mem_eq(p.text, "{\"sessions\":[],\"next\":null}\n", p.size);
    free(p.text);
}
END_TEST

/* Whoever lived from the first page to the last is told of exactly once. */
START_TEST(pages_neither_lose_nor_double)
{
    for (unsigned round = 0; round < 60; round++) {
        struct find what = {.limit = 1 + below(200), .filter.rule = below(2) ? "a" : NULL};
        size_t most = 1 + below(3) * 3000;
        uint64_t first_new, last = 0, *told;
        json_t *o;

        for (unsigned i = below(500); i > 0; i--)
            come();
        first_new = w.worker.next_id;
        told = calloc(first_new, sizeof(*told));
        do {
            json_t *list, *next, *session;
            size_t i;

            o = ask(&what, most, most == 1 ? 1 : 30);
            list = json_object_get(o, "sessions");
            next = json_object_get(o, "next");
            ck_assert_uint_le(json_array_size(list), what.limit);
            json_array_foreach(list, i, session)
            {
                ck_assert_uint_gt(id_of(session), last);
                last = id_of(session);
                if (what.filter.rule)
                    ck_assert_str_eq(json_string_value(json_object_get(session, "rule")), "a");
                if (last < first_new)
                    told[last]++;
            }
            what.after = (uint64_t)json_integer_value(next);
            ck_assert(json_is_null(next) || what.after >= last);
            last = json_is_null(next) ? last : what.after;
            json_decref(o);
        } while (what.after != 0 && what.after + 1 < first_new);
        list_for_each (link, next, &w.worker.sessions) {
            const struct session *s = container_of(link, struct session, link);

            if (s->id < first_new && (!what.filter.rule || s->rule == rules[0]))
                ck_assert_uint_eq(told[s->id], 1);
        }
        free(told);
        list_for_each (link, next, &w.worker.sessions)
            go(container_of(link, struct session, link));
    }
}
END_TEST

/* A slice of which all have ended is no end. */
START_TEST(all_end_in_the_middle)
{
    struct find what = {.limit = 1000};
    struct page p;
    char *rest;
    json_t *o;

    for (unsigned i = 0; i < 500; i++)
        come();
    ck_assert_ptr_null(answer_sessions(&w.worker, &what));
    p.text = malloc(1 << 20);
    p.size = (size_t)stream->fill(stream, p.text, 1 << 16);
    ck_assert_uint_gt(p.size, 100);
    list_for_each (link, next, &w.worker.sessions)
        go(container_of(link, struct session, link));
    {
        struct page more = read_page(100, 0);

        rest = more.text;
        memcpy(p.text + p.size, rest, more.size);
        p.size += more.size;
        free(rest);
    }
    o = parsed(p);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "sessions")), JSON_LIST_SLICE);
    json_decref(o);
}
END_TEST

/* --- sorted ---------------------------------------------------------------------------------- */

static enum find_order order;

static int compare(const void *a, const void *b)
{
    const struct session *s = *(struct session *const *)a, *t = *(struct session *const *)b;
    int64_t left = 0, right = 0; /* the smaller comes first */

    if (order == FIND_BY_AGE) {
        left = s->started;
        right = t->started;
    } else if (order == FIND_BY_IDLE) {
        left = s->active;
        right = t->active;
    } else if (order == FIND_BY_BYTES) {
        left = -(int64_t)(s->flow[CLIENT].bytes + s->flow[UPSTREAM].bytes);
        right = -(int64_t)(t->flow[CLIENT].bytes + t->flow[UPSTREAM].bytes);
    }
    if (left != right)
        return left < right ? -1 : 1;
    return s->id < t->id ? -1 : 1;
}

START_TEST(the_first_of_an_order)
{
    for (unsigned round = 0; round < 200; round++) {
        struct find what = {.limit = 1 + below(120), .filter.rule = below(2) ? "b" : NULL};
        struct session *sorted[300];
        size_t count = 0, i = 0;
        json_t *o, *list, *session;

        for (unsigned n = below(300); n > 0; n--)
            come();
        order = what.order = (enum find_order)below(4);
        list_for_each (link, next, &w.worker.sessions) {
            struct session *s = container_of(link, struct session, link);

            if (!what.filter.rule || s->rule == rules[1])
                sorted[count++] = s;
        }
        qsort(sorted, count, sizeof(sorted[0]), compare);
        o = ask(&what, 16384, 0);
        list = json_object_get(o, "sessions");
        ck_assert_uint_eq(json_array_size(list), count < what.limit ? count : what.limit);
        json_array_foreach(list, i, session) ck_assert_uint_eq(id_of(session), sorted[i]->id);
        ck_assert_int_eq(json_is_null(json_object_get(o, "next")),
                         order != FIND_BY_ID || count <= what.limit);
        json_decref(o);
        list_for_each (link, next, &w.worker.sessions)
            go(container_of(link, struct session, link));
    }
}
END_TEST

/* A state is that of the moment when it is told. */
START_TEST(who_has_changed_its_state_is_left_out)
{
    struct find what = {.limit = 1000, .filter = {.has_state = true, .state = STATE_DIALLING}};
    struct session *s[3] = {come(), come(), come()};
    json_t *o;

    for (unsigned i = 0; i < 3; i++)
        s[i]->stage = STAGE_DIAL;
    ck_assert_ptr_null(answer_sessions(&w.worker, &what));
    s[1]->stage = STAGE_RELAY;
    o = parsed(read_page(16384, 0));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "sessions")), 2);
    json_decref(o);
}
END_TEST

/* --- memory ---------------------------------------------------------------------------------- */

/* What can't be told is cut, and does not look whole; nothing leaks. */
START_TEST(memory_that_runs_out_shows)
{
    struct find what = {.limit = 1000};
    bool ran_out = true;
    unsigned cut = 0;

    what.order = _i ? FIND_BY_BYTES : FIND_BY_ID;
    json_set_alloc_funcs(malloc, free);
    for (unsigned i = 0; i < 70; i++)
        come();
    for (long until = 0; ran_out; until += until < 200 ? 1 : 97) {
        struct page p = {0};
        char *text = malloc(1 << 16);
        ssize_t n = 0;

        stream = NULL;
        memory_runs_out(until, false);
        answer_sessions(&w.worker, &what);
        while (stream && (n = stream->fill(stream, text + p.size, 4096)) >= 0)
            p.size += (size_t)n;
        if (stream)
            stream->done(stream);
        ran_out = memory_is_back();
        ck_assert_int_eq(memory.live, 0);
        if (ran_out) {
            ck_assert(p.size == 0 || text[p.size - 1] != '\n');
            cut += p.size > 0;
        } else {
            p.text = text;
            json_decref(parsed(p));
            continue;
        }
        free(text);
    }
    ck_assert_uint_gt(cut, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *tcase = tcase_create("lists");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, no_session_at_all);
    tcase_add_test(tcase, pages_neither_lose_nor_double);
    tcase_add_test(tcase, all_end_in_the_middle);
    tcase_add_test(tcase, the_first_of_an_order);
    tcase_add_test(tcase, who_has_changed_its_state_is_left_out);
    tcase_add_loop_test(tcase, memory_that_runs_out_shows, 0, 2);
    return suite_run(suite);
}
