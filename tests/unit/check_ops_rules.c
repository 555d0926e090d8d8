/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as the API tells them, in slices: what a slice costs does not grow with what there is. */
#include "config.h"

#include <check.h>
#include <jansson.h>

#include "flow/listener.h"
#include "flow/rule.h"
#include "flow/totals.h"
#include "json_whole.h"
#include "ops/api.h"
#include "ops/find.h"
#include "ops/json.h"
#include "suite.h"
#include "world.h"

#define RULES     300
#define LISTENERS 400

static struct world w;
static struct stream *stream; /* the last answer's */
static struct api api;
static unsigned looked_up; /* names, in tables */

struct answer *__wrap_answer_stream(const char *type, struct stream *st);
struct table;
void *__real_table_find(const struct table *t, const char *name);
void *__wrap_table_find(const struct table *t, const char *name);

/* In place of the HTTP server. */
struct answer *__wrap_answer_stream(const char *type, struct stream *st)
{
    (void)type;
    stream = st;
    return NULL;
}

void *__wrap_table_find(const struct table *t, const char *name)
{
    looked_up++;
    return __real_table_find(t, name);
}

static struct rule *const *rules_at_work(void *arg, size_t *count)
{
    (void)arg;
    *count = w.set.count;
    return w.set.rules;
}

/* `text` is the config, and is freed. */
static void apply(char *text, size_t size)
{
    struct ruleset_changes changes;
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, size, &errors);

    ck_assert_ptr_nonnull(conf);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
    conf_errors_free(&errors);
    free(text);
}

/* Many rules with an address each, which has this tag; the first ten of these have so many
 * bytes more. */
static void apply_tagged(unsigned count, const char *tag, unsigned more)
{
    size_t size = 0;
    char *text;
    FILE *f = open_memstream(&text, &size);

    fprintf(f, "rules = {");
    for (unsigned i = 0; i < count; i++)
        fprintf(f, " r%u = { listen = \"unix:@penstock-%s-%u-%0*u\"; upstream = \"[::1]:1\"; };", i,
                tag, (unsigned)getpid(), (int)(i < 10 ? 5 + more : 5), i);
    fprintf(f, " };");
    ck_assert_int_eq(fclose(f), 0);
    apply(text, size);
}

static void apply_rules(unsigned count)
{
    apply_tagged(count, "rules", 0);
}

/* One rule with many addresses: first, first + step, ... below LISTENERS. */
static void apply_listeners(unsigned first, unsigned step)
{
    size_t size = 0;
    char *text;
    FILE *f = open_memstream(&text, &size);

    fprintf(f, "rules = { a = { listen = [");
    for (unsigned i = first; i < LISTENERS; i += step)
        fprintf(f, "%s \"unix:@penstock-%070u-%u\"", i > first ? "," : "", i, (unsigned)getpid());
    fprintf(f,
            " ]; upstream = \"[::1]:1\"; max_connections = 9; };"
            " b = { listen = \"unix:@penstock-rules-b-%u\"; upstream = \"[::1]:1\"; }; };",
            (unsigned)getpid());
    ck_assert_int_eq(fclose(f), 0);
    apply(text, size);
}

static void begin(void)
{
    world_begin(&w);
    api.host = (struct ops_host){.worker = &w.worker, .rules = rules_at_work};
    stream = NULL;
}

static void end(void)
{
    world_end(&w);
}

static void ask_for_rules(void)
{
    struct api_call c = {.api = &api};

    ck_assert_ptr_null(api_rules(&c));
    ck_assert_ptr_nonnull(stream);
}

/* --- reading --------------------------------------------------------------------------------- */

struct told {
    char *text;
    size_t size;
};

static unsigned long pieces; /* of memory, that values of JSON were given */

static void *counted(size_t size)
{
    pieces++;
    return malloc(size);
}

