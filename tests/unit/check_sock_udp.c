/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets of which others hold duplicates. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "os/dgram.h"
#include "os/sock.h"
#include "suite.h"

/* Bound as the config says, to a port that is free; `text` is what the config calls it. */
static int bound_as(const char *host, unsigned how, char *text, size_t size)
{
    bool is_any = strcmp(host, "*") == 0;
    char address[64], config[256];
    struct conf_errors errors;
    struct conf *conf;
    struct addr bound = {.family = strchr(host, ':') || is_any ? AF_INET6 : AF_INET};
    int fd;

    if (bound.family == AF_INET6)
        snprintf(address, sizeof(address), "%.*s", (int)strcspn(host, "]") - 1, host + 1);
    else
        snprintf(address, sizeof(address), "%s", host);
    if (!is_any)
        ck_assert_int_eq(inet_pton(bound.family, address, &bound.v4), 1);
    fd = dgram_open(&bound, how | (is_any ? DGRAM_DUAL : 0));
    if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
        return -1; /* no IPv6 here */
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dgram_check(fd, &bound), 0);

    snprintf(config, sizeof(config),
             "rules = { r = { listen = \"udp:%s:%u\"; upstream = \"192.0.2.1:1\"; }; };", host,
             (unsigned)bound.port);
    conf = conf_load_text("c", config, strlen(config), &errors);
    ck_assert_ptr_nonnull(conf);
    snprintf(text, size, "%s", conf->rules[0].listens[0].text);
    conf_errors_free(&errors);
    conf_unref(conf);
    return fd;
}

static const char *const hosts[] = {"127.0.0.1", "0.0.0.0", "[::1]", "[::]", "*"};
#define HOSTS (int)(sizeof(hosts) / sizeof(hosts[0]))

START_TEST(an_address_has_the_text_of_the_config)
{
    char wanted[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];
    int fd = bound_as(hosts[_i], 0, wanted, sizeof(wanted));

    if (fd < 0)
        return;
    ck_assert(sock_text(fd, text, sizeof(text)));
    ck_assert_str_eq(text, wanted);
    ck_assert(!sock_text(fd, text, strlen(wanted)));
    ck_assert(sock_text(fd, text, strlen(wanted) + 1));
    close(fd);
}
END_TEST

START_TEST(what_more_than_its_address_tells_has_no_text)
{
    char text[ADDR_TEXT_MAX];
    int shared = bound_as("127.0.0.1", DGRAM_SHARED, text, sizeof(text)), connected;
    struct addr bound;

    ck_assert(!sock_text(shared, text, sizeof(text)));
    ck_assert_int_eq(dgram_check(shared, &bound), 0);
    connected = dgram_connect(&bound);
    ck_assert_int_ge(connected, 0);
    ck_assert(!sock_text(connected, text, sizeof(text)));
    close(connected);
    close(shared);
    connected = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert(!sock_text(connected, text, sizeof(text))); /* it is not bound */
    close(connected);
}
END_TEST

static bool receives(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
}

/* On loopback what was sent is there when send(2) has returned. */
static void send_to(const struct addr *to)
{
    int fd = dgram_connect(to);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    close(fd);
}

/* The address to which a datagram for `bound` is sent. */
static struct addr reachable(const struct addr *bound)
{
    struct addr to = *bound;

    if (to.family == AF_INET && to.v4.s_addr == htonl(INADDR_ANY))
        to.v4.s_addr = htonl(INADDR_LOOPBACK);
    if (to.family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&to.v6))
        to.v6 = in6addr_loopback;
    return to;
}

START_TEST(a_retired_one_makes_room_in_spite_of_a_duplicate)
{
    unsigned dual = strcmp(hosts[_i], "*") == 0 ? DGRAM_DUAL : 0;
    char text[ADDR_TEXT_MAX];
    int old = bound_as(hosts[_i], 0, text, sizeof(text)), duplicate, new;
    struct addr bound, to;

    if (old < 0)
        return;
    ck_assert_int_eq(dgram_check(old, &bound), 0);
    to = reachable(&bound);
    duplicate = fcntl(old, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_eq(sock_retire(old), 0);
    close(old);
    ck_assert(!sock_text(duplicate, text, sizeof(text)));
    ck_assert_int_eq(dgram_open(&bound, dual), -EADDRINUSE);
    new = dgram_open(&bound, dual | DGRAM_BESIDE);
    ck_assert_int_ge(new, 0);
    send_to(&to);
    ck_assert(receives(new));
    ck_assert(!receives(duplicate));
    close(duplicate);
    send_to(&to);
    ck_assert(receives(new));
    ck_assert_int_eq(dgram_open(&bound, dual | DGRAM_BESIDE), -EADDRINUSE); /* it shares no more */
    close(new);
}
END_TEST

/* It was bound to all, and is in the way of one. */
START_TEST(a_retired_one_makes_room_for_another_address)
{
    struct addr any = {.family = AF_INET}, bound, one;
    int old = dgram_open(&any, 0), new;

    ck_assert_int_eq(dgram_check(old, &bound), 0);
    one = bound;
    one.v4.s_addr = htonl(INADDR_LOOPBACK);
    if (_i == 1) { /* the other way round */
        close(old);
        old = dgram_open(&one, 0);
        one = bound;
    }
    ck_assert_int_ge(old, 0);
    ck_assert_int_eq(sock_retire(old), 0);
    ck_assert_int_eq(dgram_open(&one, 0), -EADDRINUSE);
    new = dgram_open(&one, DGRAM_BESIDE);
    ck_assert_int_ge(new, 0);
    bound = reachable(&one);
    send_to(&bound);
    ck_assert(receives(new));
    ck_assert(!receives(old));
    close(old);
    close(new);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sock_udp");
    TCase *tcase = tcase_create("sock_udp");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, an_address_has_the_text_of_the_config, 0, HOSTS);
    tcase_add_test(tcase, what_more_than_its_address_tells_has_no_text);
    tcase_add_loop_test(tcase, a_retired_one_makes_room_in_spite_of_a_duplicate, 0, HOSTS);
    tcase_add_loop_test(tcase, a_retired_one_makes_room_for_another_address, 0, 2);
    return suite_run(suite);
}
