/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop, the same tests under each engine. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/engine.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "loop_probe.h"
#include "suite.h"

START_TEST(readable_and_writable_are_told_apart)
{
    struct loop *loop = make(_i);
    struct probe p;

    set_up(&p, loop);
    start(&p, LOOP_WRITE, note_and_stop);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(p.events, LOOP_WRITE);
    loop_change(loop, &p.watch, LOOP_READ);
    ck_assert_int_eq(write(p.peer, "x", 1), 1);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(p.events, LOOP_READ);
    loop_change(loop, &p.watch, LOOP_READ | LOOP_WRITE);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(p.events, LOOP_READ | LOOP_WRITE);
    ck_assert_int_eq(p.calls, 3);
    tear_down(&p);
    loop_free(loop);
}
END_TEST

START_TEST(it_is_level_triggered)
{
    struct loop *loop = make(_i);
    struct probe p;

    set_up(&p, loop);
    start(&p, LOOP_READ, note_and_stop);
    ck_assert_int_eq(write(p.peer, "x", 1), 1);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(loop_run(loop), 0);
        ck_assert_int_eq(p.calls, i);
    }
    tear_down(&p);
    loop_free(loop);
}
END_TEST

START_TEST(end_of_file_is_readable)
{
    struct loop *loop = make(_i);
    struct probe p;

    set_up(&p, loop);
    start(&p, LOOP_READ, note_and_stop);
    close(p.peer);
    p.peer = -1;
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(p.events & LOOP_READ);
    tear_down(&p);
    loop_free(loop);
}
END_TEST

/* --- one batch ------------------------------------------------------------------------------- */

static void close_victim(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);

    (void)events;
    p->calls++;
    if (p->victim->watch.fd >= 0) {
        int fd = p->victim->watch.fd;

        loop_unwatch(p->loop, &p->victim->watch);
        close(fd);
    }
    int own = p->watch.fd;

    loop_unwatch(p->loop, &p->watch);
    close(own);
    loop_stop(p->loop);
}

/* Of two that are ready in one batch, the first to be called closes itself and the other. */
START_TEST(a_callback_closes_its_own_and_another_watch)
{
    struct loop *loop = make(_i);
    struct probe a, b;

    set_up(&a, loop);
    set_up(&b, loop);
    a.victim = &b;
    b.victim = &a;
    start(&a, LOOP_WRITE, close_victim);
    start(&b, LOOP_WRITE, close_victim);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(a.calls + b.calls, 1);
    ck_assert_uint_eq(loop_watched(loop), 0);
    tear_down(&a);
    tear_down(&b);
    loop_free(loop);
}
END_TEST

struct reuse {
    struct probe first, second, heir;
};

static void hand_number_on(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);
    struct probe *victim = p->victim;
    struct probe *heir = victim->victim;
    int fd = victim->watch.fd;

    (void)events;
    p->calls++;
    loop_stop(p->loop);
    if (fd < 0)
        return;
    /* The number of the dead watch now belongs to another socket, with nothing to read. */
    loop_unwatch(p->loop, &victim->watch);
    ck_assert_int_eq(dup2(heir->near, fd), fd);
    close(heir->near);
    ck_assert_int_eq(loop_watch(p->loop, &heir->watch, fd, LOOP_READ, note_and_stop), 0);
}

/* An event of the batch for a descriptor that was closed must not reach who got its number. */
START_TEST(a_number_reused_within_a_batch_gets_no_old_event)
{
    struct loop *loop = make(_i);
    struct reuse r;

    set_up(&r.first, loop);
    set_up(&r.second, loop);
    set_up(&r.heir, loop);
    r.first.victim = &r.second;
    r.second.victim = &r.heir;
    start(&r.first, LOOP_READ, hand_number_on);
    start(&r.second, LOOP_READ, note_and_stop);
    ck_assert_int_eq(write(r.first.peer, "x", 1), 1);
    ck_assert_int_eq(write(r.second.peer, "x", 1), 1);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(r.first.calls, 1);
    ck_assert_int_eq(r.heir.calls, 0);
    run_for(loop, 1);
    ck_assert_int_eq(r.heir.calls, 0);
    ck_assert_int_eq(write(r.heir.peer, "x", 1), 1);
    loop_change(loop, &r.first.watch, 0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(r.heir.calls, 1);
    tear_down(&r.first);
    tear_down(&r.second);
    tear_down(&r.heir);
    loop_free(loop);
}
END_TEST

static void free_probe(struct deferred *d)
{
    free(container_of(d, struct probe, deferred));
}

static void die(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);
    int fd = p->watch.fd;

    (void)events;
    loop_unwatch(p->loop, &p->watch);
    close(fd);
    close(p->peer);
    loop_defer(p->loop, &p->deferred, free_probe);
    if (loop_watched(p->loop) == 0)
        loop_stop(p->loop);
}

