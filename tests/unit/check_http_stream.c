/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that come bit by bit. */
#include "config.h"

#include <limits.h>
#include <microhttpd.h>

#include "http_streams.h"
#include "suite.h"

/* No memory for headers: by the linker (-Wl,--wrap). */
static bool has_no_memory;

enum MHD_Result __real_MHD_add_response_header(struct MHD_Response *response, const char *name,
                                               const char *value);
enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response, const char *name,
                                               const char *value);

enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response, const char *name,
                                               const char *value)
{
    return has_no_memory ? MHD_NO : __real_MHD_add_response_header(response, name, value);
}

/* A reader that takes little at a time; chunks are taken apart. */
struct reader {
    struct client *client;
    size_t body;
    size_t chunk; /* left of this chunk, its end of line included */
    size_t line;  /* the size in its head */
    size_t wrong;
    bool in_body;
    bool ended; /* the last chunk has come */
};

static void take_byte(struct reader *r, char byte)
{
    if (r->chunk > 2) {
        r->wrong += byte != pattern_at(r->body);
        r->body++;
    }
    if (r->chunk > 0) {
        r->chunk--;
    } else if (byte == '\n') {
        r->ended = r->line == 0;
        r->chunk = r->line + 2;
        r->line = 0;
    } else if (byte != '\r') {
        char digit[2] = {byte};

        r->line = r->line * 16 + strtoul(digit, NULL, 16);
    }
}

static bool has_read_all(void *arg)
{
    struct reader *r = arg;
    struct client *c = r->client;
    const char *body;

    client_take(c, 40000);
    c->text[c->size] = '\0';
    body = r->in_body ? c->text : strstr(c->text, "\r\n\r\n");
    if (!body)
        return false;
    if (!r->in_body)
        body += 4;
    r->in_body = true;
    for (; body < c->text + c->size; body++)
        take_byte(r, *body);
    c->size = 0;
    return r->ended || c->ended;
}

#define CROWD 100

/* --- streams ---------------------------------------------------------------------------------- */

START_TEST(a_big_stream_is_whole)
{
    struct world_of_streams all;
    struct client c;
    struct reader r = {.client = &c};

    if (!set_up(&all, _i))
        return;
    count_turns(&all);
    all.sources[0].left = 10 << 20;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, has_read_all, &r));
    ck_assert_uint_eq(r.body, 10 << 20);
    ck_assert_uint_eq(r.wrong, 0);
    ck_assert(http_await(&all.w, is_done, &all.sources[0]));
    client_send(&c, "GET /text HTTP/1.1\r\nHost: h\r\n\r\n"); /* the connection goes on */
    client_await(&all.w, &c, "a text", 1);
    client_close(&c);
    stop_counting(&all);
    tear_down(&all);
}
END_TEST

START_TEST(an_old_client_gets_a_stream_up_to_the_end)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    count_turns(&all);
    all.sources[0].left = 50000;
    all.sources[0].wakes_itself = true;
    client_open(&all.w, &c);
    client_send(&c, "GET / HTTP/1.0\r\n\r\n");
    client_await_end(&all.w, &c);
    ck_assert_ptr_null(strstr(c.text, "chunked"));
    ck_assert_int_eq(c.text + c.size - (strstr(c.text, "\r\n\r\n") + 4), 50000);
    client_close(&c);
    stop_counting(&all);
    tear_down(&all);
}
END_TEST

/* What can't be told to its end must not look whole, to no client: the connection is closed, and
 * there is no last chunk. */
START_TEST(a_stream_that_breaks_is_cut)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    all.sources[0].left = 3;
    all.sources[0].breaks = true;
    all.sources[1].left = 0;
    all.sources[1].breaks = true;
    for (unsigned i = 0; i < 2; i++) {
        ask(&all, &c, "/");
        client_await_end(&all.w, &c);
        ck_assert_int_eq(strstr(c.text, "3\r\nabc\r\n") != NULL, i == 0);
        ck_assert_ptr_null(strstr(c.text, "\r\n0\r\n"));
        client_close(&c);
        ck_assert_uint_eq(all.sources[i].done, 1);
    }
    tear_down(&all);
}
END_TEST

START_TEST(head_of_a_stream_is_not_filled)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    client_open(&all.w, &c);
    client_send(&c, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /text HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&all.w, &c, "a text", 1);
    ck_assert_uint_eq(all.sources[0].fills, 0);
    ck_assert_uint_eq(all.sources[0].done, 1);
    client_close(&c);
    tear_down(&all);
}
END_TEST

struct crowd {
    struct world_of_streams *all;
    struct client *clients;
};

static bool has_each_got_some(void *arg)
{
    struct crowd *crowd = arg;
    bool all = true;

    for (size_t i = 0; i < SOURCES; i++) {
        client_take(&crowd->clients[i], SIZE_MAX);
        all &= crowd->all->sources[i].fills >= 100;
    }
    return all;
}

