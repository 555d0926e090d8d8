/* SPDX-License-Identifier: BSD-2-Clause */
/* The config language: what is accepted, what it means, and which files it is read from. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/load.h"
#include "conf_words.h"

static char *dumped(const struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    conf_dump(conf, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

/* Load a text that has nothing wrong with it. */
static struct conf *load(const char *text)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    char *words = said(&errors);

    ck_assert_msg(conf != NULL && errors.count == 0, "%s", words);
    conf_errors_free(&errors);
    free(words);
    return conf;
}

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
                           "    user = \"nobody\";\n"
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
                           "        relay = \"auto\";\n"
                           "        backlog = 0;\n"
                           "    };\n"
                           "};\n");
    free(dump);
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

/* Load a text that is accepted, with these warnings. */
static struct conf *load_warned(const char *text, const char *expected)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    char *words = said(&errors);

    ck_assert_str_eq(words, expected);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(errors.fatal, 0);
    conf_errors_free(&errors);
    free(words);
    return conf;
}

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

#define FILLS ": each client would fill the rule up to max_connections\n"

START_TEST(rules_that_are_their_own_clients_are_warned_of)
{
    static const char *const own[][2] = {
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"*:80", "127.0.0.1:80"},
        {"*:80", "[::1]:80"},
        {"0.0.0.0:80", "127.9.9.9:80"},
        {"0.0.0.0:80", "0.0.0.0:80"},
        {"127.0.0.1:80", "0.0.0.0:80"},
        {"[::]:80", "[::1]:80"},
        {"[::1]:80", "[::]:80"},
        {"127.0.0.1:70-90", "127.0.0.1:80"},
        {"unix:/x", "unix:/x"},
        {"unix:@x", "unix:@x"},
    };

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        char text[256], expected[256];

        snprintf(text, sizeof(text), "rules = { a = { listen = \"%s\"; upstream = \"%s\"; }; };",
                 own[i][0], own[i][1]);
        snprintf(expected, sizeof(expected),
                 "c:1: warning: rule \"a\": upstream %s is its own listener" FILLS, own[i][1]);
        conf_unref(load_warned(text, expected));
    }
}
END_TEST

START_TEST(rules_that_send_clients_round_are_warned_of)
{
    conf_unref(load_warned(
        "rules = { a = { listen = \"*:80\"; upstream = \"127.0.0.1:81\"; };\n"
        " b = { listen = \"127.0.0.1:81\"; upstream = \"unix:/x\"; };\n"
        " c = { listen = \"unix:/x\"; upstream = \"127.0.0.1:80\"; };\n"
        " d = { listen = \"*:82\"; upstream = \"127.0.0.1:80\"; }; };",
        "c:1: warning: rule \"a\": upstream 127.0.0.1:81 is the listener at c:2, which leads back "
        "here" FILLS
        "c:2: warning: rule \"b\": upstream unix:/x is the listener at c:3, which leads back "
        "here" FILLS
        "c:3: warning: rule \"c\": upstream 127.0.0.1:80 is the listener at c:1, which leads back "
        "here" FILLS));
}
END_TEST

START_TEST(what_could_be_taken_for_a_loop_is_none)
{
    conf_unref(load("rules = {\n"
                    " a = { listen = \"*:80\"; upstream = \"192.0.2.1:80\"; };\n"
                    " b = { listen = \"0.0.0.0:81\"; upstream = \"[::1]:81\"; };\n"
                    " c = { listen = \"[::]:82\"; upstream = \"127.0.0.1:82\"; };\n"
                    " d = { listen = \"127.0.0.1:83\"; upstream = \"127.0.0.2:83\"; };\n"
                    " e = { listen = \"127.0.0.1:90-98\"; upstream = \"127.0.0.1:91-99\"; };\n"
                    " f = { listen = \"unix:/x\"; upstream = \"unix:@x\"; };\n"
                    " g = { listen = \"*:84\"; upstream = \"127.0.0.1:80\"; };\n"
                    "};"));
}
END_TEST

/* --- files --------------------------------------------------------------------------------- */

static char directory[64]; /* of the test under way; each test is a process of its own */

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    ck_assert_int_eq(fclose(out), 0);
}

