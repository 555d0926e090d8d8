/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/event.h"
#include "ctl/order.h"
#include "ctl/table.h"
#include "suite.h"

static const struct column columns[] = {
    {.title = "NAME", .shrinks = true},
    {.title = "COUNT", .right = true},
    {.title = "REST", .shrinks = true},
};

/* Take it, and give what is printed. */
static char *printed(struct table *t, size_t width, bool colour)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(to);
    table_print(t, to, width, colour);
    ck_assert_int_eq(fclose(to), 0);
    table_end(t);
    return text;
}

static void expect(struct table *t, size_t width, bool colour, const char *text)
{
    char *seen = printed(t, width, colour);

    ck_assert_str_eq(seen, text);
    free(seen);
}

static struct table *sample(void)
{
    struct table *t = table_begin(columns, COUNT_OF(columns));

    table_cell(t, STYLE_PLAIN, "%s", "web");
    table_cell(t, STYLE_GOOD, "%d", 7);
    table_cell(t, STYLE_PLAIN, "%s", "x");
    table_cell(t, STYLE_PLAIN, "%s", "a-longer-name");
    table_cell(t, STYLE_PLAIN, "%d", 1234567);
    table_cell(t, STYLE_PLAIN, "%s", "the last column");
    return t;
}

START_TEST(columns_are_aligned)
{
    expect(sample(), 0, false,
           "NAME             COUNT  REST\n"
           "web                  7  x\n"
           "a-longer-name  1234567  the last column\n");
}
END_TEST

START_TEST(wide_characters_take_their_room)
{
    struct table *t = table_begin(columns, COUNT_OF(columns));

    ck_assert(setlocale(LC_CTYPE, "C.UTF-8") || setlocale(LC_CTYPE, "en_US.UTF-8"));
    for (int i = 0; i < 2; i++) {
        table_cell(t, STYLE_PLAIN, "%s", i ? "\346\227\245\346\234\254" : "abcde");
        table_cell(t, STYLE_PLAIN, "%d", i);
        table_cell(t, STYLE_PLAIN, "-");
    }
    expect(t, 0, false,
           "NAME   COUNT  REST\n"
           "abcde      0  -\n"
           "\346\227\245\346\234\254       1  -\n");
}
END_TEST

START_TEST(the_widest_are_cut_first)
{
    expect(sample(), 34, false,
           "NAME           COUNT  REST\n"
           "web                7  x\n"
           "a-longer-n~  1234567  the last co~\n");
}
END_TEST

static struct table *with_some_that_leave(void)
{
    static const struct column some[] = {{.title = "NAME", .shrinks = true},
                                         {.title = "FIRST", .right = true, .leaves = 1},
                                         {.title = "STAYS"},
                                         {.title = "SECOND", .leaves = 2}};
    struct table *t = table_begin(some, COUNT_OF(some));

    table_cell(t, STYLE_PLAIN, "a-longer-name");
    table_cell(t, STYLE_PLAIN, "1");
    table_cell(t, STYLE_PLAIN, "x");
    table_cell(t, STYLE_PLAIN, "22");
    return t;
}

START_TEST(some_leave_before_others_are_cut)
{
    expect(with_some_that_leave(), 35, false,
           "NAME           FIRST  STAYS  SECOND\n"
           "a-longer-name      1  x      22\n");
    expect(with_some_that_leave(), 34, false,
           "NAME           STAYS  SECOND\n"
           "a-longer-name  x      22\n");
    expect(with_some_that_leave(), 27, false,
           "NAME           STAYS\n"
           "a-longer-name  x\n");
    expect(with_some_that_leave(), 19, false,
           "NAME          STAYS\n"
           "a-longer-na~  x\n");
}
END_TEST

