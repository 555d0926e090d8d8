/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and answers over HTTP, as bytes on a socket. */
#include "config.h"

#include "descriptors.h"
#include "http_world.h"
#include "suite.h"

static const char *word_of(enum http_method method)
{
    static const char *const words[] = {"get", "post", "delete", "other"};

    return words[method];
}

/* Says what it has been asked, and counts. */
static struct answer *tell(void *arg, struct request *rq)
{
    static const char *const known[] = {"rule", "a b", NULL};
    const char *rule = request_query(rq, "rule"), *unknown = request_unknown(rq, known);
    const char *header = request_header(rq, "x-word");
    char text[1024];
    struct answer *a;

    ++*(unsigned *)arg;
    if (strcmp(request_path(rq), "/null") == 0)
        return NULL;
    snprintf(text, sizeof(text), "<%s %s rule=%s unknown=%s header=%s>",
             word_of(request_method(rq)), request_path(rq), rule ? rule : "(none)",
             unknown ? unknown : "(none)", header ? header : "(none)");
    a = text_answer(200, text);
    answer_header(a, "X-Told", strcmp(request_path(rq), "/lines") == 0 ? "yes\r\nX-No: a" : "yes");
    answer_header(a, "X-More", "yes");
    return a;
}

struct told {
    struct http_world w;
    struct client c;
    unsigned asked;
};

static bool set_up(struct told *t, int way)
{
    t->asked = 0;
    if (!http_world_on_way(&t->w, way))
        return false;
    http_world_listen(&t->w, tell, &t->asked);
    client_open(&t->w, &t->c);
    return true;
}

static void tear_down(struct told *t)
{
    client_close(&t->c);
    http_await_nobody(&t->w);
    http_world_end(&t->w);
}

static bool says(const struct told *t, const char *text)
{
    return strstr(t->c.text, text) != NULL;
}

START_TEST(a_request_is_answered)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /v1/rules/a%2Fb?rule=x%20y%2Bz+q&a%20b=&more HTTP/1.1\r\n"
                      "Host: h\r\nX-Word: w\r\n\r\n");
    client_await(&t.w, &t.c, ">", 1);
    ck_assert(says(&t, "HTTP/1.1 200 OK\r\n"));
    ck_assert(says(&t, "\r\nX-Told: yes\r\n"));
    ck_assert(says(&t, "\r\nContent-Type: text/plain\r\n"));
    ck_assert(!says(&t, "\r\nServer:"));
    ck_assert(says(&t, "<get /v1/rules/a%2Fb rule=x y+z q unknown=more header=w>"));
    ck_assert_uint_eq(t.asked, 1);
    ck_assert_uint_eq(atomic_load(&t.w.fds.booked), 1);
    tear_down(&t);
}
END_TEST

START_TEST(a_query_has_keys_with_and_without_values)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /1?rule HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /1 rule= unknown=(none)", 1);
    client_send(&t.c, "GET /2?a%20b HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /2 rule=(none) unknown=(none)", 1);
    client_send(&t.c, "GET /3? HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /3 rule=(none) unknown=(none)", 1);
    client_send(&t.c, "GET /4?Rule=a&rules=b HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /4 rule=(none) unknown=Rule", 1);
    tear_down(&t);
}
END_TEST

START_TEST(a_nul_in_the_query_is_refused)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /?rule=a%00b HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "\"bad-request\"", 1);
    client_send(&t.c, "GET /?rule%00a=b HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "\"bad-request\"", 2);
    ck_assert(says(&t, "HTTP/1.1 400 "));
    ck_assert_uint_eq(t.asked, 0);
    tear_down(&t);
}
END_TEST

/* Also those for which the library has no memory. */
START_TEST(too_many_keys_are_refused_at_once)
{
    static const unsigned counts[] = {65, 500, 2000};
    char text[16 * 1024];
    struct told t;

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        size_t used = (size_t)sprintf(text, "POST /?k=1");

        if (!set_up(&t, _i))
            return;
        for (unsigned k = 1; k < counts[i]; k++)
            used += (size_t)sprintf(text + used, "&k%u=1", k);
        sprintf(text + used, " HTTP/1.1\r\nHost: h\r\n\r\n");
        client_send(&t.c, text);
        client_await_end(&t.w, &t.c);
        ck_assert(says(&t, "HTTP/1.1 400 "));
        ck_assert(says(&t, "too many keys"));
        ck_assert_uint_eq(t.asked, 0);
        tear_down(&t);
    }
}
END_TEST

START_TEST(every_method_has_its_name)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
                      "DELETE /d HTTP/1.1\r\nHost: h\r\n\r\n"
                      "PUT /u HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                      "get /l HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, ">", 4);
    ck_assert(says(&t, "<post /p "));
    ck_assert(says(&t, "<delete /d "));
    ck_assert(says(&t, "<other /u "));
    ck_assert(says(&t, "<other /l "));
    tear_down(&t);
}
END_TEST

/* Three in one piece, answered in order on the one connection. */
START_TEST(requests_in_a_row_are_answered_in_order)
{
    struct told t;
    const char *first, *second, *third;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
                      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, ">", 3);
    first = strstr(t.c.text, "<get /1 ");
    second = strstr(t.c.text, "<get /2 ");
    third = strstr(t.c.text, "<get /3 ");
    ck_assert(first && first < second && second < third);
    ck_assert(!t.c.ended);
    client_send(&t.c, "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_await_end(&t.w, &t.c);
    ck_assert(says(&t, "<get /4 "));
    tear_down(&t);
}
END_TEST

