/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the loop's turns have taken, by a clock that only goes on when it is told to. */
#include "config.h"

#include "base/clock.h"
#include "loop_probe.h"
#include "suite.h"

/* Read in place of the real one (-Wl,--wrap). */
static int64_t now = 1000;

int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return now;
}

struct busy {
    struct probe probe;
    unsigned turns;  /* still to come ... */
    int64_t lost_ms; /* ... in each of which that much time is lost */
};

static void lose(struct watch *w, unsigned events)
{
    struct probe *p = container_of(w, struct probe, watch);
    struct busy *b = container_of(p, struct busy, probe);

    (void)events;
    now += b->lost_ms;
    if (--b->turns == 0)
        loop_stop(p->loop);
}

static void lose_time(struct loop *loop, unsigned turns, int64_t lost_ms)
{
    struct busy b = {.turns = turns, .lost_ms = lost_ms};

    set_up(&b.probe, loop);
    start(&b.probe, LOOP_WRITE, lose);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(b.turns, 0);
    tear_down(&b.probe);
}

START_TEST(each_turn_is_counted_with_what_it_took)
{
    struct loop *loop = make(_i);
    uint64_t expected[HISTOGRAM_BUCKETS] = {0};
    struct histogram turns = {0};

    lose_time(loop, 5, 0);
    lose_time(loop, 3, 40);
    now += 100000; /* nothing of the loop's */
    lose_time(loop, 1, 1);
    lose_time(loop, 2, 3000);
    loop_turns(loop, &turns);
    expected[histogram_bucket(0)] += 5 + 1;
    expected[histogram_bucket(40)] += 3;
    expected[histogram_bucket(3000)] += 2;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ck_assert_uint_eq(turns.counts[i], expected[i]);
    ck_assert_uint_eq(turns.sum_ms, 3 * 40 + 1 + 2 * 3000);
    loop_free(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop_turns");
    TCase *tcase = tcase_create("loop_turns");

    tcase_add_loop_test(tcase, each_turn_is_counted_with_what_it_took, 0, engine_count());
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
