/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "suite.h"

#define DURATION "allowed: a whole number and ms, s, min, h or d (\"250ms\", \"10min\")"
#define SIZE     "allowed: a whole number and nothing, K, M or G (\"1500\", \"16K\")"

static const struct {
    const char *text;
    int64_t ms;
    const char *printed;
} durations[] = {
    {"250ms", 250, "250ms"},
    {"5s", 5000, "5s"},
    {"10min", 600000, "10min"},
    {"1h", 3600000, "1h"},
    {"7d", 604800000, "7d"},
    {"30", 30000, "30s"},
    {"off", 0, "off"},
    {"0", 0, "off"},
    {"0ms", 0, "off"},
    {"1500ms", 1500, "1500ms"},
    {"60s", 60000, "1min"},
    {"90s", 90000, "90s"},
    {"24h", 86400000, "1d"},
    {"007s", 7000, "7s"},
    {"9223372036854775807ms", INT64_MAX, "9223372036854775807ms"},
};

START_TEST(durations_are_read_and_printed)
{
    int64_t ms = -1, again = -1;
    char printed[32];

    ck_assert_ptr_null(units_parse_duration(durations[_i].text, &ms));
    ck_assert_int_eq(ms, durations[_i].ms);
    ck_assert_int_eq(units_print_duration(printed, sizeof(printed), ms), strlen(printed));
    ck_assert_str_eq(printed, durations[_i].printed);
    ck_assert_ptr_null(units_parse_duration(printed, &again));
    ck_assert_int_eq(again, ms);
}
END_TEST

static const struct {
    const char *text, *error;
} bad_durations[] = {
    {"", "it is empty, " DURATION},
    {"s", "no duration, " DURATION},
    {"-5s", "no duration, " DURATION},
    {"+5s", "no duration, " DURATION},
    {" 5s", "no duration, " DURATION},
    {"OFF", "no duration, " DURATION},
    {"5 s", "unknown unit, " DURATION},
    {"5s ", "unknown unit, " DURATION},
    {"5S", "unknown unit, " DURATION},
    {"1.5h", "unknown unit, " DURATION},
    {"5m", "unknown unit, " DURATION},
    {"0x10s", "unknown unit, " DURATION},
    {"9223372036854775808ms", "the number is too large, allowed: at most 9223372036854775807ms"},
    {"18446744073709551616", "the number is too large, allowed: at most 9223372036854775807ms"},
    {"106751991168d", "the number is too large, allowed: at most 9223372036854775807ms"},
    {"99999999999999999999999999h",
     "the number is too large, allowed: at most 9223372036854775807ms"},
};

START_TEST(what_is_no_duration_is_refused)
{
    int64_t ms = -7;

    ck_assert_str_eq(units_parse_duration(bad_durations[_i].text, &ms), bad_durations[_i].error);
    ck_assert_int_eq(ms, -7);
}
END_TEST

static const struct {
    const char *text;
    uint64_t bytes;
    const char *printed;
} sizes[] = {
    {"0", 0, "0"},
    {"1500", 1500, "1500"},
    {"16K", 16384, "16K"},
    {"2M", 2097152, "2M"},
    {"3G", UINT64_C(3221225472), "3G"},
    {"1024", 1024, "1K"},
    {"1025", 1025, "1025"},
    {"2048K", 2097152, "2M"},
    {"18446744073709551615", UINT64_MAX, "18446744073709551615"},
};

START_TEST(sizes_are_read_and_printed)
{
    uint64_t bytes = 7, again = 7;
    char printed[32];

    ck_assert_ptr_null(units_parse_size(sizes[_i].text, &bytes));
    ck_assert_uint_eq(bytes, sizes[_i].bytes);
    ck_assert_int_eq(units_print_size(printed, sizeof(printed), bytes), strlen(printed));
    ck_assert_str_eq(printed, sizes[_i].printed);
    ck_assert_ptr_null(units_parse_size(printed, &again));
    ck_assert_uint_eq(again, bytes);
}
END_TEST

static const struct {
    const char *text, *error;
} bad_sizes[] = {
    {"", "it is empty, " SIZE},
    {"K", "no size, " SIZE},
    {"-1", "no size, " SIZE},
    {"16k", "unknown unit, " SIZE},
    {"16KB", "unknown unit, " SIZE},
    {"1.5M", "unknown unit, " SIZE},
    {"18446744073709551616", "the number is too large, allowed: at most 18446744073709551615"},
    {"17179869184G", "the number is too large, allowed: at most 18446744073709551615"},
};

START_TEST(what_is_no_size_is_refused)
{
    uint64_t bytes = 7;

    ck_assert_str_eq(units_parse_size(bad_sizes[_i].text, &bytes), bad_sizes[_i].error);
    ck_assert_uint_eq(bytes, 7);
}
END_TEST

START_TEST(printing_cuts_like_snprintf)
{
    char out[3] = "zz";

    ck_assert_int_eq(units_print_duration(out, sizeof(out), 250), 5);
    ck_assert_str_eq(out, "25");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("units");
    TCase *tcase = tcase_create("units");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, durations_are_read_and_printed, 0, (int)COUNT_OF(durations));
    tcase_add_loop_test(tcase, what_is_no_duration_is_refused, 0, (int)COUNT_OF(bad_durations));
    tcase_add_loop_test(tcase, sizes_are_read_and_printed, 0, (int)COUNT_OF(sizes));
    tcase_add_loop_test(tcase, what_is_no_size_is_refused, 0, (int)COUNT_OF(bad_sizes));
    tcase_add_test(tcase, printing_cuts_like_snprintf);
    return suite_run(suite);
}
