/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of which bind(2) has only one at a time: in words of the config, and as the kernel
 * says. */
#include "config.h"

#include <check.h>

#include "suite.h"
#include "world.h"

static const struct {
    const char *a, *b;
    bool overlap;
} pairs[] = {
    {"*:80", "0.0.0.0:80", true},
    {"*:80", "[::]:80", true},
    {"*:80", "192.0.2.1:80", true},
    {"*:80", "[2001:db8::1]:80", true},
    {"0.0.0.0:80", "192.0.2.1:80", true},
    {"[::]:80", "[2001:db8::1]:80", true},
    {"[::]:80", "[fe80::1%1]:80", true},
    /* another port */
    {"*:80", "0.0.0.0:81", false},
    {"0.0.0.0:80", "192.0.2.1:8080", false},
    /* another family: "[::]" is IPv6 alone */
    {"0.0.0.0:80", "[::]:80", false},
    {"0.0.0.0:80", "[2001:db8::1]:80", false},
    {"[::]:80", "192.0.2.1:80", false},
    /* two of many */
    {"192.0.2.1:80", "192.0.2.2:80", false},
    {"[2001:db8::1]:80", "[2001:db8::2]:80", false},
    {"192.0.2.1:80", "[2001:db8::1]:80", false},
    /* the same is not another */
    {"*:80", "*:80", false},
    {"0.0.0.0:80", "0.0.0.0:80", false},
    {"192.0.2.1:80", "192.0.2.1:80", false},
    /* no ports at all */
    {"*:80", "unix:/run/x", false},
    {"unix:/run/x", "unix:/run/y", false},
    {"unix:@x", "unix:@x", false},
    {"*:80", "systemd:web", false},
    {"systemd:web", "systemd:web", false},
    {"unix:/run/x", "systemd:web", false},
    /* UDP as TCP, but not with it */
    {"udp:*:80", "udp:0.0.0.0:80", true},
    {"udp:0.0.0.0:80", "udp:192.0.2.1:80", true},
    {"udp:0.0.0.0:80", "udp:[::]:80", false},
    {"udp:192.0.2.1:80", "udp:192.0.2.2:80", false},
    {"udp:*:80", "*:80", false},
    {"udp:0.0.0.0:80", "192.0.2.1:80", false},
    {"udp:*:80", "udp:*:80", false},
    /* groups and broadcasts with each other, but not with one that would have them alone */
    {"udp:239.1.2.3:80", "udp:239.1.2.4:80", false},
    {"udp:239.1.2.3:80", "udp:0.0.0.0:80\"; broadcast = true; interface = \"eth1", false},
    {"udp:[ff02::1]:80\"; interface = \"eth1", "udp:[ff02::2]:80\"; interface = \"eth1", false},
    {"udp:[ff02::1]:80\"; interface = \"eth1", "udp:[ff02::1]:80\"; interface = \"eth2", false},
    {"udp:[ff02::1]:80\"; interface = \"eth1", "udp:[::1]:80", true},
    {"udp:[ff05::1]:80", "udp:[::1]:80", false},
    {"udp:239.1.2.3:80", "udp:0.0.0.0:80", true},
    {"udp:239.1.2.3:80", "udp:192.0.2.1:80", false},
    {"udp:0.0.0.0:80\"; broadcast = true; interface = \"eth1", "udp:192.0.2.1:80", true},
    {"udp:192.0.2.255:80\"; broadcast = true; interface = \"eth1", "udp:192.0.2.255:80", true},
    {"udp:192.0.2.255:80\"; broadcast = true; interface = \"eth1", "udp:192.0.2.1:80", false},
    /* the same address in another way: to be opened anew */
    {"udp:192.0.2.1:80", "udp:192.0.2.1:80\"; interface = \"eth1", true},
    {"udp:192.0.2.1:80\"; interface = \"eth2", "udp:192.0.2.1:80\"; interface = \"eth1", true},
    {"udp:192.0.2.1:80\"; interface = \"eth1", "udp:192.0.2.1:80\"; interface = \"eth1", false},
    {"udp:*:80", "udp:*:80\"; interface = \"eth1", true},
    {"udp:0.0.0.0:80\"; interface = \"eth1",
     "udp:0.0.0.0:80\"; broadcast = true; interface = \"eth1", true},
    {"udp:0.0.0.0:80", "udp:0.0.0.0:80\"; broadcast = true; on_limit = \"drop", true},
};

