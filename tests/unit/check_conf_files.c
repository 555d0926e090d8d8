/* SPDX-License-Identifier: BSD-2-Clause */
/* The config: which files it is read from, and what it asks of the machine. */
#include "config.h"

#include <check.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_words.h"
#include "suite.h"

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

/* Nobody writes to it: who opened it to read would wait for ever. */
START_TEST(a_pipe_in_conf_d_is_not_waited_for)
{
    ck_assert_int_eq(mkdir("conf.d", 0777), 0);
    write_file("p.conf", "rules = { " RULE_A " };");
    ck_assert_int_eq(mkfifo("conf.d/1.conf", 0666), 0);
    ck_assert_int_eq(symlink("/dev/null", "conf.d/2.conf"), 0);
    expect_file_errors("p.conf", "./conf.d/1.conf: this is no regular file, one is needed\n"
                                 "./conf.d/2.conf: this is no regular file, one is needed\n");
}
END_TEST

/* As of `... | penstockd --config /dev/stdin`. */
START_TEST(the_main_file_may_be_a_pipe)
{
    static const char text[] = "rules = { " RULE_A " };";
    struct conf_errors errors;
    struct conf *conf;
    int ends[2];
    char path[32];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    conf = conf_load(path, &errors);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(conf->rule_count, 1);
    conf_errors_free(&errors);
    conf_unref(conf);
    close(ends[0]);
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

START_TEST(interfaces_that_are_not_there_are_warned_of)
{
    struct conf_errors errors;
    struct conf *conf;
    char *words;

    write_file("p.conf",
               "rules = { a = { listen = ( \"udp:*:24200\",\n"
               "  { address = \"udp:239.1.2.3:24201\";\n"
               "    interface = \"no-such0\"; } );\n"
               "  interface = [ \"lo\",\n"
               "    \"no-such1\" ];\n"
               "  upstream = { address = \"239.1.2.3:24202\"; interface = \"no-such2\"; }; }; };");
    conf = conf_load("p.conf", &errors);
    ck_assert_ptr_nonnull(conf);
    words = said(&errors);
#define NO_INTERFACE "this machine has no such interface now, or it is down\n"
    ck_assert_str_eq(words,
                     "p.conf:3: warning: rule \"a\": interface = \"no-such0\": " NO_INTERFACE
                     "p.conf:5: warning: rule \"a\": interface = \"no-such1\": " NO_INTERFACE
                     "p.conf:6: warning: rule \"a\": interface = \"no-such2\": " NO_INTERFACE);
    conf_errors_free(&errors);
    conf_unref(conf);
    free(words);
}
END_TEST

/* The rules' names, with their files, of a config as if it was edited so. */
static char *edited(const char *name, const char *text)
{
    struct conf_edit edit = {name, text};
    struct conf_errors errors;
    struct conf *conf = conf_load_edited("p.conf", &edit, &errors);
    char *names = conf == NULL ? said(&errors) : strdup(""), *more;

    for (size_t i = 0; conf != NULL && i < conf->rule_count; i++) {
        ck_assert_int_gt(asprintf(&more, "%s%s at %s:%u\n", names, conf->rules[i].name,
                                  conf->rules[i].at.file, conf->rules[i].at.line),
                         0);
        free(names);
        names = more;
    }
    conf_errors_free(&errors);
    conf_unref(conf);
    return names;
}

static void expect_edited(const char *name, const char *text, const char *expected)
{
    char *names = edited(name, text);

    ck_assert_str_eq(names, expected);
    free(names);
}

#define RULE_B "\nrules = { b = { listen = \"1.2.3.4:2\"; upstream = \"h:1\"; }; };"
#define RULE_C "rules = { c = { listen = \"1.2.3.4:3\"; upstream = \"h:1\"; }; };"

START_TEST(a_file_is_looked_at_before_it_is_there)
{
    write_file("p.conf", "rules = { " RULE_A " };");
    expect_edited("b.conf", RULE_B, "a at p.conf:1\nb at ./conf.d/b.conf:2\n");
    expect_edited("b.conf", NULL, "a at p.conf:1\n");
    ck_assert_int_eq(mkdir("conf.d", 0777), 0);
    write_file("conf.d/c.conf", RULE_C);
    expect_edited("b.conf", RULE_B,
                  "a at p.conf:1\nb at ./conf.d/b.conf:2\nc at ./conf.d/c.conf:1\n");
    expect_edited("d.conf", RULE_B,
                  "a at p.conf:1\nc at ./conf.d/c.conf:1\nb at ./conf.d/d.conf:2\n");
    expect_edited("c.conf", RULE_B, "a at p.conf:1\nb at ./conf.d/c.conf:2\n");
    expect_edited("c.conf", NULL, "a at p.conf:1\n");
    expect_edited("d.conf", RULE_C,
                  "./conf.d/d.conf:1: rule \"c\" is defined twice, first at ./conf.d/c.conf:1\n"
                  "./conf.d/d.conf:1: rule \"c\": 1.2.3.4:3 is taken by 1.2.3.4:3 at "
                  "./conf.d/c.conf:1\n");
    expect_edited("d.conf", "rules = 5;",
                  "./conf.d/d.conf:1: \"rules\" must be a group: rules = { ... };\n");
    ck_assert_int_ne(access("conf.d/d.conf", F_OK), 0);
}
END_TEST

static TCase *files_case(void)
{
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, enter_directory, leave_directory);
    tcase_add_test(tcase, files_that_are_none_are_named);
    tcase_add_test(tcase, a_pipe_in_conf_d_is_not_waited_for);
    tcase_add_test(tcase, the_main_file_may_be_a_pipe);
    tcase_add_test(tcase, an_unreadable_file_is_named);
    tcase_add_test(tcase, conf_d_is_read_in_name_order);
    tcase_add_test(tcase, errors_of_all_files_are_said_in_their_order);
    tcase_add_test(tcase, what_holds_for_all_rules_has_one_place);
    tcase_add_test(tcase, a_socket_s_directory_must_be_there);
    tcase_add_test(tcase, a_file_is_looked_at_before_it_is_there);
    tcase_add_test(tcase, users_that_are_not_there_are_warned_of);
    tcase_add_test(tcase, interfaces_that_are_not_there_are_warned_of);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("conf files");

    suite_add_tcase(suite, files_case());
    return suite_run(suite);
}