/* The rest, to the end. How many pieces of memory a slice took at most. */
static unsigned long read_all(struct told *t)
{
    unsigned long most = 0;
    ssize_t n;

    do {
        pieces = 0;
        n = stream->fill(stream, t->text + t->size, 16384);
        t->size += n > 0 ? (size_t)n : 0;
        most = pieces > most ? pieces : most;
    } while (n > 0);
    ck_assert_int_eq(n, -1);
    stream->done(stream);
    return most;
}

static json_t *parsed(const struct told *t)
{
    json_error_t error;
    json_t *o = json_loadb(t->text, t->size, JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(o != NULL, "%s at %d", error.text, error.position);
    return o;
}

/* --- tests ----------------------------------------------------------------------------------- */

/* Nor does reading on look for the rules among all that there are. */
START_TEST(reading_on_looks_for_no_name)
{
    struct told t = {malloc(1 << 20), 0};
    json_t *o;

    apply_rules(RULES);
    ask_for_rules();
    looked_up = 0;
    read_all(&t);
    ck_assert_uint_eq(looked_up, 0);
    o = parsed(&t);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "rules")), RULES);
    json_decref(o);
    free(t.text);
}
END_TEST

static json_t *listeners_of(json_t *o, size_t rule)
{
    return json_object_get(json_array_get(json_object_get(o, "rules"), rule), "listeners");
}

START_TEST(a_slice_has_some_listeners_only)
{
    struct told t = {malloc(1 << 20), 0};
    unsigned long most;
    json_t *o, *whole, *rule;

    json_set_alloc_funcs(counted, free);
    apply_listeners(0, 1);
    ask_for_rules();
    most = read_all(&t);
    pieces = 0;
    whole = json_rule(w.set.rules[0], &(struct totals){0});
    ck_assert_uint_lt(most, pieces / 3);
    o = parsed(&t);
    rule = json_array_get(json_object_get(o, "rules"), 0);
    ck_assert(json_equal(rule, whole));
    ck_assert_uint_eq(json_array_size(listeners_of(o, 0)), LISTENERS);
    ck_assert_uint_eq(json_array_size(listeners_of(o, 1)), 1);
    json_decref(whole);
    json_decref(o);
    free(t.text);
}
END_TEST

static void ask_for_rule(const char *name)
{
    struct api_call c = {.api = &api, .name = name};

    ck_assert_ptr_null(api_rule(&c));
    ck_assert_ptr_nonnull(stream);
}

START_TEST(one_rule_is_told_by_itself_in_slices)
{
    struct told t = {malloc(1 << 20), 0};
    json_t *o, *whole;
    unsigned long most;

    json_set_alloc_funcs(counted, free);
    apply_listeners(0, 1);
    ask_for_rule("a");
    most = read_all(&t);
    pieces = 0;
    whole = json_rule(w.set.rules[0], &(struct totals){0});
    ck_assert_uint_lt(most, pieces / 3);
    o = parsed(&t);
    ck_assert(json_equal(o, whole));
    json_decref(whole);
    json_decref(o);
    free(t.text);
}
END_TEST

START_TEST(one_rule_that_goes_meanwhile_breaks_its_stream)
{
    char text[1024];

    apply_rules(2);
    ask_for_rule("r1");
    apply_rules(1);
    ck_assert_int_eq(stream->fill(stream, text, sizeof(text)), STREAM_BROKEN);
    stream->done(stream);
}
END_TEST

static bool ends_with(const struct told *t, const char *end)
{
    size_t size = strlen(end);

    return t->size >= size && memcmp(t->text + t->size - size, end, size) == 0;
}

/* A slice that ends between a rule's head and its listeners, which go then: the others are told. */
START_TEST(listeners_that_go_before_one_of_them_is_told)
{
    static const char begun[] = "\"listeners\":[";
    unsigned found = 0;

    for (unsigned more = 0; more < 60; more++) {
        struct told t = {malloc(1 << 20), 0};
        ssize_t n = 1;
        json_t *o;

        apply_tagged(RULES, "old", more);
        ask_for_rules();
        while (n > 0 && !ends_with(&t, begun)) {
            n = stream->fill(stream, t.text + t.size, 32768);
            t.size += n > 0 ? (size_t)n : 0;
        }
        if (n > 0) {
            found++;
            apply_tagged(RULES, "new", more);
            t.size += (size_t)stream->fill(stream, t.text + t.size, 32768);
            ck_assert_ptr_nonnull(memmem(t.text, t.size, "@penstock-new", 13));
            read_all(&t);
        } else {
            stream->done(stream);
        }
        o = parsed(&t);
        ck_assert_uint_eq(json_array_size(json_object_get(o, "rules")), RULES);
        json_decref(o);
        free(t.text);
    }
    ck_assert_uint_gt(found, 0);
}
END_TEST

