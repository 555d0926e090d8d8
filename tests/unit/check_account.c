/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted of clients, and what an observer is told of them. */
#include "config.h"

#include <check.h>

#include "flow/listener.h"
#include "flow/observe.h"
#include "suite.h"
#include "world_udp.h"

#define PORT        24201
#define PORT_UP     24202
#define PORT_UDP    24203
#define PORT_UP_UDP 24204

/* What the observer has been told. */
struct heard {
    uint64_t opened, ended, refused;
    uint64_t last_opened, last_ended; /* ids */
    enum end end;                     /* of the last that has ended, or was refused */
    char error[64];
    struct addr client;
    int64_t older_ms; /* make each session so much older than it is, at its begin */
};

static struct world w;
static struct heard heard;
static int up, up_udp;

static void note(enum end end, const char *error)
{
    heard.end = end;
    snprintf(heard.error, sizeof(heard.error), "%s", error ? error : "");
}

static void on_opened(void *arg, const struct session *s)
{
    ck_assert_ptr_eq(arg, &heard);
    ck_assert_ptr_eq(session_by_id(&w.worker, s->id), s);
    ck_assert_ptr_eq(s->rule, w.set.rules[0]);
    ck_assert_uint_eq(s->upstream.family, AF_UNSPEC);
    ck_assert_uint_gt(s->id, heard.last_opened);
    heard.opened++;
    heard.last_opened = s->id;
    heard.client = s->client;
    ((struct session *)s)->started -= heard.older_ms;
}

static void on_ended(void *arg, const struct session *s, enum end end, const char *error)
{
    ck_assert_ptr_eq(arg, &heard);
    heard.ended++;
    heard.last_ended = s->id;
    note(end, error);
}

static void on_refused(void *arg, const struct rule *rule, const struct addr *client, enum end end,
                       const char *error)
{
    ck_assert_ptr_eq(arg, &heard);
    ck_assert_ptr_eq(rule, w.set.rules[0]);
    heard.refused++;
    heard.client = *client;
    note(end, error);
}

static const struct observer observer = {on_opened, on_ended, on_refused, &heard};

static void apply(const char *listen, const char *upstream, const char *options)
{
    struct ruleset_changes changes;
    struct conf *conf = conf_of("rules = { r = { listen = \"%s\"; upstream = \"%s\"; %s }; };",
                                listen, upstream, options);

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

/* One of this test's own addresses, as the config writes it. */
static const char *at(const char *scheme, unsigned port)
{
    static char texts[2][64];
    static int turn;
    char *text = texts[turn++ % 2];

    snprintf(text, sizeof(texts[0]), "%s%s:%u", scheme, own_host(), port);
    return text;
}

static void apply_tcp(const char *options)
{
    apply(at("", PORT), at("", PORT_UP), options);
}

static void begin(void)
{
    world_begin(&w);
    memset(&heard, 0, sizeof(heard));
    w.worker.observer = &observer;
    up = upstream_at(PORT_UP, 100);
    up_udp = udp_at(PORT_UP_UDP);
}

static void end(void)
{
    world_end(&w);
    close(up);
    close(up_udp);
}

static const struct account *account(void)
{
    return &w.set.rules[0]->account;
}

static uint64_t values(const struct histogram *h)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += atomic_load(&h->counts[i]);
    return sum;
}

/* Those that took as long as that, or longer. */
static uint64_t slow_values(const struct histogram *h, uint64_t ms)
{
    uint64_t sum = 0;

    for (size_t i = histogram_bucket(ms); i < HISTOGRAM_BUCKETS; i++)
        sum += atomic_load(&h->counts[i]);
    return sum;
}

static uint64_t sum_of(const atomic_ullong counts[ENDS])
{
    uint64_t sum = 0;

    for (enum end word = 0; word < ENDS; word++)
        sum += atomic_load(&counts[word]);
    return sum;
}

/* The account, the worker and who looks on agree; every client is counted once. */
static void all_agree(void)
{
    const struct account *a = account();

    ck_assert_uint_eq(atomic_load(&a->opened), heard.opened);
    ck_assert_uint_eq(sum_of(a->ended), heard.ended);
    ck_assert_uint_eq(sum_of(a->refused), heard.refused);
    ck_assert_uint_eq(w.worker.live, heard.opened - heard.ended);
    ck_assert_uint_eq(w.worker.served, heard.ended);
    ck_assert_uint_eq(w.worker.refused, heard.refused);
    ck_assert_uint_eq(values(&a->lasted), heard.ended);
    ck_assert_uint_le(values(&a->connect), heard.opened);
}

