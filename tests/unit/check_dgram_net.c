/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups, broadcasts and small packets, in a network that is made for each test. */
#include "config.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>

#include "dgram_ends.h"
#include "suite.h"

#define GROUP 0xefff0102 /* 239.255.1.2 */
#define OTHER 0xefff0103
#define FIRST 0x0a090001 /* 10.9.0.1, and .2 on the same interface */
#define NEXT  0x0a0a0001 /* 10.10.0.1, on another one */

static struct dgram_batch *batch;
static unsigned d0, d1;

static void ip(const char *command)
{
    char line[200];

    snprintf(line, sizeof(line), "ip %s", command);
    ck_assert_int_eq(system(line), 0);
}

/* An interface has routes of IPv6 a while after it is up. */
static void await_routes(unsigned interface)
{
    struct addr all = {.family = AF_INET6, .port = 9, .scope = interface};
    int fd;

    ck_assert_int_eq(inet_pton(AF_INET6, "ff02::1", &all.v6), 1);
    for (int waited = 0; (fd = dgram_connect(&all)) < 0; waited++) {
        ck_assert_int_lt(waited, WAIT_MS);
        poll(NULL, 0, 1);
    }
    close(fd);
}

static void make_network(void)
{
    count_before();
    batch = new_batch();
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    ip("link set lo up");
    ip("link add d0 type veth peer name d0x");
    ip("link add d1 type veth peer name d1x");
    ip("addr add 10.9.0.1/24 brd + dev d0");
    ip("addr add 10.9.0.2/24 brd + dev d0");
    ip("addr add 10.10.0.1/24 brd + dev d1");
    ip("addr add fd09::1/64 dev d0 nodad");
    ip("addr add fd0a::1/64 dev d1 nodad");
    for (int i = 0; i < 2; i++) {
        ip(i ? "link set d1x up" : "link set d0x up");
        ip(i ? "link set d1 up" : "link set d0 up");
    }
    d0 = if_nametoindex("d0");
    d1 = if_nametoindex("d1");
    await_routes(d0);
    await_routes(d1);
}

static void end_network(void)
{
    dgram_batch_free(batch);
    count_after();
}

static struct addr group4(uint32_t address)
{
    return ipv4(address, 0);
}

static struct addr group6(void)
{
    struct addr a = {.family = AF_INET6};

    ck_assert_int_eq(inet_pton(AF_INET6, "ff15::1:2", &a.v6), 1);
    return a;
}

/* Someone who sends to many, from this address and through this interface. */
static void say(int fd, const struct addr *to, in_port_t port, const struct addr *from,
                unsigned interface, const char *text)
{
    struct dgram_path path = {.peer = *to, .interface = interface};

    path.peer.port = port;
    if (from)
        path.local = *from;
    send_text(fd, to->family, text, &path);
}

static struct dgram *hear(int fd, const char *text)
{
    struct dgram *d = receive_one(fd, batch);

    ck_assert_uint_eq(d->size, strlen(text));
    ck_assert_mem_eq(d->bytes, text, d->size);
    return d;
}

/* Nothing came but this, which is sent now. */
static void hear_only(int fd, int from, const struct addr *to, in_port_t port, unsigned interface)
{
    say(from, to, port, NULL, interface, "at last");
    hear(fd, "at last");
    ck_assert(is_silent(fd, batch));
}

/* --- groups ----------------------------------------------------------------------------------- */