/* More than one batch of watches, each of which frees itself: the sanitizers would see a stale one.
 */
START_TEST(what_is_freed_is_freed_after_the_batch)
{
    struct loop *loop = make(_i);

    for (int i = 0; i < ENGINE_BATCH + 50; i++) {
        struct probe *p = malloc(sizeof(*p));

        ck_assert_ptr_nonnull(p);
        set_up(p, loop);
        start(p, LOOP_WRITE, die);
    }
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(loop_watched(loop), 0);
    loop_free(loop);
}
END_TEST

/* --- errors on a watch without events -------------------------------------------------------- */

static void connect_pair(int *near, int *far)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    *far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(*far, (struct sockaddr *)&a, len), 0);
    *near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(*near, 0);
    close(listener);
}

static void reset_connection(int fd)
{
    struct linger linger = {.l_onoff = 1};

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

START_TEST(a_reset_is_noticed_without_events)
{
    struct loop *loop = make(_i);
    struct probe p = {.watch = WATCH_NONE, .loop = loop};
    int near, far, error = 0;
    socklen_t size = sizeof(error);

    connect_pair(&near, &far);
    ck_assert_int_eq(write(far, "unread", 6), 6);
    ck_assert_int_eq(loop_watch(loop, &p.watch, near, 0, note_and_stop), 0);
    run_for(loop, 50);
    ck_assert_int_eq(p.calls, 0);
    reset_connection(far);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(p.events & LOOP_ERROR);
    ck_assert_int_eq(getsockopt(near, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    ck_assert_int_eq(error, ECONNRESET);
    loop_unwatch(loop, &p.watch);
    close(near);
    loop_free(loop);
}
END_TEST

/* A connection that is shut in both directions is for ever "hung up": that must not spin the loop.
 */
START_TEST(a_connection_that_is_shut_both_ways_is_quiet)
{
    struct loop *loop = make(_i);
    struct probe p = {.watch = WATCH_NONE, .loop = loop};
    int near, far;
    char byte;

    connect_pair(&near, &far);
    ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
    ck_assert_int_eq(shutdown(near, SHUT_WR), 0);
    ck_assert_int_eq(read(far, &byte, 1), 0);
    ck_assert_int_eq(loop_watch(loop, &p.watch, near, 0, note_and_stop), 0);
    run_for(loop, 700);
    ck_assert_int_eq(p.calls, 0);
    loop_unwatch(loop, &p.watch);
    close(near);
    close(far);
    loop_free(loop);
}
END_TEST

/* --- timers, deferred work, signals ---------------------------------------------------------- */

struct tick {
    struct timer timer;
    struct loop *loop;
    int *order;
    int number;
};

static void note_tick(struct timer *t)
{
    struct tick *k = container_of(t, struct tick, timer);

    k->order[k->order[0]++] = k->number;
    if (k->number == 9)
        loop_stop(k->loop);
}

START_TEST(timers_fire_in_order_and_once)
{
    struct loop *loop = make(_i);
    int order[10] = {1};
    struct tick ticks[] = {{.number = 9}, {.number = 2}, {.number = 3}, {.number = 4}};
    static const int delays[] = {40, 20, 1, 10};

    for (int i = 0; i < 4; i++) {
        ticks[i].loop = loop;
        ticks[i].order = order;
        ck_assert_int_eq(loop_timer(loop, &ticks[i].timer, delays[i], note_tick), 0);
    }
    loop_timer_stop(loop, &ticks[3].timer);
    loop_timer_stop(loop, &ticks[3].timer);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(order[0], 4);
    ck_assert_int_eq(order[1], 3);
    ck_assert_int_eq(order[2], 2);
    ck_assert_int_eq(order[3], 9);
    loop_free(loop);
}
END_TEST

/* A clock that stands still (-Wl,--wrap); 0: it is the real one. */
static int64_t stopped_at;

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return stopped_at ? stopped_at : __real_clock_monotonic_ms();
}

/* Something is ready in each turn of the loop; in the tenth the time comes. */
static void turn(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);

    (void)events;
    if (++p->calls == 10)
        stopped_at++;
}

START_TEST(a_timer_fires_when_its_time_has_come_and_not_before)
{
    struct loop *loop;
    struct probe p;

    stopped_at = 1000;
    loop = make(_i);
    set_up(&p, loop);
    start(&p, LOOP_WRITE, turn);
    for (int i = 1; i <= 3; i++) {
        p.calls = 0;
        run_for(loop, 1);
        ck_assert_int_eq(p.calls, 11);
        ck_assert_int_eq(loop_now(loop), 1000 + i);
    }
    stopped_at = 0;
    tear_down(&p);
    loop_free(loop);
}
END_TEST

static void note_signal(void *arg, int signal)
{
    struct probe *p = arg;

    p->calls++;
    p->events = (unsigned)signal;
    loop_stop(p->loop);
}

START_TEST(a_burst_of_signals_is_one_event)
{
    static const int wanted[] = {SIGUSR1, SIGUSR2, 0};
    struct loop *loop = make(_i);
    struct probe p = {.loop = loop};
    struct signals *signals = signals_new(loop, wanted, note_signal, &p);

    ck_assert_ptr_nonnull(signals);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(p.events, SIGUSR1);
    run_for(loop, 20);
    ck_assert_int_eq(p.calls, 1);
    signals_free(signals);
    loop_free(loop);
}
END_TEST

/* As long as there is a byte that is never read. */
static void receive(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);

    (void)events;
    loop_received(p->loop, 16, !p->left);
    p->calls++;
    if (prctl(PR_GET_TIMERSLACK) == 1000 || p->calls == 10000000)
        loop_stop(p->loop);
}

