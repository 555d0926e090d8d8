/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of names, with a clock and name servers that the tests hold in their hand: the
 * functions of loop.h and dns.h that resolve.c uses are defined here.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "upstream/dns.h"
#include "upstream/resolve.h"

/* --- the clock and the servers ---------------------------------------------------------------- */

struct loop {
    int64_t now;
    struct timer *timer; /* resolve.c has one a name; the tests use one name where it matters */
};

struct question {
    char name[64];
    dns_fn *fn;
    void *arg;
};

struct dns {
    unsigned generation;
    unsigned asked; /* questions so far */
    struct question open[5000];
    size_t open_count;
    const struct dns_answer *at_once; /* answered within dns_ask(), as from /etc/hosts */
};

/* Check forks for each test, so that each begins with these as they are here. */
static struct loop loop;
static struct dns servers;
static struct resolver *resolver;
static struct log *test_log;

int64_t loop_now(const struct loop *l)
{
    return l->now;
}

int loop_timer(struct loop *l, struct timer *t, int64_t delay_ms, timer_fn *fn)
{
    ck_assert_ptr_null(l->timer);
    *t = (struct timer){.fn = fn, .due = l->now + delay_ms, .place = 1};
    l->timer = t;
    return 0;
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
    if (l->timer == t)
        l->timer = NULL;
    t->place = 0;
}

struct dns *dns_new(struct loop *l)
{
    (void)l;
    return &servers;
}

void dns_free(struct dns *dns)
{
    (void)dns;
}

unsigned dns_generation(struct dns *dns)
{
    return dns->generation;
}

void dns_ask(struct dns *dns, const char *name, dns_fn *fn, void *arg)
{
    struct question *q = &dns->open[dns->open_count];

    dns->asked++;
    if (dns->at_once != NULL) {
        fn(arg, dns->at_once);
        return;
    }
    ck_assert_uint_lt(dns->open_count, sizeof(dns->open) / sizeof(dns->open[0]));
    snprintf(q->name, sizeof(q->name), "%s", name);
    q->fn = fn;
    q->arg = arg;
    dns->open_count++;
}

/* Let the clock run, and the timer with it. */
static void pass(int64_t ms)
{
    int64_t end = loop.now + ms;
    struct timer *t = loop.timer;

    if (t != NULL && t->due <= end) {
        loop.now = t->due;
        loop_timer_stop(&loop, t);
        t->fn(t);
    }
    loop.now = end;
}

/* Answer the question that was asked as number `i` of those still open. */
static void answer(size_t i, const struct dns_answer *with)
{
    struct question q;

    ck_assert_uint_lt(i, servers.open_count);
    q = servers.open[i];
    servers.open_count--;
    memmove(&servers.open[i], &servers.open[i + 1],
            (servers.open_count - i) * sizeof(servers.open[0]));
    q.fn(q.arg, with);
}

static struct addr v4(uint32_t host)
{
    return (struct addr){.family = AF_INET, .v4.s_addr = htonl(host)};
}

static struct dns_answer found(uint32_t host, int64_t ttl_ms)
{
    return (struct dns_answer){
        .outcome = DNS_FOUND, .count = 1, .addrs = {v4(host)}, .ttl_ms = ttl_ms};
}

static const struct dns_answer none = {.outcome = DNS_NONE, .why = "no such name"};
static const struct dns_answer failed = {.outcome = DNS_FAILED, .why = "no name server answers"};

/* --- those who ask ---------------------------------------------------------------------------- */

struct asker {
    struct resolve_request request;
    unsigned calls;
    size_t count;
    uint32_t host; /* of the first address */
    const char *why;
    struct asker *cancels; /* within the callback */
    struct asker *starts;
};

