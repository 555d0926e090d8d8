/* SPDX-License-Identifier: BSD-2-Clause */
/* What penstock top makes of the daemon's answers. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "ctl/top_layout.h"
#include "ctl/top_list.h"
#include "ctl/top_rules.h"
#include "ctl/top_sessions.h"
#include "ctl/top_text.h"
#include "suite.h"

/* --- numbers, bars, histories ------------------------------------------------------------------
 */

START_TEST(sizes_take_five_columns)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {-1, "-"},         {0, "0"},          {1023, "1023"},     {1024, "1.0K"},
        {1536, "1.5K"},    {102348, "99.9K"}, {102400, "100K"},   {1023 * 1024, "1023K"},
        {1048575, "1.0M"}, {1048576, "1.0M"}, {5l << 40, "5.0T"}, {INT64_MAX, "8.0E"},
    };
    char text[HUMAN_MAX];

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_str_eq(top_size(text, cases[i].bytes), cases[i].text);
    for (int64_t n = 1; n < INT64_MAX / 3; n += n / 7 + 1)
        ck_assert_uint_le(strlen(top_size(text, n)), 5);
}
END_TEST

START_TEST(counts_go_by_thousands)
{
    char text[HUMAN_MAX];

    ck_assert_str_eq(top_count(text, 0), "0");
    ck_assert_str_eq(top_count(text, 99999), "99999");
    ck_assert_str_eq(top_count(text, 100000), "100K");
    ck_assert_str_eq(top_count(text, 999999), "1.0M");
    ck_assert_str_eq(top_count(text, 1234567), "1.2M");
}
END_TEST

static void expect_bar(int64_t part, int64_t whole, bool utf8, const char *text, const char *rest)
{
    char out[CELL_MAX], behind[CELL_MAX];

    top_bar(out, behind, 4, part, whole, utf8);
    ck_assert_str_eq(out, text);
    ck_assert_str_eq(behind, rest);
}

START_TEST(a_bar_is_full_only_when_it_is)
{
    expect_bar(0, 8, false, "", "....");
    expect_bar(1, 1000, false, "#", "...");
    expect_bar(4, 8, false, "##", "..");
    expect_bar(999, 1000, false, "###", ".");
    expect_bar(8, 8, false, "####", "");
    expect_bar(9, 8, false, "####", "");
    expect_bar(0, 0, false, "", "....");
    expect_bar(3, 8, true, "\342\224\201\342\225\270", "\342\224\200\342\224\200");
    expect_bar(999, 1000, true, "\342\224\201\342\224\201\342\224\201\342\225\270", "");
}
END_TEST

START_TEST(a_bar_keeps_to_its_room)
{
    char out[CELL_MAX], rest[CELL_MAX];

    for (unsigned columns = 0; columns < 200; columns++) {
        unsigned most = columns < TREND_MAX ? columns : TREND_MAX;

        for (int64_t part = 0; part <= 7; part++) {
            top_bar(out, rest, columns, part, 7, false);
            ck_assert_uint_eq(strlen(out) + strlen(rest), most);
            top_bar(out, rest, columns, part, 7, true);
            ck_assert_uint_eq(strlen(out) + strlen(rest), most * 3);
        }
    }
}
END_TEST

START_TEST(a_history_shows_the_newest_at_the_right)
{
    struct top_trend t = {.count = 0};
    char out[CELL_MAX];

    top_spark(out, &t, 4, false);
    ck_assert_str_eq(out, "    ");
    trend_add(&t, 0);
    trend_add(&t, 1);
    trend_add(&t, 100);
    top_spark(out, &t, 5, false);
    ck_assert_str_eq(out, "   .#");
    top_spark(out, &t, 2, true);
    ck_assert_str_eq(out, "\342\226\201\342\226\210");
    for (int i = 0; i < 2 * TREND_MAX; i++)
        trend_add(&t, i);
    ck_assert_uint_eq(t.count, TREND_MAX);
    ck_assert_int_eq(t.value[TREND_MAX - 1], 2 * TREND_MAX - 1);
    ck_assert_int_eq(trend_sum(&t, 2), 2 * (2 * TREND_MAX - 1) - 1);
    top_spark(out, &t, 500, true);
    ck_assert_uint_eq(strlen(out), TREND_MAX * 3);
}
END_TEST