/* Somebody else's. */
static void be_busy(struct watch *w, unsigned events)
{
    (void)w;
    (void)events;
}

/* Nobody rests where others have work, or where more datagrams may be waiting. */
START_TEST(who_has_work_left_does_not_rest)
{
    struct loop *loop = make(_i);
    struct probe p, other;
    int more = 1;

    set_up(&p, loop);
    start(&p, LOOP_READ, receive);
    set_up(&other, loop);
    start(&other, LOOP_WRITE, be_busy);
    ck_assert_int_eq(write(p.peer, "x", 1), 1);
    run_for(loop, 100);
    loop_unwatch(loop, &other.watch);
    close(other.near);
    close(other.peer);
    p.left = &more;
    run_for(loop, 100);
    ck_assert_int_gt(p.calls, 0);
    ck_assert_int_ne(prctl(PR_GET_TIMERSLACK), 1000);
    tear_down(&p);
    loop_free(loop);
}
END_TEST

/* That it has slept shows in how exactly it wants to be woken. */
START_TEST(datagrams_that_come_thick_and_fast_are_rested_for)
{
    struct loop *loop = make(_i);
    struct probe p;

    ck_assert_int_ne(prctl(PR_GET_TIMERSLACK), 1000);
    set_up(&p, loop);
    start(&p, LOOP_READ, receive);
    ck_assert_int_eq(write(p.peer, "x", 1), 1);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(prctl(PR_GET_TIMERSLACK), 1000);
    tear_down(&p);
    loop_free(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tcase = tcase_create("each engine");
    int n = engine_count();

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, readable_and_writable_are_told_apart, 0, n);
    tcase_add_loop_test(tcase, it_is_level_triggered, 0, n);
    tcase_add_loop_test(tcase, end_of_file_is_readable, 0, n);
    tcase_add_loop_test(tcase, a_callback_closes_its_own_and_another_watch, 0, n);
    tcase_add_loop_test(tcase, a_number_reused_within_a_batch_gets_no_old_event, 0, n);
    tcase_add_loop_test(tcase, what_is_freed_is_freed_after_the_batch, 0, n);
    tcase_add_loop_test(tcase, a_reset_is_noticed_without_events, 0, n);
    tcase_add_loop_test(tcase, a_connection_that_is_shut_both_ways_is_quiet, 0, n);
    tcase_add_loop_test(tcase, timers_fire_in_order_and_once, 0, n);
    tcase_add_loop_test(tcase, a_timer_fires_when_its_time_has_come_and_not_before, 0, n);
    tcase_add_loop_test(tcase, a_burst_of_signals_is_one_event, 0, n);
    tcase_add_loop_test(tcase, who_has_work_left_does_not_rest, 0, n);
    tcase_add_loop_test(tcase, datagrams_that_come_thick_and_fast_are_rested_for, 0, n);
    return suite_run(suite);
}
