/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule that is paused, drained and resumed, with clients who come all the while. */
#include "config.h"

#include <check.h>
#include <poll.h>

#include "flow/drain.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "loop/engine.h"
#include "suite.h"
#include "world_udp.h"

#define PORT        24101
#define PORT_MORE   24102
#define PORT_UP     24103
#define PORT_UDP    24104
#define PORT_UP_UDP 24105

static const enum loop_engine engines[] = {LOOP_SELECT, LOOP_EPOLL};

static struct world w;
static int up, up_udp;

static void apply(const char *rules)
{
    struct ruleset_changes changes;
    struct conf *conf = conf_of("daemon = { drain_timeout = \"1h\"; }; rules = { %s };", rules);

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

/* A rule's text; "listens" are ports of ours. */
static const char *rule_of(const char *name, unsigned port, unsigned more, const char *options)
{
    static char text[2][1024];
    static int turn;
    char second[128] = "";
    char *out = text[turn++ % 2];

    if (more)
        snprintf(second, sizeof(second), ", \"%s:%u\"", own_host(), more);
    snprintf(out, sizeof(text[0]), "%s = { listen = [ \"%s:%u\"%s ]; upstream = \"%s:%u\"; %s };",
             name, own_host(), port, second, own_host(), PORT_UP, options);
    return out;
}

static void apply_udp(void)
{
    char text[512];

    snprintf(text, sizeof(text), "u = { listen = \"udp:%s:%u\"; upstream = \"%s:%u\"; };",
             own_host(), PORT_UDP, own_host(), PORT_UP_UDP);
    apply(text);
}

static void begin(void)
{
    world_begin_on(&w, engines[0]);
    up = upstream_at(PORT_UP, 100);
    up_udp = udp_at(PORT_UP_UDP);
    apply(rule_of("r", PORT, 0, ""));
}

/* The same world under another engine. */
static void under(enum loop_engine engine)
{
    if (engine == engines[0] || !engine_epoll)
        return;
    world_end(&w);
    world_begin_on(&w, engine);
    apply(rule_of("r", PORT, 0, ""));
}

static void end(void)
{
    world_end(&w);
    close(up);
    close(up_udp);
}

static struct rule *the_rule(void)
{
    return w.set.rules[0];
}

static struct listener *listener_at(const struct rule *rule, unsigned port)
{
    list_for_each (link, next, &rule->listeners) {
        struct listener *l = container_of(link, struct listener, link);

        if (l->conf->address.port == port)
            return l;
    }
    ck_abort_msg("nobody listens on %u", port);
}

/* A client that the kernel has let in. */
static int waiting_client(unsigned port)
{
    int fd = client_of(port);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* It is there for the listener to accept: and nobody does. */
static void nobody_accepts(unsigned port, uint64_t live)
{
    const struct rule *rule = the_rule();
    struct listener *l = listener_at(rule, port);
    struct pollfd p = {.fd = l->fd, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    for (int turn = 0; turn < 5; turn++)
        world_turn(&w);
    ck_assert_uint_eq(w.worker.live, live);
    ck_assert_uint_eq(l->watch.events, 0); /* so nothing spins */
    ck_assert_int_eq(poll(&p, 1, 0), 1);
}

static bool has_live(void *arg)
{
    return w.worker.live == *(const uint64_t *)arg;
}

static void await_live(uint64_t live)
{
    world_await(&w, has_live, &live);
}

/* --- connections ------------------------------------------------------------------------------ */

START_TEST(clients_wait_and_are_served_later)
{
    struct session *s;
    int first, waiting[3];

    under(engines[_i]);
    first = world_client(&w, PORT, STAGE_RELAY, &s);
    rule_pause(the_rule());
    ck_assert_str_eq(rule_state_word(the_rule()), "paused");
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = waiting_client(PORT);
    nobody_accepts(PORT, 1);
    ck_assert(!s->ended);
    rule_pause(the_rule()); /* once more: nothing */
    rule_resume(the_rule());
    ck_assert_str_eq(rule_state_word(the_rule()), "running");
    await_live(4);
    ck_assert_uint_eq(w.worker.refused, 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        sock_reset(waiting[i]);
    sock_reset(first);
    await_live(0);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.ended[END_CLIENT_RESET]), 4);
}
END_TEST

START_TEST(an_event_of_the_same_batch_lets_nobody_in)
{
    struct listener *l = listener_at(the_rule(), PORT);
    int fd = waiting_client(PORT);

    rule_pause(the_rule());
    l->watch.fn(&l->watch, LOOP_READ);
    ck_assert_uint_eq(w.worker.live, 0);
    listener_empty(l);
    ck_assert_uint_eq(w.worker.live, 0);
    sock_reset(fd);
}
END_TEST

static bool has_rested(void *arg)
{
    const struct listener *l = arg;

    return l->rest.place == 0;
}

static bool rests(void *arg)
{
    return !has_rested(arg);
}

START_TEST(who_rests_comes_back_paused)
{
    struct listener *l = listener_at(the_rule(), PORT);
    unsigned all = w.fds.room - atomic_load(&w.fds.booked);
    int fd;

    ck_assert(fds_book(&w.fds, all));
    fd = waiting_client(PORT);
    world_await(&w, rests, l);
    rule_pause(the_rule());
    fds_release(&w.fds, all);
    ck_assert_uint_ne(l->rest.place, 0);
    world_await(&w, has_rested, l);
    nobody_accepts(PORT, 0);
    rule_resume(the_rule());
    await_live(1);
    sock_reset(fd);
}
END_TEST

START_TEST(who_rests_goes_on_resting_when_resumed)
{
    struct listener *l = listener_at(the_rule(), PORT);
    unsigned all = w.fds.room - atomic_load(&w.fds.booked);
    int fd;

    ck_assert(fds_book(&w.fds, all));
    fd = waiting_client(PORT);
    world_await(&w, rests, l);
    rule_pause(the_rule());
    rule_resume(the_rule());
    ck_assert_uint_ne(l->rest.place, 0);
    ck_assert_uint_eq(l->watch.events, 0);
    fds_release(&w.fds, all);
    await_live(1);
    sock_reset(fd);
}
END_TEST

static bool waits(void *arg)
{
    const struct listener *l = arg;

    return !list_empty(&l->waiting);
}

START_TEST(who_waits_for_a_place_wakes_paused)
{
    struct listener *l;
    struct session *s;
    int first, second;

    apply(rule_of("r", PORT, 0, "max_connections = 1; on_limit = \"wait\";"));
    l = listener_at(the_rule(), PORT);
    first = world_client(&w, PORT, STAGE_RELAY, &s);
    second = waiting_client(PORT);
    world_await(&w, waits, l);
    rule_pause(the_rule());
    rule_resume(the_rule()); /* that is no place yet */
    ck_assert_uint_eq(l->watch.events, 0);
    rule_pause(the_rule());
    sock_reset(first);
    await_live(0);
    ck_assert(!waits(l));
    nobody_accepts(PORT, 0);
    rule_resume(the_rule());
    await_live(1);
    sock_reset(second);
}
END_TEST

/* --- reloads ---------------------------------------------------------------------------------- */

START_TEST(a_reload_keeps_it_paused)
{
    int waiting, more;

    rule_pause(the_rule());
    waiting = waiting_client(PORT);
    apply(rule_of("r", PORT, 0, "")); /* nothing has changed */
    nobody_accepts(PORT, 0);
    apply(rule_of("r", PORT, PORT_MORE, "max_connections = 7;"));
    more = waiting_client(PORT_MORE);
    nobody_accepts(PORT, 0);
    nobody_accepts(PORT_MORE, 0);
    rule_resume(the_rule());
    await_live(2);
    sock_reset(waiting);
    sock_reset(more);
}
END_TEST

START_TEST(an_address_follows_the_rule_that_it_goes_to)
{
    char both[2048];
    int fd;

    rule_pause(the_rule());
    fd = waiting_client(PORT);
    snprintf(both, sizeof(both), "%s %s", rule_of("r", PORT_MORE, 0, ""),
             rule_of("other", PORT, 0, ""));
    apply(both);
    await_live(1);
    ck_assert_int_eq(the_rule()->state, RULE_PAUSED);
    ck_assert_int_eq(w.set.rules[1]->state, RULE_RUNNING);
    ck_assert_uint_eq(atomic_load(&w.set.rules[1]->live), 1);
    apply(rule_of("r", PORT, 0, "")); /* and back */
    ck_assert_int_eq(the_rule()->state, RULE_PAUSED);
    sock_reset(fd);
    await_live(0);
    fd = waiting_client(PORT);
    nobody_accepts(PORT, 0);
    sock_reset(fd);
}
END_TEST

START_TEST(a_rule_that_comes_back_is_a_new_one)
{
    struct session *s;
    struct rule *rule = the_rule();
    int fd;

    apply(rule_of("r", PORT, 0, "on_change = \"keep\";"));
    fd = world_client(&w, PORT, STAGE_RELAY, &s);
    ck_assert_int_eq(rule_drain(rule), 0);
    apply(rule_of("other", PORT_MORE, 0, ""));
    ck_assert_str_eq(rule_state_word(rule), "removed");
    ck_assert_int_ne(drain_due(s), 0);
    apply(rule_of("r", PORT, 0, ""));
    ck_assert_ptr_eq(the_rule(), rule);
    ck_assert_str_eq(rule_state_word(rule), "running");
    ck_assert_int_eq(drain_due(s), 0);
    sock_reset(fd);
}
END_TEST

/* --- draining --------------------------------------------------------------------------------- */

START_TEST(draining_gives_all_sessions_the_daemons_time)
{
    struct session *one, *other;
    int a = world_client(&w, PORT, STAGE_RELAY, &one), b, c;

    b = world_client(&w, PORT, STAGE_RELAY, &other);
    ck_assert_int_eq(drain_session(other, 1000), 0); /* less than that holds */
    ck_assert_int_eq(rule_drain(the_rule()), 0);
    ck_assert_str_eq(rule_state_word(the_rule()), "draining");
    ck_assert_int_eq(drain_due(one), loop_now(w.loop) + 3600000);
    ck_assert_int_eq(drain_due(other), other->drain_at);
    c = waiting_client(PORT);
    nobody_accepts(PORT, 2);
    ck_assert_int_eq(drain_session(other, 0), 0);
    ck_assert_uint_eq(w.worker.live, 1);
    sock_reset(a);
    await_live(0);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.ended[END_DRAINED]), 0);
    sock_reset(b);
    sock_reset(c);
}
END_TEST

