/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as the API tells them, in slices: what a slice costs does not grow with what there is. */
#include "config.h"

#include <check.h>
#include <jansson.h>

#include "flow/rule.h"
#include "ops/api.h"
#include "suite.h"
#include "world.h"

#define RULES 300

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

/* Many rules with an address each. */
static void apply_rules(unsigned count)
{
    size_t size = 0;
    char *text;
    FILE *f = open_memstream(&text, &size);

    fprintf(f, "rules = {");
    for (unsigned i = 0; i < count; i++)
        fprintf(f, " r%u = { listen = \"unix:@penstock-rules-%u-%u\"; upstream = \"[::1]:1\"; };",
                i, (unsigned)getpid(), i);
    fprintf(f, " };");
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

/* The rest, to the end. */
static void read_all(struct told *t)
{
    ssize_t n;

    while ((n = stream->fill(stream, t->text + t->size, 16384)) > 0)
        t->size += (size_t)n;
    ck_assert_int_eq(n, -1);
    stream->done(stream);
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

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = tcase_create("rules");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reading_on_looks_for_no_name);
    return suite_run(suite);
}