/* One that comes often has the memory of one that has gone: it must not be taken for it. */
START_TEST(a_listener_that_comes_is_not_the_one_that_went)
{
    uint64_t last = 0;

    for (unsigned round = 0; round < 3; round++) {
        apply_listeners(round % 2, 2);
        list_for_each (link, next, &w.set.rules[0]->listeners) {
            const struct listener *l = container_of(link, struct listener, link);

            ck_assert_uint_gt(l->id, last);
            last = l->id;
        }
        ck_assert_ptr_null(find_listener_behind(w.set.rules[0], last));
    }
}
END_TEST

static json_int_t times_told(json_t *names, unsigned number)
{
    char text[128];

    snprintf(text, sizeof(text), "unix:@penstock-%070u-%u", number, (unsigned)getpid());
    return json_integer_value(json_object_get(names, text));
}

/* Addresses go, come and come back while they are told: those that stay are told, and once; nor is
 * what has gone looked at. */
START_TEST(listeners_that_change_while_they_are_told)
{
    for (unsigned slices = 1; slices < 5; slices++) {
        struct told t = {malloc(1 << 20), 0};
        json_t *o, *listener, *names = json_object();
        size_t i;

        apply_listeners(0, 1);
        ask_for_rules();
        for (unsigned n = 0; n < slices; n++)
            t.size += (size_t)stream->fill(stream, t.text + t.size, 16384);
        apply_listeners(1, 2);
        if (slices % 2 == 0)
            apply_listeners(0, 1);
        read_all(&t);
        o = parsed(&t);
        json_array_foreach(listeners_of(o, 0), i, listener)
        {
            const char *name = json_string_value(json_object_get(listener, "address"));
            json_int_t before = json_integer_value(json_object_get(names, name));

            json_object_set_new(names, name, json_integer(before + 1));
        }
        for (unsigned n = 0; n < LISTENERS; n++) {
            if (n % 2 == 1)
                ck_assert_int_eq(times_told(names, n), 1);
            else if (slices % 2 == 0)
                ck_assert_int_ge(times_told(names, n), 1);
        }
        ck_assert_int_eq(times_told(names, LISTENERS - 2), slices % 2 == 0);
        ck_assert_uint_eq(json_array_size(listeners_of(o, 1)), 1);
        json_decref(names);
        json_decref(o);
        free(t.text);
    }
}
END_TEST

/* Who reads of it keeps it, but nobody else finds it. */
START_TEST(a_rule_that_has_gone_is_found_no_more)
{
    apply_rules(2);
    ask_for_rule("r1");
    apply_rules(1);
    ck_assert_ptr_null(find_rule(&w.worker, "r1"));
    ck_assert_ptr_nonnull(find_rule(&w.worker, "r0"));
    stream->done(stream);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = tcase_create("rules");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reading_on_looks_for_no_name);
    tcase_add_test(tcase, a_slice_has_some_listeners_only);
    tcase_add_test(tcase, one_rule_is_told_by_itself_in_slices);
    tcase_add_test(tcase, one_rule_that_goes_meanwhile_breaks_its_stream);
    tcase_add_test(tcase, listeners_that_go_before_one_of_them_is_told);
    tcase_add_test(tcase, a_listener_that_comes_is_not_the_one_that_went);
    tcase_add_test(tcase, listeners_that_change_while_they_are_told);
    tcase_add_test(tcase, a_rule_that_has_gone_is_found_no_more);
    return suite_run(suite);
}