static void enter_directory(void)
{
    strcpy(directory, "/tmp/penstock-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void leave_directory(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void expect_file_errors(const char *path, const char *expected)
{
    struct conf_errors errors;
    struct conf *conf = conf_load(path, &errors);
    char *words = said(&errors);

    ck_assert_str_eq(words, expected);
    ck_assert_ptr_null(conf);
    conf_errors_free(&errors);
    free(words);
}

START_TEST(files_that_are_none_are_named)
{
    ck_assert_int_eq(mkdir("dir.conf", 0777), 0);
    ck_assert_int_eq(symlink("loop.conf", "loop.conf"), 0);
    expect_file_errors("dir.conf", "dir.conf: this is a directory, a file is needed\n");
    expect_file_errors("loop.conf",
                       "loop.conf: can't be read: Too many levels of symbolic links\n");
    expect_file_errors("none.conf", "none.conf: can't be read: No such file or directory\n");
    expect_file_errors("no/dir/p.conf",
                       "no/dir/p.conf: can't be read: No such file or directory\n");
}
END_TEST

START_TEST(an_unreadable_file_is_named)
{
    write_file("p.conf", "rules = { " RULE_A " };");
    ck_assert_int_eq(chmod("p.conf", 0), 0);
    if (geteuid() == 0) /* for whom no file is unreadable */
        ck_assert_int_eq(chmod(directory, 0755) | seteuid(65534), 0);
    expect_file_errors("p.conf", "p.conf: can't be read: Permission denied\n");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(conf_d_is_read_in_name_order)
{
    struct conf_errors errors;
    struct conf *conf;

    ck_assert_int_eq(mkdir("conf.d", 0777), 0);
    write_file("p.conf", "defaults = { max_connections = 3; }; rules = { " RULE_A " };");
    write_file("conf.d/b.conf",
               "rules = { b = { listen = \"1.2.3.4:2\"; upstream = \"h:1\"; }; };");
    write_file("conf.d/B.conf",
               "rules = { B = { listen = \"1.2.3.4:3\"; upstream = \"h:1\"; }; };");
    write_file("conf.d/10.conf",
               "rules = { c = { listen = \"1.2.3.4:4\"; upstream = \"h:1\"; }; };");
    write_file("conf.d/.hidden.conf", "not read");
    write_file("conf.d/b.conf~", "not read");
    write_file("conf.d/.conf", "not read");
    conf = conf_load("p.conf", &errors);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(errors.count, 0);
    ck_assert_uint_eq(conf->rule_count, 4);
    ck_assert_str_eq(conf->rules[0].name, "a");
    ck_assert_str_eq(conf->rules[1].name, "c");
    ck_assert_str_eq(conf->rules[2].name, "B");
    ck_assert_str_eq(conf->rules[3].name, "b");
    ck_assert_str_eq(conf->rules[3].at.file, "./conf.d/b.conf");
    ck_assert_uint_eq(conf->rules[3].options.max_connections, 3);
    ck_assert_str_eq(conf->path, "p.conf");
    conf_errors_free(&errors);
    conf_unref(conf);
}
END_TEST

START_TEST(errors_of_all_files_are_said_in_their_order)
{
    char path[96], expected[1024];

    ck_assert_int_eq(mkdir("conf.d", 0777), 0);
    write_file("p.conf",
               "\nrules = { " RULE_A "\n broken \"here\" };\ndaemon = { engine = 1; };\n");
    write_file("conf.d/1.conf", "rules = {\n a = { listen = \"1.2.3.4:2\"; upstream = \"h:1\"; };\n"
                                " b = { listen = \"1.2.3.4:1\"; upstream = \"h:1\"; }; };");
    write_file("conf.d/2.conf", "daemon = {};\nrules = { c = ");
    ck_assert_int_eq(mkdir("conf.d/3.conf", 0777), 0);
    snprintf(path, sizeof(path), "%s/p.conf", directory);
    snprintf(expected, sizeof(expected),
             "%s/p.conf:3: syntax error, a text in quotes stands where none can, allowed: NAME = "
             "\"TEXT\";\n"
             "%s/p.conf:4: daemon: engine = 1: must be a word in quotes, allowed: \"auto\", "
             "\"select\", \"epoll\"\n"
             "%s/conf.d/1.conf:2: rule \"a\" is defined twice, first at %s/p.conf:2\n"
             "%s/conf.d/1.conf:3: rule \"b\": 1.2.3.4:1 is taken by 1.2.3.4:1 at %s/p.conf:2\n"
             "%s/conf.d/2.conf:2: \"{\" is never closed, \"}\" is missing\n"
             "%s/conf.d/3.conf: this is a directory, a file is needed\n",
             directory, directory, directory, directory, directory, directory, directory,
             directory);
    expect_file_errors(path, expected);
}
END_TEST

START_TEST(what_holds_for_all_rules_has_one_place)
{
    ck_assert_int_eq(mkdir("conf.d", 0777), 0);
    write_file("p.conf", "rules = { " RULE_A " };");
    write_file("conf.d/1.conf", "defaults = {};\ndaemon = {};");
    expect_file_errors(
        "p.conf", "./conf.d/1.conf:1: \"defaults\" is allowed only in the main file p.conf; "
                  "files in conf.d hold rules\n"
                  "./conf.d/1.conf:2: \"daemon\" is allowed only in the main file p.conf; files "
                  "in conf.d hold rules\n");
}
END_TEST

START_TEST(a_socket_s_directory_must_be_there)
{
    char text[512], expected[512];

    snprintf(text, sizeof(text),
             "rules = { a = { listen = [ \"unix:%s/x\",\n \"unix:%s/none/x\", \"unix:@x\" ];\n"
             " upstream = \"unix:/no/such/file\"; }; };",
             directory, directory);
    write_file("p.conf", text);
    snprintf(expected, sizeof(expected),
             "p.conf:2: rule \"a\": unix:%s/none/x: no directory %s/none: No such file or "
             "directory\n",
             directory, directory);
    expect_file_errors("p.conf", expected);
}
END_TEST

START_TEST(users_that_are_not_there_are_warned_of)
{
    struct conf_errors errors;
    struct conf *conf;
    char *words;

    write_file("p.conf", "daemon = { user = \"no-such\";\n  group = \"root\"; };\n"
                         "defaults = { socket_owner = \"root\";\n socket_group = \"not-any\"; };\n"
                         "rules = { a = { listen = { address = \"unix:@x\";\n"
                         "  socket_owner = \"nor-she\"; }; upstream = \"h:1\";\n"
                         "  socket_group = \"nor-they\"; }; };");
    conf = conf_load("p.conf", &errors);
    ck_assert_ptr_nonnull(conf);
    words = said(&errors);
    ck_assert_str_eq(
        words,
        "p.conf:1: warning: daemon: user = \"no-such\": this machine has no such user\n"
        "p.conf:4: warning: defaults: socket_group = \"not-any\": this machine has no such "
        "group\n"
        "p.conf:6: warning: rule \"a\": socket_owner = \"nor-she\": this machine has no such "
        "user\n"
        "p.conf:6: warning: rule \"a\": socket_owner has no effect, this address is no "
        "unix:/path\n"
        "p.conf:7: warning: rule \"a\": socket_group = \"nor-they\": this machine has no such "
        "group\n"
        "p.conf:7: warning: rule \"a\": socket_group has no effect, the rule has no "
        "unix:/path to listen on\n");
    ck_assert_str_eq(conf_daemon_place(conf, "group").file, "p.conf");
    ck_assert_uint_eq(conf_daemon_place(conf, "group").line, 2);
    ck_assert_str_eq(conf_daemon_place(conf, "engine").file, "default");
    ck_assert_uint_eq(conf_daemon_place(conf, "engine").line, 0);
    conf_errors_free(&errors);
    conf_unref(conf);
    free(words);
}
END_TEST

/* --- size ---------------------------------------------------------------------------------- */

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
    tcase_add_test(tcase, sessions_may_be_given_no_time_to_drain);
    tcase_add_test(tcase, a_snapshot_lives_as_long_as_it_is_referred_to);
    tcase_add_test(tcase, descriptors_are_two_a_session_and_one_a_listener);
    tcase_add_test(tcase, what_could_be_taken_for_a_conflict_is_none);
    tcase_add_test(tcase, a_byte_order_mark_is_no_text);
    tcase_add_test(tcase, options_without_effect_are_warned_of);
    tcase_add_test(tcase, rules_that_are_their_own_clients_are_warned_of);
    tcase_add_test(tcase, rules_that_send_clients_round_are_warned_of);
    tcase_add_test(tcase, what_could_be_taken_for_a_loop_is_none);
    tcase_add_test(tcase, ten_thousand_rules_are_read);
    tcase_set_timeout(tcase, 60);
    return tcase;
}

static TCase *files_case(void)
{
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, enter_directory, leave_directory);
    tcase_add_test(tcase, files_that_are_none_are_named);
    tcase_add_test(tcase, an_unreadable_file_is_named);
    tcase_add_test(tcase, conf_d_is_read_in_name_order);
    tcase_add_test(tcase, errors_of_all_files_are_said_in_their_order);
    tcase_add_test(tcase, what_holds_for_all_rules_has_one_place);
    tcase_add_test(tcase, a_socket_s_directory_must_be_there);
    tcase_add_test(tcase, users_that_are_not_there_are_warned_of);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("conf");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, texts_case());
    suite_add_tcase(suite, files_case());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
