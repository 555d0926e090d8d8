/* SPDX-License-Identifier: BSD-2-Clause */
/* What the API says of a config, and of what another one changes; also without memory. */
#include "config.h"

#include <check.h>
#include <jansson.h>
#include <string.h>

#include "conf/diff.h"
#include "conf/listen_text.h"
#include "conf_words.h"
#include "json_whole.h"
#include "memory.h"
#include "ops/json_config.h"
#include "ops/json_diff.h"
#include "suite.h"

char *__wrap_strdup(const char *text);

/* Memory that is counted. */
char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

/* --- configs --------------------------------------------------------------------------------- */

/* Of the text of its rules, and with these options of the daemon. */
static struct conf *conf_of(const char *daemon, const char *rules)
{
    struct conf_errors errors;
    struct conf *conf;
    char *text, *words;

    ck_assert_int_gt(asprintf(&text, "daemon = { %s };\nrules = { %s };\n", daemon, rules), 0);
    conf = conf_load_text("c", text, strlen(text), &errors);
    words = said(&errors);
    ck_assert_msg(conf != NULL, "%s", words);
    conf_errors_free(&errors);
    free(words);
    free(text);
    return conf;
}

struct both {
    struct conf *old, *new;
    struct conf_diff diff;
};

static size_t rules_of(const struct conf *conf, const struct conf_rule **out)
{
    for (size_t i = 0; i < conf->rule_count; i++)
        out[i] = &conf->rules[i];
    return conf->rule_count;
}

static void compare(struct both *b, struct conf *old, struct conf *new)
{
    const struct conf_rule *before[16], *after[16];
    size_t old_count = rules_of(old, before), new_count = rules_of(new, after);

    *b = (struct both){.old = old, .new = new};
    ck_assert_int_eq(conf_diff(&b->diff, before, old_count, after, new_count), 0);
}

static void free_both(struct both *b)
{
    conf_diff_free(&b->diff);
    conf_unref(b->old);
    conf_unref(b->new);
}

/* `made` is taken. */
static void is_said(json_t *made, const char *wanted)
{
    char *text;

    ck_assert_ptr_nonnull(made);
    text = json_dumps(made, JSON_COMPACT);
    json_decref(made);
    for (char *c = text; *c; c++) {
        if (*c == '"')
            *c = '\'';
    }
    ck_assert_str_eq(text, wanted);
    free(text);
}

static void changes(const char *old, const char *new, const char *wanted)
{
    struct both b;
    json_t *said;

    compare(&b, conf_of("", old), conf_of("", new));
    said = json_diff(&b.old->daemon, &b.new->daemon, &b.diff, NULL);
    ck_assert_int_eq(json_is_true(json_object_get(said, "changes")), wanted[0] != '\0');
    is_said(json_incref(json_object_get(said, "rules")), wanted[0] ? wanted : "[]");
    json_decref(said);
    free_both(&b);
}

/* --- ranges ---------------------------------------------------------------------------------- */

START_TEST(ports_in_a_row_are_a_range)
{
    static const struct {
        const char *rule, *ranges;
    } cases[] = {
        {"listen = \"127.0.0.1:1\"; upstream = \"h:1\";", "127.0.0.1:1"},
        {"listen = \"127.0.0.1:1-9\"; upstream = \"h:1\";", "127.0.0.1:1-9"},
        {"listen = \"*:65534-65535\"; upstream = \"h:1-2\";", "*:65534-65535"},
        {"listen = [ \"127.0.0.1:1-2\", \"127.0.0.1:3-4\" ]; upstream = \"h:1\";", "127.0.0.1:1-4"},
        {"listen = [ \"127.0.0.1:1-2\", \"127.0.0.1:3-4\" ]; upstream = \"h:1-2\";",
         "127.0.0.1:1-2 127.0.0.1:3-4"},
        {"listen = [ \"127.0.0.1:1\", \"127.0.0.1:3\", \"127.0.0.2:4\" ]; upstream = \"h:1\";",
         "127.0.0.1:1 127.0.0.1:3 127.0.0.2:4"},
        {"listen = [ \"udp:127.0.0.1:1\", \"udp:[::1]:2-3\" ]; upstream = \"h:1\";",
         "udp:127.0.0.1:1 udp:[::1]:2-3"},
        {"listen = ( \"127.0.0.1:1\", { address = \"127.0.0.1:2\"; backlog = 3; } ); "
         "upstream = \"h:1\";",
         "127.0.0.1:1 127.0.0.1:2"},
        {"listen = [ \"unix:@a\", \"unix:@b\" ]; upstream = \"h:1\";", "unix:@a unix:@b"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256], all[256] = "", one[LISTEN_TEXT_MAX];
        size_t range;

        snprintf(text, sizeof(text), "r = { %s };", cases[i].rule);
        struct conf *conf = conf_of("", text);
        const struct conf_rule *rule = &conf->rules[0];
        for (size_t l = 0; l < rule->listen_count; l += range) {
            size_t used = strlen(all);

            range = listen_range(rule, l);
            snprintf(all + used, sizeof(all) - used, "%s%s", l > 0 ? " " : "",
                     listen_range_text(&rule->listens[l], range, one, sizeof(one)));
        }
        ck_assert_str_eq(all, cases[i].ranges);
        conf_unref(conf);
    }
}
END_TEST