START_TEST(a_group_is_heard_where_it_was_joined)
{
    struct addr any = ipv4(INADDR_ANY, 0), group = group4(GROUP), other = group4(OTHER), a, b;
    int fd = open_at(&any, DGRAM_PATHS | DGRAM_TTL | DGRAM_SHARED, &a);
    int neighbour = open_at(&any, 0, &b), from = open_at(&any, 0, &b);
    struct addr first = ipv4(FIRST, 0);
    const struct dgram *d;

    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), 0);
    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), -EADDRINUSE);
    ck_assert_int_eq(dgram_join(fd, &group, 9999, NULL), -ENODEV);
    ck_assert_int_eq(dgram_leave(fd, &group, d1, NULL), -EADDRNOTAVAIL);
    /* What others of this machine have joined is not for us. */
    ck_assert_int_eq(dgram_join(neighbour, &group, d1, NULL), 0);
    ck_assert_int_eq(dgram_join(neighbour, &other, d0, NULL), 0);
    ck_assert_int_eq(dgram_group_ttl(from, AF_INET, 7), 0);

    say(from, &other, a.port, NULL, d0, "another group");
    say(from, &group, a.port, NULL, d1, "another interface");
    say(from, &group, a.port, &first, d0, "to you");
    d = hear(fd, "to you");
    ck_assert(d->is_to_many);
    ck_assert_int_eq(d->ttl, 7);
    ck_assert_int_eq(d->dest.family, AF_INET);
    ck_assert_uint_eq(ntohl(d->dest.v4.s_addr), GROUP);
    ck_assert_uint_eq(d->path->interface, d0);
    ck_assert_uint_eq(ntohl(d->path->peer.v4.s_addr), FIRST);
    ck_assert_int_eq(d->path->local.family, AF_INET);
    ck_assert_uint_eq(ntohl(d->path->local.v4.s_addr), FIRST);

    ck_assert_int_eq(dgram_leave(fd, &group, d0, NULL), 0);
    ck_assert_int_eq(dgram_leave(fd, &group, d0, NULL), -EADDRNOTAVAIL);
    say(from, &group, a.port, NULL, d0, "not any more");
    ck_assert_int_eq(dgram_join(fd, &group, d1, NULL), 0);
    hear_only(fd, from, &group, a.port, d1);
    close(fd);
    close(neighbour);
    close(from);
}
END_TEST

START_TEST(a_group_of_ipv6_too)
{
    struct addr any = ipv6(in6addr_any, 0), group = group6(), other = group,
                first = {.family = AF_INET6}, a, b;
    int fd = open_at(&any, DGRAM_PATHS | DGRAM_TTL | DGRAM_SHARED, &a);
    int neighbour = open_at(&any, 0, &b), from = open_at(&any, 0, &b);
    const struct dgram *d;

    ck_assert_int_eq(inet_pton(AF_INET6, "fd09::1", &first.v6), 1);
    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), 0);
    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), -EADDRINUSE);
    ck_assert_int_eq(dgram_join(fd, &group, 9999, NULL), -ENODEV);
    ck_assert_int_eq(dgram_leave(fd, &group, d1, NULL), -EADDRNOTAVAIL);
    other.v6.s6_addr[15] = 3;
    ck_assert_int_eq(dgram_join(neighbour, &other, d0, NULL), 0);
    ck_assert_int_eq(dgram_group_ttl(from, AF_INET6, 9), 0);

    say(from, &other, a.port, NULL, d0, "another group");
    say(from, &group, a.port, &first, d0, "to you");
    d = hear(fd, "to you");
    ck_assert(d->is_to_many);
    ck_assert_int_eq(d->ttl, 9);
    ck_assert_int_eq(d->dest.family, AF_INET6);
    ck_assert_mem_eq(&d->dest.v6, &group.v6, sizeof(group.v6));
    ck_assert_uint_eq(d->path->interface, d0);
    ck_assert_mem_eq(&d->path->peer.v6, &first.v6, sizeof(first.v6));
    ck_assert_int_eq(d->path->local.family, AF_UNSPEC);

    ck_assert_int_eq(dgram_leave(fd, &group, d0, NULL), 0);
    say(from, &group, a.port, NULL, d0, "not any more");
    ck_assert_int_eq(dgram_join(fd, &group, d1, NULL), 0);
    hear_only(fd, from, &group, a.port, d1);
    close(fd);
    close(neighbour);
    close(from);
}
END_TEST