static void answered(struct resolve_request *request, const struct addr *addrs, size_t count,
                     const char *why)
{
    struct asker *a = container_of(request, struct asker, request);

    a->calls++;
    a->count = count;
    a->host = count > 0 ? ntohl(addrs[0].v4.s_addr) : 0;
    a->why = why;
    if (a->cancels != NULL)
        resolve_cancel(&a->cancels->request);
    if (a->starts != NULL)
        resolve_start(resolver, &a->starts->request, "a.example", answered);
    if (count > 0) /* what the callbacks above did must not have touched it */
        ck_assert_uint_eq(ntohl(addrs[0].v4.s_addr), a->host);
}

static struct asker ask(const char *name)
{
    struct asker a = {.calls = 0};

    resolve_start(resolver, &a.request, name, answered);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

static void set_up(void)
{
    loop = (struct loop){.now = 1000000};
    memset(&servers, 0, sizeof(servers));
    test_log = log_new();
    ck_assert_int_eq(log_configure(test_log, LEVEL_ERROR, FORMAT_LOGFMT, TARGET_STDERR), 0);
    resolver = resolver_new(&loop, test_log);
    ck_assert_ptr_nonnull(resolver);
}

static void tear_down(void)
{
    resolver_free(resolver);
    log_free(test_log);
}

START_TEST(lookups_of_a_name_are_one_question)
{
    struct asker a[3] = {{.calls = 0}}, other = {.calls = 0};
    struct dns_answer ten = found(10, 5000), eleven = found(11, 5000);

    for (size_t i = 0; i < 3; i++)
        resolve_start(resolver, &a[i].request, "a.example", answered);
    resolve_start(resolver, &other.request, "b.example", answered);
    ck_assert_uint_eq(servers.asked, 2);
    answer(1, &eleven); /* the other first: nobody waits for another name */
    ck_assert_uint_eq(other.calls, 1);
    ck_assert_uint_eq(other.host, 11);
    ck_assert_uint_eq(a[0].calls, 0);
    answer(0, &ten);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(a[i].calls, 1);
        ck_assert_uint_eq(a[i].host, 10);
        ck_assert_ptr_null(a[i].why);
    }
}
END_TEST

START_TEST(answer_is_kept_for_its_ttl)
{
    struct asker a = {.calls = 0};
    struct dns_answer ten = found(10, 5000), eleven = found(11, 5000);

    resolve_start(resolver, &a.request, "a.example", answered);
    answer(0, &ten);
    pass(4999);
    ck_assert_uint_eq(ask("a.example").host, 10);
    ck_assert_uint_eq(servers.asked, 1);
    pass(1);
    resolve_start(resolver, &a.request, "a.example", answered);
    ck_assert_uint_eq(servers.asked, 2);
    ck_assert_uint_eq(a.calls, 1);
    answer(0, &eleven);
    ck_assert_uint_eq(a.calls, 2);
    ck_assert_uint_eq(a.host, 11);
}
END_TEST

START_TEST(ttl_is_at_most_a_day)
{
    struct asker a = {.calls = 0};
    struct dns_answer ten = found(10, (int64_t)7 * 86400000);

    resolve_start(resolver, &a.request, "a.example", answered);
    answer(0, &ten);
    pass(86400000 - 1);
    ck_assert_uint_eq(ask("a.example").host, 10);
    pass(1);
    resolve_start(resolver, &a.request, "a.example", answered);
    ck_assert_uint_eq(servers.asked, 2);
    resolve_cancel(&a.request);
}
END_TEST

START_TEST(without_ttl_it_is_asked_each_time)
{
    struct dns_answer ten = found(10, 0);

    servers.at_once = &ten;
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_uint_eq(ask("a.example").host, 10);
        ck_assert_uint_eq(servers.asked, i);
    }
}
END_TEST

START_TEST(missing_name_is_asked_again_after_a_second)
{
    struct asker a = {.calls = 0};
    struct dns_answer ten = found(10, 5000);

    servers.at_once = &none;
    a = ask("a.example");
    ck_assert_uint_eq(a.count, 0);
    ck_assert_str_eq(a.why, "no such name");
    pass(999);
    ck_assert_uint_eq(ask("a.example").count, 0);
    ck_assert_uint_eq(servers.asked, 1);
    pass(1);
    servers.at_once = &ten;
    ck_assert_uint_eq(ask("a.example").host, 10);
}
END_TEST