START_TEST(draining_ends_them_when_it_is_over)
{
    struct session *s;
    int fds[3];

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = world_client(&w, PORT, STAGE_RELAY, &s);
    ck_assert_int_eq(rule_drain(the_rule()), 0);
    ck_assert_int_eq(drain_rule(the_rule(), _i == 0 ? 0 : 20), 0);
    await_live(0);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.ended[END_DRAINED]), 3);
    ck_assert_uint_eq(w.worker.drain.place, 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        sock_reset(fds[i]);
}
END_TEST

START_TEST(what_was_drained_can_be_had_back)
{
    struct session *s;
    int fd = world_client(&w, PORT, STAGE_RELAY, &s);
    int64_t first;

    ck_assert_int_eq(rule_drain(the_rule()), 0);
    first = drain_due(s);
    while (loop_now(w.loop) + 3600000 == first)
        world_turn(&w);
    ck_assert_int_eq(rule_drain(the_rule()), 0); /* again: it goes on with its time */
    ck_assert_int_eq(drain_due(s), first);
    rule_pause(the_rule());
    ck_assert_int_eq(drain_due(s), 0);
    ck_assert_int_eq(rule_drain(the_rule()), 0);
    ck_assert_int_gt(drain_due(s), first);
    rule_resume(the_rule());
    ck_assert_int_eq(drain_due(s), 0);
    ck_assert_int_eq(drain_session(s, 7200000), 0); /* of a reload: that stays */
    ck_assert_int_eq(rule_drain(the_rule()), 0);
    ck_assert_int_lt(drain_due(s), s->drain_at);
    rule_resume(the_rule());
    ck_assert_int_eq(drain_due(s), s->drain_at);
    ck_assert_int_ne(s->drain_at, 0);
    sock_reset(fd);
}
END_TEST