/* --- lists and columns -------------------------------------------------------------------------
 */

START_TEST(what_is_picked_is_seen)
{
    struct top_list l = {.count = 0};

    list_fit(&l, 100, 10);
    ck_assert(list_press(&l, PRESS_END));
    ck_assert_uint_eq(l.at, 99);
    ck_assert_uint_eq(l.first, 90);
    list_press(&l, PRESS_DOWN);
    ck_assert_uint_eq(l.at, 99);
    list_press(&l, PRESS_PAGE_UP);
    ck_assert_uint_eq(l.at, 90);
    list_press(&l, PRESS_UP);
    ck_assert_uint_eq(l.first, 89);
    list_fit(&l, 100, 50); /* a larger terminal */
    ck_assert_uint_eq(l.first, 50);
    list_fit(&l, 5, 50); /* most are gone */
    ck_assert_uint_eq(l.at, 4);
    ck_assert_uint_eq(l.first, 0);
    list_fit(&l, 0, 50);
    ck_assert_uint_eq(l.at, 0);
    list_press(&l, PRESS_END);
    list_press(&l, PRESS_PAGE_DOWN);
    ck_assert_uint_eq(l.at, 0);
    ck_assert(!list_press(&l, PRESS_ENTER));
}
END_TEST

START_TEST(columns_are_left_out_by_rank)
{
    for (unsigned columns = 0; columns < 60; columns++) {
        struct slot slots[] = {{.least = 8, .want = 20},
                               {.rank = 2, .least = 6, .want = 6},
                               {.rank = 1, .least = 4, .want = 8},
                               {.rank = 3, .least = 10, .want = 12}};
        unsigned used = 0;

        layout_fit(slots, COUNT_OF(slots), columns);
        for (size_t i = 0; i < COUNT_OF(slots); i++)
            used += slots[i].width + (slots[i].width > 0);
        if (columns >= 8)
            ck_assert_uint_le(used, columns + 1);
        ck_assert_uint_ge(slots[0].width, 8);
        ck_assert(columns >= 31 ? slots[3].width >= 10 : slots[3].width == 0);
        ck_assert(columns >= 20 ? slots[1].width == 6 : slots[1].width == 0);
        ck_assert(columns >= 13 ? slots[2].width >= 4 : slots[2].width == 0);
        ck_assert(columns < 49 || slots[3].width == 12);
    }
}
END_TEST

/* --- rules -------------------------------------------------------------------------------------
 */

#define RULE(name, state, listener, sessions, in, out, more)                                       \
    "{\"name\":\"" name "\",\"state\":\"" state "\",\"listeners\":[{\"address\":\"[::1]:80\","     \
    "\"state\":\"listening\"},{\"address\":\"a:1\",\"state\":\"" listener "\"}],"                  \
    "\"upstream\":\"up\",\"sessions\":" #sessions ",\"limit\":8,\"opened\":9,\"bytes_in\":" #in    \
    ",\"bytes_out\":" #out more "}"

static void take_rules(struct top_rules *r, const char *rules, int64_t now)
{
    json_t *body = json_pack("{s:o}", "rules", json_loads(rules, 0, NULL));

    ck_assert_ptr_nonnull(body);
    rules_take(r, body, now);
    json_decref(body);
    rules_arrange(r, "", RULES_AS_CONFIGURED, false);
}

START_TEST(rates_come_with_the_second_answer)
{
    struct top_rules r = {0};

    take_rules(&r, "[" RULE("web", "running", "listening", 3, 1000, 50, "") "]", 5000);
    ck_assert_int_eq(r.shown[0]->rate_in, -1);
    ck_assert_uint_eq(r.shown[0]->traffic.count, 0);
    take_rules(&r, "[" RULE("web", "running", "listening", 3, 2000, 50, "") "]", 5500);
    ck_assert_int_eq(r.shown[0]->rate_in, 2000);
    ck_assert_int_eq(r.shown[0]->rate_out, 0);
    ck_assert_int_eq(r.shown[0]->traffic.value[0], 2000);
    /* Another process: its counters are no lower, and yet not of the same bytes. */
    rules_other_process(&r);
    take_rules(&r, "[" RULE("web", "running", "listening", 0, 9000, 60, "") "]", 6000);
    ck_assert_int_eq(r.shown[0]->rate_in, -1);
    ck_assert_uint_eq(r.shown[0]->traffic.count, 1);
    /* A counter that goes back flows nowhere. */
    take_rules(&r, "[" RULE("web", "running", "listening", 0, 10, 160, "") "]", 7000);
    ck_assert_int_eq(r.shown[0]->rate_in, 0);
    ck_assert_int_eq(r.shown[0]->rate_out, 100);
    rules_free(&r);
}
END_TEST

