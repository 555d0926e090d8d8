/* SPDX-License-Identifier: BSD-2-Clause */
/* The config language: what is accepted, and what it means. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf_texts.h"
#include "suite.h"

static const char every_form[] =
    "daemon   = { engine = \"select\"; log_level = \"debug\"; };\n"
    "defaults = { connect_timeout = \"5s\"; };          # any rule option\n"
    "rules =\n"
    "{\n"
    "  ssh   = { listen = \"0.0.0.0:2222\"; upstream = \"10.0.0.5:22\"; max_connections = 2; };\n"
    "  web   = { listen = [ \"[::]:80\", \"unix:/run/web.sock\" ]; upstream = "
    "\"backend.example:8080\";\n"
    "            socket_mode = \"0660\"; };\n"
    "  admin = { listen = ( { address = \"127.0.0.1:9000\"; max_connections = 4; backlog = 7; },\n"
    "                       \"[::1]:9000\" ); upstream = \"unix:/run/app.sock\"; }\n"
    "  act   = { listen = \"systemd:web\"; upstream = \"127.0.0.1:8080\"; },\n"
    "  many  = { listen = \"127.0.0.1:7000-7009\"; upstream = \"10.0.0.9:8000-8009\"; };\n"
    "  one   = { listen = \"127.0.0.1:7100-7101\"; upstream = \"tcp:10.0.0.9:8000\"; };\n"
    "};\n"
    "// the end, without a newline";

START_TEST(every_form_is_understood)
{
    struct conf *conf = load(every_form);
    const struct conf_rule *r = conf->rules;

    ck_assert_int_eq(conf->daemon.engine, ENGINE_SELECT);
    ck_assert_int_eq(conf->daemon.log_level, LEVEL_DEBUG);
    ck_assert_int_eq(conf->daemon.drain_timeout, 5000);
    ck_assert_uint_eq(conf->rule_count, 6);

    ck_assert_str_eq(r[0].name, "ssh");
    ck_assert_ptr_eq(r[0].conf, conf);
    ck_assert_uint_eq(r[0].at.line, 5);
    ck_assert_uint_eq(r[0].options.max_connections, 2);
    ck_assert_int_eq(r[0].options.connect_timeout, 5000);
    ck_assert_str_eq(r[0].listens[0].text, "0.0.0.0:2222");
    ck_assert_uint_eq(r[0].listens[0].max_connections, UINT32_MAX);
    ck_assert_uint_eq(r[0].listens[0].upstream_port, 22);
    ck_assert_int_eq(r[0].upstream_kind, ADDR_LITERAL);

    ck_assert_uint_eq(r[1].listen_count, 2);
    ck_assert_int_eq(r[1].listens[1].kind, ADDR_PATH);
    ck_assert_str_eq(r[1].listens[1].address.un.path, "/run/web.sock");
    ck_assert_uint_eq(r[1].listens[1].socket_mode, 0660);
    ck_assert_int_eq(r[1].upstream_kind, ADDR_NAME);
    ck_assert_str_eq(r[1].upstream_name, "backend.example");
    ck_assert_str_eq(r[1].upstream_text, "backend.example:8080");

    ck_assert_uint_eq(r[2].listens[0].max_connections, 4);
    ck_assert_uint_eq(r[2].listens[0].backlog, 7);
    ck_assert_uint_eq(r[2].listens[1].backlog, 0);
    ck_assert_uint_eq(r[2].listens[0].upstream_port, 0);
    ck_assert_int_eq(r[2].upstream_kind, ADDR_PATH);
    ck_assert_str_eq(r[2].upstream.un.path, "/run/app.sock");

    ck_assert_int_eq(r[3].listens[0].kind, ADDR_SYSTEMD);
    ck_assert_str_eq(r[3].listens[0].systemd, "web");
    conf_unref(conf);
}
END_TEST

START_TEST(ranges_become_one_listen_a_port)
{
    struct conf *conf = load(every_form);
    const struct conf_rule *many = &conf->rules[4], *one = &conf->rules[5];

    ck_assert_uint_eq(many->listen_count, 10);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_uint_eq(many->listens[i].address.port, 7000 + i);
        ck_assert_uint_eq(many->listens[i].upstream_port, 8000 + i);
    }
    ck_assert_str_eq(many->listens[9].text, "127.0.0.1:7009");
    ck_assert_uint_eq(one->listen_count, 2);
    ck_assert_uint_eq(one->listens[0].upstream_port, 8000);
    ck_assert_uint_eq(one->listens[1].upstream_port, 8000);
    conf_unref(conf);
}
END_TEST

START_TEST(the_dump_is_read_back_the_same)
{
    struct conf *conf = load(every_form), *again;
    char *one = dumped(conf), *two;

    again = load(one);
    two = dumped(again);
    ck_assert_str_eq(one, two);
    ck_assert_uint_eq(again->rule_count, conf->rule_count);
    ck_assert_uint_eq(again->rules[4].listens[9].upstream_port, 8009);
    ck_assert_uint_eq(again->rules[1].listens[1].socket_mode, 0660);
    ck_assert_uint_eq(again->rules[2].listens[0].max_connections, 4);
    ck_assert_uint_eq(again->rules[2].listens[1].max_connections, UINT32_MAX);
    conf_unref(conf);
    conf_unref(again);
    free(one);
    free(two);
}
END_TEST

START_TEST(the_dump_has_everything_filled_in)
{
    struct conf *conf = load("daemon = { user = \"nobody\"; };\n"
                             "defaults = { max_connections = 9; socket_mode = \"0600\"; };\n"
                             "rules = { a = { listen = \"*:80\"; upstream = \"h:1\"; }; };");
    char *dump = dumped(conf);

    ck_assert_str_eq(dump, "daemon = {\n"
                           "    engine = \"auto\";\n"
                           "    log_level = \"info\";\n"
                           "    log_format = \"logfmt\";\n"
                           "    log_target = \"auto\";\n"
                           "    drain_timeout = \"5s\";\n"
                           "    watch_config = false;\n"
                           "    exit_idle_time = \"off\";\n"
                           "    user = \"nobody\";\n"
                           "    control = \"/run/penstock/control.sock\";\n"
                           "    control_mode = \"0660\";\n"
                           "};\n"
                           "rules = {\n"
                           "    a = {\n"
                           "        listen = (\n"
                           "            {\n"
                           "                address = \"*:80\";\n"
                           "                backlog = 0;\n"
                           "            }\n"
                           "        );\n"
                           "        upstream = \"h:1\";\n"
                           "        max_connections = 9;\n"
                           "        on_limit = \"drop\";\n"
                           "        connect_timeout = \"10s\";\n"
                           "        idle_timeout = \"off\";\n"
                           "        half_close_timeout = \"10min\";\n"
                           "        keepalive = true;\n"
                           "        keepalive_idle = \"1min\";\n"
                           "        keepalive_interval = \"10s\";\n"
                           "        keepalive_count = 6;\n"
                           "        on_change = \"keep\";\n"
                           "        persist = \"restart\";\n"
                           "        relay = \"auto\";\n"
                           "        backlog = 0;\n"
                           "    };\n"
                           "};\n");
    free(dump);
    conf_unref(conf);
}
END_TEST

START_TEST(options_of_reload_are_read_and_dumped)
{
    struct conf *conf = load("daemon = { watch_config = true; exit_idle_time = \"90s\"; };\n"
                             "defaults = { on_change = \"drain:30s\"; persist = \"crash\"; };\n"
                             "rules = { a = { listen = \"systemd:a\"; upstream = \"h:1\"; };\n"
                             " b = { listen = \"systemd:b\"; upstream = \"h:1\";\n"
                             "       on_change = \"kill\"; persist = \"restart\"; }; };");
    char *dump = dumped(conf);

    conf_unref(conf);
    conf = load(dump);
    ck_assert(conf->daemon.watch_config);
    ck_assert_int_eq(conf->daemon.exit_idle_time, 90000);
    ck_assert_int_eq(conf->rules[0].options.on_change, 30000);
    ck_assert_int_eq(conf->rules[0].options.persist, PERSIST_CRASH);
    ck_assert_int_eq(conf->rules[1].options.on_change, ON_CHANGE_KILL);
    ck_assert_int_eq(conf->rules[1].options.persist, PERSIST_RESTART);
    conf_unref(conf);
    free(dump);
}
END_TEST

START_TEST(all_addresses_are_passed_or_the_first_is_told_that_is_not)
{
    struct conf *conf = load("rules = { a = { listen = \"systemd:a\"; upstream = \"h:1\"; };\n"
                             " b = { listen = [ \"systemd:b\", \"systemd:c\" ];\n"
                             "       upstream = \"h:1\"; }; };");

    ck_assert(conf_is_all_passed(conf));
    ck_assert_ptr_null(conf_not_passed(conf));
    conf_unref(conf);
    conf = load("rules = { a = { listen = \"systemd:a\"; upstream = \"h:1\"; };\n"
                " b = { listen = [ \"systemd:b\", \"unix:@b\", \"*:80\" ];\n"
                "       upstream = \"h:1\"; }; };");
    ck_assert(!conf_is_all_passed(conf));
    ck_assert_ptr_eq(conf_not_passed(conf), &conf->rules[1].listens[1]);
    conf_unref(conf);
}
END_TEST

/* Of a config in which a check looks at all rules together. */
START_TEST(some_rules_are_dumped_as_a_config_of_their_own)
{
    struct conf *conf =
        load("daemon = { exit_idle_time = 60; };\n"
             "rules = { a = { listen = \"systemd:a\"; upstream = \"h:1\"; };\n"
             " b = { listen = ({ address = \"systemd:b\"; max_connections = 3; });\n"
             "       upstream = \"h:1\"; on_change = \"drain\"; };\n"
             " c = { listen = \"systemd:c\"; upstream = \"unix:/x\"; relay = \"copy\"; }; };");
    const struct conf_rule *some[] = {&conf->rules[2], &conf->rules[1]};
    char *dump = dumped_rules(conf, some, 2), *again_dump;
    struct conf *again = load(dump);

    ck_assert_uint_eq(again->rule_count, 2);
    ck_assert_int_eq(again->daemon.exit_idle_time, 60000);
    ck_assert_str_eq(again->rules[0].name, "c");
    ck_assert_int_eq(again->rules[0].options.relay, RELAY_COPY);
    ck_assert_str_eq(again->rules[0].upstream.un.path, "/x");
    ck_assert_str_eq(again->rules[1].name, "b");
    ck_assert_int_eq(again->rules[1].options.on_change, ON_CHANGE_DRAIN);
    ck_assert_uint_eq(again->rules[1].listens[0].max_connections, 3);
    again_dump = dumped(again);
    ck_assert_str_eq(again_dump, dump);
    conf_unref(conf);
    conf_unref(again);
    free(again_dump);
    free(dump);
}
END_TEST