START_TEST(name_that_ceases_to_exist_is_not_used_on)
{
    struct asker a;
    struct dns_answer ten = found(10, 5000);

    servers.at_once = &ten;
    ask("a.example");
    pass(5000);
    servers.at_once = &none;
    a = ask("a.example");
    ck_assert_uint_eq(a.count, 0);
    ck_assert_str_eq(a.why, "no such name");
}
END_TEST

START_TEST(failure_without_an_earlier_answer_is_kept_for_a_second)
{
    struct asker a;

    servers.at_once = &failed;
    a = ask("a.example");
    ck_assert_uint_eq(a.count, 0);
    ck_assert_str_eq(a.why, "no name server answers");
    pass(999);
    ask("a.example");
    ck_assert_uint_eq(servers.asked, 1);
    pass(1);
    ask("a.example");
    ck_assert_uint_eq(servers.asked, 2);
}
END_TEST

START_TEST(earlier_answer_is_used_while_servers_fail)
{
    struct dns_answer ten = found(10, 5000), eleven = found(11, 5000);

    servers.at_once = &ten;
    ask("a.example");
    pass(5000);
    servers.at_once = &failed;
    ck_assert_uint_eq(ask("a.example").host, 10);
    ck_assert_uint_eq(servers.asked, 2);
    pass(500);
    ck_assert_uint_eq(ask("a.example").host, 10);
    ck_assert_uint_eq(servers.asked, 2);

    servers.at_once = NULL; /* now they are silent: nobody waits for them */
    pass(500);
    ck_assert_uint_eq(ask("a.example").host, 10);
    ck_assert_uint_eq(ask("a.example").host, 10);
    ck_assert_uint_eq(servers.asked, 3);
    answer(0, &eleven);
    ck_assert_uint_eq(ask("a.example").host, 11);
    ck_assert_uint_eq(servers.asked, 3);
}
END_TEST

START_TEST(earlier_answer_is_used_while_servers_are_slow)
{
    struct asker a = {.calls = 0};
    struct dns_answer ten = found(10, 5000), eleven = found(11, 5000);

    servers.at_once = &ten;
    ask("a.example");
    pass(5000);
    servers.at_once = NULL;
    resolve_start(resolver, &a.request, "a.example", answered);
    pass(1799);
    ck_assert_uint_eq(a.calls, 0);
    pass(1);
    ck_assert_uint_eq(a.calls, 1);
    ck_assert_uint_eq(a.host, 10);
    ck_assert_uint_eq(ask("a.example").host, 10); /* the next does not wait at all */
    ck_assert_uint_eq(servers.asked, 2);
    answer(0, &eleven);
    ck_assert_uint_eq(ask("a.example").host, 11);
}
END_TEST

START_TEST(earlier_answer_is_not_used_for_ever)
{
    struct asker a;
    struct dns_answer ten = found(10, 5000);

    servers.at_once = &ten;
    ask("a.example");
    pass(5000 + 86400000);
    servers.at_once = &failed;
    a = ask("a.example");
    ck_assert_uint_eq(a.count, 0);
    ck_assert_str_eq(a.why, "no name server answers");
}
END_TEST

START_TEST(changed_servers_are_asked_at_once)
{
    struct asker a = {.calls = 0}, b = {.calls = 0};
    struct dns_answer ten = found(10, 5000), eleven = found(11, 5000);

    resolve_start(resolver, &a.request, "a.example", answered);
    servers.generation++;
    resolve_start(resolver, &b.request, "a.example", answered);
    ck_assert_uint_eq(servers.asked, 2);
    /* The old servers' answer no longer counts, whether it comes first or last. */
    answer(_i == 0 ? 0 : 1, _i == 0 ? &eleven : &ten);
    ck_assert_uint_eq(a.calls + b.calls, _i == 0 ? 0 : 2);
    answer(0, _i == 0 ? &ten : &eleven);
    ck_assert_uint_eq(a.host, 10);
    ck_assert_uint_eq(b.host, 10);
    ck_assert_uint_eq(a.calls + b.calls, 2);
    ck_assert_uint_eq(ask("a.example").host, 10);
}
END_TEST

