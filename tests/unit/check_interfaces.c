/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "namespace.h"
#include "os/interfaces.h"
#include "suite.h"

/* Longer than the kernel takes to tell of what it has done. */
#define SOON_MS 10000

static struct interfaces *look(void)
{
    struct interfaces *is = interfaces_new();

    ck_assert_ptr_nonnull(is);
    return is;
}

static void look_again(struct interfaces *is)
{
    ck_assert_int_eq(interfaces_refresh(is), 0);
}

static bool has(const struct interfaces *is, const char *text, uint32_t scope)
{
    struct addr a = {.port = 5353, .scope = scope};

    if (inet_pton(AF_INET, text, &a.v4) == 1)
        a.family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.v6) == 1)
        a.family = AF_INET6;
    ck_assert_int_ne(a.family, AF_UNSPEC);
    return interfaces_has(is, &a);
}

START_TEST(only_those_that_are_up_count)
{
    struct interfaces *is = look();
    unsigned index;

    ck_assert_uint_eq(interfaces_index(is, "d0"), 0);
    ck_assert_uint_eq(interfaces_index(is, ""), 0);
    ip("link add d0 type bridge");
    look_again(is);
    ck_assert_uint_eq(interfaces_index(is, "d0"), 0);
    ip("link set d0 up");
    ck_assert_uint_eq(interfaces_index(is, "d0"), 0); /* it has not been looked at */
    look_again(is);
    index = if_nametoindex("d0");
    ck_assert_uint_ne(index, 0);
    ck_assert_uint_eq(interfaces_index(is, "d0"), index);
    ck_assert_str_eq(interfaces_name(is, index), "d0");
    ip("link set d0 down");
    look_again(is);
    ck_assert_uint_eq(interfaces_index(is, "d0"), 0);
    interfaces_free(is);
    interfaces_free(NULL);
}
END_TEST

START_TEST(one_that_comes_back_has_another_index)
{
    struct interfaces *is;
    unsigned index;

    ip("link add d0 up type bridge");
    is = look();
    index = interfaces_index(is, "d0");
    ck_assert_uint_ne(index, 0);
    ip("link del d0");
    look_again(is);
    ck_assert_uint_eq(interfaces_index(is, "d0"), 0);
    ck_assert_ptr_null(interfaces_name(is, index));
    ip("link add d0 up type bridge");
    look_again(is);
    ck_assert_uint_ne(interfaces_index(is, "d0"), 0);
    ck_assert_uint_ne(interfaces_index(is, "d0"), index);
    interfaces_free(is);
}
END_TEST

START_TEST(addresses_come_and_go)
{
    const struct addr none = {.family = AF_UNSPEC};
    struct interfaces *is = look();
    unsigned index;

    ck_assert(!has(is, "192.0.2.1", 0));
    ck_assert(!interfaces_has(is, &none));
    ip("link add d0 up type bridge");
    ip("addr add 192.0.2.1/24 dev d0");
    ip("addr add 192.0.2.129/24 dev d0 label d0:1");
    ip("addr add 2001:db8::1/64 dev d0 nodad");
    ip("addr add fe80::77/64 dev d0 nodad");
    look_again(is);
    index = interfaces_index(is, "d0");
    ck_assert(has(is, "192.0.2.1", 0));
    ck_assert(has(is, "192.0.2.129", 0));
    ck_assert(!has(is, "192.0.2.2", 0));
    ck_assert(!has(is, "192.0.2.255", 0));
    ck_assert(has(is, "2001:db8::1", 0));
    ck_assert(!has(is, "2001:db8::2", 0));
    ck_assert(has(is, "fe80::77", index));
    ck_assert(!has(is, "fe80::77", index + 1)); /* a neighbour of another network */
    ip("addr del 192.0.2.1/24 dev d0");
    look_again(is);
    ck_assert(!has(is, "192.0.2.1", 0));
    interfaces_free(is);
}
END_TEST

