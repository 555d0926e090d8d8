/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters with what live sessions have carried; the list that they are read from. */
#include "config.h"

#include <check.h>

#include "flow/totals.h"
#include "flow/udp.h"
#include "suite.h"
#include "world_udp.h"

#define PORT        24301
#define PORT_UP     24310
#define PORT_UDP    24311
#define PORT_UP_UDP 24312

#define RULES 3

static struct world w;
static int up, up_udp;

static void begin(void)
{
    struct ruleset_changes changes;
    const char *h = own_host();
    struct conf *conf;

    world_begin(&w);
    up = upstream_at(PORT_UP, 100);
    up_udp = udp_at(PORT_UP_UDP);
    conf = conf_of("rules = {"
                   "a = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                   "b = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                   "u = { listen = \"udp:%s:%u\"; upstream = \"%s:%u\"; }; };",
                   h, PORT, h, PORT_UP, h, PORT + 1, h, PORT_UP, h, PORT_UDP, h, PORT_UP_UDP);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static void end(void)
{
    world_end(&w);
    close(up);
    close(up_udp);
}

static void same_totals(const struct totals *a, const struct totals *b)
{
    ck_assert_uint_eq(a->opened, b->opened);
    ck_assert_uint_eq(a->bytes_in, b->bytes_in);
    ck_assert_uint_eq(a->bytes_out, b->bytes_out);
    ck_assert_uint_eq(a->datagrams_in, b->datagrams_in);
    ck_assert_uint_eq(a->datagrams_out, b->datagrams_out);
    ck_assert_uint_eq(a->dropped, b->dropped);
}

/* Of one rule as of all; those of the rules by their place in the set. */
static void read_totals(struct totals out[RULES])
{
    size_t count;
    struct totals *all = totals_of_rules(&w.worker, &count);

    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(count, RULES);
    for (size_t i = 0; i < RULES; i++) {
        totals_of_rule(w.set.rules[i], &out[i]);
        ck_assert_uint_lt(w.set.rules[i]->number, count);
        same_totals(&out[i], &all[w.set.rules[i]->number]);
        ck_assert_uint_eq(out[i].live, all[w.set.rules[i]->number].live);
    }
    free(all);
}

struct carried {
    int rule;
    uint64_t in;
};

static bool has_carried(void *arg)
{
    const struct carried *c = arg;
    struct totals t;

    totals_of_rule(w.set.rules[c->rule], &t);
    return t.bytes_in == c->in;
}

static void send_bytes(int fd, int rule, uint64_t before, size_t size)
{
    struct carried c = {rule, before + size};
    uint8_t bytes[1000] = {0};

    ck_assert_uint_le(size, sizeof(bytes));
    ck_assert_int_eq(send(fd, bytes, size, 0), (int)size);
    world_await(&w, has_carried, &c);
}

static bool is_over(void *arg)
{
    return ((const struct session *)arg)->ended;
}

START_TEST(live_bytes_count_and_are_kept_when_it_ends)
{
    struct totals t[RULES], after[RULES];
    struct session *one, *two, *other;
    int fd = world_client(&w, PORT, STAGE_RELAY, &one), second, third;

    second = world_client(&w, PORT, STAGE_RELAY, &two);
    third = world_client(&w, PORT + 1, STAGE_RELAY, &other);
    send_bytes(fd, 0, 0, 100);
    send_bytes(second, 0, 100, 23);
    send_bytes(third, 1, 0, 7);
    read_totals(t);
    ck_assert_uint_eq(t[0].live, 2);
    ck_assert_uint_eq(t[0].opened, 2);
    ck_assert_uint_eq(t[0].bytes_in, 123);
    ck_assert_uint_eq(t[1].opened, 1);
    ck_assert_uint_eq(t[1].bytes_in, 7);
    ck_assert_uint_eq(t[2].opened, 0);
    ck_assert_uint_eq(atomic_load(&w.set.rules[0]->account.bytes_in), 0);
    session_end_now(two, END_KILLED);
    ck_assert_uint_eq(atomic_load(&w.set.rules[0]->account.bytes_in), 23);
    read_totals(after);
    ck_assert_uint_eq(after[0].live, 1);
    for (int i = 0; i < RULES; i++)
        same_totals(&t[i], &after[i]);
    session_end_now(one, END_KILLED);
    session_end_now(other, END_KILLED);
    ck_assert(is_over(one));
    read_totals(after);
    for (int i = 0; i < RULES; i++)
        same_totals(&t[i], &after[i]);
    close(fd);
    close(second);
    close(third);
}
END_TEST

START_TEST(datagrams_count_likewise)
{
    struct sockaddr_in in = own_address(PORT_UDP), from;
    struct totals t[RULES], after[RULES];
    struct session *s;
    int fd = udp_at(0);

    send_to(fd, &in, "12345");
    from = await_text(&w, up_udp, "12345");
    send_to(up_udp, &from, "123");
    await_text(&w, fd, "123");
    read_totals(t);
    ck_assert_uint_eq(t[2].opened, 1);
    ck_assert_uint_eq(t[2].datagrams_in, 1);
    ck_assert_uint_eq(t[2].datagrams_out, 1);
    ck_assert_uint_eq(t[2].bytes_in, 5);
    ck_assert_uint_eq(t[2].bytes_out, 3);
    s = container_of(w.worker.sessions.next, struct session, link);
    s->udp->dropped[UPSTREAM] = 4; /* as if the client's socket had been full */
    read_totals(t);
    ck_assert_uint_eq(t[2].dropped, 4);
    session_end_now(s, END_KILLED);
    read_totals(after);
    same_totals(&t[2], &after[2]);
    close(fd);
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#define MANY 1000

static struct session some[MANY];
static struct worker worker;

/* In an order that depends on `how`. */
static void make_list(int how, size_t count)
{
    list_init(&worker.sessions);
    for (size_t i = 0; i < count; i++) {
        uint64_t n = how == 0 ? i : how == 1 ? count - 1 - i : i * 7919 % MANY;

        some[i] = (struct session){.id = 10 + 3 * n};
        list_append(&worker.sessions, &some[i].link);
    }
}

START_TEST(a_list_in_any_order_is_sorted)
{
    static const size_t counts[] = {0, 1, 2, 3, 5, 8, 100, 999, MANY};
    uint64_t last = 0;
    size_t count = 0;

    make_list(_i % 3, counts[_i / 3]);
    sessions_sort(&worker);
    list_for_each (link, next, &worker.sessions) {
        const struct session *s = container_of(link, struct session, link);

        ck_assert_ptr_eq(next->prev, link);
        ck_assert_uint_gt(s->id, last);
        last = s->id;
        count++;
    }
    ck_assert_uint_eq(count, counts[_i / 3]);
}
END_TEST

START_TEST(each_is_found_by_its_id_and_no_other)
{
    make_list(0, MANY);
    for (uint64_t id = 0; id < 10 + 3 * MANY + 5; id++) {
        const struct session *s = session_by_id(&worker, id);
        bool is_there = id >= 10 && id < 10 + 3 * MANY && (id - 10) % 3 == 0;

        ck_assert_int_eq(s != NULL, is_there);
        ck_assert(s == NULL || s->id == id);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("totals");
    TCase *tcase = tcase_create("totals"), *list = tcase_create("list");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, live_bytes_count_and_are_kept_when_it_ends);
    tcase_add_test(tcase, datagrams_count_likewise);
    suite_add_tcase(suite, list);
    tcase_add_loop_test(list, a_list_in_any_order_is_sorted, 0, 27);
    tcase_add_test(list, each_is_found_by_its_id_and_no_other);
    return suite_run(suite);
}
