/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "suite.h"

START_TEST(it_gives_back_what_was_put_in)
{
    struct buf b = {0};

    ck_assert_uint_eq(buf_size(&b), 0);
    ck_assert_int_eq(buf_fill(&b, "penstock", 8), 0);
    ck_assert_uint_eq(buf_size(&b), 8);
    ck_assert_mem_eq(buf_bytes(&b), "penstock", 8);
    buf_consume(&b, 3);
    ck_assert_uint_eq(buf_size(&b), 5);
    ck_assert_mem_eq(buf_bytes(&b), "stock", 5);
    buf_clear(&b);
    ck_assert_uint_eq(buf_size(&b), 0);
}
END_TEST

START_TEST(empty_it_owns_nothing)
{
    struct buf b = {0};

    ck_assert_int_eq(buf_fill(&b, "x", 0), 0);
    ck_assert_ptr_null(b.data);
    ck_assert_int_eq(buf_fill(&b, "abc", 3), 0);
    buf_consume(&b, 0);
    ck_assert_uint_eq(buf_size(&b), 3);
    buf_consume(&b, 3);
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(buf_size(&b), 0);
}
END_TEST

START_TEST(it_is_filled_only_when_empty)
{
    struct buf b = {0};

    ck_assert_int_eq(buf_fill(&b, "abc", 3), 0);
    ck_assert_int_eq(buf_fill(&b, "def", 3), -EINVAL);
    ck_assert_mem_eq(buf_bytes(&b), "abc", 3);
    buf_clear(&b);
    ck_assert_int_eq(buf_fill(&b, "def", 3), 0);
    buf_clear(&b);
}
END_TEST

START_TEST(memory_is_taken_as_it_is)
{
    struct buf b = {0};
    char *bytes = malloc(8);

    memcpy(bytes, "penstock", 8);
    ck_assert_int_eq(buf_take(&b, bytes, 0), -EINVAL);
    ck_assert_int_eq(buf_take(&b, bytes, BUF_MAX + 1), -EINVAL);
    ck_assert_int_eq(buf_take(&b, bytes, 8), 0);
    ck_assert_ptr_eq(buf_bytes(&b), bytes);
    ck_assert_uint_eq(buf_size(&b), 8);
    ck_assert_int_eq(buf_take(&b, bytes, 8), -EINVAL);
    buf_consume(&b, 8); /* and frees it */
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(it_has_a_hard_maximum)
{
    struct buf b = {0};
    char *much = calloc(1, BUF_MAX + 1);

    ck_assert_ptr_nonnull(much);
    ck_assert_int_eq(buf_fill(&b, much, BUF_MAX + 1), -EINVAL);
    ck_assert_uint_eq(buf_size(&b), 0);
    ck_assert_int_eq(buf_fill(&b, much, BUF_MAX), 0);
    ck_assert_uint_eq(buf_size(&b), BUF_MAX);
    buf_clear(&b);
    free(much);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, it_gives_back_what_was_put_in);
    tcase_add_test(tcase, empty_it_owns_nothing);
    tcase_add_test(tcase, it_is_filled_only_when_empty);
    tcase_add_test(tcase, it_has_a_hard_maximum);
    tcase_add_test(tcase, memory_is_taken_as_it_is);
    return suite_run(suite);
}