START_TEST(all_of_the_loopback_network_is_here)
{
    struct interfaces *is = look();

    ck_assert(has(is, "127.0.0.1", 0));
    ck_assert(has(is, "127.1.2.3", 0));
    ck_assert(!has(is, "128.0.0.1", 0));
    ip("link set lo up");
    look_again(is);
    ck_assert(has(is, "::1", 0));
    interfaces_free(is);
}
END_TEST

START_TEST(the_stamp_tells_other_addresses)
{
    struct interfaces *is;
    unsigned index;
    uint64_t first, second;

    ip("link add d0 up type bridge");
    ip("link add d1 up type bridge");
    ip("addr add 192.0.2.1/24 dev d0");
    is = look();
    index = interfaces_index(is, "d0");
    first = interfaces_stamp(is, index, AF_INET);
    look_again(is);
    ck_assert(interfaces_stamp(is, index, AF_INET) == first);
    ip("addr add 192.0.2.9/24 dev d1"); /* not its own */
    ip("addr add 2001:db8::1/64 dev d0 nodad");
    look_again(is);
    ck_assert(interfaces_stamp(is, index, AF_INET) == first);
    ip("addr add 192.0.2.2/24 dev d0 label d0:2");
    look_again(is);
    second = interfaces_stamp(is, index, AF_INET);
    ck_assert(second != first);
    ip("addr del 192.0.2.2/24 dev d0");
    look_again(is);
    ck_assert(interfaces_stamp(is, index, AF_INET) == first);
    first = interfaces_stamp(is, index, AF_INET6);
    ip("addr add 2001:db8::2/64 dev d0 nodad");
    look_again(is);
    ck_assert(interfaces_stamp(is, index, AF_INET6) != first);
    interfaces_free(is);
}
END_TEST

START_TEST(the_routes_lead_somewhere)
{
    struct addr group = {.family = AF_INET, .port = 5000};
    struct addr broadcast = {.family = AF_INET, .port = 67};
    struct addr group6 = {.family = AF_INET6, .port = 5000};
    struct interfaces *is = look();

    ck_assert_int_eq(inet_pton(AF_INET, "239.1.2.3", &group.v4), 1);
    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.255", &broadcast.v4), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "ff0e::1", &group6.v6), 1);
    ck_assert_int_eq(interfaces_towards(is, &group), 0);
    ip("link add d0 up type bridge");
    ip("addr add 198.51.100.1/24 dev d0");
    ip("link add d1 up type bridge");
    ip("addr add 192.0.2.1/24 dev d1");
    ip("addr add 2001:db8::1/64 dev d1 nodad");
    ip("route add default dev d0");
    look_again(is);
    ck_assert_int_eq(interfaces_towards(is, &group), (int)if_nametoindex("d0"));
    ck_assert_int_eq(interfaces_towards(is, &broadcast), (int)if_nametoindex("d1"));
    ip("route add 239.0.0.0/8 dev d1");
    ck_assert_int_eq(interfaces_towards(is, &group), (int)if_nametoindex("d1"));
    ip("route add table local multicast ff0e::/16 dev d1");
    ck_assert_int_eq(interfaces_towards(is, &group6), (int)if_nametoindex("d1"));
    interfaces_free(is);
}
END_TEST

