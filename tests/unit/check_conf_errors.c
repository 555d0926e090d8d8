/* SPDX-License-Identifier: BSD-2-Clause */
/* The config language: what is refused, by its exact words and lines. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf_words.h"
#include "suite.h"

static void expect_errors(const char *text, size_t len, const char *expected)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, len, &errors);
    char *words = said(&errors);

    ck_assert_str_eq(words, expected);
    ck_assert_ptr_null(conf);
    ck_assert_uint_gt(errors.fatal, 0);
    conf_errors_free(&errors);
    free(words);
}

static const struct {
    const char *text, *errors;
} wrong[] = {
    /* the file as a whole */
    {"",
     "c: there is no rule, needed is one at least: rules = { NAME = { listen = \"...\"; upstream "
     "= \"...\"; }; };\n"},
    {"rules = {};",
     "c: there is no rule, needed is one at least: rules = { NAME = { listen = \"...\"; upstream = "
     "\"...\"; }; };\n"},
    {"rules = ( );", "c:1: \"rules\" must be a group: rules = { ... };\n"},
    {"rules = { " RULE_A " };\ndaemon = 5;\ndefaults = \"x\";",
     "c:2: \"daemon\" must be a group: daemon = { ... };\n"
     "c:3: \"defaults\" must be a group: defaults = { ... };\n"},
    {"rule = { " RULE_A " };", "c:1: unknown group \"rule\", the nearest known one is \"rules\"\n"},
    {"logs = 1;\ninclude = 1;\nrul = {};\nrules = { " RULE_A " };",
     "c:1: unknown group \"logs\", allowed: daemon, defaults, rules\n"
     "c:2: unknown group \"include\", allowed: daemon, defaults, rules\n"
     "c:3: unknown group \"rul\", the nearest known one is \"rules\"\n"},
    {"rules = { " RULE_A " };\nengine = \"auto\";\n"
     "listen = \"*:80\";\nupstream = 5;\nrelay = \"copy\";",
     "c:2: \"engine\" stands outside any group, it belongs in the group \"daemon\"\n"
     "c:3: \"listen\" stands outside any group, it belongs in a rule\n"
     "c:4: \"upstream\" stands outside any group, it belongs in a rule\n"
     "c:5: \"relay\" stands outside any group, it belongs in a rule or in \"defaults\"\n"},

    /* syntax */
    {"rules = { a = { x y }; b = { x y };\n c = { x y }; };",
     "c:1: syntax error, allowed: NAME = VALUE; with texts in quotes\n"
     "c:2: syntax error, allowed: NAME = VALUE; with texts in quotes\n"},
    {"rules = {\n a = {\n  listen = \"*:80\"\n", "c:2: \"{\" is never closed, \"}\" is missing\n"},
    {"rules = {\n a = { listen = ( \"*:80\" };\n};",
     "c:2: \"}\" does not close the \"(\" of line 2, \")\" would\n"},
    {"rules = { " RULE_A " };\n};", "c:2: \"}\" closes nothing\n"},
    {"rules = { a = {\n listen = \"*:80;\n upstream = };\n",
     "c:2: the string that begins here is never closed, \" is missing\n"},
    {"/* " RULE_A "\n", "c:1: the comment that begins here is never closed, */ is missing\n"},
    {"rules = {\n a = { listen \"*:80\"; };\n b = { upstream = ; };\n c = 7 };",
     "c:2: syntax error, a text in quotes stands where none can, allowed: NAME = \"TEXT\";\n"
     "c:3: syntax error, allowed: NAME = VALUE; with texts in quotes\n"
     "c:4: rule \"c\" must be a group: { listen = \"...\"; upstream = \"...\"; }\n"},
    {"rules = { " RULE_A "; };",
     "c:1: syntax error, allowed: NAME = VALUE; with texts in quotes\n"},
    {"rules = { " RULE_A " } }", "c:1: \"}\" closes nothing\n"},
    {"daemon = { user = [ 1, \"a\" ]; };\nrules = { " RULE_A " };",
     "c:1: mismatched element type in array\n"},
    {"rules = { a = { listen = ((((((((((((((((\"x\"))))))))))))))); }; };",
     "c:1: brackets are nested too deeply, allowed: 16 levels\n"},
    {"@include \"other.conf\"\nrules = { " RULE_A " };",
     "c:1: @include is not supported; the files conf.d/*.conf beside the main file are read "
     "without "
     "it\n"},
    {"\x7f"
     "ELF\x02\x01\xff\xfe",
     "c:1: syntax error, allowed: NAME = VALUE; with texts in quotes\n"},

    /* numbers that libconfig would cut */
    {"rules = { a = { listen = \"*:80\"; upstream = \"h:1\";\n max_connections = 4294967297; }; };",
     "c:2: max_connections = 4294967297 is too large a number, allowed: at most 2147483647\n"},
    {"rules = { a = { listen = \"*:80\"; upstream = \"h:1\";\n backlog = 0x100000001; }; };",
     "c:2: backlog = 0x100000001 is too large a number, allowed: at most 2147483647\n"},
    {"rules = { a = { listen = \"*:80\"; upstream = \"h:1\";\n idle_timeout = "
     "-99999999999999999999L; }; };",
     "c:2: idle_timeout = -99999999999999999999L is too large a number, allowed: at most "
     "2147483647\n"},

    /* options */
    {"daemon = {\n engin = \"auto\";\n relay = \"copy\";\n};\nrules = { " RULE_A " };",
     "c:2: daemon: unknown option \"engin\", the nearest known one is \"engine\"\n"
     "c:3: daemon: \"relay\" belongs in a rule or in \"defaults\"\n"},
    {"daemon = {\n logs = 1;\n log = 1;\n userx = 1; };\n"
     "rules = { a = { listen = \"*:80\"; upstream = \"h:1\";\n foo = 1; idle = 2; }; };",
     "c:2: daemon: unknown option \"logs\", allowed: engine, log_level, log_format, log_target, "
     "drain_timeout, watch_config, exit_idle_time, user, group, control, control_mode, "
     "control_owner, control_group, http\n"
     "c:3: daemon: unknown option \"log\", the nearest known one is \"log_level\"\n"
     "c:4: daemon: unknown option \"userx\", the nearest known one is \"user\"\n"
     "c:6: rule \"a\": unknown option \"foo\", allowed: listen, upstream, max_connections, "
     "on_limit, "
     "connect_timeout, idle_timeout, half_close_timeout, udp_timeout, udp_replies, keepalive, "
     "keepalive_idle, keepalive_interval, keepalive_count, on_change, persist, relay, backlog, "
     "socket_mode, socket_owner, socket_group, interface, source, broadcast, ttl, source_port\n"
     "c:6: rule \"a\": unknown option \"idle\", the nearest known one is \"idle_timeout\"\n"},
    {"daemon = { drain_timeout = \"off\"; };\nrules = { " RULE_A " };",
     "c:1: daemon: drain_timeout = \"off\" is not available here, allowed: \"0s\" to \"1d\"\n"},
    {"defaults = {\n listen = \"*:80\";\n log_level = \"info\";\n relay = \"spice\";\n};\n"
     "rules = { " RULE_A " };",
     "c:2: defaults: \"listen\" belongs in a rule\n"
     "c:3: defaults: \"log_level\" belongs in the group \"daemon\"\n"
     "c:4: defaults: relay = \"spice\" is unknown, allowed: \"auto\", \"copy\", \"splice\"\n"},
    {"rules = {\n a = { listen = \"1.2.3.4:1\"; upstream = \"h:1\";\n  max_connections = 0;\n"
     "  max_conections = 5; idle_timeout = \"x\";\n } };",
     "c:3: rule \"a\": max_connections = 0 is out of range, allowed: 1 to 1000000\n"
     "c:4: rule \"a\": idle_timeout = \"x\": no duration, allowed: a whole number and ms, s, min, "
     "h "
     "or d (\"250ms\", \"10min\"), here \"1ms\" to \"365d\", or \"off\"\n"
     "c:4: rule \"a\": unknown option \"max_conections\", the nearest known one is "
     "\"max_connections\"\n"},
    {"rules = { a = { listen = \"*:80\";\n upstream = \"h:1\";\n listen = \"*:81\"; };\n b = {}; "
     "};",
     "c:3: \"listen\" is set twice, first on line 1\n"
     "c:4: rule \"b\": listen is missing, needed: listen = \"...\";\n"
     "c:4: rule \"b\": upstream is missing, needed: upstream = \"...\";\n"},
    {"daemon = {};\ndaemon = {};\nrules = { " RULE_A " };",
     "c:2: \"daemon\" is set twice, first on line 1\n"},

    {"rules = { a = { listen = \"1.2.3.4:1\"; upstream = \"bad\"; max_connections = 5;\n"
     " max_connections = 6; relay = \"x\"; }; };",
     "c:1: rule \"a\": upstream \"bad\": the port is missing, allowed: an IPv4 address, [IPv6 "
     "address] or host name, then :PORT\n"
     "c:2: \"max_connections\" is set twice, first on line 1\n"
     "c:2: rule \"a\": relay = \"x\" is unknown, allowed: \"auto\", \"copy\", \"splice\"\n"},
    {"daemon = { log_level = \"info\"\n log_level = \"x\" \"y\"\n engine = 5; };\n"
     "defaults = { relay = \"x\"; };\nrules = { " RULE_A " };",
     "c:2: \"log_level\" is set twice, first on line 1\n"
     "c:3: daemon: engine = 5: must be a word in quotes, allowed: \"auto\", \"select\", \"epoll\"\n"
     "c:4: defaults: relay = \"x\" is unknown, allowed: \"auto\", \"copy\", \"splice\"\n"},
    {"rules = { a = { listen = \"1.2.3.4:1\"; upstream = \"h:1\"; listen = [ \"x\",\n\"y\" ] };\n"
     " b = { listen = [ \"1.2.3.4:2\",\n \"1.2.3.4:0\" ]; upstream = \"h:1\"; }; };\n"
     "rules = { c = { listen = \"1.2.3.4:3\"; }; d = { relay = \"\"; relay = 5; }; };\n"
     "daemon = { engine = 5; };",
     "c:1: \"listen\" is set twice, first on line 1\n"
     "c:4: rule \"b\": listen \"1.2.3.4:0\": the port is out of range, allowed: 1 to 65535\n"
     "c:5: \"relay\" is set twice, first on line 5\n"
     "c:5: \"rules\" is set twice, first on line 1\n"
     "c:5: rule \"c\": upstream is missing, needed: upstream = \"...\";\n"
     "c:6: daemon: engine = 5: must be a word in quotes, allowed: \"auto\", \"select\", "
     "\"epoll\"\n"},
    {"daemon = { user = { user = 1; user = 2; }; };\ndaemon = { user = 1; user = \"x\"; }",
     "c:1: \"user\" is set twice, first on line 1\n"
     "c:1: daemon: user = a group: must be a text in quotes, allowed: 1 to 32 characters\n"
     "c:2: \"daemon\" is set twice, first on line 1\n"
     "c:2: \"user\" is set twice, first on line 2\n"},

    {"daemon = { watch_config = \"yes\";\n exit_idle_time = \"-1s\"; };\n"
     "rules = { a = { listen = \"1.2.3.4:1\"; upstream = \"h:1\";\n on_change = \"drop\"; }; };",
     "c:1: daemon: watch_config = \"yes\": must be true or false\n"
     "c:2: daemon: exit_idle_time = \"-1s\": no duration, allowed: a whole number and ms, s, min, "
     "h "
     "or d (\"250ms\", \"10min\"), here \"1ms\" to \"365d\", or \"off\"\n"
     "c:4: rule \"a\": on_change = \"drop\" is unknown, allowed: \"keep\", \"drain\", \"kill\", "
     "\"drain:1ms\" to \"drain:1d\"\n"},
    {"daemon = {\n exit_idle_time = 60; };\n"
     "rules = { a = { listen = \"systemd:a\"; upstream = \"h:1\"; };\n"
     " b = { listen = [ \"systemd:b\", \"127.0.0.1:80-89\" ]; upstream = \"h:1\"; };\n"
     " c = { listen = \"*:99\"; upstream = \"h:1\"; }; };",
     "c:2: daemon: exit_idle_time needs systemd to listen on every address, but rule \"b\" listens "
     "on 127.0.0.1:80, allowed: listen = \"systemd:NAME\"\n"},

    /* names of rules */
    {"rules = {\n " RULE_A "\n b = { listen = \"1.2.3.4:2\"; upstream = \"h:1\"; };\n"
     " a = { listen = \"1.2.3.4:3\"; upstream = \"h\"; }; };",
     "c:4: rule \"a\" is defined twice, first at c:2\n"
     "c:4: rule \"a\": upstream \"h\": the port is missing, allowed: an IPv4 address, [IPv6 "
     "address] or host name, then :PORT\n"},
    {"rules = { a*b = { listen = \"1.2.3.4:2\"; upstream = \"h:1\"; }; };",
     "c:1: the rule's name \"a*b\" has a *, allowed: letters, digits, \"_\" and \"-\"\n"},
    {"rules = { a2345678901234567890123456789012345678901234567890123456789012345 = "
     "{ listen = \"1.2.3.4:2\"; upstream = \"h:1\"; }; };",
     "c:1: the rule's name is too long, allowed: 64 characters\n"},

    /* addresses */
    {"rules = { a = { listen = 80; upstream = 22; }; };",
     "c:1: rule \"a\": listen must be an address in quotes such as \"[::]:80\", a group { address "
     "= "
     "\"...\"; } or a list of these\n"
     "c:1: rule \"a\": upstream must be an address in quotes such as \"192.0.2.7:22\", a group { "
     "address = \"...\"; } or for UDP a list of these\n"},
    {"rules = { a = { listen = (); upstream = \"*:1\"; }; };",
     "c:1: rule \"a\": listen is empty, needed is one address at least\n"
     "c:1: rule \"a\": upstream \"*:1\": * is for listen, allowed: an address, a host name or "
     "unix:/path\n"},
    {"rules = { a = { listen = { max_connections = 1; }; upstream = \"systemd:x\"; }; };",
     "c:1: rule \"a\": listen: the group has no \"address\", needed: address = \"...\";\n"
     "c:1: rule \"a\": upstream \"systemd:x\": a socket passed by systemd is for listen, allowed: "
     "an "
     "address or unix:/path\n"},
    {"rules = { a = { listen = ({ adress = \"1.2.3.4:5\"; max_conections = 3; },\n"
     " { address = 5; backlog = -1; }); upstream = \"h:1\"; }; };",
     "c:1: rule \"a\": listen: the group has no \"address\", needed: address = \"...\";\n"
     "c:1: rule \"a\": listen: unknown option \"adress\", the nearest known one is \"address\"\n"
     "c:1: rule \"a\": listen: unknown option \"max_conections\", the nearest known one is "
     "\"max_connections\"\n"
     "c:2: rule \"a\": listen must be an address in quotes such as \"[::]:80\", a group { address "
     "= "
     "\"...\"; } or a list of these\n"
     "c:2: rule \"a\": listen: backlog = -1 is out of range, allowed: 0 to 65535\n"},
    {"rules = { a = { listen = ({ address = \"*:1\"; port = 5; max_connections = 0;\n"
     " relay = \"copy\"; }); upstream = \"udp:h:1\"; }; };",
     "c:1: rule \"a\": listen \"*:1\" is for TCP but upstream \"udp:h:1\" for UDP, allowed: the "
     "same, or an upstream without a scheme, which takes its listener's\n"
     "c:1: rule \"a\": listen: max_connections = 0 is out of range, allowed: 1 to 1000000\n"
     "c:1: rule \"a\": listen: unknown option \"port\", allowed: address, max_connections, "
     "backlog, "
     "socket_mode, socket_owner, socket_group, interface, source, broadcast\n"
     "c:2: rule \"a\": listen: \"relay\" belongs in a rule or in \"defaults\"\n"},
    {"rules = { a = { listen = [\n \"localhost:80\", \"udp:*:0\",\n \"*:0\", \"[::1]:65536\",\n"
     " \"h:2-1\"\n\n ]; upstream = \"x:1\"; }; };",
     "c:2: rule \"a\": listen \"localhost:80\": a host name can't be listened on, allowed: an "
     "address "
     "such as 127.0.0.1 or [::1], or * for all\n"
     "c:2: rule \"a\": listen \"udp:*:0\": the port is out of range, allowed: 1 to 65535\n"
     "c:3: rule \"a\": listen \"*:0\": the port is out of range, allowed: 1 to 65535\n"
     "c:3: rule \"a\": listen \"[::1]:65536\": the port is out of range, allowed: 1 to 65535\n"
     "c:4: rule \"a\": listen \"h:2-1\": the port range is reversed, allowed: FIRST-LAST with "
     "FIRST "
     "not above LAST\n"},
    {"rules = { a = { listen = \"*:10-19\"; upstream = \"h:1-5\"; };\n"
     " b = { listen = \"*:20\"; upstream = \"h:1-5\"; };\n"
     " c = { listen = \"unix:/x\"; upstream = \"h:1-2\"; }; };",
     "c:1: rule \"a\": listen \"*:10-19\" has 10 ports but upstream \"h:1-5\" has 5, allowed: as "
     "many, "
     "or one upstream port for all\n"
     "c:2: rule \"b\": listen \"*:20\" has 1 port but upstream \"h:1-5\" has 5, allowed: as many, "
     "or "
     "one upstream port for all\n"
     "c:3: rule \"c\": listen \"unix:/x\" has 1 port but upstream \"h:1-2\" has 2, allowed: as "
     "many, or "
     "one upstream port for all\n"},
    {"rules = { a = { listen = [ \"127.0.0.1:1-65535\", \"127.0.0.2:1-65535\",\n"
     "\"127.0.0.3:1-65535\", \"127.0.0.4:1-65535\",\n\"127.0.0.5:1-65535\" ]; upstream = \"h:1\"; "
     "}; "
     "};",
     "c:3: rule \"a\": listen \"127.0.0.5:1-65535\": too many addresses, allowed: 262144 in all "
     "rules\n"},

    /* two listeners on one address */
    {"rules = { a = { listen = \"1.2.3.4:1\"; upstream = \"h:1\"; };\n"
     " b = { listen = [ \"1.2.3.4:2\",\n \"tcp:1.2.3.4:1\" ]; upstream = \"h:1\"; }; };",
     "c:3: rule \"b\": 1.2.3.4:1 is taken by 1.2.3.4:1 at c:1\n"},
    {"rules = { a = { listen = \"*:80\"; upstream = \"h:1\"; };\n"
     " b = { listen = \"0.0.0.0:80\"; upstream = \"h:1\"; };\n"
     " c = { listen = \"[::]:80\"; upstream = \"h:1\"; };\n"
     " d = { listen = \"[::1]:80\"; upstream = \"h:1\"; };\n"
     " e = { listen = \"127.0.0.1:80\"; upstream = \"h:1\"; }; };",
     "c:2: rule \"b\": 0.0.0.0:80 is taken by *:80 at c:1\n"
     "c:3: rule \"c\": [::]:80 is taken by *:80 at c:1\n"
     "c:4: rule \"d\": [::1]:80 is taken by *:80 at c:1\n"
     "c:5: rule \"e\": 127.0.0.1:80 is taken by *:80 at c:1\n"},
    {"rules = { a = { listen = [ \"127.0.0.1:80\", \"[::1]:81\" ]; upstream = \"h:1\"; };\n"
     " b = { listen = \"0.0.0.0:80\"; upstream = \"h:1\"; };\n"
     " c = { listen = \"*:80\"; upstream = \"h:1\"; };\n"
     " d = { listen = \"*:81\"; upstream = \"h:1\"; };\n"
     " e = { listen = \"[::ffff:127.0.0.1]:80\"; upstream = \"h:1\"; }; };",
     "c:2: rule \"b\": 0.0.0.0:80 is taken by 127.0.0.1:80 at c:1\n"
     "c:3: rule \"c\": *:80 is taken by 127.0.0.1:80 at c:1\n"
     "c:4: rule \"d\": *:81 is taken by [::1]:81 at c:1\n"
     "c:5: rule \"e\": 127.0.0.1:80 is taken by 127.0.0.1:80 at c:1\n"},
    {"rules = { a = { listen = [ \"unix:/x\", \"systemd:s\", \"unix:@x\" ]; upstream = \"h:1\"; "
     "};\n"
     " b = { listen = \"unix:/x\"; upstream = \"h:1\"; };\n"
     " c = { listen = \"systemd:s\"; upstream = \"h:1\"; };\n"
     " d = { listen = \"unix:@x\"; upstream = \"h:1\"; }; };",
     "c:2: rule \"b\": unix:/x is taken by unix:/x at c:1\n"
     "c:3: rule \"c\": systemd:s is taken by systemd:s at c:1\n"
     "c:4: rule \"d\": unix:@x is taken by unix:@x at c:1\n"},
    {"rules = { a = { listen = \"127.0.0.1:100-199\"; upstream = \"h:1\"; };\n"
     " b = { listen = \"127.0.0.1:150-250\"; upstream = \"h:1\"; }; };",
     "c:2: rule \"b\": 127.0.0.1:150 is taken by 127.0.0.1:150 at c:1\n"},
};

