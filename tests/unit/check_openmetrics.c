/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "ops/openmetrics.h"
#include "suite.h"

/* What was written is that, and is forgotten. */
static void check_text(struct om *om, const char *expected)
{
    char *text;

    ck_assert(!om->failed);
    text = strndup(om->size ? om->text : "", om->size);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
    free(text);
    om_clear(om);
}

START_TEST(families_and_samples)
{
    struct om om = {0};
    const struct om_label labels[] = {{"rule", "web"}, {"end", "done"}, {NULL, NULL}};
    const struct om_label none[] = {{NULL, NULL}};

    om_family(&om, "x_bytes", "counter", "bytes", "Bytes.");
    om_number(&om, "x_bytes", "_total", labels, UINT64_MAX);
    om_number(&om, "x_bytes", "_total", none, 0);
    om_family(&om, "y", "gauge", NULL, "Y.");
    om_number(&om, "y", "", NULL, 10);
    om_end(&om);
    check_text(&om, "# TYPE x_bytes counter\n"
                    "# UNIT x_bytes bytes\n"
                    "# HELP x_bytes Bytes.\n"
                    "x_bytes_total{rule=\"web\",end=\"done\"} 18446744073709551615\n"
                    "x_bytes_total 0\n"
                    "# TYPE y gauge\n"
                    "# HELP y Y.\n"
                    "y 10\n"
                    "# EOF\n");
    free(om.text);
}
END_TEST

/* Its counters' families have the suffix, and it knows neither units nor "info". */
START_TEST(the_older_format)
{
    struct om om = {.plain = true};
    const struct om_label labels[] = {{"version", "1"}, {NULL, NULL}};

    om_family(&om, "x_seconds", "counter", "seconds", "Said \"so\".");
    om_number(&om, "x_seconds", "_total", NULL, 1);
    om_family(&om, "build", "info", NULL, "Build.");
    om_number(&om, "build", "_info", labels, 1);
    check_text(&om, "# TYPE x_seconds_total counter\n"
                    "# HELP x_seconds_total Said \"so\".\n"
                    "x_seconds_total 1\n"
                    "# TYPE build_info gauge\n"
                    "# HELP build_info Build.\n"
                    "build_info{version=\"1\"} 1\n");
    free(om.text);
}
END_TEST

static const struct {
    const char *value, *written;
} escaped[] = {
    {"", "x{l=\"\"} 1\n"},
    {"plain", "x{l=\"plain\"} 1\n"},
    {"a\"b", "x{l=\"a\\\"b\"} 1\n"},
    {"a\\b", "x{l=\"a\\\\b\"} 1\n"},
    {"a\nb", "x{l=\"a\\nb\"} 1\n"},
    {"\\n", "x{l=\"\\\\n\"} 1\n"},
    {"\"\\\n", "x{l=\"\\\"\\\\\\n\"} 1\n"},
    {"\"} 2\ny 3", "x{l=\"\\\"} 2\\ny 3\"} 1\n"},
    {"\t{}=,\xc3\xbc", "x{l=\"\t{}=,\xc3\xbc\"} 1\n"},
    {"/\xff\"\xc3\xbc\n", "x{l=\"/?\\\"?\?\\n\"} 1\n"},
    {"\xed\xa0\x80", "x{l=\"?\?\?\"} 1\n"}, /* half of a pair */
    {"cut\xe2\x82", "x{l=\"cut?\?\"} 1\n"},
};

START_TEST(values_of_labels_are_escaped)
{
    struct om om = {0};
    const struct om_label labels[] = {{"l", escaped[_i].value}, {NULL, NULL}};

    om_number(&om, "x", "", labels, 1);
    check_text(&om, escaped[_i].written);
    free(om.text);
}
END_TEST

START_TEST(help_is_escaped)
{
    struct om om = {0};

    om_family(&om, "x", "gauge", NULL, "a\\b\nc\"d");
    check_text(&om, "# TYPE x gauge\n# HELP x a\\\\b\\nc\\\"d\n");
    om.plain = true;
    om_family(&om, "x", "gauge", NULL, "a\\b\nc\"d");
    check_text(&om, "# TYPE x gauge\n# HELP x a\\\\b\\nc\"d\n");
    free(om.text);
}
END_TEST

static const struct {
    double value;
    const char *written;
} reals[] = {
    {0, "x 0\n"},           {0.003, "x 0.003\n"},
    {-1.5, "x -1.5\n"},     {1700000000.123, "x 1700000000.123\n"},
    {86400, "x 86400\n"},   {1e300, "x 1e+300\n"},
    {INFINITY, "x +Inf\n"}, {-INFINITY, "x -Inf\n"},
    {NAN, "x NaN\n"},
};

START_TEST(reals_are_written)
{
    struct om om = {0};

    om_real(&om, "x", "", NULL, reals[_i].value);
    check_text(&om, reals[_i].written);
    free(om.text);
}
END_TEST

/* Long texts: each byte is there, and the memory is used again. */
START_TEST(text_grows)
{
    struct om om = {0};
    char *held;

    for (unsigned i = 0; i < 10000; i++)
        om_number(&om, "x", "", NULL, i);
    ck_assert(!om.failed);
    ck_assert_uint_eq(om.size, 10 * 4 + 90 * 5 + 900 * 6 + 9000 * 7);
    ck_assert_int_eq(memcmp(om.text + om.size - 14, "x 9998\nx 9999\n", 14), 0);
    held = om.text;
    om_clear(&om);
    om_number(&om, "x", "", NULL, 1);
    ck_assert_ptr_eq(om.text, held);
    check_text(&om, "x 1\n");
    free(om.text);
}
END_TEST

START_TEST(no_memory)
{
    for (long until = 0; until < 3; until++) {
        struct om om = {0};

        memory_runs_out(until, true);
        for (unsigned i = 0; i < 5000; i++)
            om_number(&om, "x", "", NULL, i);
        ck_assert(memory_is_back());
        ck_assert(om.failed);
        free(om.text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("openmetrics");
    TCase *tcase = tcase_create("openmetrics");

    tcase_add_test(tcase, families_and_samples);
    tcase_add_test(tcase, the_older_format);
    tcase_add_loop_test(tcase, values_of_labels_are_escaped, 0, COUNT_OF(escaped));
    tcase_add_test(tcase, help_is_escaped);
    tcase_add_loop_test(tcase, reals_are_written, 0, COUNT_OF(reals));
    tcase_add_test(tcase, text_grows);
    tcase_add_test(tcase, no_memory);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
