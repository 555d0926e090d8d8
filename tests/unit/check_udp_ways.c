/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the routes lead to targets, and that this is not asked again for each datagram. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>

#include "flow/udp_net_inside.h"
#include "namespace.h"
#include "suite.h"
#include "world.h"

static struct world w;

static void begin(void)
{
    make_namespace();
    for (unsigned i = 1; i <= 2; i++) {
        ip("link add eth%u up type bridge", i);
        ip("addr add 10.%u.0.1/24 dev eth%u", i, i);
    }
    world_begin(&w);
}

static void end(void)
{
    world_end(&w);
}

/* All targets that a rule can have. */
static void expect(struct udp_net *net, in_port_t port, unsigned interface)
{
    struct addr to = {.family = AF_INET, .port = port, .v4.s_addr = htonl(0xef070000)};

    for (unsigned i = 0; i < 256; i++, to.v4.s_addr += htonl(1))
        ck_assert_int_eq(udp_net_way(net, &to), (int)interface);
}

static bool is_ours(void *arg)
{
    return udp_net_is_ours(&w.worker, arg);
}

START_TEST(as_many_as_targets_are_remembered)
{
    unsigned first = if_nametoindex("eth1"), then = if_nametoindex("eth2");
    struct addr news = {.family = AF_INET, .v4.s_addr = htonl(0x0a030001)};
    struct udp_net *net = udp_net_of(&w.worker);

    ck_assert_ptr_nonnull(net);
    ip("route add 239.0.0.0/8 dev eth1");
    expect(net, 5000, first);
    ip("route change 239.0.0.0/8 dev eth2");
    expect(net, 5000, first);
    expect(net, 5001, then);
    /* Of routes there is no news, but what there is news of may have changed them. */
    ip("addr add 10.3.0.1/24 dev eth1");
    world_await(&w, is_ours, &news);
    expect(net, 5000, then);
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!may_make_namespaces())
        return 77; /* Automake: skipped */
    suite = suite_create("udp_ways");
    tcase = tcase_create("udp_ways");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, as_many_as_targets_are_remembered);
    return suite_run(suite);
}