START_TEST(a_rule_is_known_by_its_name_wherever_it_stands)
{
    struct top_rules r = {0};

    take_rules(&r,
               "[" RULE("a", "running", "listening", 0, 100, 0,
                        "") "," RULE("b", "running", "listening", 0, 500, 0, "") "]",
               1000);
    take_rules(&r,
               "[" RULE("c", "running", "listening", 0, 7, 0,
                        "") "," RULE("b", "running", "listening", 0, 600, 0,
                                     "") "," RULE("a", "running", "listening", 0, 300, 0, "") "," //
               RULE("b", "removed", "closed", 1, 9999, 0, "") "]",
               2000);
    ck_assert_uint_eq(r.shown_count, 4);
    ck_assert_int_eq(r.shown[0]->rate_in, -1);
    ck_assert_int_eq(r.shown[1]->rate_in, 100);
    ck_assert_int_eq(r.shown[2]->rate_in, 200);
    ck_assert_int_eq(r.shown[3]->rate_in, -1);
    ck_assert_ptr_eq(rules_find(&r, "b"), r.shown[1]);
    ck_assert_ptr_null(rules_find(&r, "d"));
    rules_free(&r);
}
END_TEST

START_TEST(the_worst_listener_is_the_state_of_a_rule_that_runs)
{
    struct top_rules r = {0};

    take_rules(&r,
               "[" RULE("a", "running", "listening", 0, 0, 0,
                        "") "," RULE("b", "running", "resting", 0, 0, 0,
                                     "") "," RULE("c", "paused", "paused", 0, 0, 0, "") "]",
               1000);
    ck_assert_str_eq(r.shown[0]->state, "running");
    ck_assert_str_eq(r.shown[1]->state, "resting");
    ck_assert(r.shown[1]->takes_clients);
    ck_assert_str_eq(r.shown[2]->state, "paused");
    ck_assert(!r.shown[2]->takes_clients);
    ck_assert_str_eq(r.shown[0]->listen, "[::1]:80,a:1");
    rules_free(&r);
}
END_TEST

START_TEST(failures_and_refusals_are_counted_as_they_come)
{
    struct top_rules r = {0};

    take_rules(&r,
               "[" RULE("a", "running", "listening", 0, 0, 0,
                        ",\"ended\":{\"connect-refused\":2,\"done\":5},\"refused\":{\"limit\":"
                        "3,\"denied\":1}") "]",
               1000);
    ck_assert_int_eq(r.shown[0]->failed, 2);
    ck_assert_int_eq(r.shown[0]->refused, 4);
    ck_assert_int_eq(trend_sum(&r.shown[0]->failures, TREND_MAX), 0);
    take_rules(&r,
               "[" RULE("a", "running", "listening", 0, 0, 0,
                        ",\"ended\":{\"connect-refused\":3,\"resolve-failed\":4,\"done\":9},"
                        "\"refused\":{\"limit\":10,\"denied\":1}") "]",
               2000);
    ck_assert_int_eq(trend_sum(&r.shown[0]->failures, TREND_MAX), 5);
    ck_assert_int_eq(trend_sum(&r.shown[0]->refusals, TREND_MAX), 7);
    rules_free(&r);
}
END_TEST

static void expect_order(struct top_rules *r, const char *filter, enum rules_sort sort,
                         bool reverse, const char *names)
{
    char seen[64] = "";

    rules_arrange(r, filter, sort, reverse);
    for (size_t i = 0; i < r->shown_count; i++)
        strncat(seen, r->shown[i]->label, sizeof(seen) - strlen(seen) - 1);
    ck_assert_str_eq(seen, names);
}