static bool told_so_often(void *arg)
{
    return heard.ended + heard.refused >= *(const uint64_t *)arg;
}

/* So many have ended or were refused. */
static void await_told(uint64_t count)
{
    world_await(&w, told_so_often, &count);
    ck_assert_uint_eq(heard.ended + heard.refused, count);
    all_agree();
}

/* --- sessions --------------------------------------------------------------------------------- */

START_TEST(a_session_opens_and_ends)
{
    struct session *s;
    int fd, peer;

    apply_tcp("");
    fd = world_client(&w, PORT, STAGE_RELAY, &s);
    ck_assert_uint_eq(heard.opened, 1);
    ck_assert_uint_eq(heard.last_opened, s->id);
    ck_assert(addr_equal(&heard.client, &s->client));
    ck_assert_uint_eq(values(&account()->lasted), 0);
    ck_assert_uint_eq(values(&account()->connect), 1);
    all_agree();
    peer = accept(up, NULL, NULL);
    close(peer);
    close(fd);
    await_told(1);
    ck_assert_uint_eq(heard.last_ended, heard.last_opened);
    ck_assert_int_eq(heard.end, END_DONE);
    ck_assert_str_eq(heard.error, "");
    ck_assert_uint_eq(values(&account()->connect), 1);
}
END_TEST

START_TEST(one_that_never_reached_its_upstream_took_no_time_to_connect)
{
    int fd;

    close(up);
    apply_tcp("");
    fd = client_of(PORT);
    await_told(1);
    ck_assert_int_eq(heard.end, END_CONNECT_REFUSED);
    ck_assert_uint_eq(heard.opened, 1);
    ck_assert_uint_eq(values(&account()->connect), 0);
    ck_assert_uint_eq(values(&account()->lasted), 1);
    close(fd);
    up = upstream_at(PORT_UP, 100);
}
END_TEST

/* What is not on purpose takes less than a test may. */
START_TEST(it_is_counted_how_long_it_took)
{
    const struct histogram *connect, *lasted;
    struct session *s;
    uint64_t before;
    int fd;

    apply_tcp("connect_timeout = \"1h\";");
    connect = &account()->connect;
    lasted = &account()->lasted;
    heard.older_ms = 500000;
    fd = world_client(&w, PORT, STAGE_RELAY, &s);
    ck_assert_uint_eq(slow_values(connect, 500000), 1);
    before = atomic_load(&connect->sum_ms);
    ck_assert_uint_ge(before, 500000);
    ck_assert_uint_lt(before, 500000 + PATIENCE_MS * 10);
    s->connect_ms = 70;
    account_connected(s);
    ck_assert_uint_eq(atomic_load(&connect->sum_ms), before + 70);
    ck_assert_uint_eq(atomic_load(&connect->counts[histogram_bucket(70)]), 1);
    ck_assert_uint_eq(values(lasted), 0);
    s->started -= 500000;
    session_end_now(s, END_KILLED);
    ck_assert_uint_eq(values(lasted), 1);
    ck_assert_uint_eq(slow_values(lasted, 1000000), 1);
    ck_assert_uint_ge(atomic_load(&lasted->sum_ms), 1000000);
    ck_assert_uint_lt(atomic_load(&lasted->sum_ms), 1000000 + PATIENCE_MS * 10);
    close(fd);
}
END_TEST

START_TEST(it_is_told_why)
{
    struct session *s;
    int fd;

    apply_tcp("");
    fd = world_client(&w, PORT, STAGE_RELAY, &s);
    s->error = ETIMEDOUT;
    session_end_now(s, _i == 0 ? END_UPSTREAM_RESET : END_KILLED);
    await_told(1);
    ck_assert_str_eq(heard.error, _i == 0 ? strerror(ETIMEDOUT) : "");
    close(fd);
}
END_TEST

START_TEST(nobody_has_to_look_on)
{
    struct session *s;
    int fd;

    apply_tcp("");
    fd = world_client(&w, PORT, STAGE_RELAY, &s);
    w.worker.observer = NULL;
    session_end_now(s, END_KILLED);
    ck_assert_uint_eq(heard.ended, 0);
    ck_assert_uint_eq(atomic_load(&account()->ended[END_KILLED]), 1);
    close(fd);
}
END_TEST

