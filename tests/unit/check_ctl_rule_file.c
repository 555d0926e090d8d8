/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that penstock add writes: its name, its text, and that the config's reader takes it. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf_words.h"
#include "ctl/rule_file.h"
#include "suite.h"

#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

START_TEST(names_of_rules_are_names_of_files)
{
    static const char *const good[] = {"a", "Web-1_x", "conf", LETTERS_64};
    static const char *const bad[] = {"",         "1a", "-a",   "_a",  ".a",   "a.b",
                                      "a/b",      "..", "a b",  "a*",  "a\n",  "a=b",
                                      "\xc3\xa4", "a;", "a\"b", "a\\", "$(a)", LETTERS_64 "a"};

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(rule_name_is_good(good[i]), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!rule_name_is_good(bad[i]), "%s", bad[i]);
    char *name = rule_file_name("Web-1_x");
    ck_assert_str_eq(name, "Web-1_x.conf");
    free(name);
}
END_TEST

/* The file of a rule with these options, up to NULL. */
static char *written(const char *listen, const char *upstream, const char *const *options)
{
    struct rule_text rule = {
        .name = "r", .listen = listen, .upstream = upstream, .options = options};
    char *error, *text;

    while (options != NULL && options[rule.option_count] != NULL)
        rule.option_count++;
    text = rule_file_text(&rule, &error);
    ck_assert_msg(text != NULL, "%s", error);
    ck_assert_ptr_null(error);
    return text;
}

/* It has this line. */
static void has(const char *text, const char *line)
{
    char *whole;

    ck_assert_int_gt(asprintf(&whole, "\n        %s\n", line), 0);
    ck_assert_msg(strstr(text, whole) != NULL, "no %s in\n%s", line, text);
    free(whole);
}

START_TEST(values_are_quoted_as_their_options_need)
{
    static const char *const options[] = {"max_connections=7",   "connect_timeout=5s",
                                          "idle_timeout=60",     "keepalive=on",
                                          "on_change=drain:30s", "socket_mode=0600",
                                          "backlog=x",           "interface=eth1,eth2",
                                          "source=192.0.2.1",    "broadcast=maybe",
                                          "on_limit=reset",      "socket_owner=a=b",
                                          "half_close_timeout=", NULL};
    char *text = written("a:1", "b:2,c:3", options);

    has(text, "listen = \"a:1\";");
    has(text, "upstream = [ \"b:2\", \"c:3\" ];");
    has(text, "max_connections = 7;");
    has(text, "connect_timeout = \"5s\";");
    has(text, "idle_timeout = 60;");
    has(text, "keepalive = true;");
    has(text, "on_change = \"drain:30s\";");
    has(text, "socket_mode = \"0600\";");
    has(text, "backlog = \"x\";");
    has(text, "interface = [ \"eth1\", \"eth2\" ];");
    has(text, "source = \"192.0.2.1\";");
    has(text, "broadcast = \"maybe\";");
    has(text, "socket_owner = \"a=b\";");
    has(text, "half_close_timeout = \"\";");
    free(text);
}
END_TEST

START_TEST(flags_have_six_words)
{
    static const char *const words[][2] = {{"true", "true"},   {"on", "true"},   {"yes", "true"},
                                           {"false", "false"}, {"off", "false"}, {"no", "false"}};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char option[32], line[32];
        const char *options[] = {option, NULL};

        snprintf(option, sizeof(option), "keepalive=%s", words[i][0]);
        snprintf(line, sizeof(line), "keepalive = %s;", words[i][1]);
        char *text = written("a:1", "b:2", options);
        has(text, line);
        free(text);
    }
}
END_TEST

/* Whatever is said, it stays a text: nothing of it becomes a setting. */
START_TEST(no_text_gets_out_of_its_quotes)
{
    static const char path[] =
        "/tmp/\"; }; }; daemon = { user = \"x\\ # // /* @include \"f\"\n\x01";
    static const char *const options[] = {"socket_owner=a\"b\\c\nd", NULL};
    struct conf_errors errors;
    struct conf *conf;
    char *listen, *text, *words;

    ck_assert_int_gt(asprintf(&listen, "unix:%s", path), 0);
    text = written(listen, "192.0.2.1:80", options);
    conf = conf_load_text("r.conf", text, strlen(text), &errors);
    words = said(&errors);
    ck_assert_msg(conf != NULL, "%s\n%s", words, text);
    ck_assert_uint_eq(conf->rule_count, 1);
    ck_assert_uint_eq(conf->rules[0].listen_count, 1);
    ck_assert_str_eq(conf->rules[0].listens[0].address.un.path, path);
    ck_assert_str_eq(conf->rules[0].listens[0].socket_owner, "a\"b\\c\nd");
    ck_assert_ptr_null(conf->daemon.user);
    conf_errors_free(&errors);
    conf_unref(conf);
    free(words);
    free(text);
    free(listen);
}
END_TEST

START_TEST(what_is_no_option_is_said)
{
    static const char *const cases[][2] = {
        {"keepalive", "-o \"keepalive\": allowed: OPTION=VALUE"},
        {"", "-o \"\": allowed: OPTION=VALUE"},
        {"keepalife=on", "-o \"keepalife=on\": unknown option \"keepalife\", the nearest known one "
                         "is \"keepalive\""},
        {"ttl = 5; x=1", "-o \"ttl = 5; x=1\": unknown option \"ttl \", the nearest known one is "
                         "\"ttl\""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rule_text rule = {.name = "r",
                                 .listen = "a:1",
                                 .upstream = "b:2",
                                 .max = "5",
                                 .options = &cases[i][0],
                                 .option_count = 1};
        char *error;

        ck_assert_ptr_null(rule_file_text(&rule, &error));
        ck_assert_str_eq(error, cases[i][1]);
        free(error);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl rule file");
    TCase *tcase = tcase_create("rule file");

    tcase_add_test(tcase, names_of_rules_are_names_of_files);
    tcase_add_test(tcase, values_are_quoted_as_their_options_need);
    tcase_add_test(tcase, flags_have_six_words);
    tcase_add_test(tcase, no_text_gets_out_of_its_quotes);
    tcase_add_test(tcase, what_is_no_option_is_said);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
