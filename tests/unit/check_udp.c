/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of datagrams: how they begin, who has to go, how they end. */
#include "config.h"

#include <check.h>
#include <sys/un.h>

#include "descriptors.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "suite.h"
#include "world_udp.h"

#define PORT    24101
#define PORT_UP 24102
#define CLIENTS 8

static struct world w;
static int up, clients[CLIENTS], descriptors;

/* --- both ends -------------------------------------------------------------------------------- */

static void apply(const char *upstream, const char *options)
{
    struct ruleset_changes changes;
    struct conf *conf =
        conf_of("rules = { r = { listen = \"udp:%s:%u\"; upstream = \"%s\"; %s }; };", own_host(),
                PORT, upstream, options);

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static const char *the_upstream(void)
{
    static char text[64];

    snprintf(text, sizeof(text), "%s:%u", own_host(), PORT_UP);
    return text;
}

static void begin(void)
{
    struct sockaddr_in in = own_address(PORT);

    descriptors = count_descriptors();
    world_begin(&w);
    up = udp_at(PORT_UP);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = udp_at(0);
        ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&in, sizeof(in)), 0);
    }
}

static void end(void)
{
    world_end(&w);
    if (up >= 0)
        close(up);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    ck_assert_int_eq(count_descriptors(), descriptors);
}

static const struct rule *the_rule(void)
{
    return w.set.rules[0];
}

/* --- what is waited for ----------------------------------------------------------------------- */

/* The client says something, and that it comes to the upstream. Whence to answer. */
static struct sockaddr_in say(int client, const char *text)
{
    ck_assert_int_eq(send(client, text, strlen(text), 0), (int)strlen(text));
    return await_text(&w, up, text);
}

static void answer(const struct sockaddr_in *to, const char *text)
{
    send_to(up, to, text);
}

static void hear(int client, const char *text)
{
    await_text(&w, client, text);
}

struct ended {
    enum end end;
    uint64_t count;
};

static bool have_ended(void *arg)
{
    const struct ended *e = arg;

    const struct account *a = &the_rule()->account;

    return atomic_load(&a->ended[e->end]) + atomic_load(&a->refused[e->end]) == e->count;
}

static void await_end(enum end end, uint64_t count)
{
    struct ended e = {end, count};

    world_await(&w, have_ended, &e);
}

static bool is_marked(void *arg)
{
    const struct session *s = arg;

    return s->udp->refused;
}

static struct session *last_session(void)
{
    ck_assert(!list_empty(&w.worker.sessions));
    return container_of(w.worker.sessions.prev, struct session, link);
}

/* --- one session ------------------------------------------------------------------------------ */

START_TEST(there_and_back)
{
    struct sockaddr_in from;
    const struct session *s;

    apply(the_upstream(), "");
    from = say(clients[0], "one");
    s = last_session();
    ck_assert_int_eq(say(clients[0], "").sin_port, from.sin_port);
    answer(&from, "three");
    hear(clients[0], "three");
    ck_assert_uint_eq(w.worker.live, 1);
    ck_assert_uint_eq(s->udp->datagrams[CLIENT], 2);
    ck_assert_uint_eq(s->udp->datagrams[UPSTREAM], 1);
    ck_assert_uint_eq(s->flow[CLIENT].bytes, 3);
    ck_assert_uint_eq(s->flow[UPSTREAM].bytes, 5);
    ck_assert_uint_eq(atomic_load(&w.fds.booked), 2); /* the listener's and the session's */
}
END_TEST

START_TEST(each_client_has_its_own)
{
    struct sockaddr_in from[CLIENTS];

    apply(the_upstream(), "");
    for (int i = 0; i < CLIENTS; i++) {
        from[i] = say(clients[i], "hello");
        for (int j = 0; j < i; j++)
            ck_assert_int_ne(from[j].sin_port, from[i].sin_port);
    }
    ck_assert_uint_eq(w.worker.live, CLIENTS);
    for (int i = CLIENTS - 1; i >= 0; i--) {
        char text[16];

        snprintf(text, sizeof(text), "to %d", i);
        answer(&from[i], text);
        hear(clients[i], text);
    }
}
END_TEST

START_TEST(udp_replies_are_counted)
{
    struct sockaddr_in from;

    apply(the_upstream(), "udp_replies = 2;");
    from = say(clients[0], "q");
    answer(&from, "a1");
    hear(clients[0], "a1");
    ck_assert_uint_eq(w.worker.live, 1);
    answer(&from, "a2");
    answer(&from, "a3"); /* one too many */
    hear(clients[0], "a2");
    await_end(END_DONE, 1);
    ck_assert_uint_eq(w.worker.live, 0);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.datagrams_out), 2);
    from = say(clients[0], "q2");
    answer(&from, "a4");
    hear(clients[0], "a4"); /* and not a3 */
}
END_TEST