START_TEST(that_they_cannot_be_asked_is_not_that_they_lead_nowhere)
{
    const struct addr host = {.family = AF_INET, .port = 9, .v4.s_addr = htonl(0xc6336401)};
    struct interfaces *is;
    struct rlimit before, none;

    ip("link add d0 up type bridge");
    ip("addr add 198.51.100.2/24 dev d0");
    is = look();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(interfaces_towards(is, &host), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(interfaces_towards(is, &host), (int)if_nametoindex("d0"));
    interfaces_free(is);
}
END_TEST

static bool is_broadcast(const char *text)
{
    struct addr a = {.family = AF_INET, .port = 5000};

    ck_assert_int_eq(inet_pton(AF_INET, text, &a.v4), 1);
    return interfaces_is_broadcast(&a);
}

START_TEST(the_kernel_knows_broadcast_addresses)
{
    const struct addr group6 = {.family = AF_INET6, .port = 5000, .v6.s6_addr = {0xff, 2}};

    ck_assert(!is_broadcast("192.0.2.255"));
    ip("link add d0 up type bridge");
    ip("addr add 192.0.2.1/24 brd + dev d0");
    ip("addr add 198.51.100.1/25 brd + dev d0");
    ck_assert(is_broadcast("192.0.2.255"));
    ck_assert(is_broadcast("198.51.100.127"));
    ck_assert(!is_broadcast("192.0.2.1"));
    ck_assert(!is_broadcast("192.0.2.254"));
    ck_assert(!is_broadcast("198.51.100.255"));
    ip("route add prohibit 203.0.113.0/24");
    ck_assert(!is_broadcast("203.0.113.255"));
    ck_assert(!interfaces_is_broadcast(&group6));
}
END_TEST

static bool is_readable(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, timeout) == 1;
}

/* Of some changes the kernel tells later on by itself. */
static void await_no_news(int fd)
{
    for (int i = 0; interfaces_news(fd); i++) {
        ck_assert_int_lt(i, 100);
        is_readable(fd, 10);
    }
}

/* One change is told in several messages: all that come until there are none. */
static void expect_news(int fd)
{
    ck_assert(is_readable(fd, SOON_MS));
    ck_assert(interfaces_news(fd));
    ck_assert(!is_readable(fd, 0) || interfaces_news(fd));
}

START_TEST(there_is_word_of_changes)
{
    int fd = interfaces_watch();

    ck_assert_int_ge(fd, 0);
    ck_assert(!interfaces_news(fd));
    ip("link add d0 type bridge");
    expect_news(fd);
    ip("link set d0 up");
    expect_news(fd);
    ip("addr add 192.0.2.1/24 dev d0");
    expect_news(fd);
    ip("addr add 2001:db8::1/64 dev d0 nodad");
    expect_news(fd);
    ip("addr del 192.0.2.1/24 dev d0");
    expect_news(fd);
    ip("link del d0");
    expect_news(fd);
    close(fd);
}
END_TEST

static void flap(void)
{
    for (int i = 0; i < 8; i++) {
        ip("link set d0 down");
        ip("link set d0 up");
    }
}

/* More than its queue has room for: that some were lost is told as an error. */
START_TEST(lost_messages_are_news)
{
    int fd = interfaces_watch();
    int smallest = 1;
    char byte;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
    ip("link add d0 up type bridge");
    flap();
    ck_assert_int_lt(recv(fd, &byte, sizeof(byte), 0), 0);
    ck_assert_int_eq(errno, ENOBUFS);
    flap();
    ck_assert(interfaces_news(fd));
    await_no_news(fd);
    ip("link set d0 down");
    ck_assert(is_readable(fd, SOON_MS));
    ck_assert(interfaces_news(fd));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!may_make_namespaces())
        return 77; /* Automake: skipped */
    suite = suite_create("interfaces");
    tcase = tcase_create("interfaces");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, make_namespace, NULL);
    tcase_add_test(tcase, only_those_that_are_up_count);
    tcase_add_test(tcase, one_that_comes_back_has_another_index);
    tcase_add_test(tcase, addresses_come_and_go);
    tcase_add_test(tcase, all_of_the_loopback_network_is_here);
    tcase_add_test(tcase, the_stamp_tells_other_addresses);
    tcase_add_test(tcase, the_routes_lead_somewhere);
    tcase_add_test(tcase, the_kernel_knows_broadcast_addresses);
    tcase_add_test(tcase, that_they_cannot_be_asked_is_not_that_they_lead_nowhere);
    tcase_add_test(tcase, there_is_word_of_changes);
    tcase_add_test(tcase, lost_messages_are_news);
    return suite_run(suite);
}
