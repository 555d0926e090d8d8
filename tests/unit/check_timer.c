/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of timers against a plain array. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "loop/timer.h"
#include "suite.h"

enum { COUNT = 300, STEPS = 20000 };

static void never(struct timer *t)
{
    (void)t;
}

static int64_t soonest(const struct timer *all)
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < COUNT; i++) {
        if (all[i].place && all[i].due < due)
            due = all[i].due;
    }
    return due;
}

START_TEST(the_first_is_always_the_soonest)
{
    struct timers ts = {0};
    struct timer *all = calloc(COUNT, sizeof(*all));
    unsigned seed = 7;
    uint32_t set = 0;

    for (int step = 0; step < STEPS; step++) {
        struct timer *t = &all[(unsigned)rand_r(&seed) % COUNT];

        if (rand_r(&seed) % 3 > 0) {
            set += t->place == 0;
            ck_assert_int_eq(timers_set(&ts, t, rand_r(&seed) % 1000, never), 0);
        } else {
            set -= t->place != 0;
            timers_unset(&ts, t);
            ck_assert_uint_eq(t->place, 0);
        }
        ck_assert_uint_eq(ts.count, set);
        if (set == 0)
            ck_assert_ptr_null(timers_first(&ts));
        else
            ck_assert_int_eq(timers_first(&ts)->due, soonest(all));
    }
    timers_free(&ts);
    free(all);
}
END_TEST

START_TEST(they_come_out_in_order)
{
    struct timers ts = {0};
    struct timer *all = calloc(COUNT, sizeof(*all)), *t;
    unsigned seed = 11;
    int64_t last = 0;
    int count = 0;

    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(timers_set(&ts, &all[i], rand_r(&seed) % 50, never), 0);
    while ((t = timers_first(&ts))) {
        ck_assert_int_ge(t->due, last);
        last = t->due;
        timers_unset(&ts, t);
        timers_unset(&ts, t);
        count++;
    }
    ck_assert_int_eq(count, COUNT);
    timers_free(&ts);
    free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tcase = tcase_create("timer");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_first_is_always_the_soonest);
    tcase_add_test(tcase, they_come_out_in_order);
    return suite_run(suite);
}