START_TEST(no_line_is_longer_than_the_terminal)
{
    for (size_t width = 1; width < 60; width++) {
        char *text = printed(sample(), width, false);
        const char *line = text;

        for (int i = 0; i < 3; i++) {
            ck_assert_uint_le(strcspn(line, "\n"), width);
            line += strcspn(line, "\n");
            ck_assert_int_eq(*line++, '\n');
        }
        ck_assert_str_eq(line, "");
        free(text);
    }
}
END_TEST

START_TEST(colours_take_no_room)
{
    struct table *t = table_begin(columns, COUNT_OF(columns));

    table_cell(t, STYLE_BAD, "b");
    table_cell(t, STYLE_PLAIN, "1");
    table_cell(t, STYLE_FAINT, "c");
    expect(t, 0, true,
           "\033[1mNAME\033[0m  \033[1mCOUNT\033[0m  \033[1mREST\033[0m\n"
           "\033[31mb\033[0m         1  \033[2mc\033[0m\n");
}
END_TEST

START_TEST(a_cell_can_not_break_the_table)
{
    struct table *t = table_begin(columns, COUNT_OF(columns));

    table_cell(t, STYLE_PLAIN, "%s", "a\nb\033[2J");
    table_cell(t, STYLE_PLAIN, "1");
    table_cell(t, STYLE_PLAIN, "%s", "\r");
    expect(t, 0, false,
           "NAME         COUNT  REST\n"
           "a\\nb\\x1b[2J      1  \\r\n");
}
END_TEST

START_TEST(without_titles_there_is_no_head)
{
    static const struct column bare[] = {{0}, {0}};
    struct table *t = table_begin(bare, COUNT_OF(bare));

    table_cell(t, STYLE_PLAIN, "key");
    table_cell(t, STYLE_PLAIN, "value");
    table_cell(t, STYLE_PLAIN, "longer key");
    table_cell(t, STYLE_PLAIN, "v");
    expect(t, 0, false, "key         value\nlonger key  v\n");
}
END_TEST

START_TEST(without_rows_there_is_the_head)
{
    expect(table_begin(columns, COUNT_OF(columns)), 0, false, "NAME  COUNT  REST\n");
}
END_TEST

#define SESSION                                                                                    \
    "\"at_ms\":1700000000000,\"id\":7,\"rule\":\"web\",\"client\":\"192.0.2.7:1\","                \
    "\"bytes_in\":2048,\"bytes_out\":5,\"age_ms\":192000"

static const struct {
    const char *json, *text;
    enum style style;
} events[] = {
    {"{\"event\":\"hello\",\"at_ms\":1700000000000,\"version\":\"1.2\",\"pid\":9}",
     "22:13:20 hello    from penstockd 1.2, process 9", STYLE_FAINT},
    {"{\"event\":\"opened\"," SESSION ",\"upstream\":null}", "22:13:20 opened   web #7 192.0.2.7:1",
     STYLE_PLAIN},
    {"{\"event\":\"ended\"," SESSION
     ",\"upstream\":\"10.0.0.1:80\",\"end\":\"done\",\"error\":null}",
     "22:13:20 ended    web #7 192.0.2.7:1 > 10.0.0.1:80 done, 2.0 KiB in, 5 B out, 3m12s",
     STYLE_PLAIN},
    {"{\"event\":\"ended\"," SESSION ",\"upstream\":null,\"end\":\"connect-failed\",\"error\":\"no "
     "route\"}",
     "22:13:20 ended    web #7 192.0.2.7:1 connect-failed, 2.0 KiB in, 5 B out, 3m12s: no route",
     STYLE_ODD},
    {"{\"event\":\"refused\",\"at_ms\":1700000000000,\"rule\":\"web\",\"client\":\"192.0.2.7:1\","
     "\"end\":\"limit\",\"error\":null}",
     "22:13:20 refused  web 192.0.2.7:1 limit", STYLE_BAD},
    {"{\"event\":\"reloaded\",\"at_ms\":1700000000000,\"outcome\":\"ok\",\"added\":1,\"removed\":2,"
     "\"changed\":3,\"failed\":0,\"error\":null}",
     "22:13:20 reloaded ok: 1 added, 2 removed, 3 changed, 0 failed", STYLE_GOOD},
    {"{\"event\":\"reloaded\",\"at_ms\":1700000000000,\"outcome\":\"failed\",\"error\":\"p:3: "
     "what\"}",
     "22:13:20 reloaded failed: p:3: what", STYLE_BAD},
    {"{\"event\":\"paused\",\"at_ms\":1700000000000,\"rule\":\"web\"}", "22:13:20 paused   web",
     STYLE_ODD},
    {"{\"event\":\"dropped\",\"at_ms\":1700000000000,\"error\":\"too slow\"}",
     "22:13:20 dropped : too slow", STYLE_BAD},
    {"[]", "00:00:00 -       ", STYLE_ODD},
};