/* They go on at the same pace, and no turn of the loop fills them all. */
START_TEST(streams_take_turns)
{
    struct world_of_streams all;
    struct client *clients = calloc(SOURCES, sizeof(*clients));
    struct crowd crowd = {&all, clients};
    unsigned least = UINT_MAX, most = 0;

    if (!set_up(&all, _i)) {
        free(clients);
        return;
    }
    count_turns(&all);
    for (size_t i = 0; i < SOURCES; i++) {
        all.sources[i].slice = 10;
        ask(&all, &clients[i], "/");
    }
    ck_assert(http_await(&all.w, has_each_got_some, &crowd));
    for (size_t i = 0; i < SOURCES; i++) {
        least = all.sources[i].fills < least ? all.sources[i].fills : least;
        most = all.sources[i].fills > most ? all.sources[i].fills : most;
        client_close(&clients[i]);
    }
    ck_assert_uint_le(most - least, 20); /* the first ones began earlier */
    ck_assert_uint_le(all.most_fills, 8);
    stop_counting(&all);
    tear_down(&all);
    free(clients);
}
END_TEST

/* So do requests, also of clients that have shut their side behind them. */
START_TEST(requests_take_turns)
{
    struct world_of_streams all;
    struct client *clients = calloc(CROWD, sizeof(*clients));

    if (!set_up(&all, _i)) {
        free(clients);
        return;
    }
    count_turns(&all);
    for (size_t i = 0; i < CROWD; i++) {
        ask(&all, &clients[i], "/text");
        if (i % 3 == 0)
            ck_assert_int_eq(shutdown(clients[i].fd, SHUT_WR), 0);
    }
    for (size_t i = 0; i < CROWD; i++)
        client_await(&all.w, &clients[i], "a text", 1);
    ck_assert_uint_le(all.most_fills, 8);
    for (size_t i = 0; i < CROWD; i++) {
        if (i % 3 == 0)
            client_await_end(&all.w, &clients[i]);
        client_close(&clients[i]);
    }
    stop_counting(&all);
    tear_down(&all);
    free(clients);
}
END_TEST

static bool is_in_line(void *arg)
{
    return ((struct world_of_streams *)arg)->most_fills > 0;
}

/* Who has gone while he waited for his turn is forgotten, and so is who waits when all ends. */
START_TEST(clients_go_before_their_turn)
{
    struct world_of_streams all;
    struct client *clients = calloc(CROWD, sizeof(*clients));

    if (!set_up_patient(&all, _i)) {
        free(clients);
        return;
    }
    for (int closes = 1; closes >= 0; closes--) {
        all.most_fills = 0;
        count_turns(&all);
        for (size_t i = 0; i < CROWD; i++)
            ask(&all, &clients[i], "/text");
        ck_assert(http_await(&all.w, is_in_line, &all));
        stop_counting(&all);
        for (size_t i = 0; closes && i < CROWD; i++)
            client_close(&clients[i]);
        if (closes)
            http_await_nobody(&all.w);
    }
    http_world_end(&all.w);
    for (size_t i = 0; i < CROWD; i++)
        client_close(&clients[i]);
    free(clients);
}
END_TEST

START_TEST(a_stream_waits_until_it_is_woken)
{
    struct world_of_streams all;
    struct source *s = &all.sources[0];
    struct client c;

    if (!set_up(&all, _i))
        return;
    s->ready = 0;
    ask(&all, &c, "/");
    ck_assert(http_await(&all.w, is_filled, s));
    http_let_run(&all.w);
    ck_assert_uint_eq(s->fills, 1);
    for (unsigned round = 1; round <= 3; round++) {
        s->ready = 1;
        stream_wake(&s->stream);
        stream_wake(&s->stream);
        client_await(&all.w, &c, "1\r\n", round);
        http_let_run(&all.w);
        ck_assert_uint_eq(s->given, round);
    }
    s->left = 0;
    stream_wake(&s->stream);
    client_await(&all.w, &c, "0\r\n\r\n", 1);
    ck_assert(http_await(&all.w, is_done, s));
    client_close(&c);
    tear_down(&all);
}
END_TEST

START_TEST(a_stream_wakes_itself)
{
    struct world_of_streams all;
    struct client c;

    if (!set_up(&all, _i))
        return;
    count_turns(&all);
    all.sources[0].left = 3;
    all.sources[0].wakes_itself = true;
    ask(&all, &c, "/");
    client_await(&all.w, &c, "0\r\n\r\n", 1);
    ck_assert_ptr_nonnull(strstr(c.text, "3\r\nabc\r\n"));
    client_close(&c);
    stop_counting(&all);
    tear_down(&all);
}
END_TEST

/* Who has made it must not touch it any more, and is told. */
START_TEST(a_stream_without_its_header_is_none)
{
    struct source s = {.stream = {.fill = fill, .done = done}};
    struct answer *a;

    has_no_memory = true;
    a = answer_stream("text/plain", &s.stream);
    has_no_memory = false;
    ck_assert_ptr_null(a);
    ck_assert_uint_eq(s.done, 1);
    ck_assert_uint_eq(s.fills, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_big_stream_is_whole,
        an_old_client_gets_a_stream_up_to_the_end,
        head_of_a_stream_is_not_filled,
        streams_take_turns,
        requests_take_turns,
        clients_go_before_their_turn,
        a_stream_waits_until_it_is_woken,
        a_stream_wakes_itself,
        a_stream_that_breaks_is_cut,
        a_stream_without_its_header_is_none,
    };

    return suite_run(http_suite("http streams", tests, COUNT_OF(tests)));
}