/* --- refused ---------------------------------------------------------------------------------- */

/* The log is silent about most of them. */
START_TEST(each_refused_client_is_told_of)
{
    enum { MANY = 30 };
    struct session *s;
    int first, fds[MANY];

    apply_tcp("max_connections = 1;");
    first = world_client(&w, PORT, STAGE_RELAY, &s);
    for (int i = 0; i < MANY; i++)
        fds[i] = client_of(PORT);
    await_told(MANY);
    ck_assert_uint_eq(heard.refused, MANY);
    ck_assert_uint_eq(atomic_load(&account()->refused[END_LIMIT]), MANY);
    ck_assert_uint_eq(atomic_load(&account()->ended[END_LIMIT]), 0);
    ck_assert_int_eq(heard.end, END_LIMIT);
    ck_assert_uint_eq(heard.client.family, AF_INET);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close(first);
}
END_TEST

static bool waits(void *arg)
{
    return !list_empty(&((const struct rule *)arg)->waiting);
}

START_TEST(who_waits_in_the_backlog_is_not_refused)
{
    struct session *s;
    int first, second;

    apply_tcp("max_connections = 1; on_limit = \"wait\";");
    first = world_client(&w, PORT, STAGE_RELAY, &s);
    second = client_of(PORT);
    world_await(&w, waits, w.set.rules[0]);
    ck_assert_uint_eq(heard.refused, 0);
    all_agree();
    close(first);
    close(second);
}
END_TEST

/* --- datagrams -------------------------------------------------------------------------------- */

START_TEST(datagrams_are_told_of_as_well)
{
    struct sockaddr_in in = own_address(PORT_UDP);
    int known = udp_at(0), other = udp_at(0);
    const struct session *s;

    apply(at("udp:", PORT_UDP), at("", PORT_UP_UDP), "max_connections = 1;");
    send_to(known, &in, "one");
    await_text(&w, up_udp, "one");
    ck_assert_uint_eq(heard.opened, 1);
    for (int i = 0; i < 5; i++)
        send_to(other, &in, "no");
    await_told(5);
    ck_assert_uint_eq(heard.refused, 5);
    ck_assert_int_eq(heard.end, END_LIMIT);
    s = session_by_id(&w.worker, heard.last_opened);
    session_end_now((struct session *)s, END_KILLED);
    await_told(6);
    ck_assert_int_eq(heard.end, END_KILLED);
    ck_assert_uint_eq(values(&account()->connect), 0);
    ck_assert_uint_eq(values(&account()->lasted), 1);
    close(known);
    close(other);
}
END_TEST

/* --- anything, in any order ------------------------------------------------------------------- */

START_TEST(every_client_is_counted_once)
{
    enum { STEPS = 80 };
    unsigned state = 99 + (unsigned)_i;
    uint64_t came = 0;
    int fds[STEPS];

    apply_tcp("max_connections = 5;");
    for (int step = 0; step < STEPS; step++) {
        state = state * 1103515245 + 12345;
        if (state >> 16 & 1) {
            fds[came] = client_of(PORT);
            ck_assert_int_ge(fds[came++], 0);
        } else if (came > 0) {
            unsigned one = (state >> 17) % came;

            if (fds[one] >= 0)
                sock_reset(fds[one]);
            fds[one] = -1;
        }
        world_turn(&w);
        all_agree();
    }
    for (uint64_t i = 0; i < came; i++) {
        if (fds[i] >= 0)
            sock_reset(fds[i]);
    }
    await_told(came);
    ck_assert_uint_eq(heard.opened + heard.refused, came);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("account");
    TCase *tcase = tcase_create("account");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_session_opens_and_ends);
    tcase_add_test(tcase, one_that_never_reached_its_upstream_took_no_time_to_connect);
    tcase_add_test(tcase, it_is_counted_how_long_it_took);
    tcase_add_loop_test(tcase, it_is_told_why, 0, 2);
    tcase_add_test(tcase, nobody_has_to_look_on);
    tcase_add_test(tcase, each_refused_client_is_told_of);
    tcase_add_test(tcase, who_waits_in_the_backlog_is_not_refused);
    tcase_add_test(tcase, datagrams_are_told_of_as_well);
    tcase_add_loop_test(tcase, every_client_is_counted_once, 0, 8);
    return suite_run(suite);
}
