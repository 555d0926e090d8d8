/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the loop's turns have taken. */
#include "config.h"

#include <check.h>
#include <time.h>

#include "loop/loop.h"
#include "suite.h"

struct busy {
    struct timer timer;
    struct loop *loop;
    unsigned turns; /* still to come ... */
    long sleep_ms;  /* ... in each of which that much time is lost */
};

static void on_timer(struct timer *t)
{
    struct busy *b = container_of(t, struct busy, timer);
    struct timespec time = {.tv_nsec = b->sleep_ms * 1000000};

    nanosleep(&time, NULL);
    if (--b->turns == 0)
        loop_stop(b->loop);
    else
        loop_timer(b->loop, t, 1, on_timer);
}

static void lose_time(struct loop *loop, unsigned turns, long sleep_ms)
{
    struct busy b = {.loop = loop, .turns = turns, .sleep_ms = sleep_ms};

    ck_assert_int_eq(loop_timer(loop, &b.timer, 1, on_timer), 0);
    ck_assert_int_eq(loop_run(loop), 0);
}

static uint64_t sum(const struct histogram *h, size_t from)
{
    uint64_t n = 0;

    for (size_t i = from; i < HISTOGRAM_BUCKETS; i++)
        n += h->counts[i];
    return n;
}

static size_t bucket_of(uint64_t ms)
{
    size_t i = 0;

    while (histogram_bound(i) < ms)
        i++;
    return i;
}

START_TEST(each_turn_is_counted)
{
    struct loop *loop = loop_new(LOOP_SELECT);
    struct histogram before = {0}, after = {0};

    ck_assert_ptr_nonnull(loop);
    lose_time(loop, 5, 0);
    loop_turns(loop, &before);
    ck_assert_uint_ge(sum(&before, 0), 5);
    lose_time(loop, 3, 40);
    loop_turns(loop, &after);
    ck_assert_uint_ge(sum(&after, 0), sum(&before, 0) + 3);
    /* A sleep is never shorter; the clock may have just ticked. */
    ck_assert_uint_ge(sum(&after, bucket_of(39)), sum(&before, bucket_of(39)) + 3);
    ck_assert_uint_ge(after.sum_ms, before.sum_ms + 3 * 39);
    loop_free(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop_turns");
    TCase *tcase = tcase_create("loop_turns");

    tcase_add_test(tcase, each_turn_is_counted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
