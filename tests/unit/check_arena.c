/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "suite.h"

START_TEST(what_it_gives_is_zeroed_aligned_and_apart)
{
    struct arena *a = arena_new();
    unsigned char *before = NULL;

    ck_assert_ptr_nonnull(a);
    for (size_t size = 1; size < 50000; size = size * 5 / 3 + 1) {
        unsigned char *p = arena_alloc(a, size);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(p[i], 0);
        memset(p, 0xa5, size);
        if (before != NULL)
            ck_assert_uint_eq(before[0], 0xa5);
        before = p;
    }
    arena_free(a);
}
END_TEST

START_TEST(texts_are_copied_and_formatted)
{
    struct arena *a = arena_new();
    char text[] = "penstock";
    char *copy = arena_strdup(a, text);

    text[0] = 'X';
    ck_assert_str_eq(copy, "penstock");
    ck_assert_str_eq(arena_printf(a, "%s:%d", copy, 80), "penstock:80");
    ck_assert_uint_eq(strlen(arena_printf(a, "%100000d", 1)), 100000);
    ck_assert_str_eq(copy, "penstock");
    arena_free(a);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    struct arena *a = arena_new();

    ck_assert_ptr_null(arena_array(a, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX - 8));
    ck_assert_ptr_nonnull(arena_array(a, 10, 4));
    ck_assert_ptr_nonnull(arena_alloc(a, 0));
    arena_free(a);
    arena_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, what_it_gives_is_zeroed_aligned_and_apart);
    tcase_add_test(tcase, texts_are_copied_and_formatted);
    tcase_add_test(tcase, sizes_that_overflow_are_refused);
    return suite_run(suite);
}
