/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop with many descriptors: past FD_SETSIZE, and from one engine to the other while it runs.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/engine.h"
#include "loop/loop.h"
#include "loop_probe.h"
#include "suite.h"

static void raise_limit(void)
{
    struct rlimit rl;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
    rl.rlim_cur = rl.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
    ck_assert_msg(rl.rlim_max > 3 * FD_SETSIZE, "the hard RLIMIT_NOFILE is too low for this test");
}

static void read_one(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);
    char byte;

    (void)events;
    ck_assert_int_eq(read(w->fd, &byte, 1), 1);
    p->calls++;
    if (--*p->left == 0)
        loop_stop(p->loop);
}

/* Descriptors far beyond FD_SETSIZE, all of them ready at once: each is called exactly once. */
static void many(enum loop_engine engine, const char *name_after)
{
    enum { COUNT = FD_SETSIZE + 200 };
    struct loop *loop = loop_new(engine);
    struct probe *probes = calloc(COUNT, sizeof(*probes));
    int left = COUNT;

    raise_limit();
    ck_assert_ptr_nonnull(loop);
    ck_assert_ptr_nonnull(probes);
    for (int i = 0; i < COUNT; i++) {
        set_up(&probes[i], loop);
        start(&probes[i], LOOP_READ, read_one);
        probes[i].left = &left;
    }
    ck_assert_int_gt(probes[COUNT - 1].watch.fd, 2 * FD_SETSIZE);
    ck_assert_str_eq(loop_engine_name(loop), name_after);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(write(probes[i].peer, "x", 1), 1);
    ck_assert_int_eq(loop_run(loop), 0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(probes[i].calls, 1);
        tear_down(&probes[i]);
    }
    ck_assert_uint_eq(loop_watched(loop), 0);
    free(probes);
    loop_free(loop);
}

START_TEST(more_than_fd_setsize)
{
    many(engine_number(_i), engine_number(_i) == LOOP_SELECT ? "select" : "epoll");
}
END_TEST

START_TEST(auto_moves_while_running)
{
    many(LOOP_AUTO, engine_epoll ? "epoll" : "select");
}
END_TEST

static void watch_more(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);

    (void)events;
    p->calls++;
    for (int i = 0; i < 300; i++) {
        set_up(&p->victim[i], p->loop);
        start(&p->victim[i], 0, note_and_stop);
    }
    loop_change(p->loop, &p->watch, 0);
}

static void note_engine(void *arg, const char *engine)
{
    *(const char **)arg = engine;
}

/* The move happens within a batch; the events at hand, of the old engine, still arrive. */
START_TEST(a_move_in_the_middle_of_a_batch_loses_nothing)
{
    struct loop *loop = loop_new(LOOP_AUTO);
    struct probe first, second, *more = calloc(300, sizeof(*more));
    const char *moved = NULL;

    ck_assert_ptr_nonnull(loop);
    ck_assert_ptr_nonnull(more);
    loop_on_move(loop, note_engine, &moved);
    set_up(&first, loop);
    set_up(&second, loop);
    first.victim = more;
    start(&first, LOOP_WRITE, watch_more);
    start(&second, LOOP_WRITE, note_and_stop);
    ck_assert_str_eq(loop_engine_name(loop), "select");
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 1);
    if (engine_epoll)
        ck_assert_str_eq(moved, "epoll");
    ck_assert_uint_eq(loop_watched(loop), 302);
    for (int i = 0; i < 300; i++)
        tear_down(&more[i]);
    tear_down(&first);
    tear_down(&second);
    free(more);
    loop_free(loop);
}
END_TEST

/* With more ready than one batch holds, those at the end get their turn too. */
START_TEST(nobody_starves)
{
    enum { COUNT = ENGINE_BATCH * 2 + 10 };
    struct loop *loop = make(_i);
    struct probe *probes = calloc(COUNT, sizeof(*probes));

    raise_limit();
    for (int i = 0; i < COUNT; i++) {
        set_up(&probes[i], loop);
        start(&probes[i], LOOP_WRITE, note_and_stop);
    }
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(loop_run(loop), 0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_msg(probes[i].calls > 0, "watch %d of %d was never called", i, COUNT);
        tear_down(&probes[i]);
    }
    free(probes);
    loop_free(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop with many descriptors");
    TCase *tcase = tcase_create("each engine"), *both = tcase_create("auto");
    int n = engine_count();

    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, both);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, more_than_fd_setsize, 0, n);
    tcase_add_loop_test(tcase, nobody_starves, 0, n);
    tcase_add_test(both, auto_moves_while_running);
    tcase_add_test(both, a_move_in_the_middle_of_a_batch_loses_nothing);
    return suite_run(suite);
}
