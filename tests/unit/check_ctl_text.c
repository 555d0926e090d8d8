/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <jansson.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/human.h"
#include "ctl/text.h"
#include "ctl/value.h"
#include "suite.h"

static void use_utf8(void)
{
    ck_assert(setlocale(LC_CTYPE, "C.UTF-8") || setlocale(LC_CTYPE, "en_US.UTF-8"));
}

static const struct {
    const char *text, *safe;
    size_t width;
} texts[] = {
    {"", "", 0},
    {"web-1_*", "web-1_*", 7},
    {"a b", "a b", 3},
    {"\033[2J", "\\x1b[2J", 7},
    {"a\nb\rc\td", "a\\nb\\rc\\td", 10},
    {"back\\slash", "back\\\\slash", 11},
    {"\177", "\\x7f", 4},
    {"h\303\251", "h\303\251", 2},
    {"\346\227\245\346\234\254", "\346\227\245\346\234\254", 4}, /* two columns each */
    {"e\314\201", "e\314\201", 1},                               /* with a combining accent */
    {"\302\233"
     "31m",
     "\\u009b31m", 9},                  /* CSI in one character */
    {"a\342\200\256b", "a\\u202eb", 8}, /* right to left from here */
    {"\342\200\213", "\\u200b", 6},     /* of no width */
    {"\357\273\277", "\\ufeff", 6},
    {"\363\240\201\201", "\\U000e0041", 10},
    /* what is not UTF-8 (RFC 3629) */
    {"\377", "\\xff", 4},
    {"\300\200", "\\xc0\\x80", 8},
    {"\340\200\200", "\\xe0\\x80\\x80", 12},
    {"\355\240\200", "\\xed\\xa0\\x80", 12},
    {"\364\220\200\200", "\\xf4\\x90\\x80\\x80", 16},
    {"\365\200\200\200", "\\xf5\\x80\\x80\\x80", 16},
    {"\303", "\\xc3", 4},
    {"\346\227", "\\xe6\\x97", 8},
    {"\346\227x", "\\xe6\\x97x", 9},
};

START_TEST(texts_are_made_safe)
{
    use_utf8();
    char *safe = text_safe(texts[_i].text);

    ck_assert_str_eq(safe, texts[_i].safe);
    ck_assert_uint_eq(text_width(safe), texts[_i].width);
    free(safe);
}
END_TEST

START_TEST(without_utf8_all_is_ascii)
{
    setlocale(LC_CTYPE, "C");
    char *safe = text_safe("h\303\251 \360\237\230\200");

    ck_assert_str_eq(safe, "h\\u00e9 \\U0001f600");
    free(safe);
}
END_TEST

/* U+00DB prints, and of its two bytes the second is CSI to a terminal that knows no UTF-8. */
START_TEST(an_8_bit_terminal_gets_ascii)
{
    static const char *const locales[] = {"C.UTF-8", "en_US.UTF-8", "en_US.ISO-8859-1",
                                          "de_DE.ISO-8859-1"};

    for (size_t i = 0; i < COUNT_OF(locales); i++) {
        if (!setlocale(LC_CTYPE, locales[i]))
            continue;
        char *plain = text_safe_for("\303\233"
                                    "31m",
                                    false),
             *own = text_safe("\303\233");
        ck_assert_str_eq(plain, "\\u00db31m");
        ck_assert_str_eq(own, text_is_utf8() ? "\303\233" : "\\u00db");
        free(plain);
        free(own);
    }
}
END_TEST

/* Every byte value, and all bytes together: nothing but what prints is left. */
START_TEST(no_byte_gets_through)
{
    char all[256] = "", one[2] = "";

    setlocale(LC_CTYPE, "C");
    for (int i = 1; i < 256; i++) {
        one[0] = (char)i;
        all[i - 1] = (char)i;
        char *safe = text_safe(one);
        ck_assert_uint_eq(strspn(safe, "\\") > 0, i < ' ' || i > '~' || i == '\\');
        free(safe);
    }
    char *safe = text_safe(all);
    for (const char *p = safe; *p; p++)
        ck_assert(*p >= ' ' && *p <= '~');
    free(safe);
}
END_TEST

START_TEST(a_text_fits_by_whole_characters)
{
    size_t used;

    use_utf8();
    ck_assert_uint_eq(text_fit("\346\227\245\346\234\254x", 3, &used), 3);
    ck_assert_uint_eq(used, 2);
    ck_assert_uint_eq(text_fit("\346\227\245\346\234\254x", 4, &used), 6);
    ck_assert_uint_eq(used, 4);
    ck_assert_uint_eq(text_fit("e\314\201x", 1, &used), 3);
    ck_assert_uint_eq(used, 1);
    ck_assert_uint_eq(text_fit("abc", 0, &used), 0);
    ck_assert_uint_eq(text_fit("abc", 9, &used), 3);
    ck_assert_uint_eq(used, 3);
}
END_TEST

