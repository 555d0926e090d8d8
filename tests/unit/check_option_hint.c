/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of the name of an option that there is not. */
#include "config.h"

#include <check.h>
#include <stdio.h>

#include "conf/options.h"
#include "suite.h"

static void hints(enum option_where where, const char *const *more, const char *name,
                  const char *wanted)
{
    char hint[OPTION_HINT_MAX];

    ck_assert_int_lt(option_print_hint(where, more, name, hint, sizeof(hint)), (int)sizeof(hint));
    ck_assert_str_eq(hint, wanted);
}

static void means(enum option_where where, const char *const *more, const char *name,
                  const char *known)
{
    char wanted[OPTION_HINT_MAX];

    snprintf(wanted, sizeof(wanted), "the nearest known one is \"%s\"", known);
    hints(where, more, name, wanted);
}

START_TEST(the_nearest_name_is_the_one_meant)
{
    static const char *const groups[] = {"daemon", "defaults", "rules", NULL};
    static const char *const more[] = {"listen", "upstream", NULL};

    means(IN_RULE, more, "max_conections", "max_connections");
    means(IN_RULE, more, "listn", "listen");
    means(IN_RULE, more, "connect_timout", "connect_timeout");
    means(IN_RULE, more, "on_changed", "on_change");
    means(IN_DAEMON, NULL, "logformat", "log_format");
    means(IN_LISTEN, NULL, "socketmode", "socket_mode");
    means(WHERE_COUNT, groups, "rule", "rules");
}
END_TEST

START_TEST(what_is_near_to_none_is_told_them_all)
{
    static const char *const groups[] = {"daemon", "defaults", "rules", NULL};

    hints(WHERE_COUNT, groups, "include", "allowed: daemon, defaults, rules");
    hints(WHERE_COUNT, groups, "", "allowed: daemon, defaults, rules");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option hint");
    TCase *tcase = tcase_create("option hint");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, the_nearest_name_is_the_one_meant);
    tcase_add_test(tcase, what_is_near_to_none_is_told_them_all);
    return suite_run(suite);
}