/* Each alone, of every form that there is. */
START_TEST(each_rule_alone_is_dumped_and_read_back_the_same)
{
    struct conf *conf = load(every_form);

    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];
        char *dump = dumped_rules(conf, &rule, 1);
        struct conf *again = load(dump);
        char *again_dump = dumped(again);

        ck_assert_uint_eq(again->rule_count, 1);
        ck_assert_str_eq(again->rules[0].name, rule->name);
        ck_assert_uint_eq(again->rules[0].listen_count, rule->listen_count);
        ck_assert_str_eq(again_dump, dump);
        conf_unref(again);
        free(again_dump);
        free(dump);
    }
    conf_unref(conf);
}
END_TEST

/* For everything else a duration of 0 is "off", which means never. */
START_TEST(sessions_may_be_given_no_time_to_drain)
{
    static const char *const zeros[] = {"0", "\"0s\"", "\"0ms\""};

    for (size_t i = 0; i < COUNT_OF(zeros); i++) {
        char text[256];
        struct conf *conf;

        snprintf(text, sizeof(text), "daemon = { drain_timeout = %s; }; rules = { " RULE_A " };",
                 zeros[i]);
        conf = load(text);
        ck_assert_int_eq(conf->daemon.drain_timeout, 0);
        char *dump = dumped(conf);
        conf_unref(conf);
        ck_assert_ptr_nonnull(strstr(dump, "drain_timeout = \"0s\";"));
        conf = load(dump);
        ck_assert_int_eq(conf->daemon.drain_timeout, 0);
        conf_unref(conf);
        free(dump);
    }
}
END_TEST