/* The answer's length, and then the next answer instead of a body. */
START_TEST(head_has_no_body)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "\r\n\r\n", 1);
    client_send(&t.c, "GET /g HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, ">", 1);
    ck_assert(says(&t, "Content-Length: 49\r\n"));
    ck_assert(says(&t, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
    ck_assert(!says(&t, "/h "));
    ck_assert_uint_eq(t.asked, 2);
    tear_down(&t);
}
END_TEST

START_TEST(an_old_client_is_answered_and_closed)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /old HTTP/1.0\r\n\r\n");
    client_await_end(&t.w, &t.c);
    ck_assert(says(&t, " 200 OK\r\n") && says(&t, "<get /old "));
    tear_down(&t);
}
END_TEST

/* nc -N: it has said all it wants to say. */
START_TEST(who_has_shut_its_side_is_answered)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /shut HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_int_eq(shutdown(t.c.fd, SHUT_WR), 0);
    client_await_end(&t.w, &t.c);
    ck_assert(says(&t, "<get /shut "));
    tear_down(&t);
}
END_TEST

START_TEST(without_memory_the_client_is_told)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /null HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /next ", 1);
    ck_assert(says(&t, "HTTP/1.1 500 ") && says(&t, "\"internal\""));
    tear_down(&t);
}
END_TEST

/* A header can't smuggle in another. */
START_TEST(without_one_of_its_headers_an_answer_is_none)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "GET /lines HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "}}\n", 1);
    ck_assert(says(&t, "HTTP/1.1 500 ") && !says(&t, "X-No"));
    tear_down(&t);
}
END_TEST

/* epoll(7) knows no regular files. */
START_TEST(who_can_not_listen_gives_the_descriptor_back)
{
    struct loop *loop = loop_new(LOOP_EPOLL);
    struct http_server server = {.is_local = true};
    struct fds fds;
    int before;

    if (!loop)
        return; /* not built in */
    fds_budget(&fds, 10);
    server.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(server.fd, 0);
    before = count_descriptors();
    ck_assert_ptr_null(http_new(loop, &fds, &server, tell, NULL));
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_uint_eq(loop_watched(loop), 0);
    close(server.fd);
    loop_free(loop);
    http_free(NULL);
}
END_TEST

static void send_body(struct told *t, size_t size)
{
    char piece[4096] = "";

    while (size > 0) {
        ssize_t n = send(t->c.fd, piece, size < sizeof(piece) ? size : sizeof(piece), MSG_NOSIGNAL);

        if (n < 0) {
            ck_assert(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
            if (errno != EAGAIN)
                return; /* cut off */
            http_let_run(&t->w);
            continue;
        }
        size -= (size_t)n;
    }
}

START_TEST(a_body_is_thrown_away)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n");
    send_body(&t, 65536);
    client_await(&t.w, &t.c, "<post /b ", 1);
    client_send(&t.c, "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    client_await(&t.w, &t.c, "<post /c ", 1);
    tear_down(&t);
}
END_TEST

/* One byte too many is read to the end, so that the next request is found. */
START_TEST(a_large_body_is_refused)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n");
    send_body(&t, 65537);
    client_await(&t.w, &t.c, "\"too-large\"", 1);
    ck_assert(says(&t, "HTTP/1.1 413 "));
    ck_assert_uint_eq(t.asked, 0);
    client_send(&t.c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    client_await(&t.w, &t.c, "<get /next ", 1);
    tear_down(&t);
}
END_TEST

START_TEST(a_huge_body_is_refused_before_it_comes)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n"
                      "Expect: 100-continue\r\n\r\n");
    client_await_end(&t.w, &t.c);
    ck_assert(says(&t, "HTTP/1.1 413 ") && !says(&t, " 100 "));
    ck_assert_uint_eq(t.asked, 0);
    tear_down(&t);
}
END_TEST

START_TEST(a_body_without_end_is_cut_off)
{
    struct told t;

    if (!set_up(&t, _i))
        return;
    client_send(&t.c, "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "FFFFFFF\r\n");
    send_body(&t, 8 << 20);
    client_await_end(&t.w, &t.c);
    ck_assert_uint_eq(t.asked, 0);
    tear_down(&t);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_request_is_answered,
        a_query_has_keys_with_and_without_values,
        a_nul_in_the_query_is_refused,
        too_many_keys_are_refused_at_once,
        every_method_has_its_name,
        requests_in_a_row_are_answered_in_order,
        head_has_no_body,
        an_old_client_is_answered_and_closed,
        who_has_shut_its_side_is_answered,
        without_memory_the_client_is_told,
        without_one_of_its_headers_an_answer_is_none,
        a_body_is_thrown_away,
        a_large_body_is_refused,
        a_huge_body_is_refused_before_it_comes,
        a_body_without_end_is_cut_off,
    };
    Suite *suite = http_suite("http", tests, COUNT_OF(tests));
    TCase *once = tcase_create("once");

    tcase_add_test(once, who_can_not_listen_gives_the_descriptor_back);
    suite_add_tcase(suite, once);
    return suite_run(suite);
}
