/* SPDX-License-Identifier: BSD-2-Clause */
/* How many clients there may be and what they may do; those that speak no HTTP; and that the server
 * does nothing when there is nothing to do. */
#include "config.h"

#include <microhttpd.h>
#include <sys/resource.h>

#include "descriptors.h"
#include "http_world.h"
#include "os/sock.h"
#include "suite.h"

/* Counted by the linker (-Wl,--wrap). */
static struct {
    unsigned runs;    /* of the library */
    unsigned accepts; /* tried */
} calls;

enum MHD_Result __real_MHD_run(struct MHD_Daemon *library);
enum MHD_Result __wrap_MHD_run(struct MHD_Daemon *library);
int __real_sock_accept(int listener, struct addr *peer);
int __wrap_sock_accept(int listener, struct addr *peer);

enum MHD_Result __wrap_MHD_run(struct MHD_Daemon *library)
{
    calls.runs++;
    return __real_MHD_run(library);
}

int __wrap_sock_accept(int listener, struct addr *peer)
{
    calls.accepts++;
    return __real_sock_accept(listener, peer);
}

struct served {
    struct http_world w;
    struct request *waiting;
    struct stream streams[4]; /* on which nothing comes */
    size_t count;
};

static ssize_t fill(struct stream *st, char *to, size_t size)
{
    (void)st;
    (void)to;
    (void)size;
    return 0;
}

static void done(struct stream *st)
{
    (void)st;
}

static struct answer *serve(void *arg, struct request *rq)
{
    struct served *s = arg;

    if (strcmp(request_path(rq), "/later") == 0) {
        s->waiting = rq;
        return request_wait(rq, NULL, NULL);
    }
    if (strcmp(request_path(rq), "/endless") == 0) {
        struct stream *st = &s->streams[s->count++];

        ck_assert_uint_le(s->count, COUNT_OF(s->streams));
        *st = (struct stream){.fill = fill, .done = done, .is_endless = true};
        return answer_stream("text/plain", st);
    }
    return text_answer(200, "<here>");
}

static bool set_up(struct served *s, int way)
{
    memset(s, 0, sizeof(*s));
    return http_world_on_way(&s->w, way);
}

static void start(struct served *s)
{
    http_world_listen(&s->w, serve, s);
}

static void tear_down(struct served *s)
{
    http_await_nobody(&s->w);
    http_world_end(&s->w);
}

static void get(struct client *c, const char *path)
{
    char text[128];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    client_send(c, text);
}

static void ask(struct served *s, struct client *c)
{
    client_open(&s->w, c);
    get(c, "/");
}

static bool is_waiting(void *arg)
{
    return ((struct served *)arg)->waiting != NULL;
}

/* --- how many --------------------------------------------------------------------------------- */

START_TEST(clients_above_the_limit_wait)
{
    struct served s;
    struct client clients[5];

    if (!set_up(&s, _i))
        return;
    s.w.server.clients = 3;
    start(&s);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        ask(&s, &clients[i]);
    for (size_t i = 0; i < 3; i++)
        client_await(&s.w, &clients[i], ">", 1);
    calls.runs = calls.accepts = 0;
    http_let_run(&s.w);
    ck_assert_uint_eq(atomic_load(&s.w.fds.booked), 3);
    ck_assert_uint_eq(calls.accepts, 0);
    ck_assert_uint_le(calls.runs, 5);
    client_take(&clients[3], SIZE_MAX);
    ck_assert_uint_eq(clients[3].size, 0);
    client_close(&clients[1]);
    client_await(&s.w, &clients[3], ">", 1);
    client_close(&clients[0]);
    client_await(&s.w, &clients[4], ">", 1);
    for (size_t i = 2; i < COUNT_OF(clients); i++)
        client_close(&clients[i]);
    tear_down(&s);
}
END_TEST