/* --- datagrams -------------------------------------------------------------------------------- */

static bool has_refused(void *arg)
{
    return atomic_load(&the_rule()->account.refused[END_PAUSED]) == *(const uint64_t *)arg;
}

START_TEST(datagrams_of_those_who_are_known_go_on)
{
    struct sockaddr_in in = own_address(PORT_UDP), from;
    int known, new;
    uint64_t two = 2;

    apply_udp();
    known = udp_at(0);
    new = udp_at(0);
    send_to(known, &in, "one");
    await_text(&w, up_udp, "one");
    _i == 0 ? rule_pause(the_rule()) : (void)rule_drain(the_rule());
    send_to(new, &in, "lost");
    send_to(new, &in, "lost too");
    send_to(known, &in, "two");
    from = await_text(&w, up_udp, "two");
    send_to(up_udp, &from, "reply");
    await_text(&w, known, "reply");
    world_await(&w, has_refused, &two);
    ck_assert_uint_eq(w.worker.live, 1);
    ck_assert_uint_eq(w.worker.refused, 2);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.opened), 1);
    rule_resume(the_rule());
    send_to(new, &in, "at last");
    await_text(&w, up_udp, "at last");
    close(known);
    close(new);
}
END_TEST

/* --- anything, in any order ------------------------------------------------------------------- */