START_TEST(overlap_is_what_the_table_says_both_ways)
{
    struct conf *a =
        conf_of("rules = { r = { listen = \"%s\"; upstream = \"10.0.0.1:1\"; }; };", pairs[_i].a);
    struct conf *b =
        conf_of("rules = { r = { listen = \"%s\"; upstream = \"10.0.0.1:1\"; }; };", pairs[_i].b);
    const struct conf_listen *la = &a->rules[0].listens[0], *lb = &b->rules[0].listens[0];

    ck_assert_int_eq(conf_listens_overlap(la, lb), pairs[_i].overlap);
    ck_assert_int_eq(conf_listens_overlap(lb, la), pairs[_i].overlap);
    conf_unref(a);
    conf_unref(b);
}
END_TEST

/* --- as the kernel has it --------------------------------------------------------------------- */

static int bind_to(const char *address, unsigned port, unsigned how)
{
    struct conf *c = conf_of("rules = { r = { listen = \"%s:%u\"; upstream = \"10.0.0.1:1\"; }; };",
                             address, port);
    const struct conf_listen *l = &c->rules[0].listens[0];
    int fd = sock_listen(&l->address, 1, how | (l->kind == ADDR_ANY ? SOCK_DUAL : 0), NULL);

    conf_unref(c);
    return fd;
}

/* A port that nobody has on any address; somebody may take it before we do. */
static unsigned free_port(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t size = sizeof(in6);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in6, &size), 0);
    close(fd);
    return ntohs(in6.sin6_port);
}

static int bind_anywhere(const char *address, unsigned *port)
{
    int fd;

    do {
        *port = free_port();
        fd = bind_to(address, *port, 0);
    } while (fd == -EADDRINUSE);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static const struct {
    const char *old, *new;
} overlapping[] = {
    {"*", "127.0.0.1"},       {"*", "0.0.0.0"}, {"*", "[::1]"},     {"0.0.0.0", "127.0.0.1"},
    {"127.0.0.1", "0.0.0.0"}, {"[::1]", "*"},   {"127.0.0.1", "*"},
};

/* The address that both have. */
static int connect_to_both(const char *a, const char *b, unsigned port)
{
    bool is_v6 = strcmp(a, "[::1]") == 0 || strcmp(b, "[::1]") == 0, done;
    struct addr to = {.family = is_v6 ? AF_INET6 : AF_INET, .port = (in_port_t)port};
    int fd;

    if (is_v6)
        to.v6 = in6addr_loopback;
    else
        to.v4.s_addr = htonl(INADDR_LOOPBACK);
    fd = sock_connect(&to, &done);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(beside_one_that_goes_nobody_is_refused)
{
    const char *old_address = overlapping[_i].old, *new_address = overlapping[_i].new;
    unsigned port;
    int old = bind_anywhere(old_address, &port), new, client, served;
    struct addr peer;

    ck_assert_int_eq(bind_to(new_address, port, 0), -EADDRINUSE);
    ck_assert_int_eq(bind_to(new_address, port, SOCK_BESIDE), -EADDRINUSE); /* both have to agree */
    ck_assert_int_eq(sock_share_port(old, true), 0);
    ck_assert_int_eq(bind_to(new_address, port, 0), -EADDRINUSE);
    new = bind_to(new_address, port, SOCK_BESIDE);
    ck_assert_int_ge(new, 0);
    ck_assert_int_eq(sock_share_port(old, false), 0);

    /* and nobody else gets between */
    ck_assert_int_eq(bind_to(old_address, port, 0), -EADDRINUSE);
    ck_assert_int_eq(bind_to(new_address, port, 0), -EADDRINUSE);

    sock_stop_listening(old);
    close(old);
    client = connect_to_both(old_address, new_address, port);
    served = sock_accept(new, &peer);
    ck_assert_int_ge(served, 0);
    ck_assert_int_eq(sock_error(client), 0);
    close(served);
    close(client);
    close(new);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conflict");
    TCase *tcase = tcase_create("conflict");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, overlap_is_what_the_table_says_both_ways, 0, (int)COUNT_OF(pairs));
    tcase_add_loop_test(tcase, beside_one_that_goes_nobody_is_refused, 0,
                        (int)COUNT_OF(overlapping));
    return suite_run(suite);
}