START_TEST(rules_are_sorted_and_filtered)
{
    struct top_rules r = {0};

    take_rules(&r,
               "[" RULE("m", "running", "listening", 5, 0, 0,
                        "") "," RULE("z", "running", "listening", 7, 0, 0,
                                     "") "," RULE("A", "paused", "paused", 5, 0, 0, "") "]",
               1000);
    expect_order(&r, "", RULES_AS_CONFIGURED, false, "mzA");
    expect_order(&r, "", RULES_AS_CONFIGURED, true, "Azm");
    expect_order(&r, "", RULES_BY_NAME, false, "Amz");
    expect_order(&r, "", RULES_BY_NAME, true, "zmA");
    expect_order(&r, "", RULES_BY_SESSIONS, false, "zmA");
    expect_order(&r, "", RULES_BY_SESSIONS, true, "mAz");
    expect_order(&r, "", RULES_BY_FULLNESS, false, "zmA");
    expect_order(&r, "", RULES_BY_IN, false, "mzA");
    expect_order(&r, "PAUSED", RULES_BY_NAME, false, "A");
    expect_order(&r, "::1", RULES_AS_CONFIGURED, false, "mzA");
    expect_order(&r, "nothing", RULES_AS_CONFIGURED, false, "");
    rules_free(&r);
}
END_TEST

START_TEST(names_can_do_nothing_to_a_terminal)
{
    struct top_rules r = {0};

    take_rules(&r, "[" RULE("x\\u001b[2J", "run\\nning", "\\u202e", 0, 0, 0, "") "]", 1000);
    ck_assert_str_eq(r.shown[0]->label, "x\\x1b[2J");
    ck_assert_str_eq(r.shown[0]->state, "run\\nning");
    ck_assert_str_eq(r.shown[0]->name, "x\033[2J");
    rules_free(&r);
}
END_TEST

START_TEST(an_answer_that_says_little_is_no_harm)
{
    struct top_rules r = {0};

    take_rules(&r, "[{},7,null,{\"name\":5,\"listeners\":3,\"ended\":[],\"refused\":1}]", 1000);
    ck_assert_uint_eq(r.shown_count, 4);
    ck_assert_str_eq(r.shown[1]->label, "-");
    take_rules(&r, "[]", 2000);
    ck_assert_uint_eq(r.shown_count, 0);
    rules_take(&r, NULL, 3000);
    rules_arrange(&r, "x", RULES_BY_NAME, true);
    ck_assert_uint_eq(r.shown_count, 0);
    rules_free(&r);
}
END_TEST

/* --- sessions ----------------------------------------------------------------------------------
 */

static void take_sessions(struct top_sessions *s, const char *sessions, size_t limit, int64_t now)
{
    json_t *body = json_pack("{s:o}", "sessions", json_loads(sessions, 0, NULL));

    ck_assert_ptr_nonnull(body);
    sessions_take(s, body, limit, now);
    json_decref(body);
    sessions_arrange(s, "", SESSIONS_BY_ID, false);
}

#define SESSION(id, client, in, out)                                                               \
    "{\"id\":" #id ",\"client\":\"" client                                                         \
    "\",\"upstream\":null,\"state\":\"open\",\"bytes_in\":" #in ",\"bytes_out\":" #out "}"

START_TEST(sessions_have_rates_by_their_ids)
{
    struct top_sessions s = {0};

    take_sessions(&s, "[" SESSION(9, "c", 100, 0) "," SESSION(4, "d", 5, 5) "]", 100, 1000);
    ck_assert_int_eq(s.shown[0]->rate_in, -1);
    ck_assert(!s.more);
    take_sessions(
        &s, "[" SESSION(4, "d", 5, 25) "," SESSION(9, "c", 50, 0) "," SESSION(11, "e", 1, 1) "]", 3,
        3000);
    ck_assert(s.more);
    ck_assert_int_eq(s.shown[0]->id, 4);
    ck_assert_int_eq(s.shown[0]->rate_out, 10);
    ck_assert_int_eq(s.shown[1]->rate_in, 0);
    ck_assert_int_eq(s.shown[2]->rate_in, -1);
    ck_assert_str_eq(s.shown[0]->upstream, "-");
    sessions_arrange(&s, "", SESSIONS_BY_RATE, false);
    ck_assert_int_eq(s.shown[0]->id, 4);
    ck_assert_int_eq(s.shown[2]->id, 11);
    sessions_arrange(&s, "", SESSIONS_BY_BYTES, true); /* as the daemon did, turned round */
    ck_assert_int_eq(s.shown[0]->id, 11);
    sessions_arrange(&s, "9", SESSIONS_BY_ID, false);
    ck_assert_uint_eq(s.shown_count, 1);
    sessions_arrange(&s, "D", SESSIONS_BY_ID, false);
    ck_assert_int_eq(s.shown[0]->id, 4);
    sessions_arrange(&s, "10.0.0.1", SESSIONS_BY_ID, false); /* the daemon has filtered */
    ck_assert_uint_eq(s.shown_count, 3);
    sessions_free(&s);
}
END_TEST

