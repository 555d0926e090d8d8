/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions that have only so long left. */
#include "config.h"

#include <check.h>

#include "flow/drain.h"
#include "suite.h"
#include "world.h"

#define PORT    24001
#define PORT_UP 24002
#define MANY    70

static struct world w;
static int up, client;
static struct session *s;

static void begin(void)
{
    struct ruleset_changes changes;
    struct conf *conf;

    world_begin(&w);
    up = upstream_at(PORT_UP, MANY);
    conf = conf_of("rules = { r = { listen = \"%s:%u\"; upstream = \"%s:%u\"; }; };", own_host(),
                   PORT, own_host(), PORT_UP);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    conf_unref(conf);
    client = world_client(&w, PORT, STAGE_RELAY, &s);
}

static void end(void)
{
    world_end(&w);
    close(client);
    close(up);
}

START_TEST(on_change_in_milliseconds)
{
    ck_assert_int_eq(drain_time(ON_CHANGE_KEEP, 5000), -1);
    ck_assert_int_eq(drain_time(ON_CHANGE_DRAIN, 5000), 5000);
    ck_assert_int_eq(drain_time(ON_CHANGE_DRAIN, 0), 0);
    ck_assert_int_eq(drain_time(ON_CHANGE_KILL, 5000), 0);
    ck_assert_int_eq(drain_time(30000, 5000), 30000);
    ck_assert_int_eq(drain_time(1, 5000), 1);
}
END_TEST

START_TEST(the_earliest_end_holds)
{
    int64_t first;

    ck_assert_int_eq(drain_session(s, 3600000), 0);
    first = s->drain_at;
    ck_assert_int_eq(first, loop_now(w.loop) + 3600000);
    ck_assert_int_eq(drain_session(s, 7200000), 0);
    ck_assert_int_eq(s->drain_at, first);
    ck_assert_int_eq(w.worker.drain.due, first);
    ck_assert_int_eq(drain_session(s, 1800000), 0);
    ck_assert_int_eq(s->drain_at, first - 1800000);
    ck_assert_int_eq(w.worker.drain.due, first - 1800000);
    ck_assert(!s->ended);
}
END_TEST

static bool all_gone(void *arg)
{
    const struct world *world = arg;

    return world->worker.live == 0;
}

START_TEST(one_goes_when_its_time_has_come_and_the_other_stays)
{
    struct session *other;
    int second = world_client(&w, PORT, STAGE_RELAY, &other), third;
    struct rule *rule = w.set.rules[0];

    third = world_client(&w, PORT, STAGE_RELAY, &other); /* nobody waits for that one */
    ck_assert_int_eq(drain_session(s, 1), 0);
    ck_assert_int_eq(drain_session(container_of(other->link.prev, struct session, link), 5), 0);
    while (w.worker.live > 1)
        world_turn(&w);
    ck_assert(!other->ended);
    ck_assert_uint_eq(atomic_load(&rule->account.ended[END_DRAINED]), 2);
    ck_assert_uint_eq(w.worker.drain.place, 0); /* no wakeup for nothing */
    ck_assert_int_eq(drain_session(other, 1), 0);
    world_await(&w, all_gone, &w);
    ck_assert_uint_eq(atomic_load(&rule->account.ended[END_DRAINED]), 3);
    close(second);
    close(third);
}
END_TEST

/* No session is to wait while thousands end. */
START_TEST(many_go_a_few_at_a_time)
{
    struct rule *rule = w.set.rules[0];
    int clients[MANY - 1];

    for (unsigned i = 0; i < MANY - 1; i++)
        clients[i] = world_client(&w, PORT, STAGE_RELAY, &s);
    ck_assert_int_eq(drain_rule(rule, 1), 0);
    while (w.worker.live == MANY)
        world_turn(&w);
    ck_assert_uint_eq(w.worker.live, MANY - 32);
    world_await(&w, all_gone, &w);
    ck_assert_uint_eq(atomic_load(&rule->account.ended[END_DRAINED]), MANY);
    ck_assert_uint_eq(w.worker.drain.place, 0);
    for (unsigned i = 0; i < MANY - 1; i++)
        close(clients[i]);
}
END_TEST

START_TEST(no_time_at_all_is_the_end_now)
{
    struct rule *rule = w.set.rules[0];

    ck_assert_int_eq(drain_session(s, 0), 0);
    ck_assert_uint_eq(w.worker.live, 0);
    ck_assert_uint_eq(atomic_load(&rule->account.ended[END_KILLED]), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drain");
    TCase *tcase = tcase_create("drain");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, on_change_in_milliseconds);
    tcase_add_test(tcase, the_earliest_end_holds);
    tcase_add_test(tcase, one_goes_when_its_time_has_come_and_the_other_stays);
    tcase_add_test(tcase, many_go_a_few_at_a_time);
    tcase_add_test(tcase, no_time_at_all_is_the_end_now);
    return suite_run(suite);
}