/* --- the config ------------------------------------------------------------------------------ */

START_TEST(a_rule_has_all_that_it_can_have)
{
    struct conf *conf =
        conf_of("", "r = { listen = ( \"udp:127.0.0.1:1-2\" ); upstream = ( { address = "
                    "\"udp:192.0.2.1:5\"; interface = [ \"a\", \"b\" ]; }, \"udp:192.0.2.2:5\" ); "
                    "udp_timeout = 90; };");

    is_said(json_conf_rule(&conf->rules[0]),
            "{'name':'r','file':'c','line':2,'listen':[{'address':'udp:127.0.0.1:1-2','options':"
            "{'max_connections':null,'backlog':0,'socket_mode':'0666','socket_owner':null,"
            "'socket_group':null,'interface':null,'source':null,'broadcast':false}}],"
            "'upstream':'udp:192.0.2.1:5%a,b and 1 more','targets':[{'address':'192.0.2.1:5',"
            "'options':{'interface':['a','b'],'broadcast':false,'ttl':1,'source_port':0}},"
            "{'address':'192.0.2.2:5','options':{'interface':null,'broadcast':false,'ttl':1,"
            "'source_port':0}}],'options':{'max_connections':256,'on_limit':'drop',"
            "'connect_timeout':'10s','idle_timeout':'off','half_close_timeout':'10min',"
            "'udp_timeout':'90s','udp_replies':0,'keepalive':true,'keepalive_idle':'1min',"
            "'keepalive_interval':'10s','keepalive_count':6,'on_change':'keep',"
            "'persist':'restart','relay':'auto','backlog':0,'socket_mode':'0666',"
            "'socket_owner':null,'socket_group':null,'interface':null,'source':null,"
            "'broadcast':false,'ttl':1,'source_port':0}}");
    conf_unref(conf);
}
END_TEST

/* The kernel allows any bytes in the name of an interface; JSON is UTF-8. */
START_TEST(names_are_any_bytes)
{
    struct conf *conf = conf_of("", "r = { listen = \"udp:239.1.2.3:5\"; interface = "
                                    "[ \"lo\", \"x\xff\" ]; upstream = \"h:1\"; };");
    json_t *o = json_conf_rule(&conf->rules[0]), *listen;

    ck_assert_ptr_nonnull(o);
    listen = json_array_get(json_object_get(o, "listen"), 0);
    is_said(json_incref(json_object_get(json_object_get(listen, "options"), "interface")),
            "['lo','x?']");
    json_decref(o);
    conf_unref(conf);
}
END_TEST

/* --- changes --------------------------------------------------------------------------------- */

#define A       "a = { listen = \"127.0.0.1:1-4\"; upstream = \"h:1\"; };"
#define B       "b = { listen = \"127.0.0.1:9\"; upstream = \"h:1\"; };"
#define NOTHING "'listen':{'opened':[],'closed':[],'moved_in':[],'moved_out':[]}"

START_TEST(what_stays_is_not_said)
{
    changes(A B, A B, "");
    changes(A B, B A, "");
    changes(A, "a = { listen = [ \"127.0.0.1:1-3\", \"127.0.0.1:4\" ]; upstream = \"H:1\"; };", "");
}
END_TEST

START_TEST(rules_come_and_go)
{
    changes(A, B,
            "[{'name':'b','change':'added','options':[],'listen':{'opened':['127.0.0.1:9'],"
            "'closed':[],'moved_in':[],'moved_out':[]},'upstream':{'old':null,'new':'h:1'}},"
            "{'name':'a','change':'removed','options':[],'listen':{'opened':[],"
            "'closed':['127.0.0.1:1-4'],'moved_in':[],'moved_out':[]},"
            "'upstream':{'old':'h:1','new':null}}]");
}
END_TEST

START_TEST(addresses_go_from_one_to_another)
{
    changes(A B,
            "a = { listen = [ \"127.0.0.1:1\", \"127.0.0.1:4-6\" ]; upstream = \"h:1\"; }; "
            "b = { listen = [ \"127.0.0.1:2-3\", \"127.0.0.1:9\" ]; upstream = \"h:1\"; };",
            "[{'name':'a','change':'changed','options':[],'listen':{'opened':['127.0.0.1:5-6'],"
            "'closed':[],'moved_in':[],'moved_out':['127.0.0.1:2-3']},'upstream':null},"
            "{'name':'b','change':'changed','options':[],'listen':{'opened':[],'closed':[],"
            "'moved_in':['127.0.0.1:2-3'],'moved_out':[]},'upstream':null}]");
}
END_TEST