static const struct {
    int64_t bytes;
    const char *text;
} sizes[] = {
    {0, "0 B"},
    {-1, "0 B"},
    {1, "1 B"},
    {1023, "1023 B"},
    {1024, "1.0 KiB"},
    {1075, "1.0 KiB"},
    {1076, "1.1 KiB"},
    {12897485, "12.3 MiB"},
    {1048524, "1023.9 KiB"},
    {1048525, "1.0 MiB"},
    {1048576, "1.0 MiB"},
    {INT64_C(1) << 40, "1.0 TiB"},
    {INT64_C(1) << 60, "1.0 EiB"},
    {INT64_MAX, "8.0 EiB"},
};

START_TEST(sizes_are_readable)
{
    char text[HUMAN_MAX];

    ck_assert_str_eq(human_size(text, sizes[_i].bytes), sizes[_i].text);
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} spans[] = {
    {-5, "0ms"},        {0, "0ms"},         {999, "999ms"},      {1000, "1s"},
    {59999, "59s"},     {60000, "1m00s"},   {192000, "3m12s"},   {3599999, "59m59s"},
    {3600000, "1h00m"}, {7500000, "2h05m"}, {86400000, "1d00h"}, {INT64_MAX, "106751991167d07h"},
};

START_TEST(spans_are_readable)
{
    char text[HUMAN_MAX];

    ck_assert_str_eq(human_span(text, spans[_i].ms), spans[_i].text);
}
END_TEST

START_TEST(times_are_those_of_here)
{
    char text[HUMAN_MAX];

    setenv("TZ", "UTC0", 1);
    tzset();
    ck_assert_str_eq(human_clock(text, INT64_C(1700000000999)), "22:13:20");
    ck_assert_str_eq(human_date(text, INT64_C(1700000000999)), "2023-11-14 22:13:20");
    setenv("TZ", "XYZ-2", 1);
    tzset();
    ck_assert_str_eq(human_date(text, INT64_C(1700000000999)), "2023-11-15 00:13:20");
}
END_TEST

START_TEST(numbers_have_bounds)
{
    json_t *body = json_pack("{s:I,s:I,s:{s:I,s:I}}", "most", (json_int_t)INT64_MAX, "least",
                             (json_int_t)INT64_MIN, "words", "a", (json_int_t)INT64_MAX, "b",
                             (json_int_t)INT64_MAX);

    ck_assert_int_eq(value_number(body, "most"), VALUE_MOST);
    ck_assert_int_eq(value_number(body, "least"), -VALUE_MOST);
    ck_assert_int_eq(value_number(body, "none"), 0);
    ck_assert_int_eq(value_sum(body, "words"), VALUE_MOST);
    ck_assert_int_eq(value_add(INT64_MIN, INT64_MIN), -VALUE_MOST);
    ck_assert_int_eq(value_add(40, 2), 42);
    ck_assert_int_eq(value_rate(INT64_MAX, 1), VALUE_MOST);
    ck_assert_int_eq(value_rate(3, 2000), 2);
    json_decref(body);
}
END_TEST

static void expect_joined(const char *json, const char *key, const char *text)
{
    json_t *list = json_loads(json, JSON_DECODE_ANY, NULL);
    char *joined;

    ck_assert_ptr_nonnull(list);
    joined = value_joined(list, key);
    ck_assert_str_eq(joined, text);
    free(joined);
    json_decref(list);
}

START_TEST(lists_are_joined)
{
    expect_joined("[]", NULL, "");
    expect_joined("[\"a\"]", NULL, "a");
    expect_joined("[\"a\", 3, \"\", \"b\"]", NULL, "a,-,,b");
    expect_joined("[{\"k\": \"a\"}, {}, \"x\", {\"k\": \"b\"}]", "k", "a,-,-,b");
    expect_joined("{\"k\": \"a\"}", "k", "");
}
END_TEST

START_TEST(a_long_list_is_joined)
{
    json_t *list = json_array();
    char *joined, *at, one[32];

    for (int i = 0; i < 100000; i++) {
        snprintf(one, sizeof(one), "127.0.0.1:%d", i);
        json_array_append_new(list, json_pack("{s:s}", "address", one));
    }
    joined = at = value_joined(list, "address");
    for (int i = 0; i < 100000; i++) {
        snprintf(one, sizeof(one), "%s127.0.0.1:%d", i > 0 ? "," : "", i);
        ck_assert(strncmp(at, one, strlen(one)) == 0);
        at += strlen(one);
    }
    ck_assert_int_eq(*at, '\0');
    free(joined);
    json_decref(list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_text");
    TCase *tcase = tcase_create("ctl_text");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, texts_are_made_safe, 0, (int)COUNT_OF(texts));
    tcase_add_test(tcase, without_utf8_all_is_ascii);
    tcase_add_test(tcase, an_8_bit_terminal_gets_ascii);
    tcase_add_test(tcase, no_byte_gets_through);
    tcase_add_test(tcase, numbers_have_bounds);
    tcase_add_test(tcase, lists_are_joined);
    tcase_add_test(tcase, a_long_list_is_joined);
    tcase_add_test(tcase, a_text_fits_by_whole_characters);
    tcase_add_loop_test(tcase, sizes_are_readable, 0, (int)COUNT_OF(sizes));
    tcase_add_loop_test(tcase, spans_are_readable, 0, (int)COUNT_OF(spans));
    tcase_add_test(tcase, times_are_those_of_here);
    return suite_run(suite);
}