START_TEST(addresses_are_for_the_daemon_to_filter)
{
    ck_assert(sessions_is_client("192.0.2.7"));
    ck_assert(sessions_is_client("192.0.2.0/24"));
    ck_assert(sessions_is_client("2001:db8::/32"));
    ck_assert(sessions_is_client("::1"));
    ck_assert(!sessions_is_client(""));
    ck_assert(!sessions_is_client("192.0.2"));
    ck_assert(!sessions_is_client("192.0.2.0/33"));
    ck_assert(!sessions_is_client("192.0.2.0/"));
    ck_assert(!sessions_is_client("192.0.2.0/8x"));
    ck_assert(!sessions_is_client("open/8"));
    ck_assert(!sessions_is_client("/8"));
}
END_TEST

START_TEST(no_more_is_asked_for_than_can_be_seen)
{
    ck_assert_uint_eq(sessions_wanted("", SESSIONS_BY_ID, false, 20), 70);
    ck_assert_uint_eq(sessions_wanted("10.0.0.0/8", SESSIONS_BY_BYTES, false, 20), 70);
    ck_assert_uint_eq(sessions_wanted("", SESSIONS_BY_AGE, false, 5000), SESSIONS_MOST);
    ck_assert_uint_eq(sessions_wanted("open", SESSIONS_BY_ID, false, 20), SESSIONS_MOST);
    ck_assert_uint_eq(sessions_wanted("", SESSIONS_BY_ID, true, 20), SESSIONS_MOST);
    ck_assert_uint_eq(sessions_wanted("", SESSIONS_BY_RATE, false, 20), SESSIONS_MOST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("top");
    TCase *texts = tcase_create("texts"), *lists = tcase_create("lists");
    TCase *rules = tcase_create("rules"), *sessions = tcase_create("sessions");

    tcase_add_test(texts, sizes_take_five_columns);
    tcase_add_test(texts, counts_go_by_thousands);
    tcase_add_test(texts, a_bar_is_full_only_when_it_is);
    tcase_add_test(texts, a_bar_keeps_to_its_room);
    tcase_add_test(texts, a_history_shows_the_newest_at_the_right);
    suite_add_tcase(suite, texts);
    tcase_add_test(lists, what_is_picked_is_seen);
    tcase_add_test(lists, columns_are_left_out_by_rank);
    suite_add_tcase(suite, lists);
    tcase_add_test(rules, rates_come_with_the_second_answer);
    tcase_add_test(rules, a_rule_is_known_by_its_name_wherever_it_stands);
    tcase_add_test(rules, the_worst_listener_is_the_state_of_a_rule_that_runs);
    tcase_add_test(rules, failures_and_refusals_are_counted_as_they_come);
    tcase_add_test(rules, rules_are_sorted_and_filtered);
    tcase_add_test(rules, names_can_do_nothing_to_a_terminal);
    tcase_add_test(rules, an_answer_that_says_little_is_no_harm);
    suite_add_tcase(suite, rules);
    tcase_add_test(sessions, sessions_have_rates_by_their_ids);
    tcase_add_test(sessions, addresses_are_for_the_daemon_to_filter);
    tcase_add_test(sessions, no_more_is_asked_for_than_can_be_seen);
    suite_add_tcase(suite, sessions);
    return suite_run(suite);
}
