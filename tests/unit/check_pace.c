/* SPDX-License-Identifier: BSD-2-Clause */
/* Rests are simulated: clocks that count what turns, datagrams and senders would take. */
#include "config.h"

#include <check.h>
#include <stdbool.h>

#include "loop/pace.h"
#include "suite.h"

/* What a turn costs, and each datagram in it, in nanoseconds. */
enum { TURN_NS = 6000, EACH_NS = 1500 };

/* The CPU time of "this thread"; the one thing that pace_turn() asks back for. */
static int64_t cpu_ns;

static int64_t cpu_now(void)
{
    return cpu_ns / 1000;
}

/* What came of a simulation. */
struct outcome {
    int64_t cost; /* nanoseconds of CPU a datagram */
    int64_t rate; /* a second */
    int64_t rests;
    int64_t turns;
};

/*
 * A sender who sends `batch` datagrams each `gap_ns`, until `window` of them are under way: then he
 * waits until they have been handled, and takes `think_ns` for each before he sends the next.
 * window 0: he never waits.
 */
struct sender {
    int64_t gap_ns, batch, window, think_ns;
};

static struct outcome run(const struct sender *who, bool may_rest, int64_t seconds)
{
    struct pace pace = {0};
    struct outcome out = {0};
    int64_t now = INT64_C(1000000000000), start = now, sent_until = now, waiting = 0, handled = 0;
    int64_t used = 0;

    cpu_ns = 0;
    while (now < start + seconds * 1000000000) {
        int64_t us = 0;

        if (waiting == 0) { /* asleep until something comes */
            if (sent_until + who->gap_ns > now)
                now = sent_until + who->gap_ns;
        }
        while (sent_until + who->gap_ns <= now &&
               (who->window == 0 || waiting + who->batch <= who->window)) {
            sent_until += who->gap_ns;
            waiting += who->batch;
        }
        if (who->window > 0 && waiting + who->batch > who->window)
            sent_until = now; /* what he could not send is not sent later */
        if (waiting == 0)
            continue;
        used = TURN_NS + EACH_NS * waiting;
        now += used;
        cpu_ns += used;
        handled += waiting;
        out.turns++;
        if (who->window > 0) /* the answers are on their way */
            sent_until = now + who->think_ns * waiting - who->gap_ns;
        us = pace_turn(&pace, (unsigned)waiting, now / 1000, cpu_now);
        waiting = 0;
        if (may_rest && us > 0) {
            out.rests++;
            now += us * 1000;
        }
    }
    out.cost = cpu_ns / handled;
    out.rate = handled / seconds;
    return out;
}

/* A stream of single datagrams, 250,000 a second: most of the cost is that of turns. */
static const struct sender stream = {.gap_ns = 4000, .batch = 1};

START_TEST(a_thick_stream_costs_less_with_rests)
{
    struct outcome plain = run(&stream, false, 5), paced = run(&stream, true, 5);

    ck_assert_int_ge(paced.rests, 10000);
    ck_assert_int_lt(paced.cost, plain.cost * 3 / 4);
    ck_assert_int_ge(paced.rate, plain.rate * 99 / 100);
}
END_TEST

START_TEST(a_thin_stream_is_never_kept_waiting)
{
    struct sender thin = {.gap_ns = 12000, .batch = 1}; /* 83,000 a second */
    struct outcome out = run(&thin, true, 5);

    ck_assert_int_gt(out.turns, 0);
    ck_assert_int_eq(out.rests, 0);
}
END_TEST

/* They send again when they have been answered: to rest is to wait together. */
START_TEST(who_waits_for_answers_is_hardly_delayed)
{
    struct sender in_turn = {.gap_ns = 100, .batch = 8, .window = 8, .think_ns = 1000};
    struct outcome plain = run(&in_turn, false, 20), paced = run(&in_turn, true, 20);

    ck_assert_int_ge(plain.rate, 200000); /* it was worth a try ... */
    ck_assert_int_gt(paced.rests, 0);
    ck_assert_int_ge(paced.rate, plain.rate * 97 / 100); /* ... and each was a short one */
}
END_TEST

START_TEST(full_turns_are_followed_by_the_next_at_once)
{
    struct sender flood = {.gap_ns = 120000, .batch = 60};
    struct outcome out = run(&flood, true, 5);

    ck_assert_int_gt(out.turns, 1000);
    ck_assert_int_eq(out.rests, 0);
}
END_TEST

/* When the stream becomes thin there is nothing left to rest for. */
START_TEST(rests_end_with_the_stream)
{
    struct pace p = {0};
    int64_t now = 0, us = 0;

    cpu_ns = 0;
    for (int i = 0; i < 100000 && us == 0; i++) {
        now += 4;
        cpu_ns += 3000;
        us = pace_turn(&p, 1, now, cpu_now);
    }
    ck_assert_int_eq(us, PACE_REST_US);
    now += 1000000; /* a second of silence */
    ck_assert_int_eq(pace_turn(&p, 1, now, cpu_now), 0);
    for (int i = 0; i < 100; i++) {
        now += 100000;
        ck_assert_int_eq(pace_turn(&p, 1, now, cpu_now), 0);
    }
}
END_TEST

/* Turns of ten until a period is over, at this rate a second and so many nanoseconds each. Returns
 * whether it rests then. */