START_TEST(a_group_of_one_sender_is_heard_from_it_alone)
{
    struct addr any = _i ? ipv6(in6addr_any, 0) : ipv4(INADDR_ANY, 0), a, b;
    struct addr group = _i ? group6() : group4(GROUP), first = ipv4(FIRST, 0),
                second = ipv4(FIRST + 1, 0);
    int fd = open_at(&any, DGRAM_PATHS, &a), from = open_at(&any, 0, &b);

    if (_i) {
        first = second = any;
        ip("addr add fd09::2/64 dev d0 nodad");
        ck_assert_int_eq(inet_pton(AF_INET6, "fd09::1", &first.v6), 1);
        ck_assert_int_eq(inet_pton(AF_INET6, "fd09::2", &second.v6), 1);
    }
    ck_assert_int_eq(dgram_join(fd, &group, d0, &first), 0);
    ck_assert_int_eq(dgram_join(fd, &group, d0, &first), -EADDRINUSE);
    ck_assert_int_eq(dgram_leave(fd, &group, d0, &second), -EADDRNOTAVAIL);
    say(from, &group, a.port, &second, d0, "another sender");
    say(from, &group, a.port, &first, d0, "to you");
    hear(fd, "to you");
    ck_assert(is_silent(fd, batch));
    ck_assert_int_eq(dgram_join(fd, &group, d0, &second), 0);
    say(from, &group, a.port, &second, d0, "now you do");
    hear(fd, "now you do");
    ck_assert_int_eq(dgram_leave(fd, &group, d0, &first), 0);
    say(from, &group, a.port, &first, d0, "no more");
    say(from, &group, a.port, &second, d0, "still");
    hear(fd, "still");
    ck_assert(is_silent(fd, batch));
    close(fd);
    close(from);
}
END_TEST

START_TEST(a_membership_can_be_left_when_its_interface_has_gone)
{
    struct addr any = _i ? ipv6(in6addr_any, 0) : ipv4(INADDR_ANY, 0), a, b;
    struct addr group = _i ? group6() : group4(GROUP);
    int fd = open_at(&any, DGRAM_PATHS, &a), from = open_at(&any, 0, &b);

    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), 0);
    ip("link del d0");
    ck_assert_int_eq(dgram_leave(fd, &group, d0, NULL), 0);
    ck_assert_int_eq(dgram_join(fd, &group, d0, NULL), -ENODEV);
    ck_assert_int_eq(dgram_join(fd, &group, d1, NULL), 0);
    hear_only(fd, from, &group, a.port, d1);
    close(fd);
    close(from);
}
END_TEST

/* --- broadcasts ------------------------------------------------------------------------------- */

START_TEST(a_broadcast_is_told_from_what_is_ours_alone)
{
    static const uint32_t broadcasts[] = {INADDR_BROADCAST, FIRST | 0xff};
    /* Of both kinds of sockets that hear IPv4. */
    struct addr any = _i ? ipv6(in6addr_any, 0) : ipv4(INADDR_ANY, 0), any4 = ipv4(INADDR_ANY, 0);
    struct addr first = ipv4(FIRST, 0), a, b;
    int fd = open_at(&any, DGRAM_PATHS | (_i ? DGRAM_DUAL : 0), &a);
    int from = open_at(&any4, DGRAM_BROADCAST, &b), mute = open_at(&any4, 0, &b);
    const struct dgram *d;

    for (unsigned i = 0; i < COUNT_OF(broadcasts); i++) {
        struct addr to = ipv4(broadcasts[i], a.port);
        struct dgram_path path = {.peer = to, .interface = d0};
        struct dgram refused = {.bytes = (const uint8_t *)"x", .size = 1, .path = &path};
        struct dgram *list[] = {&refused};
        bool whole = false;

        say(from, &to, a.port, &first, d0, "to all");
        d = hear(fd, "to all");
        ck_assert(d->is_to_many);
        ck_assert_int_eq(d->dest.family, AF_INET);
        ck_assert_uint_eq(ntohl(d->dest.v4.s_addr), broadcasts[i]);
        ck_assert_uint_eq(d->path->interface, d0);
        ck_assert_int_eq(d->path->local.family, AF_INET);
        ck_assert_uint_eq(ntohl(d->path->local.v4.s_addr), FIRST);
        ck_assert_int_eq(dgram_send(mute, AF_INET, list, 1, &whole), 0);
        ck_assert_int_eq(refused.error, EACCES);
    }
    say(from, &first, a.port, NULL, 0, "to you");
    d = hear(fd, "to you");
    ck_assert(!d->is_to_many);
    ck_assert_uint_eq(ntohl(d->dest.v4.s_addr), FIRST);
    ck_assert_uint_eq(ntohl(d->path->local.v4.s_addr), FIRST);
    close(fd);
    close(from);
    close(mute);
}
END_TEST

