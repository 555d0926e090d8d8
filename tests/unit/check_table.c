/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "suite.h"

#define MANY 20000

START_TEST(it_finds_what_was_put_in_and_nothing_else)
{
    struct table *t = table_new();
    int one, two;

    ck_assert_ptr_nonnull(t);
    ck_assert_ptr_null(table_find(t, "a"));
    ck_assert_int_eq(table_insert(t, "a", &one), 0);
    ck_assert_int_eq(table_insert(t, "", &two), 0);
    ck_assert_ptr_eq(table_find(t, "a"), &one);
    ck_assert_ptr_eq(table_find(t, ""), &two);
    ck_assert_ptr_null(table_find(t, "A"));
    ck_assert_uint_eq(table_count(t), 2);
    table_free(t);
}
END_TEST

START_TEST(a_key_is_taken_once)
{
    struct table *t = table_new();
    int one, two;

    ck_assert_int_eq(table_insert(t, "a", &one), 0);
    ck_assert_int_eq(table_insert(t, "a", &two), -EEXIST);
    ck_assert_ptr_eq(table_find(t, "a"), &one);
    ck_assert_uint_eq(table_count(t), 1);
    table_free(t);
    table_free(NULL);
}
END_TEST

START_TEST(what_is_removed_is_gone_and_can_come_back)
{
    struct table *t = table_new();
    int one, two;

    ck_assert_ptr_null(table_remove(t, "a"));
    ck_assert_int_eq(table_insert(t, "a", &one), 0);
    ck_assert_ptr_eq(table_remove(t, "a"), &one);
    ck_assert_ptr_null(table_remove(t, "a"));
    ck_assert_ptr_null(table_find(t, "a"));
    ck_assert_uint_eq(table_count(t), 0);
    ck_assert_int_eq(table_insert(t, "a", &two), 0);
    ck_assert_ptr_eq(table_find(t, "a"), &two);
    table_free(t);
}
END_TEST

static void count_visit(const char *key, void *value, void *arg)
{
    unsigned *visits = arg;

    ck_assert_str_eq(key, value);
    visits[atoi(key)]++;
}

START_TEST(it_grows_and_loses_nothing)
{
    struct table *t = table_new();
    char(*keys)[12] = calloc(MANY, sizeof(*keys));
    unsigned *visits = calloc(MANY, sizeof(*visits));

    ck_assert_ptr_nonnull(keys);
    ck_assert_ptr_nonnull(visits);
    for (int i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        ck_assert_int_eq(table_insert(t, keys[i], keys[i]), 0);
    }
    for (int i = 0; i < MANY; i += 3)
        ck_assert_ptr_eq(table_remove(t, keys[i]), keys[i]);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            ck_assert_ptr_null(table_find(t, keys[i]));
        else
            ck_assert_ptr_eq(table_find(t, keys[i]), keys[i]);
    }
    table_each(t, count_visit, visits);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(visits[i], i % 3 == 0 ? 0 : 1);
    ck_assert_uint_eq(table_count(t), MANY - (MANY + 2) / 3);
    table_free(t);
    free(keys);
    free(visits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, it_finds_what_was_put_in_and_nothing_else);
    tcase_add_test(tcase, a_key_is_taken_once);
    tcase_add_test(tcase, what_is_removed_is_gone_and_can_come_back);
    tcase_add_test(tcase, it_grows_and_loses_nothing);
    return suite_run(suite);
}
