/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "ctl/args.h"
#include "ctl/commands.h"
#include "ctl/query.h"
#include "suite.h"

#define WORDS_MAX 16

/* The words of a line, which must outlive what is made of them. */
static bool parse(struct args *a, char *line)
{
    char *words[WORDS_MAX] = {NULL}, *rest = line;
    int count = 0;

    for (char *word; (word = strsep(&rest, " "));) {
        ck_assert_int_lt(count, WORDS_MAX - 1);
        words[count++] = word;
    }
    optind = 0; /* getopt_long(3): begin anew */
    return args_parse(a, commands, count, words);
}

START_TEST(options_stand_anywhere)
{
    char line[] = "penstock --socket /s sessions --rule web --limit=5 --client 10.0.0.0/8 --json "
                  "--watch=500ms --older 1h";
    struct args a;

    ck_assert(parse(&a, line));
    ck_assert_str_eq(a.command->name, "sessions");
    ck_assert_ptr_null(a.operand);
    ck_assert_str_eq(a.socket, "/s");
    ck_assert_str_eq(a.rule, "web");
    ck_assert_str_eq(a.client, "10.0.0.0/8");
    ck_assert_str_eq(a.older, "1h");
    ck_assert_uint_eq(a.limit, 5);
    ck_assert_int_eq(a.watch_ms, 500);
    ck_assert(a.given & TAKES_JSON);
    ck_assert(!a.no_color);
}
END_TEST

START_TEST(what_is_not_given_has_a_default)
{
    char line[] = "penstock status", watch[] = "penstock status --watch";
    char wait[] = "penstock wait-ready", reload[] = "penstock reload";
    char soon[] = "penstock rules --timeout 1s";
    char top[] = "penstock top", often[] = "penstock top --interval 250ms";
    struct args a;

    unsetenv("PENSTOCK_SOCKET");
    ck_assert(parse(&a, line));
    ck_assert_str_eq(a.socket, CONF_CONTROL_DEFAULT);
    ck_assert_int_eq(a.watch_ms, 0);
    ck_assert_uint_eq(a.limit, UINT64_MAX);
    ck_assert_int_eq(a.timeout_ms, 10000);
    ck_assert(parse(&a, wait));
    ck_assert_int_eq(a.timeout_ms, 30000);
    ck_assert(parse(&a, reload));
    ck_assert_int_eq(a.timeout_ms, 0);
    ck_assert(parse(&a, soon));
    ck_assert_int_eq(a.timeout_ms, 1000);
    setenv("PENSTOCK_SOCKET", "/of/the/environment", 1);
    ck_assert(parse(&a, watch));
    ck_assert_str_eq(a.socket, "/of/the/environment");
    ck_assert_int_eq(a.watch_ms, 2000);
    ck_assert(parse(&a, top));
    ck_assert_int_eq(a.interval_ms, 1000);
    ck_assert(parse(&a, often));
    ck_assert_int_eq(a.interval_ms, 250);
}
END_TEST

START_TEST(a_name_may_look_like_an_option)
{
    char line[] = "penstock pause -- --all";
    struct args a;

    ck_assert(parse(&a, line));
    ck_assert_str_eq(a.operand, "--all");
}
END_TEST

START_TEST(help_needs_nothing_else)
{
    char all[] = "penstock --help", one[] = "penstock show --help", version[] = "penstock -V";
    struct args a;

    ck_assert(parse(&a, all));
    ck_assert(a.help && !a.command);
    ck_assert(parse(&a, one));
    ck_assert(a.help);
    ck_assert_str_eq(a.command->name, "show");
    ck_assert(parse(&a, version));
    ck_assert(a.version);
}
END_TEST

#define TRY "Try 'penstock --help'.\n"

static const struct {
    const char *line, *said;
} wrong[] = {
    {"penstock", "penstock: which command?\n"},
    {"penstock frob", "penstock: there is no command \"frob\"\n"},
    {"penstock fr\033[1mob", "penstock: there is no command \"fr\\x1b[1mob\"\n"},
    {"penstock status --frob", "penstock: unrecognized option '--frob'\n"},
    {"penstock status web", "penstock: status: unexpected argument \"web\"\n"},
    {"penstock show 1 2", "penstock: show: unexpected argument \"2\"\n"},
    {"penstock show", "penstock: show needs ID\n"},
    {"penstock pause", "penstock: pause needs RULE\n"},
    {"penstock add x 80", "penstock: add needs NAME LISTEN UPSTREAM\n"},
    {"penstock rules --sort age", "penstock: rules has no option --sort\n"},
    {"penstock pause web --watch", "penstock: pause has no option --watch\n"},
    {"penstock check --json", "penstock: check has no option --json\n"},
    {"penstock sessions --limit 0", "penstock: --limit \"0\": allowed: a whole number from 1 on\n"},
    {"penstock sessions --limit -1",
     "penstock: --limit \"-1\": allowed: a whole number from 1 on\n"},
    {"penstock sessions --limit 99999999999999999999",
     "penstock: --limit \"99999999999999999999\": allowed: a whole number from 1 on\n"},
    {"penstock rules --watch=1ms", "penstock: --watch \"1ms\": allowed: 100ms to 1d\n"},
    {"penstock top --interval 5ms", "penstock: --interval \"5ms\": allowed: 100ms to 1d\n"},
    {"penstock top --json", "penstock: top has no option --json\n"},
    {"penstock wait-ready --timeout 5m",
     "penstock: --timeout \"5m\": unknown unit, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\")\n"},
};

START_TEST(what_is_wrong_is_said)
{
    char line[128], said[512], expected[512], path[] = "/tmp/check_ctl_args.XXXXXX";
    struct args a;
    size_t size;

    snprintf(line, sizeof(line), "%s", wrong[_i].line);
    snprintf(expected, sizeof(expected), "%s" TRY, wrong[_i].said);
    ck_assert_int_ge(mkstemp(path), 0);
    FILE *file = freopen(path, "w+", stderr);
    ck_assert_ptr_nonnull(file);
    remove(path);
    ck_assert(!parse(&a, line));
    rewind(file);
    size = fread(said, 1, sizeof(said) - 1, file);
    said[size] = '\0';
    ck_assert_str_eq(said, expected);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_refused)
{
    char line[160], path[109];
    struct args a;

    memset(path, 'x', sizeof(path));
    path[108] = '\0';
    snprintf(line, sizeof(line), "penstock --socket %s status", path);
    ck_assert(!parse(&a, line));
    path[107] = '\0';
    snprintf(line, sizeof(line), "penstock --socket %s status", path);
    ck_assert(parse(&a, line));
}
END_TEST

START_TEST(a_query_is_encoded)
{
    struct query q;
    char *text;

    query_begin(&q, "/v1/sessions");
    query_add(&q, "rule", "a&b=c /?#%\303\251");
    query_add(&q, "client", NULL);
    query_number(&q, "limit", 7);
    text = query_end(&q);
    ck_assert_str_eq(text, "/v1/sessions?rule=a%26b%3Dc%20%2F%3F%23%25%C3%A9&limit=7");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_args");
    TCase *tcase = tcase_create("ctl_args");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, options_stand_anywhere);
    tcase_add_test(tcase, what_is_not_given_has_a_default);
    tcase_add_test(tcase, a_name_may_look_like_an_option);
    tcase_add_test(tcase, help_needs_nothing_else);
    tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, (int)COUNT_OF(wrong));
    tcase_add_test(tcase, a_path_too_long_for_a_socket_is_refused);
    tcase_add_test(tcase, a_query_is_encoded);
    return suite_run(suite);
}