START_TEST(cancelled_request_is_not_called)
{
    struct asker a = {.calls = 0}, b = {.calls = 0};
    struct dns_answer ten = found(10, 5000);

    resolve_cancel(&a.request); /* never started */
    resolve_start(resolver, &a.request, "a.example", answered);
    resolve_start(resolver, &b.request, "a.example", answered);
    resolve_cancel(&a.request);
    resolve_cancel(&a.request);
    answer(0, &ten);
    ck_assert_uint_eq(a.calls, 0);
    ck_assert_uint_eq(b.calls, 1);
    resolve_cancel(&b.request); /* answered */
}
END_TEST

START_TEST(callbacks_may_start_and_cancel)
{
    struct asker a = {.calls = 0}, b = {.calls = 0}, c = {.calls = 0};
    struct dns_answer ten = found(10, 0), eleven = found(11, 0);

    a.cancels = &b;
    a.starts = &c;
    resolve_start(resolver, &a.request, "a.example", answered);
    resolve_start(resolver, &b.request, "a.example", answered);
    answer(0, &ten);
    ck_assert_uint_eq(a.host, 10);
    ck_assert_uint_eq(b.calls, 0);
    ck_assert_uint_eq(c.calls, 0); /* without a TTL, that answer was for those before it */
    ck_assert_uint_eq(servers.open_count, 1);
    answer(0, &eleven);
    ck_assert_uint_eq(c.host, 11);
}
END_TEST

START_TEST(names_are_bounded)
{
    struct dns_answer ten = found(10, 3600000);
    struct asker waiting = {.calls = 0};
    char name[32];

    resolve_start(resolver, &waiting.request, "waiting.example", answered);
    servers.at_once = &ten;
    for (unsigned i = 0; i < 6000; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        ask(name);
    }
    ck_assert_uint_eq(servers.asked, 6001);
    ask("n5999.example");
    ask("n2000.example"); /* of the last 4096, less one that waits */
    ck_assert_uint_eq(servers.asked, 6001);
    ask("n1000.example"); /* had to go */
    ck_assert_uint_eq(servers.asked, 6002);
    answer(0, &ten); /* had not */
    ck_assert_uint_eq(waiting.calls, 1);
}
END_TEST

START_TEST(freeing_drops_those_who_wait)
{
    struct asker a = {.calls = 0};

    resolve_start(resolver, &a.request, "a.example", answered);
    resolver_free(resolver);
    resolver = NULL;
    ck_assert_uint_eq(a.calls, 0);
    resolve_cancel(&a.request);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resolve");
    TCase *t = tcase_create("cache");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, lookups_of_a_name_are_one_question);
    tcase_add_test(t, answer_is_kept_for_its_ttl);
    tcase_add_test(t, ttl_is_at_most_a_day);
    tcase_add_test(t, without_ttl_it_is_asked_each_time);
    tcase_add_test(t, missing_name_is_asked_again_after_a_second);
    tcase_add_test(t, name_that_ceases_to_exist_is_not_used_on);
    tcase_add_test(t, failure_without_an_earlier_answer_is_kept_for_a_second);
    tcase_add_test(t, earlier_answer_is_used_while_servers_fail);
    tcase_add_test(t, earlier_answer_is_used_while_servers_are_slow);
    tcase_add_test(t, earlier_answer_is_not_used_for_ever);
    tcase_add_loop_test(t, changed_servers_are_asked_at_once, 0, 2);
    tcase_add_test(t, cancelled_request_is_not_called);
    tcase_add_test(t, callbacks_may_start_and_cancel);
    tcase_add_test(t, names_are_bounded);
    tcase_add_test(t, freeing_drops_those_who_wait);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
