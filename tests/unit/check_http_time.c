/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a client may keep its place: by saying nothing, next to nothing, or taking nothing. */
#include "config.h"

#include "base/clock.h"
#include "http_world.h"
#include "suite.h"

#define LONG_S 3600 /* longer than any test waits */

struct served {
    struct http_world w;
    struct stream streams[8];
    unsigned count; /* of these */
    unsigned asked;
};

static ssize_t fill(struct stream *st, char *to, size_t size)
{
    (void)st;
    memset(to, 'x', size);
    return (ssize_t)size;
}

static void done(struct stream *st)
{
    (void)st;
}

static struct answer *serve(void *arg, struct request *rq)
{
    struct served *s = arg;
    struct stream *st;

    s->asked++;
    if (strcmp(request_path(rq), "/much") != 0)
        return text_answer(200, "<>");
    ck_assert_uint_lt(s->count, COUNT_OF(s->streams));
    st = &s->streams[s->count++];
    *st = (struct stream){.fill = fill, .done = done};
    return answer_stream("text/plain", st);
}

static bool set_up(struct served *s, int way, unsigned idle_s, unsigned kept_s)
{
    memset(s, 0, sizeof(*s));
    if (!http_world_on_way(&s->w, way))
        return false;
    s->w.server.idle_s = idle_s;
    s->w.server.kept_s = kept_s;
    http_world_listen(&s->w, serve, s);
    return true;
}

static void tear_down(struct served *s)
{
    http_await_nobody(&s->w);
    http_world_end(&s->w);
}

#define QUESTION "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static void ask(struct client *c)
{
    client_send(c, QUESTION);
}

/* --- next to nothing -------------------------------------------------------------------------- */

/* A request of which a byte comes now and then. */
struct dribble {
    struct client client;
    const char *beginning;
    bool is_second;
    unsigned said; /* bytes */
};

static void begin_dribble(struct served *s, struct dribble *d)
{
    client_open(&s->w, &d->client);
    if (d->is_second) {
        ask(&d->client);
        client_await(&s->w, &d->client, "<>", 1);
    }
    client_send(&d->client, d->beginning);
}

/* A byte more, unless the server has gone. */
static bool has_ended_all_the_same(void *arg)
{
    struct dribble *d = arg;

    d->said += send(d->client.fd, "x", 1, MSG_NOSIGNAL) == 1;
    client_take(&d->client, SIZE_MAX);
    return d->client.ended;
}

static bool have_all_ended(void *arg)
{
    struct dribble *d = arg;
    bool have = true;

    for (; d->beginning; d++)
        have &= has_ended_all_the_same(d);
    return have;
}

/* Whatever it is that comes byte by byte, and whether it is the first request or another. */
START_TEST(a_request_has_a_time_limit)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    static const char body[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n";
    struct dribble all[] = {
        {.beginning = ""},
        {.beginning = "GET /"},
        {.beginning = head},
        {.beginning = body},
        {.beginning = "GET /", .is_second = true},
        {.beginning = head, .is_second = true},
        {.beginning = body, .is_second = true},
        {.beginning = NULL},
    };
    struct served s;

    if (!set_up(&s, _i, 1, LONG_S))
        return;
    for (struct dribble *d = all; d->beginning; d++)
        begin_dribble(&s, d);
    ck_assert(http_await(&s.w, have_all_ended, all));
    ck_assert_uint_eq(s.asked, 3);
    for (struct dribble *d = all; d->beginning; d++) {
        ck_assert_uint_gt(d->said, 0);
        client_close(&d->client);
    }
    tear_down(&s);
}
END_TEST

static bool has_answer_or_end(void *arg)
{
    struct client *c = arg;
    struct sought s = {.client = c, .text = "<>", .times = 1};

    return has_come(&s) || c->ended;
}

static void forget_answer(struct client *c)
{
    memset(c->text, 0, c->size);
    c->size = 0;
}

/* The limit begins anew behind each answer. Where the test itself was late it begins again. */
START_TEST(who_asks_again_and_again_stays)
{
    struct served s;
    struct client c;
    int64_t begun, last, now;

    if (!set_up(&s, _i, 1, LONG_S))
        return;
    client_open(&s.w, &c);
    begun = last = now = clock_monotonic_ms();
    while (now - begun < 1300) {
        now = clock_monotonic_ms();
        send(c.fd, QUESTION, strlen(QUESTION), MSG_NOSIGNAL);
        ck_assert(http_await(&s.w, has_answer_or_end, &c));
        if (c.ended) {
            ck_assert_int_ge(clock_monotonic_ms() - last, 990);
            client_close(&c);
            begun = now = clock_monotonic_ms();
            client_open(&s.w, &c);
        }
        forget_answer(&c);
        last = now;
    }
    client_close(&c);
    tear_down(&s);
}
END_TEST

/* --- those that are kept ---------------------------------------------------------------------- */

struct full {
    struct served served;
    struct client clients[8];
    size_t kept; /* so many of these */
    struct client next;
};

static bool is_next_answered(void *arg)
{
    struct full *f = arg;
    struct sought s = {.client = &f->next, .text = "<>", .times = 1};

    return has_come(&s);
}

/* No descriptor is left but those of the reserve; on each of its places is one who says this. */
static bool fill_places(struct full *f, int way, const char *word)
{
    struct served *s = &f->served;

    if (!set_up(s, way, LONG_S, 1))
        return false;
    fds_promise(&s->w.fds, s->w.fds.room);
    f->kept = s->w.server.is_local ? 8 : 4;
    for (size_t i = 0; i < f->kept; i++) {
        client_open(&s->w, &f->clients[i]);
        client_send(&f->clients[i], word);
    }
    client_open(&s->w, &f->next);
    ask(&f->next);
    return true;
}

static void leave_places(struct full *f)
{
    for (size_t i = 0; i < f->kept; i++)
        client_close(&f->clients[i]);
    client_close(&f->next);
    tear_down(&f->served);
}

START_TEST(kept_places_are_not_for_those_who_take_nothing)
{
    struct full f;

    if (!fill_places(&f, _i, "GET /much HTTP/1.1\r\nHost: h\r\n\r\n"))
        return;
    ck_assert(http_await(&f.served.w, is_next_answered, &f));
    ck_assert_uint_eq(f.served.count, f.kept);
    leave_places(&f);
}
END_TEST

/* All of them: every other one says nothing, the rest a byte now and then. */
static bool has_place_for_next(void *arg)
{
    struct full *f = arg;
    bool have_ended = true;

    for (size_t i = 0; i < f->kept; i++) {
        if (i % 2 == 1)
            send(f->clients[i].fd, "x", 1, MSG_NOSIGNAL);
        have_ended &= has_ended(&f->clients[i]);
    }
    return is_next_answered(f) && have_ended;
}

START_TEST(kept_places_are_not_for_those_who_say_next_to_nothing)
{
    struct full f;

    if (!fill_places(&f, _i, ""))
        return;
    ck_assert(http_await(&f.served.w, has_place_for_next, &f));
    ck_assert_uint_eq(f.served.asked, 1);
    leave_places(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_request_has_a_time_limit,
        who_asks_again_and_again_stays,
        kept_places_are_not_for_those_who_take_nothing,
        kept_places_are_not_for_those_who_say_next_to_nothing,
    };

    return suite_run(http_suite("http time", tests, COUNT_OF(tests)));
}
