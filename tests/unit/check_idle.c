/* SPDX-License-Identifier: BSD-2-Clause */
/* Ending when nobody is there: only while every listener is the service manager's. */
#include "config.h"

#include <check.h>

#include "daemon/idle.h"
#include "flow/listener.h"
#include "suite.h"
#include "world.h"

#define PORT 25001

static struct world w;
static struct idle idle;
static struct conf *all_passed, *some_passed;
static unsigned ends;

static void at_end(void *arg)
{
    ck_assert_ptr_eq(arg, &w);
    ends++;
    loop_stop(w.loop);
}

/* Listeners of the config, without a socket: who listens is what matters here. */
static void put_to_work(struct conf *conf)
{
    w.set.conf = conf_ref(conf);
    w.set.rules = calloc(1, sizeof(struct rule *));
    w.set.rules[w.set.count++] = rule_new(&w.worker, &conf->rules[0]);
    for (size_t i = 0; i < conf->rules[0].listen_count; i++)
        listener_attach(listener_new(&w.worker, &conf->rules[0].listens[i]), w.set.rules[0]);
}

static void begin(void)
{
    world_begin(&w);
    ends = 0;
    all_passed =
        conf_of("daemon = { exit_idle_time = \"1h\"; }; rules = { r = { "
                "listen = [\"systemd:a\", \"systemd:b\"]; upstream = \"10.0.0.1:1\"; }; };");
    some_passed = conf_of("rules = { r = { listen = [\"systemd:a\", \"%s:%u\"]; "
                          "upstream = \"10.0.0.1:1\"; }; };",
                          own_host(), PORT);
}

static void end(void)
{
    idle_stop(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
    world_end(&w);
    conf_unref(all_passed);
    conf_unref(some_passed);
}

START_TEST(all_passed_it_waits_as_long_as_the_config_says)
{
    put_to_work(all_passed);
    idle_init(&idle, &w.set, -1, at_end, &w);
    ck_assert_uint_eq(idle.timer.place, 0);
    idle_changed(&idle);
    ck_assert_uint_ne(idle.timer.place, 0);
    ck_assert_int_eq(idle.timer.due, loop_now(w.loop) + 3600000);
}
END_TEST

START_TEST(the_command_line_comes_first)
{
    put_to_work(all_passed);
    idle_init(&idle, &w.set, 60000, at_end, &w);
    idle_changed(&idle);
    ck_assert_int_eq(idle.timer.due, loop_now(w.loop) + 60000);
    idle_stop(&idle);
    idle_init(&idle, &w.set, 0, at_end, &w); /* never */
    idle_changed(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
}
END_TEST

START_TEST(a_session_keeps_it_from_ending)
{
    put_to_work(all_passed);
    idle_init(&idle, &w.set, -1, at_end, &w);
    idle_changed(&idle);
    w.worker.live = 1;
    idle_changed(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
    w.worker.live = 0;
    idle_changed(&idle);
    ck_assert_uint_ne(idle.timer.place, 0);
}
END_TEST

START_TEST(a_socket_of_our_own_keeps_it_from_ending)
{
    put_to_work(some_passed);
    idle_init(&idle, &w.set, 60000, at_end, &w);
    idle_changed(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
}
END_TEST

START_TEST(a_paused_rule_keeps_it_from_ending)
{
    put_to_work(all_passed);
    idle_init(&idle, &w.set, -1, at_end, &w);
    idle_changed(&idle);
    rule_pause(w.set.rules[0]);
    idle_changed(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
    rule_resume(w.set.rules[0]);
    idle_changed(&idle);
    ck_assert_uint_ne(idle.timer.place, 0);
}
END_TEST

START_TEST(a_socket_that_comes_with_a_reload_stops_it)
{
    struct listener *own = listener_new(&w.worker, &some_passed->rules[0].listens[1]);

    put_to_work(all_passed);
    idle_init(&idle, &w.set, 60000, at_end, &w);
    idle_changed(&idle);
    ck_assert_uint_ne(idle.timer.place, 0);
    listener_attach(own, w.set.rules[0]);
    idle_changed(&idle);
    ck_assert_uint_eq(idle.timer.place, 0);
}
END_TEST

START_TEST(it_tells_once)
{
    put_to_work(all_passed);
    idle_init(&idle, &w.set, 1, at_end, &w);
    idle_changed(&idle);
    ck_assert_int_eq(loop_run(w.loop), 0);
    ck_assert_uint_eq(ends, 1);
    world_turn(&w);
    ck_assert_uint_eq(ends, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idle");
    TCase *tcase = tcase_create("idle");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_passed_it_waits_as_long_as_the_config_says);
    tcase_add_test(tcase, the_command_line_comes_first);
    tcase_add_test(tcase, a_session_keeps_it_from_ending);
    tcase_add_test(tcase, a_socket_of_our_own_keeps_it_from_ending);
    tcase_add_test(tcase, a_paused_rule_keeps_it_from_ending);
    tcase_add_test(tcase, a_socket_that_comes_with_a_reload_stops_it);
    tcase_add_test(tcase, it_tells_once);
    return suite_run(suite);
}
