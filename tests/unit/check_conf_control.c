/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.control and what belongs to it, daemon.http. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf_texts.h"
#include "suite.h"

START_TEST(by_default_it_is_at_its_place_and_nothing_on_tcp)
{
    struct conf *conf = load("rules = { " RULE_A " };");

    ck_assert(conf_has_control(&conf->daemon));
    ck_assert_str_eq(conf->daemon.control, CONF_CONTROL_DEFAULT);
    ck_assert_uint_eq(conf->daemon.control_mode, 0660);
    ck_assert_ptr_null(conf->daemon.control_owner);
    ck_assert_ptr_null(conf->daemon.control_group);
    ck_assert_ptr_null(conf->daemon.http);
    conf_unref(conf);
}
END_TEST

START_TEST(all_are_read_and_dumped)
{
    struct conf *conf =
        load("daemon = { control = \"/x/c.sock\"; control_mode = \"0600\";\n"
             " control_owner = \"root\"; control_group = \"0\"; http = \"[::1]:9090\"; };\n"
             "rules = { " RULE_A " };");
    char *one = dumped(conf), *two;

    conf_unref(conf);
    conf = load(one);
    two = dumped(conf);
    ck_assert_str_eq(one, two);
    ck_assert_str_eq(conf->daemon.control, "/x/c.sock");
    ck_assert_uint_eq(conf->daemon.control_mode, 0600);
    ck_assert_str_eq(conf->daemon.control_owner, "root");
    ck_assert_str_eq(conf->daemon.control_group, "0");
    ck_assert_str_eq(conf->daemon.http, "[::1]:9090");
    conf_unref(conf);
    free(one);
    free(two);
}
END_TEST

START_TEST(off_has_no_rights_and_its_dump_is_read_without_a_warning)
{
    struct conf *conf =
        load_warned("daemon = { control = \"off\";\n control_mode = \"0600\";\n"
                    " control_group = \"adm\"; };\nrules = { " RULE_A " };",
                    "c:2: warning: daemon: control_mode has no effect, control is \"off\"\n"
                    "c:3: warning: daemon: control_group has no effect, control is \"off\"\n");
    char *dump = dumped(conf);

    ck_assert(!conf_has_control(&conf->daemon));
    ck_assert_uint_eq(conf->daemon.control_mode, 0660);
    ck_assert_ptr_null(conf->daemon.control_group);
    ck_assert_ptr_null(strstr(dump, "control_"));
    conf_unref(conf);
    conf = load(dump);
    ck_assert(!conf_has_control(&conf->daemon));
    conf_unref(conf);
    free(dump);
}
END_TEST

/* What is said of it, with these rules. */
struct wrong {
    const char *daemon, *rules, *expected;
};

#define NO_PLACE                                                                                   \
    " is no place for a socket, allowed: \"off\", or a path from the root such as "                \
    "\"/run/penstock/control.sock\"\n"
#define NO_ADDRESS                                                                                 \
    ": it must be one address of this machine with one port, allowed: an IP address such as "      \
    "\"127.0.0.1:9090\" or \"[::1]:9090\"\n"
#define TAKEN " is where rule \"a\" listens at c:3, allowed: an address that no rule has\n"