START_TEST(a_snapshot_lives_as_long_as_it_is_referred_to)
{
    struct conf *conf = load("rules = { a = { listen = \"*:80\"; upstream = \"h:1\"; }; };");

    ck_assert_ptr_eq(conf_ref(conf), conf);
    conf_unref(conf);
    ck_assert_str_eq(conf->rules[0].name, "a");
    conf_unref(conf);
    conf_unref(NULL);
}
END_TEST

START_TEST(descriptors_are_two_a_session_and_one_a_listener)
{
    struct conf *conf =
        load("rules = {\n"
             "  a = { listen = \"*:80\"; upstream = \"h:1\"; max_connections = 10; };\n"
             "  b = { listen = ({ address = \"*:81\"; max_connections = 3; },\n"
             "                  { address = \"*:82\"; max_connections = 4; });\n"
             "        upstream = \"h:1\"; max_connections = 10; };\n"
             "  c = { listen = ({ address = \"*:83\"; max_connections = 3; }, \"*:84\");\n"
             "        upstream = \"h:1\"; max_connections = 10; };\n"
             "};");

    ck_assert_uint_eq(conf_descriptors_promised(conf), (20 + 1) + (14 + 2) + (20 + 2));
    conf_unref(conf);
}
END_TEST

START_TEST(what_could_be_taken_for_a_conflict_is_none)
{
    conf_unref(
        load("rules = {\n"
             " a = { listen = [ \"0.0.0.0:80\", \"[::]:80\" ]; upstream = \"h:1\"; };\n"
             " b = { listen = [ \"127.0.0.1:81\", \"127.0.0.2:81\" ]; upstream = \"h:1\"; };\n"
             " c = { listen = [ \"[::]:81\", \"[fe80::1%1]:82\" ]; upstream = \"h:1\"; };\n"
             " d = { listen = [ \"[fe80::1%2]:82\", \"0.0.0.0:82\" ]; upstream = \"h:1\"; };\n"
             " e = { listen = [ \"unix:/x\", \"unix:@/x\" ]; upstream = \"h:1\"; };\n"
             "};"));
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text)
{
    struct conf *conf = load("\xef\xbb\xbf"
                             "rules = { " RULE_A " };");

    ck_assert_uint_eq(conf->rules[0].at.line, 1);
    conf_unref(conf);
}
END_TEST

