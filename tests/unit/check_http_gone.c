/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that go in the middle of an answer, stop reading it, or wait for it. */
#include "config.h"

#include "descriptors.h"
#include "http_streams.h"
#include "suite.h"

/* --- clients that stop or go ------------------------------------------------------------------ */

/* No more is made than sockets hold. */
START_TEST(a_reader_that_stops_costs_little)
{
    struct world_of_streams all;
    struct source *s = &all.sources[0];
    struct client c;
    unsigned fills;

    if (!set_up(&all, _i))
        return;
    ask(&all, &c, "/");
    do {
        fills = s->fills;
        http_let_run(&all.w);
    } while (fills != s->fills);
    ck_assert_uint_gt(s->given, 0);
    ck_assert_uint_lt(s->given, 16 << 20);
    ck_assert_uint_eq(s->done, 0);
    client_close(&c);
    tear_down(&all);
}
END_TEST

START_TEST(a_reader_that_stops_is_closed_in_the_end)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_idle(&all, _i, 1))
        return;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_done, &all.sources[0]));
    client_close(&c);
    tear_down(&all);
}
END_TEST

START_TEST(a_reader_goes_in_the_middle)
{
    struct world_of_streams all;
    struct client c;
    int before;

    if (!set_up(&all, _i))
        return;
    before = count_descriptors();
    ask(&all, &c, "/");
    client_await(&all.w, &c, "abcdef", 100);
    client_close(&c);
    ck_assert(http_await(&all.w, is_done, &all.sources[0]));
    http_await_nobody(&all.w);
    ck_assert_int_eq(count_descriptors(), before);
    tear_down(&all);
}
END_TEST

/* Nobody wakes the stream. */
START_TEST(a_reader_goes_while_its_stream_waits)
{
    struct world_of_streams all;
    struct client c;
    int before;

    if (!set_up(&all, _i))
        return;
    before = count_descriptors();
    all.sources[0].ready = 0;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_filled, &all.sources[0]));
    client_close(&c);
    ck_assert(http_await(&all.w, is_done, &all.sources[0]));
    http_await_nobody(&all.w);
    ck_assert_int_eq(count_descriptors(), before);
    tear_down(&all);
}
END_TEST

/* Its end is behind the next request, which nobody has read; and nobody wakes the stream. */
START_TEST(a_reader_goes_behind_another_request)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_patient(&all, _i))
        return;
    all.sources[0].ready = 0;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_filled, &all.sources[0]));
    client_send(&c, "GET /text HTTP/1.1\r\nHost: h\r\n\r\n");
    http_let_run(&all.w);
    client_close(&c);
    ck_assert(http_await(&all.w, is_done, &all.sources[0]));
    tear_down(&all);
}
END_TEST

/* One that is found to have gone does not wait for those who are there for longer. */
START_TEST(a_reader_goes_and_another_client_stays)
{
    struct world_of_streams all;
    struct client c, idle;

    if (!set_up_patient(&all, _i))
        return;
    ask(&all, &idle, "/text");
    client_await(&all.w, &idle, "a text", 1);
    all.sources[0].ready = 0;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_filled, &all.sources[0]));
    client_close(&c);
    ck_assert(http_await(&all.w, has_one_client, &all));
    client_close(&idle);
    tear_down(&all);
}
END_TEST

/* The same for a stream that is over, and was sent without chunks. */
START_TEST(a_stream_ends_and_another_client_stays)
{
    struct world_of_streams all;
    struct client c, idle;

    if (!set_up_patient(&all, _i))
        return;
    ask(&all, &idle, "/text");
    client_await(&all.w, &idle, "a text", 1);
    all.sources[0].left = 100;
    client_open(&all.w, &c);
    client_send(&c, "GET / HTTP/1.0\r\n\r\n");
    client_await_end(&all.w, &c);
    ck_assert(http_await(&all.w, has_one_client, &all));
    client_close(&c);
    client_close(&idle);
    tear_down(&all);
}
END_TEST

/* It has no more to say but listens on, which only a UNIX socket can tell. */
START_TEST(a_reader_shuts_its_side)
{
    struct world_of_streams all;
    struct source *s = &all.sources[0];
    struct client c;

    if (!set_up_patient(&all, _i))
        return;
    s->ready = 0;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_filled, s));
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    if (all.w.server.is_local) {
        http_let_run(&all.w);
        s->ready = 100;
        stream_wake(&s->stream);
        client_await(&all.w, &c, "abcdef", 4);
        ck_assert_uint_eq(s->done, 0);
        client_close(&c);
    }
    ck_assert(http_await(&all.w, is_done, s));
    if (!all.w.server.is_local)
        client_close(&c);
    tear_down(&all);
}
END_TEST

START_TEST(all_ends_with_the_server)
{
    struct world_of_streams all;
    struct client streaming, waiting, later;

    if (!set_up(&all, _i))
        return;
    all.sources[1].ready = 0;
    ask(&all, &streaming, "/");
    ck_assert(http_await(&all.w, is_filled, &all.sources[0]));
    ask(&all, &waiting, "/");
    ck_assert(http_await(&all.w, is_filled, &all.sources[1]));
    ask(&all, &later, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    http_world_end(&all.w);
    ck_assert_uint_eq(all.sources[0].done, 1);
    ck_assert_uint_eq(all.sources[1].done, 1);
    ck_assert_uint_eq(all.gone, 1);
    client_take(&waiting, SIZE_MAX);
    ck_assert(waiting.ended);
    client_close(&streaming);
    client_close(&waiting);
    client_close(&later);
}
END_TEST

/* --- answers that come later ------------------------------------------------------------------ */

START_TEST(an_answer_comes_later)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    client_send(&c, "GET /text HTTP/1.1\r\nHost: h\r\n\r\n");
    http_let_run(&all.w);
    client_take(&c, SIZE_MAX);
    ck_assert_uint_eq(c.size, 0);
    request_answer(all.waiting, text_answer(202, "at last"));
    client_await(&all.w, &c, "a text", 1);
    ck_assert_ptr_nonnull(strstr(c.text, "at last"));
    ck_assert_ptr_nonnull(strstr(c.text, "HTTP/1.1 202 "));
    ck_assert_uint_eq(all.gone, 0);
    client_close(&c);
    tear_down(&all);
}
END_TEST