/* A resolver asks for A and AAAA at once, from one port. */
START_TEST(udp_replies_are_for_each_question)
{
    struct sockaddr_in from;

    apply(the_upstream(), "udp_replies = 1;");
    from = say(clients[0], "q1");
    say(clients[0], "q2");
    answer(&from, "a1");
    hear(clients[0], "a1");
    ck_assert_uint_eq(w.worker.live, 1);
    answer(&from, "a2");
    hear(clients[0], "a2");
    await_end(END_DONE, 1);
}
END_TEST

START_TEST(silence_ends_it)
{
    apply(the_upstream(), "udp_timeout = \"20ms\";");
    say(clients[0], "one");
    await_end(END_IDLE_TIMEOUT, 1);
    ck_assert_uint_eq(w.worker.live, 0);
    ck_assert_uint_eq(w.worker.served, 1);
    say(clients[0], "two");
    ck_assert_uint_eq(atomic_load(&the_rule()->account.opened), 2);
}
END_TEST

/* --- upstreams that can't be had -------------------------------------------------------------- */

START_TEST(a_refusal_marks_it_until_an_answer)
{
    struct sockaddr_in from;
    struct session *s;

    apply(the_upstream(), "");
    from = say(clients[0], "one");
    s = last_session();
    close(up);
    ck_assert_int_eq(send(clients[0], "two", 3, 0), 3);
    world_await(&w, is_marked, s);
    ck_assert_int_eq(session_timer(s, PATIENCE_MS), 0); /* an upstream that is as slow as we are */
    up = udp_at(PORT_UP);
    ck_assert_int_eq(say(clients[0], "three").sin_port, from.sin_port);
    answer(&from, "four");
    hear(clients[0], "four");
    ck_assert(!s->udp->refused);
    ck_assert_uint_eq(w.worker.live, 1);
}
END_TEST

START_TEST(refused_for_good)
{
    apply(the_upstream(), "");
    close(up);
    up = -1;
    for (int i = 0; i < 5; i++)
        send(clients[0], "x", 1, 0);
    await_end(END_UPSTREAM_REFUSED, 1);
    ck_assert_uint_eq(w.worker.served, 1);
}
END_TEST

/* Each datagram would be an attempt of its own. */
START_TEST(one_attempt_for_many_datagrams)
{
    apply("unix:/nowhere/at/all", "");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(send(clients[0], "x", 1, 0), 1);
        world_turn(&w);
    }
    await_end(END_CONNECT_REFUSED, 1);
    ck_assert_uint_eq(w.worker.served, 1);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.dropped), 5);
}
END_TEST

START_TEST(a_unix_upstream)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX}, from;
    socklen_t len = sizeof(from);
    struct datagram d;
    char upstream[sizeof(un.sun_path) + 8];

    snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/check-udp-%ld", (long)getpid());
    snprintf(upstream, sizeof(upstream), "unix:%s", un.sun_path);
    unlink(un.sun_path);
    close(up);
    up = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(up, (struct sockaddr *)&un, sizeof(un)), 0);
    apply(upstream, "");
    say(clients[0], "one");
    ck_assert_int_eq(send(clients[0], "two", 3, 0), 3);
    d = (struct datagram){.fd = up};
    while (recvfrom(up, d.text, sizeof(d.text), 0, (struct sockaddr *)&from, &len) < 0)
        world_turn(&w);
    ck_assert_int_eq(sendto(up, "back", 4, 0, (struct sockaddr *)&from, len), 4);
    hear(clients[0], "back");
    unlink(un.sun_path);
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------- */

START_TEST(the_limit_is_exact)
{
    apply(the_upstream(), "max_connections = 2;");
    say(clients[0], "a");
    say(clients[1], "b");
    for (int i = 2; i < CLIENTS; i++)
        ck_assert_int_eq(send(clients[i], "no", 2, 0), 2);
    await_end(END_LIMIT, CLIENTS - 2);
    say(clients[0], "c"); /* nothing of the others came between */
    ck_assert_uint_eq(w.worker.live, 2);
    ck_assert_uint_eq(w.worker.refused, CLIENTS - 2);
}
END_TEST

START_TEST(the_longest_silent_has_to_go)
{
    in_port_t first, second;

    apply(the_upstream(), "max_connections = 2; on_limit = \"evict\";");
    first = say(clients[0], "a").sin_port;
    second = say(clients[1], "b").sin_port;
    ck_assert_int_eq(say(clients[0], "again").sin_port, first);
    say(clients[2], "c");
    await_end(END_EVICTED, 1);
    ck_assert_uint_eq(w.worker.live, 2);
    ck_assert_int_eq(say(clients[0], "there").sin_port, first);
    ck_assert_int_ne(say(clients[1], "new").sin_port, second);
}
END_TEST