/* Whatever is done: nobody begins while the rule isn't running, and everybody does in the end. */
START_TEST(nobody_gets_in_while_it_is_not_running)
{
    enum { STEPS = 60 };
    int fds[STEPS];
    unsigned clients = 0, state = 12345 + (unsigned)_i;

    under(engines[_i % 2]);
    for (int step = 0; step < STEPS; step++) {
        uint64_t before = atomic_load(&the_rule()->account.opened);

        state = state * 1103515245 + 12345;
        switch (state >> 16 & 3) {
        case 0:
            rule_pause(the_rule());
            break;
        case 1:
            ck_assert_int_eq(rule_drain(the_rule()), 0);
            break;
        case 2:
            rule_resume(the_rule());
            break;
        default:
            fds[clients++] = waiting_client(PORT);
        }
        world_turn(&w);
        if (the_rule()->state != RULE_RUNNING)
            ck_assert_uint_eq(atomic_load(&the_rule()->account.opened), before);
    }
    rule_resume(the_rule());
    await_live(clients);
    ck_assert_uint_eq(atomic_load(&the_rule()->account.opened), clients);
    ck_assert_uint_eq(w.worker.refused, 0);
    while (clients > 0)
        close(fds[--clients]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pause");
    TCase *tcase = tcase_create("pause");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, clients_wait_and_are_served_later, 0, 2);
    tcase_add_test(tcase, an_event_of_the_same_batch_lets_nobody_in);
    tcase_add_test(tcase, who_rests_comes_back_paused);
    tcase_add_test(tcase, who_rests_goes_on_resting_when_resumed);
    tcase_add_test(tcase, who_waits_for_a_place_wakes_paused);
    tcase_add_test(tcase, a_reload_keeps_it_paused);
    tcase_add_test(tcase, an_address_follows_the_rule_that_it_goes_to);
    tcase_add_test(tcase, a_rule_that_comes_back_is_a_new_one);
    tcase_add_test(tcase, draining_gives_all_sessions_the_daemons_time);
    tcase_add_loop_test(tcase, draining_ends_them_when_it_is_over, 0, 2);
    tcase_add_test(tcase, what_was_drained_can_be_had_back);
    tcase_add_loop_test(tcase, datagrams_of_those_who_are_known_go_on, 0, 2);
    tcase_add_loop_test(tcase, nobody_gets_in_while_it_is_not_running, 0, 10);
    return suite_run(suite);
}
