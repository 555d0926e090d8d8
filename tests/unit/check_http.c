/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and answers over HTTP, as bytes on a socket. */
#include "config.h"

#include "http_world.h"
#include "suite.h"

static struct answer *text_answer(unsigned status, const char *text)
{
    return answer_bytes(status, "text/plain", strdup(text), strlen(text));
}

static const char *word_of(enum http_method method)
{
    static const char *const words[] = {"get", "post", "delete", "other"};

    return words[method];
}

/* Says what it has been asked. */
static struct answer *tell(void *arg, struct request *rq)
{
    static const char *const known[] = {"rule", "a b", NULL};
    const char *rule = request_query(rq, "rule"), *unknown = request_unknown(rq, known);
    const char *header = request_header(rq, "x-word");
    char text[1024];
    struct answer *a;

    (*(unsigned *)arg)++;
    if (strcmp(request_path(rq), "/null") == 0)
        return NULL;
    snprintf(text, sizeof(text), "<%s %s rule=%s unknown=%s header=%s>",
             word_of(request_method(rq)), request_path(rq), rule ? rule : "(none)",
             unknown ? unknown : "(none)", header ? header : "(none)");
    a = text_answer(200, text);
    answer_header(a, "X-Told", "yes");
    return a;
}

static const enum loop_engine engines[] = {LOOP_SELECT, LOOP_EPOLL};

/* Every test runs on a UNIX socket and on TCP, under either engine; odd numbers are local. */
#define WAYS 4

static bool begin(struct http_world *w, int way)
{
    enum loop_engine engine = engines[way / 2];
    struct loop *probe = loop_new(engine);

    loop_free(probe);
    if (!probe)
        return false; /* not built in */
    http_world_begin(w, engine, way % 2 != 0);
    return true;
}

START_TEST(a_request_is_answered)
{
    struct http_world w;
    struct client c;
    unsigned asked = 0;

    if (!begin(&w, _i))
        return;
    http_world_listen(&w, tell, &asked);
    client_open(&w, &c);
    client_send(&c, "GET /v1/rules/a%2Fb?rule=x%20y%2Bz+q&a%20b=&more HTTP/1.1\r\n"
                    "Host: h\r\nX-Word: w\r\n\r\n");
    client_await(&w, &c, ">", 1);
    ck_assert_ptr_nonnull(strstr(c.text, "HTTP/1.1 200 OK\r\n"));
    ck_assert_ptr_nonnull(strstr(c.text, "\r\nX-Told: yes\r\n"));
    ck_assert_ptr_nonnull(strstr(c.text, "\r\nContent-Type: text/plain\r\n"));
    ck_assert_ptr_nonnull(
        strstr(c.text, "<get /v1/rules/a%2Fb rule=x y+z q unknown=more header=w>"));
    ck_assert_uint_eq(asked, 1);
    ck_assert_uint_eq(atomic_load(&w.fds.booked), 1);
    client_close(&c);
    http_await_nobody(&w);
    http_world_end(&w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http");
    TCase *t = tcase_create("requests");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_request_is_answered, 0, WAYS);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