START_TEST(the_unanswered_go_first)
{
    struct sockaddr_in from;

    apply(the_upstream(), "max_connections = 2; on_limit = \"evict\";");
    from = say(clients[0], "a");
    answer(&from, "known");
    hear(clients[0], "known");
    for (int i = 1; i < CLIENTS; i++)
        say(clients[i], "flood");
    ck_assert_uint_eq(w.worker.live, 2);
    ck_assert_int_eq(say(clients[0], "there").sin_port, from.sin_port);
    await_end(END_EVICTED, CLIENTS - 2);
}
END_TEST

/* Both are read in one batch. */
START_TEST(who_has_just_talked_is_not_silent)
{
    in_port_t first;

    apply(the_upstream(), "max_connections = 2; on_limit = \"evict\";");
    first = say(clients[0], "a").sin_port;
    say(clients[1], "b");
    ck_assert_int_eq(send(clients[0], "still here", 10, 0), 10);
    ck_assert_int_eq(send(clients[2], "c", 1, 0), 1);
    await_end(END_EVICTED, 1);
    for (int i = 0; i < 2; i++) {
        struct datagram d = {.fd = up};

        world_await(&w, has_come, &d);
    }
    ck_assert_int_eq(say(clients[0], "and now").sin_port, first);
}
END_TEST

START_TEST(an_address_evicts_its_own)
{
    struct ruleset_changes changes;
    struct sockaddr_in other = own_address(PORT + 2);
    in_port_t first;
    struct conf *conf = conf_of("rules = { r = { listen = ( { address = \"udp:%s:%u\"; "
                                "max_connections = 1; }, \"udp:%s:%u\" ); upstream = \"%s\"; "
                                "on_limit = \"evict\"; }; };",
                                own_host(), PORT, own_host(), PORT + 2, the_upstream());

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    ck_assert_int_eq(connect(clients[0], (struct sockaddr *)&other, sizeof(other)), 0);
    first = say(clients[0], "elsewhere").sin_port; /* silent longest, but in nobody's way */
    say(clients[1], "b");
    say(clients[2], "c");
    await_end(END_EVICTED, 1);
    ck_assert_int_eq(say(clients[0], "still").sin_port, first);
    ck_assert_uint_eq(w.worker.live, 2);
}
END_TEST

/* --- reload ----------------------------------------------------------------------------------- */

START_TEST(a_closed_listener_ends_its_sessions)
{
    struct ruleset_changes changes;
    struct rule *rule;
    struct conf *conf;

    apply(the_upstream(), "");
    for (int i = 0; i < 3; i++)
        say(clients[i], "x");
    rule = rule_ref(w.set.rules[0]);
    conf = conf_of("rules = { other = { listen = \"udp:%s:%u\"; upstream = \"%s\"; }; };",
                   own_host(), PORT + 2, the_upstream());
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    ck_assert_uint_eq(w.worker.live, 0);
    ck_assert_uint_eq(atomic_load(&rule->account.ended[END_DRAINED]), 3);
    rule_unref(rule);
}
END_TEST

START_TEST(an_unchanged_rule_keeps_its_sessions)
{
    struct sockaddr_in from;

    apply(the_upstream(), "");
    from = say(clients[0], "before");
    apply(the_upstream(), "udp_timeout = \"1h\";");
    ck_assert_int_eq(say(clients[0], "after").sin_port, from.sin_port);
    answer(&from, "yes");
    hear(clients[0], "yes");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp");
    TCase *tc = tcase_create("sessions");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, there_and_back);
    tcase_add_test(tc, each_client_has_its_own);
    tcase_add_test(tc, udp_replies_are_counted);
    tcase_add_test(tc, udp_replies_are_for_each_question);
    tcase_add_test(tc, silence_ends_it);
    tcase_add_test(tc, a_refusal_marks_it_until_an_answer);
    tcase_add_test(tc, refused_for_good);
    tcase_add_test(tc, one_attempt_for_many_datagrams);
    tcase_add_test(tc, a_unix_upstream);
    tcase_add_test(tc, the_limit_is_exact);
    tcase_add_test(tc, the_longest_silent_has_to_go);
    tcase_add_test(tc, the_unanswered_go_first);
    tcase_add_test(tc, who_has_just_talked_is_not_silent);
    tcase_add_test(tc, an_address_evicts_its_own);
    tcase_add_test(tc, a_closed_listener_ends_its_sessions);
    tcase_add_test(tc, an_unchanged_rule_keeps_its_sessions);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