START_TEST(a_link_local_client_is_answered_where_it_is)
{
    struct addr any = ipv6(in6addr_any, 0), a, b, link_local = any;
    int fd = open_at(&any, DGRAM_PATHS, &a), from = open_at(&any, DGRAM_PATHS, &b);
    struct pollfd heard = {.fd = fd, .events = POLLIN};
    struct dgram_path back;

    ip("addr add fe80::77/64 dev d0 nodad");
    ck_assert_int_eq(inet_pton(AF_INET6, "fe80::77", &link_local.v6), 1);
    link_local.scope = d0;
    for (int tries = 0; poll(&heard, 1, 10) == 0; tries++) { /* its route comes after it */
        ck_assert_int_lt(tries, WAIT_MS / 10);
        say(from, &link_local, a.port, NULL, 0, "question");
    }
    ck_assert_uint_eq(receive(fd, batch, 0, 1, false), 1);
    back = *dgram_at(batch, 0)->path;
    ck_assert_uint_eq(back.peer.scope, d0);
    ck_assert_uint_eq(back.local.scope, d0);
    ck_assert_mem_eq(&back.local.v6, &link_local.v6, sizeof(link_local.v6));
    back.interface = 0; /* the peer's zone tells it */
    send_text(fd, AF_INET6, "answer", &back);
    ck_assert_mem_eq(&hear(from, "answer")->path->peer.v6, &link_local.v6, sizeof(link_local.v6));
    close(fd);
    close(from);
}
END_TEST

/* --- packets ---------------------------------------------------------------------------------- */

/* A run whose datagrams are larger than a packet goes one by one; others go on as runs. */
START_TEST(what_needs_fragments_goes_apart)
{
    static const uint32_t sizes[] = {9000, 9000, 9000, 1000, 1000, 1000, 9000, 9000};
    uint8_t bytes[9000];
    struct dgram d[COUNT_OF(sizes)], run = {.bytes = bytes, .size = 9000, .segment = 2000};
    struct dgram *list[COUNT_OF(sizes) + 1];
    struct heard *sent = heard_new(), *got = heard_new();
    struct addr loopback = ipv4(INADDR_LOOPBACK, 0);
    int fd, to;
    bool whole;

    ip("link set lo mtu 1500");
    fd = open_at(&loopback, DGRAM_RUNS, &loopback);
    to = connect_to(&loopback);
    whole = dgram_sends_runs(to);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
        d[i] = (struct dgram){.bytes = bytes + i, .size = sizes[i] - i};
        list[i] = &d[i];
        heard_add(sent, &d[i]);
    }
    list[COUNT_OF(sizes)] = &run;
    heard_add(sent, &run);
    ck_assert_int_eq(dgram_send(to, AF_INET, list, COUNT_OF(list), &whole), 0);
    for (unsigned i = 0; i < COUNT_OF(list); i++) {
        ck_assert_int_eq(list[i]->error, 0);
        ck_assert_uint_eq(list[i]->sent, dgram_count(list[i]));
    }
    ck_assert(whole == dgram_sends_runs(to));
    while (got->count < sent->count) {
        unsigned n = receive(fd, batch, 0, DGRAM_BATCH, false);

        for (unsigned i = 0; i < n; i++)
            heard_add(got, dgram_at(batch, i));
    }
    heard_same(got, sent);
    heard_free(sent);
    heard_free(got);
    close(fd);
    close(to);
}
END_TEST

static bool may_make_networks(void)
{
    return geteuid() == 0 &&
           system("unshare -n ip link add d0 type veth peer name d1 2> /dev/null") == 0;
}

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!may_make_networks()) {
        puts("it takes root, ip(8) and network namespaces");
        return 77; /* Automake: skipped */
    }
    suite = suite_create("dgram_net");
    tcase = tcase_create("dgram_net");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, make_network, end_network);
    tcase_add_test(tcase, a_group_is_heard_where_it_was_joined);
    tcase_add_test(tcase, a_group_of_ipv6_too);
    tcase_add_loop_test(tcase, a_group_of_one_sender_is_heard_from_it_alone, 0, 2);
    tcase_add_loop_test(tcase, a_membership_can_be_left_when_its_interface_has_gone, 0, 2);
    tcase_add_loop_test(tcase, a_broadcast_is_told_from_what_is_ours_alone, 0, 2);
    tcase_add_test(tcase, a_link_local_client_is_answered_where_it_is);
    tcase_add_test(tcase, what_needs_fragments_goes_apart);
    return suite_run(suite);
}