START_TEST(options_without_effect_are_warned_of)
{
    const char *text = "defaults = { socket_mode = \"0600\"; };\n"
                       "rules = { a = { listen = \"*:80\"; upstream = \"h:1\";\n"
                       "  socket_mode = \"0660\"; };\n"
                       " b = { listen = ( \"unix:/x\", { address = \"*:81\";\n"
                       "  socket_group = \"adm\"; } ); upstream = \"h:1\"; }; };";
    struct conf *conf =
        load_warned(text, "c:3: warning: rule \"a\": socket_mode has no effect, the rule has no "
                          "unix:/path to listen on\n"
                          "c:5: warning: rule \"b\": socket_group has no effect, this address is "
                          "no unix:/path\n");

    ck_assert_uint_eq(conf->rules[1].listens[0].socket_mode, 0600);
    conf_unref(conf);
}
END_TEST

START_TEST(ten_thousand_rules_are_read)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct conf *conf;

    ck_assert_ptr_nonnull(out);
    fputs("rules = {\n", out);
    for (int i = 0; i < 10000; i++)
        fprintf(out, "  r%d = { listen = \"127.0.%d.%d:80\"; upstream = \"h:1\"; };\n", i, i / 256,
                i % 256);
    fputs("};\n", out);
    ck_assert_int_eq(fclose(out), 0);
    conf = load(text);
    ck_assert_uint_eq(conf->rule_count, 10000);
    ck_assert_str_eq(conf->rules[9999].name, "r9999");
    ck_assert_uint_eq(conf->rules[9999].at.line, 10001);
    conf_unref(conf);
    free(text);
}
END_TEST

static TCase *texts_case(void)
{
    TCase *tcase = tcase_create("texts");

    tcase_add_test(tcase, every_form_is_understood);
    tcase_add_test(tcase, ranges_become_one_listen_a_port);
    tcase_add_test(tcase, the_dump_is_read_back_the_same);
    tcase_add_test(tcase, the_dump_has_everything_filled_in);
    tcase_add_test(tcase, options_of_reload_are_read_and_dumped);
    tcase_add_test(tcase, all_addresses_are_passed_or_the_first_is_told_that_is_not);
    tcase_add_test(tcase, some_rules_are_dumped_as_a_config_of_their_own);
    tcase_add_test(tcase, each_rule_alone_is_dumped_and_read_back_the_same);
    tcase_add_test(tcase, sessions_may_be_given_no_time_to_drain);
    tcase_add_test(tcase, a_snapshot_lives_as_long_as_it_is_referred_to);
    tcase_add_test(tcase, descriptors_are_two_a_session_and_one_a_listener);
    tcase_add_test(tcase, what_could_be_taken_for_a_conflict_is_none);
    tcase_add_test(tcase, a_byte_order_mark_is_no_text);
    tcase_add_test(tcase, options_without_effect_are_warned_of);
    tcase_add_test(tcase, ten_thousand_rules_are_read);
    tcase_set_timeout(tcase, 60);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("conf");

    suite_add_tcase(suite, texts_case());
    return suite_run(suite);
}