START_TEST(options_of_rules_and_addresses_change)
{
    changes(A,
            "a = { listen = ( { address = \"127.0.0.1:1-2\"; backlog = 5; max_connections = 2; }, "
            "\"127.0.0.1:3-4\" ); upstream = \"h:1\"; keepalive = false; };",
            "[{'name':'a','change':'changed','options':["
            "{'name':'keepalive','address':null,'old':true,'new':false},"
            "{'name':'max_connections','address':'127.0.0.1:1-2','old':null,'new':2},"
            "{'name':'backlog','address':'127.0.0.1:1-2','old':0,'new':5}]," NOTHING
            ",'upstream':null}]");
}
END_TEST

START_TEST(upstreams_change)
{
    changes(B, "b = { listen = \"127.0.0.1:9\"; upstream = \"h:2\"; };",
            "[{'name':'b','change':'changed','options':[]," NOTHING
            ",'upstream':{'old':'h:1','new':'h:2'}}]");
    changes("c = { listen = \"udp:127.0.0.1:1\"; upstream = ( { address = \"udp:239.1.1.1:5\"; "
            "} ); };",
            "c = { listen = \"udp:127.0.0.1:1\"; upstream = ( { address = \"udp:239.1.1.1:5\"; "
            "ttl = 7; } ); };",
            "[{'name':'c','change':'changed','options':[{'name':'ttl','address':'239.1.1.1:5',"
            "'old':1,'new':7}]," NOTHING
            ",'upstream':{'old':'udp:239.1.1.1:5','new':'udp:239.1.1.1:5'}}]");
}
END_TEST

START_TEST(one_of_several_upstreams_changes)
{
    changes("c = { listen = \"udp:127.0.0.1:1\"; upstream = [ \"udp:192.0.2.1:5\", "
            "\"udp:192.0.2.2:5\" ]; };",
            "c = { listen = \"udp:127.0.0.1:1\"; upstream = [ \"udp:192.0.2.1:5\", "
            "\"udp:192.0.2.3:5\" ]; };",
            "[{'name':'c','change':'changed','options':[]," NOTHING
            ",'upstream':{'old':'192.0.2.1:5, 192.0.2.2:5','new':'192.0.2.1:5, 192.0.2.3:5'}}]");
}
END_TEST

START_TEST(some_of_the_daemon_s_options_need_a_restart)
{
    struct both b;

    compare(&b, conf_of("", B),
            conf_of("engine = \"select\"; user = \"u\"; http = \"[::1]:1\";", B));
    is_said(json_diff(&b.old->daemon, &b.new->daemon, &b.diff, NULL),
            "{'changes':true,'rules':[],'daemon':["
            "{'name':'engine','needs_restart':true,'old':'auto','new':'select'},"
            "{'name':'user','needs_restart':true,'old':null,'new':'u'},"
            "{'name':'http','needs_restart':false,'old':null,'new':'[::1]:1'}],'errors':[]}");
    free_both(&b);
}
END_TEST

static json_t *make_diff(const struct both *b)
{
    return json_diff(&b->old->daemon, &b->new->daemon, &b->diff, NULL);
}

static json_t *make_rule(const struct both *b)
{
    return json_conf_rule(&b->new->rules[0]);
}

/* Whichever piece is refused, and all behind it or (`once`) none: all is said or nothing, and
 * nothing is lost. */
static void try_without(const struct both *b, json_t *(*make)(const struct both *b), bool once)
{
    json_t *whole = make(b), *made;
    bool refused = true, is_right;

    ck_assert_ptr_nonnull(whole);
    for (long until = 0; refused; until++) {
        memory_runs_out(until, once);
        made = make(b);
        is_right =
            made ? json_equal(made, whole) && (once || memory.refused == 0) : memory.refused > 0;
        json_decref(made);
        refused = memory_is_back();
        ck_assert(is_right);
        ck_assert_int_eq(memory.live, 0);
    }
    json_decref(whole);
}

START_TEST(without_memory_nothing_is_said)
{
    struct both b;

    compare(&b, conf_of("", A B),
            conf_of("engine = \"select\";",
                    "c = { listen = [ \"127.0.0.1:1-2\", \"127.0.0.1:7\" ]; upstream = \"h:1\"; };"
                    "b = { listen = \"127.0.0.1:9\"; upstream = \"h:2\"; backlog = 3; };"));
    for (int once = 0; once <= 1; once++) {
        try_without(&b, make_diff, once);
        try_without(&b, make_rule, once);
    }
    free_both(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops config");
    TCase *tcase = tcase_create("config");

    json_set_alloc_funcs(malloc, free);
    tcase_add_test(tcase, ports_in_a_row_are_a_range);
    tcase_add_test(tcase, a_rule_has_all_that_it_can_have);
    tcase_add_test(tcase, names_are_any_bytes);
    tcase_add_test(tcase, what_stays_is_not_said);
    tcase_add_test(tcase, rules_come_and_go);
    tcase_add_test(tcase, addresses_go_from_one_to_another);
    tcase_add_test(tcase, options_of_rules_and_addresses_change);
    tcase_add_test(tcase, upstreams_change);
    tcase_add_test(tcase, one_of_several_upstreams_changes);
    tcase_add_test(tcase, some_of_the_daemon_s_options_need_a_restart);
    tcase_add_test(tcase, without_memory_nothing_is_said);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
