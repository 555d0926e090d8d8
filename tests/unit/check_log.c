/* SPDX-License-Identifier: BSD-2-Clause */
/* How a log line is written. */
#include "config.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *text, *logfmt, *json;
} values[] = {
    {"plain", "plain", "\"plain\""},
    {"192.0.2.7:51122", "192.0.2.7:51122", "\"192.0.2.7:51122\""},
    {"[2001:db8::1]:22", "[2001:db8::1]:22", "\"[2001:db8::1]:22\""},
    {"", "\"\"", "\"\""},
    {"two words", "\"two words\"", "\"two words\""},
    {"a=b", "\"a=b\"", "\"a=b\""},
    {"say \"hi\"", "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\""},
    {"back\\slash", "back\\slash", "\"back\\\\slash\""},
    {"back \\ slash", "\"back \\\\ slash\"", "\"back \\\\ slash\""},
    {"line\nline", "\"line\\nline\"", "\"line\\nline\""},
    {"tab\there", "\"tab\\there\"", "\"tab\\there\""},
    {"cr\r", "\"cr\\x0d\"", "\"cr\\u000d\""},
    {"\x1b[31m", "\"\\x1b[31m\"", "\"\\u001b[31m\""},
    {"\x7f", "\"\\x7f\"", "\"\\u007f\""},
    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    {"\xe2\x82\xac\xf0\x9f\x90\x9f", "\xe2\x82\xac\xf0\x9f\x90\x9f",
     "\"\xe2\x82\xac\xf0\x9f\x90\x9f\""},
    {"c1\xc2\x9b", "\"c1\\xc2\\x9b\"", "\"c1\\u009b\""},
    {"bad\xff", "\"bad\\xff\"", "\"bad\xef\xbf\xbd\""},
    {"cut\xe2\x82", "\"cut\\xe2\\x82\"", "\"cut\xef\xbf\xbd\xef\xbf\xbd\""},
    {"overlong\xc0\xaf", "\"overlong\\xc0\\xaf\"", "\"overlong\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xe0\x80\x80", "\"\\xe0\\x80\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xf0\x80\x80\x80", "\"\\xf0\\x80\\x80\\x80\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(value_is_written_exactly)
{
    struct log_field field = LOG_TEXT("k", values[_i].text);
    char line[256], expected[256];
    size_t length;

    length = log_format_line(line, sizeof(line), FORMAT_LOGFMT, NULL, &field, 1);
    snprintf(expected, sizeof(expected), "k=%s", values[_i].logfmt);
    ck_assert_str_eq(line, expected);
    ck_assert_uint_eq(length, strlen(expected));

    length = log_format_line(line, sizeof(line), FORMAT_JSON, NULL, &field, 1);
    snprintf(expected, sizeof(expected), "{\"k\":%s}", values[_i].json);
    ck_assert_str_eq(line, expected);
    ck_assert_uint_eq(length, strlen(expected));
}
END_TEST

START_TEST(session_line_keeps_its_order)
{
    const struct log_field fields[] = {
        LOG_TEXT("rule", "ssh"), LOG_NUMBER("id", 42),        LOG_TEXT("client", "192.0.2.7:51122"),
        LOG_TEXT("end", "done"), LOG_NUMBER("in", INT64_MIN), LOG_NUMBER("out", INT64_MAX),
    };
    char line[256];

    log_format_line(line, sizeof(line), FORMAT_LOGFMT, NULL, fields, COUNT(fields));
    ck_assert_str_eq(line, "rule=ssh id=42 client=192.0.2.7:51122 end=done "
                           "in=-9223372036854775808 out=9223372036854775807");
    log_format_line(line, sizeof(line), FORMAT_JSON, NULL, fields, COUNT(fields));
    ck_assert_str_eq(line, "{\"rule\":\"ssh\",\"id\":42,\"client\":\"192.0.2.7:51122\","
                           "\"end\":\"done\",\"in\":-9223372036854775808,"
                           "\"out\":9223372036854775807}");
}
END_TEST

START_TEST(message_comes_first_and_is_always_quoted)
{
    const struct log_field field = LOG_NUMBER("n", 1);
    char line[64];

    log_format_line(line, sizeof(line), FORMAT_LOGFMT, "up", &field, 1);
    ck_assert_str_eq(line, "msg=\"up\" n=1");
    log_format_line(line, sizeof(line), FORMAT_LOGFMT, "a \"b\"\n", NULL, 0);
    ck_assert_str_eq(line, "msg=\"a \\\"b\\\"\\n\"");
    log_format_line(line, sizeof(line), FORMAT_JSON, "up", &field, 1);
    ck_assert_str_eq(line, "{\"msg\":\"up\",\"n\":1}");
    log_format_line(line, sizeof(line), FORMAT_JSON, NULL, NULL, 0);
    ck_assert_str_eq(line, "{}");
    log_format_line(line, sizeof(line), FORMAT_LOGFMT, NULL, NULL, 0);
    ck_assert_str_eq(line, "");
}
END_TEST

/* In every size: what fits ends at a field's end, and nothing is written beyond the size. */
static void check_cuts(enum log_format format, const char *const *expected, size_t count)
{
    const struct log_field fields[] = {LOG_TEXT("a", "x y"), LOG_NUMBER("b", 123),
                                       LOG_TEXT("c", "\x01")};
    char line[80];

    for (size_t size = 0; size < sizeof(line); size++) {
        const char *best = "";
        size_t length;

        for (size_t i = 0; i < count; i++) {
            if (strlen(expected[i]) < size)
                best = expected[i];
        }
        memset(line, '#', sizeof(line));
        length = log_format_line(line, size, format, NULL, fields, COUNT(fields));
        ck_assert_uint_eq(length, strlen(best));
        if (size > 0)
            ck_assert_str_eq(line, best);
        for (size_t i = size; i < sizeof(line); i++)
            ck_assert_int_eq(line[i], '#');
    }
}

START_TEST(long_line_is_cut_at_a_field)
{
    static const char *const logfmt[] = {"a=\"x y\"", "a=\"x y\" b=123",
                                         "a=\"x y\" b=123 c=\"\\x01\""};
    static const char *const json[] = {"{}", "{\"a\":\"x y\"}", "{\"a\":\"x y\",\"b\":123}",
                                       "{\"a\":\"x y\",\"b\":123,\"c\":\"\\u0001\"}"};

    check_cuts(FORMAT_LOGFMT, logfmt, COUNT(logfmt));
    check_cuts(FORMAT_JSON, json, COUNT(json));
}
END_TEST

START_TEST(no_field_follows_one_that_was_left_out)
{
    const struct log_field fields[] = {LOG_TEXT("long", "0123456789"), LOG_NUMBER("n", 1)};
    char line[10];

    log_format_line(line, sizeof(line), FORMAT_LOGFMT, NULL, fields, COUNT(fields));
    ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(long_message_is_cut_at_a_character)
{
    const struct log_field field = LOG_NUMBER("n", 1);
    char line[64];

    log_format_line(line, 10, FORMAT_LOGFMT, "0123456789", &field, 1);
    ck_assert_str_eq(line, "msg=\"012\"");
    log_format_line(line, 10, FORMAT_LOGFMT, "0\xe2\x82\xac", &field, 1);
    ck_assert_str_eq(line, "msg=\"0\"");
    log_format_line(line, 10, FORMAT_LOGFMT, "01\n", &field, 1);
    ck_assert_str_eq(line, "msg=\"01\"");
    log_format_line(line, 13, FORMAT_JSON, "0123456789", &field, 1);
    ck_assert_str_eq(line, "{\"msg\":\"01\"}");
    log_format_line(line, 10, FORMAT_LOGFMT, "012", &field, 1);
    ck_assert_str_eq(line, "msg=\"012\"");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("format");

    tcase_add_loop_test(t, value_is_written_exactly, 0, COUNT(values));
    tcase_add_test(t, session_line_keeps_its_order);
    tcase_add_test(t, message_comes_first_and_is_always_quoted);
    tcase_add_test(t, long_line_is_cut_at_a_field);
    tcase_add_test(t, no_field_follows_one_that_was_left_out);
    tcase_add_test(t, long_message_is_cut_at_a_character);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