START_TEST(an_answer_that_comes_later_comes_at_once)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    ask(&all, &c, "/at-once");
    client_await(&all.w, &c, "at once", 1);
    client_close(&c);
    tear_down(&all);
    ck_assert_uint_eq(all.gone, 0);
}
END_TEST

START_TEST(a_client_goes_while_it_waits)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    client_close(&c);
    ck_assert(http_await(&all.w, is_gone, &all));
    tear_down(&all);
    ck_assert_uint_eq(all.gone, 1);
}
END_TEST

/* The answer has been given, and can't be sent: nobody is told that the client has gone. */
START_TEST(a_client_goes_when_it_is_answered)
{
    struct world_of_streams all;
    struct source *s = &all.sources[0];
    struct client c;

    if (!set_up(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    client_close(&c);
    s->all = &all;
    s->stream = (struct stream){.fill = fill, .done = done};
    all.count = 1;
    request_answer(all.waiting, answer_stream("text/plain", &s->stream));
    tear_down(&all);
    ck_assert_uint_eq(all.gone, 0);
}
END_TEST

/* It is found at once and not when it has been idle for long. */
START_TEST(a_client_goes_after_it_has_waited)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_patient(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    request_answer(all.waiting, text_answer(200, "at last"));
    client_await(&all.w, &c, "at last", 1);
    client_close(&c);
    tear_down(&all);
    ck_assert_uint_eq(all.gone, 0);
}
END_TEST

START_TEST(a_client_shuts_its_side_after_it_has_waited)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_patient(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    request_answer(all.waiting, text_answer(200, "at last"));
    client_await(&all.w, &c, "at last", 1);
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    client_await_end(&all.w, &c);
    client_close(&c);
    tear_down(&all);
}
END_TEST

/* Nothing more will be asked, but the answer is taken: so do `nc -N` and socat(1). Only a UNIX
 * socket tells that from a client that has gone. */
START_TEST(a_client_shuts_its_side_while_it_waits)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_patient(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert(http_await(&all.w, is_waiting, &all));
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    if (!all.w.server.is_local) {
        ck_assert(http_await(&all.w, is_gone, &all));
    } else {
        http_let_run(&all.w);
        ck_assert_uint_eq(all.gone, 0);
        request_answer(all.waiting, text_answer(200, "at last"));
        client_await(&all.w, &c, "at last", 1);
    }
    client_await_end(&all.w, &c);
    client_close(&c);
    tear_down(&all);
}
END_TEST

/* The same with both in one piece. */
START_TEST(a_client_shuts_its_side_at_once)
{
    struct world_of_streams all;
    struct client c;

    if (_i % 2 != 0 || !set_up_patient(&all, _i))
        return;
    ask(&all, &c, "/later");
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    ck_assert(http_await(&all.w, is_waiting, &all));
    http_let_run(&all.w);
    request_answer(all.waiting, text_answer(200, "at last"));
    client_await(&all.w, &c, "at last", 1);
    client_await_end(&all.w, &c);
    client_close(&c);
    tear_down(&all);
}
END_TEST

/* --- ends behind bytes ------------------------------------------------------------------------ */

/* All is there when the server looks for the first time. */
static void send_and_shut(int way, const char *text, bool closes)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up_patient(&all, way))
        return;
    client_open(&all.w, &c);
    client_send(&c, text);
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    if (closes)
        client_close(&c);
    else
        client_await_end(&all.w, &c);
    http_await_nobody(&all.w);
    if (!closes)
        client_close(&c);
    tear_down(&all);
}

START_TEST(a_client_goes_within_a_request)
{
    send_and_shut(_i, "GET /text HT", true);
    send_and_shut(_i, "GET /text HTTP/1.1\r\nHost: h\r\n", false);
    send_and_shut(_i, "GET /text HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1234", false);
}
END_TEST

START_TEST(a_client_goes_behind_requests)
{
    send_and_shut(_i, "GET /text HTTP/1.1\r\nHost: h\r\n\r\nGET /text HTTP/1.1\r\n", true);
    send_and_shut(_i, "GET /text HTTP/1.1\r\nHost: h\r\n\r\n\r\n", false);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_reader_that_stops_costs_little,
        a_reader_that_stops_is_closed_in_the_end,
        a_reader_goes_in_the_middle,
        a_reader_goes_while_its_stream_waits,
        a_reader_goes_behind_another_request,
        a_reader_goes_and_another_client_stays,
        a_stream_ends_and_another_client_stays,
        a_reader_shuts_its_side,
        all_ends_with_the_server,
        an_answer_comes_later,
        an_answer_that_comes_later_comes_at_once,
        a_client_goes_while_it_waits,
        a_client_goes_when_it_is_answered,
        a_client_goes_after_it_has_waited,
        a_client_shuts_its_side_after_it_has_waited,
        a_client_shuts_its_side_while_it_waits,
        a_client_shuts_its_side_at_once,
        a_client_goes_within_a_request,
        a_client_goes_behind_requests,
    };

    return suite_run(http_suite("http clients that go", tests, COUNT_OF(tests)));
}