static bool go_on(struct pace *p, int64_t *now_ns, int64_t rate, int64_t cost)
{
    int64_t us;

    do {
        *now_ns += INT64_C(10000000000) / rate;
        cpu_ns += 10 * cost;
        us = pace_turn(p, 10, *now_ns / 1000, cpu_now);
    } while (p->handled > 0);
    return us > 0;
}

/* It has just begun to rest: without that they were 200,000 a second, and cost 3 us each. */
static void begin(struct pace *p, int64_t *now_ns)
{
    *p = (struct pace){0};
    cpu_ns = 0;
    *now_ns = 1000000000;
    go_on(p, now_ns, 200000, 3000); /* from here on its clocks are known */
    ck_assert(go_on(p, now_ns, 200000, 3000));
}

START_TEST(it_rests_on_while_that_pays)
{
    struct pace p;
    int64_t now;
    int rested = 0;

    begin(&p, &now);
    ck_assert(go_on(&p, &now, 200000, 2700));
    ck_assert(go_on(&p, &now, 180000, 2700)); /* a few less may be another sender's doing */
    begin(&p, &now);
    ck_assert(!go_on(&p, &now, 200000, 2900)); /* nearly nothing saved */
    ck_assert(!go_on(&p, &now, 200000, 3000)); /* not tried again at once */
    begin(&p, &now);
    ck_assert(go_on(&p, &now, 200000, 2700));
    ck_assert(!go_on(&p, &now, 200000, 4000)); /* the machine has become slower: */
    ck_assert(go_on(&p, &now, 200000, 5000));  /* compared at once */
    ck_assert(go_on(&p, &now, 200000, 4000));
    ck_assert(!go_on(&p, &now, 200000, 6000));
    ck_assert(go_on(&p, &now, 200000, 6000));
    ck_assert(!go_on(&p, &now, 200000, 6000)); /* that was not it */
    ck_assert(!go_on(&p, &now, 200000, 6000));
    begin(&p, &now);
    ck_assert(!go_on(&p, &now, 170000, 1500)); /* senders are kept waiting */
    begin(&p, &now);
    for (int i = 0; i < 100; i++) /* now and then it is compared anew */
        rested += go_on(&p, &now, 200000, p.resting ? 2700 : 3000);
    ck_assert_int_ge(rested, 90);
    ck_assert_int_lt(rested, 100);
}
END_TEST

START_TEST(rests_that_take_too_long_end_it)
{
    struct pace p;
    int64_t now;

    begin(&p, &now);
    pace_rested(&p, now / 1000, now / 1000 + 90); /* an ordinary one */
    ck_assert(go_on(&p, &now, 200000, 2000));
    pace_rested(&p, now / 1000, now / 1000 + 90);
    pace_rested(&p, now / 1000, now / 1000 + 300);
    ck_assert(!go_on(&p, &now, 200000, 2000)); /* however much it saves */
    for (int i = 0; i < 4; i++)
        ck_assert(!go_on(&p, &now, 200000, 3000));
    begin(&p, &now);
    pace_rested(&p, now / 1000, now / 1000 + 4000);
    ck_assert(!p.resting); /* at once */
    ck_assert(!go_on(&p, &now, 200000, 3000));
}
END_TEST

START_TEST(a_clock_that_stands_still_tells_nothing)
{
    struct pace p;
    int64_t now;

    begin(&p, &now);
    ck_assert(!go_on(&p, &now, 200000, 0));
    begin(&p, &now);
    p.plain_cost = 0;
    ck_assert(!go_on(&p, &now, 200000, 0));
    begin(&p, &now);
    p.plain_cost = 0;
    ck_assert(!go_on(&p, &now, 200000, 1000));
}
END_TEST

START_TEST(it_is_tried_ever_more_seldom_where_it_never_pays)
{
    struct pace p;
    int64_t now;
    int rested = 0;

    begin(&p, &now);
    for (int i = 0; i < 1000; i++) /* ten seconds */
        rested += go_on(&p, &now, 200000, 3000);
    ck_assert_int_ge(rested, 10); /* but never given up */
    ck_assert_int_le(rested, 20);
    while (!p.resting)
        go_on(&p, &now, 200000, 3000);
    ck_assert(go_on(&p, &now, 200000, 2000)); /* it pays, once */
    ck_assert(!go_on(&p, &now, 200000, 3000));
    rested = 0;
    for (int i = 0; i < 15; i++)
        rested += go_on(&p, &now, 200000, 3000);
    ck_assert_int_ge(rested, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pace");
    TCase *tc = tcase_create("rests");

    tcase_add_test(tc, a_thick_stream_costs_less_with_rests);
    tcase_add_test(tc, a_thin_stream_is_never_kept_waiting);
    tcase_add_test(tc, who_waits_for_answers_is_hardly_delayed);
    tcase_add_test(tc, full_turns_are_followed_by_the_next_at_once);
    tcase_add_test(tc, it_rests_on_while_that_pays);
    tcase_add_test(tc, rests_that_take_too_long_end_it);
    tcase_add_test(tc, a_clock_that_stands_still_tells_nothing);
    tcase_add_test(tc, it_is_tried_ever_more_seldom_where_it_never_pays);
    tcase_add_test(tc, rests_end_with_the_stream);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