/* Half of the places; and one that goes makes place for another. */
START_TEST(endless_streams_leave_places)
{
    struct served s;
    struct client clients[4], other;

    if (!set_up(&s, _i))
        return;
    s.w.server.clients = 4;
    start(&s);
    for (size_t i = 0; i < 3; i++) {
        client_open(&s.w, &clients[i]);
        get(&clients[i], "/endless");
        client_await(&s.w, &clients[i], i < 2 ? " 200 OK" : " 503 ", 1);
    }
    client_await(&s.w, &clients[2], "\"code\":\"too-many\"", 1);
    get(&clients[2], "/"); /* the connection goes on */
    client_await(&s.w, &clients[2], ">", 1);
    ask(&s, &other);
    client_await(&s.w, &other, ">", 1);
    client_close(&other);
    client_close(&clients[2]);
    client_close(&clients[0]);
    while (atomic_load(&s.w.fds.booked) > 1)
        http_let_run(&s.w);
    client_open(&s.w, &clients[3]);
    get(&clients[3], "/endless");
    client_await(&s.w, &clients[3], " 200 OK", 1);
    client_close(&clients[1]);
    client_close(&clients[3]);
    tear_down(&s);
}
END_TEST

/* Few are served all the same, whatever sessions have; the others wait until one of these goes. */
START_TEST(who_has_no_descriptor_waits)
{
    struct served s;
    struct client clients[9];
    size_t kept;
    int before;

    if (!set_up(&s, _i))
        return;
    kept = s.w.server.is_local ? 8 : 4;
    fds_promise(&s.w.fds, s.w.fds.room);
    start(&s);
    before = count_descriptors();
    for (size_t i = 0; i < kept; i++)
        client_open(&s.w, &clients[i]);
    while (count_descriptors() < before + 2 * (int)kept)
        http_let_run(&s.w);
    ask(&s, &clients[kept]);
    calls.runs = 0;
    http_let_run(&s.w);
    ck_assert_uint_le(calls.runs, 5);
    client_take(&clients[kept], SIZE_MAX);
    ck_assert_uint_eq(clients[kept].size, 0);
    ck_assert(!clients[kept].ended);
    ck_assert_uint_eq(atomic_load(&s.w.fds.booked), 0);
    get(&clients[0], "/"); /* makes room when it is answered */
    client_await_end(&s.w, &clients[0]);
    ck_assert_ptr_nonnull(strstr(clients[0].text, "Connection: close"));
    client_await(&s.w, &clients[kept], ">", 1);
    for (size_t i = 0; i <= kept; i++)
        client_close(&clients[i]);
    while (count_descriptors() > before)
        http_let_run(&s.w);
    tear_down(&s);
}
END_TEST

/* The process has none left at all, and later on some again. */
START_TEST(nothing_spins_without_descriptors)
{
    struct served s;
    struct client c;
    struct rlimit limit, none;

    if (!set_up(&s, _i))
        return;
    start(&s);
    ask(&s, &c);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    calls.runs = calls.accepts = 0;
    http_let_run(&s.w);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_ge(calls.accepts, 1);
    ck_assert_uint_le(calls.accepts, 5);
    ck_assert_uint_le(calls.runs, 5);
    client_await(&s.w, &c, ">", 1);
    client_close(&c);
    tear_down(&s);
}
END_TEST

START_TEST(nothing_is_done_for_clients_that_wait)
{
    struct served s;
    struct client idle, half, later;

    if (!set_up(&s, _i))
        return;
    start(&s);
    ask(&s, &idle);
    client_await(&s.w, &idle, ">", 1);
    client_open(&s.w, &half);
    client_send(&half, "GET / HTTP/1.1\r\nHo");
    client_open(&s.w, &later);
    get(&later, "/later");
    ck_assert(http_await(&s.w, is_waiting, &s));
    get(&later, "/"); /* unread while the first one waits */
    http_let_run(&s.w);
    calls.runs = 0;
    http_let_run(&s.w);
    ck_assert_uint_le(calls.runs, 2);
    request_answer(s.waiting, text_answer(200, "later"));
    client_await(&s.w, &later, ">", 1);
    client_close(&idle);
    client_close(&half);
    client_close(&later);
    tear_down(&s);
}
END_TEST