START_TEST(what_is_wrong_is_said)
{
    expect_errors(wrong[_i].text, strlen(wrong[_i].text), wrong[_i].errors);
}
END_TEST

START_TEST(nul_bytes_are_found)
{
    static const char text[] = "rules = { " RULE_A " };\n\0daemon = {};";

    expect_errors(text, sizeof(text) - 1,
                  "c:2: a NUL byte, which no text has; is this the file?\n");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
    const char *text = "rules = { a = { listen = \"\x1b[2J\"; upstream = \"h:1\"; }; };";

    expect_errors(
        text, strlen(text),
        "c:1: rule \"a\": listen \"?[2J\": the port is missing, allowed: an IPv4 address, "
        "[IPv6 address] or *, then :PORT\n");
}
END_TEST

START_TEST(a_megabyte_in_one_line_is_read)
{
    size_t len = 1 << 20;
    char *text = malloc(len + 128);
    struct conf_errors errors;
    struct conf *conf;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', len);
    strcpy(text + len, "rules = { " RULE_A " };");
    conf = conf_load_text("c", text, strlen(text), &errors);
    ck_assert_ptr_nonnull(conf);
    conf_unref(conf);
    conf_errors_free(&errors);

    memset(text, 'x', len);
    conf = conf_load_text("c", text, len, &errors);
    ck_assert_ptr_null(conf);
    ck_assert_uint_eq(errors.fatal, 1);
    ck_assert_uint_eq(errors.list[0].at.line, 1);
    conf_errors_free(&errors);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf errors");
    TCase *tcase = tcase_create("texts");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, (int)COUNT_OF(wrong));
    tcase_add_test(tcase, nul_bytes_are_found);
    tcase_add_test(tcase, control_characters_do_not_reach_the_terminal);
    tcase_add_test(tcase, a_megabyte_in_one_line_is_read);
    return suite_run(suite);
}