static const struct wrong wrong[] = {
    {"control = \"run/x\";", RULE_A, "c:2: daemon: control = \"run/x\"" NO_PLACE},
    {"control = \"@x\";", RULE_A, "c:2: daemon: control = \"@x\"" NO_PLACE},
    {"control = \"\";", RULE_A,
     "c:2: daemon: control = \"\" is empty, allowed: 1 to 107 characters\n"},
    {"control = true;", RULE_A,
     "c:2: daemon: control = true: must be a text in quotes, allowed: 1 to 107 characters\n"},
    {"control_mode = \"0999\";", RULE_A,
     "c:2: daemon: control_mode = \"0999\" is no octal number, allowed: \"0000\" to \"0777\"\n"},
    {"control = \"/x\";", "a = { listen = \"unix:/x\"; upstream = \"h:1\"; };",
     "c:2: daemon: control" TAKEN},
    {"http = \"localhost:80\";", RULE_A, "c:2: daemon: http = \"localhost:80\"" NO_ADDRESS},
    {"http = \"9090\";", RULE_A,
     "c:2: daemon: http = \"9090\": the port is missing, allowed: an IPv4 address or [IPv6 "
     "address], then :PORT\n"},
    {"http = \"*:80\";", RULE_A, "c:2: daemon: http = \"*:80\"" NO_ADDRESS},
    {"http = \"127.0.0.1:80-81\";", RULE_A, "c:2: daemon: http = \"127.0.0.1:80-81\"" NO_ADDRESS},
    {"http = \"udp:127.0.0.1:80\";", RULE_A, "c:2: daemon: http = \"udp:127.0.0.1:80\"" NO_ADDRESS},
    {"http = \"unix:/x\";", RULE_A, "c:2: daemon: http = \"unix:/x\"" NO_ADDRESS},
    {"http = \"239.1.2.3:80\";", RULE_A, "c:2: daemon: http = \"239.1.2.3:80\"" NO_ADDRESS},
    {"http = \"127.0.0.1:80\";", "a = { listen = \"127.0.0.1:80\"; upstream = \"h:1\"; };",
     "c:2: daemon: http" TAKEN},
    {"http = \"127.0.0.1:80\";", "a = { listen = \"*:80\"; upstream = \"h:1\"; };",
     "c:2: daemon: http" TAKEN},
    {"http = \"0.0.0.0:80\";", "a = { listen = \"127.0.0.1:79-81\"; upstream = \"h:1\"; };",
     "c:2: daemon: http" TAKEN},
};

START_TEST(what_is_wrong_is_told)
{
    const struct wrong *w = &wrong[_i];
    struct conf_errors errors;
    char text[512], *words;

    snprintf(text, sizeof(text), "daemon = {\n %s };\nrules = { %s };", w->daemon, w->rules);
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    words = said(&errors);
    ck_assert_str_eq(words, w->expected);
    ck_assert_ptr_null(conf);
    conf_errors_free(&errors);
    free(words);
}
END_TEST

static const char *const fine[] = {
    /* another protocol, port, family, or place */
    "daemon = { http = \"127.0.0.1:80\"; };\n"
    "rules = { a = { listen = \"udp:127.0.0.1:80\"; upstream = \"h:1\"; }; };",
    "daemon = { http = \"127.0.0.1:80\"; };\n"
    "rules = { a = { listen = \"127.0.0.2:80\"; upstream = \"h:1\"; }; };",
    "daemon = { http = \"0.0.0.0:80\"; };\n"
    "rules = { a = { listen = \"[::]:80\"; upstream = \"h:1\"; }; };",
    "daemon = { http = \"tcp:127.0.0.1:81\"; };\n"
    "rules = { a = { listen = \"127.0.0.1:80\"; upstream = \"h:1\"; }; };",
    "daemon = { control = \"/x\"; };\n"
    "rules = { a = { listen = \"unix:@/x\"; upstream = \"h:1\"; }; };",
    /* the place is not asked for in so many words: the rule has it */
    "rules = { a = { listen = \"unix:/run/penstock/control.sock\"; upstream = \"h:1\"; }; };",
};

START_TEST(what_does_not_collide_is_accepted)
{
    conf_unref(load(fine[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_control");
    TCase *tcase = tcase_create("conf_control");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, by_default_it_is_at_its_place_and_nothing_on_tcp);
    tcase_add_test(tcase, all_are_read_and_dumped);
    tcase_add_test(tcase, off_has_no_rights_and_its_dump_is_read_without_a_warning);
    tcase_add_loop_test(tcase, what_is_wrong_is_told, 0, COUNT_OF(wrong));
    tcase_add_loop_test(tcase, what_does_not_collide_is_accepted, 0, COUNT_OF(fine));
    return suite_run(suite);
}