/* Whether it has said nothing, half a request, or one. */
START_TEST(idle_clients_are_closed_and_waiting_ones_are_not)
{
    struct served s;
    struct client silent, half, idle, later;

    if (!set_up(&s, _i))
        return;
    s.w.server.idle_s = 1;
    start(&s);
    client_open(&s.w, &later);
    get(&later, "/later");
    ck_assert(http_await(&s.w, is_waiting, &s));
    client_open(&s.w, &silent);
    client_open(&s.w, &half);
    client_send(&half, "GET / HTTP/1.1\r\nHo");
    ask(&s, &idle);
    client_await_end(&s.w, &silent);
    client_await_end(&s.w, &half);
    client_await_end(&s.w, &idle);
    client_take(&later, SIZE_MAX);
    ck_assert(!later.ended);
    request_answer(s.waiting, text_answer(200, "later"));
    client_await(&s.w, &later, "later", 1);
    client_close(&silent);
    client_close(&half);
    client_close(&idle);
    client_close(&later);
    tear_down(&s);
}
END_TEST

/* --- no HTTP ---------------------------------------------------------------------------------- */

struct bad {
    const char *head;
    size_t filler; /* so many letters behind it */
    const char *tail;
};

static const struct bad bads[] = {
    {.head = "\r\n\r\n\r\n"},
    {.head = "GARBAGE\r\n\r\n"},
    {.head = "GET\r\n\r\n"},
    {.head = " / HTTP/1.1\r\n\r\n"},
    {.head = "GET / HTTP/9.9\r\nHost: h\r\n\r\n"},
    {.head = "GET / HTTP/1.1\r\n\r\n"},
    {.head = "GET / FTP/1.1\r\nHost: h\r\n\r\n"},
    {.head = "\x16\x03\x01\x02 TLS \xff\xfe\r\n\r\n"},
    {.head = "GET /", .filler = 60000, .tail = " HTTP/1.1\r\nHost: h\r\n\r\n"},
    {.head = "GET / HTTP/1.1\r\nHost: h\r\nX-", .filler = 60000, .tail = ": y\r\n\r\n"},
    {.head = "GET / HTTP/1.1\r\nHost: h\r\nX: ", .filler = 60000, .tail = "\r\n\r\n"},
    {.head = "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"},
    {.head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"},
    {.head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
    {.head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"},
    {.head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
    {.head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "FFFFFFFFFFFFFFFFFFFFF\r\n"},
};

/* What goes beyond the other end's buffer is sent piece by piece, as long as it is taken. */
static void send_filler(struct served *s, struct client *c, size_t size)
{
    char piece[1000];

    memset(piece, 'x', sizeof(piece));
    while (size > 0) {
        ssize_t n = send(c->fd, piece, size < sizeof(piece) ? size : sizeof(piece), MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return;
        if (n < 0)
            http_let_run(&s->w);
        else
            size -= (size_t)n;
    }
}

/* Refused or closed, without a word about what the server is made of; and it goes on. */
START_TEST(who_speaks_no_http_is_closed)
{
    struct served s;
    struct client c;
    int before;

    if (!set_up(&s, _i))
        return;
    s.w.server.idle_s = 1; /* some say nothing that could be refused */
    start(&s);
    before = count_descriptors();
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        client_open(&s.w, &c);
        client_send(&c, bads[i].head);
        send_filler(&s, &c, bads[i].filler);
        if (bads[i].tail)
            send(c.fd, bads[i].tail, strlen(bads[i].tail), MSG_NOSIGNAL);
        client_await_end(&s.w, &c);
        ck_assert_msg(!strstr(c.text, "200 OK"), "%s: %s", bads[i].head, c.text);
        ck_assert_ptr_null(strstr(c.text, "icrohttpd"));
        ck_assert_ptr_null(strstr(c.text, "\r\nServer:"));
        client_close(&c);
    }
    http_await_nobody(&s.w);
    ck_assert_int_eq(count_descriptors(), before);
    ask(&s, &c);
    client_await(&s.w, &c, ">", 1);
    client_close(&c);
    tear_down(&s);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        clients_above_the_limit_wait,          endless_streams_leave_places,
        who_has_no_descriptor_waits,           nothing_spins_without_descriptors,
        nothing_is_done_for_clients_that_wait, idle_clients_are_closed_and_waiting_ones_are_not,
        who_speaks_no_http_is_closed,
    };

    return suite_run(http_suite("http limits", tests, COUNT_OF(tests)));
}