START_TEST(events_are_readable)
{
    json_t *event = json_loads(events[_i].json, 0, NULL);
    enum style style;

    ck_assert_ptr_nonnull(event);
    setenv("TZ", "UTC0", 1);
    tzset();
    char *text = event_text(event, &style);
    ck_assert_str_eq(text, events[_i].text);
    ck_assert_int_eq(style, events[_i].style);
    free(text);
    json_decref(event);
}
END_TEST

/* The ids of sessions 1 (old), 2 (busy), 3 (idle) and 4 (like 3), in that order. */
static const struct {
    const char *key, *ids;
    uint64_t most;
} orders[] = {
    {"age", "1 2 3 4 ", 9}, {"idle", "3 4 1 2 ", 9}, {"bytes", "2 1 3 4 ", 9},
    {"bytes", "2 1 ", 2},   {"age", "", 0},
};

START_TEST(sessions_are_put_in_order)
{
    char ids[32] = "";
    json_t *sessions =
        json_loads("[{\"id\":4,\"age_ms\":1,\"idle_ms\":9,\"bytes_in\":0,\"bytes_out\":0},"
                   "{\"id\":1,\"age_ms\":9,\"idle_ms\":5,\"bytes_in\":1,\"bytes_out\":2},"
                   "{\"id\":3,\"age_ms\":1,\"idle_ms\":9,\"bytes_in\":0,\"bytes_out\":0},"
                   "{\"id\":2,\"age_ms\":2,\"idle_ms\":0,\"bytes_in\":2,\"bytes_out\":2}]",
                   0, NULL);
    const json_t *session;
    size_t i;

    ck_assert_ptr_nonnull(sessions);
    ck_assert(order_is_known(orders[_i].key));
    order_sessions(sessions, orders[_i].key, orders[_i].most);
    json_array_foreach(sessions, i, session)
        snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%d ",
                 (int)json_integer_value(json_object_get(session, "id")));
    ck_assert_str_eq(ids, orders[_i].ids);
    json_decref(sessions);
}
END_TEST

START_TEST(other_orders_are_not_known)
{
    ck_assert(!order_is_known(NULL));
    ck_assert(!order_is_known("id"));
    ck_assert(!order_is_known("size"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_table");
    TCase *tcase = tcase_create("ctl_table");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, columns_are_aligned);
    tcase_add_test(tcase, wide_characters_take_their_room);
    tcase_add_test(tcase, the_widest_are_cut_first);
    tcase_add_test(tcase, some_leave_before_others_are_cut);
    tcase_add_test(tcase, no_line_is_longer_than_the_terminal);
    tcase_add_test(tcase, colours_take_no_room);
    tcase_add_test(tcase, a_cell_can_not_break_the_table);
    tcase_add_test(tcase, without_titles_there_is_no_head);
    tcase_add_test(tcase, without_rows_there_is_the_head);
    tcase_add_loop_test(tcase, events_are_readable, 0, (int)COUNT_OF(events));
    tcase_add_loop_test(tcase, sessions_are_put_in_order, 0, (int)COUNT_OF(orders));
    tcase_add_test(tcase, other_orders_are_not_known);
    return suite_run(suite);
}
